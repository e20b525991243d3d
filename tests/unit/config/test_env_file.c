/* Environment files. */
#include "config_test.inc.h"

static void test_values(void **state) {
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "", "" },
                { "A=1\n", "A=1" },
                { "A=1", "A=1" },
                { "\n  # c\n\tA=1\r\n", "A=1" },
                { "B=2\nA=1\n", "A=1|B=2" },
                { "A=1\nA=2\n", "A=2" },
                { "export A=1\nexport\tB=2\nexported=3\n", "A=1|B=2|exported=3" },
                { "A = two words  # comment\n", "A=two words" },
                { "A=b#c\nB=#\n", "A=b#c|B=" },
                { "A=\n", "A=" },
                { "A='$x \\n # '\n", "A=$x \\n # " },
                { "A=\"a\\tb\\\"c\\\\d\\$e\\q\" # c\n", "A=a\tb\"c\\d$e\\q" },
                { "A=\"one\ntwo\"\nB=3\n", "A=one\ntwo|B=3" },
                { "A=x\"y\"\n", "A=x\"y\"" },
                { "\xef\xbb\xbf"
                  "A=\xc3\xa9\n",
                  "A=\xc3\xa9" },
                { "A=b=c\n", "A=b=c" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_diagnostics_ Diagnostics d = {};
                _cleanup_strv_ char **env = NULL;
                char *joined;

                assert_int_equal(config_load_env_text("e", cases[i].text, strlen(cases[i].text), &env, &d), 0);
                joined = strv_join(env, "|");
                assert_string_equal(joined, cases[i].expected);
                free(joined);
        }
}

static void test_messages(void **state) {
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "A=1\nnonsense\n", "e:2:1: error: expected NAME=value\n" },
                { "1A=1\n=2\n B C=3\n", "e:1:1: error: expected NAME=value; a name has letters, digits and _ and starts with no digit\n"
                                        "e:2:1: error: expected NAME=value; a name has letters, digits and _ and starts with no digit\n"
                                        "e:3:2: error: expected NAME=value; a name has letters, digits and _ and starts with no digit\n" },
                { "A=1\nB=\"x\ny\n", "e:2:3: error: this quote is not closed\n" },
                { "A=\"x\ny\" z\nB\n",
                  "e:2:4: error: nothing may follow the closing quote but a comment\ne:3:1: error: expected NAME=value\n" },
                { "A=\xff\n", "e:1:3: error: invalid UTF-8: byte 0xff\n" },
                { "A='\xc3\xa9' z\n", "e:1:7: error: nothing may follow the closing quote but a comment\n" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_diagnostics_ Diagnostics d = {};
                _cleanup_strv_ char **env = NULL;
                char *said;

                assert_int_equal(config_load_env_text("e", cases[i].text, strlen(cases[i].text), &env, &d), -EINVAL);
                assert_null(env);
                said = messages(&d);
                assert_string_equal(said, cases[i].expected);
                free(said);
        }
}

static void test_adds(void **state) {
        _cleanup_diagnostics_ Diagnostics d = {};
        _cleanup_strv_ char **env = NULL;
        char *joined;

        assert_int_equal(strv_append(&env, "Z=1"), 0);
        assert_int_equal(strv_append(&env, "A=1"), 0);
        assert_int_equal(config_load_env_text("e", "A=2\nM=3\n", 8, &env, &d), 0);
        joined = strv_join(env, "|");
        assert_string_equal(joined, "A=2|M=3|Z=1");
        free(joined);
}

static void test_file(void **state) {
        _cleanup_diagnostics_ Diagnostics d = {};
        _cleanup_strv_ char **env = NULL;
        char path[] = "/tmp/kingly-env-XXXXXX", *said;
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, "A=1\n", 4), 4);
        close(fd);
        assert_int_equal(config_load_env_file(path, &env, &d), 0);
        assert_string_equal(env[0], "A=1");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(config_load_env_file("/nonexistent/env", &env, &d), -ENOENT);
        assert_int_equal(config_load_env_file("/", &env, &d), -EISDIR);
        said = messages(&d);
        assert_string_equal(
                said, "/nonexistent/env: error: cannot be read: No such file or directory\n/: error: cannot be read: Is a directory\n");
        free(said);
}

/* Hundreds of thousands of lines are read in a moment: nothing in the way is quadratic. */
static void test_large(void **state) {
        _cleanup_buffer_ Buffer b = {};
        _cleanup_diagnostics_ Diagnostics d = {};
        _cleanup_strv_ char **env = NULL;

        for (int i = 0; i < 200000; i++)
                assert_int_equal(buffer_printf(&b, "V%d=%d\n", i % 100000, i), 0);
        assert_int_equal(config_load_env_text("e", b.data, b.size, &env, &d), 0);
        assert_int_equal(strv_length(env), 100000);
        assert_string_equal(strv_env_get(env, "V99999"), "199999");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values), cmocka_unit_test(test_messages), cmocka_unit_test(test_adds),
                cmocka_unit_test(test_file),   cmocka_unit_test(test_large),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
