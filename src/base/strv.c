/* String arrays in the shape of argv and environ. The array owns its strings; NULL and { NULL } are both the empty array.
 * Growth is by one (reallocarray), which glibc makes cheap enough for arrays of this kind (tens of entries). */
#include "base/strv.h"

#include <stdio.h>

char **strv_free(char **l) {
        for (char **s = l; s && *s; s++)
                free(*s);
        free(l);
        return NULL;
}

size_t strv_length(char *const *l) {
        size_t n = 0;

        STRV_FOREACH(s, l)
                n++;
        return n;
}

bool strv_contains(char *const *l, const char *s) {
        STRV_FOREACH(i, l)
                if (streq(*i, s))
                        return true;
        return false;
}

bool strv_equal(char *const *a, char *const *b) {
        size_t n = strv_length(a);

        if (n != strv_length(b))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!streq(a[i], b[i]))
                        return false;
        return true;
}

char **strv_copy(char *const *l) {
        _cleanup_strv_ char **copy = NULL;
        size_t n = strv_length(l);

        copy = calloc(n + 1, sizeof(char *));
        if (!copy)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                copy[i] = strdup(l[i]);
                if (!copy[i])
                        return NULL;
        }
        return TAKE_PTR(copy);
}

int strv_append(char ***l, const char *s) {
        return strv_consume(l, strdup(s));
}

int strv_consume(char ***l, char *s) {
        _cleanup_free_ char *owned = s;
        size_t n = strv_length(*l);
        char **grown;

        if (!owned)
                return -ENOMEM;
        grown = reallocarray(*l, n + 2, sizeof(char *));
        if (!grown)
                return -ENOMEM;
        grown[n] = TAKE_PTR(owned);
        grown[n + 1] = NULL;
        *l = grown;
        return 0;
}

char *strv_join(char *const *l, const char *separator) {
        size_t size = 1, gap = strlen(separator);
        char *joined, *p;

        STRV_FOREACH(s, l)
                size += strlen(*s) + gap;
        joined = malloc(size);
        if (!joined)
                return NULL;
        p = joined;
        STRV_FOREACH(s, l) {
                if (s != l)
                        p = stpcpy(p, separator);
                p = stpcpy(p, *s);
        }
        *p = '\0';
        return joined;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copies what stands in double quotes; *s is behind the opening quote and ends behind the closing one. Inside, a backslash escapes only
 * what the shell would have treated specially there, and before a newline it joins the lines. */
static int unquote_double(const char **s, char **out) {
        const char *p = *s;
        char *o = *out;

        for (; *p != '"'; p++) {
                if (*p == '\0')
                        return -EINVAL;
                if (*p == '\\' && p[1] == '\n') {
                        p++;
                        continue;
                }
                if (*p == '\\' && p[1] && strchr("$`\"\\", p[1]))
                        p++;
                *o++ = *p;
        }
        *s = p + 1;
        *out = o;
        return 0;
}

static int unquote_single(const char **s, char **out) {
        const char *end = strchr(*s, '\'');

        if (!end)
                return -EINVAL;
        *out = mempcpy(*out, *s, (size_t) (end - *s));
        *s = end + 1;
        return 0;
}

/* One word into out, which has room for the rest of the line: unquoting never makes it longer. *ret_any tells an empty word ('') from none.
 */
static int next_word(const char **s, char *out, bool *ret_any) {
        const char *p = *s;
        bool any = false;
        int r = 0;

        while (*p && !is_blank(*p)) {
                char c = *p++;

                if (c == '\\' && *p == '\n') {
                        p++;
                        continue;
                }
                any = true;
                if (c == '\'')
                        r = unquote_single(&p, &out);
                else if (c == '"')
                        r = unquote_double(&p, &out);
                else if (c != '\\')
                        *out++ = c;
                else if (*p)
                        *out++ = *p++;
                else
                        r = -EINVAL;
                if (r < 0)
                        return r;
        }
        *out = '\0';
        *s = p;
        *ret_any = any;
        return 0;
}

int strv_split_command(const char *line, char ***ret) {
        _cleanup_strv_ char **words = NULL;
        _cleanup_free_ char *word = NULL;
        int r;

        word = malloc(strlen(line) + 1);
        words = calloc(1, sizeof(char *));
        if (!word || !words)
                return -ENOMEM;
        for (const char *p = line;;) {
                bool any;

                while (is_blank(*p))
                        p++;
                if (!*p)
                        break;
                r = next_word(&p, word, &any);
                if (r < 0)
                        return r;
                if (!any)
                        continue;
                r = strv_append(&words, word);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(words);
        return 0;
}

static size_t env_find(char *const *env, const char *name) {
        size_t i = 0, n = strlen(name);

        for (; env && env[i]; i++)
                if (strncmp(env[i], name, n) == 0 && env[i][n] == '=')
                        break;
        return i;
}

/* Takes every entry of that name out: an environment inherited from elsewhere may name one twice. */
static void env_remove(char **env, const char *name) {
        size_t n = strlen(name);
        char **to = env;

        for (char **from = env; from && *from; from++) {
                if (strncmp(*from, name, n) == 0 && (*from)[n] == '=')
                        free(*from);
                else
                        *to++ = *from;
        }
        if (to)
                *to = NULL;
}

int strv_env_set(char ***env, const char *name, const char *value) {
        char *entry;
        size_t i;

        if (!value) {
                env_remove(*env, name);
                return 0;
        }
        if (asprintf(&entry, "%s=%s", name, value) < 0)
                return -ENOMEM;
        i = env_find(*env, name);
        if (!*env || !(*env)[i])
                return strv_consume(env, entry);
        free((*env)[i]);
        (*env)[i] = entry;
        return 0;
}

const char *strv_env_get(char *const *env, const char *name) {
        size_t i = env_find(env, name);

        return env && env[i] ? env[i] + strlen(name) + 1 : NULL;
}

bool env_name_valid(const char *name) {
        if (!name || !*name || (*name >= '0' && *name <= '9'))
                return false;
        return name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}
