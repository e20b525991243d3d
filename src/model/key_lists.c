/* Collections: compared, copied, freed, and shown to people. Their order is meant, so that lists in another order are not equal; what sorts
 * itself (env) is sorted by whoever fills it. */
#include "base/strv.h"
#include "base/text.h"
#include "model/key_types.h"

/* ---- string arrays ---- */

bool key_strv_equal(const void *a, const void *b) {
        return strv_equal(*(char **const *) a, *(char **const *) b);
}

int key_strv_copy(void *to, const void *from) {
        char **l = *(char **const *) from, **copy = NULL;

        if (l && !(copy = strv_copy(l)))
                return -ENOMEM;
        *(char ***) to = copy;
        return 0;
}

void key_strv_done(void *field) {
        strv_free(*(char ***) field);
}

/* Words that a reader could take apart wrongly stand in single quotes, as one would type them. */
static int append_word(Buffer *b, const char *word) {
        int r;

        if (b->size > 0 && (r = buffer_append(b, " ", 1)) < 0)
                return r;
        if (*word && !strpbrk(word, " \t\n'\"\\"))
                return buffer_append(b, word, strlen(word));
        r = buffer_append(b, "'", 1);
        for (const char *p = word; *p && r >= 0; p++)
                r = *p == '\'' ? buffer_append(b, "'\\''", 4) : buffer_append(b, p, 1);
        return r < 0 ? r : buffer_append(b, "'", 1);
}

char *key_strv_show(const SpecKey *k, const void *s) {
        _cleanup_buffer_ Buffer b = {};

        STRV_FOREACH(word, *(char ***) key_field(k, s))
                if (append_word(&b, *word) < 0)
                        return NULL;
        return TAKE_PTR(b.data);
}

/* With `shell: true` the line is what was written in the file; the shell around it is ours. */
char *key_command_show(const SpecKey *k, const void *s) {
        const ServiceSpec *spec = s;

        return spec->shell && strv_length(spec->command) == 3 ? strdup(spec->command[2]) : key_strv_show(k, s);
}

char *key_headers_show(const SpecKey *k, const void *s) {
        _cleanup_free_ char *lines = strv_join(*(char ***) key_field(k, s), ", ");

        return lines ? text_printf("{%s}", lines) : NULL;
}

/* ---- dependencies ---- */

bool key_depends_equal(const void *a, const void *b) {
        const DependencyList *x = a, *y = b;

        if (x->n != y->n)
                return false;
        for (size_t i = 0; i < x->n; i++)
                if (x->items[i].kind != y->items[i].kind || x->items[i].restart != y->items[i].restart || x->items[i].stop != y->items[i].stop ||
                    !streq(x->items[i].name, y->items[i].name))
                        return false;
        return true;
}

void key_depends_done(void *field) {
        DependencyList *l = field;

        for (size_t i = 0; i < l->n; i++)
                free(l->items[i].name);
        free(l->items);
}

int key_depends_copy(void *to, const void *from) {
        const DependencyList *l = from;
        DependencyList copy = {};

        if (l->n > 0 && !(copy.items = calloc(l->n, sizeof(Dependency))))
                return -ENOMEM;
        for (; copy.n < l->n; copy.n++) {
                copy.items[copy.n] = l->items[copy.n];
                copy.items[copy.n].name = strdup(l->items[copy.n].name);
                if (!copy.items[copy.n].name) {
                        key_depends_done(&copy);
                        return -ENOMEM;
                }
        }
        *(DependencyList *) to = copy;
        return 0;
}

char *key_depends_show(const SpecKey *k, const void *s) {
        const DependencyList *l = key_field(k, s);
        _cleanup_buffer_ Buffer b = {};

        for (size_t i = 0; i < l->n; i++) {
                const Dependency *d = l->items + i;
                const char *with = d->restart && d->stop ? " (restart, stop)" : d->restart ? " (restart)" : d->stop ? " (stop)" : "";

                if (buffer_printf(&b, "%s%s: %s%s", i > 0 ? ", " : "", d->name, k->names[d->kind], with) < 0)
                        return NULL;
        }
        return TAKE_PTR(b.data);
}

/* ---- device limits ---- */

bool key_devices_equal(const void *a, const void *b) {
        const DeviceLimitList *x = a, *y = b;

        if (x->n != y->n)
                return false;
        for (size_t i = 0; i < x->n; i++)
                if (x->items[i].value != y->items[i].value || !streq(x->items[i].path, y->items[i].path))
                        return false;
        return true;
}

void key_devices_done(void *field) {
        DeviceLimitList *l = field;

        for (size_t i = 0; i < l->n; i++)
                free(l->items[i].path);
        free(l->items);
}

int key_devices_copy(void *to, const void *from) {
        const DeviceLimitList *l = from;
        DeviceLimitList copy = {};

        if (l->n > 0 && !(copy.items = calloc(l->n, sizeof(DeviceLimit))))
                return -ENOMEM;
        for (; copy.n < l->n; copy.n++) {
                copy.items[copy.n] = (DeviceLimit) { strdup(l->items[copy.n].path), l->items[copy.n].value };
                if (!copy.items[copy.n].path) {
                        key_devices_done(&copy);
                        return -ENOMEM;
                }
        }
        *(DeviceLimitList *) to = copy;
        return 0;
}

char *key_devices_show(const SpecKey *k, const void *s) {
        const DeviceLimitList *l = key_field(k, s);
        _cleanup_buffer_ Buffer b = {};
        char buf[FORMAT_MAX];
        int r = 0;

        for (size_t i = 0; i < l->n && r >= 0; i++) {
                const char *gap = i > 0 ? ", " : "";

                if (k->type == KEY_DEVICES_SIZE)
                        r = buffer_printf(&b, "%s%s: %s", gap, l->items[i].path, format_size(buf, l->items[i].value, true));
                else
                        r = buffer_printf(&b, "%s%s: %" PRIu64, gap, l->items[i].path, l->items[i].value);
        }
        return r < 0 ? NULL : TAKE_PTR(b.data);
}

/* ---- exit codes ---- */

bool key_codes_equal(const void *a, const void *b) {
        const CodeList *x = a, *y = b;

        return x->n == y->n && (x->n == 0 || memcmp(x->items, y->items, x->n * sizeof(int32_t)) == 0);
}

void key_codes_done(void *field) {
        free(((CodeList *) field)->items);
}

int key_codes_copy(void *to, const void *from) {
        const CodeList *l = from;
        CodeList copy = { .n = l->n };

        if (l->n > 0) {
                copy.items = calloc(l->n, sizeof(int32_t));
                if (!copy.items)
                        return -ENOMEM;
                memcpy(copy.items, l->items, l->n * sizeof(int32_t));
        }
        *(CodeList *) to = copy;
        return 0;
}

char *key_codes_show(const SpecKey *k, const void *s) {
        const CodeList *l = key_field(k, s);
        _cleanup_buffer_ Buffer b = {};

        for (size_t i = 0; i < l->n; i++)
                if (buffer_printf(&b, "%s%" PRIi32, i > 0 ? ", " : "", l->items[i]) < 0)
                        return NULL;
        return TAKE_PTR(b.data);
}
