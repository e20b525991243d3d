/* Owns the way in of the API: one service, which names itself. Its dependencies are not looked up here, because the rest of the request, or
 * what runs already, is not in sight. */
#include "base/text.h"
#include "config/service.h"

/* A name out of the object: "" when it is missing and may be. */
static int take_name(const FieldReader *f, const Node *root, const char *key, const char *fallback, const char **ret) {
        const Pair *p = node_find(root, key);
        char words[NODE_WORDS_MAX];

        *ret = fallback;
        if ((!p || node_is_null(p->value)) && fallback)
                return 0;
        if (p && p->value->kind == NODE_SCALAR && name_valid(p->value->text)) {
                *ret = p->value->text;
                return 0;
        }
        *ret = NULL;
        return diagnostics_add(f->diagnostics, "", 0, 0, false, "%s: expected a name of letters, digits, '_', '.' and '-', not %s", key,
                               p ? node_words(p->value, words) : "nothing");
}

static int read_spec(const Node *root, const char *ns, const char *name, FieldReader *f, ServiceSpec **ret) {
        _cleanup_free_ const Node **places = calloc(service_key_count(), sizeof(Node *));
        _cleanup_(spec_freep) ServiceSpec *s = NULL;
        size_t errors = f->diagnostics->errors;
        int r;

        if (!places)
                return -ENOMEM;
        r = spec_new(ns, name, &s);
        if (r < 0)
                return r;
        f->spec = s;
        r = service_read(f, SERVICE_FROM_API, &root, 1, places);
        if (r < 0)
                return r;
        if (f->diagnostics->errors == errors) {
                r = service_validate(f, root, places, NULL);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(s);
        return 0;
}

int config_load_json(json_object *service, SpecList *specs, Diagnostics *d) {
        _cleanup_document_ Document doc = {};
        _cleanup_(spec_freep) ServiceSpec *s = NULL;
        FieldReader f = { .file = "", .diagnostics = d };
        const char *name = NULL, *ns = NULL;
        size_t errors = d->errors;
        int r;

        r = document_read_json(&doc, service, d);
        if (r >= 0 && d->errors == errors && doc.root->kind != NODE_MAP)
                r = diagnostics_add(d, "", 0, 0, false, "expected an object that describes a service");
        if (r < 0 || d->errors > errors)
                return r < 0 ? r : -EINVAL;
        r = take_name(&f, doc.root, "name", NULL, &name);
        if (r >= 0)
                r = take_name(&f, doc.root, "namespace", "default", &ns);
        if (r < 0)
                return r;
        r = read_spec(doc.root, ns ?: "default", name ?: "unnamed", &f, &s);
        if (r >= 0 && d->errors == errors && spec_list_find(specs, ns, name))
                r = diagnostics_add(d, "", 0, 0, false, "service `%s` is defined already", name);
        if (r < 0 || d->errors > errors)
                return r < 0 ? r : -EINVAL;
        r = spec_list_append(specs, s);
        if (r >= 0)
                TAKE_PTR(s);
        return r;
}
