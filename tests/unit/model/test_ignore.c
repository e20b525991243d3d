/* Patterns as in .gitignore. */
#include "unit.inc.h"

#include "model/ignore.h"

static void test_one_pattern(void **state) {
        static const struct {
                const char *pattern, *path;
                bool directory, ignored;
        } cases[] = {
                { "*.log", "a.log", false, true },          { "*.log", "x/y/a.log", false, true },       { "*.log", "a.logs", false, false },
                { "*.log", ".log", false, true },           { "/a", "a", false, true },                  { "/a", "x/a", false, false },
                { "a/b", "a/b", false, true },              { "a/b", "x/a/b", false, false },            { "tmp/", "tmp", true, true },
                { "tmp/", "tmp", false, false },            { "tmp/", "x/tmp", true, true },             { "a/*", "a/b", false, true },
                { "a/*", "a/b/c", false, false },           { "a/**", "a/b/c", false, true },            { "**/c", "a/b/c", false, true },
                { "**/c", "c", false, true },               { "a/**/c", "a/c", false, true },            { "a/**/c", "a/x/y/c", false, true },
                { "a/**/c", "a/x/y/d", false, false },      { "?", "a", false, true },                   { "?", "ab", false, false },
                { "a?b", "a/b", false, false },             { "[a-c]x", "bx", false, true },             { "[!a-c]x", "bx", false, false },
                { "[^a-c]x", "dx", false, true },           { "[]]", "]", false, true },                 { "[a", "[a", false, true },
                { "\\*", "*", false, true },                { "\\*", "a", false, false },                { "\\!x", "!x", false, true },
                { "#x", "#x", false, false },               { "\\#x", "#x", false, true },               { "", "a", false, false },
                { "/", "a", true, false },                  { "*", "a", false, true },                   { "*/", "a", false, false },
                { "a*b*c", "aXbXc", false, true },          { "a*b*c", "aXbX", false, false },           { "node_modules", "x/node_modules", true, true },
                { "**", "a/b", false, true },               { "a**b", "aXb", false, true },              { "a\\", "a\\", false, true },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                if (ignore_match((char *[]) { (char *) cases[i].pattern, NULL }, cases[i].path, cases[i].directory) != cases[i].ignored)
                        fail_msg("%s against %s", cases[i].pattern, cases[i].path);
}

static void test_the_last_one_decides(void **state) {
        char *const patterns[] = { (char *) "*.log", (char *) "!keep.log", (char *) "/x/*", NULL };

        assert_true(ignore_match(patterns, "a.log", false));
        assert_false(ignore_match(patterns, "keep.log", false));
        assert_true(ignore_match(patterns, "x/keep.log", false));
        assert_false(ignore_match(patterns, "y", false));
        assert_false(ignore_match(NULL, "y", false));
}

/* A pattern of stars costs no more than the product of the lengths. */
static void test_stars_are_bounded(void **state) {
        char pattern[1000], path[4000];

        for (size_t i = 0; i + 2 < sizeof pattern; i += 2)
                memcpy(pattern + i, "a*", 2);
        pattern[998] = 'b';
        pattern[999] = '\0';
        memset(path, 'a', sizeof path - 1);
        path[sizeof path - 1] = '\0';
        assert_false(ignore_match((char *[]) { pattern, NULL }, path, false));
        for (size_t i = 0; i + 5 < sizeof pattern; i += 5)
                memcpy(pattern + i, "**/a*", 5);
        assert_false(ignore_match((char *[]) { pattern, NULL }, path, false));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_pattern), cmocka_unit_test(test_the_last_one_decides), cmocka_unit_test(test_stars_are_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
