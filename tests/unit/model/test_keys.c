/* The table of keys: complete, free of contradictions, and what each type of scalar takes and refuses. */
#include "unit.inc.h"

#include <signal.h>
#include <sys/resource.h>

static void check_table(const SpecKey *keys, const SpecKey *(*find)(const char *), size_t size) {
        for (const SpecKey *k = keys; k->path; k++) {
                const char *dot = strchr(k->path, '.');

                assert_ptr_equal(find(k->path), k);          /* unique, too: the first of two would be found */
                assert_false(dot && strchr(dot + 1, '.'));
                assert_true(k->type < _KEY_TYPE_MAX && k->offset < size);
                if (!k->help || strlen(k->help) < 15 || k->help[strlen(k->help) - 1] != '.')
                        fail_msg("%s has no proper help", k->path);
                assert_non_null(k->example);
                assert_int_equal(k->names != NULL, k->type == KEY_ENUM || k->type == KEY_DEPENDS);
                assert_true(k->min <= k->max);
                for (const SpecKey *o = k + 1; o->path; o++)
                        if (o->offset == k->offset)
                                fail_msg("%s and %s share a field", k->path, o->path);
        }
}

static void test_table_is_sound(void **state) {
        check_table(spec_keys, spec_key_find, sizeof(ServiceSpec));
        check_table(spec_probe_keys, spec_probe_key_find, sizeof(ProbeSpec));
        assert_null(spec_key_find("limits"));
        assert_null(spec_key_find("probes"));
}

static void test_every_default(void **state) {
        _cleanup_(spec_freep) ServiceSpec *s = NULL;

        assert_int_equal(spec_new("default", "web", &s), 0);
        for (const SpecKey *k = spec_keys; k->path; k++) {
                _cleanup_free_ char *text = spec_key_format(k, s);

                assert_true(spec_key_is_default(k, s));
                assert_non_null(text);
                /* Written as in the table, or unset. */
                assert_string_equal(text, k->fallback ? streq(k->fallback, "60s") ? "1m" : k->fallback : "-");
        }
        assert_int_equal(s->restart.when, RESTART_ALWAYS);
        assert_int_equal(s->restart.delay, 100 * USEC_PER_MSEC);
        assert_int_equal(s->restart.factor_percent, 200);
        assert_int_equal(s->restart.max_delay, 30 * USEC_PER_SEC);
        assert_int_equal(s->restart.jitter, 10);
        assert_int_equal(s->restart.reset_after, USEC_PER_MINUTE);
        assert_int_equal(s->restart.limit, 16);
        assert_int_equal(s->stop.signal, SIGTERM);
        assert_int_equal(s->stop.timeout, 5 * USEC_PER_SEC);
        assert_int_equal(s->stop.scope, STOP_ALL);
        assert_int_equal(s->ready_by, READY_START);
        assert_int_equal(s->ready_timeout, 30 * USEC_PER_SEC);
        assert_int_equal(s->log.max_size, 10 * 1024 * 1024);
        assert_int_equal(s->log.keep, 5);
        assert_int_equal(s->instances, 1);
        assert_true(s->autostart);
        assert_int_equal(s->umask, UINT32_MAX);
        assert_int_equal(s->priority.nice, INT_UNSET);
        assert_int_equal(s->limits.memory_max, LIMIT_UNSET);
        for (size_t i = 0; i < RLIMIT_KEYS; i++)
                assert_int_equal(s->limits.rlimit[i], LIMIT_UNSET);
}

/* The example of every scalar is taken, differs from the default, and comes back as what was put in. */
static void test_every_example_round_trip(void **state) {
        for (const SpecKey *k = spec_keys; k->path; k++) {
                _cleanup_(spec_freep) ServiceSpec *a = make_spec("n", "a"), *b = make_spec("n", "b");
                _cleanup_error_ KlError e = {};
                _cleanup_free_ char *example = strdup(k->example), *text = NULL;

                if (!key_type_is_scalar(k->type)) {
                        assert_int_equal(spec_scalar_parse(k, a, "x", &e), -EINVAL);
                        assert_int_equal(spec_scalar_format(k, a, &text), -EINVAL);
                        continue;
                }
                if (*example == '"') {
                        memmove(example, example + 1, strlen(example));
                        example[strlen(example) - 1] = '\0';
                }
                if (spec_scalar_parse(k, a, example, &e) < 0)
                        fail_msg("%s: its example: %s", k->path, e.message);
                assert_false(spec_key_is_default(k, a));
                assert_int_equal(spec_scalar_format(k, a, &text), 0);
                assert_non_null(text);
                assert_int_equal(spec_scalar_parse(k, b, text, &e), 0);
                assert_true(spec_key_equal(k, a, b));
                assert_int_equal(spec_key_reset(k, a), 0);
                assert_true(spec_key_is_default(k, a));
                assert_false(spec_key_equal(k, a, b));
        }
}

static const struct { const char *path, *text, *written; } accepted[] = {
        { "description", "a b", "a b" },          { "description", "", "-" },             { "description", "größer", "größer" },
        { "type", "oneshot", "oneshot" },         { "shell", "true", "true" },            { "cwd", "/srv/x y", "/srv/x y" },
        { "instances", "max", "max" },            { "instances", "-1", "-1" },            { "instances", "1024", "1024" },
        { "ready.timeout", "90s", "1m30s" },      { "ready.timeout", "infinity", "infinity" }, { "ready.timeout", "0", "0" },
        { "watchdog", "500ms", "500ms" },         { "limits.memory_max", "1024K", "1M" }, { "limits.memory_max", "infinity", "-" },
        { "limits.swap_max", "0", "0" },          { "limits.cpu", "150%", "150%" },       { "limits.tasks", "64", "64" },
        { "limits.tasks", "infinity", "-" },      { "limits.files", "4096", "4096" },     { "limits.files", "infinity", "infinity" },
        { "limits.core", "infinity", "infinity" },{ "limits.core", "0", "0" },            { "limits.cpu_time", "60", "60" },
        { "priority.nice", "-20", "-20" },        { "priority.nice", "0", "0" },          { "priority.cpu_weight", "10000", "10000" },
        { "priority.io_class", "best-effort", "best-effort" },                            { "priority.oom_score_adj", "-1000", "-1000" },
        { "restart.when", "never", "never" },     { "restart.factor", "1", "1" },         { "restart.factor", "1.5", "1.5" },
        { "restart.factor", "2.00", "2" },        { "restart.factor", "1.25", "1.25" },   { "restart.factor", "1.05", "1.05" },
        { "restart.factor", "100", "100" },       { "restart.jitter", "0%", "0%" },       { "restart.limit", "0", "0" },
        { "restart.delay", "0", "0" },            { "stop.signal", "INT", "SIGINT" },     { "stop.signal", "sigquit", "SIGQUIT" },
        { "stop.signal", "9", "SIGKILL" },        { "stop.signal", "SIGRTMIN+3", "SIGRTMIN+3" }, { "stop.signal", "RTMIN", "SIGRTMIN+0" },
        { "log.max_size", "infinity", "infinity" }, { "log.max_size", "4K", "4K" },       { "log.keep", "0", "0" },
        { "user", "1000", "1000" },               { "user", "www-data", "www-data" },     { "umask", "22", "0022" },
        { "umask", "0777", "0777" },              { "umask", "0", "0000" },
};

static void test_accepted(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
                _cleanup_(spec_freep) ServiceSpec *s = make_spec("n", "a");

                set_key(s, accepted[i].path, accepted[i].text);
                expect_key(s, accepted[i].path, accepted[i].written);
        }
}

static const struct { const char *path, *text, *message; } refused[] = {
        { "description", "a\nb", NULL },        { "description", "\xff", NULL },
        { "type", "one-shot", "type: expected simple or oneshot, not \"one-shot\"" },
        { "restart.when", "", "restart.when: expected always, on-failure or never, not \"\"" },
        { "shell", "yes", "shell: expected true or false, not \"yes\"" },
        { "cwd", "", NULL },                    { "instances", "0", NULL },             { "instances", "1025", NULL },
        { "instances", "many", "instances: expected a whole number other than 0, or max, not \"many\"" },
        { "instances", "-1025", NULL },         { "ready.timeout", "5 parsecs", NULL }, { "ready.timeout", "", NULL },
        { "ready.timeout", "-1s", NULL },       { "watchdog", "infinity", NULL },       { "restart.delay", "infinity", NULL },
        { "limits.memory_max", "lots", "limits.memory_max: expected a size such as 64K, 512M or 2G, not \"lots\"" },
        { "limits.memory_max", "0", NULL },     { "limits.memory_max", "99999999999999999999G", NULL },
        { "limits.cpu", "150", "limits.cpu: expected a percentage such as 150%, not \"150\"" },
        { "limits.cpu", "0%", NULL },           { "limits.tasks", "0", NULL },          { "limits.tasks", "-1", NULL },
        { "limits.files", "1.5", NULL },        { "limits.files", "18446744073709551615", NULL },
        { "priority.nice", "20", "priority.nice: \"20\" is out of range: expected a whole number from -20 to 19" },
        { "priority.nice", "-21", NULL },       { "priority.nice", "9223372036854775808", NULL },
        { "priority.cpu_weight", "0", NULL },   { "priority.cpu_weight", "10001", NULL }, { "priority.io_level", "8", NULL },
        { "priority.io_class", "Idle", NULL },  { "priority.oom_score_adj", "1001", NULL },
        { "restart.factor", "0.5", NULL },      { "restart.factor", "1.234", NULL },    { "restart.factor", ".5", NULL },
        { "restart.factor", "2.", NULL },       { "restart.factor", "1e3", NULL },      { "restart.factor", "101", NULL },
        { "restart.factor", "99999999999999", NULL },                                   { "restart.factor", "", NULL },
        { "restart.jitter", "101%", NULL },     { "restart.limit", "1000001", NULL },   { "restart.limit", "4294967297", NULL },
        { "stop.signal", "0", NULL },           { "stop.signal", "SIGNONE", NULL },     { "stop.signal", "SIG", NULL },
        { "stop.signal", "65", NULL },          { "stop.signal", "33", NULL },          { "stop.signal", "RTMIN+99", NULL },
        { "stop.signal", "RTMAX+1", NULL },     { "log.max_size", "1K", NULL },         { "user", "", NULL },
        { "user", "a b", NULL },                { "user", "-x", NULL },                 { "user", "a:b", NULL },
        { "umask", "0888", NULL },              { "umask", "01000", NULL },             { "umask", "", NULL },
        { "umask", "777777777777777777777", NULL },
};

/* With a message, and with the field as it was. */
static void test_refused(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
                _cleanup_(spec_freep) ServiceSpec *s = make_spec("n", "a"), *before = make_spec("n", "a");
                _cleanup_error_ KlError e = {};
                const SpecKey *k = spec_key_find(refused[i].path);

                if (spec_scalar_parse(k, s, refused[i].text, &e) != -EINVAL)
                        fail_msg("%s: \"%s\" was taken", refused[i].path, refused[i].text);
                assert_true(spec_key_equal(k, s, before));
                assert_string_equal(e.id, KL_E_INVALID);
                assert_non_null(strstr(e.message, k->path));
                if (refused[i].message)
                        assert_string_equal(e.message, refused[i].message);
                assert_int_equal(spec_scalar_parse(k, s, refused[i].text, NULL), -EINVAL);
        }
}

static void test_hint_for_a_typo(void **state) {
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("n", "a");
        _cleanup_error_ KlError e = {};

        assert_int_equal(spec_scalar_parse(spec_key_find("ready.by"), s, "notifi", &e), -EINVAL);
        assert_string_equal(e.message, "ready.by: expected start, notify, fd, probe, log, ipc or listen, not \"notifi\"");
        assert_string_equal(e.hint, "did you mean notify?");
}

/* What came from outside is made safe and short before it is shown. */
static void test_message_is_safe(void **state) {
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("n", "a");
        _cleanup_error_ KlError e = {};
        char text[2000];

        memset(text, 'x', sizeof(text) - 1);
        text[0] = '\033';
        text[sizeof(text) - 1] = '\0';
        assert_int_equal(spec_scalar_parse(spec_key_find("type"), s, text, &e), -EINVAL);
        assert_null(strchr(e.message, '\033'));
        assert_true(strlen(e.message) < 200);
}

static void test_expects(void **state) {
        static const struct { const char *path, *text; } rows[] = {
                { "ready.by", "start, notify, fd, probe, log, ipc or listen" },
                { "limits.memory_max", "a size such as 64K, 512M or 2G" },
                { "limits.tasks", "a whole number from 1 on" },
                { "priority.io_level", "a whole number from 0 to 7" },
                { "restart.factor", "a number such as 2 or 1.5, from 1 to 100" },
                { "restart.jitter", "a percentage from 0% to 100%" },
                { "restart.except_codes", "an exit code from 0 to 255, or a list of them" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_free_ char *text = spec_key_expects(spec_key_find(rows[i].path));

                assert_string_equal(text, rows[i].text);
        }
        for (const SpecKey *k = spec_keys; k->path; k++) {
                _cleanup_free_ char *text = spec_key_expects(k);

                assert_true(text && strlen(text) > 3);
        }
}

/* What reaches a living service, what needs a new process, and what is only for decisions. */
static void test_effects(void **state) {
        for (const SpecKey *k = spec_keys; k->path; k++) {
                bool rlimit = k->offset >= offsetof(ServiceSpec, limits.rlimit) &&
                              k->offset < offsetof(ServiceSpec, limits.rlimit) + RLIMIT_KEYS * sizeof(uint64_t);

                if (startswith(k->path, "limits."))
                        assert_int_equal(k->effect, rlimit ? EFFECT_RESTART : EFFECT_LIVE);
                else if (startswith(k->path, "priority."))
                        assert_int_equal(k->effect, EFFECT_LIVE);
                else if (startswith(k->path, "restart.") || startswith(k->path, "stop."))
                        assert_int_equal(k->effect, EFFECT_NONE);
        }
        assert_int_equal(spec_key_find("instances")->effect, EFFECT_SCALE);
        assert_int_equal(spec_key_find("command")->effect, EFFECT_RESTART);
        assert_int_equal(spec_key_find("watchdog")->effect, EFFECT_RESTART);
        assert_int_equal(spec_key_find("depends_on")->effect, EFFECT_NONE);
}

static void test_rlimit_numbers(void **state) {
        static const struct { const char *path; int resource; } rows[] = {
                { "limits.files", RLIMIT_NOFILE },  { "limits.processes", RLIMIT_NPROC },     { "limits.core", RLIMIT_CORE },
                { "limits.stack", RLIMIT_STACK },   { "limits.locked_memory", RLIMIT_MEMLOCK }, { "limits.file_size", RLIMIT_FSIZE },
                { "limits.data", RLIMIT_DATA },     { "limits.address_space", RLIMIT_AS },    { "limits.cpu_time", RLIMIT_CPU },
        };

        assert_int_equal(ARRAY_SIZE(rows), RLIMIT_KEYS);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                size_t at = (spec_key_find(rows[i].path)->offset - offsetof(ServiceSpec, limits.rlimit)) / sizeof(uint64_t);

                assert_int_equal(spec_rlimit_resource[at], rows[i].resource);
        }
}

static void test_infinity_of_rlimits(void **state) {
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("n", "a");

        set_key(s, "limits.core", "infinity");
        assert_int_equal(s->limits.rlimit[2], LIMIT_INFINITY);
        assert_false(spec_key_is_default(spec_key_find("limits.core"), s));
        set_key(s, "limits.memory_max", "infinity");
        assert_true(spec_key_is_default(spec_key_find("limits.memory_max"), s));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table_is_sound),
                cmocka_unit_test(test_every_default),
                cmocka_unit_test(test_every_example_round_trip),
                cmocka_unit_test(test_accepted),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_hint_for_a_typo),
                cmocka_unit_test(test_message_is_safe),
                cmocka_unit_test(test_expects),
                cmocka_unit_test(test_effects),
                cmocka_unit_test(test_rlimit_numbers),
                cmocka_unit_test(test_infinity_of_rlimits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
