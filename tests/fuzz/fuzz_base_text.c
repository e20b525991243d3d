/* Everything in base that reads text of strangers: command lines, spans, sizes, time stamps, UTF-8, paths. What is accepted must survive a
 * round trip, and what is escaped must be harmless. */
#include "base/fd.h"
#include "base/span.h"
#include "base/strv.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

static void check_numbers(const char *s) {
        char buf[FORMAT_MAX];
        uint64_t n, again;
        uint32_t percent;
        int64_t i;

        if (parse_span(s, &n) >= 0)
                check(parse_span(format_span(buf, n, true), &again) >= 0 && again == n);
        if (parse_size(s, &n) >= 0)
                check(parse_size(format_size(buf, n, true), &again) >= 0 && again == n && strlen(format_size(buf, n, false)) < 16);
        if (parse_time(s, INT64_MAX, &n) >= 0)
                check(strlen(format_time(buf, n)) < FORMAT_MAX);
        (void) parse_percent(s, &percent);
        (void) parse_i64(s, &i);
}

static void check_words(const char *s) {
        static const char *const keys[] = { "command", "restart", "instances", NULL };
        _cleanup_strv_ char **words = NULL;
        _cleanup_free_ char *path = path_absolute(s, "/base");

        if (strv_split_command(s, &words) >= 0)
                STRV_FOREACH(w, words)
                        check(strlen(*w) <= strlen(s));
        check(path && path[0] == '/' && !strstr(path, "//") && !strstr(path, "/../") && !strstr(path, "/./"));
        (void) text_nearest(s, keys);
        (void) name_valid(s);
}

static void check_escape(const char *s, size_t size) {
        _cleanup_free_ char *shown = text_escape(s, size);

        check(shown && utf8_valid(shown, strlen(shown)) && utf8_columns(shown) <= strlen(shown));
        for (const char *p = shown; *p; p++)
                check((unsigned char) *p >= ' ' || *p == '\t');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *s = size > 0 ? strndup((const char *) data, size) : strdup("");

        if (!s)
                return 0;
        check_numbers(s);
        check_words(s);
        check_escape((const char *) data, size);
        return 0;
}
