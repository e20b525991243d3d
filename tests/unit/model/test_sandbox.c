/* Rules for `priority` and `sandbox`, and lists of processors. */
#include "unit.inc.h"

#include "model/spec.h"

static void expect_cpus(const char *items, uint64_t first, uint64_t second) {
        _cleanup_strv_ char **l = NULL;
        uint64_t set[CPUS_MAX / 64];
        const char *bad = NULL;

        assert_int_equal(strv_split_command(items, &l), 0);
        assert_int_equal(cpu_list_parse(l, set, &bad), 0);
        assert_int_equal(set[0], first);
        assert_int_equal(set[1], second);
}

static void test_cpu_lists(void **state) {
        static const char *const wrong[] = { "", "-1", "a", "3-1", "1-", "1024", "0-1024", "1,,2", "1 2", "1-2-3", "0x1", "+1", "1," "a", "18446744073709551616" };
        uint64_t set[CPUS_MAX / 64];

        expect_cpus("0", 1, 0);
        expect_cpus("0-3 6", 0x4f, 0);
        expect_cpus("0-3,6", 0x4f, 0);
        expect_cpus("63-64", UINT64_C(1) << 63, 1);
        expect_cpus("", 0, 0);
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                char *items[] = { (char *) "2", (char *) wrong[i], NULL };
                const char *bad = NULL;

                if (cpu_list_parse(items, set, &bad) != -EINVAL)
                        fail_msg("\"%s\" is taken", wrong[i]);
                assert_string_equal(bad, wrong[i]);
        }
}

/* One item for a list or a value for a scalar, and again; then what is said. */
typedef struct Rule {
        const char *keys[3], *values[3];
        const char *key, *message;
} Rule;

static void set_any(ServiceSpec *s, const char *path, const char *value) {
        const SpecKey *k = spec_key_find(path);

        assert_non_null(k);
        if (key_type_is_scalar(k->type))
                set_key(s, path, value);
        else
                assert_int_equal(strv_append((char ***) ((char *) s + k->offset), value), 0);
}

static void test_rules(void **state) {
        static const Rule rules[] = {
                { { "priority.cpu_affinity" }, { "0-x" }, "priority.cpu_affinity", "expected processors such as 2 or 0-3, not \"0-x\"" },
                { { "priority.scheduler_priority" }, { "5" }, "priority.scheduler_priority", "needs priority.scheduler: fifo or rr" },
                { { "priority.scheduler_priority", "priority.scheduler" }, { "5", "rr" }, NULL, NULL },
                { { "sandbox.syscalls" }, { "opem" }, "sandbox.syscalls", "\"opem\" is no system call" },
                { { "sandbox.syscalls_denied" }, { "@mnt" }, "sandbox.syscalls_denied", "\"@mnt\" is no system call group" },
                { { "sandbox.syscalls", "sandbox.syscalls" }, { "@system-service", "bpf" }, NULL, NULL },
                { { "sandbox.syscall_action" }, { "kill" }, "sandbox.syscall_action", "needs sandbox.syscalls" },
                { { "sandbox.hidden", "sandbox.writable" }, { "/srv", "-/srv" }, "sandbox.hidden", "what becomes of /srv is said by sandbox.writable" },
                { { "sandbox.writable", "sandbox.private_tmp" }, { "/tmp", "true" }, "sandbox.writable", "what becomes of /tmp is said by sandbox.private_tmp" },
                { { "sandbox.read_only" }, { "/" }, "sandbox.read_only", "what becomes of / is said by sandbox.system" },
                { { "sandbox.hidden", "sandbox.writable", "sandbox.private_tmp" }, { "/home", "/home/me", "true" }, NULL, NULL },
                { { "limits.memory_restart", "limits.memory_max" }, { "2M", "1M" }, "limits.memory_restart", "above limits.memory_max" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
                _cleanup_(spec_freep) ServiceSpec *s = make_spec("default", "web");
                _cleanup_error_ KlError e = {};
                const char *key = NULL;

                for (size_t k = 0; k < ARRAY_SIZE(rules[i].keys) && rules[i].keys[k]; k++)
                        set_any(s, rules[i].keys[k], rules[i].values[k]);
                assert_int_equal(spec_validate(s, &key, &e), rules[i].key ? -EINVAL : 0);
                if (!rules[i].key)
                        continue;
                assert_string_equal(key, rules[i].key);
                if (!strstr(e.message, rules[i].message))
                        fail_msg("%s does not say: %s", e.message, rules[i].message);
        }
}

static void test_too_many_paths(void **state) {
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("default", "web");
        _cleanup_error_ KlError e = {};
        const char *key = NULL;
        char path[32];

        for (unsigned i = 0; i < 201; i++) {
                if (i == 200)
                        assert_int_equal(spec_validate(s, &key, &e), 0);
                snprintf(path, sizeof(path), "/srv/%u", i);
                set_any(s, i % 2 ? "sandbox.hidden" : "sandbox.writable", path);
        }
        assert_int_equal(spec_validate(s, &key, &e), -EINVAL);
        assert_non_null(strstr(e.message, "more than 200 paths"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cpu_lists), cmocka_unit_test(test_rules), cmocka_unit_test(test_too_many_paths),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
