/* Main processes that the keeper did not make: whose end is told, and with which status. */
#include "rig.inc.h"

/* A shell that says the number of its child on a pipe and does `then`; the child runs until it is signalled. */
static pid_t start_pair(Rig *rig, const char *then, int *ret_out) {
        char command[200], text[16] = "";
        size_t n = 0;
        int out[2];

        make_pipe(out);
        snprintf(command, sizeof(command), "sleep 1000 > /dev/null & echo $!; exec > /dev/null; %s", then);
        (void) spawn_begin(rig, 1, SPAWN_FD_STDOUT);
        spawn_send(rig, SHELL(command), &out[1], 1);
        fd_close(out[1]);
        (void) expect_running(rig, 1);
        while (n + 1 < sizeof(text) && !strchr(text, '\n')) {
                await(out[0]);
                assert_int_equal(read(out[0], text + n, 1), 1);
                n++;
        }
        *ret_out = out[0];
        assert_true(atoi(text) > 1);
        return atoi(text);
}

static void send_main(Rig *rig, pid_t pid) {
        WireMain p = { .h = { WIRE_MAIN, sizeof(p) }, .run = 1, .pid = pid };
        ProcessStat stat;

        assert_int_equal(process_stat(pid, &stat), 0);
        p.start_time = stat.start_time;
        rig_send(rig, &p, sizeof(p), NULL, 0);
}

/* Until the parent is another program than the shell: a shell asks for its children between any two of its commands. */
static void await_parent(pid_t pid, const char *name) {
        ProcessStat child, parent = {};

        assert_int_equal(process_stat(pid, &child), 0);
        for (; !streq(parent.comm, name); usleep(1000))
                assert_int_equal(process_stat(child.ppid, &parent), 0);
}

/* Signals go to the successor; its status is read while its parent has not asked for it. */
static void test_child_of_the_first(void **state) {
        Rig *rig = *state;
        const WireExited *e;
        int out;
        pid_t pid = start_pair(rig, "exec sleep 1000", &out);

        await_parent(pid, "sleep");
        send_main(rig, pid);
        rig_send_signal(rig, 1, SIGUSR1, WIRE_TO_MAIN);
        e = rig_expect_run(rig, WIRE_EXITED, 1);
        assert_int_equal(e->pid, pid);
        assert_true(WIFSIGNALED(e->status) && WTERMSIG(e->status) == SIGUSR1);
        rig_send_run(rig, WIRE_ACK, 1);
        rig_expect_empty(rig);
        fd_close(out);
}

/* What was told of the end of the first one is taken back. */
static void test_the_first_has_ended(void **state) {
        Rig *rig = *state;
        const WireExited *e;
        int out;
        pid_t pid = start_pair(rig, "exit 3", &out);

        e = rig_expect_run(rig, WIRE_EXITED, 1);
        assert_true(e->pid != pid && WEXITSTATUS(e->status) == 3);
        send_main(rig, pid);
        rig_send_signal(rig, 1, SIGUSR2, WIRE_TO_MAIN);
        e = rig_expect_run(rig, WIRE_EXITED, 1);
        assert_int_equal(e->pid, pid);
        assert_int_equal(WTERMSIG(e->status), SIGUSR2);
        rig_send_run(rig, WIRE_ACK, 1);
        rig_expect_empty(rig);
        fd_close(out);
}

/* It was an orphan and has been reaped before the keeper heard that it counts. */
static void test_it_was_faster(void **state) {
        _cleanup_pidref_ PidRef ref = PIDREF_NULL;
        Rig *rig = *state;
        const WireExited *e;
        WireMain p = { .h = { WIRE_MAIN, sizeof(p) }, .run = 1 };
        ProcessStat stat;
        int out;

        p.pid = start_pair(rig, "exit 3", &out);
        (void) rig_expect_run(rig, WIRE_EXITED, 1);
        assert_int_equal(process_stat(p.pid, &stat), 0);
        p.start_time = stat.start_time;
        assert_int_equal(pidref_open(p.pid, stat.start_time, &ref), 0);
        assert_int_equal(pidref_signal(&ref, SIGKILL), 0);
        await(ref.fd);
        while (process_stat(p.pid, &stat) >= 0)
                usleep(1000);
        rig_send(rig, &p, sizeof(p), NULL, 0);
        e = rig_expect_run(rig, WIRE_EXITED, 1);
        assert_int_equal(e->pid, p.pid);
        assert_int_equal(WTERMSIG(e->status), SIGKILL);
        rig_send_run(rig, WIRE_ACK, 1);
        rig_expect_empty(rig);
        fd_close(out);
}

/* Nobody has ever been it; and what is the keeper's own is nobody's main process. */
static void test_nobody(void **state) {
        Rig *rig = *state;
        const WireExited *e;
        int out;
        WireMain p = { .h = { WIRE_MAIN, sizeof(p) }, .run = 1, .pid = 4194303, .start_time = 1 };

        (void) start_pair(rig, "exec sleep 1000", &out);
        send_main(rig, rig->keeper);
        rig_send(rig, &p, sizeof(p), NULL, 0);
        e = rig_expect_run(rig, WIRE_EXITED, 1);
        assert_int_equal(e->pid, p.pid);
        assert_int_equal(e->status, WIRE_STATUS_UNKNOWN);
        rig_send_run(rig, WIRE_ACK, 1);
        rig_expect_empty(rig);
        fd_close(out);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                RIG_TEST(test_child_of_the_first),
                RIG_TEST(test_the_first_has_ended),
                RIG_TEST(test_it_was_faster),
                RIG_TEST(test_nobody),
        };

        rig_main(argv);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
