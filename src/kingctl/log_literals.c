/* What a pattern surely needs. Must stay true: a line that the pattern matches holds one of the texts; where that is not certain nothing is said. */
#include <ctype.h>

#include "base/strv.h"
#include "base/text.h"
#include "kingctl/log_filter.h"

typedef struct Literal {
        char *run, *best;              /* both as long as the pattern at most */
        size_t n, longest;
} Literal;

static void end_run(Literal *l) {
        if (l->n > l->longest) {
                memcpy(l->best, l->run, l->n);
                l->longest = l->n;
        }
        l->n = 0;
}

/* What comes before may be missing: its last character, whose further bytes in UTF-8 begin with the bits 10. */
static void drop_last(Literal *l) {
        while (l->n > 0 && ((uint8_t) l->run[--l->n] & 0xc0) == 0x80)
                ;
        end_run(l);
}

/* Behind a bracket expression, regex(7): a ] that comes first, or within [: :] [. .] [= =], does not end it. */
static const char *skip_bracket(const char *p) {
        p += p[1] == '^' ? 2 : 1;
        p += *p == ']';
        while (*p && *p != ']') {
                const char close[] = { p[1], ']', 0 };
                const char *end = *p == '[' && p[1] && strchr(":.=", p[1]) ? strstr(p + 2, close) : NULL;

                p = end ? end + 2 : p + 1;
        }
        return p + (*p == ']');
}

static const char *skip_group(const char *p) {
        for (unsigned depth = 0; *p; ) {
                if (*p == '\\' && p[1]) {
                        p += 2;
                        continue;
                }
                if (*p == '[') {
                        p = skip_bracket(p);
                        continue;
                }
                depth += *p == '(';
                depth -= *p == ')';
                p++;
                if (depth == 0)
                        break;
        }
        return p;
}

/* One alternative, up to its | or the end. What stands in groups and brackets is nobody's literal. */
static const char *scan(Literal *l, const char *p) {
        while (*p && *p != '|') {
                if (strchr("*?{", *p)) {
                        drop_last(l);
                        p += *p == '{' ? strcspn(p, "}") : 0;
                        p += *p != '\0';
                } else if (*p == '(' || *p == '[') {
                        end_run(l);
                        p = *p == '(' ? skip_group(p) : skip_bracket(p);
                } else if (*p == '\\' && ispunct((unsigned char) p[1]) && !strchr("<>`'", p[1])) {
                        l->run[l->n++] = p[1];
                        p += 2;
                } else if (strchr("^$.+)\\", *p)) {
                        end_run(l);
                        p += *p == '\\' && p[1] ? 2 : 1;
                } else
                        l->run[l->n++] = *p++;
        }
        end_run(l);
        return p;
}

static int alternatives(const char *p, Literal *l, char ***ret) {
        int r;

        for (;; p++) {
                l->longest = 0;
                p = scan(l, p);
                if (l->longest == 0)
                        return -ENODATA;
                r = strv_consume(ret, strndup(l->best, l->longest));
                if (r < 0 || !*p)
                        return r;
        }
}

char **log_filter_literals(const Options *o) {
        _cleanup_strv_ char **texts = NULL;
        size_t size = o->grep ? strlen(o->grep) + 1 : 0;
        _cleanup_free_ char *run = size > 1 ? malloc(size) : NULL, *best = size > 1 ? malloc(size) : NULL;
        Literal l = { .run = run, .best = best };

        if (o->invert || !run || !best || alternatives(o->grep, &l, &texts) < 0)
                return NULL;
        return TAKE_PTR(texts);
}
