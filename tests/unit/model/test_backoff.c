/* The wait before an attempt: growth, cap, jitter, and the far ends of every argument. */
#include "unit.inc.h"

#include "model/backoff.h"

#define MS USEC_PER_MSEC
#define HALF (UINT32_MAX / 2)

static void test_table(void **state) {
        static const struct { usec_t delay; uint32_t factor; usec_t max; uint32_t jitter, attempt, random; usec_t wait; } rows[] = {
                { 100 * MS, 200, 30000 * MS, 0, 1, 0, 100 * MS },
                { 100 * MS, 200, 30000 * MS, 0, 2, 0, 200 * MS },
                { 100 * MS, 200, 30000 * MS, 0, 9, 0, 25600 * MS },
                { 100 * MS, 200, 30000 * MS, 0, 10, 0, 30000 * MS },
                { 100 * MS, 200, 30000 * MS, 0, UINT32_MAX, 0, 30000 * MS },
                { 100 * MS, 150, 30000 * MS, 0, 3, 0, 225 * MS },
                { 100 * MS, 100, 30000 * MS, 0, UINT32_MAX, 0, 100 * MS },
                { 100 * MS, 200, 50 * MS, 0, 1, 0, 50 * MS },
                { 100 * MS, 200, 30000 * MS, 10, 1, 0, 90 * MS },
                { 100 * MS, 200, 30000 * MS, 10, 1, UINT32_MAX, 110 * MS },
                { 100 * MS, 200, 30000 * MS, 100, 1, 0, 0 },
                { 100 * MS, 200, 30000 * MS, 100, 1, UINT32_MAX, 200 * MS },
                { 100 * MS, 200, 30000 * MS, 10, 20, UINT32_MAX, 33000 * MS },
                { 0, 200, 30000 * MS, 100, 7, UINT32_MAX, 0 },
                { 1, 101, 1000, 0, UINT32_MAX, 0, 1000 },
                { 100 * MS, 200, 0, 100, 1, UINT32_MAX, 0 },
                { USEC_INFINITY, 200, USEC_INFINITY, 100, UINT32_MAX, UINT32_MAX, USEC_INFINITY },
                { 1, UINT32_MAX, USEC_INFINITY, 0, UINT32_MAX, 0, USEC_INFINITY },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                usec_t wait = backoff_delay(rows[i].delay, rows[i].factor, rows[i].max, rows[i].jitter, rows[i].attempt, rows[i].random);

                if (wait != rows[i].wait)
                        fail_msg("row %zu: %" PRIu64 " instead of %" PRIu64, i, wait, rows[i].wait);
        }
}

/* Without jitter a later attempt never waits less, and nothing waits beyond the cap and its jitter. */
static void test_never_shrinks(void **state) {
        static const uint32_t factors[] = { 100, 101, 110, 150, 200, 1000, 10000 };

        for (size_t f = 0; f < ARRAY_SIZE(factors); f++) {
                usec_t last = 0;

                for (uint32_t attempt = 1; attempt < 300; attempt++) {
                        usec_t wait = backoff_delay(3 * MS, factors[f], 5000 * MS, 0, attempt, HALF);
                        usec_t most = backoff_delay(3 * MS, factors[f], 5000 * MS, 25, attempt, UINT32_MAX);

                        assert_true(wait >= last && wait <= 5000 * MS);
                        assert_true(most <= 6250 * MS);
                        last = wait;
                }
        }
}

/* All of the 32 bits matter, and the mean is the wait itself. */
static void test_jitter_is_even(void **state) {
        usec_t last = 0, sum = 0;

        for (uint32_t i = 0; i <= 1000; i++) {
                usec_t wait = backoff_delay(1000 * MS, 200, 30000 * MS, 10, 1, (uint32_t) ((uint64_t) UINT32_MAX * i / 1000));

                assert_true(i == 0 || wait > last);
                sum += wait;
                last = wait;
        }
        assert_in_range(sum / 1001, 1000 * MS - 10, 1000 * MS + 10);
        assert_true(backoff_delay(USEC_PER_DAY, 100, USEC_PER_DAY, 100, 1, 1) > 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_never_shrinks),
                cmocka_unit_test(test_jitter_is_even),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
