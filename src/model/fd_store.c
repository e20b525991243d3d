/* Must stay true: a name that is accepted can be told from its neighbours in LISTEN_FDNAMES, and fits a FdStoreOrder. */
#include "model/fd_store.h"

#include <stdio.h>

bool fd_store_name_valid(const char *name) {
        const char *p = name;

        while (*p >= ' ' && *p < 127 && *p != ':')
                p++;
        return *p == '\0' && p - name <= FD_STORE_NAME_MAX;
}

typedef enum Line { LINE_STORE, LINE_REMOVE, LINE_NO_POLL, LINE_NAME, _LINE_MAX } Line;

/* A whole line, or with an = at its end what a line begins with. */
static const char *const lines[_LINE_MAX] = {
        [LINE_STORE] = "FDSTORE=1", [LINE_REMOVE] = "FDSTOREREMOVE=1", [LINE_NO_POLL] = "FDPOLL=0", [LINE_NAME] = "FDNAME=",
};

static bool is_line(const char *at, size_t n, const char *what) {
        size_t size = strlen(what);

        return n >= size && (n == size || what[size - 1] == '=') && memcmp(at, what, size) == 0;
}

static void read_name(const char *value, size_t n, FdStoreOrder *o) {
        if (n > FD_STORE_NAME_MAX)
                return;
        snprintf(o->name, sizeof(o->name), "%.*s", (int) n, value);
        o->named = fd_store_name_valid(o->name);
}

void fd_store_read(const char *text, FdStoreOrder *ret) {
        bool seen[_LINE_MAX] = {};

        *ret = (FdStoreOrder) {};
        for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
                size_t n = strcspn(at, "\n");

                for (Line l = 0; l < _LINE_MAX; l++) {
                        if (!is_line(at, n, lines[l]))
                                continue;
                        if (l == LINE_NAME && !seen[l])
                                read_name(at + strlen(lines[l]), n - strlen(lines[l]), ret);
                        seen[l] = true;
                }
        }
        ret->store = seen[LINE_STORE];
        ret->remove = seen[LINE_REMOVE];
        ret->poll = !seen[LINE_NO_POLL];
        if (!ret->named)
                strcpy(ret->name, FD_STORE_NAME);
}

bool fd_store_kept(FdStorePreserve preserve, bool alive, bool rests) {
        return preserve == FD_STORE_PRESERVE_YES || (preserve == FD_STORE_PRESERVE_RESTART ? !rests : alive);
}
