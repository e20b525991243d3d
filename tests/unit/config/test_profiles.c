/* Profiles: what lies over what, which are in force, and what is said of those that are wrong, in force or not. */
#include "config_test.inc.h"

typedef struct Memory {
        char **answer;
        unsigned asked;
        char first[100];
} Memory;

static int remember(void *userdata, char *const *services, char ***ret) {
        Memory *m = userdata;

        m->asked++;
        snprintf(m->first, sizeof m->first, "%s", services[0]);
        *ret = m->answer ? strv_copy(m->answer) : NULL;
        return 0;
}

static int load(const char *text, const ConfigOptions *o, SpecList *specs, char **ret_said) {
        _cleanup_diagnostics_ Diagnostics d = {};
        int r = config_load_text("f", "/srv/shop", text, strlen(text), o, specs, &d);

        *ret_said = messages(&d);
        return r;
}

/* The keys of the first service under these profiles, as canonical JSON. */
static void expect(const char *text, char *const *profiles, const char *json) {
        const ConfigOptions o = { .profiles = profiles };
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_free_ char *said = NULL;
        json_object *v;

        assert_int_equal(load(text, &o, &specs, &said), 0);
        assert_string_equal(said, "");
        v = config_spec_to_json(specs.items[0]);
        json_object_object_del(v, "name");
        json_object_object_del(v, "namespace");
        json_object_object_del(v, "cwd");
        assert_string_equal(json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), json);
        json_object_put(v);
}

static void expect_fault(const char *text, char *const *profiles, const char *what) {
        const ConfigOptions o = { .profiles = profiles };
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_free_ char *said = NULL;

        assert_int_equal(load(text, &o, &specs, &said), -EINVAL);
        assert_string_equal(said, what);
        assert_int_equal(specs.n, 0);
}

#define NAMES(...) ((char *[]){ __VA_ARGS__, NULL })

static const char shop[] = "defaults: {restart: {limit: 1}, env: {A: defaults, B: defaults}}\n"
                           "profiles:\n"
                           "  prod: {restart: {limit: 2, delay: 5s}, env: {B: prod, C: prod}}\n"
                           "  eu: {env: {C: eu}}\n"
                           "services:\n"
                           "  a:\n"
                           "    command: x\n"
                           "    env: {D: own, E: own}\n"
                           "    restart: {factor: 3}\n"
                           "    profiles:\n"
                           "      prod: {env: {E: own prod}, instances: 4, command: [y, z]}\n"
                           "      dev: {shell: true}\n";

static void test_layers(void **state) {
        expect(shop, NULL, "{\"command\":[\"x\"],\"env\":{\"A\":\"defaults\",\"B\":\"defaults\",\"D\":\"own\",\"E\":\"own\"},"
                           "\"restart\":{\"factor\":3,\"limit\":1}}");
        expect(shop, NAMES("prod"), "{\"profile\":[\"prod\"],\"command\":[\"y\",\"z\"],\"instances\":4,\"env\":{\"A\":\"defaults\",\"B\":\"prod\","
                                    "\"C\":\"prod\",\"D\":\"own\",\"E\":\"own prod\"},\"restart\":{\"delay\":\"5s\",\"factor\":3,\"limit\":2}}");
        /* Later ones lie over earlier ones; a command that was read without a shell is read anew with it. */
        expect(shop, NAMES("prod", "eu"), "{\"profile\":[\"prod\",\"eu\"],\"command\":[\"y\",\"z\"],\"instances\":4,\"env\":{\"A\":\"defaults\",\"B\":\"prod\","
                                          "\"C\":\"eu\",\"D\":\"own\",\"E\":\"own prod\"},\"restart\":{\"delay\":\"5s\",\"factor\":3,\"limit\":2}}");
        expect(shop, NAMES("dev"), "{\"profile\":[\"dev\"],\"command\":\"x\",\"shell\":true,\"env\":{\"A\":\"defaults\",\"B\":\"defaults\",\"D\":\"own\","
                                   "\"E\":\"own\"},\"restart\":{\"factor\":3,\"limit\":1}}");
        /* A key without a value has its default again. */
        expect("services: {a: {command: x, instances: 3, env: {A: 1}, profiles: {p: {instances: , env: }}}}", NAMES("p"),
               "{\"profile\":[\"p\"],\"command\":[\"x\"]}");
        /* What is written for a file without defaults lies over the defaults of Kingly. */
        expect("profiles: {p: {instances: 2}}\nservices: {a: {command: x}, b: {command: y, instances: 3}}", NAMES("p"),
               "{\"profile\":[\"p\"],\"command\":[\"x\"],\"instances\":2}");
}

static void test_remembered(void **state) {
        Memory m = { .answer = NAMES("prod", "gone") };
        ConfigOptions o = { .remembered = remember, .userdata = &m };
        _cleanup_spec_list_ SpecList specs = {}, none = {}, plain = {};
        _cleanup_free_ char *a = NULL, *b = NULL, *c = NULL;

        assert_int_equal(load(shop, &o, &specs, &a), 0);
        assert_int_equal(m.asked, 1);
        assert_string_equal(m.first, "default/a");
        /* A profile that was taken out of the file is in force no longer. */
        assert_string_equal(specs.items[0]->profile[0], "prod");
        assert_null(specs.items[0]->profile[1]);
        /* Who says something is not asked about, nor is a file without profiles. */
        o.profiles = (char *[]) { NULL };
        assert_int_equal(load(shop, &o, &none, &b), 0);
        assert_null(none.items[0]->profile);
        o.profiles = NULL;
        assert_int_equal(load("services: {b: {command: x}}", &o, &plain, &c), 0);
        assert_int_equal(m.asked, 1);
}

static void test_faults(void **state) {
        expect_fault(shop, NAMES("prodd"), "error: there is no profile `prodd` — did you mean `prod`?\n");
        expect_fault(shop, NAMES("zebra"), "error: there is no profile `zebra`; those there are: prod, eu, dev\n");
        expect_fault("services: {a: {command: x}}", NAMES("p"), "error: there is no profile `p`: there are no `profiles` in what was read\n");
        /* In force or not. */
        expect_fault("services: {a: {command: x, profiles: {p: {instancs: 1}}}}", NULL,
                     "f:1:43: error: unknown key `instancs` — did you mean `instances`?\n");
        expect_fault("services: {a: {command: x, profiles: {p: {limits: {memory_high: 2G, memory_max: 1G}}}}}", NULL,
                     "f:1:65: error: limits.memory_high: above limits.memory_max, so that it would never be reached\n");
        expect_fault("services: {a: {command: x, profiles: {p: {profiles: {}}}}}", NULL,
                     "f:1:43: error: `profiles` does not stand here: profiles stand at the top of the file, for its defaults, and in services\n");
        expect_fault("defaults: {profiles: {}}\nservices: {a: {command: x}}", NULL,
                     "f:1:12: error: `profiles` does not stand here: profiles stand at the top of the file, for its defaults, and in services\n");
        expect_fault("profiles: {p: {command: y}}\nservices: {a: {command: x}}", NULL,
                     "f:1:16: error: `command` does not stand here: it has no default, each service names its own\n");
        expect_fault("profiles: [p]\nservices: {a: {command: x}}", NULL, "f:1:11: error: profiles: expected a map of names (`NAME: {env: …}`), not a list\n");
        expect_fault("services: {a: {command: x, profiles: {p: 1}}}", NULL, "f:1:42: error: profiles: expected keys as a service has them, not \"1\"\n");
        expect_fault("services: {a: {command: x, profiles: {a/b: {}}}}", NULL,
                     "f:1:39: error: profiles: expected a name of letters, digits, '_', '.' and '-', not \"a/b\"\n");
        expect_fault("services: {a: {command: x, profile: p}}", NULL,
                     "f:1:28: error: `profile` does not stand here: it is chosen when the file is applied (--profile); `profiles` says what differs\n");
        /* A fault of the service is told once, however many profiles it has. */
        expect_fault("services: {a: {command: x, instances: zero, profiles: {p: {}, q: {}}}}", NULL,
                     "f:1:39: error: instances: expected a whole number other than 0, or max, not \"zero\"\n");
}

static void test_foreign(void **state) {
        static const char pm2[] = "{\"apps\": [{\"name\": \"a\", \"script\": \"npm\", \"env\": {\"A\": \"1\", \"B\": \"1\"}, \"env_production\": {\"B\": \"2\"},"
                                  " \"env_staging\": {\"C\": \"3\"}}]}";
        json_object *overlays = json_object_new_object();
        ConfigOptions o = { .overlays = overlays, .profiles = NAMES("production") };
        _cleanup_diagnostics_ Diagnostics d = {}, e = {};
        _cleanup_spec_list_ SpecList specs = {}, others = {};
        _cleanup_free_ char *said = NULL;

        assert_int_equal(config_load_text("ecosystem.json", "/srv/shop", pm2, strlen(pm2), &o, &specs, &d), 0);
        assert_string_equal(specs.items[0]->env[1], "B=2");
        assert_null(specs.items[0]->env[2]);
        assert_string_equal(specs.items[0]->profile[0], "production");
        assert_string_equal(json_object_to_json_string_ext(overlays, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                            "{\"default/a\":{\"production\":{\"env\":{\"B\":\"2\"}},\"staging\":{\"env\":{\"C\":\"3\"}}}}");
        o.profiles = NAMES("stagin");
        assert_int_equal(config_load_text("ecosystem.json", "/srv/shop", pm2, strlen(pm2), &o, &others, &e), -EINVAL);
        said = messages(&e);
        assert_non_null(strstr(said, "did you mean `staging`?"));
        json_object_put(overlays);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_layers), cmocka_unit_test(test_remembered), cmocka_unit_test(test_faults),
                                            cmocka_unit_test(test_foreign) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
