/* Writing json lines. Must stay true: whatever the message, the line is one valid JSON object in UTF-8 without a line break in it, and the
 * bytes of the message can be had back. */
#include "logger/json_line.h"

#include <stdio.h>

#include "base/text.h"
#include "logger/line.h"

static char *put(char *to, const char *text) {
        return mempcpy(to, text, strlen(text));
}

char *json_line_head(int stream, const char *service, const char *ns, uint32_t instance, int32_t pid, const char *hook,
                     size_t *ret_size) {
        char *head = text_printf("\",\"stream\":\"%s\",\"service\":\"%s\",\"namespace\":\"%s\",\"instance\":%" PRIu32 ",\"pid\":%" PRIi32 "%s%s%s",
                                 stream ? "err" : "out", service, ns, instance, pid, hook ? ",\"hook\":\"" : "", hook ?: "", hook ? "\"" : "");

        *ret_size = head ? strlen(head) : 0;
        return head;
}

#define EACH_BYTE(x) (0x0101010101010101ULL * (uint64_t) (x))

/* How many bytes from p on go into a string as they are, eight at a time: "Bit Twiddling Hacks", the test for a byte less than n. May stop
 * early, never late. */
static inline size_t plain_bytes(const char *p, size_t n) {
        size_t i = 0;

        for (; i + 8 <= n; i += 8) {
                uint64_t w, quote, back, special;

                memcpy(&w, p + i, 8);
                quote = w ^ EACH_BYTE('"');
                back = w ^ EACH_BYTE('\\');
                special = (w - EACH_BYTE(0x20)) | (quote - EACH_BYTE(1)) | (back - EACH_BYTE(1)) | w;
                if (special & EACH_BYTE(0x80))
                        break;
        }
        return i;
}

static char *put_special(char *to, unsigned char c) {
        static const char short_forms[32] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
        static const char digits[] = "0123456789abcdef";

        *to++ = '\\';
        if (c == '"' || c == '\\')
                *to++ = (char) c;
        else if (short_forms[c])
                *to++ = short_forms[c];
        else {
                to = put(to, "u00");
                *to++ = digits[c >> 4];
                *to++ = digits[c & 15];
        }
        return to;
}

/* \xNN as JSON has it. */
static char *put_foreign(char *to, unsigned char c) {
        static const char digits[] = "0123456789abcdef";

        to = put(to, "\\\\x");
        *to++ = digits[c >> 4];
        *to++ = digits[c & 15];
        return to;
}

/* The message between its quotes. NULL: it is not UTF-8, and `escaped` does not say that it may be otherwise. */
static char *put_message(char *to, const char *p, size_t n, bool escaped) {
        for (size_t i = 0; i < n;) {
                size_t k = plain_bytes(p + i, n - i);
                unsigned char c;

                memcpy(to, p + i, k);
                to += k;
                i += k;
                if (i == n)
                        break;
                c = (unsigned char) p[i];
                k = utf8_sequence(p + i, n - i);
                if (k == 0 && !escaped)
                        return NULL;
                if (k == 0)
                        to = put_foreign(to, c);
                else if (c == '\\' && escaped)
                        to = put(to, "\\\\\\\\");
                else if (c < 0x20 || c == '"' || c == '\\')
                        to = put_special(to, c);
                else
                        to = mempcpy(to, p + i, k);
                i += MAX(k, (size_t) 1);
        }
        return to;
}

static char *put_quoted(char *to, const char *p, size_t n) {
        char *end = put_message(put(to, ",\"message\":\""), p, n, false);

        return put(end ?: put_message(put(to, ",\"escaped\":true,\"message\":\""), p, n, true), "\"}\n");
}

static bool has_priority(const char *p, size_t n) {
        return n >= 3 && p[0] == '<' && p[1] >= '0' && p[1] <= '7' && p[2] == '>';
}

size_t json_line(char *to, const char *stamp, const char *head, size_t head_size, bool partial, const char *p, size_t n) {
        char *begin = to;

        to = mempcpy(put(to, "{\"time\":\""), stamp, LINE_STAMP_SIZE);
        to = mempcpy(to, head, head_size);
        if (has_priority(p, n)) {
                to = put(to, ",\"priority\":");
                *to++ = p[1];
                p += 3;
                n -= 3;
        }
        if (partial)
                to = put(to, ",\"partial\":true");
        if (n > 0 && p[0] == '{' && json_object_valid(p, n))
                to = put(mempcpy(put(to, ",\"json\":"), p, n), "}\n");
        else
                to = put_quoted(to, p, n);
        return (size_t) (to - begin);
}
