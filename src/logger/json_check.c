/* Is it a JSON object (RFC 8259)? Foreign bytes: every step is bounded by the end, nesting by DEPTH_MAX. */
#include "base/text.h"
#include "logger/json_line.h"

#define DEPTH_MAX 64

typedef struct Cursor { const char *p, *end; } Cursor;

static void blanks(Cursor *c) {
        while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
                c->p++;
}

static bool take(Cursor *c, char what) {
        if (c->p == c->end || *c->p != what)
                return false;
        c->p++;
        return true;
}

static bool digits(Cursor *c) {
        const char *begin = c->p;

        while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
                c->p++;
        return c->p > begin;
}

static bool number(Cursor *c) {
        (void) take(c, '-');
        if (!take(c, '0') && !digits(c))
                return false;
        if (take(c, '.') && !digits(c))
                return false;
        if (take(c, 'e') || take(c, 'E')) {
                if (!take(c, '+'))
                        (void) take(c, '-');
                return digits(c);
        }
        return true;
}

static bool escape(Cursor *c) {
        if (c->p == c->end)
                return false;
        if (*c->p != 'u')
                return strchr("\"\\/bfnrt", *c->p) && *c->p++ != '\0';
        c->p++;
        for (unsigned i = 0; i < 4; i++, c->p++)
                if (c->p == c->end || !strchr("0123456789abcdefABCDEF", *c->p) || *c->p == '\0')
                        return false;
        return true;
}

static bool string(Cursor *c) {
        if (!take(c, '"'))
                return false;
        while (c->p < c->end) {
                unsigned char byte = (unsigned char) *c->p++;

                if (byte == '"')
                        return true;
                if (byte < 0x20 || (byte == '\\' && !escape(c)))
                        return false;
        }
        return false;
}

static bool word(Cursor *c, const char *text) {
        size_t n = strlen(text);

        if ((size_t) (c->end - c->p) < n || memcmp(c->p, text, n) != 0)
                return false;
        c->p += n;
        return true;
}

static bool value(Cursor *c, unsigned depth);

/* What stands between the brackets, which `close` ends. */
static bool members(Cursor *c, char close, unsigned depth) {
        blanks(c);
        if (take(c, close))
                return true;
        do {
                blanks(c);
                if (close == '}') {
                        if (!string(c))
                                return false;
                        blanks(c);
                        if (!take(c, ':'))
                                return false;
                        blanks(c);
                }
                if (!value(c, depth))
                        return false;
                blanks(c);
        } while (take(c, ','));
        return take(c, close);
}

static bool value(Cursor *c, unsigned depth) {
        if (c->p == c->end)
                return false;
        switch (*c->p) {
        case '{':
        case '[':
                return depth < DEPTH_MAX && members(c, *c->p++ == '{' ? '}' : ']', depth + 1);
        case '"': return string(c);
        case 't': return word(c, "true");
        case 'f': return word(c, "false");
        case 'n': return word(c, "null");
        default: return number(c);
        }
}

bool json_object_valid(const char *p, size_t n) {
        Cursor c = { p, p + n };

        return n > 0 && *p == '{' && value(&c, 0) && c.p == c.end && utf8_valid(p, n);
}
