/* Owns `credentials`: names, each with a path, or a map that says `file` or `text`. */
#include "base/strv.h"
#include "base/text.h"
#include "config/env_list.h"
#include "config/fields.h"
#include "model/credential.h"

/* The secret itself is never quoted. */
static int wrong(const FieldReader *f, const SpecKey *k, const Pair *p, const char *what) {
        return diagnostics_add(f->diagnostics, f->file, p->value->line, p->value->column, false, "%s.%s: %s", k->path, p->key->text, what);
}

static int add_file(const FieldReader *f, const SpecKey *k, const Pair *p, const Node *value, EnvList *l) {
        bool optional = value->text[0] == '-';
        _cleanup_free_ char *path = NULL, *entry = NULL;
        int r = field_absolute(f, k, value, value->text + optional, &path);

        if (r < 0 || !path)
                return r;
        entry = text_printf("%s%s", optional ? "-" : "", path);
        return entry ? env_list_add(l, p->key->text, p->key->n, entry, strlen(entry)) : -ENOMEM;
}

static int add_text(const FieldReader *f, const SpecKey *k, const Pair *p, const Node *value, EnvList *l) {
        _cleanup_free_ char *entry = NULL;

        if (value->n > CREDENTIAL_TEXT_MAX)
                return wrong(f, k, p, "a text has at most 64 KiB: put it into a file");
        entry = text_printf(":%s", value->text);
        return entry ? env_list_add(l, p->key->text, p->key->n, entry, strlen(entry)) : -ENOMEM;
}

static int add_pair(const FieldReader *f, const SpecKey *k, const Pair *p, EnvList *l) {
        const Node *value = p->value, *one;
        char words[NODE_WORDS_MAX];

        if (!name_valid(p->key->text))
                return diagnostics_add(f->diagnostics, f->file, p->key->line, p->key->column, false,
                                       "%s: expected a name of letters, digits, '_', '.' and '-', not %s", k->path, node_words(p->key, words));
        if (value->kind == NODE_SCALAR && !node_is_null(value))
                return add_file(f, k, p, value, l);
        one = value->kind == NODE_MAP && value->n == 1 ? value->pairs[0].value : NULL;
        if (one && one->kind == NODE_SCALAR && !node_is_null(one) && streq(value->pairs[0].key->text, "file"))
                return add_file(f, k, p, one, l);
        if (one && one->kind == NODE_SCALAR && streq(value->pairs[0].key->text, "text"))
                return add_text(f, k, p, one, l);
        return wrong(f, k, p, "expected the path of a file, {file: PATH} or {text: TEXT}");
}

/* Adds to what `defaults:` gave. */
int field_read_credentials(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_env_list_ EnvList l = {};
        _cleanup_strv_ char **all = NULL;
        char ***field = field_of(f, k);
        size_t errors = f->diagnostics->errors;
        int r;

        if (n->kind != NODE_MAP)
                return diagnostics_add(f->diagnostics, f->file, n->line, n->column, false, "%s: expected names with paths, such as {db_password: /etc/shop/db}",
                                       k->path);
        r = env_list_add_all(&l, *field);
        for (size_t i = 0; i < n->n && r >= 0; i++)
                r = add_pair(f, k, n->pairs + i, &l);
        if (r < 0 || f->diagnostics->errors > errors)
                return r;
        r = env_list_finish(&l, &all);
        if (r < 0)
                return r;
        if (strv_length(all) > CREDENTIALS_MAX)
                return field_wrong_because(f, k, n, "more than 64 credentials");
        field_strings_replace(field, TAKE_PTR(all));
        return 0;
}
