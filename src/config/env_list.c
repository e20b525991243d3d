/* Owns the order of environments: sorted by name, each name once. Sorting at the end keeps a file of a hundred thousand variables cheap. */
#include "config/env_list.h"

#include "base/strv.h"

void env_list_done(EnvList *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i]);
        free(l->items);
        *l = (EnvList) {};
}

static int consume(EnvList *l, char *entry) {
        if (!entry)
                return -ENOMEM;
        if (l->n == l->allocated) {
                size_t wanted = MAX(l->allocated * 2, (size_t) 16);
                char **items = reallocarray(l->items, wanted, sizeof(char *));
                if (!items) {
                        free(entry);
                        return -ENOMEM;
                }
                l->items = items;
                l->allocated = wanted;
        }
        l->items[l->n++] = entry;
        return 0;
}

int env_list_add(EnvList *l, const char *name, size_t name_length, const char *value, size_t value_length) {
        char *entry = malloc(name_length + value_length + 2);

        if (!entry)
                return -ENOMEM;
        memcpy(entry, name, name_length);
        entry[name_length] = '=';
        memcpy(entry + name_length + 1, value, value_length);
        entry[name_length + 1 + value_length] = '\0';
        return consume(l, entry);
}

int env_list_add_all(EnvList *l, char *const *env) {
        int r;

        STRV_FOREACH(s, env) {
                r = consume(l, strdup(*s));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compare_names(const char *a, const char *b) {
        size_t n = strcspn(a, "="), m = strcspn(b, "=");
        int c = memcmp(a, b, MIN(n, m));

        return c ? c : (n > m) - (n < m);
}

typedef struct Ranked {
        char *entry;
        size_t rank; /* order of addition: qsort(3) is not stable */
} Ranked;

static int compare_ranked(const void *a, const void *b) {
        const Ranked *x = a, *y = b;
        int c = compare_names(x->entry, y->entry);

        return c ? c : (x->rank > y->rank) - (x->rank < y->rank);
}

int env_list_finish(EnvList *l, char ***ret) {
        _cleanup_free_ Ranked *ranked = NULL;
        char **env;
        size_t n = 0;

        if (l->n == 0) {
                *ret = strv_free(*ret);
                return 0;
        }
        ranked = calloc(l->n, sizeof(Ranked));
        env = calloc(l->n + 1, sizeof(char *));
        if (!ranked || !env) {
                free(env);
                return -ENOMEM;
        }
        for (size_t i = 0; i < l->n; i++)
                ranked[i] = (Ranked) { l->items[i], i };
        qsort(ranked, l->n, sizeof(Ranked), compare_ranked);
        for (size_t i = 0; i < l->n; i++) {
                if (i + 1 < l->n && compare_names(ranked[i].entry, ranked[i + 1].entry) == 0)
                        free(ranked[i].entry);
                else
                        env[n++] = ranked[i].entry;
        }
        l->n = 0;
        strv_free(*ret);
        *ret = env;
        return 0;
}
