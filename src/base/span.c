/* Time spans, sizes, percentages and time stamps: text ↔ number. Pure but for now_usec() and the local time zone in parse_time(). All
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
        { "d", USEC_PER_DAY, true },
        { "day", USEC_PER_DAY, false },
        { "days", USEC_PER_DAY, false },
        { "h", USEC_PER_HOUR, true },
        { "hr", USEC_PER_HOUR, false },
        { "m", USEC_PER_MINUTE, true },
        { "min", USEC_PER_MINUTE, false },
        { "s", USEC_PER_SEC, true },
        { "sec", USEC_PER_SEC, false },
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

/* Exactly n digits. */
static bool take_field(const char **s, unsigned n, int *ret) {
        int v = 0;

        for (; n > 0; n--, (*s)++) {
                if (**s < '0' || **s > '9')
                        return false;
                v = v * 10 + (**s - '0');
        }
        *ret = v;
        return true;
}

static bool take_char(const char **s, const char *one_of) {
        bool there = **s && strchr(one_of, **s);

        *s += there;
        return there;
}

static bool take_date(const char **s, struct tm *tm) {
        static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        int year, last;

        if (!take_field(s, 4, &year) || !take_char(s, "-") || !take_field(s, 2, &tm->tm_mon) || !take_char(s, "-") ||
            !take_field(s, 2, &tm->tm_mday))
                return false;
        if (tm->tm_mon < 1 || tm->tm_mon > 12)
                return false;
        tm->tm_year = year - 1900;
        tm->tm_mon--;
        last = days[tm->tm_mon] + (tm->tm_mon == 1 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
        return tm->tm_mday >= 1 && tm->tm_mday <= last;
}

/* " HH:MM[:SS[.frac]]" behind a date; microseconds through ret_usec, places beyond them are dropped. */
static bool take_clock(const char **s, struct tm *tm, usec_t *ret_usec) {
        usec_t scale = USEC_PER_SEC;
        int digit;

        if (!take_field(s, 2, &tm->tm_hour) || !take_char(s, ":") || !take_field(s, 2, &tm->tm_min))
                return false;
        if (take_char(s, ":") && !take_field(s, 2, &tm->tm_sec))
                return false;
        if (take_char(s, ".")) {
                if (!take_field(s, 1, &digit))
                        return false;
                do {
                        scale /= 10;
                        *ret_usec += (usec_t) digit * scale;
                } while (take_field(s, 1, &digit));
        }
        return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

/* "Z" or "+HH:MM"; seconds east of UTC. */
static bool take_zone(const char **s, int *ret_east) {
        bool west = **s == '-';
        int h, m;

        *ret_east = 0;
        if (take_char(s, "Zz"))
                return true;
        if (!take_char(s, "+-") || !take_field(s, 2, &h) || !take_char(s, ":") || !take_field(s, 2, &m) || h > 23 || m > 59)
                return false;
        *ret_east = (west ? -1 : 1) * (h * 3600 + m * 60);
        return true;
}

static int parse_date_time(const char *s, usec_t *ret) {
        struct tm tm = { .tm_isdst = -1 };
        bool zoned = false;
        usec_t usec = 0;
        int east = 0;
        int64_t t;

        if (!take_date(&s, &tm))
                return -EINVAL;
        if (take_char(&s, " Tt")) {
                if (!take_clock(&s, &tm, &usec))
                        return -EINVAL;
                zoned = *s != '\0';
                if (zoned && !take_zone(&s, &east))
                        return -EINVAL;
        }
        if (*s)
                return -EINVAL;
        t = zoned ? (int64_t) timegm(&tm) - east : (int64_t) mktime(&tm);
        if (t < 0)
                return -ERANGE;
        *ret = (usec_t) t * USEC_PER_SEC + usec;
        return 0;
}

int parse_time(const char *s, usec_t now, usec_t *ret) {
        _cleanup_free_ char *span = NULL;
        size_t n = strlen(s);
        usec_t back;
        int r;

        if (n > 5 && strchr(s, '-') == s + 4)
                return parse_date_time(s, ret);
        if (*s == '-')
                s++, n--;
        if (n > 4 && streq(s + n - 4, " ago"))
                n -= 4;
        span = strndup(s, n);
        if (!span)
                return -ENOMEM;
        r = parse_span(span, &back);
        if (r < 0)
                return r;
        *ret = back > now ? 0 : now - back;
        return 0;
}
