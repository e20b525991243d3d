#include "manager/api/call_list.h"

#include <errno.h>
#include <stdlib.h>

int call_list_add(CallList *l, VarlinkCall *call) {
        VarlinkCall **items = reallocarray(l->items, l->n + 1, sizeof(VarlinkCall *));

        if (!items)
                return -ENOMEM;
        l->items = items;
        items[l->n++] = varlink_call_ref(call);
        return 0;
}

void call_list_answer(CallList *l) {
        for (size_t k = 0; k < l->n; k++)
                (void) varlink_reply(l->items[k], NULL);
        call_list_done(l);
}

void call_list_done(CallList *l) {
        for (size_t k = 0; k < l->n; k++)
                varlink_call_unref(l->items[k]);
        free(l->items);
        *l = (CallList) {};
}
