/* What is due, what was missed, and what comes of it. */
#include "unit.inc.h"

#include "model/timetable.h"

#define SEC USEC_PER_SEC
#define MIN_ USEC_PER_MINUTE
#define HOUR USEC_PER_HOUR
#define NOON (1795262400 * SEC)      /* 2026-11-21 12:00 UTC */

static Timetable table(const char *key, const char *value, const char *delay) {
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("default", "job");
        Timetable t;

        set_key(s, key, value);
        if (delay)
                set_key(s, "schedule.random_delay", delay);
        assert_int_equal(timetable_init(&t, s), 0);
        return t;
}

static void test_next(void **state) {
        Timetable every = table("schedule.every", "15m", NULL), daily = table("schedule.cron", "0 3 * * *", NULL);

        assert_int_equal(timetable_next(&every, NULL, NOON).at, NOON + 15 * MIN_);
        assert_int_equal(timetable_next(&daily, NULL, NOON).at, NOON + 15 * HOUR);
        assert_int_equal(timetable_next(&daily, NULL, NOON + 15 * HOUR).at, NOON + 39 * HOUR);
        assert_int_equal(timetable_next(&daily, NULL, NOON + 15 * HOUR - 1).at, NOON + 15 * HOUR);
}

/* Within its bound, the same each time, another for another run and for another service. */
static void test_random_delay(void **state) {
        Timetable t = table("schedule.every", "1h", "10m");
        unsigned different = 0;

        for (unsigned i = 0; i < 200; i++) {
                Due a = timetable_next(&t, NULL, NOON + i * HOUR), b = timetable_next(&t, NULL, NOON + i * HOUR);

                assert_int_equal(a.named, NOON + (i + 1) * HOUR);
                assert_true(a.at >= a.named && a.at < a.named + 10 * MIN_);
                assert_int_equal(a.at, b.at);
                different += a.at - a.named != timetable_next(&t, NULL, NOON + (i + 1) * HOUR).at - (NOON + (i + 2) * HOUR);
        }
        assert_true(different > 190);
}

static void expect(const Dues *d, unsigned n, bool timely, unsigned skip, unsigned once, unsigned all, usec_t handled) {
        assert_int_equal(d->n, n);
        assert_int_equal(d->timely, timely);
        assert_int_equal(timetable_runs(MISSED_SKIP, d), skip);
        assert_int_equal(timetable_runs(MISSED_ONCE, d), once);
        assert_int_equal(timetable_runs(MISSED_ALL, d), all);
        assert_int_equal(d->handled, handled);
}

static void test_dues(void **state) {
        Timetable t = table("schedule.every", "15m", NULL);
        Dues d;

        d = timetable_dues(&t, NULL, NOON, NOON + 15 * MIN_ - 1);
        expect(&d, 0, false, 0, 0, 0, NOON);
        d = timetable_dues(&t, NULL, NOON, NOON + 15 * MIN_);
        expect(&d, 1, true, 1, 1, 1, NOON + 15 * MIN_);
        d = timetable_dues(&t, NULL, NOON, NOON + 15 * MIN_ + TIMETABLE_GRACE);
        expect(&d, 1, false, 0, 1, 1, NOON + 15 * MIN_);
        d = timetable_dues(&t, NULL, NOON, NOON + 45 * MIN_ + SEC);
        expect(&d, 3, true, 1, 1, 3, NOON + 45 * MIN_);
        assert_int_equal(d.first.at, NOON + 15 * MIN_);
        d = timetable_dues(&t, NULL, NOON, NOON + 50 * MIN_);
        expect(&d, 3, false, 0, 1, 3, NOON + 45 * MIN_);
}

/* A year of seconds is neither walked over nor made up for; the time of now is not lost in it. */
static void test_long_sleep(void **state) {
        Timetable second = table("schedule.every", "1s", NULL), cron = table("schedule.cron", "* * * * *", NULL);
        Dues d = timetable_dues(&second, NULL, NOON, NOON + 365 * USEC_PER_DAY + SEC / 2);

        assert_true(d.more && d.timely && d.n <= 1100);
        assert_int_equal(d.handled, NOON + 365 * USEC_PER_DAY);
        assert_int_equal(timetable_runs(MISSED_SKIP, &d), 1);
        assert_int_equal(timetable_runs(MISSED_ALL, &d), TIMETABLE_PENDING_MAX);
        d = timetable_dues(&cron, NULL, 0, NOON + 5 * SEC);
        assert_true(d.more && d.timely);
        assert_int_equal(d.last.at, NOON);
}

static void test_clock_set_back(void **state) {
        Timetable every = table("schedule.every", "10s", NULL), hourly = table("schedule.cron", "30 * * * *", NULL),
                  daily = table("schedule.cron", "0 3 * * *", NULL);
        usec_t base = 0;

        assert_int_equal(timetable_base(&every, NOON + HOUR, &base, NOON), NOON);
        /* time goes on from there, also when the clock is set again */
        assert_int_equal(timetable_base(&every, NOON + HOUR, &base, NOON + 5 * SEC), NOON);
        assert_int_equal(timetable_base(&every, NOON + HOUR, &base, NOON + 30 * MIN_), NOON);
        assert_int_equal(timetable_base(&every, NOON + HOUR, &base, NOON - HOUR), NOON - HOUR);
        assert_int_equal(timetable_base(&every, NOON + HOUR, &base, NOON + 2 * HOUR), NOON + HOUR);
        assert_int_equal(base, 0);
        assert_int_equal(timetable_base(&hourly, NOON + HOUR, &base, NOON), NOON);
        base = 0;
        /* not twice for an hour's change; but nobody waits until 2030 */
        assert_int_equal(timetable_base(&daily, NOON + HOUR, &base, NOON), NOON + HOUR);
        assert_int_equal(timetable_base(&daily, NOON + 4 * HOUR, &base, NOON), NOON);
        assert_int_equal(timetable_base(&daily, NOON - HOUR, &base, NOON), NOON - HOUR);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_next),       cmocka_unit_test(test_random_delay),   cmocka_unit_test(test_dues),
                cmocka_unit_test(test_long_sleep), cmocka_unit_test(test_clock_set_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
