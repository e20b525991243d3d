/* Hooks and reloads in a life: what each outcome of each leads to. */
#include "unit.inc.h"

#include <signal.h>

#include "model/lifecycle.h"
#include "model/socket.h"

#define SEC USEC_PER_SEC
#define BIT(k) (1u << (k))

typedef struct Fixture {
        ServiceSpec *spec;
        Lifecycle l;
        usec_t now;
} Fixture;

static void add_hook(char ***command) {
        assert_int_equal(strv_append(command, "hook"), 0);
}

static void init(Fixture *f) {
        *f = (Fixture) { .spec = make_spec("n", "a"), .now = 1000 * SEC };
        set_key(f->spec, "restart.jitter", "0%");
        lifecycle_init(&f->l);
}

static unsigned feed(Fixture *f, const LcInput *in) {
        return lifecycle_step(&f->l, f->spec, in, f->now, 0);
}

static unsigned on(Fixture *f, LcEvent e) {
        return feed(f, &(LcInput) { .event = e });
}

static unsigned ends(Fixture *f, HookKind k, bool ok) {
        return feed(f, &(LcInput) { .event = EV_HOOK_DONE, .hook = k, .ok = ok });
}

static void up(Fixture *f) {
        on(f, EV_START);
        on(f, EV_DEPS_MET);
        on(f, EV_EXECED);
}

#define STATE(f, s) assert_string_equal(lifecycle_state_name((f)->l.state), lifecycle_state_name(s))

static void pre_start_lets_it_start(void **state) {
        Fixture f;

        init(&f);
        add_hook(&f.spec->hooks.command[HOOK_PRE_START]);
        on(&f, EV_START);
        assert_true(on(&f, EV_DEPS_MET) & ACT_HOOKS);
        STATE(&f, LC_PRE_START);
        assert_int_equal(f.l.hooks, BIT(HOOK_PRE_START));
        assert_true(ends(&f, HOOK_PRE_START, true) & ACT_SPAWN);
        STATE(&f, LC_PLACING);
        assert_int_equal(f.l.hooks, 0);
        spec_free(f.spec);
}

/* As a failure it counts towards the limit, also where nothing that ran would be restarted. */
static void pre_start_fails_until_the_limit(void **state) {
        Fixture f;

        init(&f);
        add_hook(&f.spec->hooks.command[HOOK_PRE_START]);
        add_hook(&f.spec->hooks.command[HOOK_ON_FAILURE]);
        set_key(f.spec, "restart.limit", "2");
        set_key(f.spec, "restart.when", "never");
        on(&f, EV_START);
        for (unsigned i = 0; i < 3; i++) {
                on(&f, EV_DEPS_MET);
                STATE(&f, LC_PRE_START);
                assert_false(ends(&f, HOOK_PRE_START, false) & ACT_SPAWN);
                assert_int_equal(f.l.reason, REASON_HOOK);
                assert_false(f.l.exit_known);
                if (i == 2)
                        break;
                STATE(&f, LC_WAIT_BACKOFF);
                assert_int_equal(f.l.hooks, 0);
                f.now = f.l.deadline;
                on(&f, EV_DEADLINE);
        }
        STATE(&f, LC_FAILED);
        assert_int_equal(f.l.hooks, BIT(HOOK_ON_FAILURE));
        spec_free(f.spec);
}

static void pre_start_fails_for_good(void **state) {
        Fixture f;

        init(&f);
        add_hook(&f.spec->hooks.command[HOOK_PRE_START]);
        on(&f, EV_START);
        on(&f, EV_DEPS_MET);
        feed(&f, &(LcInput) { .event = EV_HOOK_DONE, .hook = HOOK_PRE_START, .permanent = true });
        STATE(&f, LC_FAILED);
        spec_free(f.spec);
}

static void a_late_answer_means_nothing(void **state) {
        Fixture f;

        init(&f);
        add_hook(&f.spec->hooks.command[HOOK_PRE_START]);
        on(&f, EV_START);
        on(&f, EV_DEPS_MET);
        assert_true(on(&f, EV_STOP) & ACT_HOOKS);
        STATE(&f, LC_STOPPED);
        assert_int_equal(ends(&f, HOOK_PRE_START, true), 0);
        STATE(&f, LC_STOPPED);
        spec_free(f.spec);
}

static void stop_waits_for_pre_stop_and_post_stop(void **state) {
        Fixture f;
        unsigned todo;

        init(&f);
        add_hook(&f.spec->hooks.command[HOOK_PRE_STOP]);
        add_hook(&f.spec->hooks.command[HOOK_POST_STOP]);
        add_hook(&f.spec->hooks.command[HOOK_ON_EXIT]);
        up(&f);
        assert_int_equal(on(&f, EV_STOP) & (ACT_SIGNAL_STOP | ACT_HOOKS), ACT_HOOKS);
        STATE(&f, LC_PRE_STOP);
        f.now += 20 * SEC;
        assert_true(ends(&f, HOOK_PRE_STOP, false) & ACT_SIGNAL_STOP);
        STATE(&f, LC_STOPPING);
        assert_int_equal(f.l.deadline, f.now + 5 * SEC);
        assert_true(feed(&f, &(LcInput) { .event = EV_MAIN_EXIT, .exit = { .code = 0 } }) & ACT_HOOKS);
        assert_int_equal(f.l.hooks, BIT(HOOK_ON_EXIT));
        todo = on(&f, EV_EMPTY);
        assert_int_equal(todo & (ACT_CLEAN | ACT_HOOKS | ACT_SPAWN), ACT_CLEAN | ACT_HOOKS);
        STATE(&f, LC_POST_STOP);
        on(&f, EV_START);
        STATE(&f, LC_POST_STOP);
        ends(&f, HOOK_POST_STOP, true);
        STATE(&f, LC_WAIT_DEPS);
        assert_int_equal(f.l.hooks, BIT(HOOK_ON_EXIT));
        ends(&f, HOOK_ON_EXIT, true);
        assert_int_equal(f.l.hooks, 0);
        spec_free(f.spec);
}

static void nothing_to_say_to_the_dead(void **state) {
        Fixture f;

        init(&f);
        add_hook(&f.spec->hooks.command[HOOK_PRE_STOP]);
        up(&f);
        on(&f, EV_STOP);
        assert_true(feed(&f, &(LcInput) { .event = EV_MAIN_EXIT, .exit = { .code = 0 } }) & ACT_HOOKS);
        STATE(&f, LC_STOPPING);
        assert_int_equal(f.l.hooks, 0);
        spec_free(f.spec);
}

static void no_time_no_pre_stop(void **state) {
        Fixture f;

        init(&f);
        add_hook(&f.spec->hooks.command[HOOK_PRE_STOP]);
        set_key(f.spec, "stop.timeout", "0");
        up(&f);
        on(&f, EV_STOP);
        STATE(&f, LC_KILLING);
        spec_free(f.spec);
}

static void post_start_ends_with_the_service(void **state) {
        Fixture f;

        init(&f);
        add_hook(&f.spec->hooks.command[HOOK_POST_START]);
        up(&f);
        STATE(&f, LC_RUNNING);
        assert_int_equal(f.l.hooks, BIT(HOOK_POST_START));
        on(&f, EV_RELOADING);
        on(&f, EV_READY);
        ends(&f, HOOK_POST_START, false);
        STATE(&f, LC_RUNNING);
        assert_int_equal(f.l.hooks, 0);
        on(&f, EV_RELOADING);
        on(&f, EV_READY);
        assert_int_equal(f.l.hooks, 0);    /* once a run */
        spec_free(f.spec);

        init(&f);
        add_hook(&f.spec->hooks.command[HOOK_POST_START]);
        up(&f);
        assert_true(on(&f, EV_STOP) & ACT_HOOKS);
        assert_int_equal(f.l.hooks, 0);
        spec_free(f.spec);
}

static void reload_by_signal_alone(void **state) {
        Fixture f;

        init(&f);
        set_key(f.spec, "reload.by", "signal");
        up(&f);
        assert_int_equal(on(&f, EV_RELOAD), ACT_SIGNAL_RELOAD);
        STATE(&f, LC_RUNNING);
        spec_free(f.spec);
}

static void reload_by_signal_is_answered(void **state) {
        Fixture f;

        init(&f);
        set_key(f.spec, "reload.by", "signal");
        set_key(f.spec, "ready.by", "notify");
        up(&f);
        on(&f, EV_READY);
        f.now += SEC;
        assert_true(on(&f, EV_RELOAD) & ACT_SIGNAL_RELOAD);
        STATE(&f, LC_RELOADING);
        on(&f, EV_READY);                  /* of before */
        STATE(&f, LC_RELOADING);
        feed(&f, &(LcInput) { .event = EV_RELOADING, .until = f.now - 1 });
        on(&f, EV_READY);
        STATE(&f, LC_RELOADING);
        feed(&f, &(LcInput) { .event = EV_RELOADING, .until = f.now });
        on(&f, EV_READY);
        STATE(&f, LC_RUNNING);
        assert_int_equal(f.l.reload_end, RELOAD_OK);

        on(&f, EV_RELOAD);
        f.now = f.l.deadline;
        on(&f, EV_DEADLINE);
        STATE(&f, LC_RUNNING);
        assert_int_equal(f.l.reload_end, RELOAD_TIMEOUT);
        spec_free(f.spec);
}

static void reload_by_command(void **state) {
        Fixture f;

        init(&f);
        set_key(f.spec, "reload.by", "command");
        add_hook(&f.spec->reload.command);
        up(&f);
        assert_int_equal(on(&f, EV_RELOAD) & (ACT_HOOKS | ACT_SIGNAL_RELOAD), ACT_HOOKS);
        STATE(&f, LC_RELOADING);
        ends(&f, HOOK_RELOAD, false);
        STATE(&f, LC_RUNNING);
        assert_int_equal(f.l.reload_end, RELOAD_FAILED);
        on(&f, EV_RELOAD);
        on(&f, EV_RELOADING);
        ends(&f, HOOK_RELOAD, true);
        STATE(&f, LC_RELOADING);           /* it said RELOADING=1: its word is waited for */
        on(&f, EV_READY);
        STATE(&f, LC_RUNNING);
        assert_int_equal(f.l.reload_end, RELOAD_OK);
        on(&f, EV_RELOAD);
        assert_true(on(&f, EV_STOP) & ACT_HOOKS);
        assert_int_equal(f.l.hooks, 0);
        spec_free(f.spec);
}

static void a_oneshot_that_is_done_has_started(void **state) {
        Fixture f;

        init(&f);
        set_key(f.spec, "type", "oneshot");
        add_hook(&f.spec->hooks.command[HOOK_POST_START]);
        up(&f);
        assert_int_equal(f.l.hooks, 0);
        feed(&f, &(LcInput) { .event = EV_MAIN_EXIT, .exit = { .code = 0 } });
        assert_true(on(&f, EV_EMPTY) & ACT_HOOKS);
        STATE(&f, LC_EXITED);
        assert_int_equal(f.l.hooks, BIT(HOOK_POST_START));
        spec_free(f.spec);
}

static void balance(Fixture *f) {
        f->spec->sockets.items = calloc(1, sizeof(SocketSpec));
        assert_non_null(f->spec->sockets.items);
        f->spec->sockets.n = 1;
        socket_init(f->spec->sockets.items);
        f->spec->sockets.items[0].listen = strdup(":80");
        f->spec->sockets.items[0].balance = 1;
        set_key(f->spec, "reload.drain_timeout", "8s");
}

static void stop_waits_for_what_the_balancer_has_open(void **state) {
        Fixture f;

        init(&f);
        balance(&f);
        up(&f);
        assert_int_equal(on(&f, EV_STOP) & (ACT_SIGNAL_STOP | ACT_HOOKS), ACT_HOOKS);
        STATE(&f, LC_PRE_STOP);
        assert_int_equal(f.l.hooks, BIT(HOOK_DRAIN));
        assert_int_equal(f.l.deadline, f.now + 8 * SEC);
        assert_true(ends(&f, HOOK_DRAIN, true) & ACT_SIGNAL_STOP);
        STATE(&f, LC_STOPPING);
        assert_int_equal(f.l.hooks, 0);
        spec_free(f.spec);
}

static void pre_stop_and_draining_go_on_at_once(void **state) {
        Fixture f;

        for (unsigned first = 0; first < 2; first++) {
                init(&f);
                balance(&f);
                add_hook(&f.spec->hooks.command[HOOK_PRE_STOP]);
                up(&f);
                on(&f, EV_STOP);
                assert_int_equal(f.l.hooks, BIT(HOOK_DRAIN) | BIT(HOOK_PRE_STOP));
                assert_false(ends(&f, first ? HOOK_DRAIN : HOOK_PRE_STOP, true) & ACT_SIGNAL_STOP);
                STATE(&f, LC_PRE_STOP);
                assert_true(ends(&f, first ? HOOK_PRE_STOP : HOOK_DRAIN, true) & ACT_SIGNAL_STOP);
                STATE(&f, LC_STOPPING);
                spec_free(f.spec);
        }
}

static void draining_has_its_time(void **state) {
        Fixture f;

        init(&f);
        balance(&f);
        up(&f);
        on(&f, EV_RESTART);
        f.now += 8 * SEC;
        assert_true(on(&f, EV_DEADLINE) & ACT_SIGNAL_STOP);
        STATE(&f, LC_STOPPING);
        assert_int_equal(f.l.hooks, 0);
        assert_int_equal(f.l.deadline, f.now + 5 * SEC);
        spec_free(f.spec);
}

/* What was never ready has no connections, and what is dead has none left. */
static void nothing_to_drain(void **state) {
        Fixture f;

        init(&f);
        balance(&f);
        set_key(f.spec, "ready.by", "notify");
        up(&f);
        assert_true(on(&f, EV_STOP) & ACT_SIGNAL_STOP);
        STATE(&f, LC_STOPPING);
        spec_free(f.spec);
        init(&f);
        balance(&f);
        up(&f);
        on(&f, EV_STOP);
        feed(&f, &(LcInput) { .event = EV_MAIN_EXIT, .exit = { .code = 0 } });
        STATE(&f, LC_STOPPING);
        assert_int_equal(f.l.hooks, 0);
        spec_free(f.spec);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(pre_start_lets_it_start), cmocka_unit_test(pre_start_fails_until_the_limit), cmocka_unit_test(pre_start_fails_for_good),
                cmocka_unit_test(a_late_answer_means_nothing), cmocka_unit_test(stop_waits_for_pre_stop_and_post_stop),
                cmocka_unit_test(nothing_to_say_to_the_dead), cmocka_unit_test(no_time_no_pre_stop), cmocka_unit_test(post_start_ends_with_the_service),
                cmocka_unit_test(reload_by_signal_alone), cmocka_unit_test(reload_by_signal_is_answered), cmocka_unit_test(reload_by_command),
                cmocka_unit_test(a_oneshot_that_is_done_has_started), cmocka_unit_test(stop_waits_for_what_the_balancer_has_open),
                cmocka_unit_test(pre_stop_and_draining_go_on_at_once), cmocka_unit_test(draining_has_its_time), cmocka_unit_test(nothing_to_drain),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
