/* A manager that hangs: it is asked when somebody waits, ended when it does not answer, and the next one is told. Time is let pass by the tests. */
#include "rig.inc.h"

#include "keeper/pulse.h"

/* A manager that serves; time is held. */
static void meet(Rig *rig) {
        rig->silent = true;
        rig_hold_clock(rig);
        rig_start(rig, NULL);
        rig_meet(rig, 1);
        rig_send_header(rig, WIRE_READY);
}

/* Somebody waits: after a while it is asked. */
static void expect_ping(Rig *rig) {
        rig_pass_until(rig, rig->manager.wire);
        rig_expect(rig, WIRE_PING);
}

/* The next one, which hears how this one ended. */
static void expect_next(Rig *rig, int sig, bool hung) {
        WireHello hello = { .h = { WIRE_HELLO, sizeof(hello) }, .version = WIRE_VERSION };
        const WireHello *answer;
        Proxy next;

        proxy_accept(rig->listeners[0], &next);
        proxy_done(&rig->manager);
        rig->manager = next;
        rig_send(rig, &hello, sizeof(hello), NULL, 0);
        answer = rig_expect(rig, WIRE_HELLO);
        assert_true(WIFSIGNALED(answer->last_status) && WTERMSIG(answer->last_status) == sig);
        assert_int_equal(answer->last_hung, hung);
        rig_send_header(rig, WIRE_READY);
}

/* The time for its answer goes by, and no more. */
static void expect_abort(Rig *rig) {
        rig_pass(rig, PULSE_ANSWER);
        expect_next(rig, SIGABRT, true);
}

/* It has an exit to acknowledge, and is asked whether it lives. */
static void meet_and_be_asked(Rig *rig) {
        meet(rig);
        spawn(rig, 1, 0, SHELL("exit 7"));
        (void) expect_running(rig, 1);
        rig_expect_run(rig, WIRE_EXITED, 1);
        expect_ping(rig);
}

static void test_exit_that_nobody_takes(void **state) {
        Rig *rig = *state;

        meet_and_be_asked(rig);
        rig_send_header(rig, WIRE_PONG);
        spawn(rig, 2, SPAWN_GATED, SHELL("exit 8"));
        (void) expect_spawned(rig, 2);
        /* It lives, whatever keeps it from acknowledging. */
        rig_pass(rig, 10 * PULSE_ANSWER);
        rig_send_run(rig, WIRE_RELEASE, 2);
        rig_expect_run(rig, WIRE_EXECED, 2);
        rig_expect_run(rig, WIRE_EXITED, 2);
        expect_ping(rig);
        expect_abort(rig);
        rig_send_header(rig, WIRE_LIST);
        for (uint64_t run = 1; run <= 2; run++) {
                rig_expect_run(rig, WIRE_CHILD, run);
                assert_int_equal(WEXITSTATUS(expect_exited(rig, run)), 6 + run);
        }
        rig_expect(rig, WIRE_LIST_END);
}

/* In the middle of its wait for events, which ends when it goes on (signal(7)). */
static void stop_keeper(const Rig *rig) {
        ProcessStat stat = {};

        for (; stat.state != 'S'; usleep(1000))
                assert_int_equal(process_stat(rig->keeper, &stat), 0);
        assert_int_equal(kill(rig->keeper, SIGSTOP), 0);
}

/* The keeper itself stands still, for longer than it would wait, and the answer is there when it goes on. */
static void test_answer_that_the_keeper_overslept(void **state) {
        Rig *rig = *state;

        meet_and_be_asked(rig);
        stop_keeper(rig);
        rig_send_header(rig, WIRE_PONG);
        rig_pass(rig, 2 * PULSE_ANSWER);
        assert_int_equal(kill(rig->keeper, SIGCONT), 0);
        spawn(rig, 2, 0, SHELL("exit 8"));
        (void) expect_running(rig, 2);
        rig_expect_run(rig, WIRE_EXITED, 2);
        expect_ping(rig); /* anew, of the same one */
}

static void test_stopped_process_is_killed(void **state) {
        _cleanup_pidref_ PidRef stopped = PIDREF_NULL;
        Rig *rig = *state;

        meet(rig);
        assert_int_equal(pidref_open(rig->manager.pid, 0, &stopped), 0);
        assert_int_equal(kill(rig->manager.pid, SIGSTOP), 0); /* SIGABRT has to wait */
        assert_int_equal(kill(rig->keeper, SIGHUP), 0);
        assert_int_equal(((const WireSignal *) rig_expect(rig, WIRE_SIGNALED))->signal, SIGHUP);
        expect_ping(rig);
        rig_pass_until(rig, stopped.fd);
        expect_next(rig, SIGKILL, true);
        /* What the dead one may not have heard. */
        assert_int_equal(((const WireSignal *) rig_expect(rig, WIRE_SIGNALED))->signal, SIGHUP);
        expect_ping(rig);
        rig_send_header(rig, WIRE_PONG);
        rig_expect_empty(rig);
}

static void test_an_order_to_end_outlives_who_was_told(void **state) {
        Rig *rig = *state;

        meet(rig);
        assert_int_equal(kill(rig->keeper, SIGHUP), 0);
        assert_int_equal(((const WireSignal *) rig_expect(rig, WIRE_SIGNALED))->signal, SIGHUP);
        assert_int_equal(kill(rig->keeper, SIGTERM), 0);
        assert_int_equal(((const WireSignal *) rig_expect(rig, WIRE_SIGNALED))->signal, SIGTERM);
        assert_int_equal(kill(rig->manager.pid, SIGTERM), 0); /* as by somebody who means all of us */
        expect_next(rig, SIGTERM, false);
        assert_int_equal(((const WireSignal *) rig_expect(rig, WIRE_SIGNALED))->signal, SIGTERM);
        expect_ping(rig);
        rig_send_header(rig, WIRE_PONG);
        rig_expect_empty(rig);
}

/* The door is held, and all that was before has been noticed. */
static void expect_held(Rig *rig) {
        rig_send_header(rig, WIRE_LIST);
        rig_expect(rig, WIRE_HELD);
        rig_expect(rig, WIRE_LIST_END);
}

static void test_client_at_the_door(void **state) {
        WireHold p = { .h = { WIRE_HOLD, sizeof(p) }, .name = PULSE_DOOR };
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        socklen_t size = sizeof(a);
        Rig *rig = *state;
        int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), taken;

        assert_int_equal(bind(door, (struct sockaddr *) &a, sizeof(a.sun_family)), 0); /* any abstract name: unix(7), autobind */
        assert_int_equal(getsockname(door, (struct sockaddr *) &a, &size), 0);
        assert_int_equal(listen(door, 1), 0);
        meet(rig);
        rig_send(rig, &p, sizeof(p), &door, 1);
        expect_held(rig);
        /* Served at once: nothing is asked. */
        assert_int_equal(connect(client, (struct sockaddr *) &a, size), 0);
        taken = accept4(door, NULL, NULL, SOCK_CLOEXEC);
        assert_true(taken >= 0);
        expect_held(rig);
        rig_pass(rig, PULSE_ANSWER);
        expect_held(rig);
        fd_close(taken);
        fd_close(client);
        /* Left alone. */
        client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(client, (struct sockaddr *) &a, size), 0);
        expect_ping(rig);
        expect_abort(rig);
        expect_ping(rig); /* the same client waits for the next one */
        fd_close(client);
        fd_close(door);
}

#define BARE_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup_bare, rig_teardown)

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                BARE_TEST(test_exit_that_nobody_takes),
                BARE_TEST(test_answer_that_the_keeper_overslept),
                BARE_TEST(test_stopped_process_is_killed),
                BARE_TEST(test_an_order_to_end_outlives_who_was_told),
                BARE_TEST(test_client_at_the_door),
        };

        rig_main(argv);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
