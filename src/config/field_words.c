/* Owns the keys that become words for a process: `command`, `env`, `env_file`. */
#include "base/strv.h"
#include "base/text.h"
#include "config/env_list.h"
#include "config/fields.h"

/* ---- command ---- */

/* The program of a list or a line of words: with a slash in it, it is a path like any other. */
static int finish_command(const FieldReader *f, const SpecKey *k, const Node *n, char **argv) {
        char *path = NULL;
        int r;

        if (!argv[0] || !argv[0][0])
                return field_wrong(f, k, n);
        if (!strchr(argv[0], '/'))
                return 1;
        r = field_absolute(f, k, n, argv[0], &path);
        if (r < 0 || !path)
                return r;
        free(argv[0]);
        argv[0] = path;
        return 1;
}

static int read_shell_line(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_strv_ char **argv = NULL;

        if (n->kind != NODE_SCALAR)
                return field_wrong_because(f, k, n, "with `shell: true` the command is one line for /bin/sh, not a list");
        if (n->text[strspn(n->text, " \t\n")] == '\0')
                return field_wrong(f, k, n);
        argv = field_strings_new(3);
        if (!argv || !(argv[0] = strdup("/bin/sh")) || !(argv[1] = strdup("-c")) || !(argv[2] = strdup(n->text)))
                return -ENOMEM;
        field_strings_replace(field_of(f, k), TAKE_PTR(argv));
        return 0;
}

static int split_words(const FieldReader *f, const SpecKey *k, const Node *n, char ***ret) {
        int r;

        /* What could not be kept anyway is not worth splitting. */
        if (n->n > SPEC_STRINGS_MAX)
                return field_wrong_because(f, k, n, "longer than 128 KiB");
        r = strv_split_command(n->text, ret);
        if (r == -EINVAL)
                return field_wrong_because(f, k, n, "a quote is not closed, or the line ends in a backslash");
        if (r < 0 || *ret)
                return r;
        return field_wrong(f, k, n);
}

static int copy_words(const FieldReader *f, const SpecKey *k, const Node *n, char ***ret) {
        _cleanup_strv_ char **l = field_strings_new(n->n);

        if (!l)
                return -ENOMEM;
        for (size_t i = 0; i < n->n; i++) {
                if (n->items[i]->kind != NODE_SCALAR || node_is_null(n->items[i]))
                        return field_wrong(f, k, n->items[i]);
                l[i] = strdup(n->items[i]->text);
                if (!l[i])
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(l);
        return 0;
}

int field_read_command(const FieldReader *f, const SpecKey *k, const Node *n) {
        if (f->spec->shell && n->kind != NODE_MAP)
                return read_shell_line(f, k, n);
        return field_read_words(f, k, n);
}

int field_read_words(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_strv_ char **argv = NULL;
        int r;

        if (n->kind == NODE_MAP)
                return field_wrong(f, k, n);
        if (k->type == KEY_WORDS && n->kind == NODE_LIST && n->n == 0) /* none, written out */
                return spec_key_reset(k, f->spec);
        r = n->kind == NODE_SCALAR ? split_words(f, k, n, &argv) : copy_words(f, k, n, &argv);
        if (r < 0 || !argv)
                return r;
        r = finish_command(f, k, n, argv);
        if (r > 0)
                field_strings_replace(field_of(f, k), TAKE_PTR(argv));
        return MIN(r, 0);
}

/* ---- env, env_file ---- */

static int env_pair(const FieldReader *f, const SpecKey *k, const Pair *p, EnvList *l) {
        if (!env_name_valid(p->key->text))
                return diagnostics_add(f->diagnostics, f->file, p->key->line, p->key->column, false,
                                       "%s: a variable's name has letters, digits and _ and starts with no digit, unlike `%s`", k->path,
                                       p->key->text);
        if (p->value->kind != NODE_SCALAR)
                return field_wrong(f, k, p->value);
        if (node_is_null(p->value))
                return env_list_add(l, p->key->text, p->key->n, "", 0);
        return env_list_add(l, p->key->text, p->key->n, p->value->text, p->value->n);
}

static int env_item(const FieldReader *f, const SpecKey *k, const Node *n, EnvList *l) {
        _cleanup_free_ char *name = NULL;
        const char *equals = n->kind == NODE_SCALAR ? strchr(n->text, '=') : NULL;

        if (!equals)
                return field_wrong(f, k, n);
        name = strndup(n->text, (size_t) (equals - n->text));
        if (!name)
                return -ENOMEM;
        if (!env_name_valid(name))
                return diagnostics_add(f->diagnostics, f->file, n->line, n->column, false,
                                       "%s: a variable's name has letters, digits and _ and starts with no digit, unlike `%s`", k->path,
                                       name);
        return env_list_add(l, name, strlen(name), equals + 1, n->n - (size_t) (equals + 1 - n->text));
}

/* Adds to what `defaults:` gave: an environment is a group of names. */
int field_read_env(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_env_list_ EnvList l = {};
        char ***field = field_of(f, k);
        size_t errors = f->diagnostics->errors;
        int r;

        if (n->kind == NODE_SCALAR)
                return field_wrong(f, k, n);
        r = env_list_add_all(&l, *field);
        for (size_t i = 0; i < n->n && r >= 0; i++)
                r = n->kind == NODE_MAP ? env_pair(f, k, n->pairs + i, &l) : env_item(f, k, n->items[i], &l);
        if (r < 0 || f->diagnostics->errors > errors)
                return r;
        return env_list_finish(&l, field);
}

/* A leading '-' (the file may be missing) stays in front of the path that is made absolute behind it. */
static int optional_path(const FieldReader *f, const SpecKey *k, const Node *n, char **ret) {
        _cleanup_free_ char *path = NULL;
        bool optional;
        int r;

        if (n->kind != NODE_SCALAR || node_is_null(n))
                return field_wrong(f, k, n);
        optional = n->text[0] == '-';
        r = field_absolute(f, k, n, n->text + optional, &path);
        if (r < 0 || !path)
                return r;
        *ret = text_printf("%s%s", optional ? "-" : "", path);
        return *ret ? 0 : -ENOMEM;
}

int field_read_paths(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_strv_ char **l = NULL;
        Node *self = (Node *) n, *const *items;
        size_t count;
        int r;

        if (n->kind == NODE_MAP)
                return field_wrong(f, k, n);
        count = field_items(n, &items, &self);
        l = field_strings_new(count);
        if (!l)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                r = optional_path(f, k, items[i], l + i);
                if (r < 0 || !l[i])
                        return r;
        }
        field_strings_replace(field_of(f, k), TAKE_PTR(l));
        return 0;
}

int field_read_strings(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_strv_ char **l = NULL;
        Node *self = (Node *) n, *const *items;
        size_t count;

        if (n->kind == NODE_MAP)
                return field_wrong(f, k, n);
        count = field_items(n, &items, &self);
        l = field_strings_new(count);
        if (!l)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                if (items[i]->kind != NODE_SCALAR || items[i]->n == 0)
                        return field_wrong(f, k, items[i]);
                l[i] = strdup(items[i]->text);
                if (!l[i])
                        return -ENOMEM;
        }
        field_strings_replace(field_of(f, k), TAKE_PTR(l));
        return 0;
}
