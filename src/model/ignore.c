/* See ignore.h. Matching costs at most |pattern| × |path| steps for each `*`, whatever the pattern: only the last star is ever gone back to. */
#include "model/ignore.h"

/* One character class at p ("[a-z]", "[!x]"), against c. Returns what follows the class, or NULL when it is none (then '[' is a letter). */
static const char *match_class(const char *p, char c, bool *ret) {
        bool negated = p[1] == '!' || p[1] == '^', found = false;
        const char *s = p + 1 + negated;

        for (bool first = true; *s && (*s != ']' || first); first = false, s++) {
                if (s[1] == '-' && s[2] && s[2] != ']') {
                        found = found || (c >= s[0] && c <= s[2]);
                        s += 2;
                } else
                        found = found || *s == c;
        }
        if (!*s)
                return NULL;
        *ret = found != negated && c != '/';
        return s + 1;
}

/* One step of the pattern that is no star: what follows it when it matches c, else NULL. */
static const char *match_one(const char *p, char c) {
        const char *next;
        bool matches;

        if (*p == '?')
                return c != '/' ? p + 1 : NULL;
        if (*p == '[' && (next = match_class(p, c, &matches)))
                return matches ? next : NULL;
        if (*p == '\\' && p[1])
                p++;
        return *p == c ? p + 1 : NULL;
}

/* Where to go on when what came after a star did not match: the star takes one character more. */
typedef struct Retry {
        const char *pattern, *path;
} Retry;

/* p behind the stars at *p; *ret_deep: they cross slashes. */
static const char *skip_stars(const char *p, bool *ret_deep) {
        *ret_deep = p[1] == '*';
        while (*p == '*')
                p++;
        /* A double star stands for whole directories, none included. */
        return *ret_deep && *p == '/' ? p + 1 : p;
}

static bool retry(Retry *star, Retry *deep, const char **p, const char **s) {
        if (star->pattern && *star->path && *star->path != '/') {
                *p = star->pattern;
                *s = ++star->path;
                return true;
        }
        if (!deep->pattern || !*deep->path)
                return false;
        star->pattern = NULL;
        *p = deep->pattern;
        *s = ++deep->path;
        return true;
}

static bool match(const char *p, const char *s) {
        Retry star = {}, deep = {};

        for (;;) {
                const char *next;
                bool crosses;

                if (*p == '*') {
                        p = skip_stars(p, &crosses);
                        if (crosses)
                                deep = (Retry) { p, s };
                        star = crosses ? (Retry) {} : (Retry) { p, s };
                        continue;
                }
                if (!*p && !*s)
                        return true;
                next = *p && *s ? match_one(p, *s) : NULL;
                if (next) {
                        p = next;
                        s++;
                } else if (!retry(&star, &deep, &p, &s))
                        return false;
        }
}

/* The pattern, without what only says how it is meant, into buf. */
static bool matches(const char *pattern, const char *path, bool directory) {
        size_t n = strlen(pattern);
        const char *base = strrchr(path, '/');
        char buf[1024];

        if (n == 0 || n >= sizeof buf)
                return false;
        memcpy(buf, pattern, n + 1);
        if (buf[n - 1] == '/') {
                if (!directory)
                        return false;
                buf[n - 1] = '\0';
        }
        if (buf[0] == '/')
                return match(buf + 1, path);
        if (strchr(buf, '/'))
                return match(buf, path);
        return match(buf, base ? base + 1 : path);
}

bool ignore_match(char *const *patterns, const char *path, bool directory) {
        bool ignored = false;

        for (; patterns && *patterns; patterns++) {
                bool negated = **patterns == '!';

                if (**patterns != '#' && ignored == negated && matches(*patterns + negated, path, directory))
                        ignored = !negated;
        }
        return ignored;
}
