/* The death of managers: what waits for the next one, what is held for it, and when the keeper gives up. */
#include "rig.inc.h"

#include "keeper/hold.h"

static void test_children_outlive_the_manager(void **state) {
        Rig *rig = *state;
        const WireChild *c;
        pid_t running, gated;

        spawn(rig, 1, 0, ARGV("/bin/sleep", "1000"));
        running = expect_running(rig, 1);
        spawn(rig, 2, SPAWN_GATED, ARGV("/bin/true"));
        gated = expect_spawned(rig, 2);
        spawn(rig, 3, 0, SHELL("exit 5"));
        (void) expect_running(rig, 3);
        rig_expect_run(rig, WIRE_EXITED, 3); /* never acknowledged */
        proxy_end(&rig->manager, 1);

        rig_meet(rig, 2);
        rig_send_header(rig, WIRE_LIST);
        c = rig_expect_run(rig, WIRE_CHILD, 1);
        assert_int_equal(c->state, CHILD_EXECUTING);
        assert_int_equal(c->pid, running);
        assert_memory_equal(c->invocation, "invocation-of-us", 16);
        assert_true(c->start_time > 0);
        c = rig_expect_run(rig, WIRE_CHILD, 2);
        assert_int_equal(c->state, CHILD_GATED);
        assert_int_equal(c->pid, gated);
        assert_int_equal(((const WireChild *) rig_expect_run(rig, WIRE_CHILD, 3))->state, CHILD_EXITED);
        assert_int_equal(WEXITSTATUS(expect_exited(rig, 3)), 5);
        rig_expect(rig, WIRE_LIST_END);

        rig_send_run(rig, WIRE_RELEASE, 2);
        rig_expect_run(rig, WIRE_EXECED, 2);
        assert_int_equal(expect_exited(rig, 2), 0);
        rig_send_signal(rig, 1, SIGTERM, WIRE_TO_MAIN);
        assert_int_equal(WTERMSIG(expect_exited(rig, 1)), SIGTERM);
        rig_expect_empty(rig);
}

/* A manager killed by a signal; meanwhile one child ends, one fails at its gate, and the keeper itself is signalled. */
static void test_what_happens_between_managers(void **state) {
        static const int signals[] = { SIGHUP, SIGTERM };
        Rig *rig = *state;
        PidRef refs[2] = { PIDREF_NULL, PIDREF_NULL };
        pid_t pids[2];

        spawn(rig, 1, 0, ARGV("/bin/sleep", "1000"));
        pids[0] = expect_running(rig, 1);
        spawn(rig, 2, SPAWN_GATED, ARGV("/bin/true"));
        pids[1] = expect_spawned(rig, 2);
        assert_int_equal(kill(rig->manager.pid, SIGSEGV), 0);
        proxy_done(&rig->manager);
        proxy_accept(rig->listeners[0], &rig->manager); /* the next one is there, but has not said HELLO */
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(pidref_open(pids[i], 0, &refs[i]), 0);
                assert_int_equal(pidref_signal(&refs[i], SIGKILL), 0);
                await(refs[i].fd);
                pidref_done(&refs[i]);
        }
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                assert_int_equal(kill(rig->keeper, signals[i]), 0);
        assert_false(wait_for(rig->manager.wire, POLLIN, 0));
        proxy_end(&rig->manager, 0);

        rig_meet(rig, 3);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                assert_int_equal(((const WireSignal *) rig_expect(rig, WIRE_SIGNALED))->signal, signals[i]);
        rig_send_header(rig, WIRE_LIST);
        assert_int_equal(((const WireChild *) rig_expect_run(rig, WIRE_CHILD, 1))->state, CHILD_EXITED);
        assert_int_equal(WTERMSIG(expect_exited(rig, 1)), SIGKILL);
        expect_failed(rig, 2, STAGE_KILLED, SIGKILL);
        rig_expect(rig, WIRE_LIST_END);
        rig_expect_empty(rig);
}

/* What a manager said with its last breath is done, though it left answers unread. */
static void test_last_words_count(void **state) {
        Rig *rig = *state;
        WireShutdown p = { .h = { WIRE_SHUTDOWN, sizeof(p) }, .status = 9 };

        for (uint64_t run = 1; run <= 20; run++)
                spawn(rig, run, 0, ARGV("/bin/true"));
        await(rig->manager.wire);
        rig_send(rig, &p, sizeof(p), NULL, 0);
        proxy_end(&rig->manager, 0);
        assert_int_equal(WEXITSTATUS(rig_status(rig)), 9);
}

/* A manager that has closed its end is of no use, even if it lives. */
static void test_mute_manager_is_replaced(void **state) {
        Rig *rig = *state;
        Proxy mute;

        mute = rig->manager;
        rig->manager = PROXY_NULL;
        mute.wire = fd_close(mute.wire);
        rig_meet(rig, 2);
        proxy_done(&mute);
        rig_expect_empty(rig);
}

static void send_hold(Rig *rig, uint32_t type, const char *name, int fd) {
        WireHold p = { .h = { type, sizeof(p) } };

        snprintf(p.name, sizeof(p.name), "%s", name);
        rig_send(rig, &p, sizeof(p), &fd, fd >= 0);
}

static void expect_held(Rig *rig, const char *name, int fd) {
        const WireHold *p = rig_expect(rig, WIRE_HELD);
        struct stat a, b;

        assert_string_equal(p->name, name);
        assert_int_equal(rig->n_fds, 1);
        assert_int_equal(fstat(fd, &a), 0);
        assert_int_equal(fstat(rig->fds[0], &b), 0);
        assert_int_equal(a.st_ino, b.st_ino);
}

static void test_descriptors_are_held(void **state) {
        Rig *rig = *state;
        char name[64];
        int a[2], b[2];
        char byte;

        make_pipe(a);
        make_pipe(b);
        send_hold(rig, WIRE_HOLD, "first", a[1]);
        send_hold(rig, WIRE_HOLD, "second", b[1]);
        proxy_end(&rig->manager, 0);
        rig_meet(rig, 2);
        rig_send_header(rig, WIRE_LIST);
        expect_held(rig, "first", a[1]);
        expect_held(rig, "second", b[1]);
        rig_expect(rig, WIRE_LIST_END);

        /* The same name replaces and closes. */
        a[1] = fd_close(a[1]);
        send_hold(rig, WIRE_HOLD, "first", b[1]);
        rig_send_header(rig, WIRE_LIST);
        expect_held(rig, "first", b[1]);
        expect_held(rig, "second", b[1]);
        rig_expect(rig, WIRE_LIST_END);
        await(a[0]);
        assert_int_equal(read(a[0], &byte, 1), 0);

        send_hold(rig, WIRE_DROP, "first", -1);
        send_hold(rig, WIRE_DROP, "unknown", -1);
        rig_send_header(rig, WIRE_LIST);
        expect_held(rig, "second", b[1]);
        rig_expect(rig, WIRE_LIST_END);

        /* There is an end to it. */
        for (int i = 0; i < HOLD_MAX + 6; i++) {
                snprintf(name, sizeof(name), "name%i", i);
                send_hold(rig, WIRE_HOLD, name, b[1]);
        }
        rig_send_header(rig, WIRE_LIST);
        for (int i = 0; i < HOLD_MAX; i++)
                rig_expect(rig, WIRE_HELD);
        rig_expect(rig, WIRE_LIST_END);
        fd_close(a[0]);
        fd_close(b[0]);
        fd_close(b[1]);
}

static int passed[3];

/* As systemd does it: descriptors from 3, named in the environment. */
static void pass_descriptors(void) {
        char pid[16];

        for (int i = 0; i < 3; i++)
                passed[i] = fcntl(passed[i], F_DUPFD_CLOEXEC, 100);
        for (int i = 0; i < 3; i++)
                if (dup2(passed[i], 3 + i) < 0)
                        _exit(99);
        snprintf(pid, sizeof(pid), "%i", getpid());
        setenv("LISTEN_PID", pid, true);
        setenv("LISTEN_FDS", "3", true);
        setenv("LISTEN_FDNAMES", "stored:api:stored", true);
        setenv("WATCHDOG_PID", pid, true); /* the proxy checks that it reads its own */
}

static void test_descriptors_from_systemd_are_held(void **state) {
        static const RigOptions options = { .before = pass_descriptors };
        Rig *rig = *state;

        for (int i = 0; i < 3; i++) {
                int p[2];

                make_pipe(p);
                passed[i] = p[0];
                fd_close(p[1]);
        }
        rig_start(rig, &options);
        rig_meet(rig, 1);
        rig_send_header(rig, WIRE_LIST);
        expect_held(rig, "stored", passed[0]);
        expect_held(rig, "api", passed[1]);
        expect_held(rig, "stored#2", passed[2]);
        rig_expect(rig, WIRE_LIST_END);
        for (int i = 0; i < 3; i++)
                fd_close(passed[i]);
}

static void test_gives_up_on_a_silent_manager(void **state) {
        static const RigOptions options = { .manager = "/bin/false" };
        Rig *rig = *state;
        usec_t start = now_usec(CLOCK_MONOTONIC);

        rig_start(rig, &options);
        assert_int_equal(WEXITSTATUS(rig_status(rig)), EXIT_FAILURE);
        /* 0 + 100 + 200 + 400 ms of patience between the five. */
        assert_true(now_usec(CLOCK_MONOTONIC) - start >= 700 * USEC_PER_MSEC);
}

static void test_missing_manager(void **state) {
        static const RigOptions options = { .manager = "/nowhere/kingd-manager" };
        Rig *rig = *state;

        rig_start(rig, &options);
        assert_int_equal(WEXITSTATUS(rig_status(rig)), EXIT_FAILURE);
}

/* While a child lives there is something to wait for, however often managers fail. */
static void test_does_not_give_up_with_children(void **state) {
        Rig *rig = *state;

        spawn(rig, 1, 0, ARGV("/bin/sleep", "1000"));
        (void) expect_running(rig, 1);
        proxy_end(&rig->manager, 0);
        for (int i = 0; i < 5; i++) {
                proxy_accept(rig->listeners[0], &rig->manager);
                proxy_end(&rig->manager, 1);
        }
        rig_meet(rig, 7);
        rig_send_header(rig, WIRE_LIST);
        rig_expect_run(rig, WIRE_CHILD, 1);
        rig_expect(rig, WIRE_LIST_END);
}

static void test_early_shutdown(void **state) {
        Rig *rig = *state;
        uint8_t zero = 0;

        rig_start(rig, NULL);
        proxy_accept(rig->listeners[0], &rig->manager);
        rig_shutdown(rig, 2);
        assert_int_equal(write(rig->manager.leash, &zero, 1), 1);
        assert_int_equal(WEXITSTATUS(rig_status(rig)), 2);
}

static int ready_pipe[2];

static void note_ready(int status) {
        uint8_t byte = (uint8_t) status;

        (void) !write(ready_pipe[1], &byte, 1);
}

/* Whoever waits for the daemon hears once: of its readiness, which HELLO is not, or of its end. */
static void test_readiness_is_told_once(void **state) {
        static const RigOptions options = { .ready = note_ready };
        Rig *rig = *state;
        uint8_t bytes[4], zero = 0;

        for (int serves = 1; serves >= 0; serves--) {
                make_pipe(ready_pipe);
                rig_start(rig, &options);
                fd_close(ready_pipe[1]);
                rig_meet(rig, 1);
                rig_expect_empty(rig);
                assert_false(wait_for(ready_pipe[0], POLLIN, 0));
                for (int i = 0; i < 2 * serves; i++)
                        rig_send_header(rig, WIRE_READY);
                if (serves)
                        await(ready_pipe[0]);
                rig_shutdown(rig, 5);
                assert_int_equal(write(rig->manager.leash, &zero, 1), 1);
                assert_int_equal(WEXITSTATUS(rig_status(rig)), 5);
                assert_int_equal(read(ready_pipe[0], bytes, sizeof(bytes)), 1);
                assert_int_equal(bytes[0], serves ? 0 : 5);
                fd_close(ready_pipe[0]);
                proxy_done(&rig->manager);
        }
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
#define BARE_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup_bare, rig_teardown)

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                RIG_TEST(test_children_outlive_the_manager),
                RIG_TEST(test_what_happens_between_managers),
                RIG_TEST(test_last_words_count),
                RIG_TEST(test_mute_manager_is_replaced),
                RIG_TEST(test_descriptors_are_held),
                BARE_TEST(test_descriptors_from_systemd_are_held),
                BARE_TEST(test_gives_up_on_a_silent_manager),
                BARE_TEST(test_missing_manager),
                RIG_TEST(test_does_not_give_up_with_children),
                BARE_TEST(test_early_shutdown),
                BARE_TEST(test_readiness_is_told_once),
        };

        rig_main(argv);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
