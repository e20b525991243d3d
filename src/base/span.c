/* Time spans, sizes, percentages and time stamps: text ↔ number. Pure but for now_usec(). All
 * arithmetic is on integers and checked; no float ever touches a value, so no locale and no rounding can change one. */
#include "base/span.h"

#include <stdio.h>
#include <strings.h>

usec_t usec_add(usec_t a, usec_t b) {
        usec_t sum;

        return __builtin_add_overflow(a, b, &sum) ? USEC_INFINITY : sum;
}

usec_t now_usec(clockid_t clock) {
        struct timespec ts;

        if (clock_gettime(clock, &ts) < 0)
                return 0;
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

/* Digits at *s, which moves behind them; at least one is wanted. */
static int take_digits(const char **s, uint64_t *ret) {
        const char *p = *s;
        uint64_t v = 0;

        if (*p < '0' || *p > '9')
                return -EINVAL;
        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, (uint64_t) (*p - '0'), &v))
                        return -ERANGE;
        *s = p;
        *ret = v;
        return 0;
}

int parse_u64(const char *s, uint64_t *ret) {
        uint64_t v;
        int r;

        r = take_digits(&s, &v);
        if (r < 0)
                return r;
        if (*s)
                return -EINVAL;
        *ret = v;
        return 0;
}

int parse_i64(const char *s, int64_t *ret) {
        bool negative = *s == '-';
        uint64_t v;
        int r;

        r = parse_u64(s + negative, &v);
        if (r < 0)
                return r;
        if (v > (uint64_t) INT64_MAX + negative)
                return -ERANGE;
        *ret = negative ? (int64_t) (0 - v) : (int64_t) v;
        return 0;
}

int parse_percent(const char *s, uint32_t *ret) {
        uint64_t v;
        int r;

        r = take_digits(&s, &v);
        if (r < 0)
                return r;
        if (!streq(s, "%"))
                return -EINVAL;
        if (v > UINT32_MAX)
                return -ERANGE;
        *ret = (uint32_t) v;
        return 0;
}

/* A number with an optional fraction, kept as digits: the fraction is numerator/denominator and at most 9 places long. */
typedef struct Decimal {
        uint64_t whole, numerator, denominator;
} Decimal;

static int take_decimal(const char **s, Decimal *ret) {
        Decimal d = { .denominator = 1 };
        const char *start;
        int r;

        r = take_digits(s, &d.whole);
        if (r < 0)
                return r;
        if (**s == '.') {
                start = ++*s;
                r = take_digits(s, &d.numerator);
                if (r < 0 || *s - start > 9)
                        return -EINVAL;
                for (; start < *s; start++)
                        d.denominator *= 10;
        }
        *ret = d;
        return 0;
}

static int decimal_times(const Decimal *d, uint64_t unit, uint64_t *ret) {
        unsigned __int128 v = (unsigned __int128) d->whole * unit + (unsigned __int128) d->numerator * unit / d->denominator;

        if (v >= UINT64_MAX)
                return -ERANGE;
        *ret = (uint64_t) v;
        return 0;
}

static const struct SpanUnit {
        const char *name;
        usec_t usec;
        bool shown; /* used by format_span */
} span_units[] = {
        /* Largest first; the order is also the order in which a span must name them. */
        { "w", 7 * USEC_PER_DAY, false },
        { "week", 7 * USEC_PER_DAY, false },
        { "weeks", 7 * USEC_PER_DAY, false },
        { "d", USEC_PER_DAY, true },
        { "day", USEC_PER_DAY, false },
        { "days", USEC_PER_DAY, false },
        { "h", USEC_PER_HOUR, true },
        { "hr", USEC_PER_HOUR, false },
        { "hour", USEC_PER_HOUR, false },
        { "hours", USEC_PER_HOUR, false },
        { "m", USEC_PER_MINUTE, true },
        { "min", USEC_PER_MINUTE, false },
        { "minute", USEC_PER_MINUTE, false },
        { "minutes", USEC_PER_MINUTE, false },
        { "s", USEC_PER_SEC, true },
        { "sec", USEC_PER_SEC, false },
        { "second", USEC_PER_SEC, false },
        { "seconds", USEC_PER_SEC, false },
        { "ms", USEC_PER_MSEC, true },
        { "msec", USEC_PER_MSEC, false },
        { "us", 1, true },
        { "usec", 1, false },
};

/* The unit's name at *s, which moves behind it; 0 where no unit of that name is. */
static usec_t take_span_unit(const char **s) {
        size_t n = strspn(*s, "abcdefghijklmnopqrstuvwxyz");

        for (size_t i = 0; i < ARRAY_SIZE(span_units); i++)
                if (strlen(span_units[i].name) == n && strncmp(*s, span_units[i].name, n) == 0) {
                        *s += n;
                        return span_units[i].usec;
                }
        return 0;
}

int parse_span(const char *s, usec_t *ret) {
        usec_t total = 0, last = USEC_INFINITY;
        int r;

        if (streq(s, "infinity")) {
                *ret = USEC_INFINITY;
                return 0;
        }
        do {
                usec_t unit, part;
                Decimal d;

                r = take_decimal(&s, &d);
                if (r < 0)
                        return r;
                unit = *s || last != USEC_INFINITY ? take_span_unit(&s) : USEC_PER_SEC;
                if (unit == 0 || unit >= last || (d.denominator > 1 && *s))
                        return -EINVAL;
                r = decimal_times(&d, unit, &part);
                if (r < 0)
                        return r;
                total = usec_add(total, part);
                if (total == USEC_INFINITY)
                        return -ERANGE;
                last = unit;
                if (*s == ' ' && s[1])
                        s++;
        } while (*s);
        *ret = total;
        return 0;
}

int parse_size(const char *s, uint64_t *ret) {
        static const char letters[] = "KMGTPE";
        const char *letter;
        unsigned shift = 0;
        Decimal d;
        int r;

        if (streq(s, "infinity")) {
                *ret = SIZE_INFINITY;
                return 0;
        }
        r = take_decimal(&s, &d);
        if (r < 0)
                return r;
        letter = memchr(letters, *s & ~0x20, sizeof(letters) - 1); /* not strchr: it would find the NUL for a blank */
        if (letter) {
                shift = 10 * (unsigned) (letter - letters + 1);
                s++;
        }
        if (*s && strcasecmp(s, "B") != 0 && !(letter && strcasecmp(s, "iB") == 0))
                return -EINVAL;
        if (shift == 0 && d.denominator > 1)
                return -EINVAL;
        return decimal_times(&d, UINT64_C(1) << shift, ret);
}

const char *format_span(char buf[FORMAT_MAX], usec_t t, bool exact) {
        size_t used = 0;
        usec_t step = 0; /* the largest unit was printed: one more may follow, if it is the very next */
        bool more = true;

        if (t == USEC_INFINITY)
                return strcpy(buf, "infinity");
        if (t == 0)
                return strcpy(buf, "0");
        for (size_t i = 0; i < ARRAY_SIZE(span_units) && more && t > 0; i++) {
                const struct SpanUnit *u = &span_units[i];
                uint64_t n = t / u->usec;

                if (!u->shown)
                        continue;
                if (n > 0)
                        used += (size_t) snprintf(buf + used, FORMAT_MAX - used, "%s%" PRIu64 "%s", !exact && step ? " " : "", n, u->name);
                t %= u->usec;
                more = exact || (step == 0 && (n == 0 || u->usec >= USEC_PER_SEC));
                if (n > 0)
                        step = u->usec;
        }
        return buf;
}

const char *format_size(char buf[FORMAT_MAX], uint64_t n, bool exact) {
        static const char letters[] = "KMGTPE";
        unsigned i = 0;
        uint64_t tenths;

        if (n == SIZE_INFINITY)
                return strcpy(buf, "infinity");
        if (exact) {
                for (; i < 6 && n > 0 && n % 1024 == 0; i++)
                        n /= 1024;
                snprintf(buf, FORMAT_MAX, "%" PRIu64 "%.*s", n, i > 0, i > 0 ? &letters[i - 1] : "");
                return buf;
        }
        if (n < 1024) {
                snprintf(buf, FORMAT_MAX, "%" PRIu64 "B", n);
                return buf;
        }
        /* 1023.95K would read "1024.0K": the letter is chosen after rounding. */
        for (i = 0; i < 5 && (n >> (10 * (i + 1))) >= 1024; i++)
                ;
        tenths = (uint64_t) (((unsigned __int128) n * 10 + (UINT64_C(1) << (10 * (i + 1) - 1))) >> (10 * (i + 1)));
        if (tenths >= 10240 && i < 5) {
                tenths = 10;
                i++;
        }
        snprintf(buf, FORMAT_MAX, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10, letters[i]);
        return buf;
}

/* Days since 1970-01-01 → a civil date, in the proleptic Gregorian calendar with years that begin in March. Not gmtime_r(3), which may read
 * time zone files and allocate: the log uses this. */
static void civil_date(uint64_t days, uint64_t *ret_year, unsigned *ret_month, unsigned *ret_day) {
        uint64_t z = days + 719468, era = z / 146097;
        unsigned of_era = (unsigned) (z % 146097);
        unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
        unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
        unsigned month = (5 * of_year + 2) / 153;

        *ret_day = of_year - (153 * month + 2) / 5 + 1;
        *ret_month = month < 10 ? month + 3 : month - 9;
        *ret_year = era * 400 + year + (*ret_month <= 2);
}

const char *format_time(char buf[FORMAT_MAX], usec_t realtime) {
        unsigned month, day, second = (unsigned) (realtime % USEC_PER_DAY / USEC_PER_SEC);
        uint64_t year;

        if (realtime == USEC_INFINITY)
                return strcpy(buf, "infinity");
        civil_date(realtime / USEC_PER_DAY, &year, &month, &day);
        snprintf(buf, FORMAT_MAX, "%04" PRIu64 "-%02u-%02uT%02u:%02u:%02u.%06uZ", year, month, day, second / 3600, second / 60 % 60,
                 second % 60, (unsigned) (realtime % USEC_PER_SEC));
        return buf;
}
