/* Owns the KEYS section of kingly.yaml(5): one subsection for the keys of a service itself and one for each group, in the order of
 * spec_keys[]. The text must pass `mandoc -T lint`: sentences start lines, lines are short, nothing that roff would take for a request. */
#include "base/text.h"
#include "config/config.h"

#define LINE_MAX_COLUMNS 76

/* Characters that roff gives a meaning. */
static int append_escaped(Buffer *b, const char *text, size_t n) {
        static const struct {
                char c;
                const char *roff;
        } escapes[] = {
                { '\\', "\\e" }, { '"', "\\(dq" }, { '-', "\\-" }, { '\'', "\\(aq" }, { '`', "\\(ga" }, { '^', "\\(ha" }, { '~', "\\(ti" },
        };
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++) {
                const char *roff = NULL;

                for (size_t k = 0; k < ARRAY_SIZE(escapes); k++)
                        if (escapes[k].c == text[i])
                                roff = escapes[k].roff;
                r = roff ? buffer_append(b, roff, strlen(roff)) : buffer_append(b, text + i, 1);
        }
        return r;
}

/* A hyphen inside of a word is text; escaped ones are minus signs, for what one types. */
static int append_word(Buffer *b, const char *word, size_t n) {
        int r = 0;

        if (n > 0 && (word[0] == '.' || word[0] == '\''))
                r = buffer_append(b, "\\&", 2);
        for (size_t i = 0, start = 0; i <= n && r >= 0; i++)
                if (i == n || (word[i] == '-' && i > 0)) {
                        r = append_escaped(b, word + start, i - start);
                        if (r >= 0 && i < n)
                                r = buffer_append(b, "-", 1);
                        start = i + 1;
                }
        return r;
}

static bool ends_sentence(const char *word, size_t n) {
        return n > 1 && strchr(".!?", word[n - 1]) && !(n > 2 && word[n - 2] == '.');
}

/* Filled text: a line a sentence, folded where it is long. */
static int append_text(Buffer *b, const char *text) {
        size_t columns = 0;
        int r;

        while (*text) {
                size_t n = strcspn(text, " \n");

                if (n == 0) {
                        text++;
                        continue;
                }
                if (columns > 0) {
                        bool fits = columns + n + 1 <= LINE_MAX_COLUMNS;
                        r = buffer_append(b, fits ? " " : "\n", 1);
                        columns = fits ? columns + 1 : 0;
                        if (r < 0)
                                return r;
                }
                r = append_word(b, text, n);
                if (r < 0)
                        return r;
                columns += n;
                if (ends_sentence(text, n) && text[n]) {
                        r = buffer_append(b, "\n", 1);
                        if (r < 0)
                                return r;
                        columns = 0;
                }
                text += n;
        }
        return buffer_append(b, "\n", 1);
}

/* ".Cm value", ".Dl example": one argument, however many words. */
static int append_macro(Buffer *b, const char *macro, const char *text, const char *end) {
        int r;

        r = buffer_printf(b, ".%s \"", macro);
        if (r >= 0)
                r = append_escaped(b, text, strlen(text));
        return r < 0 ? r : buffer_printf(b, "\"%s\n", end);
}

/* "Takes …": the words of the model, which speaks of a key as in a message. */
static int append_type(Buffer *b, const SpecKey *k) {
        _cleanup_free_ char *expects = spec_key_expects(k), *sentence = NULL;

        if (!expects)
                return -ENOMEM;
        sentence = text_printf("Takes %s.", expects);
        return sentence ? append_text(b, sentence) : -ENOMEM;
}

/* A key of the entries of a list: the list itself is a key. */
static bool in_list(const SpecKey *k) {
        _cleanup_free_ char *group = strndup(k->path, strcspn(k->path, "."));

        return group && strchr(k->path, '.') && spec_key_find(group);
}

static int append_example(Buffer *b, const SpecKey *k) {
        const char *dot = strchr(k->path, '.');
        _cleanup_free_ char *line = NULL;

        if (!k->example)
                return 0;
        if (dot && in_list(k))
                line = text_printf("%.*s: [{%s: %s}]", (int) (dot - k->path), k->path, dot + 1, k->example);
        else
                line = dot ? text_printf("%.*s: {%s: %s}", (int) (dot - k->path), k->path, dot + 1, k->example)
                           : text_printf("%s: %s", k->path, k->example);
        return line ? append_macro(b, "Dl", line, "") : -ENOMEM;
}

static int append_key(Buffer *b, const SpecKey *k, const char *name) {
        int r;

        r = buffer_printf(b, ".It Ic %s\n", name);
        if (r >= 0)
                r = append_text(b, k->help);
        if (r >= 0)
                r = append_type(b, k);
        if (r >= 0 && k->fallback) {
                r = buffer_printf(b, "The default is\n");
                if (r >= 0)
                        r = append_macro(b, "Cm", k->fallback, " .");
        }
        return r < 0 ? r : append_example(b, k);
}

static size_t group_length(const char *path) {
        const char *dot = strchr(path, '.');

        return dot ? (size_t) (dot - path) : 0;
}

static int append_heading(Buffer *b, const char *path) {
        size_t n = group_length(path);

        return n > 0 ? buffer_printf(b, ".Ss Keys of %.*s\n.Bl -tag -width Ds\n", (int) n, path)
                     : buffer_printf(b, ".Ss Keys of a service\n.Bl -tag -width Ds\n");
}

/* All keys of one group, whose first is `first`: the table may come back to a group later. */
static int append_group(Buffer *b, const SpecKey *first) {
        size_t n = group_length(first->path);
        int r;

        r = append_heading(b, first->path);
        for (const SpecKey *k = first; k->path && r >= 0; k++)
                if (group_length(k->path) == n && strncmp(k->path, first->path, n) == 0 && !k->applied)
                        r = append_key(b, k, k->path + n + (n > 0));
        return r < 0 ? r : buffer_printf(b, ".El\n");
}

static bool is_first_of_group(const SpecKey *k) {
        size_t n = group_length(k->path);

        for (const SpecKey *i = spec_keys; i < k; i++)
                if (group_length(i->path) == n && strncmp(i->path, k->path, n) == 0)
                        return false;
        return true;
}

/* Keys of the entries of a list, whose table has nothing else. */
static int append_entries(Buffer *b, const SpecKey *table) {
        int r = buffer_printf(b, ".Ss Keys of an entry of %.*s\n.Bl -tag -width Ds\n", (int) group_length(table->path), table->path);

        for (const SpecKey *k = table; k->path && r >= 0; k++)
                r = append_key(b, k, strchr(k->path, '.') + 1);
        return r < 0 ? r : buffer_printf(b, ".El\n");
}

/* What stands in each of the three. */
static int append_probe_keys(Buffer *b) {
        int r = buffer_printf(b, ".Ss Keys of a probe\nOne of\n.Cm exec , http , tcp , unix\nor\n.Cm grpc\nsays what is asked.\n.Bl -tag -width Ds\n");

        for (const SpecKey *k = spec_probe_keys; k->path && r >= 0; k++)
                r = append_key(b, k, k->path);
        return r < 0 ? r : buffer_printf(b, ".El\n");
}

int config_manual(char **ret) {
        _cleanup_buffer_ Buffer b = {};
        int r = 0;

        for (const SpecKey *k = spec_keys; k->path && r >= 0; k++) {
                if (!is_first_of_group(k))
                        continue;
                r = append_group(&b, k);
                if (r >= 0 && k->type == KEY_PROBE)
                        r = append_probe_keys(&b);
        }
        if (r >= 0)
                r = append_entries(&b, socket_keys);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b.data);
        return 0;
}
