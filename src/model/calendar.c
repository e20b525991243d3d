/* See calendar.h: the search. Wall time is counted in seconds as if the wall were in UTC. */
#include "model/calendar.h"

#define CYCLE (146097LL * SECONDS_PER_DAY)     /* 400 years */
#define ALL_HOURS ((1U << 24) - 1)

/* The lowest bit from `from` on; -1: none. */
static int next_bit(uint64_t mask, int from) {
        mask = from < 64 ? mask >> from : 0;
        return mask ? from + __builtin_ctzll(mask) : -1;
}

/* The first time of day from `from` on; -1: none. */
static int64_t next_clock(const Calendar *c, int64_t from) {
        int h = (int) (from / 3600), m = (int) (from / 60 % 60), s = (int) (from % 60);

        if (c->hours >> h & 1 && c->minutes >> m & 1 && (s = next_bit(c->seconds, s)) >= 0)
                return h * 3600 + m * 60 + s;
        if (c->hours >> h & 1 && (m = next_bit(c->minutes, m + 1)) >= 0)
                return h * 3600 + m * 60 + next_bit(c->seconds, 0);
        h = next_bit(c->hours, h + 1);
        return h < 0 ? -1 : h * 3600 + next_bit(c->minutes, 0) * 60 + next_bit(c->seconds, 0);
}

/* The workday nearest to a day of the month, within the same month. first: the weekday of the 1st. */
static unsigned near_workday(unsigned day, unsigned last, unsigned first) {
        unsigned weekday = (first + day - 1) % 7;

        if (weekday == 6)
                return day > 1 ? day - 1 : day + 2;
        if (weekday == 0)
                return day < last ? day + 1 : day - 2;
        return day;
}

static bool day_fits(const Calendar *c, unsigned day, unsigned last, unsigned first) {
        if (c->days >> day & 1 || (c->last_day && day == last) || (c->last_workday && day == near_workday(last, last, first)))
                return true;
        for (unsigned d = 1; d <= last && c->near_days; d++)
                if (c->near_days >> d & 1 && near_workday(d, last, first) == day)
                        return true;
        return false;
}

static bool weekday_fits(const Calendar *c, unsigned day, unsigned last, unsigned weekday) {
        if ((c->weekdays | c->nth_weekdays[(day - 1) / 7 + 1]) >> weekday & 1)
                return true;
        return day + 7 > last && c->nth_weekdays[0] >> weekday & 1;
}

static bool date_fits(const Calendar *c, int64_t days, int64_t year, unsigned month, unsigned day) {
        unsigned last = days_of_month(year, month), weekday = weekday_of(days), first = weekday_of(days - day + 1);
        bool by_day = day_fits(c, day, last, first), by_weekday = weekday_fits(c, day, last, weekday);

        return c->either ? by_day || by_weekday : by_day && by_weekday;
}

/* The first wall time from `from` on; INT64_MAX: none before `until`. */
static int64_t next_wall(const Calendar *c, int64_t from, int64_t until) {
        int64_t days = floor_div(from, SECONDS_PER_DAY), year, clock = from - days * SECONDS_PER_DAY;
        unsigned month, day;

        for (date_from_days(days, &year, &month, &day); days * SECONDS_PER_DAY < until; clock = 0) {
                if (c->months >> month & 1 && date_fits(c, days, year, month, day)) {
                        int64_t at = next_clock(c, clock);

                        if (at >= 0)
                                return days * SECONDS_PER_DAY + at < until ? days * SECONDS_PER_DAY + at : INT64_MAX;
                }
                days += c->months >> month & 1 ? 1 : days_of_month(year, month) - day + 1;
                date_from_days(days, &year, &month, &day);
        }
        return INT64_MAX;
}

int64_t calendar_next(const Calendar *c, const Zone *z, int64_t after) {
        int64_t t = after + 1, limit = t + CYCLE;
        bool fixed = c->hours != ALL_HOURS;

        while (t < limit) {
                ZoneSpan s = zone_span(z, t);
                int64_t from = t + s.offset, until = MIN(s.end, limit) + s.offset, wall;

                if (fixed && s.begin > INT64_MIN) {
                        if (t == s.begin && next_wall(c, s.begin + s.before, s.begin + s.offset) != INT64_MAX)
                                return t;
                        from = MAX(from, s.begin + s.before);
                }
                wall = next_wall(c, from, until);
                if (wall != INT64_MAX)
                        return wall - s.offset;
                t = MIN(s.end, limit);
        }
        return INT64_MAX;
}
