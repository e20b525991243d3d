/* Scalars as text and back. What must stay true: a field changes only when its text was right to the end, and format writes what parse reads. */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>

#include "base/text.h"
#include "model/key_types.h"

/* ---- ranges ---- */

static bool in_range(const SpecKey *k, int64_t v) {
        return (k->min == 0 && k->max == 0) || (v >= k->min && v <= k->max);
}

static bool in_range_unsigned(const SpecKey *k, uint64_t v) {
        return (k->min == 0 && k->max == 0) || (v <= INT64_MAX && in_range(k, (int64_t) v));
}

/* Process limits start at kingd's own, so that "infinity" has to be told from not being set. */
static bool is_rlimit(const SpecKey *k) {
        size_t first = offsetof(ServiceSpec, limits.rlimit);

        return k->offset >= first && k->offset < first + RLIMIT_KEYS * sizeof(uint64_t);
}

static int set_text(char **ret, char *text) {
        *ret = text;
        return text ? 0 : -ENOMEM;
}

/* ---- text ---- */

static int replace_string(char **field, const char *text) {
        char *copy = NULL;

        if (*text && !(copy = strdup(text)))
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

int key_string_parse(const SpecKey *k, void *field, const char *text) {
        if (!utf8_valid(text, strlen(text)) || strlen(text) > 1024)
                return -EINVAL;
        for (const char *p = text; *p; p++)
                if (iscntrl((unsigned char) *p))
                        return -EINVAL;
        return replace_string(field, text);
}

/* Whatever user databases hold, but nothing that could be a list, a path or an option. */
int key_name_parse(const SpecKey *k, void *field, const char *text) {
        if (!*text || *text == '-' || strlen(text) > 256 || strpbrk(text, ":/,"))
                return -EINVAL;
        for (const char *p = text; *p; p++)
                if (iscntrl((unsigned char) *p) || *p == ' ')
                        return -EINVAL;
        return replace_string(field, text);
}

int key_path_parse(const SpecKey *k, void *field, const char *text) {
        return *text ? replace_string(field, text) : -EINVAL;
}

int key_string_format(const SpecKey *k, const void *field, char **ret) {
        const char *s = *(char *const *) field;

        *ret = NULL;
        return s ? set_text(ret, strdup(s)) : 0;
}

bool key_string_equal(const void *a, const void *b) {
        return streq(*(char *const *) a, *(char *const *) b);
}

int key_string_copy(void *to, const void *from) {
        return key_string_format(NULL, from, to);
}

void key_string_done(void *field) {
        free(*(char **) field);
}

/* ---- words ---- */

int key_bool_parse(const SpecKey *k, void *field, const char *text) {
        if (!streq(text, "true") && !streq(text, "false"))
                return -EINVAL;
        *(bool *) field = *text == 't';
        return 0;
}

int key_bool_format(const SpecKey *k, const void *field, char **ret) {
        return set_text(ret, strdup(*(const bool *) field ? "true" : "false"));
}

int key_enum_parse(const SpecKey *k, void *field, const char *text) {
        for (int i = 0; k->names[i]; i++)
                if (streq(k->names[i], text)) {
                        *(int *) field = i;
                        return 0;
                }
        return -EINVAL;
}

int key_enum_format(const SpecKey *k, const void *field, char **ret) {
        return set_text(ret, strdup(k->names[*(const int *) field]));
}

/* "RTMIN+3", "RTMAX-1" */
static int parse_realtime_signal(const char *text) {
        bool from_max = strncasecmp(text, "RTMAX", 5) == 0;
        uint64_t n = 0;
        int sig;

        if (!from_max && strncasecmp(text, "RTMIN", 5) != 0)
                return -EINVAL;
        if (text[5] && (text[5] != (from_max ? '-' : '+') || parse_u64(text + 6, &n) < 0 || n > 64))
                return -EINVAL;
        sig = from_max ? SIGRTMAX - (int) n : SIGRTMIN + (int) n;
        return sig >= SIGRTMIN && sig <= SIGRTMAX ? sig : -EINVAL;
}

static int parse_signal(const char *text) {
        uint64_t n;

        if (parse_u64(text, &n) >= 0)
                return n >= 1 && n <= (uint64_t) SIGRTMAX && (n >= (uint64_t) SIGRTMIN || sigabbrev_np((int) n)) ? (int) n : -EINVAL;
        if (strncasecmp(text, "SIG", 3) == 0)
                text += 3;
        for (int sig = 1; sig < SIGRTMIN; sig++) {
                const char *name = sigabbrev_np(sig);

                if (name && strcasecmp(name, text) == 0)
                        return sig;
        }
        return parse_realtime_signal(text);
}

int key_signal_parse(const SpecKey *k, void *field, const char *text) {
        int sig = parse_signal(text);

        if (sig < 0)
                return sig;
        *(int *) field = sig;
        return 0;
}

int key_signal_format(const SpecKey *k, const void *field, char **ret) {
        int sig = *(const int *) field;

        if (sig == 0) {
                *ret = NULL;
                return 0;
        }
        return set_text(ret, sig < SIGRTMIN ? text_printf("SIG%s", sigabbrev_np(sig) ?: "?") : text_printf("SIGRTMIN+%i", sig - SIGRTMIN));
}

int key_instances_parse(const SpecKey *k, void *field, const char *text) {
        int64_t v;

        if (streq(text, "max")) {
                *(int32_t *) field = INSTANCES_MAX;
                return 0;
        }
        if (parse_i64(text, &v) < 0 || v == INSTANCES_MAX)
                return -EINVAL;
        if (!in_range(k, v))
                return -ERANGE;
        *(int32_t *) field = (int32_t) v;
        return 0;
}

int key_instances_format(const SpecKey *k, const void *field, char **ret) {
        int32_t v = *(const int32_t *) field;

        return set_text(ret, v == INSTANCES_MAX ? strdup("max") : text_printf("%i", v));
}

/* ---- numbers ---- */

int key_int32_parse(const SpecKey *k, void *field, const char *text) {
        int64_t v;
        int r;

        r = parse_i64(text, &v);
        if (r < 0)
                return r;
        if (!in_range(k, v) || v <= INT32_MIN || v > INT32_MAX)
                return -ERANGE;
        *(int32_t *) field = (int32_t) v;
        return 0;
}

int key_int32_format(const SpecKey *k, const void *field, char **ret) {
        int32_t v = *(const int32_t *) field;

        *ret = NULL;
        return v == INT_UNSET ? 0 : set_text(ret, text_printf("%i", v));
}

static int store_uint32(const SpecKey *k, void *field, uint64_t v) {
        if (!in_range_unsigned(k, v) || v > UINT32_MAX)
                return -ERANGE;
        *(uint32_t *) field = (uint32_t) v;
        return 0;
}

int key_uint32_parse(const SpecKey *k, void *field, const char *text) {
        uint64_t v;
        int r;

        r = parse_u64(text, &v);
        return r < 0 ? r : store_uint32(k, field, v);
}

/* 0 is "unset" where it is no value: below the least one. */
static bool uint32_unset(const SpecKey *k, const void *field) {
        return k->min > 0 && *(const uint32_t *) field == 0;
}

int key_uint32_format(const SpecKey *k, const void *field, char **ret) {
        *ret = NULL;
        return uint32_unset(k, field) ? 0 : set_text(ret, text_printf("%" PRIu32, *(const uint32_t *) field));
}

int key_percent_parse(const SpecKey *k, void *field, const char *text) {
        uint32_t v;
        int r;

        r = parse_percent(text, &v);
        return r < 0 ? r : store_uint32(k, field, v);
}

int key_percent_format(const SpecKey *k, const void *field, char **ret) {
        *ret = NULL;
        return uint32_unset(k, field) ? 0 : set_text(ret, text_printf("%" PRIu32 "%%", *(const uint32_t *) field));
}

/* "2", "1.5", "1.25" → hundredths */
int key_factor_parse(const SpecKey *k, void *field, const char *text) {
        size_t whole_digits = strspn(text, "0123456789"), places;
        const char *fraction = text + whole_digits;
        uint32_t v = 0;

        if (*fraction == '.')
                fraction++;
        places = strspn(fraction, "0123456789");
        if (whole_digits == 0 || fraction[places] || places > 2 || (text[whole_digits] && places == 0))
                return -EINVAL;
        if (whole_digits > 6)
                return -ERANGE;
        for (size_t i = 0; i < whole_digits; i++)
                v = v * 10 + (uint32_t) (text[i] - '0');
        for (size_t i = 0; i < 2; i++)
                v = v * 10 + (i < places ? (uint32_t) (fraction[i] - '0') : 0);
        return store_uint32(k, field, v);
}

int key_factor_format(const SpecKey *k, const void *field, char **ret) {
        uint32_t v = *(const uint32_t *) field;

        if (v % 10)
                return set_text(ret, text_printf("%" PRIu32 ".%02" PRIu32, v / 100, v % 100));
        if (v % 100)
                return set_text(ret, text_printf("%" PRIu32 ".%" PRIu32, v / 100, v % 100 / 10));
        return set_text(ret, text_printf("%" PRIu32, v / 100));
}

int key_octal_parse(const SpecKey *k, void *field, const char *text) {
        size_t n = strspn(text, "01234567");

        if (n == 0 || n > 10 || text[n])
                return -EINVAL;
        return store_uint32(k, field, strtoul(text, NULL, 8));
}

int key_octal_format(const SpecKey *k, const void *field, char **ret) {
        uint32_t v = *(const uint32_t *) field;

        *ret = NULL;
        return v == UINT32_MAX ? 0 : set_text(ret, text_printf("%04" PRIo32, v));
}

/* ---- counts, sizes, spans ---- */

static int store_uint64(const SpecKey *k, void *field, uint64_t v) {
        if (v == LIMIT_UNSET && is_rlimit(k))
                v = LIMIT_INFINITY;
        else if (v != LIMIT_UNSET && !in_range_unsigned(k, v))
                return -ERANGE;
        *(uint64_t *) field = v;
        return 0;
}

/* The largest number is "infinity" for a key that has a default, and not being set for one that has none. */
static bool uint64_named(const SpecKey *k, const void *field, char **ret, int *ret_r) {
        uint64_t v = *(const uint64_t *) field;

        *ret = NULL;
        *ret_r = 0;
        if (v == LIMIT_UNSET && !k->fallback)
                return true;
        if (v != LIMIT_UNSET && !(v == LIMIT_INFINITY && is_rlimit(k)))
                return false;
        *ret_r = set_text(ret, strdup("infinity"));
        return true;
}

int key_uint64_parse(const SpecKey *k, void *field, const char *text) {
        uint64_t v = LIMIT_UNSET;
        int r;

        if (streq(text, "infinity"))
                return store_uint64(k, field, v);
        r = parse_u64(text, &v);
        if (r < 0)
                return r;
        return v == LIMIT_UNSET ? -ERANGE : store_uint64(k, field, v);
}

int key_uint64_format(const SpecKey *k, const void *field, char **ret) {
        int r;

        return uint64_named(k, field, ret, &r) ? r : set_text(ret, text_printf("%" PRIu64, *(const uint64_t *) field));
}

int key_size_parse(const SpecKey *k, void *field, const char *text) {
        uint64_t v;
        int r;

        r = parse_size(text, &v);
        return r < 0 ? r : store_uint64(k, field, v);
}

int key_size_format(const SpecKey *k, const void *field, char **ret) {
        char buf[FORMAT_MAX];
        int r;

        return uint64_named(k, field, ret, &r) ? r : set_text(ret, strdup(format_size(buf, *(const uint64_t *) field, true)));
}

/* A span with a greatest value cannot be infinite. */
int key_span_parse(const SpecKey *k, void *field, const char *text) {
        usec_t v;
        int r;

        r = parse_span(text, &v);
        if (r < 0)
                return r;
        if (!in_range_unsigned(k, v))
                return -ERANGE;
        *(usec_t *) field = v;
        return 0;
}

int key_span_format(const SpecKey *k, const void *field, char **ret) {
        char buf[FORMAT_MAX];

        return set_text(ret, strdup(format_span(buf, *(const usec_t *) field, true)));
}
