/* The services that sockets.balance makes: what they are, that nothing changes the second time, and what is refused. */
#include "unit.inc.h"

#include "base/strv.h"
#include "model/balanced.h"
#include "model/plan.h"

static ServiceSpec *put(SpecList *l, const char *name) {
        assert_int_equal(spec_list_append(l, make_spec("n", name)), 0);
        return l->items[l->n - 1];
}

static ServiceSpec *put_balanced(SpecList *l, const char *name) {
        ServiceSpec *s = put(l, name);

        s->sockets.items = calloc(1, sizeof(SocketSpec));
        assert_non_null(s->sockets.items);
        s->sockets.n = 1;
        socket_init(s->sockets.items);
        s->sockets.items[0].listen = strdup(":80");
        s->sockets.items[0].balance = 2;
        return s;
}

static void test_made(void **state) {
        _cleanup_spec_list_ SpecList desired = {}, present = {};
        ServiceSpec *web = put_balanced(&desired, "web"), *b;

        put(&desired, "db");
        web->instances = 3;
        assert_int_equal(balanced_expand(&desired, &present, NULL), 0);
        assert_int_equal(desired.n, 3);
        b = desired.items[2];
        assert_string_equal(b->name, "web-balancer");
        assert_string_equal(b->ns, "n");
        assert_string_equal(b->balances, "web");
        assert_string_equal(b->command[0], "kingd-balancer");
        assert_int_equal(b->instances, 1);
        assert_int_equal(b->restart.when, RESTART_ALWAYS);
        assert_int_equal(b->restart.limit, 0);
        assert_int_equal(web->depends.n, 1);
        assert_string_equal(web->depends.items[0].name, "web-balancer");
        assert_ptr_equal(balanced_find(&desired, web), b);
        assert_int_equal(spec_validate(b, &(const char *) { NULL }, NULL), 0);
}

static void test_the_second_time_nothing_changes(void **state) {
        _cleanup_spec_list_ SpecList present = {}, desired = {};
        _cleanup_plan_ Plan p = {};

        put_balanced(&present, "web");
        assert_int_equal(balanced_expand(&present, &(SpecList) {}, NULL), 0);
        assert_int_equal(balanced_expand(&present, &(SpecList) {}, NULL), 0);
        assert_int_equal(present.n, 2);
        put_balanced(&desired, "web");
        assert_int_equal(balanced_expand(&desired, &present, NULL), 0);
        assert_int_equal(plan_make(&present, &desired, true, &p), 0);
        assert_int_equal(p.n, 2);
        assert_int_equal(p.items[0].verb, PLAN_KEEP);
        assert_int_equal(p.items[1].verb, PLAN_KEEP);
}

static void test_one_that_somebody_wrote(void **state) {
        _cleanup_spec_list_ SpecList desired = {}, present = {}, later = {};
        ServiceSpec *web = put_balanced(&desired, "web"), *mine = put(&desired, "mine");

        mine->balances = strdup("web");
        assert_int_equal(balanced_expand(&desired, &present, NULL), 0);
        assert_int_equal(desired.n, 2);
        assert_string_equal(web->depends.items[0].name, "mine");
        put_balanced(&later, "web");
        assert_int_equal(balanced_expand(&later, &desired, NULL), 0);
        assert_int_equal(later.n, 1);
}

static void test_refused(void **state) {
        _cleanup_spec_list_ SpecList desired = {}, present = {};
        _cleanup_error_ KlError e = {};

        put_balanced(&desired, "web");
        put(&present, "web-balancer");
        assert_int_equal(balanced_expand(&desired, &present, &e), -EINVAL);
        assert_non_null(strstr(e.message, "the balancer of web would be web-balancer"));
        assert_non_null(e.hint);
        assert_int_equal(desired.n, 1);
}

static void test_goes_with_its_reason(void **state) {
        _cleanup_spec_list_ SpecList present = {}, desired = {};
        _cleanup_plan_ Plan p = {};

        put_balanced(&present, "web");
        put(&present, "db");
        assert_int_equal(balanced_expand(&present, &(SpecList) {}, NULL), 0);
        put(&desired, "web");
        assert_true(balanced_orphaned(present.items[2], &desired));
        assert_false(balanced_orphaned(present.items[1], &desired));
        assert_int_equal(plan_make(&present, &desired, false, &p), 0);
        assert_int_equal(p.n, 2);
        assert_int_equal(p.items[1].verb, PLAN_REMOVE);
        assert_string_equal(p.items[1].old_spec->name, "web-balancer");
}

static void refused(ServiceSpec *s, const char *key) {
        _cleanup_error_ KlError e = {};
        const char *at = NULL;

        assert_int_equal(spec_validate(s, &at, &e), -EINVAL);
        assert_string_equal(at, key);
        spec_free(s);
}

static void test_rules(void **state) {
        _cleanup_spec_list_ SpecList l = {};
        ServiceSpec *s = make_spec("n", "b");

        s->balances = strdup("b");
        refused(s, "balances");
        s = make_spec("n", "b");
        s->balances = strdup("a b");
        refused(s, "balances");
        s = make_spec("n", "b");
        s->balances = strdup("a");
        s->instances = 2;
        refused(s, "instances");
        s = put_balanced(&l, "b");
        s->balances = strdup("a");
        l.n = 0;
        refused(s, "sockets");
        s = put_balanced(&l, "c");
        s->instances = 1024;
        assert_int_equal(spec_validate(s, &(const char *) { NULL }, NULL), 0);
        s->sockets.items = reallocarray(s->sockets.items, 3, sizeof(SocketSpec));
        assert_non_null(s->sockets.items);
        for (; s->sockets.n < 3; s->sockets.n++) {
                assert_int_equal(socket_copy(s->sockets.items + s->sockets.n, s->sockets.items), 0);
                free(s->sockets.items[s->sockets.n].listen);
                s->sockets.items[s->sockets.n].listen = strdup(s->sockets.n == 1 ? ":81" : ":82");
        }
        l.n = 0;
        refused(s, "sockets");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_made),    cmocka_unit_test(test_the_second_time_nothing_changes), cmocka_unit_test(test_one_that_somebody_wrote),
                cmocka_unit_test(test_refused), cmocka_unit_test(test_goes_with_its_reason),            cmocka_unit_test(test_rules),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
