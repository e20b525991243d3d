/* Owns the first look at a file's bytes. libyaml refuses the same ones, but only tells their offset; here they get a line and a column. */
#include "base/text.h"
#include "config/document.h"

typedef struct TextPlace {
        unsigned line, column;
} TextPlace;

static uint32_t code_point(const unsigned char *s, size_t length) {
        uint32_t c;

        if (length == 1)
                return s[0];
        c = s[0] & (0xffu >> (length + 1));
        for (size_t i = 1; i < length; i++)
                c = c << 6 | (s[i] & 0x3f);
        return c;
}

/* The printable characters of YAML 1.1, section 5.1. The byte order mark is allowed at the very beginning only. */
static bool allowed(uint32_t c, size_t offset) {
        if (c < 0x80)
                return (c >= 0x20 && c != 0x7f) || c == '\t' || c == '\n' || c == '\r';
        if (c == 0xfeff)
                return offset == 0;
        return (c == 0x85 || c >= 0xa0) && c != 0xfffe && c != 0xffff;
}

int text_check(const char *file, const char *text, size_t n, Diagnostics *d) {
        TextPlace at = { 1, 1 };
        size_t length;

        for (size_t i = 0; i < n; i += length) {
                uint32_t c;

                /* A NUL byte is no UTF-8 text for utf8_sequence(), but it deserves its own name. */
                length = text[i] == '\0' ? 1 : utf8_sequence(text + i, n - i);
                if (length == 0)
                        return diagnostics_add(d, file, at.line, at.column, false, "invalid UTF-8: byte 0x%02x",
                                               (unsigned) (unsigned char) text[i]);
                c = code_point((const unsigned char *) text + i, length);
                if (c == 0)
                        return diagnostics_add(d, file, at.line, at.column, false, "a NUL byte: this is no text file");
                if (!allowed(c, i))
                        return diagnostics_add(d, file, at.line, at.column, false, "control character U+%04X", (unsigned) c);
                at = c == '\n' ? (TextPlace) { at.line + 1, 1 } : (TextPlace) { at.line, at.column + 1 };
        }
        return 1;
}
