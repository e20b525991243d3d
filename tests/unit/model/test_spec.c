/* Whole specs: copies share nothing, text for people, and the rules over several keys. */
#include "unit.inc.h"

static void set_strings(char ***field, const char *const *items) {
        *field = strv_free(*field);
        for (; *items; items++)
                assert_int_equal(strv_append(field, *items), 0);
}
#define STRINGS(...) ((const char *const[]) { __VA_ARGS__, NULL })

/* Every field that owns memory is filled, and a few plain ones. */
static ServiceSpec *make_full(void) {
        ServiceSpec *s = make_spec("shop", "web");

        set_strings(&s->command, STRINGS("redis-server", "--port", "6390", "a b", "it's", ""));
        set_strings(&s->env, STRINGS("A=1", "B=two words"));
        set_strings(&s->env_files, STRINGS("/srv/.env", "-/srv/.env.local"));
        set_strings(&s->capabilities, STRINGS("CAP_NET_BIND_SERVICE", "CAP_KILL"));
        s->capabilities_set = true;
        add_dependency(s, "db", DEPEND_READY);
        add_dependency(s, "other/migrate", DEPEND_COMPLETED);
        add_device(&s->limits.io_read_bandwidth, "/dev/sda", 10 << 20);
        add_device(&s->limits.io_write_iops, "/dev/sda", 1024);
        add_code(&s->restart.except_codes, 3);
        add_code(&s->restart.except_codes, 78);
        set_key(s, "description", "the front");
        set_key(s, "cwd", "/srv");
        set_key(s, "user", "www-data");
        set_key(s, "limits.memory_max", "256M");
        set_key(s, "stop.signal", "SIGINT");
        return s;
}

static void test_copy_shares_nothing(void **state) {
        ServiceSpec *s = make_full();
        _cleanup_(spec_freep) ServiceSpec *copy = NULL, *again = NULL;

        assert_int_equal(spec_copy(s, &copy), 0);
        for (const SpecKey *k = spec_keys; k->path; k++)
                assert_true(spec_key_equal(k, s, copy));
        spec_free(s);
        assert_string_equal(copy->name, "web");
        assert_string_equal(copy->ns, "shop");
        expect_key(copy, "depends_on", "db: ready, other/migrate: completed");
        assert_int_equal(spec_copy(copy, &again), 0);
}

static void test_text_for_people(void **state) {
        static const struct { const char *path, *text; } rows[] = {
                { "command", "redis-server --port 6390 'a b' 'it'\\''s' ''" },
                { "env", "A=1 'B=two words'" },
                { "env_file", "/srv/.env -/srv/.env.local" },
                { "depends_on", "db: ready, other/migrate: completed" },
                { "limits.io_read_bandwidth", "/dev/sda: 10M" },
                { "limits.io_write_iops", "/dev/sda: 1024" },
                { "limits.io_read_iops", "-" },
                { "restart.except_codes", "3, 78" },
                { "capabilities", "CAP_NET_BIND_SERVICE CAP_KILL" },
                { "limits.memory_max", "256M" },
                { "limits.memory_high", "-" },
                { "stop.signal", "SIGINT" },
                { "group", "-" },
        };
        _cleanup_(spec_freep) ServiceSpec *s = make_full();

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                expect_key(s, rows[i].path, rows[i].text);
        set_strings(&s->command, STRINGS("/bin/sh", "-c", "a | b"));
        s->shell = true;
        expect_key(s, "command", "a | b");
}

/* An empty list of capabilities takes all away; none at all takes nothing. */
static void test_capabilities_empty_or_unset(void **state) {
        _cleanup_(spec_freep) ServiceSpec *unset = make_spec("n", "a"), *none = make_spec("n", "a"), *copy = make_spec("n", "a");
        const SpecKey *k = spec_key_find("capabilities");

        none->capabilities_set = true;
        assert_false(spec_key_equal(k, unset, none));
        assert_false(spec_key_is_default(k, none));
        expect_key(none, "capabilities", "none");
        expect_key(unset, "capabilities", "-");
        assert_int_equal(spec_key_copy(k, copy, none), 0);
        assert_true(copy->capabilities_set);
        assert_int_equal(spec_key_reset(k, copy), 0);
        assert_false(copy->capabilities_set);
}

/* Each key by itself: set in one, copied alone into another, which then differs from a fresh one in that key only. */
static void test_key_copy_is_alone(void **state) {
        _cleanup_(spec_freep) ServiceSpec *full = make_full();

        for (const SpecKey *k = spec_keys; k->path; k++) {
                _cleanup_(spec_freep) ServiceSpec *to = NULL;

                assert_int_equal(spec_new("n", "a", &to), 0);
                assert_int_equal(spec_key_copy(k, to, full), 0);
                assert_int_equal(spec_key_copy(k, to, full), 0);
                assert_int_equal(spec_key_copy(k, to, to), 0);
                for (const SpecKey *o = spec_keys; o->path; o++)
                        assert_true(o == k ? spec_key_equal(o, to, full) : spec_key_is_default(o, to));
        }
}

static void test_lists_differ(void **state) {
        static const char *const paths[] = { "command", "env", "depends_on", "limits.io_read_bandwidth", "restart.except_codes", "description" };

        for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
                _cleanup_(spec_freep) ServiceSpec *a = make_full(), *b = make_full();
                const SpecKey *k = spec_key_find(paths[i]);

                assert_true(spec_key_equal(k, a, b));
                b->restart.except_codes.items[1]++;
                b->depends.items[1].kind = DEPEND_STARTED;
                b->limits.io_read_bandwidth.items[0].value++;
                b->command[1][0] = 'x';
                b->env[0][0] = 'x';
                b->description[0] = 'x';
                assert_false(spec_key_equal(k, a, b));
                assert_int_equal(spec_key_reset(k, b), 0);
                assert_false(spec_key_equal(k, a, b));
        }
}

static void test_instances(void **state) {
        static const struct { int32_t wanted; unsigned cpus, n; } rows[] = {
                { 1, 8, 1 }, { 4, 1, 4 }, { INSTANCES_MAX, 8, 8 }, { INSTANCES_MAX, 0, 1 }, { -1, 8, 7 }, { -1, 1, 1 }, { -8, 8, 1 }, { -9, 8, 1 },
                { INSTANCES_MAX, 5000, INSTANCES_LIMIT }, { INT32_MIN, 4, 1 }, { INT32_MAX, 4, INSTANCES_LIMIT }, { -1, UINT32_MAX, INSTANCES_LIMIT },
        };
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("n", "a");

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                s->instances = rows[i].wanted;
                assert_int_equal(spec_instances(s, rows[i].cpus), rows[i].n);
        }
}

static void test_list(void **state) {
        _cleanup_spec_list_ SpecList l = {};
        char name[16];

        for (unsigned i = 0; i < 50; i++) {
                snprintf(name, sizeof(name), "s%u", i);
                assert_int_equal(spec_list_append(&l, make_spec(i % 2 ? "odd" : "even", name)), 0);
        }
        assert_int_equal(l.n, 50);
        assert_ptr_equal(spec_list_find(&l, "odd", "s7"), l.items[7]);
        assert_null(spec_list_find(&l, "even", "s7"));
}

/* ---- rules ---- */

static void long_env(ServiceSpec *s) {
        char *v = malloc(SPEC_STRINGS_MAX);

        assert_non_null(v);
        memset(v, 'x', SPEC_STRINGS_MAX);
        memcpy(v, "A=", 2);
        v[SPEC_STRINGS_MAX - 1] = '\0';
        assert_int_equal(strv_consume(&s->env, v), 0);
}
static void long_command(ServiceSpec *s) {
        long_env(s);
        assert_int_equal(strv_append(&s->command, s->env[0]), 0);
        s->env = strv_free(s->env);
}
static void bad_name(ServiceSpec *s) { s->name[0] = '-'; }
static void bad_ns(ServiceSpec *s) { s->ns[0] = '@'; }
static void no_command(ServiceSpec *s) { s->command = strv_free(s->command); }
static void empty_program(ServiceSpec *s) { s->command[0][0] = '\0'; }
static void relative_cwd(ServiceSpec *s) { set_key(s, "cwd", "srv"); }
static void relative_env_file(ServiceSpec *s) { assert_int_equal(strv_append(&s->env_files, "-.env"), 0); }
static void env_without_equals(ServiceSpec *s) { set_strings(&s->env, STRINGS("A")); }
static void env_bad_name(ServiceSpec *s) { set_strings(&s->env, STRINGS("1A=x")); }
static void env_empty_name(ServiceSpec *s) { set_strings(&s->env, STRINGS("=x")); }
static void env_twice(ServiceSpec *s) { set_strings(&s->env, STRINGS("A=1", "A=2")); }
static void needs_itself(ServiceSpec *s) { add_dependency(s, "web", DEPEND_READY); }
static void needs_itself_in_full(ServiceSpec *s) { add_dependency(s, "shop/web", DEPEND_READY); }
static void needs_twice(ServiceSpec *s) {
        add_dependency(s, "db", DEPEND_READY);
        add_dependency(s, "db", DEPEND_STARTED);
}
static void needs_nonsense(ServiceSpec *s) { add_dependency(s, "a/b/c", DEPEND_READY); }
static void needs_no_name(ServiceSpec *s) { add_dependency(s, "", DEPEND_READY); }
static void oneshot_notify(ServiceSpec *s) {
        set_key(s, "type", "oneshot");
        set_key(s, "ready.by", "notify");
}
static void oneshot_watchdog(ServiceSpec *s) {
        set_key(s, "type", "oneshot");
        set_key(s, "watchdog", "1s");
}
static void essential_many(ServiceSpec *s) {
        set_key(s, "essential", "true");
        set_key(s, "instances", "max");
}
static void high_above_max(ServiceSpec *s) {
        set_key(s, "limits.memory_max", "100M");
        set_key(s, "limits.memory_high", "101M");
}
static void level_without_class(ServiceSpec *s) { set_key(s, "priority.io_level", "0"); }
static void short_max_delay(ServiceSpec *s) { set_key(s, "restart.max_delay", "50ms"); }
static void code_too_large(ServiceSpec *s) { add_code(&s->restart.except_codes, 256); }
static void device_relative(ServiceSpec *s) { add_device(&s->limits.io_read_iops, "sda", 1); }
static void device_zero(ServiceSpec *s) { add_device(&s->limits.io_write_bandwidth, "/dev/sda", 0); }
static void device_twice(ServiceSpec *s) {
        add_device(&s->limits.io_read_bandwidth, "/dev/sda", 1);
        add_device(&s->limits.io_read_bandwidth, "/dev/sda", 2);
}
static void unknown_capability(ServiceSpec *s) { assert_int_equal(strv_append(&s->capabilities, "CAP_FLY"), 0); }
static void numeric_capability(ServiceSpec *s) { assert_int_equal(strv_append(&s->capabilities, "12"), 0); }

static void test_rules_refuse(void **state) {
        static const struct { void (*spoil)(ServiceSpec *s); const char *key; } rows[] = {
                { bad_name, "name" },                       { bad_ns, "namespace" },           { no_command, "command" },
                { empty_program, "command" },               { long_command, "command" },       { long_env, "env" },
                { relative_cwd, "cwd" },                    { relative_env_file, "env_file" }, { env_without_equals, "env" },
                { env_bad_name, "env" },                    { env_empty_name, "env" },         { env_twice, "env" },
                { needs_itself, "depends_on" },             { needs_itself_in_full, "depends_on" },
                { needs_twice, "depends_on" },              { needs_nonsense, "depends_on" },  { needs_no_name, "depends_on" },
                { oneshot_notify, "ready.by" },             { oneshot_watchdog, "watchdog" },  { essential_many, "essential" },
                { high_above_max, "limits.memory_high" },   { level_without_class, "priority.io_level" },
                { short_max_delay, "restart.max_delay" },   { code_too_large, "restart.except_codes" },
                { device_relative, "limits.io_read_iops" }, { device_zero, "limits.io_write_bandwidth" },
                { device_twice, "limits.io_read_bandwidth" },
                { unknown_capability, "capabilities" },     { numeric_capability, "capabilities" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(spec_freep) ServiceSpec *s = make_spec("shop", "web");
                _cleanup_error_ KlError e = {};
                const char *key = NULL;

                assert_int_equal(spec_validate(s, &key, &e), 0);
                rows[i].spoil(s);
                assert_int_equal(spec_validate(s, &key, &e), -EINVAL);
                assert_string_equal(key, rows[i].key);
                assert_non_null(startswith(e.message, rows[i].key));
                assert_int_equal(spec_validate(s, &key, NULL), -EINVAL);
        }
}

static void test_rules_accept(void **state) {
        _cleanup_(spec_freep) ServiceSpec *s = make_full();
        _cleanup_error_ KlError e = {};
        const char *key = NULL;

        set_key(s, "limits.memory_high", "256M");
        set_key(s, "priority.io_class", "realtime");
        set_key(s, "priority.io_level", "0");
        set_key(s, "ready.by", "notify");
        set_key(s, "watchdog", "10s");
        set_strings(&s->env, STRINGS("A=", "AB=1", "A_C=1=2"));
        assert_int_equal(strv_append(&s->capabilities, "cap_sys_time"), 0);
        if (spec_validate(s, &key, &e) < 0)
                fail_msg("%s", e.message);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_copy_shares_nothing),
                cmocka_unit_test(test_text_for_people),
                cmocka_unit_test(test_capabilities_empty_or_unset),
                cmocka_unit_test(test_key_copy_is_alone),
                cmocka_unit_test(test_lists_differ),
                cmocka_unit_test(test_instances),
                cmocka_unit_test(test_list),
                cmocka_unit_test(test_rules_refuse),
                cmocka_unit_test(test_rules_accept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
