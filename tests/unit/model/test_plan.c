/* Desired against present: the verb, what else is needed, the changes as text, and who is removed. */
#include "unit.inc.h"

#include "model/plan.h"

static ServiceSpec *put(SpecList *l, const char *ns, const char *name) {
        assert_int_equal(spec_list_append(l, make_spec(ns, name)), 0);
        return l->items[l->n - 1];
}

static void test_same_is_kept(void **state) {
        _cleanup_spec_list_ SpecList present = {}, desired = {};
        _cleanup_plan_ Plan p = {};

        put(&present, "n", "a");
        put(&desired, "n", "a");
        assert_int_equal(plan_make(&present, &desired, true, &p), 0);
        assert_int_equal(p.n, 1);
        assert_int_equal(p.items[0].verb, PLAN_KEEP);
        assert_int_equal(p.items[0].n_changes, 0);
        assert_false(p.items[0].scale || p.items[0].live);
        assert_ptr_equal(p.items[0].old_spec, present.items[0]);
        assert_ptr_equal(p.items[0].new_spec, desired.items[0]);
}

/* Each key changed by itself gives the verb of its effect and one change. */
static void test_every_key_has_its_verb(void **state) {
        static const PlanVerb verbs[] = {
                [EFFECT_NONE] = PLAN_UPDATE, [EFFECT_LIVE] = PLAN_LIVE, [EFFECT_SCALE] = PLAN_SCALE, [EFFECT_RESTART] = PLAN_RESTART,
        };

        for (const SpecKey *k = spec_keys; k->path; k++) {
                _cleanup_spec_list_ SpecList present = {}, desired = {};
                _cleanup_free_ char *example = strdup(k->example), *text = NULL;
                _cleanup_plan_ Plan p = {};
                ServiceSpec *s;

                if (!key_type_is_scalar(k->type))
                        continue;
                put(&present, "n", "a");
                s = put(&desired, "n", "a");
                set_key(s, k->path, *example == '"' ? (example[strlen(example) - 1] = '\0', example + 1) : example);
                text = get_key(s, k->path);
                assert_int_equal(plan_make(&present, &desired, false, &p), 0);
                assert_int_equal(p.items[0].verb, verbs[k->effect]);
                assert_int_equal(p.items[0].n_changes, 1);
                assert_ptr_equal(p.items[0].changes[0].key, k);
                assert_string_equal(p.items[0].changes[0].to, text);
                assert_int_equal(p.items[0].scale, k->effect == EFFECT_SCALE);
                assert_int_equal(p.items[0].live, k->effect == EFFECT_LIVE);
        }
}

static void test_strongest_wins(void **state) {
        static const struct { const char *paths[4]; PlanVerb verb; bool scale, live; } rows[] = {
                { { "autostart", "instances" }, PLAN_SCALE, true, false },
                { { "instances", "limits.cpu" }, PLAN_LIVE, true, true },
                { { "limits.cpu", "autostart" }, PLAN_LIVE, false, true },
                { { "cwd", "instances", "limits.cpu", "autostart" }, PLAN_RESTART, true, true },
                { { "cwd", "restart.limit" }, PLAN_RESTART, false, false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_spec_list_ SpecList present = {}, desired = {};
                _cleanup_plan_ Plan p = {};
                size_t n = 0;

                put(&present, "n", "a");
                put(&desired, "n", "a");
                for (; n < 4 && rows[i].paths[n]; n++)
                        set_key(desired.items[0], rows[i].paths[n], spec_key_find(rows[i].paths[n])->example);
                assert_int_equal(plan_make(&present, &desired, false, &p), 0);
                assert_int_equal(p.items[0].verb, rows[i].verb);
                assert_int_equal(p.items[0].scale, rows[i].scale);
                assert_int_equal(p.items[0].live, rows[i].live);
                assert_int_equal(p.items[0].n_changes, n);
        }
}

static void test_collections_and_texts(void **state) {
        _cleanup_spec_list_ SpecList present = {}, desired = {};
        _cleanup_plan_ Plan p = {};

        put(&present, "n", "a");
        add_dependency(put(&desired, "n", "a"), "db", DEPEND_COMPLETED);
        assert_int_equal(strv_append(&desired.items[0]->command, "-v"), 0);
        assert_int_equal(plan_make(&present, &desired, false, &p), 0);
        assert_int_equal(p.items[0].n_changes, 2);
        assert_string_equal(p.items[0].changes[0].key->path, "command");
        assert_string_equal(p.items[0].changes[0].from, "/bin/true");
        assert_string_equal(p.items[0].changes[0].to, "/bin/true -v");
        assert_string_equal(p.items[0].changes[1].from, "-");
        assert_string_equal(p.items[0].changes[1].to, "db: completed");
}

/* In the order of desired, then removals; only namespaces that desired mentions are pruned. */
static void test_add_and_prune(void **state) {
        for (int prune = 0; prune < 2; prune++) {
                _cleanup_spec_list_ SpecList present = {}, desired = {};
                _cleanup_plan_ Plan p = {};

                put(&present, "n", "old");
                put(&present, "n", "a");
                put(&present, "other", "b");
                put(&present, "n", "older");
                put(&desired, "n", "b");
                put(&desired, "n", "a");
                assert_int_equal(plan_make(&present, &desired, prune, &p), 0);
                assert_int_equal(p.n, prune ? 4 : 2);
                assert_int_equal(p.items[0].verb, PLAN_ADD);
                assert_null(p.items[0].old_spec);
                assert_string_equal(p.items[0].new_spec->name, "b");
                assert_int_equal(p.items[1].verb, PLAN_KEEP);
                for (size_t i = 2; i < p.n; i++) {
                        assert_int_equal(p.items[i].verb, PLAN_REMOVE);
                        assert_null(p.items[i].new_spec);
                        assert_string_equal(p.items[i].old_spec->name, i == 2 ? "old" : "older");
                }
        }
}

static void test_nothing(void **state) {
        _cleanup_spec_list_ SpecList present = {};
        _cleanup_plan_ Plan p = {};
        SpecList none = {};

        put(&present, "n", "a");
        assert_int_equal(plan_make(&none, &none, true, &p), 0);
        assert_int_equal(p.n, 0);
        plan_done(&p);
        assert_int_equal(plan_make(&present, &none, true, &p), 0);
        assert_int_equal(p.n, 0);
}

static void test_verb_names(void **state) {
        static const char *const names[] = { "add", "keep", "update", "scale", "live", "restart", "remove" };

        assert_int_equal(ARRAY_SIZE(names), _PLAN_VERB_MAX);
        for (PlanVerb v = 0; v < _PLAN_VERB_MAX; v++)
                assert_string_equal(plan_verb_name(v), names[v]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_same_is_kept),          cmocka_unit_test(test_every_key_has_its_verb),
                cmocka_unit_test(test_strongest_wins),        cmocka_unit_test(test_collections_and_texts),
                cmocka_unit_test(test_add_and_prune),         cmocka_unit_test(test_nothing),
                cmocka_unit_test(test_verb_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
