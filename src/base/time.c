/* Points in time as people name them. Must stay true: what is a time at all does not depend on the time zone, only which one it is. */
#include <stdio.h>

#include "base/span.h"

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

static int from_seconds(int64_t t, usec_t usec, usec_t *ret) {
        if (t < 0)
                return -ERANGE;
        *ret = (usec_t) t * USEC_PER_SEC + usec;
        return 0;
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
        return from_seconds(t, usec, ret);
}

/* "today", "yesterday 18:30", "09:00": a day by its distance from today, then the clock, midnight without one; in local time. */
static int parse_day(const char *s, usec_t now, usec_t *ret) {
        static const struct {
                const char *word;
                int days;
        } words[] = { { "today", 0 }, { "yesterday", -1 }, { "tomorrow", 1 }, { "", 0 } };
        time_t second = (time_t) (now / USEC_PER_SEC);
        const char *rest = NULL;
        usec_t usec = 0;
        struct tm tm;
        size_t i = 0;

        while (!rest)
                rest = startswith(s, words[i++].word);
        if (!localtime_r(&second, &tm))
                return -ERANGE;
        tm.tm_mday += words[i - 1].days;
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        tm.tm_isdst = -1;
        if (*words[i - 1].word && *rest)
                rest = *rest == ' ' ? rest + 1 : "";
        else if (*rest == '\0')
                return *words[i - 1].word ? from_seconds(mktime(&tm), 0, ret) : -EINVAL;
        if (!take_clock(&rest, &tm, &usec) || *rest)
                return -EINVAL;
        return from_seconds(mktime(&tm), usec, ret);
}

/* "@1767323045", "@1767323045.000006" */
static int parse_epoch(const char *s, usec_t *ret) {
        usec_t scale = USEC_PER_SEC, usec = 0;
        uint64_t seconds = 0;
        const char *start = s;
        int digit;

        while (take_field(&s, 1, &digit))
                if (__builtin_mul_overflow(seconds, UINT64_C(10), &seconds) || __builtin_add_overflow(seconds, (uint64_t) digit, &seconds))
                        return -ERANGE;
        if (s == start)
                return -EINVAL;
        if (*s == '.' && s[1])
                for (s++; take_field(&s, 1, &digit);)
                        usec += (usec_t) digit * (scale /= 10);
        if (*s)
                return -EINVAL;
        return seconds >= INT64_MAX / USEC_PER_SEC ? -ERANGE : from_seconds((int64_t) seconds, usec, ret);
}

/* "5m", "-5m", "2 hours ago" */
static int parse_back(const char *s, usec_t now, usec_t *ret) {
        _cleanup_free_ char *span = strdup(s + (*s == '-'));
        size_t n = 0, length;
        usec_t back;
        int r;

        if (!span)
                return -ENOMEM;
        length = strlen(span);
        if (length > 4 && streq(span + length - 4, " ago"))
                span[length - 4] = '\0';
        /* A span has no blank between a number and its unit, a person's may. */
        for (const char *p = span; *p; p++)
                if (!(*p == ' ' && p > span && p[-1] >= '0' && p[-1] <= '9' && p[1] >= 'a' && p[1] <= 'z'))
                        span[n++] = *p;
        span[n] = '\0';
        r = parse_span(span, &back);
        if (r < 0)
                return r;
        *ret = back > now ? 0 : now - back;
        return 0;
}

int parse_time(const char *s, usec_t now, usec_t *ret) {
        size_t digits = strspn(s, "0123456789");

        if (streq(s, "now")) {
                *ret = now;
                return 0;
        }
        if (*s == '@')
                return parse_epoch(s + 1, ret);
        if (digits == 4 && s[4] == '-')
                return parse_date_time(s, ret);
        if (*s == 't' || *s == 'y' || (digits == 2 && s[2] == ':'))
                return parse_day(s, now, ret);
        return parse_back(s, now, ret);
}
