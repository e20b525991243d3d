/* One walk over the text for each way in which a secret shows. What must stay true: what is taken for a secret is replaced whole, to the end of
 * the value, and nothing else changes; too much is hidden rather than too little. */
#include "model/redact.h"

#include <ctype.h>
#include <strings.h>

#include "base/strv.h"
#include "base/text.h"
#include "model/credential.h"
#include "model/key_types.h"

#define NAME_MAX_BYTES 256 /* of a name that is looked at */
#define SECRETS_MAX    100 /* in one text */

/* ---- names ---- */

static bool ends_with(const char *s, const char *end) {
        size_t n = strlen(s), k = strlen(end);

        return n >= k && streq(s + n - k, end);
}

/* One of the words that stand between anything but letters and digits. */
static bool has_word(const char *name, const char *word) {
        size_t n = strlen(word);

        for (const char *p = name; (p = strstr(p, word)); p++)
                if ((p == name || !isalnum((unsigned char) p[-1])) && !isalnum((unsigned char) p[n]))
                        return true;
        return false;
}

static bool says_secret(const char *name) {
        static const char *const places[] = { "_FILE", "_PATH", "_DIR", "_DIRECTORY", "-FILE", "-PATH", "-DIR" };
        static const char *const parts[] = { "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "CREDENTIAL", "APIKEY" };
        static const char *const ends[] = { "TOKEN", "PASS", "KEY", "KEYS", "COOKIE", "AUTHORIZATION" };
        static const char *const words[] = { "TOKEN", "PASS", "KEY", "KEYS", "SALT" };

        for (size_t i = 0; i < ARRAY_SIZE(places); i++)
                if (ends_with(name, places[i]))
                        return false;
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
                if (strstr(name, parts[i]))
                        return true;
        if (strstr(name, "PUBLIC") || has_word(name, "PUB"))
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
                if (ends_with(name, ends[i]))
                        return true;
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (has_word(name, words[i]))
                        return true;
        /* PWD and OLDPWD are directories, MYSQL_PWD is not. */
        return has_word(name, "PWD") && !streq(name, "PWD");
}

bool redact_name(const Redactor *r, const char *name, size_t n) {
        char given[NAME_MAX_BYTES], upper[NAME_MAX_BYTES];

        n = MIN(n, sizeof given - 1);
        for (size_t i = 0; i < n; i++) {
                given[i] = name[i];
                upper[i] = (char) toupper((unsigned char) name[i]);
        }
        given[n] = upper[n] = '\0';
        STRV_FOREACH(glob, r->names)
                if (text_glob_match(*glob, given))
                        return true;
        return says_secret(upper);
}

static bool is_name_byte(char c) {
        return isalnum((unsigned char) c) || c == '_' || c == '-' || c == '.';
}

void redactor_init(Redactor *r, const ServiceSpec *s) {
        *r = (Redactor) { .names = s ? s->secrets : NULL };
        STRV_FOREACH(e, s ? s->env : NULL) {
                const char *equals = strchr(*e, '=');

                if (equals && r->n_values < REDACT_VALUES_MAX && strlen(equals + 1) >= REDACT_VALUE_MIN &&
                    redact_name(r, *e, (size_t) (equals - *e)))
                        r->values[r->n_values++] = equals + 1;
        }
        STRV_FOREACH(e, s ? s->credentials : NULL) {
                Credential c;

                if (credential_split(*e, &c) && c.text && r->n_values < REDACT_VALUES_MAX && strlen(c.text) >= REDACT_VALUE_MIN)
                        r->values[r->n_values++] = c.text;
        }
}

/* ---- texts ---- */

/* Where a secret begins and ends; begin NULL: nowhere. */
typedef struct Found {
        const char *begin, *end;
} Found;

static Found earlier(Found a, Found b) {
        if (!a.begin || !b.begin)
                return a.begin ? a : b;
        if (a.begin == b.begin)
                return a.end >= b.end ? a : b;
        return a.begin < b.begin ? a : b;
}

/* The password of scheme://user:password@host. The last @ of the authority counts: a password is often not escaped as it should be. */
static Found find_url(const char *text) {
        for (const char *p = text; (p = strstr(p, "://")); p += 3) {
                size_t n = strcspn(p + 3, "/?# \t\n\"'<>");
                const char *at = memrchr(p + 3, '@', n), *colon = memchr(p + 3, ':', n);

                /* A slash in a password ends nothing where an @ comes after it and before the next blank. */
                if (colon && !at) {
                        n = strcspn(p + 3, " \t\n\"'<>");
                        at = memchr(colon, '@', n - (size_t) (colon - (p + 3)));
                        if (at && memchr(colon, '/', (size_t) (at - colon)) && isdigit((unsigned char) colon[1]))
                                at = NULL; /* host:port/…@… */
                }
                if (at && colon && colon < at && at > colon + 1)
                        return (Found) { colon + 1, at };
        }
        return (Found) {};
}

/* To the closing quote, else to what ends a word. */
static const char *end_of_value(const char *value) {
        const char *close = *value == '"' || *value == '\'' ? strchr(value + 1, *value) : NULL;

        return close ? close + 1 : value + strcspn(value, " \t\n&;\"'");
}

/* NAME=value, where the name says so: in a shell's line, a query, an option. */
static Found find_pair(const Redactor *r, const char *text) {
        for (const char *equals = text; (equals = strchr(equals, '=')); equals++) {
                const char *name = equals, *end = end_of_value(equals + 1);

                while (name > text && is_name_byte(name[-1]))
                        name--;
                if (end > equals + 1 && name < equals && redact_name(r, name, (size_t) (equals - name)))
                        return (Found) { equals + 1, end };
        }
        return (Found) {};
}

/* --password value. */
static Found find_option(const Redactor *r, const char *text) {
        for (const char *p = text; (p = strstr(p, "--")); p += 2) {
                const char *name = p + 2, *end = name, *value;

                while (is_name_byte(*end))
                        end++;
                value = end + strspn(end, " \t");
                if ((p > text && !isspace((unsigned char) p[-1])) || end == name || value == end || !*value || *value == '-' ||
                    !redact_name(r, name, (size_t) (end - name)))
                        continue;
                return (Found) { value, end_of_value(value) };
        }
        return (Found) {};
}

static Found find_authorization(const char *text) {
        static const char header[] = "authorization:";

        for (const char *p = text; (p = strcasestr(p, header)); p++) {
                const char *value = p + sizeof header - 1;

                value += strspn(value, " \t");
                if (*value && strcspn(value, "\n\"'") > 0)
                        return (Found) { value, value + strcspn(value, "\n\"'") };
        }
        return (Found) {};
}

static Found find_private_key(const char *text) {
        const char *begin = strstr(text, "-----BEGIN "), *kind = begin ? strstr(begin, "PRIVATE KEY-----") : NULL, *end;

        if (!kind || memchr(begin, '\n', (size_t) (kind - begin)))
                return (Found) {};
        end = strstr(kind + 1, "PRIVATE KEY-----");
        return (Found) { begin, end ? end + strlen("PRIVATE KEY-----") : text + strlen(text) };
}

static Found find_value(const Redactor *r, const char *text) {
        Found found = {};

        for (size_t i = 0; i < r->n_values; i++) {
                const char *p = strstr(text, r->values[i]);

                found = earlier(found, (Found) { p, p ? p + strlen(r->values[i]) : NULL });
        }
        return found;
}

static Found find(const Redactor *r, const char *text) {
        Found found = earlier(earlier(find_url(text), find_pair(r, text)), earlier(find_option(r, text), find_authorization(text)));

        return earlier(found, earlier(find_private_key(text), find_value(r, text)));
}

char *redact_text(const Redactor *r, const char *text) {
        _cleanup_buffer_ Buffer b = {};

        /* Each looks at all that is left: who hides more than this in one text has the rest of it hidden. */
        for (unsigned n = 0;; n++) {
                Found f = n < SECRETS_MAX ? find(r, text) : (Found) { text, text + strlen(text) };

                if (!f.begin || !*text)
                        break;
                if (buffer_append(&b, text, (size_t) (f.begin - text)) < 0 || buffer_append(&b, REDACTED, strlen(REDACTED)) < 0)
                        return NULL;
                text = f.end;
        }
        if (buffer_append(&b, text, strlen(text)) < 0)
                return NULL;
        return b.data ? TAKE_PTR(b.data) : strdup("");
}

/* ---- variables and words ---- */

char *redact_variable(const Redactor *r, const char *variable) {
        const char *equals = strchr(variable, '=');
        _cleanup_free_ char *value = NULL;

        if (!equals)
                return redact_text(r, variable);
        if (equals[1] && redact_name(r, variable, (size_t) (equals - variable)))
                value = strdup(REDACTED);
        else
                value = redact_text(r, equals + 1);
        return value ? text_printf("%.*s=%s", (int) (equals - variable), variable, value) : NULL;
}

/* An option or an assignment at the beginning of a word has all of the word for its value. */
static bool is_assignment(const char *word) {
        const char *p = word;

        while (is_name_byte(*p))
                p++;
        return p > word && *p == '=';
}

/* "--password", and the secret is the next word. */
static bool announces(const Redactor *r, const char *word) {
        return startswith(word, "--") && word[2] && !strchr(word, '=') && !strpbrk(word, " \t\n") && redact_name(r, word + 2, strlen(word + 2));
}

static char *redact_word(const Redactor *r, const char *before, const char *word) {
        if (before && announces(r, before) && *word && *word != '-')
                return strdup(REDACTED);
        return is_assignment(word) ? redact_variable(r, word) : redact_text(r, word);
}

char **redact_words(const Redactor *r, char *const *words) {
        _cleanup_strv_ char **l = calloc(strv_length(words) + 1, sizeof(char *));
        size_t n = 0;

        STRV_FOREACH(w, l ? words : NULL)
                if (!(l[n++] = redact_word(r, w > words ? w[-1] : NULL, *w)))
                        return NULL;
        return TAKE_PTR(l);
}

char **redact_environment(const Redactor *r, char *const *env) {
        _cleanup_strv_ char **l = calloc(strv_length(env) + 1, sizeof(char *));
        size_t n = 0;

        STRV_FOREACH(e, l ? env : NULL)
                if (!(l[n++] = redact_variable(r, *e)))
                        return NULL;
        return TAKE_PTR(l);
}

const char *redact_marked(const ServiceSpec *s) {
        char *const *lists[] = { s->env, s->command };

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                STRV_FOREACH(text, lists[i])
                        if (strstr(*text, REDACTED))
                                return *text;
        return NULL;
}

/* ---- keys ---- */

/* "db_password: /etc/shop/db_password, token: <hidden>". */
char *key_credentials_show(const SpecKey *k, const void *s) {
        _cleanup_buffer_ Buffer b = {};

        STRV_FOREACH(entry, *(char ***) key_field(k, s)) {
                Credential c;

                if (credential_split(*entry, &c) && buffer_printf(&b, "%s%.*s: %s%s", b.size > 0 ? ", " : "", (int) c.n_name, c.name,
                                                                  c.optional ? "-" : "", c.text ? REDACTED : c.file) < 0)
                        return NULL;
        }
        return b.data ? TAKE_PTR(b.data) : strdup("");
}

char *redact_key(const Redactor *r, const SpecKey *k, const ServiceSpec *s) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **words = NULL;
        ServiceSpec shown = *s; /* borrows all but the field */
        char ***field = (char ***) ((char *) &shown + k->offset);

        if (k->type == KEY_CREDENTIALS)
                return spec_key_format(k, s);
        if (k->type != KEY_ENV && k->type != KEY_COMMAND && k->type != KEY_WORDS) {
                text = spec_key_format(k, s);
                return text ? redact_text(r, text) : NULL;
        }
        if (*field) {
                words = k->type == KEY_ENV ? redact_environment(r, *field) : redact_words(r, *field);
                if (!words)
                        return NULL;
                *field = words;
        }
        return spec_key_format(k, &shown);
}
