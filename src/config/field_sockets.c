/* Owns `sockets`: a list whose entries are maps by socket_keys[], or addresses alone. */
#include "base/text.h"
#include "config/fields.h"

static int socket_path(const FieldReader *f, const SpecKey *k, const Node *n, char **ret) {
        if (startswith(n->text, "./") || startswith(n->text, "../"))
                return field_absolute(f, k, n, n->text, ret);
        *ret = strdup(n->text);
        return *ret ? 0 : -ENOMEM;
}

/* [3, 1] as "3,1": a list is how one writes it, one text is what the key is. */
static char *joined(const Node *n) {
        _cleanup_buffer_ Buffer b = {};

        for (size_t i = 0; i < n->n; i++)
                if (n->items[i]->kind != NODE_SCALAR || buffer_printf(&b, "%s%s", i > 0 ? "," : "", n->items[i]->text) < 0)
                        return NULL;
        return TAKE_PTR(b.data);
}

static int read_value(const FieldReader *f, const SpecKey *k, const Node *n, SocketSpec *s) {
        _cleanup_error_ KlError e = {};
        _cleanup_free_ char *path = NULL;
        const char *text = n->text;
        int r;

        if (node_is_null(n))
                return 0;
        if (n->kind == NODE_LIST && k->type == KEY_WEIGHTS)
                text = path = joined(n);
        if ((n->kind != NODE_SCALAR && k->type != KEY_WEIGHTS) || !text)
                return field_wrong(f, k, n);
        if (k == socket_keys) {
                r = socket_path(f, k, n, &path);
                if (r < 0 || !path)
                        return r;
                text = path;
        }
        r = entry_scalar_parse(k, s, k->type == KEY_BOOL ? field_boolean(text) : text, &e);
        if (r != -EINVAL || n->broken)
                return r == -EINVAL ? 0 : r;
        return diagnostics_add(f->diagnostics, f->file, n->line, n->column, false, e.hint ? "%s (%s)" : "%s", e.message ?: "out of memory", e.hint);
}

static const SpecKey *find_key(const char *name) {
        for (const SpecKey *k = socket_keys; k->path; k++)
                if (streq(strchr(k->path, '.') + 1, name))
                        return k;
        return NULL;
}

static int unknown_key(const FieldReader *f, const Node *key) {
        const char *names[32] = {}, *nearest;
        size_t n = 0;

        for (const SpecKey *k = socket_keys; k->path && n + 1 < ARRAY_SIZE(names); k++)
                names[n++] = strchr(k->path, '.') + 1;
        nearest = text_nearest(key->text, names);
        return diagnostics_add(f->diagnostics, f->file, key->line, key->column, false,
                               nearest ? "unknown key `%s` in `sockets` — did you mean `%s`?" : "unknown key `%s` in `sockets`", key->text, nearest);
}

static int read_entry(const FieldReader *f, const Node *n, SocketSpec *s) {
        int r = 0;

        if (n->kind == NODE_SCALAR)
                return read_value(f, socket_keys, n, s);
        for (size_t i = 0; i < n->n && r >= 0; i++) {
                const SpecKey *k = find_key(n->pairs[i].key->text);

                r = k ? read_value(f, k, n->pairs[i].value, s) : unknown_key(f, n->pairs[i].key);
        }
        return r;
}

/* What could not be expanded was told, and says nothing. */
static bool is_broken(const Node *n) {
        bool broken = n->broken;

        for (size_t i = 0; n->kind == NODE_MAP && i < n->n; i++)
                broken = broken || n->pairs[i].value->broken;
        return broken;
}

/* What one entry says wrongly is told where it stands; the rules over all of them follow with the service. */
static int check_entry(const FieldReader *f, const Node *n, const SocketSpec *s, size_t errors) {
        _cleanup_error_ KlError e = {};
        SocketSpec alone = *s;

        alone.fd = SOCKET_FD_UNSET;
        if (f->diagnostics->errors > errors || n->broken || socket_list_validate(&(SocketList) { .items = &alone, .n = 1 }, &e) >= 0)
                return 0;
        return diagnostics_add(f->diagnostics, f->file, n->line, n->column, false, e.hint ? "%s (%s)" : "%s", e.message ?: "out of memory", e.hint);
}

int field_read_sockets(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_(socket_list_done) SocketList l = {};
        SocketList *field = field_of(f, k);
        Node *self = (Node *) (uintptr_t) n, *const *items;
        size_t errors = f->diagnostics->errors, count;
        int r = 0;

        if (n->kind == NODE_MAP)
                return field_wrong(f, k, n);
        count = field_items(n, &items, &self);
        if (count > SOCKETS_MAX)
                return field_wrong_because(f, k, n, "more than 32");
        l.items = calloc(MAX(count, (size_t) 1), sizeof(SocketSpec));
        if (!l.items)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++)
                if (is_broken(items[i]))
                        return 0;
        for (; l.n < count && r >= 0; l.n++) {
                const Node *item = items[l.n];

                socket_init(l.items + l.n);
                if (item->kind == NODE_LIST)
                        r = field_wrong(f, k, item);
                else if ((r = read_entry(f, item, l.items + l.n)) >= 0)
                        r = check_entry(f, item, l.items + l.n, errors);
        }
        if (r < 0 || f->diagnostics->errors > errors)
                return r;
        socket_list_done(field);
        if (l.n > 0)
                *field = TAKE_GENERIC(l, ((SocketList) {}));
        return 0;
}
