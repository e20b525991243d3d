/* Calendars and time zones: what is read, what is refused, known days, the changes of the clocks, and years of random expressions against
 * glibc's own clocks. */
#include "unit.inc.h"

#include <stdio.h>
#include <time.h>

#include "model/calendar.h"

/* KINGLY_SEED repeats a run. */
static uint64_t test_seed(void) {
        const char *given = getenv("KINGLY_SEED");
        uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t) time(NULL);

        print_message("KINGLY_SEED=%" PRIu64 "\n", seed);
        return seed;
}

/* splitmix64 */
static uint64_t test_random(uint64_t *state) {
        uint64_t z = *state += 0x9e3779b97f4a7c15;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
}

static Zone *zone_of(const char *name) {
        static char data[ZONE_FILE_MAX];
        char path[200];
        Zone *z = NULL;
        size_t n;
        FILE *f;

        snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
        f = fopen(path, "re");
        if (!f)
                return NULL;
        n = fread(data, 1, sizeof data, f);
        fclose(f);
        if (zone_parse(data, n, &z) < 0)
                fail_msg("%s cannot be read", name);
        return z;
}

/* "2026-03-29 02:30" as seconds, as if the wall were in UTC. */
static int64_t at(const char *text) {
        int y, mo, d, h, mi, s = 0;

        assert_true(sscanf(text, "%d-%d-%d %d:%d:%d", &y, &mo, &d, &h, &mi, &s) >= 5);
        return days_from_date(y, (unsigned) mo, (unsigned) d) * SECONDS_PER_DAY + h * 3600 + mi * 60 + s;
}

static const char *shown(int64_t t) {
        static char buf[4][40];
        static unsigned i;
        unsigned month, day;
        int64_t year, days = floor_div(t, SECONDS_PER_DAY), clock = t - days * SECONDS_PER_DAY;

        if (t == INT64_MAX)
                return "never";
        date_from_days(days, &year, &month, &day);
        snprintf(buf[++i % 4], 40, "%04d-%02u-%02u %02d:%02d:%02d", (int) year, month, day, (int) (clock / 3600), (int) (clock / 60 % 60),
                 (int) (clock % 60));
        return buf[i % 4];
}

static Calendar parse(const char *text) {
        _cleanup_error_ KlError e = {};
        Calendar c;

        if (calendar_parse(text, &c, &e) < 0)
                fail_msg("\"%s\": %s", text, e.message);
        return c;
}

/* ---- reading ---- */

static void test_reading(void **state) {
        static const struct { const char *text, *after, *next; } rows[] = {
                { "* * * * *", "2026-11-21 10:00", "2026-11-21 10:01" },
                { "0 3 * * *", "2026-11-21 10:00", "2026-11-22 03:00" },
                { "0 3 * * *", "2026-11-21 02:59:59", "2026-11-21 03:00" },
                { "*/15 * * * *", "2026-11-21 10:16", "2026-11-21 10:30" },
                { "5/20 * * * *", "2026-11-21 10:26", "2026-11-21 10:45" },
                { "0 9-17/4 * * MON-FRI", "2026-11-21 10:00", "2026-11-23 09:00" },
                { "0 0 1,15 * *", "2026-11-21 10:00", "2026-12-01 00:00" },
                { "0 0 29 feb *", "2026-11-21 10:00", "2028-02-29 00:00" },
                { "0 0 29 2 *", "2096-03-01 00:00", "2104-02-29 00:00" },
                { "0 0 * * 7", "2026-11-21 10:00", "2026-11-22 00:00" },
                { "0 0 * * sat-mon", "2026-11-21 10:00", "2026-11-22 00:00" },
                { "0 0 * * 5-7", "2026-11-22 10:00", "2026-11-27 00:00" },
                /* crontab(5): either day, where both are restricted; both, where one begins with a star */
                { "0 0 13 * 5", "2026-11-21 10:00", "2026-11-27 00:00" },
                { "0 0 13 * 5", "2026-12-11 10:00", "2026-12-13 00:00" },
                { "0 0 */13 * 5", "2026-11-21 10:00", "2026-11-27 00:00" },
                { "0 0 */2 * 1", "2026-11-21 10:00", "2026-11-23 00:00" },
                { "0 0 */2 * 1", "2026-11-24 10:00", "2026-12-07 00:00" },
                { "30 15 10 * * *", "2026-11-21 10:00", "2026-11-21 10:15:30" },
                { "*/10 * * * * *", "2026-11-21 10:00:55", "2026-11-21 10:01" },
                { "@hourly", "2026-11-21 10:00", "2026-11-21 11:00" },
                { "@Daily", "2026-11-21 10:00", "2026-11-22 00:00" },
                { "@weekly", "2026-11-21 10:00", "2026-11-22 00:00" },
                { "@monthly", "2026-11-21 10:00", "2026-12-01 00:00" },
                { "@yearly", "2026-11-21 10:00", "2027-01-01 00:00" },
                { "  0\t3 * *  * ", "2026-11-21 10:00", "2026-11-22 03:00" },
                { "0 0 L * *", "2026-11-21 10:00", "2026-11-30 00:00" },
                { "0 0 L 2 ?", "2026-11-21 10:00", "2027-02-28 00:00" },
                { "0 0 LW * *", "2026-10-20 10:00", "2026-10-30 00:00" },   /* the 31st is a Saturday */
                { "0 0 15W * *", "2026-11-01 10:00", "2026-11-16 00:00" },  /* the 15th is a Sunday */
                { "0 0 1W * *", "2026-07-31 10:00", "2026-08-03 00:00" },   /* the 1st is a Saturday: not back into July */
                { "0 0 31W * *", "2026-05-01 10:00", "2026-05-29 00:00" },  /* the 31st is a Sunday: not on into June */
                { "0 0 * * 5L", "2026-11-21 10:00", "2026-11-27 00:00" },
                { "0 0 * * FRI#2", "2026-11-21 10:00", "2026-12-11 00:00" },
                { "0 0 ? * MON#5", "2026-11-01 10:00", "2026-11-30 00:00" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                Calendar c = parse(rows[i].text);
                int64_t next = calendar_next(&c, NULL, at(rows[i].after));

                if (next != at(rows[i].next))
                        fail_msg("%s after %s: %s instead of %s", rows[i].text, rows[i].after, shown(next), rows[i].next);
        }
}

static void test_refused(void **state) {
        static const struct { const char *text, *message; } rows[] = {
                { "", "expected five fields, or six with seconds in front" },
                { "0 3 * *", "expected five fields, or six with seconds in front" },
                { "0 0 3 * * * 2026", "expected five fields, or six with seconds in front" },
                { "0 24 * * *", "hour: 24 is more than 23" },
                { "60 * * * *", "minute: 60 is more than 59" },
                { "0 0 0 * *", "day of the month: 0 is less than 1" },
                { "0 0 * 13 *", "month: 13 is more than 12" },
                { "0 0 * * 8", "day of the week: 8 is more than 7" },
                { "99 * * * * *", "second: 99 is more than 59" },
                { "x * * * *", "minute: cannot read \"x\"" },
                { "1, * * * *", "minute: cannot read \"\"" },
                { "1-x * * * *", "minute: cannot read \"x\"" },
                { "1.5 * * * *", "minute: cannot read \"1.5\"" },
                { "9-5 * * * *", "minute: \"9-5\" ends before it begins" },
                { "*/0 * * * *", "minute: a step must be a number from 1 to 59" },
                { "*/60 * * * *", "minute: a step must be a number from 1 to 59" },
                { "* * * janx *", "month: cannot read \"janx\"" },
                { "* * * * L", "day of the week: L needs a day in front: 5L is the last Friday of the month" },
                { "* * * * 5#6", "day of the week: cannot read \"5#6\"" },
                { "* * 15X * *", "day of the month: cannot read \"15X\"" },
                { "* L * * *", "hour: cannot read \"L\"" },
                { "0 0 30 2 *", "no such day ever comes" },
                { "0 0 31 apr,jun *", "no such day ever comes" },
                { "@reboot", "@reboot is no time" },
                { "@dayly", "there is no such time: @dayly" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_error_ KlError e = {};
                Calendar c;

                if (calendar_parse(rows[i].text, &c, &e) != -EINVAL || !streq(e.message, rows[i].message))
                        fail_msg("\"%s\": %s", rows[i].text, e.message ?: "accepted");
        }
}

/* ---- the changes of the clocks ---- */

static void test_clocks_change(void **state) {
        /* times of UTC; Berlin is 1 h ahead in winter, 2 h in summer */
        static const struct { const char *text, *zone, *after, *next; } rows[] = {
                /* 02:30 does not exist on 29 March: at once behind the gap, and as ever the day after */
                { "30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", "2026-03-29 01:00" },
                { "30 2 * * *", "Europe/Berlin", "2026-03-29 01:00", "2026-03-30 00:30" },
                { "0,15,30 2 * * *", "Europe/Berlin", "2026-03-29 01:00", "2026-03-30 00:00" },
                /* 03:00 exists: once, though 02:00 falls there, too */
                { "0 2,3 * * *", "Europe/Berlin", "2026-03-29 00:30", "2026-03-29 01:00" },
                { "0 2,3 * * *", "Europe/Berlin", "2026-03-29 01:00", "2026-03-30 00:00" },
                /* 02:30 exists twice on 25 October: the first time only */
                { "30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", "2026-10-25 00:30" },
                { "30 2 * * *", "Europe/Berlin", "2026-10-25 00:30", "2026-10-26 01:30" },
                /* each hour that really passes */
                { "30 * * * *", "Europe/Berlin", "2026-10-25 00:30", "2026-10-25 01:30" },
                { "30 * * * *", "Europe/Berlin", "2026-03-29 00:30", "2026-03-29 01:30" },
                { "30 0-23 * * *", "Europe/Berlin", "2026-10-25 00:30", "2026-10-25 01:30" },
                { "0 */2 * * *", "Europe/Berlin", "2026-03-28 23:00", "2026-03-29 01:00" },
                { "0 */2 * * *", "Europe/Berlin", "2026-10-25 00:00", "2026-10-25 03:00" },
                /* half an hour, and beyond what the file lists */
                { "15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", "2026-10-03 15:30" },
                { "30 2 * * *", "Europe/Berlin", "2090-03-25 12:00", "2090-03-26 01:00" },
                { "0 12 1 7 *", "America/New_York", "2150-01-01 00:00", "2150-07-01 16:00" },
                /* a day that Samoa left out */
                { "0 3 30 12 *", "Pacific/Apia", "2011-12-29 00:00", "2011-12-30 10:00" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(zone_freep) Zone *z = zone_of(rows[i].zone);
                Calendar c = parse(rows[i].text);
                int64_t next;

                if (!z)
                        skip();
                next = calendar_next(&c, z, at(rows[i].after));
                if (next != at(rows[i].next))
                        fail_msg("%s in %s after %s: %s instead of %s", rows[i].text, rows[i].zone, rows[i].after, shown(next), rows[i].next);
        }
}

/* ---- against glibc ---- */

static const char *const zones[] = { "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata",
                                     "America/Sao_Paulo", "Pacific/Apia", "Europe/Dublin", "America/Nuuk", "Antarctica/Troll" };

static void use_zone(const char *name) {
        assert_int_equal(setenv("TZ", name, true), 0);
        tzset();
}

static int64_t glibc_offset(int64_t t) {
        time_t when = (time_t) t;
        struct tm tm;

        assert_non_null(localtime_r(&when, &tm));
        return tm.tm_gmtoff;
}

static void test_offsets(void **state) {
        uint64_t random = test_seed();

        for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
                _cleanup_(zone_freep) Zone *z = zone_of(zones[i]);

                if (!z)
                        skip();
                use_zone(zones[i]);
                for (unsigned n = 0; n < 20000; n++) {
                        int64_t t = (int64_t) (test_random(&random) % 8000000000) - 2000000000;
                        ZoneSpan s = zone_span(z, t);

                        if (s.begin > t || s.end <= t || s.offset != glibc_offset(t))
                                fail_msg("%s at %s: %d instead of %d", zones[i], shown(t), (int) s.offset, (int) glibc_offset(t));
                        /* spans join without a hole */
                        if (s.end != INT64_MAX && (zone_span(z, s.end).begin != s.end || zone_span(z, s.end).before != s.offset))
                                fail_msg("%s: the span that ends at %s", zones[i], shown(s.end));
                }
        }
        use_zone("UTC");
}

/* A field as text, and the values that it stands for. */
static uint64_t random_field(uint64_t *random, unsigned min, unsigned max, bool wild, char *text) {
        unsigned kind = (unsigned) (test_random(random) % (wild ? 4 : 3)), a = min + (unsigned) (test_random(random) % (max - min + 1));
        unsigned b = a + (unsigned) (test_random(random) % (max - a + 1)), step = 1 + (unsigned) (test_random(random) % 12);
        uint64_t mask = 0;

        if (kind == 3)
                a = min, b = max, step = 1, strcpy(text, "*");
        else if (kind == 0)
                b = a, sprintf(text, "%u", a);
        else if (kind == 1)
                step = 1, sprintf(text, "%u-%u", a, b);
        else
                step = MIN(step, max), sprintf(text, "%u-%u/%u", a, b, step);
        for (unsigned n = a; n <= b; n += step)
                mask |= 1ULL << n;
        return mask;
}

typedef struct Expected {
        uint64_t minutes, hours, days, months, weekdays;
        bool either;
} Expected;

static bool fits(const Expected *e, int64_t wall) {
        time_t when = (time_t) wall;
        bool day, weekday;
        struct tm tm;

        assert_non_null(gmtime_r(&when, &tm));
        day = e->days >> tm.tm_mday & 1;
        weekday = e->weekdays >> tm.tm_wday & 1;
        return e->minutes >> tm.tm_min & 1 && e->hours >> tm.tm_hour & 1 && e->months >> (tm.tm_mon + 1) & 1 &&
               (e->either ? day || weekday : day && weekday);
}

/* Minute by minute with glibc's clock, as calendar.h says it in words. INT64_MAX: not before `until`. */
static int64_t slow_next(const Expected *e, int64_t after, int64_t until) {
        bool fixed = e->hours != (1U << 24) - 1;
        int64_t t = after / 60 * 60 + 60, last = t - 60 + glibc_offset(t - 60), newest = last;

        /* what the clocks showed before */
        for (int64_t k = 1; k <= 48 * 60; k++)
                newest = MAX(newest, t - 60 * k + glibc_offset(t - 60 * k));
        for (; t < until; t += 60) {
                int64_t wall = t + glibc_offset(t);

                if (!fixed && fits(e, wall))
                        return t;
                if (fixed && wall > newest && fits(e, wall))
                        return t;
                for (int64_t w = last + 60; fixed && w < wall; w += 60)
                        if (w > newest && fits(e, w))
                                return t;
                last = wall;
                newest = MAX(newest, wall);
        }
        return INT64_MAX;
}

static void test_against_glibc(void **state) {
        uint64_t random = test_seed();

        for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
                _cleanup_(zone_freep) Zone *z = zone_of(zones[i]);

                if (!z)
                        skip();
                use_zone(zones[i]);
                for (unsigned n = 0; n < 60; n++) {
                        char f[5][20], text[120];
                        int64_t t = at("2011-01-01 00:00") + (int64_t) (test_random(&random) % (10 * 366 * 86400)), until;
                        ZoneSpan s = zone_span(z, t);
                        Expected e;
                        Calendar c;

                        e.minutes = random_field(&random, 0, 59, true, f[0]);
                        e.hours = random_field(&random, 0, 23, true, f[1]);
                        e.days = random_field(&random, 1, 31, true, f[2]);
                        e.months = n % 2 ? 0x1ffe : random_field(&random, 1, 12, true, f[3]);
                        e.weekdays = random_field(&random, 0, 6, true, f[4]);
                        if (n % 2)
                                strcpy(f[3], "*");
                        e.either = *f[2] != '*' && *f[4] != '*';
                        snprintf(text, sizeof text, "%s %s %s %s %s", f[0], f[1], f[2], f[3], f[4]);
                        if (calendar_parse(text, &c, NULL) < 0)
                                continue;
                        /* near a change of the clocks more often than not */
                        if (s.end != INT64_MAX && n % 4)
                                t = s.end - (int64_t) (test_random(&random) % 200000);
                        t = t / 60 * 60;
                        until = t + 5 * 86400;
                        for (unsigned k = 0; k < 8 && t < until; k++) {
                                int64_t fast = calendar_next(&c, z, t), slow = slow_next(&e, t, until);

                                if (fast != slow && (slow != INT64_MAX || fast < until))
                                        fail_msg("%s in %s after %s: %s, and by glibc's clock %s", text, zones[i], shown(t), shown(fast), shown(slow));
                                if (fast <= t)
                                        fail_msg("%s: no way on", text);
                                t = fast;
                        }
                }
        }
        use_zone("UTC");
}

/* ---- files of zones ---- */

static void test_bad_zones(void **state) {
        static const char *const rules[] = { "", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
                                             "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J365", "CET-1CEST,366,1", "CET-25", "<+03-3", "CET-1CEST,M3.5.0/168,M10.5.0",
                                             "CET-1CEST,M3.5.0,M10.5.0,", "CET-1 " };
        static char data[ZONE_FILE_MAX];
        Zone *z = NULL;
        size_t n;
        FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "re");

        assert_int_equal(zone_parse("", 0, &z), -EBADMSG);
        assert_int_equal(zone_parse("TZif", 4, &z), -EBADMSG);
        if (!f)
                skip();
        n = fread(data, 1, sizeof data, f);
        fclose(f);
        for (size_t k = 0; k < n; k++)
                assert_int_equal(zone_parse(data, k, &z), -EBADMSG);
        /* the rule is the last line */
        for (size_t k = 1; k < ARRAY_SIZE(rules); k++) {
                _cleanup_free_ char *copy = malloc(n + 64);
                size_t begin = n - 1;

                while (data[begin - 1] != '\n')
                        begin--;
                memcpy(copy, data, begin);
                if (zone_parse(copy, begin + (size_t) sprintf(copy + begin, "%s\n", rules[k]), &z) != -EBADMSG)
                        fail_msg("the rule \"%s\" was accepted", rules[k]);
        }
}

static void test_zone_names(void **state) {
        static const char *const good[] = { "UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "EST5EDT", "America/Port-au-Prince" };
        static const char *const bad[] = { "", "/etc/passwd", "../x", "Europe/../x", "Europe//Berlin", "Europe/", ".", "Europe/.x", "5", "a b", "Europe/Berlin\n" };

        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_true(zone_name_valid(good[i]));
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (zone_name_valid(bad[i]))
                        fail_msg("\"%s\" was accepted", bad[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reading),   cmocka_unit_test(test_refused),       cmocka_unit_test(test_clocks_change),
                cmocka_unit_test(test_offsets),   cmocka_unit_test(test_against_glibc), cmocka_unit_test(test_bad_zones),
                cmocka_unit_test(test_zone_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
