/* Strategies: spread by weight, stability of affinity. Random tests print their seed; KINGLY_SEED repeats it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "model/balance.h"

static uint64_t seed;

static uint64_t draw(void) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        return (seed ^= seed << 17) * 0x2545f4914f6cdd1dULL;
}

static void make(BalanceBack *backs, size_t n, const uint32_t *weights) {
        for (size_t i = 0; i < n; i++)
                backs[i] = (BalanceBack) { .id = draw(), .weight = weights ? weights[i] : 1, .eligible = true };
}

static void spread(BalanceBack *backs, size_t n, BalanceStrategy strategy, BalanceAffinity affinity, unsigned picks, unsigned counts[]) {
        memset(counts, 0, n * sizeof(counts[0]));
        for (unsigned i = 0; i < picks; i++)
                counts[balance_pick(backs, n, strategy, affinity, draw(), draw())]++;
}

static void test_names(void **state) {
        for (int i = 0; i < _BALANCE_STRATEGY_MAX; i++)
                assert_int_equal(balance_strategy_from_name(balance_strategy_name((BalanceStrategy) i)), i);
        assert_int_equal(balance_strategy_from_name("fastest"), -EINVAL);
        assert_null(balance_strategy_name(_BALANCE_STRATEGY_MAX));
        assert_string_equal(back_state_name(BACK_DRAINING), "draining");
        assert_null(back_state_name(_BACK_STATE_MAX));
}

static void test_nobody(void **state) {
        BalanceBack backs[3];

        make(backs, 3, NULL);
        for (size_t i = 0; i < 3; i++)
                backs[i].eligible = false;
        for (int s = 0; s < _BALANCE_STRATEGY_MAX; s++)
                for (int a = 0; a < _BALANCE_AFFINITY_MAX; a++) {
                        assert_int_equal(balance_pick(backs, 3, (BalanceStrategy) s, (BalanceAffinity) a, 1, 2), -ENOENT);
                        assert_int_equal(balance_pick(NULL, 0, (BalanceStrategy) s, (BalanceAffinity) a, 1, 2), -ENOENT);
                }
}

static void test_only_the_eligible(void **state) {
        BalanceBack backs[5];

        make(backs, 5, NULL);
        for (int round = 0; round < 5000; round++) {
                int at;

                for (size_t i = 0; i < 5; i++)
                        backs[i].eligible = draw() & 1;
                at = balance_pick(backs, 5, (BalanceStrategy) (draw() % _BALANCE_STRATEGY_MAX), (BalanceAffinity) (draw() & 1), draw(), draw());
                assert_true(at == -ENOENT || backs[at].eligible);
        }
}

/* 5, 1, 1: over seven picks exactly its weight each, and the heavy one never three times and more in a row. */
static void test_round_robin(void **state) {
        static const uint32_t weights[] = { 5, 1, 1 };
        static const int expected[] = { 0, 0, 1, 0, 2, 0, 0 };
        BalanceBack backs[3];

        make(backs, 3, weights);
        for (size_t i = 0; i < 21; i++)
                assert_int_equal(balance_pick(backs, 3, BALANCE_ROUND_ROBIN, AFFINITY_NONE, 0, 0), expected[i % 7]);
}

static void test_round_robin_is_exact_for_any_weights(void **state) {
        for (int round = 0; round < 200; round++) {
                uint32_t weights[8], sum = 0;
                size_t n = 1 + draw() % 8;
                unsigned counts[8];
                BalanceBack backs[8];

                for (size_t i = 0; i < n; i++)
                        sum += weights[i] = 1 + (uint32_t) (draw() % 50);
                make(backs, n, weights);
                spread(backs, n, BALANCE_ROUND_ROBIN, AFFINITY_NONE, sum, counts);
                for (size_t i = 0; i < n; i++)
                        assert_int_equal(counts[i], weights[i]);
        }
}

/* One that was away gets no more than its share when it is back. */
static void test_round_robin_has_no_arrears(void **state) {
        BalanceBack backs[2];
        unsigned counts[2];

        make(backs, 2, NULL);
        backs[1].eligible = false;
        spread(backs, 2, BALANCE_ROUND_ROBIN, AFFINITY_NONE, 1000, counts);
        backs[1].eligible = true;
        spread(backs, 2, BALANCE_ROUND_ROBIN, AFFINITY_NONE, 10, counts);
        assert_in_range(counts[1], 4, 6);
}

/* Within a tenth, of 100,000 picks: more than ten standard deviations. */
static void near(const unsigned counts[], const uint32_t weights[], size_t n, unsigned picks) {
        uint64_t sum = 0;

        for (size_t i = 0; i < n; i++)
                sum += weights[i];
        for (size_t i = 0; i < n; i++) {
                uint64_t due = picks * (uint64_t) weights[i] / sum;

                assert_in_range(counts[i], due - due / 10, due + due / 10);
        }
}

static void test_random_and_affinity_by_weight(void **state) {
        static const uint32_t weights[] = { 1, 2, 3, 4 };
        BalanceBack backs[4];
        unsigned counts[4];

        make(backs, 4, weights);
        spread(backs, 4, BALANCE_RANDOM, AFFINITY_NONE, 100000, counts);
        near(counts, weights, 4, 100000);
        spread(backs, 4, BALANCE_ROUND_ROBIN, AFFINITY_SOURCE, 100000, counts);
        near(counts, weights, 4, 100000);
}

static void test_least_connections(void **state) {
        static const uint32_t weights[] = { 1, 2, 3, 4 };
        BalanceBack backs[4];
        unsigned counts[4] = {};

        make(backs, 4, weights);
        for (int i = 0; i < 1000; i++) {
                int at = balance_pick(backs, 4, BALANCE_LEAST_CONNECTIONS, AFFINITY_NONE, 0, draw());

                backs[at].open++;
                counts[at]++;
        }
        for (size_t i = 0; i < 4; i++)
                assert_in_range(counts[i], 100 * weights[i] - 1, 100 * weights[i] + 1);
        backs[2].open = 0;
        assert_int_equal(balance_pick(backs, 4, BALANCE_LEAST_CONNECTIONS, AFFINITY_NONE, 0, draw()), 2);
}

/* Idle ones share alike, instead of all going to the first. */
static void test_least_connections_among_equals(void **state) {
        static const uint32_t weights[] = { 1, 1, 1, 1, 1 };
        BalanceBack backs[5];
        unsigned counts[5];

        make(backs, 5, weights);
        spread(backs, 5, BALANCE_LEAST_CONNECTIONS, AFFINITY_NONE, 100000, counts);
        near(counts, weights, 5, 100000);
}

/* When one leaves only its own clients move, and they come back with it; the order of the backs is of no account. */
static void test_affinity_is_stable(void **state) {
        BalanceBack backs[7];

        make(backs, 7, NULL);
        for (int round = 0; round < 2000; round++) {
                uint64_t source = draw();
                int at = balance_pick(backs, 7, BALANCE_RANDOM, AFFINITY_SOURCE, source, draw()), other;
                size_t gone = draw() % 7;
                BalanceBack turned[7];

                backs[gone].eligible = false;
                other = balance_pick(backs, 7, BALANCE_RANDOM, AFFINITY_SOURCE, source, draw());
                assert_true((size_t) at == gone ? other != at : other == at);
                backs[gone].eligible = true;
                for (size_t i = 0; i < 7; i++)
                        turned[i] = backs[6 - i];
                assert_int_equal(balance_pick(turned, 7, BALANCE_LEAST_CONNECTIONS, AFFINITY_SOURCE, source, draw()), 6 - at);
        }
}

/* Addresses in sequence, as clients have them, spread too. */
static void test_affinity_of_neighbours(void **state) {
        static const uint32_t weights[] = { 1, 1, 1 };
        unsigned counts[3] = {};
        BalanceBack backs[3];

        make(backs, 3, NULL);
        for (uint32_t i = 0; i < 30000; i++) {
                uint32_t address = 0x0a000000 + i;

                counts[balance_pick(backs, 3, BALANCE_RANDOM, AFFINITY_SOURCE, balance_hash(&address, sizeof(address)), 0)]++;
        }
        near(counts, weights, 3, 30000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names), cmocka_unit_test(test_nobody), cmocka_unit_test(test_only_the_eligible),
                cmocka_unit_test(test_round_robin), cmocka_unit_test(test_round_robin_is_exact_for_any_weights),
                cmocka_unit_test(test_round_robin_has_no_arrears), cmocka_unit_test(test_random_and_affinity_by_weight),
                cmocka_unit_test(test_least_connections), cmocka_unit_test(test_least_connections_among_equals),
                cmocka_unit_test(test_affinity_is_stable), cmocka_unit_test(test_affinity_of_neighbours),
        };
        const char *given = getenv("KINGLY_SEED");

        seed = (given ? strtoull(given, NULL, 0) : (uint64_t) time(NULL) * 2654435761ULL) | 1;
        printf("KINGLY_SEED=%" PRIu64 "\n", seed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
