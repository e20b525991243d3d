/* map.c, checked against a plain array under a random sequence of operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/map.h"
#include "../seed.inc.h"

static void strings_by_content(void **state) {
        _cleanup_(map_freep) Map *m = map_new_string();
        char key[] = "web", same[] = "web";
        size_t i = 0;
        void *v;

        assert_null(map_get(m, "web"));
        assert_null(map_remove(m, "web"));
        assert_false(map_next(m, &i, &v));
        assert_int_equal(map_put(m, key, &key), 0);
        assert_int_equal(map_put(m, same, &same), -EEXIST);
        assert_ptr_equal(map_get(m, same), key);
        assert_null(map_get(m, "we"));
        assert_null(map_get(m, ""));
        assert_int_equal(map_size(m), 1);
        assert_ptr_equal(map_remove(m, same), key);
        assert_int_equal(map_size(m), 0);
        assert_null(map_free(NULL));
}

#define KEYS 700
#define ROUNDS 200000

/* Values are &keys[k]; present[k] is the model. */
static void check_against(const Map *m, const uint64_t *keys, const bool *present) {
        size_t n = 0, seen = 0, i = 0;
        void *v;

        for (size_t k = 0; k < KEYS; k++) {
                assert_ptr_equal(map_get(m, &keys[k]), present[k] ? &keys[k] : NULL);
                n += present[k];
        }
        assert_int_equal(map_size(m), n);
        while (map_next(m, &i, &v)) {
                const uint64_t *key = v;

                assert_true(present[key - keys]);
                seen++;
        }
        assert_int_equal(seen, n);
}

static void integers_under_random_use(void **state) {
        _cleanup_(map_freep) Map *m = map_new_u64();
        unsigned seed = test_seed();
        bool present[KEYS] = {};
        uint64_t keys[KEYS];

        /* Half of them close together, half apart by powers of two: what a weak hash would pile up. */
        for (size_t k = 0; k < KEYS; k++)
                keys[k] = k % 2 ? k : (uint64_t) k << 32;
        for (int round = 0; round < ROUNDS; round++) {
                size_t k = (size_t) rand_r(&seed) % KEYS;
                /* Phases of mostly growing and mostly shrinking. */
                bool put = rand_r(&seed) % 10 < (round / 5000 % 2 ? 3 : 7);

                if (put)
                        assert_int_equal(map_put(m, &keys[k], &keys[k]), present[k] ? -EEXIST : 0);
                else
                        assert_ptr_equal(map_remove(m, &keys[k]), present[k] ? &keys[k] : NULL);
                present[k] = put;
                if (round % 2000 == 0)
                        check_against(m, keys, present);
        }
        check_against(m, keys, present);
}

static void many_strings(void **state) {
        enum { N = 20000 };
        _cleanup_(map_freep) Map *m = map_new_string();
        static char names[N][24];

        for (int i = 0; i < N; i++) {
                snprintf(names[i], sizeof(names[i]), "service-%i", i);
                assert_int_equal(map_put(m, names[i], names[i]), 0);
        }
        for (int i = 0; i < N; i += 2)
                assert_ptr_equal(map_remove(m, names[i]), names[i]);
        for (int i = 0; i < N; i++)
                assert_ptr_equal(map_get(m, names[i]), i % 2 ? names[i] : NULL);
        assert_int_equal(map_size(m), N / 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(strings_by_content),
                cmocka_unit_test(integers_under_random_use),
                cmocka_unit_test(many_strings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
