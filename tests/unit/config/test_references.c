/* Values of other services: what each stands for, through which layers, and what is said of those that lead nowhere. */
#include "config_test.inc.h"

static char *load(const char *text, const ConfigOptions *o, SpecList *specs) {
        _cleanup_diagnostics_ Diagnostics d = {};

        (void) config_load_text("f", "/srv/shop", text, strlen(text), o, specs, &d);
        return messages(&d);
}

/* The variable X of service a, the first. */
static void expect(const char *value, const char *services, const char *x) {
        _cleanup_free_ char *text = text_printf("services:\n  a: {command: p, env: {X: '%s'}}\n%s", value, services), *said = NULL;
        _cleanup_spec_list_ SpecList specs = {};

        said = load(text, &test_options, &specs);
        assert_string_equal(said, "");
        assert_string_equal(strv_env_get(specs.items[0]->env, "X"), x);
}

static void expect_fault(const char *value, const char *services, const char *what) {
        _cleanup_free_ char *text = text_printf("services:\n  a: {command: p, env: {X: '%s'}}\n%s", value, services), *said = NULL;
        _cleanup_spec_list_ SpecList specs = {};

        said = load(text, &test_options, &specs);
        assert_string_equal(said, what);
        assert_int_equal(specs.n, 0);
}

static void test_sockets(void **state) {
        static const char db[] = "  db: {command: q, sockets: [/run/db.sock, '0.0.0.0:5432', {listen: '[::]:81', name: admin}, {listen: ./local.sock, name: near}]}\n"
                                 "  one: {command: q, sockets: '127.0.0.1:${PORT}'}\n"
                                 "  d.o.t: {command: q, sockets: [{listen: '@hidden', type: unix-stream}]}\n";

        expect("${service.db.port}", db, "5432");
        expect("${service.db.host}", db, "127.0.0.1");
        expect("pg://u@${service.db.address}/x", db, "pg://u@127.0.0.1:5432/x");
        expect("${service.db.address.admin}", db, "[::1]:81");
        expect("${service.db.port.admin}", db, "81");
        expect("${service.db.socket}", db, "/run/db.sock");
        expect("${service.db.socket.near}", db, "/srv/shop/local.sock");
        expect("${service.one.port} $${service.one.port} ${PORT}", db, "8080 ${service.one.port} 8080");
        expect("${service.d.o.t.socket}", db, "@hidden");
        expect("${service.default/db.port}", db, "5432");
}

static void test_env(void **state) {
        static const char others[] = "  b: {command: q, env: {URL: 'http://${service.c.env.HOST}/', EMPTY: }}\n"
                                     "  c: {command: q, env: [A=1, \"HOST=me-$$-${PORT}\"]}\n";

        expect("${service.b.env.URL}", others, "http://me-$-8080/");
        expect("${service.b.env.EMPTY}|${service.c.env.A}", others, "|1");
        /* Each may have the other's, as long as no value leads back to itself. */
        expect("${service.b.env.A}", "  b: {command: q, env: {A: b, B: '${service.a.env.Y}'}}\n  z: {command: r, env: {Z: '${service.b.env.A}'}}\n"
                                     "x-y: 1\ndefaults: {env: {Y: all}}\n", "b");
        /* Everywhere where a value stands, before it is taken for what it is. */
        {
                _cleanup_spec_list_ SpecList specs = {};
                _cleanup_free_ char *said = load("services:\n  a: {command: 'p --port ${service.b.port}', instances: '${service.b.env.N}'}\n"
                                                 "  b: {command: q, sockets: '81', env: {N: 3}}\n", &test_options, &specs);

                assert_string_equal(said, "");
                assert_string_equal(specs.items[0]->command[2], "81");
                assert_int_equal(specs.items[0]->instances, 3);
        }
}

/* The layers of the other service, with the profile in force. */
static void test_layers(void **state) {
        static const char text[] = "defaults: {env: {A: defaults, B: defaults}}\nprofiles: {p: {env: {B: top}}}\n"
                                   "services:\n  a: {command: x, env: {X: '${service.b.env.A} ${service.b.env.B} ${service.b.env.C} ${service.b.port}'}}\n"
                                   "  b: {command: y, env: {C: own}, sockets: '1', profiles: {p: {env: {C: profile}, sockets: '2'}}}\n";
        static char *const p[] = { (char *) "p", NULL };
        const ConfigOptions with = { .profiles = p };
        _cleanup_spec_list_ SpecList specs = {}, others = {};
        _cleanup_free_ char *said = load(text, &test_options, &specs), *also = load(text, &with, &others);

        assert_string_equal(said, "");
        assert_string_equal(also, "");
        assert_string_equal(strv_env_get(specs.items[0]->env, "X"), "defaults defaults own 1");
        assert_string_equal(strv_env_get(others.items[0]->env, "X"), "defaults top profile 2");
}

static void test_faults(void **state) {
        static const char db[] = "  db: {command: q, env: {A: 1}, sockets: [/run/db.sock]}\n";

        expect_fault("${service.dbb.port}", db, "f:2:28: error: there is no service `dbb` — did you mean `db`?\n");
        expect_fault("${service.other/db.port}", db, "f:2:28: error: there is no service `other/db` in the files that are read together\n");
        expect_fault("${service.db.port}", db, "f:2:28: error: service `db` has no socket with a port among its `sockets`\n");
        expect_fault("${service.db.socket.x}", db, "f:2:28: error: service `db` has no unix socket named `x` among its `sockets`\n");
        expect_fault("${service.db.env.B}", db, "f:2:28: error: service `db` has no variable `B` in its `env`\n");
        expect_fault("${service.db.pid}", db,
                     "f:2:28: error: a service has no `pid` for others: there are port, host, address and socket, of its `sockets`, and env.NAME\n");
        expect_fault("${service.db}", db, "f:2:28: error: expected ${service.NAME.port} or the like, not `${service.db}`\n");
        expect_fault("${service.a.env.X}", db, "f:2:28: error: this value leads back to itself, by way of service `a`\n");
        expect_fault("${service.db.env.A", db, "f:2:28: error: `${` without its `}` (a dollar sign is written $$)\n");
        expect_fault("${service.b.env.B}", "  b: {command: q, env: {B: '${service.c.env.C}'}}\n  c: {command: q, env: {C: '${service.a.env.X}'}}\n",
                     "f:4:28: error: this value leads back to itself, by way of service `a`\n");
        /* A fault is told once, where it is. */
        expect_fault("${service.b.env.B}", "  b: {command: q, env: {B: '${NOT_SET}'}}\n",
                     "f:3:28: error: variable `NOT_SET` is not set (a default is written ${NAME:-default}, a dollar sign $$)\n");
        expect_fault("${service.b.port}", "  b: {command: q, sockets: ['${service.c.env.P}'], env: {P: 1}}\n  c: {command: q}\n",
                     "f:3:29: error: service `c` has no variable `P` in its `env`\n");
}

/* A long chain is refused before it fills the stack, a doubling one before it fills the memory. */
static void test_bombs(void **state) {
        _cleanup_buffer_ Buffer chain = {}, bomb = {};
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_free_ char *said = NULL, *also = NULL;

        assert_int_equal(buffer_printf(&chain, "services:\n"), 0);
        for (int i = 0; i < 5000; i++)
                assert_int_equal(buffer_printf(&chain, "  s%d: {command: x, env: {A: '${service.s%d.env.A}'}}\n", i, i + 1), 0);
        assert_int_equal(buffer_printf(&chain, "  s5000: {command: x, env: {A: 1}}\n"), 0);
        said = load(chain.data, &test_options, &specs);
        assert_non_null(strstr(said, "more than 64 values lead to each other"));
        assert_int_equal(buffer_printf(&bomb, "services:\n"), 0);
        for (int i = 0; i < 40; i++)
                assert_int_equal(buffer_printf(&bomb, "  s%d: {command: x, env: {A: '${service.s%d.env.A}${service.s%d.env.A}'}}\n", i, i + 1, i + 1), 0);
        assert_int_equal(buffer_printf(&bomb, "  s40: {command: x, env: {A: 0123456789}}\n"), 0);
        also = load(bomb.data, &test_options, &specs);
        assert_non_null(strstr(also, "the variables of this file expand to more than 16 MiB"));
}

static void test_secrets(void **state) {
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_free_ char *said = load("services:\n  a: {command: x, instances: '${service.b.env.DB_PASSWORD}'}\n  b: {command: x, env: {DB_PASSWORD: hunter2}}\n",
                                         &test_options, &specs);

        assert_string_equal(said, "f:2:30: error: instances: expected a whole number other than 0, or max, not a value that is not shown\n");
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_sockets), cmocka_unit_test(test_env),   cmocka_unit_test(test_layers),
                                            cmocka_unit_test(test_faults),  cmocka_unit_test(test_bombs), cmocka_unit_test(test_secrets) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
