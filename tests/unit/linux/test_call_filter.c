/* Programs of seccomp(2) from sets of numbers, played with each number near a bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <time.h>

#include "base/macro.h"
#include "linux/call_filter.h"

#include "../verdict.inc.h"
#include "../seed.inc.h"

enum { LISTED = SECCOMP_RET_ERRNO | 1, FOREIGN = SECCOMP_RET_KILL_PROCESS };
static const CallVerdicts deny = { .listed = LISTED, .others = SECCOMP_RET_ALLOW, .foreign = FOREIGN },
                          allow = { .listed = SECCOMP_RET_ALLOW, .others = LISTED, .foreign = FOREIGN };

static bool has(const CallSet *s, uint32_t number) {
        for (size_t i = 0; i < s->n; i++)
                if (s->numbers[i] == number)
                        return true;
        return false;
}

static void expect(const CallSet *s, uint32_t arch, CallVerdicts v) {
        CallFilter f;

        call_filter_make(s, arch, v, &f);
        assert_in_range(f.n, 5, ARRAY_SIZE(f.lines));
        for (uint32_t n = 0; n < 1000; n++)
                assert_int_equal(verdict(f.lines, arch, n), has(s, n) ? v.listed : v.others);
        assert_int_equal(verdict(f.lines, arch ^ 1, 0), v.foreign);
}

static void test_random_sets(void **state) {
        unsigned seed = test_seed();

        for (unsigned round = 0; round < 100; round++) {
                unsigned size = (unsigned) rand_r(&seed) % 500;
                CallSet s = {};

                while (s.n < size)
                        assert_int_equal(call_set_add(&s, (uint32_t) rand_r(&seed) % 640), 0);
                for (size_t i = 1; i < s.n; i++)
                        assert_true(s.numbers[i - 1] < s.numbers[i]);
                expect(&s, AUDIT_ARCH_X86_64, deny);
                expect(&s, AUDIT_ARCH_AARCH64, allow);
        }
}

static void test_second_numbers(void **state) {
        CallSet s = { .numbers = { 3 }, .n = 1 };
        CallFilter f;

        call_filter_make(&s, AUDIT_ARCH_X86_64, deny, &f);
        assert_int_equal(verdict(f.lines, AUDIT_ARCH_X86_64, 0x3fffffff), SECCOMP_RET_ALLOW);
        assert_int_equal(verdict(f.lines, AUDIT_ARCH_X86_64, 0x40000000), LISTED);
        assert_int_equal(verdict(f.lines, AUDIT_ARCH_X86_64, UINT32_MAX - 1), LISTED);
        assert_int_equal(verdict(f.lines, AUDIT_ARCH_X86_64, UINT32_MAX), SECCOMP_RET_ALLOW);
        call_filter_make(&s, AUDIT_ARCH_X86_64, allow, &f);
        assert_int_equal(verdict(f.lines, AUDIT_ARCH_X86_64, 0x40000003), LISTED);
        call_filter_make(&s, AUDIT_ARCH_AARCH64, deny, &f);
        assert_int_equal(verdict(f.lines, AUDIT_ARCH_AARCH64, 0x40000000), SECCOMP_RET_ALLOW);
}

static void test_full_set(void **state) {
        CallSet s = {};

        for (uint32_t n = 0; n < CALLS_MAX; n++)
                assert_int_equal(call_set_add(&s, 2 * n), 0);
        assert_int_equal(call_set_add(&s, 4), 0);
        assert_int_equal(call_set_add(&s, 5), -E2BIG);
        expect(&s, AUDIT_ARCH_X86_64, deny);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_sets), cmocka_unit_test(test_second_numbers), cmocka_unit_test(test_full_set) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
