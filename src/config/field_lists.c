/* Owns the keys that are lists and maps of the supervisor's own: `depends_on`, the device limits, exit codes, capabilities. */
#include <strings.h>
#include <sys/capability.h>

#include "base/strv.h"
#include "base/text.h"
#include "config/fields.h"

/* ---- depends_on ---- */

static void dependencies_done(DependencyList *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i].name);
        free(l->items);
        *l = (DependencyList) {};
}

static bool dependency_name_valid(const char *s) {
        const char *slash = strchr(s, '/');
        char ns[160];

        if (!slash)
                return name_valid(s);
        if ((size_t) (slash - s) >= sizeof(ns))
                return false;
        memcpy(ns, s, (size_t) (slash - s));
        ns[slash - s] = '\0';
        return name_valid(ns) && name_valid(slash + 1);
}

static int dependency_add(const FieldReader *f, const SpecKey *k, DependencyList *l, const Node *name, int kind) {
        char words[NODE_WORDS_MAX];

        if (!dependency_name_valid(name->text))
                return diagnostics_add(f->diagnostics, f->file, name->line, name->column, false,
                                       "%s: expected the name of a service, not %s", k->path, node_words(name, words));
        for (size_t i = 0; i < l->n; i++)
                if (streq(l->items[i].name, name->text))
                        return diagnostics_add(f->diagnostics, f->file, name->line, name->column, false, "%s: `%s` stands twice", k->path,
                                               name->text);
        l->items[l->n] = (Dependency) { .name = strdup(name->text), .kind = (DependKind) kind };
        if (!l->items[l->n].name)
                return -ENOMEM;
        l->n++;
        return 0;
}

/* One key of the long form. */
static int dependency_option(const FieldReader *f, const SpecKey *k, Dependency *d, const Pair *p) {
        static const char *const keys[] = { "condition", "restart", "stop", NULL };
        bool *flag = streq(p->key->text, "restart") ? &d->restart : streq(p->key->text, "stop") ? &d->stop : NULL;
        const char *text = p->value->kind == NODE_SCALAR ? p->value->text : "", *nearest = text_nearest(p->key->text, keys);

        if (flag && (streq(text, "true") || streq(text, "false"))) {
                *flag = streq(text, "true");
                return 0;
        }
        if (flag)
                return diagnostics_add(f->diagnostics, f->file, p->value->line, p->value->column, false, "%s.%s.%s: expected true or false", k->path,
                                       d->name, p->key->text);
        for (int i = 0; streq(p->key->text, "condition") && k->names[i]; i++)
                if (streq(text, k->names[i])) {
                        d->kind = (DependKind) i;
                        return 0;
                }
        if (streq(p->key->text, "condition"))
                return diagnostics_add(f->diagnostics, f->file, p->value->line, p->value->column, false,
                                       "%s.%s.condition: expected one of started, ready, completed", k->path, d->name);
        return diagnostics_add(f->diagnostics, f->file, p->key->line, p->key->column, false, "%s.%s: unknown key `%s`%s%s%s", k->path, d->name,
                               p->key->text, nearest ? " (did you mean `" : "", nearest ?: "", nearest ? "`?)" : "");
}

static int dependency_long(const FieldReader *f, const SpecKey *k, DependencyList *l, const Pair *p) {
        size_t n = l->n;
        int r = dependency_add(f, k, l, p->key, DEPEND_STARTED);

        for (size_t i = 0; r >= 0 && l->n > n && i < p->value->n; i++)
                r = dependency_option(f, k, l->items + n, p->value->pairs + i);
        return r;
}

static int dependency_pair(const FieldReader *f, const SpecKey *k, DependencyList *l, const Pair *p) {
        _cleanup_free_ char *words = NULL;
        const Node *n = p->value;
        char got[NODE_WORDS_MAX];

        if (node_is_null(n))
                return dependency_add(f, k, l, p->key, DEPEND_STARTED);
        for (int i = 0; n->kind == NODE_SCALAR && k->names[i]; i++)
                if (streq(n->text, k->names[i]))
                        return dependency_add(f, k, l, p->key, i);
        if (n->kind == NODE_MAP)
                return dependency_long(f, k, l, p);
        words = strv_join((char *const *) (uintptr_t) k->names, ", ");
        if (!words)
                return -ENOMEM;
        return diagnostics_add(f->diagnostics, f->file, n->line, n->column, false, "%s.%s: expected one of %s, not %s", k->path,
                               p->key->text, words, node_words(n, got));
}

static int dependency_item(const FieldReader *f, const SpecKey *k, DependencyList *l, const Node *n) {
        if (n->kind != NODE_SCALAR)
                return field_wrong(f, k, n);
        return dependency_add(f, k, l, n, DEPEND_STARTED);
}

#define DEPENDENCIES_MAX 256 /* of one service; keeps the search for doubles and cycles short */

int field_read_depends(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_(dependencies_done) DependencyList l = {};
        DependencyList *field = field_of(f, k);
        size_t errors = f->diagnostics->errors;
        int r = 0;

        if (n->kind == NODE_SCALAR)
                return field_wrong(f, k, n);
        if (n->n > DEPENDENCIES_MAX)
                return field_wrong_because(f, k, n, "more than 256 dependencies");
        l.items = calloc(MAX(n->n, (size_t) 1), sizeof(Dependency));
        if (!l.items)
                return -ENOMEM;
        for (size_t i = 0; i < n->n && r >= 0; i++)
                r = n->kind == NODE_MAP ? dependency_pair(f, k, &l, n->pairs + i) : dependency_item(f, k, &l, n->items[i]);
        if (r < 0 || f->diagnostics->errors > errors)
                return r;
        dependencies_done(field);
        if (l.n > 0)
                *field = TAKE_GENERIC(l, ((DependencyList) {}));
        return 0;
}

/* ---- device limits ---- */

static void device_limits_done(DeviceLimitList *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i].path);
        free(l->items);
        *l = (DeviceLimitList) {};
}

static int device_limit(const FieldReader *f, const SpecKey *k, const Pair *p, DeviceLimitList *l) {
        uint64_t value = 0;
        int r = -EINVAL;

        if (p->key->text[0] != '/')
                return diagnostics_add(f->diagnostics, f->file, p->key->line, p->key->column, false,
                                       "%s: expected the absolute path of a device or of a file on it, not `%s`", k->path, p->key->text);
        if (p->value->kind == NODE_SCALAR)
                r = k->type == KEY_DEVICES_SIZE ? parse_size(p->value->text, &value) : parse_u64(p->value->text, &value);
        if (r < 0 || value < (uint64_t) k->min || (k->max != 0 && value > (uint64_t) k->max))
                return field_wrong(f, k, p->value);
        l->items[l->n] = (DeviceLimit) { .path = strdup(p->key->text), .value = value };
        if (!l->items[l->n].path)
                return -ENOMEM;
        l->n++;
        return 0;
}

int field_read_devices(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_(device_limits_done) DeviceLimitList l = {};
        DeviceLimitList *field = field_of(f, k);
        size_t errors = f->diagnostics->errors;
        int r = 0;

        if (n->kind != NODE_MAP)
                return field_wrong(f, k, n);
        l.items = calloc(MAX(n->n, (size_t) 1), sizeof(DeviceLimit));
        if (!l.items)
                return -ENOMEM;
        for (size_t i = 0; i < n->n && r >= 0; i++)
                r = device_limit(f, k, n->pairs + i, &l);
        if (r < 0 || f->diagnostics->errors > errors)
                return r;
        device_limits_done(field);
        if (l.n > 0)
                *field = TAKE_GENERIC(l, ((DeviceLimitList) {}));
        return 0;
}

/* ---- exit codes, capabilities ---- */

int field_read_codes(const FieldReader *f, const SpecKey *k, const Node *n) {
        CodeList *field = field_of(f, k);
        int64_t min = k->min, max = k->min == 0 && k->max == 0 ? 255 : k->max, code;
        _cleanup_free_ int32_t *codes = NULL;
        Node *self = (Node *) n, *const *items;
        size_t count;

        if (n->kind == NODE_MAP)
                return field_wrong(f, k, n);
        count = field_items(n, &items, &self);
        codes = calloc(MAX(count, (size_t) 1), sizeof(int32_t));
        if (!codes)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                if (items[i]->kind != NODE_SCALAR || parse_i64(items[i]->text, &code) < 0 || code < min || code > max)
                        return field_wrong(f, k, items[i]);
                codes[i] = (int32_t) code;
        }
        free(field->items);
        *field = (CodeList) {};
        if (count > 0)
                *field = (CodeList) { .items = TAKE_PTR(codes), .n = count };
        return 0;
}

/* The name as libcap writes it, in capitals ("CAP_KILL" for "cap_kill"); NULL with 0 for a name it does not know. */
static int capability_name(const Node *n, char **ret) {
        cap_value_t value;
        char *name;

        if (n->kind != NODE_SCALAR || strncasecmp(n->text, "cap_", 4) != 0 || cap_from_name(n->text, &value) < 0)
                return 0;
        name = cap_to_name(value);
        *ret = name ? strdup(name) : NULL;
        cap_free(name);
        for (char *c = *ret; c && *c; c++)
                if (*c >= 'a' && *c <= 'z')
                        *c = (char) (*c - 'a' + 'A');
        return *ret ? 0 : -ENOMEM;
}

int field_read_capabilities(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_strv_ char **l = NULL;
        size_t count = 0;
        char words[NODE_WORDS_MAX];
        int r;

        if (n->kind != NODE_LIST)
                return field_wrong(f, k, n);
        l = field_strings_new(n->n);
        if (!l)
                return -ENOMEM;
        for (size_t i = 0; i < n->n; i++) {
                char *name = NULL;

                r = capability_name(n->items[i], &name);
                if (r < 0)
                        return r;
                if (!name)
                        return diagnostics_add(f->diagnostics, f->file, n->items[i]->line, n->items[i]->column, false,
                                               "%s: expected a capability such as CAP_NET_BIND_SERVICE (see capabilities(7)), not %s",
                                               k->path, node_words(n->items[i], words));
                if (strv_contains(l, name))
                        free(name);
                else
                        l[count++] = name;
        }
        field_strings_replace(field_of(f, k), TAKE_PTR(l));
        f->spec->capabilities_set = true;
        return 0;
}
