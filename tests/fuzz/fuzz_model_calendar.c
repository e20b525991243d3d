/* The text of schedule.cron. What is accepted has a time to come, and time goes on. */
#include "model/calendar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_error_ KlError e = {};
        int64_t t = 0, next;
        Calendar c;
        char *text;

        if (size > 1024)
                return 0;
        text = strndup((const char *) data, size);
        if (text && calendar_parse(text, &c, &e) >= 0)
                for (unsigned i = 0; i < 5; i++, t = next) {
                        next = calendar_next(&c, NULL, t);
                        if (next <= t || next == INT64_MAX)
                                abort();
                }
        free(text);
        return 0;
}
