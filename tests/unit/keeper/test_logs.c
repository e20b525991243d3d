/* The way of output to the logger, whose part the test plays. */
#include "rig.inc.h"

/* One packet for the logger: the block of this run, and its two read ends into fds. */
static void expect_log(Rig *rig, uint64_t run, int fds[2]) {
        size_t n = 2;
        LogPacket p;

        await(rig->logger.wire);
        assert_int_equal(fd_recv(rig->logger.wire, &p, sizeof(p), fds, &n), sizeof(p));
        assert_int_equal(n, 2);
        assert_true(p.pid > 0);
        assert_int_equal(p.open.run, run);
        assert_int_equal(p.open.version, LOG_WIRE_VERSION);
        assert_string_equal(p.open.path, "/nowhere.log");
}

static void say_closed(Rig *rig, uint64_t run) {
        LogAnswer p = { .run = run };

        assert_int_equal(fd_send(rig->logger.wire, &p, sizeof(p), NULL, 0), 0);
}

static void say_refused(Rig *rig, uint64_t run) {
        LogAnswer p = { .run = run, .kind = LOG_REFUSED };

        assert_int_equal(fd_send(rig->logger.wire, &p, sizeof(p), NULL, 0), 0);
}

static void close_both(int fds[2]) {
        fds[0] = fd_close(fds[0]);
        fds[1] = fd_close(fds[1]);
}

static void test_what_was_refused_comes_again(void **state) {
        Rig *rig = *state;
        int fds[2];

        spawn(rig, 1, SPAWN_LOG_PIPES, SHELL("echo out"));
        proxy_accept(rig->listeners[1], &rig->logger);
        for (unsigned i = 0; i < 3; i++) {
                expect_log(rig, 1, fds);
                close_both(fds);
                say_refused(rig, 1);
        }
        (void) expect_running(rig, 1);
        assert_int_equal(expect_exited(rig, 1), 0); /* acknowledged, and its output is not forgotten */
        expect_log(rig, 1, fds);
        assert_string_equal(read_all(fds[0]), "out\n");
        close_both(fds);
        say_closed(rig, 1);
}

/* Answered by the logger; at once where there is none; by its end, for the next one has no file of before. */
static void test_reopen(void **state) {
        LogAnswer p = { .kind = LOG_REOPENED };
        Rig *rig = *state;
        int fds[2];

        rig_send_header(rig, WIRE_REOPEN);
        (void) rig_expect(rig, WIRE_REOPENED);
        spawn(rig, 1, SPAWN_LOG_PIPES, SHELL("exec sleep 1000"));
        proxy_accept(rig->listeners[1], &rig->logger);
        (void) expect_running(rig, 1);
        expect_log(rig, 1, fds);
        close_both(fds);
        rig_send_header(rig, WIRE_REOPEN);
        (void) rig_expect(rig, WIRE_REOPENED); /* what stands for a logger here dies of SIGHUP */
        proxy_done(&rig->logger);
        proxy_accept(rig->listeners[1], &rig->logger);
        expect_log(rig, 1, fds);
        close_both(fds);
        assert_int_equal(fd_send(rig->logger.wire, &p, sizeof(p), NULL, 0), 0); /* nobody asked, nobody hears of it */
        rig_send_signal(rig, 1, SIGKILL, WIRE_TO_MAIN);
        assert_int_equal(WTERMSIG(expect_exited(rig, 1)), SIGKILL);
        say_closed(rig, 1);
}

static void test_output_goes_to_the_logger(void **state) {
        Rig *rig = *state;
        int fds[2];

        assert_false(wait_for(rig->listeners[1], POLLIN, 0)); /* nobody has needed it yet */
        spawn(rig, 1, SPAWN_LOG_PIPES, SHELL("echo out; echo err >&2"));
        proxy_accept(rig->listeners[1], &rig->logger);
        expect_log(rig, 1, fds);
        assert_string_equal(read_all(fds[0]), "out\n");
        assert_string_equal(read_all(fds[1]), "err\n");
        close_both(fds);
        (void) expect_running(rig, 1);
        assert_int_equal(expect_exited(rig, 1), 0);
        rig_expect_empty(rig); /* acknowledged: the manager hears no more of it */
        spawn(rig, 1, 0, ARGV("/bin/true"));
        expect_failed(rig, 1, STAGE_MALFORMED, EEXIST); /* its place is kept for the log */
        say_closed(rig, 1);
        say_closed(rig, 1);
        say_closed(rig, 4711);
        /* The keeper reads both sockets; until it has come to the logger's, the run is still there. */
        for (;;) {
                const WireFailed *f = (const void *) rig->packet;

                spawn(rig, 1, 0, ARGV("/bin/true"));
                assert_true(rig_next(rig));
                if (f->h.type == WIRE_SPAWNED)
                        break;
                assert_int_equal(f->h.type, WIRE_FAILED);
        }
        rig_expect_run(rig, WIRE_EXECED, 1);
        assert_int_equal(expect_exited(rig, 1), 0);
}

/* Two loggers die; what was written and not read waits for the third. */
static void test_output_outlives_the_logger(void **state) {
        Rig *rig = *state;
        int in[2], fds[2];
        char text[16];

        make_pipe(in);
        (void) spawn_begin(rig, 1, SPAWN_LOG_PIPES | SPAWN_FD_STDIN);
        spawn_send(rig, ARGV("/bin/cat"), in, 1);
        fd_close(in[0]);
        (void) expect_running(rig, 1);
        proxy_accept(rig->listeners[1], &rig->logger);
        expect_log(rig, 1, fds);
        assert_int_equal(fd_write_all(in[1], "one\n", 4), 0);
        await(fds[0]);
        assert_int_equal(read(fds[0], text, sizeof(text)), 4);
        close_both(fds);
        proxy_end(&rig->logger, 1);
        assert_int_equal(fd_write_all(in[1], "two\n", 4), 0);
        proxy_accept(rig->listeners[1], &rig->logger);
        proxy_end(&rig->logger, 1); /* with the packet unread */
        assert_int_equal(fd_write_all(in[1], "three\n", 6), 0);
        fd_close(in[1]);
        assert_int_equal(expect_exited(rig, 1), 0);
        proxy_accept(rig->listeners[1], &rig->logger);
        expect_log(rig, 1, fds);
        assert_string_equal(read_all(fds[0]), "two\nthree\n");
        assert_string_equal(read_all(fds[1]), "");
        close_both(fds);
        say_closed(rig, 1);
        proxy_end(&rig->logger, 0);
        /* The last one has finished everything: no other is started until there is work, and then with nothing of the old. */
        spawn(rig, 2, SPAWN_LOG_PIPES, ARGV("/bin/true"));
        proxy_accept(rig->listeners[1], &rig->logger);
        expect_log(rig, 2, fds);
        close_both(fds);
        assert_false(wait_for(rig->logger.wire, POLLIN, 0));
}

static void test_given_stream_wins(void **state) {
        Rig *rig = *state;
        int err[2], fds[2];

        make_pipe(err);
        (void) spawn_begin(rig, 1, SPAWN_LOG_PIPES | SPAWN_FD_STDERR);
        spawn_send(rig, SHELL("echo out; echo err >&2"), &err[1], 1);
        fd_close(err[1]);
        proxy_accept(rig->listeners[1], &rig->logger);
        expect_log(rig, 1, fds);
        assert_string_equal(read_all(fds[0]), "out\n");
        assert_string_equal(read_all(fds[1]), "");
        assert_string_equal(read_all(err[0]), "err\n");
        close_both(fds);
        fd_close(err[0]);
        say_closed(rig, 1);
}

/* Of what never executed, the logger hears nothing. */
static void test_failures_are_not_logged(void **state) {
        Rig *rig = *state;
        int fds[2];

        spawn(rig, 1, SPAWN_LOG_PIPES, ARGV("/nowhere/to/be/found"));
        (void) expect_spawned(rig, 1);
        expect_failed(rig, 1, STAGE_EXEC, ENOENT);
        spawn(rig, 2, SPAWN_LOG_PIPES, ARGV("/bin/true"));
        (void) expect_running(rig, 2);
        proxy_accept(rig->listeners[1], &rig->logger);
        expect_log(rig, 2, fds);
        close_both(fds);
        assert_int_equal(expect_exited(rig, 2), 0);
}

/* A logger that reads nothing delays nobody, and gets everything when it reads. */
static void test_slow_logger(void **state) {
        enum { RUNS = 300 };
        Rig *rig = *state;
        bool seen[RUNS + 1] = {};
        unsigned done = 0;

        for (uint64_t run = 1; run <= RUNS; run++)
                spawn(rig, run, SPAWN_LOG_PIPES, SHELL("echo x"));
        while (done < RUNS) {
                const WireExited *e = (const void *) rig->packet;

                assert_true(rig_next(rig));
                if (e->h.type != WIRE_EXITED)
                        continue;
                assert_int_equal(e->status, 0);
                rig_send_run(rig, WIRE_ACK, e->run);
                done++;
        }
        proxy_accept(rig->listeners[1], &rig->logger);
        for (done = 0; done < RUNS; done++) {
                size_t n = 2;
                int fds[2];
                LogPacket p;

                await(rig->logger.wire);
                assert_int_equal(fd_recv(rig->logger.wire, &p, sizeof(p), fds, &n), sizeof(p));
                assert_true(p.open.run >= 1 && p.open.run <= RUNS && !seen[p.open.run]);
                seen[p.open.run] = true;
                assert_string_equal(read_all(fds[0]), "x\n");
                close_both(fds);
                say_closed(rig, p.open.run);
        }
        rig_expect_empty(rig);
}

/* The logger is given the time to finish what it has. */
static void test_shutdown_waits_for_the_logger(void **state) {
        Rig *rig = *state;
        uint8_t zero = 0;
        char byte;
        int fds[2];

        rig_hold_clock(rig); /* it is given some time, and no more */
        rig_start(rig, NULL);
        rig_meet(rig, 1);
        spawn(rig, 1, SPAWN_LOG_PIPES, SHELL("echo last words"));
        (void) expect_running(rig, 1);
        assert_int_equal(expect_exited(rig, 1), 0);
        proxy_accept(rig->listeners[1], &rig->logger);
        rig_shutdown(rig, 0);
        assert_int_equal(write(rig->manager.leash, &zero, 1), 1);
        expect_log(rig, 1, fds);
        await(rig->logger.wire);
        assert_int_equal(recv(rig->logger.wire, &byte, 1, 0), 0); /* the end: finish */
        assert_string_equal(read_all(fds[0]), "last words\n");
        close_both(fds);
        assert_int_equal(waitpid(rig->keeper, NULL, WNOHANG), 0);
        assert_int_equal(write(rig->logger.leash, &zero, 1), 1);
        assert_int_equal(rig_status(rig), 0);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
#define BARE_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup_bare, rig_teardown)

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                RIG_TEST(test_reopen),
                RIG_TEST(test_output_goes_to_the_logger),
                RIG_TEST(test_what_was_refused_comes_again),
                RIG_TEST(test_output_outlives_the_logger),
                RIG_TEST(test_given_stream_wins),
                RIG_TEST(test_failures_are_not_logged),
                RIG_TEST(test_slow_logger),
                BARE_TEST(test_shutdown_waits_for_the_logger),
        };

        rig_main(argv);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
