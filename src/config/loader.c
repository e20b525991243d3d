/* Owns what can only be seen across services: doubles, dependencies that lead nowhere, cycles. A faulty service stays in the list until the
 * end, so that its name is known and one fault is not told as many; the caller's list changes only when there was no fault at all. */
#include "config/loader.h"

#include "base/strv.h"
#include "base/text.h"
#include "config/profiles.h"
#include "config/root.h"
#include "model/depend.h"

static Origin *origin_free(Origin *o) {
        if (o)
                free(o->id);
        free(o);
        return NULL;
}
DEFINE_CLEANUP(Origin *, origin_free);

void loader_done(Loader *l) {
        for (size_t i = 0; i < l->n_origins; i++)
                origin_free(l->origins[i]);
        free(l->origins);
        l->ids = map_free(l->ids);
        for (size_t i = 0; i < l->n_documents; i++)
                document_done(l->documents + i);
        free(l->documents);
        spec_list_done(&l->loaded);
        strv_free(l->profiles);
        for (size_t i = 0; i < l->n_roots; i++)
                root_free(l->roots[i]);
        free(l->roots);
        *l = (Loader) {};
}

static char *make_id(const char *ns, const char *name) {
        return strchr(name, '/') ? strdup(name) : text_printf("%s/%s", ns, name);
}

/* Room for one more, doubled when full: realloc by one copies too much for ten thousand services. */
static int grow(Loader *l) {
        Origin **origins;

        if (l->n_origins & (l->n_origins - 1))
                return 0;
        origins = reallocarray(l->origins, MAX(l->n_origins * 2, (size_t) 1), sizeof(Origin *));
        if (!origins)
                return -ENOMEM;
        l->origins = origins;
        return 0;
}

/* -EEXIST: *ret_first is the one that has the name. */
static int add_origin(Loader *l, const Origin *values, const Origin **ret_first) {
        _cleanup_(origin_freep) Origin *o = NULL;
        int r;

        o = malloc(sizeof(Origin));
        if (!o)
                return -ENOMEM;
        *o = *values;
        o->id = make_id(values->spec->ns, values->spec->name);
        if (!o->id)
                return -ENOMEM;
        *ret_first = map_get(l->ids, o->id);
        if (*ret_first)
                return -EEXIST;
        r = grow(l);
        if (r < 0)
                return r;
        r = map_put(l->ids, o->id, o);
        if (r < 0)
                return r;
        l->origins[l->n_origins++] = TAKE_PTR(o);
        return 0;
}

int loader_init(Loader *l, const ConfigOptions *options, const SpecList *present, Diagnostics *d) {
        const Origin *first;
        int r;

        *l = (Loader) { .options = options, .diagnostics = d, .first_diagnostic = d->n, .first_error = d->errors };
        l->ids = map_new_string();
        if (!l->ids)
                return -ENOMEM;
        for (size_t i = 0; i < present->n; i++) {
                r = add_origin(l, &(Origin) { .spec = present->items[i] }, &first);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        l->n_present = l->n_origins;
        return 0;
}

Document *loader_keep(Loader *l, Document *doc) {
        Document *documents = reallocarray(l->documents, l->n_documents + 1, sizeof(Document));

        if (!documents)
                return NULL;
        l->documents = documents;
        documents[l->n_documents] = TAKE_GENERIC(*doc, ((Document) {}));
        return documents + l->n_documents++;
}

static int say_duplicate(const Loader *l, const Origin *values, const Origin *first) {
        const char *name = values->spec->name;

        if (!first->file)
                return diagnostics_add(l->diagnostics, values->file, values->name->line, values->name->column, false,
                                       "service `%s` is defined already", name);
        return diagnostics_add(l->diagnostics, values->file, values->name->line, values->name->column, false,
                               "duplicate service `%s`: the first one stands in %s, line %u", name, first->file, first->name->line);
}

int loader_add(Loader *l, ServiceSpec *s, const char *file, const Node *name, const Node *depends) {
        Origin values = { .file = file, .name = name, .depends = depends, .spec = s };
        const Origin *first = NULL;
        int r;

        r = add_origin(l, &values, &first);
        if (r == -EEXIST)
                r = say_duplicate(l, &values, first);
        if (r < 0)
                return r;
        r = spec_list_append(&l->loaded, s);
        if (r < 0 && !first) {
                /* The origin must not outlive the spec that the caller frees now. */
                Origin *last = l->origins[--l->n_origins];
                (void) map_remove(l->ids, last->id);
                origin_free(last);
        }
        return r;
}

/* ---- dependencies ---- */

/* Where a dependency is written: its key in a map, its item in a list. */
static const Node *dependency_place(const Origin *o, const char *name) {
        const Pair *p;

        if (!o->depends || o->depends->kind == NODE_SCALAR)
                return o->name;
        if (o->depends->kind == NODE_MAP)
                return (p = node_find(o->depends, name)) ? p->key : o->depends;
        for (size_t i = 0; i < o->depends->n; i++)
                if (o->depends->items[i]->kind == NODE_SCALAR && streq(o->depends->items[i]->text, name))
                        return o->depends->items[i];
        return o->depends;
}

/* The names of the service's namespace, borrowed; NULL on OOM. */
static const char **names_in(const Loader *l, const char *ns) {
        const char **names = calloc(l->n_origins + 1, sizeof(char *));
        size_t n = 0;

        for (size_t i = 0; names && i < l->n_origins; i++)
                if (streq(l->origins[i]->spec->ns, ns))
                        names[n++] = l->origins[i]->spec->name;
        return names;
}

static int say_unknown(const Loader *l, const Origin *o, const char *name) {
        const Node *at = dependency_place(o, name);
        _cleanup_free_ const char **names = NULL;
        const char *nearest;

        if (l->diagnostics->n >= CONFIG_DIAGNOSTICS_MAX)
                return diagnostics_add(l->diagnostics, o->file, at->line, at->column, false, "depends_on: no such service");
        names = names_in(l, o->spec->ns);
        if (!names)
                return -ENOMEM;
        nearest = text_nearest(name, names);
        if (nearest)
                return diagnostics_add(l->diagnostics, o->file, at->line, at->column, false,
                                       "depends_on: there is no service `%s` — did you mean `%s`?", name, nearest);
        return diagnostics_add(l->diagnostics, o->file, at->line, at->column, false,
                               "depends_on: there is no service `%s` (one of another namespace is written `namespace/name`)", name);
}

static int check_unknown(const Loader *l, const Origin *o) {
        int r;

        for (size_t i = 0; i < o->spec->depends.n; i++) {
                const char *name = o->spec->depends.items[i].name;
                _cleanup_free_ char *id = NULL;

                /* Another namespace may live in another file, or in the daemon already. */
                if (strchr(name, '/'))
                        continue;
                id = make_id(o->spec->ns, name);
                if (!id)
                        return -ENOMEM;
                if (map_get(l->ids, id))
                        continue;
                r = say_unknown(l, o, name);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool depends_on_itself(const ServiceSpec *s) {
        for (size_t i = 0; i < s->depends.n; i++)
                if (streq(s->depends.items[i].name, s->name))
                        return true;
        return false;
}

static int check_cycles(const Loader *l) {
        _cleanup_free_ ServiceSpec **items = calloc(MAX(l->n_origins, (size_t) 1), sizeof(ServiceSpec *));
        SpecList all = { .items = items, .n = l->n_origins };
        _cleanup_free_ char *text = NULL;
        const Origin *o;
        const Node *at;
        size_t index;
        int r;

        if (!items)
                return -ENOMEM;
        for (size_t i = 0; i < l->n_origins; i++)
                items[i] = (ServiceSpec *) l->origins[i]->spec;
        r = depend_find_cycle(&all, &text, &index);
        if (r <= 0)
                return r;
        o = l->origins[index];
        /* The shortest cycle is a rule of the service alone, and was told as that. */
        if (depends_on_itself(o->spec))
                return 0;
        at = o->file ? o->depends ?: o->name : NULL;
        return diagnostics_add(l->diagnostics, o->file ?: "", at ? at->line : 0, at ? at->column : 0, false,
                               "depends_on: dependency cycle: %s", text);
}

int loader_check(Loader *l) {
        bool any = false;
        int r = profiles_check(l->options, l->profiles, l->diagnostics);

        if (r < 0)
                return r;
        for (size_t i = l->n_present; i < l->n_origins; i++) {
                any = any || l->origins[i]->spec->depends.n > 0;
                r = check_unknown(l, l->origins[i]);
                if (r < 0)
                        return r;
        }
        return any ? check_cycles(l) : 0;
}

/* ---- the end ---- */

/* As the files were named; of others the first message about the same file ranks all of them. */
static size_t rank(const Loader *l, const Diagnostic *d) {
        size_t n = 0;

        STRV_FOREACH(path, l->paths) {
                if (streq(*path, d->file))
                        return n;
                n++;
        }
        for (size_t i = l->first_diagnostic; i < l->diagnostics->n; i++)
                if (streq(l->diagnostics->items[i].file, d->file))
                        return n + i;
        return n + l->diagnostics->n;
}

static bool before(const Loader *l, const Diagnostic *a, const Diagnostic *b) {
        if (!streq(a->file, b->file))
                return rank(l, a) < rank(l, b);
        return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* By file, line and column; stable, and there are few of them. Ranks are taken from a copy, because sorting moves what they are found by.
 */
static int sort_diagnostics(const Loader *l) {
        Diagnostics *d = l->diagnostics;
        size_t first = l->first_diagnostic, n = d->n - first;
        _cleanup_free_ Diagnostic *sorted = calloc(MAX(n, (size_t) 1), sizeof(Diagnostic));
        size_t k = 0;

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                size_t at = k++;

                for (; at > 0 && before(l, d->items + first + i, sorted + at - 1); at--)
                        sorted[at] = sorted[at - 1];
                sorted[at] = d->items[first + i];
        }
        memcpy(d->items + first, sorted, n * sizeof(Diagnostic));
        return 0;
}

int loader_finish(Loader *l, SpecList *specs) {
        size_t before_n = specs->n;
        int r;

        if (l->diagnostics->n > l->first_diagnostic) {
                r = sort_diagnostics(l);
                if (r < 0)
                        return r;
        }
        if (l->diagnostics->errors > l->first_error)
                return -EINVAL;
        for (size_t i = 0; i < l->loaded.n; i++) {
                r = spec_list_append(specs, l->loaded.items[i]);
                if (r < 0) {
                        specs->n = before_n; /* what moved is still in l->loaded, which frees it */
                        return r;
                }
        }
        free(l->loaded.items);
        l->loaded = (SpecList) {};
        return 0;
}
