/* Owns what separates JSON with comments from YAML's flow style, of which JSON is otherwise a part: comments, tabs before the first
 * bracket, and characters beyond U+FFFF written as two \u escapes. The text keeps its length in lines and columns, so that messages point
 * at the right place. */
#include <strings.h>

#include "base/text.h"
#include "config/document.h"

bool jsonc_wanted(const char *name, const char *text, size_t n) {
        static const struct {
                const char *extension;
                bool json;
        } known[] = {
                { ".json", true },
                { ".jsonc", true },
                { ".yaml", false },
                { ".yml", false },
        };
        const char *dot = strrchr(name, '.');

        for (size_t i = 0; dot && i < ARRAY_SIZE(known); i++)
                if (strcasecmp(dot, known[i].extension) == 0)
                        return known[i].json;
        for (size_t i = startswith(text, "\xef\xbb\xbf") ? 3 : 0; i < n; i++)
                if (!strchr(" \t\r\n", text[i]))
                        return text[i] == '{';
        return false;
}

typedef struct JsoncScan {
        const char *in;
        size_t n, i; /* input, position */
        char *out;
        size_t o;    /* written; never ahead of i */
        size_t owed; /* columns that shortened escapes saved in this string, given back as blanks behind it */
} JsoncScan;

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits behind "\u" at position i, or -1. */
static int32_t hex4(const JsoncScan *s, size_t i) {
        int32_t v = 0;

        if (s->n - i < 6 || s->in[i] != '\\' || s->in[i + 1] != 'u')
                return -1;
        for (size_t k = i + 2; k < i + 6; k++) {
                int digit = hex_digit(s->in[k]);
                if (digit < 0)
                        return -1;
                v = v << 4 | digit;
        }
        return v;
}

static void copy(JsoncScan *s, size_t n) {
        memcpy(s->out + s->o, s->in + s->i, n);
        s->o += n;
        s->i += n;
}

static void copy_escape(JsoncScan *s) {
        static const char digits[] = "0123456789ABCDEF";
        int32_t high = hex4(s, s->i), low;
        uint32_t c;

        low = high >= 0xd800 && high <= 0xdbff && s->n - s->i >= 12 ? hex4(s, s->i + 6) : -1;
        if (low < 0xdc00 || low > 0xdfff) {
                copy(s, MIN(s->n - s->i, (size_t) 2));
                return;
        }
        c = 0x10000 + ((uint32_t) (high - 0xd800) << 10) + (uint32_t) (low - 0xdc00);
        s->out[s->o++] = '\\';
        s->out[s->o++] = 'U';
        for (int shift = 28; shift >= 0; shift -= 4)
                s->out[s->o++] = digits[c >> shift & 15];
        s->i += 12;
        s->owed += 2;
}

static void copy_string(JsoncScan *s) {
        s->owed = 0;
        copy(s, 1);
        while (s->i < s->n && s->in[s->i] != '"') {
                if (s->in[s->i] == '\\')
                        copy_escape(s);
                else
                        copy(s, 1);
        }
        if (s->i < s->n)
                copy(s, 1);
        memset(s->out + s->o, ' ', s->owed);
        s->o += s->owed;
}

static void blank(JsoncScan *s) {
        size_t length = MAX(utf8_sequence(s->in + s->i, s->n - s->i), (size_t) 1);

        /* One blank for a character of several bytes: columns count characters. */
        s->out[s->o++] = strchr("\r\n", s->in[s->i]) && s->in[s->i] ? s->in[s->i] : ' ';
        s->i += length;
}

static bool looking_at(const JsoncScan *s, const char *two) {
        return s->n - s->i >= 2 && s->in[s->i] == two[0] && s->in[s->i + 1] == two[1];
}

static void skip_comment(JsoncScan *s) {
        bool line = s->in[s->i + 1] == '/';

        blank(s);
        blank(s);
        while (s->i < s->n && !(line ? s->in[s->i] == '\n' : looking_at(s, "*/")))
                blank(s);
        for (int k = 0; k < 2 && !line && s->i < s->n; k++)
                blank(s);
}

int jsonc_to_yaml(const char *text, size_t n, char **ret, size_t *ret_n) {
        JsoncScan s = { .in = text, .n = n };

        s.out = malloc(n + 1);
        if (!s.out)
                return -ENOMEM;
        if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
                blank(&s);
        while (s.i < n) {
                if (s.in[s.i] == '"')
                        copy_string(&s);
                else if (looking_at(&s, "//") || looking_at(&s, "/*"))
                        skip_comment(&s);
                else if (s.in[s.i] == '\t')
                        blank(&s);
                else
                        copy(&s, 1);
        }
        s.out[s.o] = '\0';
        *ret = s.out;
        *ret_n = s.o;
        return 0;
}
