/* Text that comes from elsewhere: what is valid, what a terminal may see, how wide it is, what was probably meant. Everything works on
 * bytes and decodes UTF-8 itself, so the process locale never changes a result. */
#include "base/text.h"

#include <fnmatch.h>
#include <stdio.h>

char *text_vprintf(const char *format, va_list ap) {
        char *s;

        return vasprintf(&s, format, ap) < 0 ? NULL : s;
}

char *text_printf(const char *format, ...) {
        va_list ap;
        char *s;

        va_start(ap, format);
        s = text_vprintf(format, ap);
        va_end(ap);
        return s;
}

/* RFC 3629, table 3-7 of Unicode: the second byte's range depends on the first, which keeps out overlong forms and surrogates. */
size_t utf8_sequence(const char *s, size_t n) {
        const unsigned char *p = (const unsigned char *) s;
        unsigned char low = 0x80, high = 0xbf;
        size_t length;

        if (n == 0)
                return 0;
        if (p[0] < 0x80)
                return 1;
        if (p[0] < 0xc2 || p[0] > 0xf4)
                return 0;
        length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
        if (n < length)
                return 0;
        low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : low;
        high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : high;
        if (p[1] < low || p[1] > high)
                return 0;
        for (size_t i = 2; i < length; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
        return length;
}

static char ascii_lower(char c) {
        return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool same_folded(const char *s, const char *needle, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (ascii_lower(s[i]) != ascii_lower(needle[i]))
                        return false;
        return true;
}

const char *text_find(const char *s, size_t n, const char *needle, bool fold) {
        size_t size = strlen(needle);
        char first = ascii_lower(*needle);

        if (!fold)
                return memmem(s, n, needle, size);
        for (size_t i = 0; i + size <= n; i++)
                if (ascii_lower(s[i]) == first && same_folded(s + i, needle, size))
                        return s + i;
        return NULL;
}

bool utf8_valid(const char *s, size_t n) {
        while (n > 0) {
                size_t k = *s ? utf8_sequence(s, n) : 0;

                if (k == 0)
                        return false;
                s += k;
                n -= k;
        }
        return true;
}

/* Code point of a sequence that utf8_sequence() found valid. */
static uint32_t utf8_decode(const char *s, size_t length) {
        static const unsigned char first_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
        uint32_t c = (unsigned char) s[0] & first_mask[length];

        for (size_t i = 1; i < length; i++)
                c = c << 6 | ((unsigned char) s[i] & 0x3f);
        return c;
}

typedef struct Range {
        uint32_t first, last;
} Range;

/* The blocks of combining marks and joiners, and of East Asian wide characters and emoji: blocks, not the full tables of Unicode. */
static const Range combining[] = {
        { 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd }, { 0x0610, 0x061a }, { 0x064b, 0x065f }, { 0x1ab0, 0x1aff },
        { 0x1dc0, 0x1dff }, { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x2064 }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f },
        { 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0xe0100, 0xe01ef },
};
static const Range wide[] = {
        { 0x1100, 0x115f },   { 0x231a, 0x231b },   { 0x2e80, 0x303e },   { 0x3041, 0x33ff },   { 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },
        { 0xa000, 0xa4cf },   { 0xa960, 0xa97f },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },
        { 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1faff }, { 0x20000, 0x2fffd }, { 0x30000, 0x3fffd },
};

static bool in_ranges(uint32_t c, const Range *ranges, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (c >= ranges[i].first && c <= ranges[i].last)
                        return true;
        return false;
}

size_t utf8_columns(const char *s) {
        size_t columns = 0, n = strlen(s);

        while (n > 0) {
                size_t k = utf8_sequence(s, n);
                uint32_t c = k > 1 ? utf8_decode(s, k) : 0;

                if (k <= 1 || c < 0x300)
                        columns++;
                else if (in_ranges(c, wide, ARRAY_SIZE(wide)))
                        columns += 2;
                else if (!in_ranges(c, combining, ARRAY_SIZE(combining)))
                        columns++;
                s += MAX(k, (size_t) 1);
                n -= MAX(k, (size_t) 1);
        }
        return columns;
}

/* C1 is two bytes in UTF-8 (C2 80 … C2 9F), and terminals obey it like an escape. */
static bool is_control(const char *s, size_t length) {
        unsigned char c = (unsigned char) *s;

        if (length == 1)
                return (c < 0x20 && c != '\t') || c == 0x7f;
        return length == 2 && c == 0xc2 && (unsigned char) s[1] < 0xa0;
}

char *text_escape(const char *s, size_t n) {
        char *escaped = malloc(n * 4 + 1), *out = escaped;

        if (!escaped)
                return NULL;
        while (n > 0) {
                size_t k = utf8_sequence(s, n), take = MAX(k, (size_t) 1);

                if (k > 0 && !is_control(s, k))
                        out = mempcpy(out, s, k);
                else
                        for (size_t i = 0; i < take; i++)
                                out += sprintf(out, "\\x%02x", (unsigned) (unsigned char) s[i]);
                s += take;
                n -= take;
        }
        *out = '\0';
        return escaped;
}

#define NEAREST_MAX 64 /* longer words are not typos of ours */

/* Optimal string alignment: insert, delete, replace, swap of neighbours cost one each. Both lengths are below NEAREST_MAX. */
static unsigned edit_distance(const char *a, size_t n, const char *b, size_t m) {
        unsigned rows[3][NEAREST_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2];

        for (size_t j = 0; j <= m; j++)
                last[j] = (unsigned) j;
        for (size_t i = 1; i <= n; i++) {
                unsigned *reuse = before;

                row[0] = (unsigned) i;
                for (size_t j = 1; j <= m; j++) {
                        unsigned best = MIN(last[j] + 1, row[j - 1] + 1);

                        best = MIN(best, last[j - 1] + (a[i - 1] != b[j - 1]));
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                best = MIN(best, before[j - 2] + 1);
                        row[j] = best;
                }
                before = last;
                last = row;
                row = reuse;
        }
        return last[m];
}

const char *text_nearest(const char *word, const char *const *candidates) {
        size_t n = strlen(word);
        unsigned best = MAX((unsigned) (n / 3), 1U) + 1;
        const char *nearest = NULL;

        if (n == 0 || n >= NEAREST_MAX)
                return NULL;
        for (; *candidates; candidates++) {
                size_t m = strlen(*candidates);
                unsigned d;

                if (m >= NEAREST_MAX || (d = edit_distance(word, n, *candidates, m)) >= best)
                        continue;
                best = d;
                nearest = *candidates;
        }
        return nearest;
}

bool text_glob_match(const char *pattern, const char *s) {
        return fnmatch(pattern, s, 0) == 0;
}

void hex_encode(char *out, const uint8_t *bytes, size_t n) {
        static const char digits[] = "0123456789abcdef";

        for (size_t k = 0; k < n; k++) {
                *out++ = digits[bytes[k] >> 4];
                *out++ = digits[bytes[k] & 15];
        }
        *out = 0;
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(const char *text, uint8_t *out, size_t n) {
        if (strlen(text) != 2 * n)
                return false;
        for (size_t k = 0; k < n; k++) {
                int high = hex_digit(text[2 * k]), low = hex_digit(text[2 * k + 1]);

                if (high < 0 || low < 0)
                        return false;
                out[k] = (uint8_t) (high << 4 | low);
        }
        return true;
}

int base64_digit(char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

char *base64_decode(const char *text) {
        _cleanup_free_ char *out = malloc(strlen(text) / 4 * 3 + 4);
        uint32_t bits = 0;
        unsigned n = 0;
        char *to = out;

        if (!out)
                return NULL;
        for (; *text && *text != '='; text++) {
                int d = base64_digit(*text);

                if (d < 0)
                        return NULL;
                bits = bits << 6 | (uint32_t) d;
                n += 6;
                if (n >= 8)
                        *to++ = (char) (bits >> (n -= 8));
        }
        *to = '\0';
        return TAKE_PTR(out);
}

bool name_valid(const char *s) {
        size_t n = s ? strlen(s) : 0;

        if (n < 1 || n > 128 || *s == '.' || *s == '-' || strstr(s, ".."))
                return false;
        return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == n;
}

void buffer_done(Buffer *b) {
        free(b->data);
        *b = (Buffer) {};
}

/* Room for n more bytes and a NUL. */
static int buffer_reserve(Buffer *b, size_t n) {
        size_t wanted, allocated;
        char *grown;

        if (__builtin_add_overflow(b->size, n, &wanted) || __builtin_add_overflow(wanted, (size_t) 1, &wanted) || wanted > SIZE_MAX / 2)
                return -ENOMEM;
        if (wanted <= b->allocated)
                return 0;
        for (allocated = MAX(b->allocated, (size_t) 64); allocated < wanted;)
                allocated *= 2;
        grown = realloc(b->data, allocated);
        if (!grown)
                return -ENOMEM;
        b->data = grown;
        b->allocated = allocated;
        return 0;
}

int buffer_append(Buffer *b, const void *p, size_t n) {
        int r;

        r = buffer_reserve(b, n);
        if (r < 0)
                return r;
        if (n > 0)
                memcpy(b->data + b->size, p, n);
        b->size += n;
        b->data[b->size] = '\0';
        return 0;
}

int buffer_printf(Buffer *b, const char *format, ...) {
        size_t room = b->allocated - b->size;
        va_list ap, again;
        int n, r;

        va_start(ap, format);
        va_copy(again, ap);
        n = vsnprintf(room > 0 ? b->data + b->size : NULL, room, format, ap);
        va_end(ap);
        r = n < 0 ? -ENOMEM : buffer_reserve(b, (size_t) n);
        if (r >= 0 && (size_t) n >= room)
                n = vsnprintf(b->data + b->size, (size_t) n + 1, format, again);
        va_end(again);
        if (r >= 0)
                b->size += (size_t) n;
        else if (b->size < b->allocated)
                b->data[b->size] = '\0'; /* undo a line cut short */
        return r;
}

void buffer_consume(Buffer *b, size_t n) {
        n = MIN(n, b->size);
        b->size -= n;
        if (n > 0) {
                memmove(b->data, b->data + n, b->size);
                b->data[b->size] = '\0';
        }
}
