/* The prefix of text lines. Must stay true: stamps have a fixed width, so that both directions are copies and digit arithmetic, never printf
 * or strptime; they are done for each chunk on its way in and for each line on its way out. */
#include "logger/line.h"

#include <ctype.h>
#include <stdio.h>

static void put_digits(char *to, unsigned value, size_t n) {
        while (n-- > 0) {
                to[n] = (char) ('0' + value % 10);
                value /= 10;
        }
}

void line_stamp(char *to, usec_t realtime) {
        static char second_text[FORMAT_MAX]; /* "2026-01-02T03:04:05.000000Z" of cached_second */
        static usec_t cached_second = USEC_INFINITY;
        usec_t second = realtime / USEC_PER_SEC;

        if (second != cached_second) {
                format_time(second_text, second * USEC_PER_SEC);
                cached_second = second;
        }
        memcpy(to, second_text, LINE_STAMP_SIZE);
        put_digits(to + LINE_STAMP_SIZE - 7, (unsigned) (realtime % USEC_PER_SEC), 6);
}

size_t line_prefix(char *to, usec_t realtime, int stream, int32_t instance, bool cut, const char *tag) {
        char label[LINE_PREFIX_MAX - LINE_STAMP_SIZE], number[16] = "";
        int n;

        if (instance >= 0)
                snprintf(number, sizeof(number), "@%" PRIi32, instance);
        n = snprintf(label, sizeof(label), " %s%s%s %s%s%s", stream ? "err" : "out", number, cut ? "+" : "", tag ? "[" : "", tag ?: "", tag ? "] " : "");
        line_stamp(to, realtime);
        memcpy(to + LINE_STAMP_SIZE, label, (size_t) n);
        return LINE_STAMP_SIZE + (size_t) n;
}

/* n digits ended by the character `end`, within a range; moves *p behind them. */
static bool take_number(const char **p, size_t n, char end, unsigned min, unsigned max, unsigned *ret) {
        unsigned value = 0;

        for (size_t i = 0; i < n; i++) {
                if (!isdigit((unsigned char) (*p)[i]))
                        return false;
                value = value * 10 + (unsigned) ((*p)[i] - '0');
        }
        if ((*p)[n] != end || value < min || value > max)
                return false;
        *p += n + 1;
        *ret = value;
        return true;
}

/* Days since 1970-01-01 in the Gregorian calendar; the year starts in March, so that a leap day is the last one of its year. */
static int64_t days_since_epoch(unsigned year, unsigned month, unsigned day) {
        int64_t y = (int64_t) year - (month <= 2), era = y / 400, year_of_era = y - era * 400;
        int64_t day_of_year = (153 * (int64_t) (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

        return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

usec_t line_time(const char *p) {
        unsigned year, month, day, hour, minute, second, micro;
        int64_t days;

        if (!take_number(&p, 4, '-', 1970, 9999, &year) || !take_number(&p, 2, '-', 1, 12, &month) ||
            !take_number(&p, 2, 'T', 1, 31, &day) || !take_number(&p, 2, ':', 0, 23, &hour) ||
            !take_number(&p, 2, ':', 0, 59, &minute) || !take_number(&p, 2, '.', 0, 60, &second) ||
            !take_number(&p, 6, 'Z', 0, 999999, &micro))
                return 0;
        days = days_since_epoch(year, month, day);
        return (usec_t) days * USEC_PER_DAY + hour * USEC_PER_HOUR + minute * USEC_PER_MINUTE + second * USEC_PER_SEC + micro;
}

/* "@3": the number, and *p behind it. -1 where there is none. */
static int32_t take_instance(const char **p, const char *end) {
        int32_t value = 0;
        const char *d;

        if (*p == end || **p != '@')
                return -1;
        for (d = *p + 1; d < end && d < *p + 8 && isdigit((unsigned char) *d); d++)
                value = value * 10 + (*d - '0');
        if (d == *p + 1)
                return -1;
        *p = d;
        return value;
}

void line_parse(const char *p, size_t n, LogRecord *ret) {
        const char *word = p + LINE_STAMP_SIZE, *end = p + n;
        int32_t instance;
        bool err, cut;
        usec_t t;

        *ret = (LogRecord) { .instance = -1, .message = p, .size = n };
        t = n < LINE_PREFIX_SIZE ? 0 : line_time(p);
        if (t == 0)
                return;
        err = memcmp(word, " err", 4) == 0;
        if (!err && memcmp(word, " out", 4) != 0)
                return;
        word += 4;
        instance = take_instance(&word, end);
        cut = word < end && *word == '+';
        word += cut;
        if (word == end || *word++ != ' ')
                return;
        *ret = (LogRecord) { .realtime = t, .stream = err, .instance = instance, .partial = cut, .message = word, .size = (size_t) (end - word) };
}
