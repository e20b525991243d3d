/* Owns the shape of a probe: keys as spec_probe_keys[] has them, those with a dot in groups. */
#include "base/strv.h"
#include "base/text.h"
#include "config/fields.h"

/* ---- http.headers ---- */

/* A token as in RFC 9110, 5.6.2. */
static bool header_name_valid(const char *name) {
        return *name && name[strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

static bool header_value_valid(const char *value) {
        for (; *value; value++)
                if (((unsigned char) *value < ' ' && *value != '\t') || *value == 0x7f)
                        return false;
        return true;
}

static int read_header(const FieldReader *f, const SpecKey *k, const Pair *p, char **ret) {
        if (!header_name_valid(p->key->text))
                return diagnostics_add(f->diagnostics, f->file, p->key->line, p->key->column, false, "%s%s: `%s` is not the name of a header",
                                       f->within ?: "", k->path, p->key->text);
        if (p->value->kind != NODE_SCALAR || !header_value_valid(p->value->text))
                return field_wrong(f, k, p->value);
        *ret = text_printf("%s: %s", p->key->text, p->value->text);
        return *ret ? 0 : -ENOMEM;
}

int field_read_headers(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_strv_ char **l = NULL;
        size_t errors = f->diagnostics->errors;
        int r = 0;

        if (n->kind != NODE_MAP || n->n > 64)
                return field_wrong(f, k, n);
        l = field_strings_new(n->n);
        if (!l)
                return -ENOMEM;
        for (size_t i = 0; i < n->n && r >= 0; i++)
                r = read_header(f, k, n->pairs + i, l + i);
        if (r >= 0 && f->diagnostics->errors == errors)
                field_strings_replace(field_of(f, k), TAKE_PTR(l));
        return r;
}

/* ---- a whole probe ---- */

/* The keys that may stand in a group of a probe, or in the probe itself (group NULL), as names; NULL-terminated. */
static int candidates(const char *group, char ***ret) {
        _cleanup_strv_ char **l = NULL;
        int r;

        for (const SpecKey *k = spec_probe_keys; k->path; k++) {
                const char *dot = strchr(k->path, '.'), *rest = group ? startswith(k->path, group) : NULL;
                _cleanup_free_ char *first = strndup(k->path, dot ? (size_t) (dot - k->path) : strlen(k->path));

                if (!first)
                        return -ENOMEM;
                if ((group && (!rest || *rest != '.')) || (!group && strv_contains(l, first)))
                        continue;
                r = strv_append(&l, group ? rest + 1 : first);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(l);
        return 0;
}

static int unknown_key(const FieldReader *f, const char *group, const Node *key) {
        _cleanup_free_ char *place = group ? text_printf("%s%s", f->within, group) : strndup(f->within, strlen(f->within) - 1), *list = NULL;
        _cleanup_strv_ char **names = NULL;
        const char *nearest;
        int r = place ? candidates(group, &names) : -ENOMEM;

        if (r < 0)
                return r;
        nearest = text_nearest(key->text, (const char *const *) names);
        if (nearest)
                return diagnostics_add(f->diagnostics, f->file, key->line, key->column, false, "unknown key `%s` in `%s` — did you mean `%s`?",
                                       key->text, place, nearest);
        list = strv_join(names, ", ");
        return !list ? -ENOMEM : diagnostics_add(f->diagnostics, f->file, key->line, key->column, false, "unknown key `%s` in `%s` (%s)",
                                                 key->text, place, list);
}

static bool is_group(const char *name) {
        for (const SpecKey *k = spec_probe_keys; k->path; k++) {
                const char *rest = startswith(k->path, name);

                if (rest && *rest == '.')
                        return true;
        }
        return false;
}

static int read_pair(const FieldReader *f, const char *group, const Pair *p) {
        _cleanup_free_ char *path = group ? text_printf("%s.%s", group, p->key->text) : strdup(p->key->text);
        const SpecKey *k = path ? spec_probe_key_find(path) : NULL;

        if (!path)
                return -ENOMEM;
        /* A path written with its dot is no key: groups are written as groups. */
        if (!k || (!group && strchr(path, '.')))
                return unknown_key(f, group, p->key);
        return field_read(f, k, p->value);
}

static int read_group(const FieldReader *f, const Pair *p) {
        const Node *map = p->value;
        char words[NODE_WORDS_MAX];
        int r = 0;

        if (map->kind != NODE_MAP)
                return diagnostics_add(f->diagnostics, f->file, map->line, map->column, false, "%s%s: expected keys such as {port: 8080}, not %s",
                                       f->within, p->key->text, node_words(map, words));
        for (size_t i = 0; i < map->n && r >= 0; i++)
                r = read_pair(f, p->key->text, map->pairs + i);
        return r;
}

int field_read_probe(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = NULL;
        _cleanup_free_ char *within = text_printf("%s.", k->path);
        size_t errors = f->diagnostics->errors;
        ProbeSpec **field = field_of(f, k);
        FieldReader inner = *f;
        int r;

        if (n->kind != NODE_MAP)
                return field_wrong(f, k, n);
        r = within ? probe_spec_new(&p) : -ENOMEM;
        inner.part = p;
        inner.within = within;
        for (size_t i = 0; i < n->n && r >= 0; i++) {
                const Pair *pair = n->pairs + i;

                r = is_group(pair->key->text) ? read_group(&inner, pair) : read_pair(&inner, NULL, pair);
        }
        if (r < 0 || f->diagnostics->errors > errors)
                return r;
        probe_spec_free(*field);
        *field = TAKE_PTR(p);
        return 0;
}
