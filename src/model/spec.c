/* Whole specs: born with every default of the table, copied and freed key by key, kept in lists. A key that is added to the table needs nothing
 * here. */
#include "model/key_types.h"

/* The two names stand behind the specification: neither changes while it lives. */
int spec_new(const char *ns, const char *name, ServiceSpec **ret) {
        _cleanup_(spec_freep) ServiceSpec *s = NULL;
        int r;

        s = calloc(1, sizeof(*s) + strlen(ns) + strlen(name) + 2);
        if (!s)
                return -ENOMEM;
        s->ns = strcpy((char *) (s + 1), ns);
        s->name = strcpy(s->ns + strlen(ns) + 1, name);
        for (const SpecKey *k = spec_keys; k->path; k++) {
                r = spec_key_reset(k, s);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(s);
        return 0;
}

ServiceSpec *spec_free(ServiceSpec *s) {
        if (!s)
                return NULL;
        for (const SpecKey *k = spec_keys; k->path; k++)
                if (key_ops[k->type].done)
                        key_ops[k->type].done(key_field(k, s));
        free(s);
        return NULL;
}

int spec_copy(const ServiceSpec *s, ServiceSpec **ret) {
        _cleanup_(spec_freep) ServiceSpec *copy = NULL;
        int r;

        r = spec_new(s->ns, s->name, &copy);
        if (r < 0)
                return r;
        for (const SpecKey *k = spec_keys; k->path; k++) {
                r = spec_key_copy(k, copy, s);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(copy);
        return 0;
}

uint64_t spec_memory_high(const ServiceSpec *s) {
        return MIN(s->limits.memory_high, s->limits.memory_restart);
}

unsigned spec_instances(const ServiceSpec *s, unsigned n_cpus) {
        int64_t n = s->instances > 0 ? s->instances : (int64_t) n_cpus + s->instances;

        return n < 1 ? 1 : n > INSTANCES_LIMIT ? INSTANCES_LIMIT : (unsigned) n;
}

int spec_list_append(SpecList *l, ServiceSpec *s) {
        ServiceSpec **grown = reallocarray(l->items, l->n + 1, sizeof(ServiceSpec *));

        if (!grown)
                return -ENOMEM;
        grown[l->n++] = s;
        l->items = grown;
        return 0;
}

void spec_list_done(SpecList *l) {
        for (size_t i = 0; i < l->n; i++)
                spec_free(l->items[i]);
        free(l->items);
        *l = (SpecList) {};
}

ServiceSpec *spec_list_find(const SpecList *l, const char *ns, const char *name) {
        for (size_t i = 0; i < l->n; i++)
                if (streq(l->items[i]->name, name) && streq(l->items[i]->ns, ns))
                        return l->items[i];
        return NULL;
}
