/* Owns the meaning of values: scalars go to the model, which knows their types; each collection has a function, in a table
 * by type. A field is replaced only by a value that was read to its end, so a fault in one key never spoils another. */
#include "config/fields.h"

#include <strings.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"

void *field_of(const FieldReader *f, const SpecKey *k) {
        return (f->part ? (char *) f->part : (char *) f->spec) + k->offset;
}

int field_wrong(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_free_ char *expects = spec_key_expects(k);
        char words[NODE_WORDS_MAX];

        if (!expects)
                return -ENOMEM;
        if (n->broken)
                return 0;
        /* A variable that is not written as one is often a secret all the same. */
        return diagnostics_add(f->diagnostics, f->file, n->line, n->column, false, "%s%s: expected %s, not %s", f->within ?: "", k->path, expects,
                               k->type == KEY_ENV && n->kind == NODE_SCALAR && n->n > 0 ? "a plain text" : node_words(n, words));
}

int field_wrong_because(const FieldReader *f, const SpecKey *k, const Node *n, const char *why) {
        return diagnostics_add(f->diagnostics, f->file, n->line, n->column, false, "%s%s: %s", f->within ?: "", k->path, why);
}

char **field_strings_new(size_t n) {
        return calloc(n + 1, sizeof(char *));
}

void field_strings_replace(char ***field, char **l) {
        strv_free(*field);
        *field = l;
}

size_t field_items(const Node *n, Node *const **ret, Node *const *self) {
        *ret = n->kind == NODE_LIST ? n->items : self;
        return n->kind == NODE_LIST ? n->n : 1;
}

int field_absolute(const FieldReader *f, const SpecKey *k, const Node *n, const char *path, char **ret) {
        if (!*path)
                return field_wrong(f, k, n);
        if (*path != '/' && !f->directory)
                return field_wrong_because(f, k, n, "the path must be absolute here");
        *ret = path_absolute(path, f->directory);
        return *ret ? 0 : -ENOMEM;
}

/* YAML 1.1 has more words for the two than the model. */
const char *field_boolean(const char *text) {
        static const struct {
                const char *word, *text;
        } words[] = {
                { "yes", "true" }, { "on", "true" }, { "true", "true" }, { "no", "false" }, { "off", "false" }, { "false", "false" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (strcasecmp(text, words[i].word) == 0)
                        return words[i].text;
        return text;
}

static int read_scalar(const FieldReader *f, const SpecKey *k, const Node *n) {
        _cleanup_error_ KlError e = {};
        _cleanup_free_ char *path = NULL;
        const char *text = n->text;
        int r;

        if (n->kind != NODE_SCALAR)
                return field_wrong(f, k, n);
        if (k->type == KEY_PATH) {
                r = field_absolute(f, k, n, text, &path);
                if (r < 0 || !path)
                        return r;
                text = path;
        }
        if (k->type == KEY_BOOL)
                text = field_boolean(text);
        r = spec_scalar_parse(k, f->part ?: f->spec, text, &e);
        if (r != -EINVAL)
                return r;
        if (!e.message)
                return -ENOMEM;
        if (n->broken)
                return 0;
        if (n->secret)
                return field_wrong(f, k, n);
        return diagnostics_add(f->diagnostics, f->file, n->line, n->column, false, e.hint ? "%s%s (%s)" : "%s%s", f->within ?: "", e.message,
                               e.hint);
}

int field_read(const FieldReader *f, const SpecKey *k, const Node *value) {
        static int (*const collections[_KEY_TYPE_MAX])(const FieldReader *, const SpecKey *, const Node *) = {
                [KEY_PATHS] = field_read_paths,     [KEY_STRINGS] = field_read_strings,           [KEY_COMMAND] = field_read_command,
                [KEY_WORDS] = field_read_words,     [KEY_ENV] = field_read_env,            [KEY_CREDENTIALS] = field_read_credentials,
                [KEY_DEPENDS] = field_read_depends, [KEY_DEVICES_SIZE] = field_read_devices,      [KEY_DEVICES_COUNT] = field_read_devices,
                [KEY_SOCKETS] = field_read_sockets,
                [KEY_CODES] = field_read_codes,     [KEY_CAPABILITIES] = field_read_capabilities, [KEY_HEADERS] = field_read_headers,
                [KEY_PROBE] = field_read_probe,
        };

        if (node_is_null(value))
                return spec_key_reset(k, f->part ?: f->spec);
        return key_type_is_scalar(k->type) ? read_scalar(f, k, value) : collections[k->type](f, k, value);
}
