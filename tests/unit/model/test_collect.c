/* The services that log.to: exec makes: whom they take after, that nothing changes the second time, and what is refused. */
#include "unit.inc.h"

#include "base/strv.h"
#include "model/collect.h"
#include "model/plan.h"

static ServiceSpec *put(SpecList *l, const char *name) {
        assert_int_equal(spec_list_append(l, make_spec("n", name)), 0);
        return l->items[l->n - 1];
}

static ServiceSpec *put_logged(SpecList *l, const char *name) {
        ServiceSpec *s = put(l, name);

        s->log.to = LOG_TO_EXEC;
        assert_int_equal(strv_append(&s->log.exec, "svlogd"), 0);
        assert_int_equal(strv_append(&s->log.exec, "."), 0);
        return s;
}

static void test_takes_after_its_service(void **state) {
        _cleanup_spec_list_ SpecList desired = {}, present = {};
        ServiceSpec *web = put_logged(&desired, "web"), *c;

        put(&desired, "db");
        web->instances = 3;
        web->cwd = strdup("/srv");
        web->user = strdup("www-data");
        assert_int_equal(strv_append(&web->env, "A=1"), 0);
        assert_int_equal(collect_expand(&desired, &present, NULL), 0);
        assert_int_equal(desired.n, 3);
        c = desired.items[2];
        assert_string_equal(c->name, "web-log");
        assert_string_equal(c->ns, "n");
        assert_string_equal(c->collects, "web");
        assert_string_equal(c->command[0], "svlogd");
        assert_string_equal(c->command[1], ".");
        assert_int_equal(c->instances, 3);
        assert_string_equal(c->cwd, "/srv");
        assert_string_equal(c->user, "www-data");
        assert_string_equal(c->env[0], "A=1");
        assert_int_equal(c->restart.when, RESTART_ALWAYS);
        assert_int_equal(c->restart.limit, 0);
        assert_int_equal(c->log.to, LOG_TO_AUTO);
        assert_int_equal(web->depends.n, 1);
        assert_string_equal(web->depends.items[0].name, "web-log");
        assert_ptr_equal(collect_find(&desired, web), c);
        assert_int_equal(spec_validate(c, &(const char *) { NULL }, NULL), 0);
}

static void test_the_second_time_nothing_changes(void **state) {
        _cleanup_spec_list_ SpecList present = {}, desired = {};
        _cleanup_plan_ Plan p = {};

        put_logged(&present, "web");
        assert_int_equal(collect_expand(&present, &(SpecList) {}, NULL), 0);
        assert_int_equal(collect_expand(&present, &(SpecList) {}, NULL), 0);
        assert_int_equal(present.n, 2);
        put_logged(&desired, "web");
        assert_int_equal(collect_expand(&desired, &present, NULL), 0);
        assert_int_equal(plan_make(&present, &desired, true, &p), 0);
        assert_int_equal(p.n, 2);
        assert_int_equal(p.items[0].verb, PLAN_KEEP);
        assert_int_equal(p.items[1].verb, PLAN_KEEP);
}

static void test_one_that_somebody_wrote(void **state) {
        _cleanup_spec_list_ SpecList desired = {}, present = {}, later = {};
        ServiceSpec *web = put_logged(&desired, "web"), *mine = put(&desired, "mine");

        mine->collects = strdup("web");
        assert_int_equal(collect_expand(&desired, &present, NULL), 0);
        assert_int_equal(desired.n, 2);
        assert_string_equal(web->depends.items[0].name, "mine");
        put_logged(&later, "web");                 /* without it, as scale has it */
        assert_int_equal(collect_expand(&later, &desired, NULL), 0);
        assert_int_equal(later.n, 1);
}

static void test_refused(void **state) {
        _cleanup_spec_list_ SpecList desired = {}, present = {};
        _cleanup_error_ KlError e = {};

        put_logged(&desired, "web");
        put(&present, "web-log");
        assert_int_equal(collect_expand(&desired, &present, &e), -EINVAL);
        assert_non_null(strstr(e.message, "the collector of web would be web-log"));
        assert_non_null(e.hint);
        assert_int_equal(desired.n, 1);
}

static void test_goes_with_its_reason(void **state) {
        _cleanup_spec_list_ SpecList present = {}, desired = {};
        _cleanup_plan_ Plan p = {};

        put_logged(&present, "web");
        put(&present, "db");
        assert_int_equal(collect_expand(&present, &(SpecList) {}, NULL), 0);
        put(&desired, "web");
        assert_true(collect_orphaned(present.items[2], &desired));
        assert_false(collect_orphaned(present.items[1], &desired));
        assert_int_equal(plan_make(&present, &desired, false, &p), 0);
        assert_int_equal(p.n, 2);
        assert_int_equal(p.items[1].verb, PLAN_REMOVE);
        assert_string_equal(p.items[1].old_spec->name, "web-log");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_takes_after_its_service),     cmocka_unit_test(test_the_second_time_nothing_changes),
                cmocka_unit_test(test_one_that_somebody_wrote),     cmocka_unit_test(test_refused),
                cmocka_unit_test(test_goes_with_its_reason),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
