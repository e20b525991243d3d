/* Every fault a file can have, with the place and the words in which it is told. */
#include "config_test.inc.h"

typedef struct Case {
        const char *name; /* the file's name: decides about JSON */
        const char *text;
        const char *expected;
} Case;

static const Case cases[] = {
        /* the file as a whole */
        { "f", "", "f:1:1: error: the file has no services\n" },
        { "f", "# only a comment\n", "f:1:1: error: the file has no services\n" },
        { "f", "namespace: a\n", "f:1:1: error: the file has no services\n" },
        { "f", "namespace: a\nservices: {}\n", "f:2:1: error: the file has no services\n" },
        { "f", "services:\n", "f:1:1: error: the file has no services\n" },
        { "f", "- a\n", "f:1:1: error: expected `services:` with a map of names, not a list\n" },
        { "f", "hello", "f:1:1: error: expected `services:` with a map of names, not \"hello\"\n" },
        { "f", "services: [a]\n", "f:1:11: error: services: expected a map of names (`NAME: {command: …}`), not a list\n" },
        { "f", "services: {a: node x.js}\n", "f:1:15: error: service `a`: expected keys such as `command: …`, not \"node x.js\"\n" },
        { "f", "services:\n  a:\n", "f:2:5: error: service `a`: expected keys such as `command: …`, not nothing\n" },
        { "f", "servces: {a: {command: x}}\n", "f:1:1: error: unknown key `servces` — did you mean `services`?\n" },
        { "f", "services: {a: {command: x}}\ncommand: y\n",
          "f:2:1: error: `command` does not stand here: it belongs to a service, under `services:`, or to `defaults:`\n" },
        { "f", "services: {a: {command: x}}\nzebra: y\n",
          "f:2:1: error: unknown key `zebra`: a file has `namespace`, `defaults`, `profiles` and `services`\n" },
        { "f", "namespace: a b\nservices: {a: {command: x}}\n",
          "f:1:12: error: namespace: expected a name of letters, digits, '_', '.' and '-', not \"a b\"\n" },
        { "f", "namespace: [a]\nservices: {a: {command: x}}\n",
          "f:1:12: error: namespace: expected a name of letters, digits, '_', '.' and '-', not a list\n" },
        { "f", "defaults: 3\nservices: {a: {command: x}}\n", "f:1:11: error: defaults: expected keys as a service has them, not \"3\"\n" },
        { "f", "defaults: {command: y}\nservices: {a: {command: x}}\n",
          "f:1:12: error: `command` does not stand here: it has no default, each service names its own\n" },
        { "f", "services: {'a:b': {command: x}}\n",
          "f:1:12: error: expected a service name of letters, digits, '_', '.' and '-', not \"a:b\"\n" },

        /* bytes */
        { "f", "services:\n  a: {command: \"\xff\"}\n", "f:2:17: error: invalid UTF-8: byte 0xff\n" },
        { "f", "services:\n  \xc3\xa9: {command: \"\x1b[31m\"}\n", "f:2:17: error: control character U+001B\n" },
        { "f", "services: {a: {command: \"a\\0b\"}}\n", "f:1:25: error: a text cannot hold a NUL character\n" },

        /* YAML */
        { "f", "services:\n\ta: {command: x}\n",
          "f:2:1: error: a tab cannot stand here: indent with spaces while scanning for the next token (line 2)\n" },
        { "f", "services: {a: {command: x}}\n---\nservices: {b: {command: x}}\n",
          "f:2:1: error: a second document starts here: a file holds one\n" },
        { "f", "services: {a: {command: x}\n", "f:2:1: error: did not find expected ',' or '}' while parsing a flow mapping (line 1)\n" },
        { "f", "services: {a: {command: *x}}\n", "f:1:25: error: alias *x: no such anchor before this line\n" },
        { "f", "services: &s\n  a: *s\n", "f:2:6: error: alias *s stands inside of what it stands for\n" },
        { "f", "services: {a: {command: !run x}}\n", "f:1:25: error: a tag (`!…`) means nothing in this file\n" },
        { "f", "services: {a: {command: x, <<: 3}}\n", "f:1:32: error: `<<` merges a map or a list of maps (usually an alias)\n" },
        { "f", "services: {a: {command: x, [b]: 3}}\n", "f:1:28: error: expected the name of a key, not a list\n" },
        { "f", "services:\n  a: {command: x}\n  b: {command: x}\n  a: {command: z}\n",
          "f:4:3: error: duplicate key \"a\": it stands already in line 2\n" },
        { "f", "services:\n  a:\n    command: x\n    cwd: /\n    command: y\n",
          "f:5:5: error: duplicate key \"command\": it stands already in line 3\n" },

        /* keys */
        { "f", "services: {a: {comand: x}}\n", "f:1:16: error: unknown key `comand` — did you mean `command`?\n" },
        { "f", "services: {a: {command: x, limits: {memry_max: 3}}}\n",
          "f:1:37: error: unknown key `memry_max` in `limits` — did you mean `memory_max`?\n" },
        { "f", "services: {a: {command: x, memory_max: 3}}\n",
          "f:1:28: error: unknown key `memory_max` — it belongs in the group `limits`\n" },
        { "f", "services: {a: {command: x, stop: {user: 3}}}\n",
          "f:1:35: error: unknown key `user` in `stop` — it belongs beside `stop`, not in it\n" },
        { "f", "services: {a: {command: x, xyzzy: 3}}\n", "f:1:28: error: unknown key `xyzzy`\n" },
        { "f", "services: {a: {command: x, stop.signal: 3}}\n", "f:1:28: error: unknown key `stop.signal`\n" },
        { "f", "services: {a: {command: x, limits: {memory_max: 1M, memory_restart: 2M}}}\n",
          "f:1:69: error: limits.memory_restart: above limits.memory_max, so that it would never be reached\n" },
        { "f", "services: {a: {command: x, probes: {liveness: {tcp: {prt: 1}}}}}\n",
          "f:1:54: error: unknown key `prt` in `probes.liveness.tcp` — did you mean `port`?\n" },
        { "f", "services: {a: {command: x, probes: {liveness: {tcp: {port: 0}}}}}\n",
          "f:1:60: error: probes.liveness.tcp.port: \"0\" is out of range: expected a whole number from 1 to 65535\n" },
        { "f", "services: {a: {command: x, probes: {liveness: {tcp: {port: 1}, exec: a}}}}\n",
          "f:1:47: error: probes.liveness: expected one of exec, http, tcp, unix or grpc, not several of them\n" },
        { "f", "services: {a: {command: x, probes: {liveness: {period: 5s}}}}\n",
          "f:1:47: error: probes.liveness: expected one of exec, http, tcp, unix or grpc, not none\n" },
        { "f", "services: {a: {command: x, probes: {liveness: {http: {path: /}}}}}\n", "f:1:47: error: probes.liveness: port: missing\n" },
        { "f", "services: {a: {command: x, probes: {liveness: {http: {port: 1, headers: {a b: c}}}}}}\n",
          "f:1:74: error: probes.liveness.http.headers: `a b` is not the name of a header\n" },
        { "f", "services: {a: {command: x, probes: {liveness: {http: {port: 1, host: example.com}}}}}\n",
          "f:1:47: error: probes.liveness: host: \"example.com\" is neither an IP address nor localhost (exec can run a program that resolves "
          "names, such as curl)\n" },
        { "f", "services: {a: {command: x, probes: {liveness: {tcp: {port: 1}, success: 2}}}}\n",
          "f:1:47: error: probes.liveness: success: only a readiness probe can ask for more than 1\n" },
        { "f", "services: {a: {command: x, type: oneshot, probes: {liveness: {tcp: {port: 1}}}}}\n",
          "f:1:62: error: probes.liveness: a oneshot does its work and ends; only a simple service can be probed\n" },
        { "f", "services: {a: {command: x, ready: {by: probe}}}\n", "f:1:40: error: ready.by: probe needs probes.startup or probes.readiness\n" },
        { "f", "services: {a: {command: x, stop: SIGINT}}\n",
          "f:1:34: error: stop: expected keys (signal, timeout, scope), not \"SIGINT\"\n" },
        { "f", "services: {a: {command: x, log: {to: {exec: {a: b}}}}}\n", NULL },
        { "f", "services: {a: {command: x, log: {to: {file: x}}}}\n", NULL },
        { "f", "services: {a: {command: x, collects: a}}\n", "f:1:38: error: collects: a cannot read what it writes itself\n" },
        { "f", "services: {a: {command: x, name: b, namespace: c}}\n",
          "f:1:28: error: `name` does not stand here: a service's name is its key under `services:`\n"
          "f:1:37: error: `namespace` does not stand here: it is a key of the file as a whole\n" },

        /* values */
        { "f", "services: {a: {command: x, limits: {memory_max: lots}}}\n",
          "f:1:49: error: limits.memory_max: expected a size such as 64K, 512M or 2G, not \"lots\"\n" },
        { "f", "services: {a: {command: x, limits: {memory_max: [1]}}}\n",
          "f:1:49: error: limits.memory_max: expected a size such as 64K, 512M or 2G, not a list\n" },
        { "f", "services: {a: {command: {b: c}}}\n", NULL },
        { "f", "services: {a: {command: [b, [c]]}}\n", NULL },
        { "f", "services: {a: {command: []}}\n", NULL },
        { "f", "services: {a: {command: \"it's\"}}\n", "f:1:25: error: command: a quote is not closed, or the line ends in a backslash\n" },
        { "f", "services: {a: {shell: true, command: [a, b]}}\n",
          "f:1:38: error: command: with `shell: true` the command is one line for /bin/sh, not a list\n" },
        { "f", "services: {a: {command: x, env: y}}\n", NULL },
        { "f", "services: {a: {command: x, env: {1A: y}}}\n",
          "f:1:34: error: env: a variable's name has letters, digits and _ and starts with no digit, unlike `1A`\n" },
        { "f", "services: {a: {command: x, env: {A: [y]}}}\n", NULL },
        { "f", "services: {a: {command: x, env: [A=1, B]}}\n", NULL },
        { "f", "services: {a: {command: x, env_file: {a: b}}}\n", NULL },
        { "f", "services: {a: {command: x, depends_on: b}, b: {command: x}}\n", NULL },
        { "f", "services: {a: {command: x, depends_on: {b: running}}, b: {command: x}}\n",
          "f:1:44: error: depends_on.b: expected one of started, ready, completed, not \"running\"\n" },
        { "f", "services: {a: {command: x, depends_on: [b, b]}, b: {command: x}}\n", "f:1:44: error: depends_on: `b` stands twice\n" },
        { "f", "services: {a: {command: x, depends_on: ['b c']}}\n",
          "f:1:41: error: depends_on: expected the name of a service, not \"b c\"\n" },
        { "f", "services: {a: {command: x, restart: {except_codes: [1, 256]}}}\n", NULL },
        { "f", "services: {a: {command: x, capabilities: [CAP_EVERYTHING]}}\n",
          "f:1:43: error: capabilities: expected a capability such as CAP_NET_BIND_SERVICE (see capabilities(7)), not "
          "\"CAP_EVERYTHING\"\n" },
        { "f", "services: {a: {command: x, capabilities: CAP_KILL}}\n", NULL },
        { "f", "services: {a: {command: x, limits: {io_read_iops: {sda: 3}}}}\n",
          "f:1:52: error: limits.io_read_iops: expected the absolute path of a device or of a file on it, not `sda`\n" },
        { "f", "services: {a: {command: x, limits: {io_read_iops: {/dev/sda: 3M}}}}\n", NULL },
        { "f", "services: {a: {command: x, instances: many}}\n", NULL },
        { "f", "services: {a: {command: x, autostart: maybe}}\n", NULL },
        { "f", "services: {a: {command: x, restart: {when: sometimes}}}\n", NULL },
        { "f", "services: {a: {command: x, cwd: ''}}\n", NULL },

        /* rules over several keys */
        { "f", "services: {a: {cwd: /}}\n", NULL },
        { "f", "services: {a: {command: x, limits: {memory_max: 1M, memory_high: 2M}}}\n", NULL },
        { "f", "defaults: {limits: {memory_high: 2M}}\nservices: {a: {command: x, limits: {memory_max: 1M}}}\n", NULL },

        /* across services */
        { "f", "services: {web: {command: x, depends_on: [datbase]}, database: {command: x}}\n",
          "f:1:43: error: depends_on: there is no service `datbase` — did you mean `database`?\n" },
        { "f", "services:\n  web:\n    command: x\n    depends_on:\n      q: ready\n",
          "f:5:7: error: depends_on: there is no service `q` (one of another namespace is written `namespace/name`)\n" },
        { "f", "services: {a: {command: x, depends_on: [b]}, b: {command: x, depends_on: [a]}}\n",
          "f:1:40: error: depends_on: dependency cycle: a -> b -> a\n" },
        { "f", "services: {a: {command: x, depends_on: [a]}}\n", "f:1:40: error: depends_on: a depends on itself\n" },
        { "f",
          "services: {a: {command: x, depends_on: [b]}, b: {command: x, depends_on: [c]}, c: {command: x, depends_on: {b: started}}}\n",
          "f:1:74: error: depends_on: dependency cycle: b -> c -> b\n" },

        /* variables */
        { "f", "services: {a: {command: \"${NOTHING}\"}}\n",
          "f:1:25: error: variable `NOTHING` is not set (a default is written ${NAME:-default}, a dollar sign $$)\n" },
        { "f", "services: {a: {command: x, limits: {memory_max: \"${NOTHING}\"}}}\n",
          "f:1:49: error: variable `NOTHING` is not set (a default is written ${NAME:-default}, a dollar sign $$)\n" },
        { "f", "services: {a: {command: \"${A B}\"}}\n", "f:1:25: error: expected ${NAME} or ${NAME:-default}, not `${A B}`\n" },
        { "f", "services: {a: {command: \"${HOME\"}}\n", "f:1:25: error: `${` without its `}` (a dollar sign is written $$)\n" },
        { "f", "services: {a: {command: x, user: \"${HOME}\"}}\n", NULL },

        /* JSON */
        { "f.json", "{\n  // a comment\n  \"services\": {\"a\": {\"comand\": /* é */ \"x\"}}\n}\n",
          "f.json:3:22: error: unknown key `comand` — did you mean `command`?\n" },
        { "f", " {\"services\": {\"a\": {\"command\": [\"\\ud83d\\ude00\"], \"comand\": 1}}}",
          "f:1:51: error: unknown key `comand` — did you mean `command`?\n" },
        { "f.json", "{\"services\": {\"a\": {\"command\": \"\\ud83d\"}}}",
          "f.json:1:35: error: found invalid Unicode character escape code while parsing a quoted scalar (line 1)\n" },

        /* several at once, by line */
        { "f", "services:\n  a:\n    depends_on: [z]\n    comand: x\n  b:\n    command: x\n    watchdog: soon\n  c: 1\nnamspace: q\n",
          NULL },
};

/* Cases whose wording belongs to the model: the place, and a word that must be in it. */
static const struct {
        const char *text, *place, *word;
} placed[] = {
        { "services: {a: {command: {b: c}}}\n", "f:1:25: error: command: expected ", ", not a map" },
        { "services: {a: {command: [b, [c]]}}\n", "f:1:29: error: command: expected ", ", not a list" },
        { "services: {a: {command: []}}\n", "f:1:25: error: command: expected ", ", not a list" },
        { "services: {a: {command: ''}}\n", "f:1:25: error: command: expected ", "not an empty text" },
        { "services: {a: {command: x, env: y}}\n", "f:1:33: error: env: expected ", ", not a plain text" },
        { "services: {a: {command: x, env: {A: [y]}}}\n", "f:1:37: error: env: expected ", ", not a list" },
        { "services: {a: {command: x, env: [A=1, B]}}\n", "f:1:39: error: env: expected ", ", not a plain text" },
        { "services: {a: {command: x, env_file: {a: b}}}\n", "f:1:38: error: env_file: expected ", ", not a map" },
        { "services: {a: {command: x, depends_on: b}, b: {command: x}}\n", "f:1:40: error: depends_on: expected ", ", not \"b\"" },
        { "services: {a: {command: x, restart: {except_codes: [1, 256]}}}\n", "f:1:56: error: restart.except_codes: expected ",
          ", not \"256\"" },
        { "services: {a: {command: x, capabilities: CAP_KILL}}\n", "f:1:42: error: capabilities: expected ", ", not \"CAP_KILL\"" },
        { "services: {a: {command: x, limits: {io_read_iops: {/dev/sda: 3M}}}}\n", "f:1:62: error: limits.io_read_iops: expected ",
          ", not \"3M\"" },
        { "services: {a: {command: x, instances: many}}\n", "f:1:39: error: instances: expected ", "max" },
        { "services: {a: {command: x, autostart: maybe}}\n", "f:1:39: error: autostart: expected ", "not \"maybe\"" },
        { "services: {a: {command: x, restart: {when: sometimes}}}\n", "f:1:44: error: restart.when: expected ", "on-failure" },
        { "services: {a: {command: x, cwd: ''}}\n", "f:1:33: error: cwd: expected ", "not an empty text" },
        { "services: {a: {cwd: /}}\n", "f:1:12: error: command: ", "" },
        { "services: {a: {command: x, limits: {memory_max: 1M, memory_high: 2M}}}\n", "f:1:66: error: limits.memory_high", "memory_max" },
        { "defaults: {limits: {memory_high: 2M}}\nservices: {a: {command: x, limits: {memory_max: 1M}}}\n",
          "f:1:34: error: limits.memory_high", "memory_max" },
        { "services: {a: {command: x, user: \"${HOME}\"}}\n", "f:1:34: error: user: expected ", "/home/me" },
};

static char *load_bad(const char *name, const char *text) {
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};

        assert_int_equal(config_load_text(name, "/srv", text, strlen(text), &test_options, &specs, &d), -EINVAL);
        assert_int_equal(specs.n, 0);
        return messages(&d);
}

static void test_messages(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char *said = load_bad(cases[i].name, cases[i].text);

                if (cases[i].expected && !streq(said, cases[i].expected))
                        fail_msg("text:\n%s\nexpected:\n%s\nsaid:\n%s", cases[i].text, cases[i].expected, said);
                free(said);
        }
}

static void test_places(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(placed); i++) {
                char *said = load_bad("f", placed[i].text);
                const char *end = strchr(said, '\n');

                if (!startswith(said, placed[i].place) || !strstr(said, placed[i].word) || !end || end[1])
                        fail_msg("text:\n%s\nexpected %s…%s\nsaid:\n%s", placed[i].text, placed[i].place, placed[i].word, said);
                free(said);
        }
}

static void test_all_at_once(void **state) {
        char *said = load_bad(
                "f",
                "services:\n  a:\n    depends_on: [z]\n    comand: x\n  b:\n    command: x\n    watchdog: soon\n  c: 1\nnamspace: q\n");
        static const char *const starts[] = { "f:3:18: error: depends_on", "f:4:5: error: unknown key `comand`",
                                              "f:7:15: error: watchdog: expected", "f:8:6: error: service `c`",
                                              "f:9:1: error: unknown key `namspace`" };
        const char *p = said;

        for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
                if (!startswith(p, starts[i]))
                        fail_msg("expected %s in:\n%s", starts[i], said);
                p = strchr(p, '\n') + 1;
        }
        assert_string_equal(p, "");
        free(said);
}

/* NUL needs a length of its own. */
static void test_nul(void **state) {
        static const char text[] = "services:\n  a: {command: \"a\0b\"}\n";
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};
        char *said;

        assert_int_equal(config_load_text("f", "/", text, sizeof(text) - 1, &test_options, &specs, &d), -EINVAL);
        said = messages(&d);
        assert_string_equal(said, "f:2:18: error: a NUL byte: this is no text file\n");
        free(said);
}

static void test_limit_of_messages(void **state) {
        _cleanup_buffer_ Buffer b = {};
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};

        assert_int_equal(buffer_printf(&b, "services:\n"), 0);
        for (int i = 0; i < 5000; i++)
                assert_int_equal(buffer_printf(&b, "  s%d: {comand: x, limts: 1}\n", i), 0);
        assert_int_equal(config_load_text("f", "/", b.data, b.size, &test_options, &specs, &d), -EINVAL);
        assert_int_equal(d.n, CONFIG_DIAGNOSTICS_MAX);
        assert_int_equal(d.errors, 10000);
        assert_int_equal(d.dropped, 10000 - CONFIG_DIAGNOSTICS_MAX);
}

/* Whatever a file quotes, the message stays short and harmless for a terminal. */
static void test_long_quotes(void **state) {
        _cleanup_buffer_ Buffer b = {};
        char *said;

        assert_int_equal(buffer_printf(&b, "services: {a: {command: x, cwd: x, user: \""), 0);
        for (int i = 0; i < 100000; i++)
                assert_int_equal(buffer_printf(&b, "%s", "\\x1b[31m \xc3\xa9"), 0);
        assert_int_equal(buffer_printf(&b, "\"}}\n"), 0);
        said = load_bad("f", b.data);
        assert_true(strlen(said) < 4000);
        assert_null(strchr(said, 0x1b));
        assert_true(utf8_valid(said, strlen(said)));
        free(said);
}

static void test_json_messages(void **state) {
        static const struct {
                const char *json, *expected;
        } objects[] = {
                { "{}", "error: name: expected a name of letters, digits, '_', '.' and '-', not nothing\n"
                        "error: command: missing; every service needs one\n" },
                { "[]", "error: expected an object that describes a service\n" },
                { "{\"name\": \"a\", \"command\": [\"./x\"]}", "error: command: the path must be absolute here\n" },
                { "{\"name\": \"a\", \"command\": [\"x\"], \"cwd\": \"api\"}", "error: cwd: the path must be absolute here\n" },
                { "{\"name\": \"a\", \"command\": [\"x\"], \"env_file\": \"-api\"}", "error: env_file: the path must be absolute here\n" },
                { "{\"name\": \"a\", \"comand\": [\"x\"]}", "error: unknown key `comand` — did you mean `command`?\n" },
                { "{\"name\": \"there\", \"command\": [\"x\"]}", "error: service `there` is defined already\n" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
                _cleanup_spec_list_ SpecList specs = {};
                _cleanup_diagnostics_ Diagnostics d = {};
                json_object *o = json_tokener_parse(objects[i].json),
                            *there = json_tokener_parse("{\"name\": \"there\", \"command\": \"${x} $$\"}");
                char *said;

                assert_int_equal(config_load_json(there, &specs, &d), 0);
                assert_string_equal(specs.items[0]->command[1], "$$"); /* nothing is expanded */
                assert_int_equal(config_load_json(o, &specs, &d), -EINVAL);
                said = messages(&d);
                assert_string_equal(said, objects[i].expected);
                assert_int_equal(specs.n, 1);
                free(said);
                json_object_put(o);
                json_object_put(there);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_messages),          cmocka_unit_test(test_places),
                cmocka_unit_test(test_all_at_once),       cmocka_unit_test(test_nul),
                cmocka_unit_test(test_limit_of_messages), cmocka_unit_test(test_long_quotes),
                cmocka_unit_test(test_json_messages),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
