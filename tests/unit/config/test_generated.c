/* The schema and the manual follow the table: every key is in both, and both are well formed. */
#include <json-c/json.h>

#include "config_test.inc.h"

static json_object *member(json_object *o, const char *key) {
        json_object *v = NULL;

        if (!json_object_object_get_ex(o, key, &v))
                fail_msg("the schema has no %s", key);
        return v;
}

static void expect_key(json_object *service, const SpecKey *k) {
        const char *dot = strchr(k->path, '.');
        json_object *o = member(service, "properties");
        char group[64] = "";

        if (dot) {
                snprintf(group, sizeof(group), "%.*s", (int) (dot - k->path), k->path);
                o = member(o, group);
                assert_false(json_object_get_boolean(member(o, "additionalProperties")));
                o = member(o, "properties");
        }
        o = member(o, dot ? dot + 1 : k->path);
        assert_true(startswith(json_object_get_string(member(o, "description")), k->help) != NULL);
        assert_int_equal(json_object_object_get_ex(o, "default", NULL), k->fallback != NULL);
}

static void test_schema(void **state) {
        char *text = NULL;
        json_object *o, *defs, *properties;

        assert_int_equal(config_schema(&text), 0);
        o = json_tokener_parse(text);
        assert_non_null(o);
        assert_string_equal(json_object_get_string(member(o, "$schema")), "https://json-schema.org/draft/2020-12/schema");
        defs = member(o, "$defs");
        for (const SpecKey *k = spec_keys; k->path; k++) {
                if (k->applied) {
                        assert_false(json_object_object_get_ex(member(member(defs, "service"), "properties"), k->path, NULL));
                        continue;
                }
                expect_key(member(defs, "service"), k);
                if (k->type != KEY_COMMAND)
                        expect_key(member(defs, "defaults"), k);
        }
        properties = member(member(defs, "defaults"), "properties");
        assert_false(json_object_object_get_ex(properties, "command", NULL));
        json_object_put(o);
        free(text);
}

static size_t occurrences(const char *text, const char *what) {
        size_t n = 0;

        for (const char *p = text; (p = strstr(p, what)); p++)
                n++;
        return n;
}

/* Every line is text or one of the macros in use, and none is so long that a lint would mind. */
static void test_manual(void **state) {
        static const char *const macros[] = { ".Ss ", ".Bl ", ".It Ic ", ".El", ".Cm ", ".Dl \"", NULL };
        char *text = NULL;
        size_t keys = 0;

        assert_int_equal(config_manual(&text), 0);
        for (const SpecKey *k = spec_keys; k->path; k++) {
                const char *dot = strchr(k->path, '.');
                char *item = text_printf(".It Ic %s\n", dot ? dot + 1 : k->path);

                keys += !k->applied;
                if (!strstr(text, item) && !k->applied)
                        fail_msg("the manual has no %s", k->path);
                free(item);
        }
        for (const SpecKey *k = socket_keys; k->path; k++)
                keys++;
        assert_non_null(strstr(text, ".Ss Keys of an entry of sockets\n"));
        assert_non_null(strstr(text, ".Dl \"sockets: [{mode: "));
        for (const SpecKey *k = spec_probe_keys; k->path; k++, keys++) {
                char *item = text_printf(".It Ic %s\n", k->path);

                if (!strstr(text, item))
                        fail_msg("the manual has no %s", k->path);
                free(item);
        }
        assert_int_equal(occurrences(text, ".It Ic "), keys);
        assert_int_equal(occurrences(text, ".Bl "), occurrences(text, ".El\n"));
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
                bool known = line[0] != '.';

                for (const char *const *m = macros; *m; m++)
                        known = known || startswith(line, *m);
                if (!known || line[0] == '\'' || line[0] == ' ' || line[strlen(line) - 1] == ' ')
                        fail_msg("roff would stumble over: %s", line);
        }
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_schema), cmocka_unit_test(test_manual) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
