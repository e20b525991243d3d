/* spec → JSON → spec is exact, for every key of the table and for random specs. */
#include <time.h>

#include "config_test.inc.h"
#include "../seed.inc.h"

static void expect_equal(const ServiceSpec *a, const ServiceSpec *b, const char *json) {
        assert_string_equal(a->name, b->name);
        assert_string_equal(a->ns, b->ns);
        for (const SpecKey *k = spec_keys; k->path; k++)
                if (!spec_key_equal(k, a, b))
                        fail_msg("%s differs after %s", k->path, json);
}

static void load(const char *text, SpecList *specs) {
        _cleanup_diagnostics_ Diagnostics d = {};
        json_object *o = json_tokener_parse(text);
        char *said;
        int r = config_load_json(o, specs, &d);

        said = messages(&d);
        if (r < 0)
                fail_msg("%s\n%s", text, said);
        free(said);
        json_object_put(o);
}

/* Both forms, through text as they travel. */
static void expect_round_trip(const ServiceSpec *s) {
        json_object *(*const forms[])(const ServiceSpec *) = { config_spec_to_json, config_spec_to_json_full };

        for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
                _cleanup_spec_list_ SpecList specs = {};
                json_object *o = forms[i](s), *again;
                char *text, *text_again;

                assert_non_null(o);
                text = strdup(json_object_to_json_string(o));
                load(text, &specs);
                expect_equal(s, specs.items[0], text);
                again = forms[i](specs.items[0]);
                text_again = strdup(json_object_to_json_string(again));
                assert_string_equal(text, text_again);
                json_object_put(o);
                json_object_put(again);
                free(text);
                free(text_again);
        }
}

/* A file in which a service sets one key, to the example of the manual; the example is thereby tested too. */
static char *file_with(const SpecKey *k) {
        const char *dot = strchr(k->path, '.');
        const char *command = k->type == KEY_COMMAND ? "" : "    command: prog\n";
        const char *rest = "  db: {command: x}\n  migrate: {command: x}\n";
        const char *beside = streq(k->path, "on_demand")      ? "    sockets: [80]\n"
                             : streq(k->path, "idle_timeout") ? "    sockets: [80]\n    on_demand: true\n"
                                                              : ""; /* without which it means nothing */
        char *text;

        static const struct { const char *path, *with; } together[] = { /* mean nothing alone */
                { "priority.io_level", ", io_class: realtime" }, { "priority.scheduler_priority", ", scheduler: fifo" },
                { "reload.command", ", by: command" },           { "sandbox.syscall_action", ", syscalls: read" },
                { "ready.pattern", ", by: log" },
        };
        const char *with = "";

        for (size_t i = 0; i < ARRAY_SIZE(together); i++)
                if (streq(k->path, together[i].path))
                        with = together[i].with;

        if (dot)
                text = text_printf("services:\n  a:\n%s    %.*s: {%s: %s%s}\n%s", command, (int) (dot - k->path), k->path, dot + 1,
                                   k->example, with, rest);
        else
                text = text_printf("services:\n  a:\n%s%s    %s: %s\n%s", command, beside, k->path, k->example, rest);
        assert_non_null(text);
        return text;
}

static void test_every_key(void **state) {
        for (const SpecKey *k = spec_keys; k->path; k++) {
                _cleanup_spec_list_ SpecList specs = {};
                char *text;

                assert_non_null(k->example);
                if (k->applied)
                        continue;
                text = file_with(k);
                load_good(text, &specs);
                if (spec_key_is_default(k, specs.items[0]))
                        fail_msg("the example of %s is its default", k->path);
                expect_round_trip(specs.items[0]);
                free(text);
        }
}

static void test_canonical(void **state) {
        _cleanup_spec_list_ SpecList specs = {};
        json_object *o;

        load_good("namespace: shop\nservices: {a: {command: prog x, limits: {memory_max: 524288K}, restart: {factor: 1.50, limit: 16, "
                  "delay: 1000ms},"
                  " depends_on: [b], instances: max, capabilities: [], shell: no, env: {B: 1, A: 2}, cwd: /}, b: {shell: true, command: a "
                  "| b, cwd: /}}",
                  &specs);
        o = config_spec_to_json(specs.items[0]);
        assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                            "{\"name\":\"a\",\"namespace\":\"shop\",\"command\":[\"prog\",\"x\"],\"cwd\":\"/\",\"instances\":\"max\","
                            "\"env\":{\"A\":\"2\",\"B\":\"1\"},\"depends_on\":{\"b\":\"started\"},\"limits\":{\"memory_max\":\"512M\"},"
                            "\"restart\":{\"delay\":\"1s\",\"factor\":1.5},\"capabilities\":[]}");
        json_object_put(o);
        o = config_spec_to_json(specs.items[1]);
        assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                            "{\"name\":\"b\",\"namespace\":\"shop\",\"command\":\"a | b\",\"shell\":true,\"cwd\":\"/\"}");
        json_object_put(o);
}

/* ---- random specs ---- */

static unsigned pick(unsigned n) {
        return (unsigned) rand() % n;
}

static char *random_text(void) {
        static const char *const parts[] = { "a",    "B",    " ",    "\"", "'",   "\\", "\n",       "\t",
                                             "$",    "${x}", "#",    ": ", "{",   "]",  "\xc3\xa9", "\xf0\x9f\x98\x80",
                                             "\x1b", "~",    "null", "0",  "true" };
        Buffer b = {};

        assert_int_equal(buffer_append(&b, "x", 1), 0);
        for (unsigned n = pick(6); n > 0; n--) {
                const char *p = parts[pick(ARRAY_SIZE(parts))];
                assert_int_equal(buffer_append(&b, p, strlen(p)), 0);
        }
        return b.data;
}

static void set_text(char **field) {
        free(*field);
        *field = random_text();
}

static void random_collections(ServiceSpec *s) {
        for (unsigned n = pick(4); n > 0; n--)
                assert_int_equal(strv_consume(&s->command, random_text()), 0);
        for (unsigned n = pick(4); n > 0; n--) {
                char *value = random_text(), name[16];
                snprintf(name, sizeof(name), "V%u", 5 - n);
                assert_int_equal(strv_env_set(&s->env, name, value), 0);
                free(value);
        }
        if (pick(2)) {
                s->restart.except_codes.items = calloc(2, sizeof(int32_t));
                s->restart.except_codes.items[0] = (int32_t) pick(256);
                s->restart.except_codes.items[1] = (int32_t) pick(256);
                s->restart.except_codes.n = 2;
        }
        if (pick(2)) {
                s->depends.items = calloc(1, sizeof(Dependency));
                s->depends.items[0] = (Dependency) { strdup(pick(2) ? "b" : "ns/b"), (DependKind) pick(3), pick(2), pick(2) };
                s->depends.n = 1;
        }
        if (pick(2)) {
                s->limits.io_read_bandwidth.items = calloc(1, sizeof(DeviceLimit));
                s->limits.io_read_bandwidth.items[0] = (DeviceLimit) { strdup("/dev/sda"), 1 + ((uint64_t) rand() << pick(30)) };
                s->limits.io_read_bandwidth.n = 1;
        }
        s->capabilities_set = pick(2);
        if (s->capabilities_set && pick(2))
                assert_int_equal(strv_append(&s->capabilities, "CAP_KILL"), 0);
}

static ServiceSpec *random_spec(void) {
        ServiceSpec *s;

        assert_int_equal(spec_new("ns", "a", &s), 0);
        assert_int_equal(strv_append(&s->command, "/bin/prog"), 0);
        random_collections(s);
        set_text(&s->description);
        for (char *c = s->description; *c; c++)
                if (*c < ' ' && *c >= 0)
                        *c = ' ';
        s->instances = (int32_t) pick(10) - 3;
        s->ready_timeout = pick(3) ? (usec_t) rand() << pick(20) : USEC_INFINITY;
        s->watchdog = pick(2) ? (usec_t) rand() : 0;
        s->limits.memory_max = pick(2) ? 1 + ((uint64_t) rand() << pick(30)) : LIMIT_UNSET;
        s->limits.tasks = pick(2) ? 1 + (uint64_t) rand() : LIMIT_UNSET;
        for (size_t i = 0; i < RLIMIT_KEYS; i++)
                s->limits.rlimit[i] = pick(3) == 0 ? LIMIT_UNSET : pick(2) ? LIMIT_INFINITY : (uint64_t) rand() << pick(30);
        s->limits.cpu = pick(2) ? 1 + pick(1000) : 0;
        s->priority.nice = pick(2) ? (int32_t) pick(40) - 20 : INT_UNSET;
        s->priority.oom_score_adj = pick(2) ? (int32_t) pick(2001) - 1000 : INT_UNSET;
        s->priority.io_class = (int) pick(4);
        s->restart.when = (int) pick(3);
        s->restart.factor_percent = 100 + pick(900);
        s->restart.delay = pick(2) ? (usec_t) pick(1000000) : 0;
        s->restart.limit = pick(100);
        s->stop.signal = 1 + (int) pick(64);
        if (s->stop.signal == 32 || s->stop.signal == 33) /* the C library's own */
                s->stop.signal = 34;
        s->stop.timeout = (usec_t) rand();
        s->log.to = (int) pick(4);
        s->umask = pick(2) ? pick(512) : UINT32_MAX;
        return s;
}

static void test_random(void **state) {

        srand(test_seed());
        /* KINGLY_SLOW: by an emulator, to which fewer say as much. */
        for (int i = 0, rounds = getenv("KINGLY_SLOW") ? 300 : 3000; i < rounds; i++) {
                ServiceSpec *s = random_spec();

                expect_round_trip(s);
                spec_free(s);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_key),
                cmocka_unit_test(test_canonical),
                cmocka_unit_test(test_random),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
