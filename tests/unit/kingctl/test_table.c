/* Layout of tables, cutting of text, and the typed reading of replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

#include "base/text.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/table.h"
#include "../seed.inc.h"

static char *printed(const Table *t, unsigned width, bool colour) {
        char *text = NULL;
        size_t n;
        FILE *f = open_memstream(&text, &n);

        table_print(t, f, width, colour);
        fclose(f);
        return text;
}

static void aligns(void **state) {
        static const TableColumn columns[] = { { "NAME", false, 4 }, { "PID", true }, { "STATE" } };
        _cleanup_(table_freep) Table *t = table_new(columns, 3);
        _cleanup_free_ char *plain = NULL, *coloured = NULL;

        table_add(t, COLOUR_NONE, "web");
        table_addf(t, COLOUR_NONE, "%d", 7);
        table_add(t, COLOUR_GREEN, "running");
        table_add(t, COLOUR_NONE, "b\u00fccher\u5b57");
        table_add(t, COLOUR_NONE, NULL);
        table_add(t, COLOUR_RED, "failed");
        plain = printed(t, 0, false);
        assert_string_equal(plain, "NAME      PID  STATE\n"
                                   "web         7  running\n"
                                   "b\u00fccher\u5b57    -  failed\n");
        coloured = printed(t, 0, true);
        assert_non_null(strstr(coloured, "\033[32mrunning\033[0m\n"));
}

static void cuts_to_width(void **state) {
        static const TableColumn columns[] = { { "NAME", false, 6 }, { "N", true }, { "WHERE", false, 4 } };
        _cleanup_(table_freep) Table *t = table_new(columns, 3);
        _cleanup_free_ char *narrow = NULL, *tiny = NULL;

        table_add(t, COLOUR_NONE, "a-very-long-name-indeed");
        table_add(t, COLOUR_NONE, "12345");
        table_add(t, COLOUR_NONE, "somewhere");
        narrow = printed(t, 30, false);
        assert_string_equal(narrow, "NAME              N  WHERE\n"
                                    "a-very-long\u2026  12345  somewhere\n");
        tiny = printed(t, 5, false);
        assert_string_equal(tiny, "NAME        N  WHE\u2026\n"
                                  "a-ver\u2026  12345  som\u2026\n");
}

static char *paragraph(size_t width, const char *const *pieces) {
        char *text = NULL;
        size_t n;
        FILE *f = open_memstream(&text, &n);
        Paragraph p = { .f = f, .width = width, .indent = 4 };

        for (; *pieces; pieces++)
                paragraph_add(&p, COLOUR_BOLD, *pieces);
        paragraph_break(&p, false);
        fclose(f);
        return text;
}

/* Blanks between pieces are where a line may end; a comma stays with its word; what is too long is longer. */
static void paragraphs_break_at_blanks(void **state) {
        static const char *const pieces[] = { "ok", "  ", "limits.cpu", ", ", "limits.tasks", ": ", "enforced\033 by /a/very/long/path  here", NULL };
        static const struct {
                size_t width;
                const char *text;
        } cases[] = {
                { 0, "ok  limits.cpu, limits.tasks: enforced\\x1b by /a/very/long/path  here\n" },
                { 100, "ok  limits.cpu, limits.tasks: enforced\\x1b by /a/very/long/path  here\n" },
                { 29, "ok  limits.cpu, limits.tasks:\n    enforced\\x1b by\n    /a/very/long/path  here\n" },
                { 27, "ok  limits.cpu,\n    limits.tasks:\n    enforced\\x1b by\n    /a/very/long/path  here\n" },
                { 10, "ok  limits.cpu,\n    limits.tasks:\n    enforced\\x1b\n    by\n    /a/very/long/path\n    here\n" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *text = paragraph(cases[i].width, pieces);

                assert_string_equal(text, cases[i].text);
        }
}

/* No row is wider than asked while there is something to cut, and nothing is lost without an ellipsis. */
static void random_tables_fit(void **state) {
        static const TableColumn columns[] = { { "A", false, 3 }, { "B", true }, { "C", false, 5 } };
        unsigned seed = test_seed();

        for (int round = 0; round < 300; round++) {
                _cleanup_(table_freep) Table *t = table_new(columns, 3);
                unsigned width = 24 + (unsigned) rand_r(&seed) % 60;
                _cleanup_free_ char *text = NULL;

                for (int i = 0; i < 30; i++) {
                        char cell[64] = "";
                        int n = rand_r(&seed) % (i % 3 == 1 ? 8 : 20);

                        for (int k = 0; k < n; k++)
                                strcat(cell, rand_r(&seed) % 4 ? "x" : "\u00e9");
                        assert_int_equal(table_add(t, COLOUR_NONE, cell), 0);
                }
                text = printed(t, width, false);
                for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
                        assert_true(utf8_columns(line) <= width);
                        assert_true(utf8_valid(line, strlen(line)));
                }
        }
}

static void cells_are_escaped(void **state) {
        static const TableColumn columns[] = { { "A" } };
        _cleanup_(table_freep) Table *t = table_new(columns, 1);
        _cleanup_free_ char *text = NULL;

        table_add(t, COLOUR_NONE, "x\033[2Jy\nz\x9b");
        text = printed(t, 0, true);
        for (size_t i = strcspn(text, "\n") + 1; text[i + 1]; i++)
                assert_true((uint8_t) text[i] >= ' ');
        assert_non_null(strstr(text, "x\\x1b[2Jy"));
}

static void ellipsis(void **state) {
        static const struct {
                const char *text;
                size_t columns;
                const char *wanted;
        } cases[] = {
                { "abc", 3, "abc" },
                { "abcd", 3, "ab\u2026" },
                { "abcd", 1, "\u2026" },
                { "abcd", 0, "" },
                { "\u5b57\u5b57\u5b57", 5, "\u5b57\u5b57\u2026" },
                { "\u5b57\u5b57\u5b57", 4, "\u5b57\u2026" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *s = text_ellipsize(cases[i].text, cases[i].columns);

                assert_string_equal(s, cases[i].wanted);
        }
}

static void replies_may_lack_anything(void **state) {
        _cleanup_json_ json_object *o = json_tokener_parse("{\"name\":7,\"pid\":\"x\",\"cpu_percent\":3,\"exit\":[],\"since_usec\":5}");
        InstanceView none = instance_view(NULL), odd = instance_view(o);

        assert_string_equal(none.name, "");
        assert_int_equal(none.pid, 0);
        assert_int_equal(none.memory, -1);
        assert_string_equal(odd.name, "");
        assert_int_equal(odd.pid, 0);
        assert_true(odd.cpu > 2.9 && odd.cpu < 3.1);
        assert_null(odd.exit);
        assert_int_equal(odd.since, 5);
        assert_int_equal(array_length(field_array(NULL, "x")), 0);
}

static void columns_may_lack_anything(void **state) {
        _cleanup_json_ json_object *o = json_tokener_parse("{\"instances\":[],\"columns\":{\"name\":[\"a\",7,\"c\"],\"pid\":[1],\"ready\":[null,true],"
                                                           "\"memory_bytes\":5,\"what\":[1,2,3,4,5]}}"),
                                    *plain = json_tokener_parse("{\"instances\":[{\"name\":\"a\",\"pid\":3}]}"), *odd = json_tokener_parse("{\"columns\":[1]}");
        _cleanup_free_ InstanceView *views = NULL, *of_objects = NULL, *none = NULL;
        size_t n;

        assert_int_equal(instance_views(o, &views, &n), 0);
        assert_int_equal(n, 3);
        assert_string_equal(views[0].name, "a");
        assert_string_equal(views[1].name, "");
        assert_string_equal(views[2].name, "c");
        assert_int_equal(views[0].pid, 1);
        assert_int_equal(views[2].pid, 0);
        assert_true(views[1].ready && !views[0].ready && !views[2].ready);
        assert_int_equal(views[0].memory, -1);
        assert_int_equal(instance_views(plain, &of_objects, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(of_objects[0].pid, 3);
        assert_int_equal(instance_views(odd, &none, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(instance_views(NULL, &none, &n), 0);
        assert_int_equal(n, 0);
}

static void exits_are_told(void **state) {
        static const struct {
                const char *json, *wanted;
        } cases[] = {
                { "{\"code\":3,\"signal\":null,\"reason\":\"\"}", "exit status 3" },
                { "{\"code\":null,\"signal\":\"SIGKILL\",\"reason\":\"out of memory\"}", "SIGKILL (out of memory)" },
                { "{\"code\":null,\"signal\":null,\"reason\":\"ready timeout\"}", "ready timeout" },
                { "{\"code\":null,\"signal\":\"SIGABRT\",\"reason\":\"watchdog\",\"core\":true}", "SIGABRT (watchdog, core dumped)" },
                { "{\"code\":null,\"signal\":\"SIGSEGV\",\"reason\":\"core-dump\",\"core\":true}", "SIGSEGV (core-dump)" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_json_ json_object *o = json_tokener_parse(cases[i].json);
                _cleanup_free_ char *s = exit_text(o);

                assert_string_equal(s, cases[i].wanted);
        }
}

static void census_counts(void **state) {
        _cleanup_json_ json_object *l = json_tokener_parse("[{\"name\":\"a\",\"namespace\":\"x\"},{\"name\":\"a\",\"namespace\":\"x\"},"
                                                           "{\"name\":\"a\",\"namespace\":\"y\"},{}]");
        _cleanup_(census_freep) Census *c = census_new(l), *none = census_new(NULL);

        assert_int_equal(census_instances(c, "x", "a"), 2);
        assert_int_equal(census_instances(c, "y", "a"), 1);
        assert_int_equal(census_instances(c, "y", "b"), 0);
        assert_int_equal(census_namespaces(c), 3);
        assert_int_equal(census_namespaces(none), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(aligns),
                cmocka_unit_test(cuts_to_width),
                cmocka_unit_test(paragraphs_break_at_blanks),
                cmocka_unit_test(random_tables_fit),
                cmocka_unit_test(cells_are_escaped),
                cmocka_unit_test(ellipsis),
                cmocka_unit_test(replies_may_lack_anything),
                cmocka_unit_test(columns_may_lack_anything),
                cmocka_unit_test(exits_are_told),
                cmocka_unit_test(census_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
