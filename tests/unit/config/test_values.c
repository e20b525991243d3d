/* What values mean once they are in a spec. */
#include "config_test.inc.h"

static char *joined(char *const *l) {
        char *s = strv_join(l, "|");

        assert_non_null(s);
        return s;
}

static void expect_words(char *const *l, const char *expected) {
        char *s = joined(l);

        assert_string_equal(s, expected);
        free(s);
}

static ServiceSpec *service(const SpecList *specs, const char *name) {
        ServiceSpec *s = spec_list_find(specs, "default", name);

        assert_non_null(s);
        return s;
}

static void test_collector(void **state) {
        _cleanup_spec_list_ SpecList specs = {};

        load_good("services:\n"
                  "  map: {command: x, log: {to: {exec: [svlogd, .]}, format: raw}}\n"
                  "  line: {command: x, log: {to: {exec: \"./collect 'a b'\"}}}\n"
                  "  flat: {command: x, log: {to: exec, exec: [y]}}\n"
                  "  alone: {command: x, log: {exec: [y]}}\n"
                  "  other: {command: x, log: {to: exec}}\n"
                  "  mine: {command: x, collects: other}\n",
                  &specs);
        assert_int_equal(service(&specs, "map")->log.to, LOG_TO_EXEC);
        assert_int_equal(service(&specs, "map")->log.format, LOG_FORMAT_RAW);
        expect_words(service(&specs, "map")->log.exec, "svlogd|.");
        expect_words(service(&specs, "line")->log.exec, "/srv/shop/collect|a b");
        assert_int_equal(service(&specs, "flat")->log.to, LOG_TO_EXEC);
        expect_words(service(&specs, "flat")->log.exec, "y");
        assert_int_equal(service(&specs, "alone")->log.to, LOG_TO_EXEC);
        assert_int_equal(service(&specs, "other")->log.to, LOG_TO_EXEC);
        assert_null(service(&specs, "other")->log.exec);
        assert_string_equal(service(&specs, "mine")->collects, "other");
}

static void test_command(void **state) {
        _cleanup_spec_list_ SpecList specs = {};

        load_good("services:\n"
                  "  words: {command: \"prog --name 'a b' \\\"c d\\\" e\\\\ f\"}\n"
                  "  list: {command: [prog, 6390, true, 1.50, 'a b', '', 0x10]}\n"
                  "  shell: {shell: yes, command: \"echo $$HOME | cat\"}\n"
                  "  shell_late: {command: a && b, shell: on}\n"
                  "  relative: {command: ./bin/../prog x}\n"
                  "  relative_list: {command: [bin/prog, ./x]}\n"
                  "  absolute: {command: /bin//prog}\n"
                  "  folded:\n    command: >-\n      prog\n      --flag\n",
                  &specs);
        expect_words(service(&specs, "words")->command, "prog|--name|a b|c d|e f");
        expect_words(service(&specs, "list")->command, "prog|6390|true|1.50|a b||0x10");
        expect_words(service(&specs, "shell")->command, "/bin/sh|-c|echo $HOME | cat");
        expect_words(service(&specs, "shell_late")->command, "/bin/sh|-c|a && b");
        expect_words(service(&specs, "relative")->command, "/srv/shop/prog|x");
        expect_words(service(&specs, "relative_list")->command, "/srv/shop/bin/prog|./x");
        expect_words(service(&specs, "absolute")->command, "/bin/prog");
        expect_words(service(&specs, "folded")->command, "prog|--flag");
}

static void test_env(void **state) {
        _cleanup_spec_list_ SpecList specs = {};

        load_good("defaults: {env: {Z: z, PORT: 1, A: a}}\n"
                  "services:\n"
                  "  map: {command: x, env: {PORT: 6390, ON: yes, EMPTY: , NONE: ~, F: 1.50, Q: \"a=b\"}}\n"
                  "  list: {command: x, env: [PORT=2, B=, C=a=b]}\n"
                  "  none: {command: x}\n",
                  &specs);
        expect_words(service(&specs, "map")->env, "A=a|EMPTY=|F=1.50|NONE=|ON=yes|PORT=6390|Q=a=b|Z=z");
        expect_words(service(&specs, "list")->env, "A=a|B=|C=a=b|PORT=2|Z=z");
        expect_words(service(&specs, "none")->env, "A=a|PORT=1|Z=z");
}

static void test_paths(void **state) {
        _cleanup_spec_list_ SpecList specs = {};

        load_good("services:\n"
                  "  a: {command: x, env_file: .env}\n"
                  "  b: {command: x, env_file: [-.env, /etc/x, -/etc/y], cwd: ./api}\n"
                  "  c: {command: x, cwd: ../other/}\n"
                  "  d: {command: x, cwd: /}\n",
                  &specs);
        expect_words(service(&specs, "a")->env_files, "/srv/shop/.env");
        expect_words(service(&specs, "b")->env_files, "-/srv/shop/.env|/etc/x|-/etc/y");
        assert_string_equal(service(&specs, "a")->cwd, "/srv/shop");
        assert_string_equal(service(&specs, "b")->cwd, "/srv/shop/api");
        assert_string_equal(service(&specs, "c")->cwd, "/srv/other");
        assert_string_equal(service(&specs, "d")->cwd, "/");
}

static void test_defaults(void **state) {
        _cleanup_spec_list_ SpecList specs = {};
        const ServiceSpec *s;

        load_good("namespace: default\n"
                  "defaults:\n  restart: {when: on-failure, delay: 2s, except_codes: [3]}\n  limits: {memory_max: 1M, files: 7}\n  user: "
                  "nobody\n"
                  "  capabilities: []\n  depends_on: [last]\n"
                  "services:\n"
                  "  a: {command: x, restart: {delay: 3s}, limits: {memory_max: 2M}, depends_on: {b: completed}}\n"
                  "  b: {command: x, restart: {except_codes: []}, user: ~, capabilities: ~}\n"
                  "  last: {command: x, depends_on: {}}\n",
                  &specs);
        s = service(&specs, "a");
        assert_int_equal(s->restart.when, RESTART_ON_FAILURE);
        assert_int_equal(s->restart.delay, 3 * USEC_PER_SEC);
        assert_int_equal(s->restart.except_codes.n, 1);
        assert_int_equal(s->limits.memory_max, 2 << 20);
        assert_int_equal(s->limits.rlimit[0], 7);
        assert_string_equal(s->user, "nobody");
        assert_true(s->capabilities_set);
        assert_int_equal(s->depends.n, 1);
        assert_string_equal(s->depends.items[0].name, "b");
        assert_int_equal(s->depends.items[0].kind, DEPEND_COMPLETED);
        s = service(&specs, "b");
        assert_int_equal(s->restart.except_codes.n, 0);
        assert_null(s->user);
        assert_false(s->capabilities_set);
        assert_int_equal(s->depends.n, 1);
        assert_int_equal(s->depends.items[0].kind, DEPEND_STARTED);
        assert_int_equal(service(&specs, "last")->depends.n, 0);
}

static void test_scalars(void **state) {
        _cleanup_spec_list_ SpecList specs = {};
        const ServiceSpec *s;

        load_good("services:\n  a:\n    command: x\n    instances: -1\n    autostart: off\n    essential: False\n    no_new_privileges: "
                  "True\n"
                  "    restart: {factor: 1.5, limit: 0, jitter: 25%}\n    stop: {signal: INT, timeout: infinity}\n    umask: 0027\n    "
                  "user: 65534\n"
                  "    watchdog: 1m30s\n    limits: {cpu: 150%, io_read_bandwidth: {/dev/sda: 10M}, io_write_iops: {/dev/sdb: 7}, tasks: "
                  "infinity}\n"
                  "    capabilities: [cap_kill, CAP_NET_BIND_SERVICE, CAP_KILL]\n",
                  &specs);
        s = service(&specs, "a");
        assert_int_equal(s->instances, -1);
        assert_false(s->autostart);
        assert_false(s->essential);
        assert_true(s->no_new_privileges);
        assert_int_equal(s->restart.factor_percent, 150);
        assert_int_equal(s->restart.limit, 0);
        assert_int_equal(s->restart.jitter, 25);
        assert_int_equal(s->stop.signal, 2);
        assert_true(s->stop.timeout == USEC_INFINITY);
        assert_int_equal(s->umask, 027);
        assert_string_equal(s->user, "65534");
        assert_int_equal(s->watchdog, 90 * USEC_PER_SEC);
        assert_int_equal(s->limits.cpu, 150);
        assert_int_equal(s->limits.io_read_bandwidth.items[0].value, 10 << 20);
        assert_int_equal(s->limits.io_write_iops.items[0].value, 7);
        assert_true(s->limits.tasks == LIMIT_UNSET);
        expect_words(s->capabilities, "CAP_KILL|CAP_NET_BIND_SERVICE");
}

static void test_anchors(void **state) {
        _cleanup_spec_list_ SpecList specs = {};

        load_good("x-base: &base\n  command: from-base\n  user: base\n  restart: {when: never}\n"
                  "x-more: &more {user: more, group: more}\n"
                  "services:\n"
                  "  one: {<<: *base, user: own}\n"
                  "  two: {user: own, <<: [*base, *more]}\n"
                  "  three: *base\n"
                  "  four: {<<: *more, <<: *base}\n",
                  &specs);
        assert_string_equal(service(&specs, "one")->command[0], "from-base");
        assert_string_equal(service(&specs, "one")->user, "own");
        assert_string_equal(service(&specs, "two")->user, "own");
        assert_string_equal(service(&specs, "two")->group, "more");
        assert_int_equal(service(&specs, "three")->restart.when, RESTART_NEVER);
        assert_string_equal(service(&specs, "four")->user, "more");
}

static void test_variables(void **state) {
        _cleanup_spec_list_ SpecList specs = {};
        const ServiceSpec *s;

        load_good("services:\n"
                  "  a:\n    command: [x, \"${HOME}/bin\", \"${NONE:-d e}\", \"${EMPTY:-f}\", \"${EMPTY}\", $$x, $y, a$, "
                  "\"${PORT}${PORT}\", \"$${HOME}\", \"${NONE:-}\"]\n"
                  "    limits: {files: \"${PORT}\"}\n"
                  "    env: &e {P: \"${PORT}\"}\n"
                  "    user: ${NONE:-}\n"
                  "  b: {command: x, env: *e}\n",
                  &specs);
        s = service(&specs, "a");
        expect_words(s->command, "x|/home/me/bin|d e|f||$x|$y|a$|80808080|${HOME}|");
        assert_int_equal(s->limits.rlimit[0], 8080);
        expect_words(s->env, "P=8080");
        expect_words(service(&specs, "b")->env, "P=8080");
        assert_null(s->user);
}

static void test_json(void **state) {
        static const char text[] = "\xef\xbb\xbf{\n\t// comment with \"quotes\"\n\t\"services\": {/**/\"a\":{\"command\":[\"x\", "
                                   "\"http://x/*no*/\", \"\\ud83d\\ude00 \\u00e9 \\/ \\\"//\"],},},\n} // end";
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};
        char *said;

        assert_int_equal(config_load_text("kingly.jsonc", "/", text, strlen(text), &test_options, &specs, &d), 0);
        said = messages(&d);
        assert_string_equal(said, "");
        expect_words(specs.items[0]->command, "x|http://x/*no*/|\xf0\x9f\x98\x80 \xc3\xa9 / \"//");
        free(said);
}

static void test_namespaces(void **state) {
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};
        static const char text[] = "services: {a: {command: x, depends_on: [other/b]}}";
        ConfigOptions o = { .fallback_namespace = "mine" };

        assert_int_equal(config_load_text("f", "/", text, strlen(text), &o, &specs, &d), 0);
        assert_string_equal(specs.items[0]->ns, "mine");
        load_good("namespace: theirs\nservices: {a: {command: x}}", &specs);
        assert_string_equal(specs.items[1]->ns, "theirs");
        assert_int_equal(specs.n, 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_command), cmocka_unit_test(test_collector),   cmocka_unit_test(test_env),     cmocka_unit_test(test_paths),
                cmocka_unit_test(test_defaults),  cmocka_unit_test(test_scalars), cmocka_unit_test(test_anchors),
                cmocka_unit_test(test_variables), cmocka_unit_test(test_json),    cmocka_unit_test(test_namespaces),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
