/* How many instances a word means, and every word that means none. */
#include "unit.inc.h"

#include "model/scale.h"

static int scale(int32_t present, const char *text, int32_t *ret) {
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("n", "web");
        _cleanup_error_ KlError e = {};
        int r;

        s->instances = present;
        r = scale_parse(s, text, 4, ret, &e);
        assert_true(r == 0 || (r == -EINVAL && e.message));
        return r;
}

static void test_words(void **state) {
        static const struct {
                int32_t present;
                const char *text;
                int32_t expected;
        } cases[] = {
                { 2, "5", 5 }, { 2, "+3", 5 }, { 2, "-1", 1 }, { 2, "+0", 2 }, { 2, "max", INSTANCES_MAX }, { INSTANCES_MAX, "+1", 5 },
                { INSTANCES_MAX, "-3", 1 }, { -1, "+1", 4 }, { 1, "1024", 1024 }, { 1024, "-1023", 1 },
        };

        for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
                int32_t n = -7;

                assert_int_equal(scale(cases[k].present, cases[k].text, &n), 0);
                assert_int_equal(n, cases[k].expected);
        }
}

static void test_refused(void **state) {
        static const char *const words[] = { "", "0", "-2", "-3", "+1023", "1025", "two", "+", "-", "++1", "+-1", "1.5", " 1", "99999999999999999999" };

        for (size_t k = 0; k < ARRAY_SIZE(words); k++) {
                int32_t n = -7;

                assert_int_equal(scale(2, words[k], &n), -EINVAL);
                assert_int_equal(n, -7);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_words), cmocka_unit_test(test_refused) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
