/* The life of children under a real keeper: spawn, gate, signals, exits, the end of the keeper itself. */
#include "rig.inc.h"

static void test_true_and_false(void **state) {
        Rig *rig = *state;
        const WireExited *e;

        spawn(rig, 1, 0, ARGV("/bin/true"));
        (void) expect_running(rig, 1);
        e = rig_expect_run(rig, WIRE_EXITED, 1);
        assert_true(WIFEXITED(e->status) && WEXITSTATUS(e->status) == 0);
        assert_true(e->maxrss_bytes > 0 && e->maxrss_bytes < UINT64_C(1) << 30);
        assert_true(e->exited_monotonic > 0 && e->exited_monotonic <= now_usec(CLOCK_MONOTONIC));
        rig_send_run(rig, WIRE_ACK, 1);
        spawn(rig, 2, 0, ARGV("/bin/false"));
        (void) expect_running(rig, 2);
        assert_int_equal(WEXITSTATUS(expect_exited(rig, 2)), 1);
        rig_expect_empty(rig);
}

static void test_failures_name_their_stage(void **state) {
        char *env[] = { NULL };
        Rig *rig = *state;

        spawn(rig, 1, 0, ARGV("/nowhere/to/be/found"));
        (void) expect_spawned(rig, 1);
        expect_failed(rig, 1, STAGE_EXEC, ENOENT);
        spawn(rig, 2, 0, ARGV("/etc/passwd"));
        (void) expect_spawned(rig, 2);
        expect_failed(rig, 2, STAGE_EXEC, EACCES);
        (void) spawn_begin(rig, 3, 0);
        spawn_send_in(rig, "/nowhere", ARGV("/bin/true"), env, NULL, 0);
        (void) expect_spawned(rig, 3);
        expect_failed(rig, 3, STAGE_CWD, ENOENT);
        spawn_begin(rig, 4, 0)->n_rlimits = 1;
        rig->builder.packet->rlimits[0] = (WireRlimit) { .resource = RLIMIT_CORE, .soft = 2, .hard = 1 };
        spawn_send(rig, ARGV("/bin/true"), NULL, 0);
        (void) expect_spawned(rig, 4);
        expect_failed(rig, 4, STAGE_RLIMIT, EINVAL);
        rig_expect_empty(rig);
}

static void test_refusals(void **state) {
        Rig *rig = *state;
        const WireSpawn *s;
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        size_t size;

        spawn(rig, 1, SPAWN_GATED, ARGV("/bin/true"));
        (void) expect_spawned(rig, 1);
        spawn(rig, 1, 0, ARGV("/bin/true"));
        expect_failed(rig, 1, STAGE_MALFORMED, EEXIST);
        (void) spawn_begin(rig, 2, 0);
        spawn_send(rig, ARGV("/bin/true"), &null, 1); /* one more than its flags say */
        expect_failed(rig, 2, STAGE_MALFORMED, EBADMSG);
        (void) spawn_begin(rig, 3, SPAWN_FD_CGROUP); /* no cgroup at all */
        spawn_send(rig, ARGV("/bin/true"), &null, 1);
        expect_failed(rig, 3, STAGE_CGROUP, EBADF);
        /* Not even a run can be made out, or nobody waits for an answer: dropped. */
        assert_int_equal(spawn_builder_finish(&rig->builder, &s, &size), 0);
        rig_send(rig, s, sizeof(WireHeader), NULL, 0);
        rig_send(rig, s, 3, NULL, 0);
        rig_send_run(rig, WIRE_ACK, 0);
        rig_send_run(rig, WIRE_ACK, 77);
        rig_send_run(rig, WIRE_RELEASE, 77);
        rig_send_signal(rig, 77, SIGKILL, WIRE_TO_GROUP);
        rig_send_header(rig, 4711);
        fd_close(null);
        rig_send_run(rig, WIRE_RELEASE, 1);
        rig_expect_run(rig, WIRE_EXECED, 1);
        assert_int_equal(expect_exited(rig, 1), 0);
        rig_expect_empty(rig);
}

static void test_signal_to_main(void **state) {
        Rig *rig = *state;
        const WireSpawned *p;
        ProcessStat stat;
        int status;

        spawn(rig, 1, 0, ARGV("/bin/sleep", "1000"));
        p = rig_expect_run(rig, WIRE_SPAWNED, 1);
        assert_int_equal(process_stat(p->pid, &stat), 0);
        assert_int_equal(p->start_time, stat.start_time);
        rig_expect_run(rig, WIRE_EXECED, 1);
        rig_send_signal(rig, 1, SIGUSR1, WIRE_TO_MAIN);
        status = expect_exited(rig, 1);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGUSR1);
        rig_expect_empty(rig);
}

static void test_signal_to_group(void **state) {
        Rig *rig = *state;
        int out[2];

        make_pipe(out);
        (void) spawn_begin(rig, 1, SPAWN_FD_STDOUT);
        spawn_send(rig, SHELL("sleep 1000 & sleep 1000 & echo ok; wait"), &out[1], 1);
        fd_close(out[1]);
        (void) expect_running(rig, 1);
        await(out[0]);
        rig_send_signal(rig, 1, SIGTERM, WIRE_TO_GROUP);
        assert_int_equal(WTERMSIG(expect_exited(rig, 1)), SIGTERM);
        assert_string_equal(read_all(out[0]), "ok\n"); /* its end: nobody of the group is left */
        fd_close(out[0]);
        rig_expect_empty(rig);
}

static void test_gate(void **state) {
        Rig *rig = *state;
        char marker[128], script[192];
        const WireChild *c;
        pid_t pid;

        snprintf(marker, sizeof(marker), "%s/marker", rig->dir);
        snprintf(script, sizeof(script), "echo > %s", marker);
        spawn(rig, 1, SPAWN_GATED, SHELL(script));
        pid = expect_spawned(rig, 1);
        for (int i = 0; i < 3; i++) {
                rig_send_header(rig, WIRE_LIST);
                c = rig_expect_run(rig, WIRE_CHILD, 1);
                assert_int_equal(c->state, CHILD_GATED);
                assert_int_equal(c->pid, pid);
                assert_memory_equal(c->invocation, "invocation-of-us", 16);
                rig_expect(rig, WIRE_LIST_END);
        }
        assert_int_equal(access(marker, F_OK), -1);
        rig_send_run(rig, WIRE_RELEASE, 1);
        rig_expect_run(rig, WIRE_EXECED, 1);
        assert_int_equal(expect_exited(rig, 1), 0);
        assert_int_equal(access(marker, F_OK), 0);
        rig_expect_empty(rig);
}

static void test_killed_while_gated(void **state) {
        Rig *rig = *state;

        for (uint32_t target = WIRE_TO_MAIN; target <= WIRE_TO_GROUP; target++) {
                spawn(rig, 1 + target, SPAWN_GATED | SPAWN_LOG_PIPES, ARGV("/bin/true"));
                rig_send_signal(rig, 1 + target, SIGKILL, target);
                (void) expect_spawned(rig, 1 + target);
                expect_failed(rig, 1 + target, STAGE_KILLED, SIGKILL);
        }
        /* Released and killed in one breath: its release may stay unread. */
        for (uint64_t run = 10; run < 30; run++) {
                const WireFailed *f = (const void *) rig->packet;

                spawn(rig, run, SPAWN_GATED, ARGV("/bin/sleep", "1000"));
                rig_send_run(rig, WIRE_RELEASE, run);
                rig_send_signal(rig, run, SIGKILL, WIRE_TO_MAIN);
                (void) expect_spawned(rig, run);
                assert_true(rig_next(rig));
                if (f->h.type == WIRE_FAILED) {
                        assert_int_equal(f->stage, STAGE_KILLED);
                        assert_int_equal(f->error, SIGKILL);
                        continue;
                }
                assert_int_equal(f->h.type, WIRE_EXECED);
                assert_int_equal(WTERMSIG(expect_exited(rig, run)), SIGKILL);
        }
        rig_expect_empty(rig);
        assert_false(wait_for(rig->listeners[1], POLLIN, 0)); /* nothing for a logger in all that */
}

static void test_gated_dies_with_the_keeper(void **state) {
        Rig *rig = *state;
        int out[2];

        make_pipe(out);
        (void) spawn_begin(rig, 1, SPAWN_GATED | SPAWN_FD_STDOUT);
        spawn_send(rig, ARGV("/bin/echo", "never"), &out[1], 1);
        fd_close(out[1]);
        (void) expect_spawned(rig, 1);
        assert_int_equal(kill(rig->keeper, SIGKILL), 0);
        assert_string_equal(read_all(out[0]), "");
        fd_close(out[0]);
        assert_true(WIFSIGNALED(rig_status(rig)));
}

static void test_exits_until_acknowledged(void **state) {
        Rig *rig = *state;

        spawn(rig, 1, 0, SHELL("exit 7"));
        (void) expect_running(rig, 1);
        rig_expect_run(rig, WIRE_EXITED, 1);
        for (int i = 0; i < 3; i++) {
                const WireChild *c;
                const WireExited *e;

                rig_send_header(rig, WIRE_LIST);
                c = rig_expect_run(rig, WIRE_CHILD, 1);
                assert_int_equal(c->state, CHILD_EXITED);
                e = rig_expect_run(rig, WIRE_EXITED, 1);
                assert_int_equal(WEXITSTATUS(e->status), 7);
                rig_expect(rig, WIRE_LIST_END);
        }
        rig_send_signal(rig, 1, SIGKILL, WIRE_TO_GROUP); /* its number may be another's by now */
        rig_send_run(rig, WIRE_ACK, 1);
        rig_send_run(rig, WIRE_ACK, 1);
        rig_expect_empty(rig);
}

/* Packets about many runs interleave; what comes for one run comes in its order. */
#define STORM 1000

static void storm_step(Rig *rig, uint8_t *stages, unsigned *done) {
        static const uint32_t order[] = { WIRE_SPAWNED, WIRE_EXECED, WIRE_EXITED };
        const WireRun *p = (const void *) rig->packet;

        assert_true(rig_next(rig));
        assert_true(p->run >= 1 && p->run <= STORM);
        assert_int_equal(p->h.type, order[stages[p->run]++]);
        if (p->h.type != WIRE_EXITED)
                return;
        assert_int_equal(((const WireExited *) (const void *) p)->status, 0);
        ++*done;
        rig_send_run(rig, WIRE_ACK, p->run);
}

static void test_storm(void **state) {
        uint8_t stages[STORM + 1] = {};
        Rig *rig = *state;
        unsigned done = 0;

        for (uint64_t run = 1; run <= STORM; run++) {
                spawn(rig, run, 0, ARGV("/bin/true"));
                while (wait_for(rig->manager.wire, POLLIN, 0))
                        storm_step(rig, stages, &done);
        }
        while (done < STORM)
                storm_step(rig, stages, &done);
        rig_expect_empty(rig);
}

/* A manager that reads nothing: the keeper goes on working and loses no word. */
static void test_deaf_manager(void **state) {
        enum { GATED = 200, LISTS = 3000, BARRIER = 9999 };
        Rig *rig = *state;
        const WireRun *p = (const void *) rig->packet;
        bool ended[GATED + 2] = {};
        unsigned n = 0;
        int out[2];

        make_pipe(out);
        for (uint64_t run = 1; run <= GATED; run++)
                spawn(rig, run, SPAWN_GATED, ARGV("/bin/true"));
        (void) spawn_begin(rig, GATED + 1, SPAWN_FD_STDOUT);
        spawn_send(rig, ARGV("/bin/sleep", "1000"), &out[1], 1);
        fd_close(out[1]);
        for (int i = 0; i < LISTS; i++) /* each fills the socket further, in the end beyond what it takes */
                rig_send_header(rig, WIRE_LIST);
        for (uint64_t run = 1; run <= GATED; run++)
                if (run % 2)
                        rig_send_run(rig, WIRE_RELEASE, run);
                else
                        rig_send_signal(rig, run, SIGKILL, WIRE_TO_MAIN);
        rig_send_signal(rig, GATED + 1, SIGTERM, WIRE_TO_MAIN);
        assert_string_equal(read_all(out[0]), ""); /* it died though nobody listens */
        fd_close(out[0]);
        while (n < GATED + 1) {
                assert_true(rig_next(rig));
                if (p->h.type != WIRE_EXITED && p->h.type != WIRE_FAILED)
                        continue;
                assert_int_equal(p->h.type, p->run % 2 ? WIRE_EXITED : WIRE_FAILED);
                n += !ended[p->run]; /* an answer to LIST may repeat an exit */
                ended[p->run] = true;
                if (p->h.type == WIRE_EXITED)
                        rig_send_run(rig, WIRE_ACK, p->run);
        }
        (void) spawn_begin(rig, BARRIER, SPAWN_FD_STDOUT);
        spawn_send(rig, ARGV("/bin/true"), NULL, 0);
        do
                assert_true(rig_next(rig));
        while (p->h.type != WIRE_FAILED || p->run != BARRIER);
        rig_expect_empty(rig);
}

/* The parent ends, its child comes to the keeper, and is reaped there. */
static void test_orphans_are_reaped(void **state) {
        _cleanup_pidref_ PidRef ref = PIDREF_NULL;
        Rig *rig = *state;
        ProcessStat stat;
        int out[2];
        char text[16];
        pid_t pid;

        make_pipe(out);
        (void) spawn_begin(rig, 1, SPAWN_FD_STDOUT);
        spawn_send(rig, SHELL("sleep 1000 > /dev/null & echo $!"), &out[1], 1);
        fd_close(out[1]);
        (void) expect_running(rig, 1);
        assert_int_equal(expect_exited(rig, 1), 0);
        snprintf(text, sizeof(text), "%.15s", read_all(out[0]));
        fd_close(out[0]);
        pid = atoi(text);
        assert_true(pid > 1);
        assert_int_equal(process_stat(pid, &stat), 0);
        assert_int_equal(stat.ppid, rig->keeper);
        assert_int_equal(pidref_open(pid, stat.start_time, &ref), 0);
        assert_int_equal(pidref_signal(&ref, SIGKILL), 0);
        await(ref.fd);
        rig_expect_empty(rig);
        assert_int_equal(process_stat(pid, &stat), -ESRCH);
}

static void test_signals_are_relayed(void **state) {
        static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGQUIT, SIGTERM };
        Rig *rig = *state;

        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                const WireSignal *p;

                assert_int_equal(kill(rig->keeper, signals[i]), 0);
                p = rig_expect(rig, WIRE_SIGNALED);
                assert_int_equal(p->run, 0);
                assert_int_equal(p->signal, signals[i]);
        }
        rig_expect_empty(rig);
}

static void test_shutdown_leaves_children(void **state) {
        _cleanup_pidref_ PidRef ref = PIDREF_NULL;
        Rig *rig = *state;
        int out[2], status;
        char byte;

        make_pipe(out);
        spawn(rig, 1, 0, ARGV("/bin/sleep", "1000"));
        assert_int_equal(pidref_open(expect_running(rig, 1), 0, &ref), 0);
        (void) spawn_begin(rig, 2, SPAWN_GATED | SPAWN_FD_STDOUT);
        spawn_send(rig, ARGV("/bin/echo", "never"), &out[1], 1);
        fd_close(out[1]);
        (void) expect_spawned(rig, 2);
        rig_shutdown(rig, 42);
        assert_false(rig_next(rig)); /* the end of file comes before the helpers are waited for */
        byte = 0;
        assert_int_equal(write(rig->manager.leash, &byte, 1), 1);
        status = rig_status(rig);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 42);
        assert_string_equal(read_all(out[0]), "");
        fd_close(out[0]);
        assert_true(pidref_alive(&ref));
        assert_int_equal(pidref_signal(&ref, SIGKILL), 0);
}

/* A manager that stays is waited for two seconds and no longer. */
static void test_shutdown_is_bounded(void **state) {
        Rig *rig = *state;
        usec_t start = now_usec(CLOCK_MONOTONIC), took;

        rig_shutdown(rig, 3);
        assert_int_equal(WEXITSTATUS(rig_status(rig)), 3);
        took = now_usec(CLOCK_MONOTONIC) - start;
        assert_true(took >= 2 * USEC_PER_SEC && took < 2 * USEC_PER_MINUTE);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                RIG_TEST(test_true_and_false),
                RIG_TEST(test_failures_name_their_stage),
                RIG_TEST(test_refusals),
                RIG_TEST(test_signal_to_main),
                RIG_TEST(test_signal_to_group),
                RIG_TEST(test_gate),
                RIG_TEST(test_killed_while_gated),
                RIG_TEST(test_gated_dies_with_the_keeper),
                RIG_TEST(test_exits_until_acknowledged),
                RIG_TEST(test_storm),
                RIG_TEST(test_deaf_manager),
                RIG_TEST(test_orphans_are_reaped),
                RIG_TEST(test_signals_are_relayed),
                RIG_TEST(test_shutdown_leaves_children),
                RIG_TEST(test_shutdown_is_bounded),
        };

        rig_main(argv);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
