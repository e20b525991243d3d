/* Order and cycles, on small graphs by hand and on large ones by chance. */
#include "unit.inc.h"

#include <time.h>

#include "model/depend.h"
#include "../seed.inc.h"

/* "a:b,c b c:x/d": services with what they depend on; a name with a slash has its own namespace. */
static void build(SpecList *l, const char *graph) {
        _cleanup_strv_ char **items = NULL;

        assert_int_equal(strv_split_command(graph, &items), 0);
        STRV_FOREACH(item, items) {
                char *needs = strchr(*item, ':'), *slash, *one;
                ServiceSpec *s;

                if (needs)
                        *needs++ = '\0';
                slash = strchr(*item, '/');
                if (slash)
                        *slash = '\0';
                s = slash ? make_spec(*item, slash + 1) : make_spec("default", *item);
                while ((one = strsep(&needs, ",")))
                        add_dependency(s, one, DEPEND_READY);
                assert_int_equal(spec_list_append(l, s), 0);
        }
}

static char *order_text(const SpecList *l, const size_t *order) {
        Buffer b = {};

        for (size_t i = 0; i < l->n; i++)
                assert_true(buffer_printf(&b, "%s%s", i > 0 ? " " : "", l->items[order[i]]->name) >= 0);
        return b.data;
}

static void test_order(void **state) {
        static const struct { const char *graph, *order; } rows[] = {
                { "a b c", "a b c" },
                { "a:b b:c c", "c b a" },
                { "a:c b c", "b c a" },
                { "a c:a b:a", "a c b" },
                { "z:y y x:y w", "y z x w" },
                { "a:nobody b", "a b" },
                { "a:x/a x/a", "a a" },
                { "x/a:b x/b b", "b a b" },
                { "x/a:default/b b", "b a" },
                { "top:left,right left:base right:base base", "base left right top" },
                { "a:b,b b", "b a" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_spec_list_ SpecList l = {};
                _cleanup_free_ size_t *order = NULL;
                _cleanup_free_ char *text = NULL, *cycle = NULL;
                size_t at;

                build(&l, rows[i].graph);
                assert_int_equal(depend_order(&l, &order), 0);
                text = order_text(&l, order);
                assert_string_equal(text, rows[i].order);
                assert_int_equal(depend_find_cycle(&l, &cycle, &at), 0);
        }
}

static void test_cycles(void **state) {
        static const struct { const char *graph, *text; size_t index; } rows[] = {
                { "a:a", "a -> a", 0 },
                { "a:b b:a", "a -> b -> a", 0 },
                { "x y:z z:y", "y -> z -> y", 1 },
                { "in:a a:b b:c c:a out", "a -> b -> c -> a", 1 },
                { "c:a a:b b:c", "c -> a -> b -> c", 0 },
                { "a:m/b m/b:default/a", "default/a -> m/b -> default/a", 0 },
                { "m/a:b m/b:a", "a -> b -> a", 0 },
                { "ok a:ok,b b:ok,a", "a -> b -> a", 1 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_spec_list_ SpecList l = {};
                _cleanup_free_ size_t *order = NULL;
                _cleanup_free_ char *text = NULL;
                size_t at = SIZE_MAX;

                build(&l, rows[i].graph);
                assert_int_equal(depend_find_cycle(&l, &text, &at), 1);
                assert_string_equal(text, rows[i].text);
                assert_int_equal(at, rows[i].index);
                assert_int_equal(depend_order(&l, &order), -ELOOP);
                assert_null(order);
        }
}

static void test_empty(void **state) {
        _cleanup_free_ size_t *order = NULL;
        _cleanup_free_ char *text = NULL;
        SpecList l = {};
        size_t at;

        assert_int_equal(depend_order(&l, &order), 0);
        assert_int_equal(depend_find_cycle(&l, &text, &at), 0);
}

static void test_resolve(void **state) {
        _cleanup_spec_list_ SpecList l = {};

        build(&l, "a:b,x/b,nobody,y/b,xx/b b x/b");
        for (size_t i = 0; i < 5; i++) {
                static const int expected[] = { 1, 2, -1, -1, -1 };
                ServiceSpec *d = depend_resolve(&l, l.items[0], l.items[0]->depends.items + i);

                assert_ptr_equal(d, expected[i] < 0 ? NULL : l.items[expected[i]]);
        }
}

/* Thousands in one chain, the worst way round: no recursion, no square of the number. */
static void test_long_chain(void **state) {
        enum { N = 10000 };
        _cleanup_spec_list_ SpecList l = {};
        _cleanup_free_ size_t *order = NULL;
        _cleanup_free_ char *text = NULL;
        char name[16];
        size_t at;

        for (size_t i = 0; i < N; i++) {
                snprintf(name, sizeof(name), "s%zu", i);
                assert_int_equal(spec_list_append(&l, make_spec("n", name)), 0);
                snprintf(name, sizeof(name), "s%zu", i + 1);
                add_dependency(l.items[i], name, DEPEND_STARTED);
        }
        assert_int_equal(depend_order(&l, &order), 0);
        for (size_t i = 0; i < N; i++)
                assert_int_equal(order[i], N - 1 - i);
        add_dependency(l.items[N - 1], "s0", DEPEND_STARTED);
        assert_int_equal(depend_find_cycle(&l, &text, &at), 1);
        assert_int_equal(at, 0);
}

/* Random graphs without cycles: everyone once, and after what it needs. With one edge back there is a cycle. */
static void test_random(void **state) {
        unsigned seed = test_seed();

        for (unsigned round = 0; round < 200; round++) {
                _cleanup_spec_list_ SpecList l = {};
                _cleanup_free_ size_t *order = NULL, *place = NULL, *rank = NULL;
                size_t n = 2 + (size_t) rand_r(&seed) % 40;
                char name[16];

                rank = calloc(n, sizeof(size_t));
                place = calloc(n, sizeof(size_t));
                for (size_t i = 0; i < n; i++) {
                        snprintf(name, sizeof(name), "s%zu", i);
                        assert_int_equal(spec_list_append(&l, make_spec("n", name)), 0);
                        rank[i] = (size_t) rand_r(&seed);
                }
                for (size_t i = 0; i < 3 * n; i++) {
                        size_t a = (size_t) rand_r(&seed) % n, b = (size_t) rand_r(&seed) % n;

                        if (rank[a] <= rank[b])
                                continue;
                        snprintf(name, sizeof(name), "s%zu", b);
                        add_dependency(l.items[a], name, DEPEND_READY);
                }
                assert_int_equal(depend_order(&l, &order), 0);
                for (size_t i = 0; i < n; i++)
                        place[i] = SIZE_MAX;
                for (size_t i = 0; i < n; i++) {
                        assert_int_equal(place[order[i]], SIZE_MAX);
                        place[order[i]] = i;
                }
                for (size_t i = 0; i < n; i++)
                        for (size_t k = 0; k < l.items[i]->depends.n; k++) {
                                size_t need = strtoul(l.items[i]->depends.items[k].name + 1, NULL, 10);
                                _cleanup_free_ char *text = NULL;
                                size_t at;

                                assert_true(place[need] < place[i]);
                                if (k > 0 || i % 7)
                                        continue;
                                add_dependency(l.items[need], l.items[i]->name, DEPEND_READY);
                                assert_int_equal(depend_find_cycle(&l, &text, &at), 1);
                                free(l.items[need]->depends.items[--l.items[need]->depends.n].name);
                        }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order),  cmocka_unit_test(test_cycles),     cmocka_unit_test(test_empty),
                cmocka_unit_test(test_resolve), cmocka_unit_test(test_long_chain), cmocka_unit_test(test_random),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
