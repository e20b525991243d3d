/* Text: validity, escaping for terminals, nearest names, growing buffers. */
#pragma once

#include <stdarg.h>

#include "base/macro.h"

/* Like asprintf(3), but returns the string or NULL on OOM. */
char *text_printf(const char *format, ...) _printf_(1, 2);
char *text_vprintf(const char *format, va_list ap) _printf_(1, 0);

/* Where `needle`, not empty, begins within n bytes, or NULL; fold: ASCII letters of either case are the same. */
const char *text_find(const char *s, size_t n, const char *needle, bool fold);

bool utf8_valid(const char *s, size_t n);   /* RFC 3629: no surrogates, no overlong forms, no NUL inside */
/* Length of the valid UTF-8 sequence at s (1..4), or 0 when the bytes there are not one. */
size_t utf8_sequence(const char *s, size_t n);
/* Columns a UTF-8 string takes on a terminal (wcwidth(3) with a UTF-8 table of its own for combining and wide characters is not needed:
 * counts code points, wide East Asian ones as two, combining ones as zero). */
size_t utf8_columns(const char *s);

/* Copies s, replacing control characters (C0 but tab, DEL, C1) and invalid bytes with \xNN, so that a terminal never executes what a
 * service wrote. NULL on OOM. */
char *text_escape(const char *s, size_t n);

/* The candidate nearest to `word` by Damerau-Levenshtein distance, if near enough to be a typo (at most a third of its length, at least
 * one); NULL if none is. `candidates` is NULL-terminated. */
const char *text_nearest(const char *word, const char *const *candidates);

/* Shell-like pattern match of * ? [..], for selectors: fnmatch(3) without path rules. */
bool text_glob_match(const char *pattern, const char *s);

/* Two lower-case digits a byte and a NUL: out has room for 2 * n + 1. */
void hex_encode(char *out, const uint8_t *bytes, size_t n);
/* True when text is exactly 2 * n hexadecimal digits; else out is undefined. */
bool hex_decode(const char *text, uint8_t *out, size_t n);

/* The value of a digit of Base64 (RFC 4648, 4), or -1. */
int base64_digit(char c);
/* Decodes up to the end or the first '='; malloc'ed, with a NUL behind it. NULL for anything that is no Base64, and on OOM. */
char *base64_decode(const char *text);

/* Service and namespace names: 1..128 of [A-Za-z0-9_.-], not starting with '.' or '-', no "..", no '@' or ':' (selectors use those). */
bool name_valid(const char *s);

/* A growing byte buffer. Zero-initialise; data is NUL-terminated whenever size > 0. Methods return 0 or -ENOMEM. */
typedef struct Buffer {
        char *data;
        size_t size, allocated;
} Buffer;
void buffer_done(Buffer *b);
int buffer_append(Buffer *b, const void *p, size_t n);
int buffer_printf(Buffer *b, const char *format, ...) _printf_(2, 3);
void buffer_consume(Buffer *b, size_t n); /* drops n bytes from the front */
#define _cleanup_buffer_ _cleanup_(buffer_done)
