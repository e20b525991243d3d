/* The keys belong to the index and stand in a string array; "/" is in no name, so that two services never make one key. */
#include "model/spec_index.h"

#include "base/strv.h"
#include "base/text.h"

void spec_index_done(SpecIndex *x) {
        map_free(x->map);
        strv_free(x->keys);
        *x = (SpecIndex) {};
}

int spec_index_init(SpecIndex *x, const SpecList *l) {
        _cleanup_spec_index_ SpecIndex new = { .list = l };
        int r;

        new.map = map_new_string();
        new.keys = calloc(l->n + 1, sizeof(char *));
        if (!new.map || !new.keys)
                return -ENOMEM;
        for (size_t i = 0; i < l->n; i++) {
                new.keys[i] = text_printf("%s/%s", l->items[i]->ns, l->items[i]->name);
                if (!new.keys[i])
                        return -ENOMEM;
                r = map_put(new.map, new.keys[i], &l->items[i]);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        *x = TAKE_GENERIC(new, (SpecIndex) {});
        return 0;
}

int spec_index_find(const SpecIndex *x, const char *ns, const char *name, size_t *ret) {
        _cleanup_free_ char *key = NULL;
        ServiceSpec **slot;

        if (!strchr(name, '/') && !(key = text_printf("%s/%s", ns, name)))
                return -ENOMEM;
        slot = map_get(x->map, key ?: name);
        if (!slot)
                return 0;
        *ret = (size_t) (slot - x->list->items);
        return 1;
}
