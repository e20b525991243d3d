/* The life of an instance by scenarios: a spec, then rows of event → state and actions. ACT_CHANGED is left out of the rows: it must be there
 * exactly when the state changes, but for the few rows that name it. */
#include "unit.inc.h"

#include <signal.h>

#include "model/lifecycle.h"

#define MS USEC_PER_MSEC
#define SEC USEC_PER_SEC
#define NEVER USEC_INFINITY
#define SAME (USEC_INFINITY - 1)   /* the deadline is what it was */

enum {
        SIGNAL = ACT_SIGNAL_STOP,
        ABORT = ACT_SIGNAL_ABORT,
        KILL = ACT_KILL,
        CHECK = ACT_CHECK_EMPTY,
        CLEAN = ACT_CLEAN,
        DEPS = ACT_CHECK_DEPS,
        LISTEN = ACT_AWAIT_DEMAND,
        SPAWN = ACT_SPAWN,
        ARM = ACT_ARM_WATCHDOG,
        DISARM = ACT_DISARM_WATCHDOG,
        TOLD = ACT_CHANGED,
        HOOKS = ACT_HOOKS,
        HUP = ACT_SIGNAL_RELOAD,
};

typedef struct Row {
        usec_t after;              /* time passes first */
        LcInput in;
        LcState state;
        unsigned actions;
        usec_t deadline;           /* from now on; NEVER, SAME */
} Row;

typedef struct Fixture {
        ServiceSpec *spec;
        Lifecycle l;
        usec_t now;
} Fixture;

#define WITH(...) { __VA_ARGS__ }
#define EXIT(n) WITH(.event = EV_MAIN_EXIT, .exit = { .code = (n) })
#define DIED(n, ...) WITH(.event = EV_MAIN_EXIT, .exit = { .code = -1, .signal = (n), __VA_ARGS__ })
#define ON(e) WITH(.event = (e))
#define DUE WITH(.event = EV_DEADLINE)

/* Keys as "path=value" words; depends and codes by name. */
static void apply_settings(ServiceSpec *s, const char *settings) {
        _cleanup_strv_ char **words = NULL;

        assert_int_equal(strv_split_command(settings, &words), 0);
        set_key(s, "restart.jitter", "0%");
        STRV_FOREACH(word, words) {
                char *value = strchr(*word, '=');

                *value++ = '\0';
                if (streq(*word, "depends_on"))
                        add_dependency(s, value, DEPEND_READY);
                else if (streq(*word, "restart.except_codes"))
                        add_code(&s->restart.except_codes, atoi(value));
                else
                        set_key(s, *word, value);
        }
}

static void fixture_init(Fixture *f, const char *settings) {
        *f = (Fixture) { .spec = make_spec("n", "a"), .now = 1000 * SEC };
        apply_settings(f->spec, settings);
        lifecycle_init(&f->l);
}

static void fixture_done(Fixture *f) {
        spec_free(f->spec);
}

static void play(Fixture *f, const char *what, const Row *rows, size_t n) {
        for (size_t i = 0; i < n; i++) {
                LcState from = f->l.state;
                usec_t deadline = f->l.deadline;
                bool wanted = f->l.wanted;
                unsigned actions;

                f->now += rows[i].after;
                actions = lifecycle_step(&f->l, f->spec, &rows[i].in, f->now, 0);
                if (f->l.state != rows[i].state || ((actions ^ rows[i].actions) & ~(unsigned) TOLD))
                        fail_msg("%s, row %zu: %s in %s gave %s, actions %#x; expected %s, %#x", what, i, lifecycle_event_name(rows[i].in.event),
                                 lifecycle_state_name(from), lifecycle_state_name(f->l.state), actions, lifecycle_state_name(rows[i].state),
                                 rows[i].actions);
                if (rows[i].deadline != SAME)
                        deadline = rows[i].deadline == NEVER ? NEVER : f->now + rows[i].deadline;
                if (f->l.deadline != deadline)
                        fail_msg("%s, row %zu: deadline in %" PRIi64 " ms", what, i, (int64_t) (f->l.deadline - f->now) / 1000);
                if ((from != f->l.state || wanted != f->l.wanted || (rows[i].actions & TOLD)) && !(actions & TOLD))
                        fail_msg("%s, row %zu: the change is not told", what, i);
        }
}
#define PLAY(f, ...) play(f, __func__, (const Row[]) { __VA_ARGS__ }, ARRAY_SIZE(((const Row[]) { __VA_ARGS__ })))

/* From nothing to the execution of the command. */
#define PLACED                                                  \
        { 0, ON(EV_START), LC_WAIT_DEPS, DEPS, NEVER },         \
        { 0, ON(EV_DEPS_MET), LC_PLACING, SPAWN, 60 * SEC }
#define UP PLACED, { 0, ON(EV_EXECED), LC_RUNNING, 0, NEVER }
#define STARTING_UP PLACED, { 0, ON(EV_EXECED), LC_STARTING, 0, 30 * SEC }
#define BACK_UP                                                 \
        { 0, DUE, LC_WAIT_DEPS, DEPS, NEVER },                  \
        { 0, ON(EV_DEPS_MET), LC_PLACING, SPAWN, 60 * SEC },    \
        { 0, ON(EV_EXECED), LC_RUNNING, 0, NEVER }

static void expect_end(const Fixture *f, LcReason reason, bool known, int code, int signal) {
        assert_string_equal(lifecycle_reason_name(f->l.reason), lifecycle_reason_name(reason));
        assert_int_equal(f->l.exit_known, known);
        assert_int_equal(f->l.exit.code, code);
        assert_int_equal(f->l.exit.signal, signal);
}

#define TEST(name, settings, ...)                               \
        static void name(void **state) {                        \
                Fixture fixture, *f = &fixture;                 \
                fixture_init(f, settings);                      \
                __VA_ARGS__                                     \
                fixture_done(f);                                \
        }                                                       \
        struct _kl_semicolon_

/* ---- up and down ---- */

TEST(up_and_down, "", {
        PLAY(f, UP, { SEC, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, 5 * SEC }, { MS, DIED(SIGTERM), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
        expect_end(f, REASON_SIGNALED, true, -1, SIGTERM);
        assert_false(f->l.wanted);
        assert_int_equal(f->l.restarts, 0);
});

TEST(stop_before_anything_lives, "", {
        PLAY(f, { 0, ON(EV_START), LC_WAIT_DEPS, DEPS, NEVER }, { 0, ON(EV_STOP), LC_STOPPED, 0, NEVER },
             { 0, ON(EV_DEPS_MET), LC_STOPPED, 0, NEVER },
             UP, { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS },
             { 0, ON(EV_STOP), LC_STOPPED, 0, NEVER }, { SEC, DUE, LC_STOPPED, 0, NEVER });
});

TEST(stop_while_placing, "", {
        PLAY(f, PLACED, { 0, ON(EV_STOP), LC_KILLING, KILL | DISARM, 2 * SEC },
             { 0, ON(EV_SPAWN_FAILED), LC_STOPPED, CLEAN | DISARM, NEVER });
        expect_end(f, REASON_NONE, false, -1, 0);
});

TEST(stop_while_placing_loses_the_race, "", {
        PLAY(f, PLACED, { 0, ON(EV_STOP), LC_KILLING, KILL | DISARM, 2 * SEC }, { MS, ON(EV_EXECED), LC_KILLING, KILL, SAME },
             { MS, DIED(SIGKILL), LC_KILLING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
});

TEST(stop_is_ignored_then_killed, "stop.timeout=7s", {
        PLAY(f, UP, { 0, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, 7 * SEC }, { 6 * SEC, DUE, LC_STOPPING, 0, SAME },
             { SEC, DUE, LC_KILLING, KILL | DISARM, 2 * SEC }, { 2 * SEC, DUE, LC_KILLING, KILL, 2 * SEC },
             { 2 * SEC, DUE, LC_KILLING, KILL, 2 * SEC },
             { 0, DIED(SIGKILL), LC_KILLING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
        expect_end(f, REASON_STOP_TIMEOUT, true, -1, SIGKILL);
});

TEST(stop_timeout_0_kills_at_once, "stop.timeout=0", {
        PLAY(f, UP, { 0, ON(EV_STOP), LC_KILLING, KILL | DISARM, 2 * SEC }, { 0, DIED(SIGKILL), LC_KILLING, CHECK | TOLD, SAME },
             { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
        expect_end(f, REASON_SIGNALED, true, -1, SIGKILL);
});

TEST(stop_timeout_infinity, "stop.timeout=infinity", {
        PLAY(f, UP, { 0, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, NEVER }, { 1000 * SEC, DUE, LC_STOPPING, 0, NEVER },
             { 0, EXIT(0), LC_STOPPING, CHECK | TOLD, NEVER }, { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
});

TEST(start_twice_is_once, "", {
        PLAY(f, { 0, ON(EV_START), LC_WAIT_DEPS, DEPS, NEVER }, { 0, ON(EV_START), LC_WAIT_DEPS, 0, NEVER },
             { 0, ON(EV_DEPS_MET), LC_PLACING, SPAWN, 60 * SEC },
             { 0, ON(EV_START), LC_PLACING, 0, SAME }, { 0, ON(EV_EXECED), LC_RUNNING, 0, NEVER },
             { 0, ON(EV_START), LC_RUNNING, 0, NEVER });
});

TEST(stop_then_start_again, "", {
        PLAY(f, UP, { 0, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, 5 * SEC }, { 0, ON(EV_START), LC_STOPPING, TOLD, SAME },
             { 0, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_WAIT_DEPS, CLEAN | DEPS, NEVER });
        assert_false(f->l.restart_pending);
});

TEST(stop_then_start_then_stop, "", {
        PLAY(f, UP, { 0, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, 5 * SEC }, { 0, ON(EV_START), LC_STOPPING, TOLD, SAME },
             { 0, ON(EV_STOP), LC_STOPPING, TOLD, SAME }, { 0, ON(EV_STOP), LC_STOPPING, 0, SAME },
             { 0, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
});

TEST(restart_by_operator, "restart.when=never", {
        PLAY(f, UP, { SEC, ON(EV_RESTART), LC_STOPPING, SIGNAL | DISARM, 5 * SEC }, { 0, EXIT(3), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, ON(EV_EMPTY), LC_WAIT_DEPS, CLEAN | DEPS, NEVER }, { 0, ON(EV_DEPS_MET), LC_PLACING, SPAWN, 60 * SEC },
             { 0, ON(EV_RESTART), LC_KILLING, KILL | DISARM, 2 * SEC },
             { 0, ON(EV_SPAWN_FAILED), LC_WAIT_DEPS, CLEAN | DEPS | DISARM, NEVER },
             { 0, ON(EV_RESTART), LC_WAIT_DEPS, 0, NEVER });
        assert_int_equal(f->l.restarts, 0);
        assert_int_equal(f->l.attempts, 0);
});

TEST(restart_of_what_rests, "", {
        PLAY(f, { 0, ON(EV_RESTART), LC_WAIT_DEPS, DEPS, NEVER });
        assert_true(f->l.wanted);
});

/* ---- others outlive main ---- */

TEST(rest_gets_the_signal, "", {
        PLAY(f, UP, { 0, EXIT(0), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_REMAINS), LC_STOPPING, SIGNAL, SAME },
             { 0, ON(EV_REMAINS), LC_STOPPING, 0, SAME }, { 5 * SEC, DUE, LC_KILLING, KILL | CHECK | DISARM, 2 * SEC },
             { 0, ON(EV_REMAINS), LC_KILLING, 0, SAME }, { 2 * SEC, DUE, LC_KILLING, KILL | CHECK, 2 * SEC },
             { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
        expect_end(f, REASON_EXITED, true, 0, 0);
});

TEST(rest_is_told_only_once, "stop.scope=all", {
        PLAY(f, UP, { 0, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, 5 * SEC }, { 0, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, ON(EV_REMAINS), LC_STOPPING, 0, SAME }, { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
});

TEST(rest_is_told_after_main_alone, "stop.scope=main", {
        PLAY(f, UP, { 0, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, 5 * SEC }, { 2 * SEC, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, ON(EV_REMAINS), LC_STOPPING, SIGNAL, SAME }, { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
});

TEST(rest_with_timeout_0, "stop.timeout=0", {
        PLAY(f, UP, { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 0 }, { 0, ON(EV_REMAINS), LC_KILLING, KILL | CHECK | DISARM, 2 * SEC },
             { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
});

TEST(empty_means_nothing_while_main_lives, "", {
        PLAY(f, UP, { 0, ON(EV_EMPTY), LC_RUNNING, 0, NEVER }, { 0, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, 5 * SEC },
             { 0, ON(EV_EMPTY), LC_STOPPING, 0, SAME }, { 0, ON(EV_REMAINS), LC_STOPPING, 0, SAME });
});

/* ---- policy ---- */

TEST(always_after_success, "", {
        PLAY(f, UP, { 0, EXIT(0), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS },
             { 99 * MS, DUE, LC_WAIT_BACKOFF, 0, SAME }, { MS, DUE, LC_WAIT_DEPS, DEPS, NEVER });
        assert_int_equal(f->l.restarts, 1);
});

TEST(on_failure, "restart.when=on-failure", {
        PLAY(f, UP, { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS },
             { 100 * MS, DUE, LC_WAIT_DEPS, DEPS, NEVER },
             { 0, ON(EV_DEPS_MET), LC_PLACING, SPAWN, 60 * SEC }, { 0, ON(EV_EXECED), LC_RUNNING, 0, NEVER },
             { 0, EXIT(0), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_EXITED, CLEAN, NEVER });
        assert_true(f->l.wanted);
});

TEST(never_after_failure, "restart.when=never", {
        PLAY(f, UP, { 0, DIED(SIGSEGV, .core = true), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_FAILED, CLEAN, NEVER });
        expect_end(f, REASON_CORE_DUMPED, true, -1, SIGSEGV);
});

TEST(never_after_success, "restart.when=never", {
        PLAY(f, UP, { 0, EXIT(0), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_EXITED, CLEAN, NEVER });
});

/* A SIGTERM that we did not send is a failure. */
TEST(terminated_by_a_stranger, "restart.when=on-failure", {
        PLAY(f, UP, { 0, DIED(SIGTERM), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
});

TEST(except_codes, "restart.except_codes=3 restart.except_codes=78", {
        PLAY(f, UP, { 0, EXIT(78), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_EXITED, CLEAN, NEVER });
        expect_end(f, REASON_EXITED, true, 78, 0);
});

TEST(oom, "", {
        PLAY(f, UP, { 0, WITH(.event = EV_MAIN_EXIT, .exit = { .code = -1, .signal = SIGKILL }, .oom = true), LC_STOPPING, CHECK | DISARM, 5 * SEC });
        expect_end(f, REASON_OOM, true, -1, SIGKILL);
});

TEST(oom_counter_alone_is_no_oom, "", {
        PLAY(f, UP, { 0, WITH(.event = EV_MAIN_EXIT, .exit = { .code = 1 }, .oom = true), LC_STOPPING, CHECK | DISARM, 5 * SEC });
        expect_end(f, REASON_EXITED, true, 1, 0);
});

TEST(delays_grow_and_the_limit_ends_it, "restart.limit=3", {
        PLAY(f, UP, { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
        f->now = f->l.deadline;
        PLAY(f, BACK_UP, { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 200 * MS });
        f->now = f->l.deadline;
        PLAY(f, BACK_UP, { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 400 * MS });
        f->now = f->l.deadline;
        PLAY(f, BACK_UP, { 0, EXIT(9), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_FAILED, CLEAN, NEVER });
        assert_int_equal(f->l.restarts, 3);
        expect_end(f, REASON_EXITED, true, 9, 0);
        assert_true(f->l.wanted);
        PLAY(f, { 0, ON(EV_START), LC_WAIT_DEPS, DEPS, NEVER });
        assert_int_equal(f->l.attempts, 0);
        assert_int_equal(f->l.restarts, 0);
        expect_end(f, REASON_NONE, false, -1, 0);
});

TEST(limit_0_never_gives_up, "restart.limit=0", {
        f->l.attempts = 1000000;
        PLAY(f, UP);
        f->l.attempts = 1000000;
        PLAY(f, { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 30 * SEC });
});

TEST(long_run_forgets_failures, "", {
        PLAY(f, UP);
        f->l.attempts = 9;
        PLAY(f, { 60 * SEC, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
        assert_int_equal(f->l.attempts, 1);
});

TEST(short_run_does_not, "", {
        PLAY(f, UP);
        f->l.attempts = 2;
        /* Not even when the rest takes its time to go. */
        PLAY(f, { 59 * SEC, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 3 * SEC, ON(EV_REMAINS), LC_STOPPING, SIGNAL, SAME },
             { 1 * SEC, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 400 * MS });
        assert_int_equal(f->l.attempts, 3);
});

TEST(slow_start_is_no_health, "ready.by=notify ready.timeout=1h", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_STARTING, 0, 3600 * SEC }, { 300 * SEC, ON(EV_READY), LC_RUNNING, 0, NEVER });
        f->l.attempts = 2;
        PLAY(f, { SEC, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 400 * MS });
});

TEST(delay_0_is_one_step, "restart.delay=0", {
        PLAY(f, UP, { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_PLACING, CLEAN | SPAWN, 60 * SEC });
        assert_int_equal(f->l.restarts, 1);
        assert_true(f->l.main_alive);
});

TEST(delay_0_asks_for_dependencies, "restart.delay=0 depends_on=db", {
        PLAY(f, UP, { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_DEPS, CLEAN | DEPS, NEVER });
        assert_int_equal(f->l.restarts, 1);
});

TEST(start_does_not_wait_for_the_backoff, "", {
        PLAY(f, UP, { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS },
             { 0, ON(EV_START), LC_WAIT_DEPS, DEPS, NEVER });
        assert_int_equal(f->l.attempts, 0);
});

/* ---- readiness ---- */

TEST(ready_by_notify, "ready.by=notify watchdog=10s", {
        PLAY(f, STARTING_UP, { SEC, ON(EV_READY), LC_RUNNING, ARM, NEVER }, { SEC, ON(EV_READY), LC_RUNNING, 0, NEVER });
        assert_true(f->l.was_ready);
});

TEST(ready_overtakes_execed, "ready.by=notify watchdog=10s", {
        PLAY(f, PLACED, { 0, ON(EV_READY), LC_RUNNING, ARM, NEVER }, { 0, ON(EV_EXECED), LC_RUNNING, 0, NEVER });
        assert_int_equal(f->l.run_since, f->now);
});

TEST(extend_overtakes_execed, "ready.by=fd", {
        PLAY(f, PLACED, { 0, WITH(.event = EV_EXTEND, .until = 1090 * SEC), LC_STARTING, 0, 90 * SEC },
             { 0, ON(EV_EXECED), LC_STARTING, 0, SAME });
});

TEST(exit_overtakes_execed, "ready.by=notify", {
        PLAY(f, PLACED, { 0, EXIT(0), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
        expect_end(f, REASON_PROTOCOL, true, 0, 0);
});

TEST(ready_timeout, "ready.by=notify restart.when=on-failure", {
        PLAY(f, STARTING_UP, { 30 * SEC, DUE, LC_STOPPING, SIGNAL | DISARM, 5 * SEC }, { SEC, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
        expect_end(f, REASON_READY_TIMEOUT, true, 0, 0);
        assert_false(f->l.was_ready);
});

TEST(ready_timeout_extended, "ready.by=notify", {
        PLAY(f, STARTING_UP, { SEC, WITH(.event = EV_EXTEND, .until = 1061 * SEC), LC_STARTING, 0, 60 * SEC },
             { 0, WITH(.event = EV_EXTEND, .until = 1002 * SEC), LC_STARTING, 0, SAME },
             { 0, WITH(.event = EV_EXTEND, .until = USEC_INFINITY), LC_STARTING, 0, SAME }, { 59 * SEC, DUE, LC_STARTING, 0, SAME },
             { SEC, DUE, LC_STOPPING, SIGNAL | DISARM, 5 * SEC });
});

TEST(ready_timeout_infinity, "ready.by=notify ready.timeout=infinity", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_STARTING, 0, NEVER },
             { 0, WITH(.event = EV_EXTEND, .until = 1061 * SEC), LC_STARTING, 0, NEVER });
});

TEST(exit_0_before_ready, "ready.by=notify restart.when=on-failure", {
        PLAY(f, STARTING_UP, { 0, EXIT(0), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
        expect_end(f, REASON_PROTOCOL, true, 0, 0);
});

TEST(exit_1_before_ready, "ready.by=notify", {
        PLAY(f, STARTING_UP, { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC });
        expect_end(f, REASON_EXITED, true, 1, 0);
});

/* What ends because it was told to has not broken its word. */
TEST(exit_0_before_ready_when_told, "ready.by=notify", {
        PLAY(f, STARTING_UP, { 0, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, 5 * SEC }, { 0, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
        expect_end(f, REASON_EXITED, true, 0, 0);
});

/* ---- oneshots ---- */

TEST(oneshot_success, "type=oneshot", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_STARTING, 0, NEVER }, { 0, ON(EV_READY), LC_STARTING, 0, NEVER },
             { 90 * SEC, DUE, LC_STARTING, 0, NEVER },
             { 0, EXIT(0), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_EXITED, CLEAN, NEVER });
        assert_true(lifecycle_settled(&f->l));
});

TEST(oneshot_failure, "type=oneshot", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_STARTING, 0, NEVER }, { 0, EXIT(2), LC_STOPPING, CHECK | DISARM, 5 * SEC },
             { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
});

TEST(oneshot_failure_never, "type=oneshot restart.when=never", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_STARTING, 0, NEVER }, { 0, EXIT(2), LC_STOPPING, CHECK | DISARM, 5 * SEC },
             { 0, ON(EV_EMPTY), LC_FAILED, CLEAN, NEVER });
});

/* ---- failures from outside and within ---- */

TEST(spawn_failed_for_good, "", {
        PLAY(f, PLACED, { 0, WITH(.event = EV_SPAWN_FAILED, .reason = REASON_SPAWN, .permanent = true), LC_FAILED, CLEAN | DISARM, NEVER });
        expect_end(f, REASON_SPAWN, false, -1, 0);
        assert_true(f->l.wanted);
        assert_false(lifecycle_alive(&f->l));
});

TEST(spawn_failed_for_now, "restart.when=never restart.delay=0", {
        PLAY(f, PLACED, { 0, WITH(.event = EV_SPAWN_FAILED, .reason = REASON_ISOLATION), LC_WAIT_BACKOFF, CLEAN | DISARM, 100 * MS });
        expect_end(f, REASON_ISOLATION, false, -1, 0);
});

TEST(placing_takes_too_long, "restart.when=never restart.delay=2s", {
        PLAY(f, PLACED, { 60 * SEC, DUE, LC_KILLING, KILL | DISARM, 2 * SEC },
             { 0, ON(EV_SPAWN_FAILED), LC_WAIT_BACKOFF, CLEAN | DISARM, 2 * SEC });
        expect_end(f, REASON_SPAWN, false, -1, 0);
});

TEST(placing_refused, "", {
        PLAY(f, PLACED, { 0, WITH(.event = EV_FAIL, .reason = REASON_ISOLATION), LC_KILLING, KILL | DISARM, 2 * SEC },
             { 0, WITH(.event = EV_SPAWN_FAILED, .reason = REASON_SPAWN), LC_WAIT_BACKOFF, CLEAN | DISARM, 100 * MS });
        expect_end(f, REASON_ISOLATION, false, -1, 0);
});

TEST(dependency_failed, "depends_on=db", {
        PLAY(f, { 0, ON(EV_START), LC_WAIT_DEPS, DEPS, NEVER }, { 0, ON(EV_DEPS_FAILED), LC_FAILED, 0, NEVER });
        expect_end(f, REASON_DEPENDENCY, false, -1, 0);
});

TEST(watchdog_expires, "watchdog=10s restart.when=on-failure", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_RUNNING, ARM, NEVER }, { SEC, ON(EV_WATCHDOG), LC_STOPPING, ABORT | DISARM, 5 * SEC },
             { 0, DIED(SIGABRT, .core = true), LC_STOPPING, CHECK | TOLD, SAME }, { 0, ON(EV_REMAINS), LC_STOPPING, SIGNAL, SAME },
             { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
        expect_end(f, REASON_WATCHDOG, true, -1, SIGABRT);
});

/* In good order, whatever restart.when says; the first time in a row without a wait, and without counting for the limit. */
#define GROWS(wait) { 0, ON(EV_EXECED), LC_RUNNING, 0, NEVER }, { SEC, ON(EV_OVERSIZE), LC_STOPPING, SIGNAL | DISARM, 5 * SEC }, \
                { 0, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, wait }, \
                { wait, DUE, LC_WAIT_DEPS, DEPS, NEVER }, { 0, ON(EV_DEPS_MET), LC_PLACING, SPAWN, 60 * SEC }

TEST(too_big, "restart.when=never restart.limit=1", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_RUNNING, 0, NEVER }, { SEC, ON(EV_OVERSIZE), LC_STOPPING, SIGNAL | DISARM, 5 * SEC },
             { 0, ON(EV_OVERSIZE), LC_STOPPING, 0, SAME }, { 0, DIED(SIGTERM), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, ON(EV_EMPTY), LC_PLACING, CLEAN | SPAWN, 60 * SEC }, GROWS(100 * MS), GROWS(200 * MS), GROWS(400 * MS));
        assert_int_equal(f->l.restarts, 4);
        assert_int_equal(f->l.attempts, 0);
        expect_end(f, REASON_MEMORY, true, 0, 0);
        PLAY(f, { 0, ON(EV_EXECED), LC_RUNNING, 0, NEVER }, { 60 * SEC, ON(EV_OVERSIZE), LC_STOPPING, SIGNAL | DISARM, 5 * SEC },
             { 0, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_PLACING, CLEAN | SPAWN, 60 * SEC }); /* a leak: it was healthy */
});

TEST(too_big_does_not_spin, "restart.delay=0 restart.max_delay=0", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_RUNNING, 0, NEVER }, { 0, ON(EV_OVERSIZE), LC_STOPPING, SIGNAL | DISARM, 5 * SEC },
             { 0, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_PLACING, CLEAN | SPAWN, 60 * SEC },
             GROWS(100 * MS), GROWS(100 * MS));
});

TEST(too_big_and_stopped, "", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_RUNNING, 0, NEVER }, { 0, ON(EV_OVERSIZE), LC_STOPPING, SIGNAL | DISARM, 5 * SEC },
             { 0, ON(EV_STOP), LC_STOPPING, TOLD, SAME }, { 0, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
});

/* Its work was ended, so it has failed. */
TEST(oneshot_too_big, "type=oneshot restart.limit=1", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_STARTING, 0, NEVER }, { 0, ON(EV_OVERSIZE), LC_STOPPING, SIGNAL | DISARM, 5 * SEC },
             { 0, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
        assert_int_equal(f->l.attempts, 1);
});

/* It can only be the service itself, which says WATCHDOG=trigger. */
TEST(watchdog_triggered_before_ready, "ready.by=notify", {
        PLAY(f, STARTING_UP, { 0, ON(EV_WATCHDOG), LC_STOPPING, ABORT | DISARM, 5 * SEC });
});

TEST(stop_during_failure, "watchdog=10s", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_RUNNING, ARM, NEVER }, { 0, ON(EV_WATCHDOG), LC_STOPPING, ABORT | DISARM, 5 * SEC },
             { 0, ON(EV_STOP), LC_STOPPING, TOLD, SAME }, { 0, DIED(SIGABRT), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
        expect_end(f, REASON_WATCHDOG, true, -1, SIGABRT);
});

TEST(start_during_failure_skips_the_backoff, "watchdog=10s", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_RUNNING, ARM, NEVER }, { 0, ON(EV_WATCHDOG), LC_STOPPING, ABORT | DISARM, 5 * SEC },
             { 0, ON(EV_START), LC_STOPPING, TOLD, SAME }, { 0, DIED(SIGABRT), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, ON(EV_EMPTY), LC_WAIT_DEPS, CLEAN | DEPS, NEVER });
});

TEST(verdict_from_outside, "restart.when=on-failure", {
        PLAY(f, UP, { 0, WITH(.event = EV_FAIL, .reason = REASON_ISOLATION), LC_KILLING, KILL | DISARM, 2 * SEC },
             { 0, EXIT(0), LC_KILLING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
        expect_end(f, REASON_ISOLATION, true, 0, 0);
});

TEST(verdict_does_not_change_an_order, "", {
        PLAY(f, UP, { 0, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, 5 * SEC },
             { 0, WITH(.event = EV_FAIL, .reason = REASON_ISOLATION), LC_KILLING, KILL | DISARM, 2 * SEC },
             { 0, DIED(SIGKILL), LC_KILLING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
        expect_end(f, REASON_SIGNALED, true, -1, SIGKILL);
});

/* Where main has ended, its end counts. */
TEST(verdict_after_the_end, "restart.when=on-failure", {
        PLAY(f, UP, { 0, EXIT(0), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_REMAINS), LC_STOPPING, SIGNAL, SAME },
             { 0, WITH(.event = EV_FAIL, .reason = REASON_ISOLATION), LC_KILLING, KILL | CHECK | DISARM, 2 * SEC },
             { 0, ON(EV_EMPTY), LC_EXITED, CLEAN, NEVER });
        expect_end(f, REASON_EXITED, true, 0, 0);
});

TEST(slow_end_is_no_health, "watchdog=10s", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_RUNNING, ARM, NEVER });
        f->l.attempts = 2;
        PLAY(f, { 59 * SEC, ON(EV_WATCHDOG), LC_STOPPING, ABORT | DISARM, 5 * SEC },
             { 3 * SEC, ON(EV_FAIL), LC_KILLING, KILL | DISARM, 2 * SEC },
             { 0, DIED(SIGKILL), LC_KILLING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 400 * MS });
        expect_end(f, REASON_WATCHDOG, true, -1, SIGKILL);
});

/* A code that excuses an end excuses no failure that we saw ourselves. */
TEST(except_codes_do_not_excuse_a_timeout, "ready.by=notify restart.except_codes=3", {
        PLAY(f, STARTING_UP, { 30 * SEC, DUE, LC_STOPPING, SIGNAL | DISARM, 5 * SEC }, { 0, EXIT(3), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
});

/* ---- what the service says of itself ---- */

TEST(reload, "ready.timeout=10s watchdog=1s", {
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_RUNNING, ARM, NEVER }, { 0, ON(EV_RELOADING), LC_RELOADING, 0, 10 * SEC },
             { SEC, ON(EV_READY), LC_RUNNING, 0, NEVER }, { 0, ON(EV_RELOADING), LC_RELOADING, 0, 10 * SEC },
             { 0, WITH(.event = EV_EXTEND, .until = 1021 * SEC), LC_RELOADING, 0, 20 * SEC }, { 20 * SEC, DUE, LC_RUNNING, 0, NEVER },
             { 0, ON(EV_RELOADING), LC_RELOADING, 0, 10 * SEC }, { 0, ON(EV_WATCHDOG), LC_STOPPING, ABORT | DISARM, 5 * SEC });
});

TEST(stop_while_reloading, "", {
        PLAY(f, UP, { 0, ON(EV_RELOADING), LC_RELOADING, 0, 30 * SEC }, { 0, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, 5 * SEC },
             { 0, ON(EV_READY), LC_STOPPING, 0, SAME });
});

TEST(stopping_by_itself, "restart.when=on-failure", {
        PLAY(f, UP, { 0, ON(EV_STOPPING), LC_STOPPING, DISARM, 5 * SEC },
             { 0, WITH(.event = EV_EXTEND, .until = 1020 * SEC), LC_STOPPING, 0, 20 * SEC },
             { SEC, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_EXITED, CLEAN, NEVER });
});

TEST(stopping_by_itself_but_never_done, "restart.when=on-failure", {
        PLAY(f, UP, { 0, ON(EV_STOPPING), LC_STOPPING, DISARM, 5 * SEC }, { 5 * SEC, DUE, LC_KILLING, KILL | DISARM, 2 * SEC },
             { 0, DIED(SIGKILL), LC_KILLING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
        expect_end(f, REASON_STOP_TIMEOUT, true, -1, SIGKILL);
});

/* ---- after a restart of ours, and reset ---- */

TEST(adopted, "ready.by=notify watchdog=5s", {
        PLAY(f, { 0, WITH(.event = EV_ADOPT, .was_ready = true), LC_RUNNING, ARM, NEVER },
             { 0, ON(EV_GONE), LC_STOPPING, CHECK | DISARM, 5 * SEC },
             { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
        expect_end(f, REASON_UNKNOWN, false, -1, 0);
});

TEST(adopted_before_ready, "ready.by=notify", {
        PLAY(f, { 0, ON(EV_ADOPT), LC_STARTING, 0, 30 * SEC }, { 0, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, 5 * SEC },
             { 0, ON(EV_GONE), LC_STOPPING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
        expect_end(f, REASON_UNKNOWN, false, -1, 0);
});

TEST(adopted_oneshot, "type=oneshot", {
        PLAY(f, { 0, WITH(.event = EV_ADOPT, .was_ready = true), LC_STARTING, 0, NEVER },
             { 0, EXIT(0), LC_STOPPING, CHECK | DISARM, 5 * SEC },
             { 0, ON(EV_EMPTY), LC_EXITED, CLEAN, NEVER });
});

/* It had been placed but had not executed, and is not let go on. */
TEST(adopted_but_never_executed, "", {
        PLAY(f, { 0, ON(EV_ADOPT), LC_RUNNING, 0, NEVER }, { 0, ON(EV_SPAWN_FAILED), LC_WAIT_BACKOFF, CLEAN | DISARM, 100 * MS });
});

/* What the books of another manager say, taken up: the same life goes on, with the deadlines it had. */
static void take_over(Fixture *f) {
        Lifecycle books = f->l;

        lifecycle_init(&f->l);
        assert_int_equal(lifecycle_resume(&f->l, &books), 0);
        assert_memory_equal(&f->l, &books, sizeof books);
}

TEST(resumed_stop, "", {
        PLAY(f, UP, { 0, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, 5 * SEC });
        take_over(f);
        PLAY(f, { 4 * SEC, DUE, LC_STOPPING, 0, 1 * SEC }, { 1 * SEC, DUE, LC_KILLING, KILL | DISARM, 2 * SEC });
        take_over(f);
        PLAY(f, { 0, DIED(SIGKILL), LC_KILLING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_STOPPED, CLEAN, NEVER });
});

TEST(resumed_backoff, "restart.delay=10s restart.factor=2 restart.limit=2", {
        PLAY(f, UP, { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 10 * SEC });
        take_over(f);
        PLAY(f, { 9 * SEC, DUE, LC_WAIT_BACKOFF, 0, 1 * SEC }, { 1 * SEC, DUE, LC_WAIT_DEPS, DEPS, NEVER },
             { 0, ON(EV_DEPS_MET), LC_PLACING, SPAWN, 60 * SEC }, { 0, ON(EV_EXECED), LC_RUNNING, 0, NEVER },
             { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 20 * SEC });
        assert_int_equal(f->l.restarts, 1);
});

static void contradictions_are_refused(void **state) {
        static const Lifecycle bad[] = {
                { .state = LC_RUNNING },       { .state = LC_STOPPED, .main_alive = true }, { .state = LC_WAIT_BACKOFF, .rest_alive = true },
                { .state = _LC_STATE_MAX },    { .state = LC_FAILED, .reason = _LC_REASON_MAX },
        };
        Lifecycle l;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(lifecycle_resume(&l, bad + i), -EINVAL);
        for (LcState s = 0; s < _LC_STATE_MAX; s++)
                assert_int_equal(lifecycle_state_from_name(lifecycle_state_name(s)), s);
        assert_int_equal(lifecycle_state_from_name("nothing"), _LC_STATE_MAX);
}

TEST(reset, "restart.when=never", {
        PLAY(f, UP, { 0, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_FAILED, CLEAN, NEVER },
             { 0, ON(EV_RESET), LC_STOPPED, 0, NEVER });
        expect_end(f, REASON_NONE, false, -1, 0);
        assert_false(f->l.wanted);
});

TEST(reset_counters_only, "", {
        PLAY(f, UP);
        f->l.attempts = f->l.restarts = 7;
        PLAY(f, { 0, ON(EV_RESET), LC_RUNNING, TOLD, NEVER });
        assert_int_equal(f->l.attempts + f->l.restarts, 0);
});

TEST(stop_forgets_a_failure_but_not_its_reason, "restart.when=never", {
        PLAY(f, UP, { 0, EXIT(4), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_FAILED, CLEAN, NEVER },
             { 0, ON(EV_STOP), LC_STOPPED, 0, NEVER });
        expect_end(f, REASON_EXITED, true, 4, 0);
});

#define DEMANDED { 0, ON(EV_START), LC_WAIT_DEMAND, LISTEN, NEVER }, { 0, ON(EV_DEMAND), LC_WAIT_DEPS, DEPS, NEVER }, \
                 { 0, ON(EV_DEPS_MET), LC_PLACING, SPAWN, 60 * SEC }, { 0, ON(EV_EXECED), LC_RUNNING, 0, NEVER }

TEST(on_demand_waits_again_when_it_is_done, "on_demand=true restart.limit=1", {
        PLAY(f, DEMANDED, { 3 * SEC, EXIT(0), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_DEMAND, CLEAN | LISTEN, NEVER });
        for (int i = 0; i < 5; i++) /* one that does nothing pauses, and that is no failure */
                PLAY(f, { 0, ON(EV_DEMAND), LC_WAIT_DEPS, DEPS, NEVER }, { 0, ON(EV_DEPS_MET), LC_PLACING, SPAWN, 60 * SEC },
                     { 0, ON(EV_EXECED), LC_RUNNING, 0, NEVER }, { SEC, EXIT(0), LC_STOPPING, CHECK | DISARM, 5 * SEC },
                     { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS }, { 100 * MS, DUE, LC_WAIT_DEMAND, LISTEN, NEVER });
});

TEST(on_demand_fails_as_others_do, "on_demand=true restart.limit=1", {
        PLAY(f, DEMANDED, { 3 * SEC, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS },
             { 100 * MS, DUE, LC_WAIT_DEMAND, LISTEN, NEVER }, { 0, ON(EV_SPAWN_FAILED), LC_FAILED, 0, NEVER });
});

TEST(on_demand_restart_waits, "on_demand=true", {
        PLAY(f, DEMANDED, { 0, ON(EV_RESTART), LC_STOPPING, SIGNAL | DISARM | TOLD, 5 * SEC }, { 0, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, ON(EV_EMPTY), LC_WAIT_DEMAND, CLEAN | LISTEN, NEVER });
});

TEST(on_demand_no_more, "on_demand=true", {
        PLAY(f, { 0, ON(EV_START), LC_WAIT_DEMAND, LISTEN, NEVER });
        f->spec->on_demand = false;
        PLAY(f, { 0, ON(EV_START), LC_WAIT_DEPS, DEPS, NEVER });
});

TEST(since_follows_the_public_state, "", {
        usec_t begun = f->now;
        PLAY(f, { 0, ON(EV_START), LC_WAIT_DEPS, DEPS, NEVER }, { SEC, ON(EV_DEPS_MET), LC_PLACING, SPAWN, 60 * SEC });
        assert_int_equal(f->l.since, begun + SEC);
        PLAY(f, { SEC, ON(EV_EXECED), LC_RUNNING, 0, NEVER }, { SEC, ON(EV_STOP), LC_STOPPING, SIGNAL | DISARM, 5 * SEC });
        assert_int_equal(f->l.since, begun + 3 * SEC);
        PLAY(f, { 5 * SEC, DUE, LC_KILLING, KILL | DISARM, 2 * SEC });
        assert_int_equal(f->l.since, begun + 3 * SEC);
});

/* ---- every pair of state and event ---- */

/* From nothing to each state, for a service that is ready by notify. */
static void reach(Fixture *f, LcState state) {
        static const Row to_wait[] = { { 0, ON(EV_START), LC_WAIT_DEPS, DEPS, NEVER } };
        static const Row to_demand[] = { { 0, ON(EV_START), LC_WAIT_DEMAND, LISTEN, NEVER } };
        static const Row to_placing[] = { PLACED };
        static const Row to_starting[] = { STARTING_UP };
        static const Row to_backoff[] = { PLACED, { 0, ON(EV_SPAWN_FAILED), LC_WAIT_BACKOFF, CLEAN | DISARM, 100 * MS } };
        static const Row to_running[] = { STARTING_UP, { 0, ON(EV_READY), LC_RUNNING, ARM, NEVER } };
        static const Row to_reloading[] = { STARTING_UP, { 0, ON(EV_READY), LC_RUNNING, ARM, NEVER },
        { 0, ON(EV_RELOADING), LC_RELOADING, 0, 30 * SEC } };
        static const Row to_stopping[] = { STARTING_UP, { 30 * SEC, DUE, LC_STOPPING, SIGNAL | DISARM, 5 * SEC } };
        static const Row to_killing[] = { PLACED, { 60 * SEC, DUE, LC_KILLING, KILL | DISARM, 2 * SEC } };
        static const Row to_exited[] = { STARTING_UP, { 0, EXIT(3), LC_STOPPING, CHECK | DISARM, 5 * SEC },
        { 0, ON(EV_EMPTY), LC_EXITED, CLEAN, NEVER } };
        static const Row to_failed[] = { { 0, ON(EV_START), LC_WAIT_DEPS, DEPS, NEVER }, { 0, ON(EV_DEPS_FAILED), LC_FAILED, 0, NEVER } };
        static const Row to_pre_start[] = { { 0, ON(EV_START), LC_WAIT_DEPS, DEPS, NEVER }, { 0, ON(EV_DEPS_MET), LC_PRE_START, HOOKS, 35 * SEC } };
        static const Row to_pre_stop[] = { STARTING_UP, { 30 * SEC, DUE, LC_PRE_STOP, HOOKS | DISARM, 35 * SEC } };
        static const Row to_post_stop[] = { STARTING_UP, { 0, EXIT(3), LC_STOPPING, CHECK | DISARM, 5 * SEC },
        { 0, ON(EV_EMPTY), LC_POST_STOP, CLEAN | HOOKS, 35 * SEC } };
        static const struct { const Row *rows; size_t n; } ways[_LC_STATE_MAX] = {
                [LC_WAIT_DEMAND] = { to_demand, ARRAY_SIZE(to_demand) },
                [LC_WAIT_DEPS] = { to_wait, ARRAY_SIZE(to_wait) },         [LC_WAIT_BACKOFF] = { to_backoff, ARRAY_SIZE(to_backoff) },
                [LC_PLACING] = { to_placing, ARRAY_SIZE(to_placing) },     [LC_STARTING] = { to_starting, ARRAY_SIZE(to_starting) },
                [LC_RUNNING] = { to_running, ARRAY_SIZE(to_running) },     [LC_RELOADING] = { to_reloading, ARRAY_SIZE(to_reloading) },
                [LC_STOPPING] = { to_stopping, ARRAY_SIZE(to_stopping) },  [LC_KILLING] = { to_killing, ARRAY_SIZE(to_killing) },
                [LC_PRE_START] = { to_pre_start, ARRAY_SIZE(to_pre_start) }, [LC_PRE_STOP] = { to_pre_stop, ARRAY_SIZE(to_pre_stop) },
                [LC_POST_STOP] = { to_post_stop, ARRAY_SIZE(to_post_stop) },
                [LC_EXITED] = { to_exited, ARRAY_SIZE(to_exited) },        [LC_FAILED] = { to_failed, ARRAY_SIZE(to_failed) },
        };

        f->spec->on_demand = state == LC_WAIT_DEMAND;
        if (lifecycle_awaits(state) != _HOOK_MAX)
                assert_int_equal(strv_append(&f->spec->hooks.command[lifecycle_awaits(state)], "hook"), 0);
        play(f, __func__, ways[state].rows, ways[state].n);
        assert_int_equal(f->l.state, state);
        f->l.restarts = 5;
        if (f->l.deadline != NEVER)
                f->now = f->l.deadline;
}

enum { FORGETS = 1, EXTENDS = 2 };

/* A pair that is not here must change nothing at all. */
static const struct Pair { LcState state; LcEvent event; LcState next; unsigned actions, and; } pairs[] = {
        { LC_STOPPED, EV_START, LC_WAIT_DEPS, DEPS | TOLD, FORGETS },
        { LC_STOPPED, EV_RESTART, LC_WAIT_DEPS, DEPS | TOLD, FORGETS },
        { LC_STOPPED, EV_RESET, LC_STOPPED, TOLD, FORGETS },
        { LC_STOPPED, EV_ADOPT, LC_STARTING, TOLD },

        { LC_WAIT_DEMAND, EV_START, LC_WAIT_DEMAND, 0, FORGETS },
        { LC_WAIT_DEMAND, EV_RESTART, LC_WAIT_DEMAND, 0, FORGETS },
        { LC_WAIT_DEMAND, EV_STOP, LC_STOPPED, TOLD },
        { LC_WAIT_DEMAND, EV_RESET, LC_WAIT_DEMAND, TOLD, FORGETS },
        { LC_WAIT_DEMAND, EV_DEMAND, LC_WAIT_DEPS, DEPS | TOLD },
        { LC_WAIT_DEMAND, EV_SPAWN_FAILED, LC_WAIT_BACKOFF, TOLD },
        { LC_WAIT_DEMAND, EV_ADOPT, LC_STARTING, TOLD },

        { LC_WAIT_DEPS, EV_START, LC_WAIT_DEPS, 0, FORGETS },
        { LC_WAIT_DEPS, EV_RESTART, LC_WAIT_DEPS, 0, FORGETS },
        { LC_WAIT_DEPS, EV_STOP, LC_STOPPED, TOLD },
        { LC_WAIT_DEPS, EV_RESET, LC_WAIT_DEPS, TOLD, FORGETS },
        { LC_WAIT_DEPS, EV_DEPS_MET, LC_PLACING, SPAWN | TOLD },
        { LC_WAIT_DEPS, EV_DEPS_FAILED, LC_FAILED, TOLD },
        { LC_WAIT_DEPS, EV_ADOPT, LC_STARTING, TOLD },

        { LC_WAIT_BACKOFF, EV_START, LC_WAIT_DEPS, DEPS | TOLD, FORGETS },
        { LC_WAIT_BACKOFF, EV_RESTART, LC_WAIT_DEPS, DEPS | TOLD, FORGETS },
        { LC_WAIT_BACKOFF, EV_STOP, LC_STOPPED, TOLD },
        { LC_WAIT_BACKOFF, EV_RESET, LC_WAIT_BACKOFF, TOLD, FORGETS },
        { LC_WAIT_BACKOFF, EV_DEADLINE, LC_WAIT_DEPS, DEPS | TOLD },
        { LC_WAIT_BACKOFF, EV_ADOPT, LC_STARTING, TOLD },

        { LC_PRE_START, EV_START, LC_PRE_START, 0, FORGETS },
        { LC_PRE_START, EV_RESTART, LC_WAIT_DEPS, DEPS | TOLD | HOOKS, FORGETS },
        { LC_PRE_START, EV_STOP, LC_STOPPED, TOLD | HOOKS },
        { LC_PRE_START, EV_RESET, LC_PRE_START, TOLD, FORGETS },
        { LC_PRE_START, EV_HOOK_DONE, LC_WAIT_BACKOFF, TOLD | HOOKS },
        { LC_PRE_START, EV_DEADLINE, LC_WAIT_BACKOFF, TOLD | HOOKS },

        { LC_POST_STOP, EV_START, LC_POST_STOP, TOLD, FORGETS },
        { LC_POST_STOP, EV_RESTART, LC_POST_STOP, TOLD, FORGETS },
        { LC_POST_STOP, EV_STOP, LC_POST_STOP, TOLD },
        { LC_POST_STOP, EV_RESET, LC_POST_STOP, TOLD, FORGETS },
        { LC_POST_STOP, EV_HOOK_DONE, LC_EXITED, TOLD | HOOKS },
        { LC_POST_STOP, EV_DEADLINE, LC_EXITED, TOLD | HOOKS },

        { LC_PRE_STOP, EV_START, LC_PRE_STOP, TOLD, FORGETS },
        { LC_PRE_STOP, EV_RESTART, LC_PRE_STOP, TOLD, FORGETS },
        { LC_PRE_STOP, EV_STOP, LC_PRE_STOP, TOLD },
        { LC_PRE_STOP, EV_RESET, LC_PRE_STOP, TOLD, FORGETS },
        { LC_PRE_STOP, EV_HOOK_DONE, LC_STOPPING, SIGNAL | DISARM | TOLD | HOOKS },
        { LC_PRE_STOP, EV_DEADLINE, LC_STOPPING, SIGNAL | DISARM | TOLD | HOOKS },
        { LC_PRE_STOP, EV_MAIN_EXIT, LC_STOPPING, CHECK | DISARM | TOLD | HOOKS },
        { LC_PRE_STOP, EV_GONE, LC_STOPPING, CHECK | DISARM | TOLD | HOOKS },
        { LC_PRE_STOP, EV_SPAWN_FAILED, LC_WAIT_BACKOFF, CLEAN | DISARM | TOLD | HOOKS },
        { LC_PRE_STOP, EV_FAIL, LC_KILLING, KILL | DISARM | TOLD | HOOKS },

        { LC_PLACING, EV_STOP, LC_KILLING, KILL | DISARM | TOLD },
        { LC_PLACING, EV_RESTART, LC_KILLING, KILL | DISARM | TOLD, FORGETS },
        { LC_PLACING, EV_RESET, LC_PLACING, TOLD, FORGETS },
        { LC_PLACING, EV_EXECED, LC_STARTING, TOLD },
        { LC_PLACING, EV_READY, LC_RUNNING, ARM | TOLD },
        { LC_PLACING, EV_RELOADING, LC_STARTING, TOLD },
        { LC_PLACING, EV_STOPPING, LC_STOPPING, DISARM | TOLD },
        { LC_PLACING, EV_EXTEND, LC_STARTING, TOLD, EXTENDS },
        { LC_PLACING, EV_WATCHDOG, LC_STOPPING, ABORT | DISARM | TOLD },
        { LC_PLACING, EV_MAIN_EXIT, LC_STOPPING, CHECK | DISARM | TOLD },
        { LC_PLACING, EV_GONE, LC_STOPPING, CHECK | DISARM | TOLD },
        { LC_PLACING, EV_SPAWN_FAILED, LC_WAIT_BACKOFF, CLEAN | DISARM | TOLD },
        { LC_PLACING, EV_FAIL, LC_KILLING, KILL | DISARM | TOLD },
        { LC_PLACING, EV_DEADLINE, LC_KILLING, KILL | DISARM | TOLD },

        { LC_STARTING, EV_STOP, LC_STOPPING, SIGNAL | DISARM | TOLD },
        { LC_STARTING, EV_RESTART, LC_STOPPING, SIGNAL | DISARM | TOLD, FORGETS },
        { LC_STARTING, EV_RESET, LC_STARTING, TOLD, FORGETS },
        { LC_STARTING, EV_READY, LC_RUNNING, ARM | TOLD },
        { LC_STARTING, EV_STOPPING, LC_STOPPING, DISARM | TOLD },
        { LC_STARTING, EV_EXTEND, LC_STARTING, 0, EXTENDS },
        { LC_STARTING, EV_MAIN_EXIT, LC_STOPPING, CHECK | DISARM | TOLD },
        { LC_STARTING, EV_GONE, LC_STOPPING, CHECK | DISARM | TOLD },
        { LC_STARTING, EV_SPAWN_FAILED, LC_WAIT_BACKOFF, CLEAN | DISARM | TOLD },
        { LC_STARTING, EV_WATCHDOG, LC_STOPPING, ABORT | DISARM | TOLD },
        { LC_STARTING, EV_OVERSIZE, LC_STOPPING, SIGNAL | DISARM | TOLD },
        { LC_STARTING, EV_PROBE_PASSED, LC_STARTING, TOLD },
        { LC_STARTING, EV_PROBE_FAILED, LC_STOPPING, SIGNAL | DISARM | TOLD },
        { LC_STARTING, EV_FAIL, LC_KILLING, KILL | DISARM | TOLD },
        { LC_STARTING, EV_DEADLINE, LC_STOPPING, SIGNAL | DISARM | TOLD },

        { LC_RUNNING, EV_STOP, LC_STOPPING, SIGNAL | DISARM | TOLD },
        { LC_RUNNING, EV_RESTART, LC_STOPPING, SIGNAL | DISARM | TOLD, FORGETS },
        { LC_RUNNING, EV_RESET, LC_RUNNING, TOLD, FORGETS },
        { LC_RUNNING, EV_RELOADING, LC_RELOADING, TOLD },
        { LC_RUNNING, EV_RELOAD, LC_RELOADING, TOLD | HUP },
        { LC_RUNNING, EV_STOPPING, LC_STOPPING, DISARM | TOLD },
        { LC_RUNNING, EV_MAIN_EXIT, LC_STOPPING, CHECK | DISARM | TOLD },
        { LC_RUNNING, EV_GONE, LC_STOPPING, CHECK | DISARM | TOLD },
        { LC_RUNNING, EV_SPAWN_FAILED, LC_WAIT_BACKOFF, CLEAN | DISARM | TOLD },
        { LC_RUNNING, EV_WATCHDOG, LC_STOPPING, ABORT | DISARM | TOLD },
        { LC_RUNNING, EV_OVERSIZE, LC_STOPPING, SIGNAL | DISARM | TOLD },
        { LC_RUNNING, EV_PROBE_PASSED, LC_RUNNING, TOLD },
        { LC_RUNNING, EV_PROBE_FAILED, LC_STOPPING, SIGNAL | DISARM | TOLD },
        { LC_RUNNING, EV_FAIL, LC_KILLING, KILL | DISARM | TOLD },

        { LC_RELOADING, EV_RELOAD, LC_RELOADING, HUP | TOLD },
        { LC_RELOADING, EV_STOP, LC_STOPPING, SIGNAL | DISARM | TOLD },
        { LC_RELOADING, EV_RESTART, LC_STOPPING, SIGNAL | DISARM | TOLD, FORGETS },
        { LC_RELOADING, EV_RESET, LC_RELOADING, TOLD, FORGETS },
        { LC_RELOADING, EV_READY, LC_RUNNING, TOLD },
        { LC_RELOADING, EV_STOPPING, LC_STOPPING, DISARM | TOLD },
        { LC_RELOADING, EV_EXTEND, LC_RELOADING, 0, EXTENDS },
        { LC_RELOADING, EV_MAIN_EXIT, LC_STOPPING, CHECK | DISARM | TOLD },
        { LC_RELOADING, EV_GONE, LC_STOPPING, CHECK | DISARM | TOLD },
        { LC_RELOADING, EV_SPAWN_FAILED, LC_WAIT_BACKOFF, CLEAN | DISARM | TOLD },
        { LC_RELOADING, EV_WATCHDOG, LC_STOPPING, ABORT | DISARM | TOLD },
        { LC_RELOADING, EV_OVERSIZE, LC_STOPPING, SIGNAL | DISARM | TOLD },
        { LC_RELOADING, EV_PROBE_PASSED, LC_RELOADING, TOLD },
        { LC_RELOADING, EV_PROBE_FAILED, LC_STOPPING, SIGNAL | DISARM | TOLD },
        { LC_RELOADING, EV_FAIL, LC_KILLING, KILL | DISARM | TOLD },
        { LC_RELOADING, EV_DEADLINE, LC_RUNNING, TOLD },

        { LC_STOPPING, EV_START, LC_STOPPING, TOLD, FORGETS },
        { LC_STOPPING, EV_RESTART, LC_STOPPING, TOLD, FORGETS },
        { LC_STOPPING, EV_STOP, LC_STOPPING, TOLD },
        { LC_STOPPING, EV_RESET, LC_STOPPING, TOLD, FORGETS },
        { LC_STOPPING, EV_EXTEND, LC_STOPPING, 0, EXTENDS },
        { LC_STOPPING, EV_MAIN_EXIT, LC_STOPPING, CHECK | TOLD },
        { LC_STOPPING, EV_GONE, LC_STOPPING, CHECK | TOLD },
        { LC_STOPPING, EV_SPAWN_FAILED, LC_WAIT_BACKOFF, CLEAN | DISARM | TOLD },
        { LC_STOPPING, EV_FAIL, LC_KILLING, KILL | DISARM | TOLD },
        { LC_STOPPING, EV_DEADLINE, LC_KILLING, KILL | DISARM | TOLD },

        { LC_KILLING, EV_START, LC_KILLING, TOLD, FORGETS },
        { LC_KILLING, EV_RESTART, LC_KILLING, TOLD, FORGETS },
        { LC_KILLING, EV_STOP, LC_KILLING, TOLD },
        { LC_KILLING, EV_RESET, LC_KILLING, TOLD, FORGETS },
        { LC_KILLING, EV_EXECED, LC_KILLING, KILL },
        { LC_KILLING, EV_MAIN_EXIT, LC_KILLING, CHECK | TOLD },
        { LC_KILLING, EV_GONE, LC_KILLING, CHECK | TOLD },
        { LC_KILLING, EV_SPAWN_FAILED, LC_WAIT_BACKOFF, CLEAN | DISARM | TOLD },
        { LC_KILLING, EV_DEADLINE, LC_KILLING, KILL, EXTENDS },

        { LC_EXITED, EV_START, LC_WAIT_DEPS, DEPS | TOLD, FORGETS },
        { LC_EXITED, EV_RESTART, LC_WAIT_DEPS, DEPS | TOLD, FORGETS },
        { LC_EXITED, EV_STOP, LC_STOPPED, TOLD },
        { LC_EXITED, EV_RESET, LC_EXITED, TOLD, FORGETS },
        { LC_EXITED, EV_ADOPT, LC_STARTING, TOLD },

        { LC_FAILED, EV_START, LC_WAIT_DEPS, DEPS | TOLD, FORGETS },
        { LC_FAILED, EV_RESTART, LC_WAIT_DEPS, DEPS | TOLD, FORGETS },
        { LC_FAILED, EV_STOP, LC_STOPPED, TOLD },
        { LC_FAILED, EV_RESET, LC_STOPPED, TOLD, FORGETS },
        { LC_FAILED, EV_ADOPT, LC_STARTING, TOLD },
};

static const struct Pair *find_pair(LcState state, LcEvent event) {
        for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
                if (pairs[i].state == state && pairs[i].event == event)
                        return pairs + i;
        return NULL;
}

static void check_pair(Fixture *f, LcState state, LcEvent event) {
        const struct Pair *p = find_pair(state, event);
        Lifecycle before;
        unsigned actions;

        reach(f, state);
        before = f->l;
        actions = lifecycle_step(&f->l, f->spec, &(LcInput) { .event = event, .hook = lifecycle_awaits(state), .until = f->now + 100 * SEC }, f->now, 0);
        if (actions != (p ? p->actions : 0) || f->l.state != (p ? p->next : state))
                fail_msg("%s in %s: %s, %#x", lifecycle_event_name(event), lifecycle_state_name(state), lifecycle_state_name(f->l.state), actions);
        if (!p && memcmp(&before, &f->l, sizeof(before)) != 0)
                fail_msg("%s in %s changes something", lifecycle_event_name(event), lifecycle_state_name(state));
        if ((f->l.restarts == 0) != (p && (p->and & FORGETS)))
                fail_msg("%s in %s: %u restarts", lifecycle_event_name(event), lifecycle_state_name(state), f->l.restarts);
        if (p && (p->and & EXTENDS) && f->l.deadline != f->now + (event == EV_EXTEND ? 100 * SEC : 2 * SEC))
                fail_msg("%s in %s does not extend", lifecycle_event_name(event), lifecycle_state_name(state));
}

/* ---- deploy faults and crash loops ---- */

static const char *trouble(const Fixture *f) {
        return lifecycle_trouble_name(lifecycle_trouble(&f->l, f->spec)) ?: "none";
}

#define AGAIN(after)                                                                                    \
        { after, DUE, LC_WAIT_DEPS, DEPS, NEVER }, { 0, ON(EV_DEPS_MET), LC_PLACING, SPAWN, 60 * SEC }, \
        { 0, ON(EV_EXECED), LC_STARTING, 0, 30 * SEC }
#define ENDS(delay) { MS, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, delay }

/* What never got ready is told from what was ready and crashes, however often either happens. */
TEST(never_ready_or_a_crash_loop, "ready.by=notify", {
        PLAY(f, STARTING_UP, ENDS(100 * MS));
        assert_string_equal(trouble(f), "never-ready");
        PLAY(f, AGAIN(SEC), { 0, ON(EV_READY), LC_RUNNING, 0, NEVER });
        assert_string_equal(trouble(f), "none");
        PLAY(f, ENDS(200 * MS));
        assert_string_equal(trouble(f), "crash-loop");
        PLAY(f, AGAIN(SEC), ENDS(400 * MS));
        assert_string_equal(trouble(f), "crash-loop");
        PLAY(f, AGAIN(SEC), { 0, ON(EV_READY), LC_RUNNING, 0, NEVER }, { 60 * SEC, EXIT(1), LC_STOPPING, CHECK | DISARM, 5 * SEC },
             { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
        assert_string_equal(trouble(f), "none");
        PLAY(f, AGAIN(SEC), ENDS(200 * MS));
        assert_string_equal(trouble(f), "never-ready");
        PLAY(f, { 0, ON(EV_RESET), LC_WAIT_BACKOFF, TOLD, SAME });
        assert_string_equal(trouble(f), "none");
});

/* ---- probes ---- */

static void give_probe(Fixture *f, ProbeKind kind) {
        assert_int_equal(probe_spec_new(&f->spec->probes[kind]), 0);
        f->spec->probes[kind]->tcp.port = 80;
}

#define PASSED(k) WITH(.event = EV_PROBE_PASSED, .probe = (k))
#define BAD(k) WITH(.event = EV_PROBE_FAILED, .probe = (k))

/* Its measure is failure times period; ready.timeout does not cut it short. */
TEST(startup_probe_decides, "ready.by=probe", {
        give_probe(f, PROBE_STARTUP);
        give_probe(f, PROBE_READINESS);
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_STARTING, 0, 31 * SEC }, { 0, PASSED(PROBE_LIVENESS), LC_STARTING, 0, SAME },
             { 0, PASSED(PROBE_STARTUP), LC_RUNNING, 0, NEVER });
        assert_false(lifecycle_ready(&f->l, f->spec));
        PLAY(f, { 0, PASSED(PROBE_READINESS), LC_RUNNING, TOLD, NEVER });
        assert_true(lifecycle_ready(&f->l, f->spec));
        PLAY(f, { 0, BAD(PROBE_READINESS), LC_RUNNING, TOLD, NEVER });
        assert_false(lifecycle_ready(&f->l, f->spec));
        PLAY(f, { 0, BAD(PROBE_READINESS), LC_RUNNING, 0, NEVER });
});

TEST(readiness_probe_decides_without_a_startup_probe, "ready.by=probe ready.timeout=10s", {
        give_probe(f, PROBE_READINESS);
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_STARTING, 0, 10 * SEC }, { 0, BAD(PROBE_READINESS), LC_STARTING, 0, SAME },
             { 0, PASSED(PROBE_READINESS), LC_RUNNING, 0, NEVER }, { SEC, ON(EV_RESTART), LC_STOPPING, SIGNAL | DISARM, 5 * SEC },
             { 0, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_WAIT_DEPS, CLEAN | DEPS, NEVER },
             { 0, ON(EV_DEPS_MET), LC_PLACING, SPAWN, 60 * SEC }, { 0, ON(EV_EXECED), LC_STARTING, 0, 10 * SEC });
        assert_true(f->l.unready);
        PLAY(f, { 10 * SEC, DUE, LC_STOPPING, SIGNAL | DISARM, 5 * SEC });
        expect_end(f, REASON_READY_TIMEOUT, true, 0, 0);
});

/* Its grace shortens the stop, and the first reason counts. */
TEST(liveness_probe_failed, "", {
        give_probe(f, PROBE_LIVENESS);
        f->spec->probes[PROBE_LIVENESS]->grace = SEC;
        PLAY(f, UP, { SEC, BAD(PROBE_LIVENESS), LC_STOPPING, SIGNAL | DISARM, SEC }, { MS, DIED(SIGTERM), LC_STOPPING, CHECK | TOLD, SAME },
             { 0, BAD(PROBE_LIVENESS), LC_STOPPING, 0, SAME }, { 0, ON(EV_EMPTY), LC_WAIT_BACKOFF, CLEAN, 100 * MS });
        expect_end(f, REASON_PROBE, true, -1, SIGTERM);
});

TEST(startup_probe_failed, "ready.by=probe restart.when=never", {
        give_probe(f, PROBE_STARTUP);
        PLAY(f, PLACED, { 0, ON(EV_EXECED), LC_STARTING, 0, 31 * SEC }, { SEC, BAD(PROBE_STARTUP), LC_STOPPING, SIGNAL | DISARM, 5 * SEC },
             { MS, EXIT(0), LC_STOPPING, CHECK | TOLD, SAME }, { 0, ON(EV_EMPTY), LC_FAILED, CLEAN, NEVER });
        expect_end(f, REASON_PROBE, true, 0, 0);
});

/* What was ready is not made unready by a new manager, nor by a probe that is added while it runs. */
TEST(adopted_with_probes, "", {
        give_probe(f, PROBE_READINESS);
        PLAY(f, { 0, WITH(.event = EV_ADOPT, .was_ready = true), LC_RUNNING, 0, NEVER });
        assert_true(lifecycle_ready(&f->l, f->spec));
        assert_true(f->l.started_up);
});

static void test_every_pair(void **state) {
        for (LcState s = 0; s < _LC_STATE_MAX; s++)
                for (LcEvent e = 0; e < _LC_EVENT_MAX; e++) {
                        Fixture f;

                        fixture_init(&f, "ready.by=notify watchdog=10s restart.except_codes=3");
                        check_pair(&f, s, e);
                        fixture_done(&f);
                }
}

static void test_names(void **state) {
        static const char *const publics[] = { "stopped", "waiting", "waiting", "waiting", "starting", "stopping", "starting", "starting", "running",
                                               "reloading", "stopping", "stopping", "stopping", "exited", "failed" };

        assert_int_equal(ARRAY_SIZE(publics), _LC_STATE_MAX);
        for (LcState s = 0; s < _LC_STATE_MAX; s++) {
                assert_string_equal(lifecycle_public_state(s), publics[s]);
                assert_non_null(lifecycle_state_name(s));
                for (LcState o = 0; o < _LC_STATE_MAX; o++)
                        assert_int_equal(streq(publics[s], publics[o]), lifecycle_public_state(s) == lifecycle_public_state(o));
        }
        for (LcEvent e = 0; e < _LC_EVENT_MAX; e++)
                assert_non_null(lifecycle_event_name(e));
        for (LcReason r = 0; r < _LC_REASON_MAX; r++)
                assert_non_null(lifecycle_reason_name(r));
}

static void test_settled(void **state) {
        Lifecycle l;

        lifecycle_init(&l);
        for (l.state = 0; l.state < _LC_STATE_MAX; l.state++)
                assert_int_equal(lifecycle_settled(&l),
                                 l.state == LC_STOPPED || l.state == LC_WAIT_DEMAND || l.state == LC_RUNNING || l.state == LC_EXITED || l.state == LC_FAILED);
}

#define T(name) cmocka_unit_test(name)
int main(void) {
        const struct CMUnitTest tests[] = {
                T(up_and_down), T(stop_before_anything_lives), T(stop_while_placing), T(stop_while_placing_loses_the_race),
                T(stop_is_ignored_then_killed), T(stop_timeout_0_kills_at_once), T(stop_timeout_infinity), T(start_twice_is_once),
                T(stop_then_start_again), T(stop_then_start_then_stop), T(restart_by_operator), T(restart_of_what_rests),
                T(rest_gets_the_signal), T(rest_is_told_only_once), T(rest_is_told_after_main_alone), T(rest_with_timeout_0),
                T(empty_means_nothing_while_main_lives), T(always_after_success), T(on_failure), T(never_after_failure),
                T(never_after_success),
                T(terminated_by_a_stranger), T(except_codes), T(oom), T(oom_counter_alone_is_no_oom), T(delays_grow_and_the_limit_ends_it),
                T(limit_0_never_gives_up), T(long_run_forgets_failures), T(short_run_does_not), T(slow_start_is_no_health),
                T(delay_0_is_one_step),
                T(delay_0_asks_for_dependencies), T(start_does_not_wait_for_the_backoff), T(ready_by_notify), T(ready_overtakes_execed),
                T(extend_overtakes_execed), T(exit_overtakes_execed), T(ready_timeout), T(ready_timeout_extended),
                T(ready_timeout_infinity),
                T(exit_0_before_ready), T(exit_1_before_ready), T(exit_0_before_ready_when_told), T(oneshot_success), T(oneshot_failure),
                T(oneshot_failure_never), T(spawn_failed_for_good), T(spawn_failed_for_now), T(placing_takes_too_long), T(placing_refused),
                T(dependency_failed), T(watchdog_expires), T(too_big), T(too_big_does_not_spin), T(too_big_and_stopped), T(oneshot_too_big), T(watchdog_triggered_before_ready), T(stop_during_failure),
                T(start_during_failure_skips_the_backoff), T(verdict_from_outside), T(verdict_does_not_change_an_order), T(reload),
                T(verdict_after_the_end), T(slow_end_is_no_health),
                T(except_codes_do_not_excuse_a_timeout), T(test_every_pair), T(never_ready_or_a_crash_loop), T(startup_probe_decides),
                T(readiness_probe_decides_without_a_startup_probe), T(liveness_probe_failed), T(startup_probe_failed), T(adopted_with_probes),
                T(stop_while_reloading), T(stopping_by_itself),
                T(stopping_by_itself_but_never_done), T(adopted), T(adopted_before_ready),
                T(adopted_oneshot), T(adopted_but_never_executed), T(resumed_stop), T(resumed_backoff),
                T(contradictions_are_refused), T(reset), T(reset_counters_only),
                T(stop_forgets_a_failure_but_not_its_reason),
                T(on_demand_waits_again_when_it_is_done), T(on_demand_fails_as_others_do), T(on_demand_restart_waits),
                T(on_demand_no_more), T(since_follows_the_public_state), T(test_names), T(test_settled),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
