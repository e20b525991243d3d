/* Must stay true: any bytes may come; a line is taken only if it is exactly of the form that json_line() writes, so that nothing a service
 * writes into a file of another format is mistaken for more than a message. Decoding never makes longer: it is done in place. */
#include "logger/json_read.h"

#include "logger/line.h"

#define TIME_KEY "{\"time\":\""

typedef struct Cursor { char *p, *end; } Cursor;

static bool take(Cursor *c, const char *text) {
        size_t n = strlen(text);

        if ((size_t) (c->end - c->p) < n || memcmp(c->p, text, n) != 0)
                return false;
        c->p += n;
        return true;
}

static bool take_number(Cursor *c, int64_t max, int64_t *ret) {
        bool negative = take(c, "-");
        const char *begin = c->p;
        int64_t v = 0;

        for (; c->p < c->end && *c->p >= '0' && *c->p <= '9' && v <= max; c->p++)
                v = v * 10 + (*c->p - '0');
        *ret = negative ? -v : v;
        return c->p > begin && v <= max;
}

/* A name, which has nothing to be decoded in it. */
static bool skip_name(Cursor *c) {
        char *end = memchr(c->p, '"', (size_t) (c->end - c->p));

        if (!end)
                return false;
        c->p = end + 1;
        return true;
}

usec_t json_line_time(const char *p, size_t n) {
        size_t k = strlen(TIME_KEY);

        return n > k + LINE_STAMP_SIZE && memcmp(p, TIME_KEY, k) == 0 ? line_time(p + k) : 0;
}

static int hex(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* \u00NN is all that the writer makes of \u. */
static char *decode_special(char *to, Cursor *c) {
        static const char from[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
        const char *at;

        if (c->p == c->end)
                return NULL;
        at = *c->p ? strchr(from, *c->p) : NULL;
        if (at) {
                *to++ = meant[at - from];
                c->p++;
                return to;
        }
        if (!take(c, "u00") || c->end - c->p < 2 || hex(c->p[0]) < 0 || hex(c->p[1]) < 0 || hex(c->p[0]) > 7)
                return NULL;
        *to++ = (char) (hex(c->p[0]) << 4 | hex(c->p[1]));
        c->p += 2;
        return to;
}

/* The string at c, up to its quote, decoded to `to`. NULL: it is none. */
static char *decode_string(char *to, Cursor *c) {
        while (to && c->p < c->end && *c->p != '"') {
                if (*c->p != '\\') {
                        *to++ = *c->p++;
                        continue;
                }
                c->p++;
                to = decode_special(to, c);
        }
        return to && take(c, "\"") ? to : NULL;
}

/* "\xNN" and "\\" in what was decoded. Returns its new end. */
static char *decode_escaped(char *p, char *end) {
        char *to = p;

        while (p < end)
                if (end - p >= 4 && p[0] == '\\' && p[1] == 'x' && hex(p[2]) >= 0 && hex(p[3]) >= 0) {
                        *to++ = (char) (hex(p[2]) << 4 | hex(p[3]));
                        p += 4;
                } else {
                        p += end - p >= 2 && p[0] == '\\' && p[1] == '\\';
                        *to++ = *p++;
                }
        return to;
}

/* Whether the string at c ends the line: what decoding in place must know beforehand. */
static bool string_ends_line(Cursor c) {
        if (c.end - c.p < 2 || c.end[-1] != '}' || c.end[-2] != '"')
                return false;
        for (; c.p < c.end && *c.p != '"'; c.p++) {
                char unused[1];
                Cursor special = { c.p + 1, c.end };

                if (*c.p != '\\')
                        continue;
                if (!decode_special(unused, &special))
                        return false;
                c.p = special.p - 1;
        }
        return c.p == c.end - 2;
}

static bool parse_message(Cursor *c, LogRecord *r) {
        bool escaped;
        char *end;

        if (take(c, ",\"json\":")) {
                r->message = c->p;
                r->size = (size_t) (c->end - c->p) - 1;
                return c->end - c->p >= 3 && *c->p == '{' && c->end[-1] == '}' && c->end[-2] == '}';
        }
        escaped = take(c, ",\"escaped\":true");
        if (!take(c, ",\"message\":\"") || !string_ends_line(*c))
                return false;
        r->message = c->p;
        end = decode_string(c->p, c);
        if (end && escaped)
                end = decode_escaped((char *) r->message, end);
        r->size = end ? (size_t) (end - r->message) : 0;
        return end;
}

bool json_line_parse(char *p, size_t n, LogRecord *ret) {
        LogRecord r = { .realtime = json_line_time(p, n) };
        Cursor c = { p + strlen(TIME_KEY) + LINE_STAMP_SIZE, p + n };
        int64_t instance, pid, priority = -1;

        if (r.realtime == 0)
                return false;
        r.stream = take(&c, "\",\"stream\":\"err\"");
        if (!r.stream && !take(&c, "\",\"stream\":\"out\""))
                return false;
        if (!take(&c, ",\"service\":\"") || !skip_name(&c) || !take(&c, ",\"namespace\":\"") || !skip_name(&c) ||
            !take(&c, ",\"instance\":") || !take_number(&c, INT32_MAX, &instance) || !take(&c, ",\"pid\":") || !take_number(&c, INT32_MAX, &pid))
                return false;
        if (take(&c, ",\"priority\":") && (!take_number(&c, 7, &priority) || priority < 0))
                return false;
        r.instance = (int32_t) MAX(instance, (int64_t) 0);
        r.pid = (pid_t) MAX(pid, (int64_t) 0);
        r.level = (int) priority + 1;
        r.partial = take(&c, ",\"partial\":true");
        if (!parse_message(&c, &r))
                return false;
        *ret = r;
        return true;
}
