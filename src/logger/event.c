/* Must stay true: every true answer takes at least one byte, so that a loop over events ends. */
#include "logger/event.h"

typedef enum Answer { NO, YES, NOT_KNOWN } Answer;

static const char *const beginnings[] = { " ", "\t", "at ", "... ", "Caused by:", "Suppressed:", "Traceback (" };

static bool is_traceback(const char *p, size_t n) {
        return n >= 11 && memcmp(p, "Traceback (", 11) == 0;
}

/* Whether the line at p, of which n bytes are there, continues the one before it. */
static Answer continues(const char *p, size_t n) {
        for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
                size_t k = strlen(beginnings[i]);

                if (*p == beginnings[i][0] && memcmp(p, beginnings[i], MIN(k, n)) == 0)
                        return n >= k ? YES : NOT_KNOWN;
        }
        return NO;
}

static bool found(Event *ret, size_t size, size_t eaten, bool cut) {
        *ret = (Event) { .size = size, .eaten = eaten, .cut = cut };
        return true;
}

/* No newline from `line` on: its end is not there, or further away than fits. */
static bool without_end(const char *p, size_t n, size_t max, size_t line, EventEnd end, Event *ret, bool *ret_pending) {
        *ret_pending = line > 0;
        if (n > max)
                return line > 0 ? found(ret, line - 1, line, false) : found(ret, max, max, true);
        if (end == EVENT_ALL && n > 0)
                return found(ret, n, n, false);
        return end == EVENT_LINES && line > 0 ? found(ret, line - 1, line, false) : false;
}

bool event_next(const char *p, size_t n, size_t max, EventEnd end, Event *ret, bool *ret_pending) {
        bool traceback = is_traceback(p, n);

        for (size_t line = 0;;) {
                const char *newline = line < n ? memchr(p + line, '\n', MIN(n, max + 1) - MIN(line, max + 1)) : NULL;
                size_t next;
                Answer a;

                if (!newline)
                        return without_end(p, n, max, line, end, ret, ret_pending);
                next = (size_t) (newline - p) + 1;
                a = next < n ? continues(p + next, n - next) : NOT_KNOWN;
                if (a == NO && traceback && p[next] != '\n') {
                        a = YES; /* the error that the traceback led to */
                        traceback = false;
                } else if (a == YES && is_traceback(p + next, n - next))
                        traceback = true;
                *ret_pending = a == NOT_KNOWN && end == EVENT_MORE;
                if (*ret_pending)
                        return false;
                if (a != YES)
                        return found(ret, next - 1, next, false);
                line = next;
        }
}
