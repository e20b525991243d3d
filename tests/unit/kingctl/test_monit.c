/* The rows of the live view: what a refresh changes, order, filter, selection, sparklines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/text.h"
#include "kingctl/monit_rows.h"

/* "ns/name:instance state cpu memory restarts" for each instance. */
typedef struct Told {
        const char *ns, *name, *state;
        int instance, memory, restarts;
        double cpu;
} Told;

static void update(MonitRows *m, const Told *told, size_t n) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < n; i++) {
                char text[400];

                snprintf(text, sizeof text, "{\"namespace\":\"%s\",\"name\":\"%s\",\"instance\":%d,\"state\":\"%s\",\"ready\":true,\"cpu_percent\":%f,"
                                            "\"memory_bytes\":%d,\"restarts\":%d,\"since_usec\":%zu}", told[i].ns, told[i].name, told[i].instance, told[i].state,
                         told[i].cpu, told[i].memory, told[i].restarts, 100 - i);
                assert_int_equal(json_object_array_add(list, json_tokener_parse(text)), 0);
        }
        assert_int_equal(monit_rows_update(m, list), 0);
        json_object_put(list);
}
#define UPDATE(m, ...) update(m, (const Told[]) { __VA_ARGS__ }, sizeof((const Told[]) { __VA_ARGS__ }) / sizeof(Told))

/* Labels of what is shown, in order; the selected one in brackets. */
static void expect(const MonitRows *m, const char *wanted) {
        char text[1000] = "";

        for (size_t i = 0; i < m->n; i++) {
                bool selected = m->selected && streq(m->selected, m->rows[i]->key);

                if (m->rows[i]->shown)
                        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s%s ", selected ? "[" : "", m->rows[i]->label, selected ? "]" : "");
        }
        assert_string_equal(text, wanted);
}

#define A(...) { "one", "a", "running", 0, __VA_ARGS__ }
#define B0(...) { "one", "b", "running", 0, __VA_ARGS__ }
#define B1(...) { "one", "b", "failed", 1, __VA_ARGS__ }
#define C(...) { "two", "c", "running", 0, __VA_ARGS__ }

static void test_order(void **state) {
        MonitRows m = {};

        UPDATE(&m, C(9, 0, 99), B1(3, 5, 0), B0(2, 0, 7), A(1, 1, 3));
        expect(&m, "[a] b:0 b:1 c ");
        assert_int_equal(m.n_running, 3);
        assert_int_equal(m.n_wrong, 1);
        assert_int_equal(m.n_namespaces, 2);
        monit_rows_order(&m, ORDER_CPU);
        expect(&m, "b:0 [a] b:1 c ");
        monit_rows_order(&m, ORDER_MEMORY);
        expect(&m, "b:1 b:0 [a] c ");
        monit_rows_order(&m, ORDER_RESTARTS);
        expect(&m, "b:1 [a] b:0 c ");
        monit_rows_order(&m, ORDER_UPTIME);
        expect(&m, "b:1 b:0 [a] c ");
        monit_rows_done(&m);
}

static void test_selection_stays_with_its_instance(void **state) {
        MonitRows m = {};

        UPDATE(&m, A(0, 0, 0), B0(0, 0, 0), B1(0, 0, 0), C(0, 0, 0));
        monit_rows_move(&m, 2);
        expect(&m, "a b:0 [b:1] c ");
        UPDATE(&m, B0(0, 0, 0), B1(0, 0, 0), C(0, 0, 0));
        expect(&m, "b:0 [b:1] c ");
        UPDATE(&m, B0(0, 0, 0), C(0, 0, 0));
        expect(&m, "b [c] ");
        monit_rows_move(&m, 100);
        expect(&m, "b [c] ");
        monit_rows_move(&m, -100);
        expect(&m, "[b] c ");
        update(&m, NULL, 0);
        expect(&m, "");
        assert_null(monit_rows_selected(&m));
        monit_rows_move(&m, 1);
        UPDATE(&m, A(0, 0, 0));
        expect(&m, "[a] ");
        monit_rows_done(&m);
}

static void test_filter(void **state) {
        MonitRows m = {};

        UPDATE(&m, A(0, 0, 0), B0(0, 0, 0), B1(0, 0, 0), C(0, 0, 0));
        assert_int_equal(monit_rows_filter(&m, "fail"), 0);
        expect(&m, "[b:1] ");
        assert_int_equal(monit_rows_filter(&m, "b:"), 0);
        expect(&m, "b:0 [b:1] ");
        assert_int_equal(monit_rows_filter(&m, "two"), 0);
        expect(&m, "[c] ");
        assert_int_equal(monit_rows_filter(&m, "nothing"), 0);
        expect(&m, "");
        assert_null(monit_rows_selected(&m));
        assert_int_equal(monit_rows_filter(&m, ""), 0);
        expect(&m, "[a] b:0 b:1 c ");
        monit_rows_done(&m);
}

static void test_sparkline(void **state) {
        static const double cpu[] = { 0, 0.2, 100, 50, 400 };
        MonitRows m = {};
        char buf[3 * 80 + 1];

        for (size_t i = 0; i < ARRAY_SIZE(cpu); i++)
                UPDATE(&m, A(0, 0, cpu[i]));
        monit_sparkline(m.rows[0], 7, false, buf);
        assert_string_equal(buf, "    -:@");
        monit_sparkline(m.rows[0], 3, true, buf);
        assert_string_equal(buf, "▃▂█");
        for (size_t i = 0; i < 3 * MONIT_HISTORY; i++)
                UPDATE(&m, A(0, 0, 1));
        monit_sparkline(m.rows[0], 80, false, buf);
        assert_int_equal(strlen(buf), 80);
        assert_string_equal(buf + 77, "...");
        monit_rows_done(&m);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order), cmocka_unit_test(test_selection_stays_with_its_instance), cmocka_unit_test(test_filter),
                cmocka_unit_test(test_sparkline),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
