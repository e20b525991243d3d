/* Owns the reading of the command line. What must stay true: nothing is guessed silently; an option that is not known, not unique or has
 * the wrong kind of value ends the program before anything was done. */
#include "base/strv.h"
#include "base/text.h"
#include "kingctl/options.h"

static const char *const output_names[] = { "table", "json", "jsonl", NULL };

#define FIELD(f) offsetof(Options, f)
const Option global_options[] = {
        { 'o', "output", OPTION_CHOICE, FIELD(output), "FORMAT", output_names, "table, json (one document) or jsonl (one object a line)" },
        { 'n', "namespace", OPTION_STRING, FIELD(namespace), "NAMESPACE", NULL, "names without one are meant in this namespace" },
        { 'q', "quiet", OPTION_FLAG, FIELD(quiet), NULL, NULL, "say only what was asked for: no progress; list prints names alone" },
        { 0, "no-color", OPTION_FLAG, FIELD(no_color), NULL, NULL, "no colours, as with NO_COLOR in the environment" },
        { 0, "timeout", OPTION_SPAN, FIELD(timeout), "SPAN", NULL, "give up after this time (10s, 2m) with exit status 6" },
        { 0, "socket", OPTION_STRING, FIELD(socket), "PATH", NULL, "the daemon's socket" },
        { 0, "user", OPTION_FLAG, FIELD(user), NULL, NULL, "the calling user's own daemon (the default but for root)" },
        { 0, "system", OPTION_FLAG, FIELD(system), NULL, NULL, "the system's daemon (the default for root)" },
        { 0, "no-autostart", OPTION_FLAG, FIELD(no_autostart), NULL, NULL, "do not start a daemon when none runs" },
        { 'h', "help", OPTION_FLAG, FIELD(help), NULL, NULL, "describe kingctl or the verb" },
        { 0, "version", OPTION_FLAG, FIELD(version), NULL, NULL, "print the version of kingctl" },
        {},
};

void options_init(Options *o) {
        *o = (Options) { .lines = UINT64_MAX, .dashes = SIZE_MAX };
}

void options_done(Options *o) {
        free(o->env);
        free(o->files);
        free(o->cursors);
        free(o->profiles);
        options_init(o);
}

static int append_string(const char ***list, const char *s) {
        size_t n = 0;
        const char **l;

        while (*list && (*list)[n])
                n++;
        l = reallocarray(*list, n + 2, sizeof(*l));
        if (!l)
                return -ENOMEM;
        l[n] = s;
        l[n + 1] = NULL;
        *list = l;
        return 0;
}

static int find_choice(const Option *option, const char *value, KlError *reterr) {
        _cleanup_free_ char *all = NULL;

        for (int i = 0; option->choices[i]; i++)
                if (streq(option->choices[i], value))
                        return i;
        all = strv_join((char *const *) option->choices, ", ");
        return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "--%s: \"%s\" is none of %s", option->name, value, all ? all : "its values");
}

static int store(const Option *option, const char *value, Options *o, KlError *reterr) {
        void *field = (char *) o + option->offset;
        int r = 0;

        switch (option->type) {
        case OPTION_FLAG:
                *(bool *) field = true;
                break;
        case OPTION_STRING:
                *(const char **) field = value;
                break;
        case OPTION_STRINGS:
                return append_string(field, value);
        case OPTION_COUNT:
                if (parse_u64(value, field) < 0)
                        return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "--%s: \"%s\" is not a whole number", option->name, value);
                break;
        case OPTION_SPAN:
                if (parse_span(value, field) < 0 || *(usec_t *) field == 0)
                        return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "--%s: \"%s\" is not a time such as 500ms, 10s or 2m",
                                            option->name, value);
                break;
        case OPTION_CHOICE:
                r = find_choice(option, value, reterr);
                if (r >= 0)
                        *(int *) field = r;
                break;
        case OPTION_WORD:
                r = find_choice(option, value, reterr);
                if (r >= 0)
                        *(const char **) field = value;
                break;
        }
        return MIN(r, 0);
}

static const Option *find_letter(const Option *options, char letter) {
        const Option *tables[] = { options, global_options };

        for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
                for (const Option *i = tables[t]; i && i->name; i++)
                        if (i->letter == letter)
                                return i;
        return NULL;
}

static int unknown_option(const Option *options, const char *name, size_t n, KlError *reterr) {
        const Option *tables[] = { options, global_options };
        _cleanup_free_ char *word = strndup(name, n);
        const char *names[64], *near;
        size_t n_names = 0;

        for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
                for (const Option *i = tables[t]; i && i->name && n_names < ARRAY_SIZE(names) - 1; i++)
                        names[n_names++] = i->name;
        names[n_names] = NULL;
        near = word ? text_nearest(word, names) : NULL;
        kl_error_set(reterr, -EINVAL, KL_E_INVALID, "--%s: no such option", word ? word : name);
        if (near)
                kl_error_hint(reterr, "did you mean --%s?", near);
        return -EINVAL;
}

static int find_name(const Option *options, const char *name, size_t n, const Option **ret, KlError *reterr) {
        const Option *tables[] = { options, global_options }, *prefix = NULL;
        bool unique = true;

        for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
                for (const Option *i = tables[t]; i && i->name; i++) {
                        if (strncmp(i->name, name, n) != 0)
                                continue;
                        if (strlen(i->name) == n) {
                                *ret = i;
                                return 0;
                        }
                        unique = unique && (!prefix || streq(prefix->name, i->name));
                        if (!prefix)
                                prefix = i;
                }
        if (!prefix || n == 0)
                return unknown_option(options, name, n, reterr);
        if (!unique)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "--%.*s: more than one option begins like this", (int) n, name);
        *ret = prefix;
        return 0;
}

/* One "--name", "--name=value" or "--name value"; returns how many of args it took. */
static int parse_long(const Option *options, char *const *args, Options *o, KlError *reterr) {
        const char *name = args[0] + 2, *equals = strchr(name, '=');
        size_t n = equals ? (size_t) (equals - name) : strlen(name);
        const Option *option = NULL;
        int r;

        r = find_name(options, name, n, &option, reterr);
        if (r < 0)
                return r;
        if (option->type == OPTION_FLAG) {
                if (equals)
                        return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "--%s: takes no value", option->name);
                r = store(option, NULL, o, reterr);
                return r < 0 ? r : 1;
        }
        if (!equals && !args[1])
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "--%s: needs a value (%s)", option->name, option->argument);
        r = store(option, equals ? equals + 1 : args[1], o, reterr);
        return r < 0 ? r : equals ? 1 : 2;
}

/* A cluster of letters; the last may take the rest of the word or the next word. */
static int parse_letters(const Option *options, char *const *args, Options *o, KlError *reterr) {
        for (const char *p = args[0] + 1; *p; p++) {
                const Option *option = find_letter(options, *p);
                int r;

                if (!option)
                        return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "-%c: no such option", *p);
                if (option->type != OPTION_FLAG) {
                        const char *value = p[1] ? p + 1 : args[1];

                        if (!value)
                                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "-%c: needs a value (%s)", *p, option->argument);
                        r = store(option, value, o, reterr);
                        return r < 0 ? r : p[1] ? 1 : 2;
                }
                r = store(option, NULL, o, reterr);
                if (r < 0)
                        return r;
        }
        return 1;
}

/* "-1" is a number where no option is called by a digit. */
static bool is_number(const Option *options, const char *word) {
        return word[1] >= '0' && word[1] <= '9' && !find_letter(options, word[1]);
}

int options_parse(const Option *options, char *const *args, bool first_operand, Options *o, char ***ret_operands, size_t *ret_used,
                  KlError *reterr) {
        _cleanup_free_ char **operands = calloc(strv_length(args) + 1, sizeof(char *));
        size_t i = 0, n = 0;

        if (!operands)
                return -ENOMEM;
        while (args[i] && !(first_operand && n > 0)) {
                int r = 1;

                if (args[i][0] != '-' || !args[i][1] || o->dashes != SIZE_MAX || is_number(options, args[i]))
                        operands[n++] = args[i];
                else if (streq(args[i], "--"))
                        o->dashes = n;
                else
                        r = args[i][1] == '-' ? parse_long(options, args + i, o, reterr) : parse_letters(options, args + i, o, reterr);
                if (r < 0)
                        return r;
                i += (size_t) r;
        }
        *ret_operands = TAKE_PTR(operands);
        if (ret_used)
                *ret_used = i;
        return 0;
}
