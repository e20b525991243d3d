/* See zone_rule.h. Must stay true: nothing is read beyond the end of the text; a rule that was accepted has an answer for every time. */
#include "model/zone_rule.h"

/* ---- reading ---- */

typedef struct Text {
        const char *p, *end;
} Text;

static bool take(Text *t, char c) {
        bool there = t->p < t->end && *t->p == c;

        t->p += there;
        return there;
}

static bool take_number(Text *t, unsigned max, unsigned *ret) {
        const char *begin = t->p;
        unsigned n = 0;

        for (; t->p < t->end && *t->p >= '0' && *t->p <= '9' && n <= max; t->p++)
                n = n * 10 + (unsigned) (*t->p - '0');
        *ret = n;
        return t->p > begin && n <= max;
}

/* "CET", or "<+03>". */
static bool take_name(Text *t) {
        const char *begin = t->p;

        if (take(t, '<')) {
                while (t->p < t->end && *t->p != '>')
                        t->p++;
                return take(t, '>');
        }
        while (t->p < t->end && ((*t->p >= 'A' && *t->p <= 'Z') || (*t->p >= 'a' && *t->p <= 'z')))
                t->p++;
        return t->p - begin >= 3;
}

/* "[+-]hh[:mm[:ss]]" in seconds. */
static bool take_time(Text *t, unsigned hours, int32_t *ret) {
        bool negative = take(t, '-');
        unsigned h, m = 0, s = 0;

        if (!negative)
                (void) take(t, '+');
        if (!take_number(t, hours, &h) || (take(t, ':') && (!take_number(t, 59, &m) || (take(t, ':') && !take_number(t, 59, &s)))))
                return false;
        *ret = (int32_t) (h * 3600 + m * 60 + s) * (negative ? -1 : 1);
        return true;
}

static bool take_day(Text *t, ZoneDay *ret) {
        bool ok;

        if (take(t, 'M')) {
                ret->kind = ZONE_DAY_WEEK;
                ok = take_number(t, 12, &ret->month) && ret->month > 0 && take(t, '.') && take_number(t, 5, &ret->week) && ret->week > 0 &&
                     take(t, '.') && take_number(t, 6, &ret->day);
        } else if (take(t, 'J')) {
                ret->kind = ZONE_DAY_JULIAN;
                ok = take_number(t, 365, &ret->day) && ret->day > 0;
        } else {
                ret->kind = ZONE_DAY_OF_YEAR;
                ok = take_number(t, 365, &ret->day);
        }
        ret->time = 2 * 3600;
        return ok && (!take(t, '/') || take_time(t, 167, &ret->time));
}

int zone_rule_parse(const char *text, size_t n, ZoneRule *ret) {
        Text t = { text, text + n };
        ZoneRule r = {};

        if (!take_name(&t) || !take_time(&t, 24, &r.standard))
                return -EBADMSG;
        r.standard = r.summer = -r.standard;     /* POSIX counts westward */
        if (t.p < t.end) {
                r.changes = true;
                r.summer = r.standard + 3600;
                if (!take_name(&t))
                        return -EBADMSG;
                if (t.p < t.end && *t.p != ',') {
                        if (!take_time(&t, 24, &r.summer))
                                return -EBADMSG;
                        r.summer = -r.summer;
                }
                if (!take(&t, ',') || !take_day(&t, &r.to_summer) || !take(&t, ',') || !take_day(&t, &r.to_standard))
                        return -EBADMSG;
        }
        *ret = r;
        return t.p == t.end ? 0 : -EBADMSG;
}

/* ---- asking ---- */

/* That day's midnight and what comes behind it, on the wall. */
static int64_t wall_time(const ZoneDay *d, int64_t year) {
        int64_t days = days_from_date(year, 1, 1);

        if (d->kind == ZONE_DAY_WEEK) {
                unsigned last = days_of_month(year, d->month), day;

                days = days_from_date(year, d->month, 1);
                day = (d->day + 7 - weekday_of(days)) % 7 + (d->week - 1) * 7;
                days += day < last ? day : day - 7;
        } else if (d->kind == ZONE_DAY_JULIAN)
                days += (int64_t) d->day - 1 + (d->day > 59 && days_of_month(year, 2) == 29);
        else
                days += d->day;
        return days * SECONDS_PER_DAY + d->time;
}

typedef struct Change {
        int64_t at;
        int32_t to;
} Change;

/* In order of time; of two at once the summer comes last, so that one that never ends is one. */
static void sort_changes(Change *c, size_t n, int32_t summer) {
        for (size_t i = 1; i < n; i++)
                for (size_t k = i; k > 0 && (c[k - 1].at > c[k].at || (c[k - 1].at == c[k].at && c[k - 1].to == summer)); k--) {
                        Change other = c[k];

                        c[k] = c[k - 1];
                        c[k - 1] = other;
                }
}

/* The changes of the years around t are enough: each year has two. */
ZoneSpan zone_rule_span(const ZoneRule *r, int64_t t) {
        ZoneSpan s = { INT64_MIN, INT64_MAX, r->standard, r->standard };
        Change c[10];
        int64_t year;
        unsigned month, day;
        size_t n = 0;

        if (!r->changes)
                return s;
        date_from_days(floor_div(t, SECONDS_PER_DAY), &year, &month, &day);
        for (int64_t y = year - 2; y <= year + 2; y++) {
                c[n++] = (Change) { wall_time(&r->to_summer, y) - r->standard, r->summer };
                c[n++] = (Change) { wall_time(&r->to_standard, y) - r->summer, r->standard };
        }
        sort_changes(c, n, r->summer);
        for (size_t i = 1; i < n && s.end == INT64_MAX; i++)
                if (c[i].at > t) {
                        s = (ZoneSpan) { c[i - 1].at, c[i].at, c[i - 1].to, i > 1 ? c[i - 2].to : c[i].to };
                }
        return s;
}
