/* What a command finds: descriptors, identity, limits, environment. Each test runs a command that looks at itself. */
#include "rig.inc.h"

#include <grp.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "linux/cgroup.h"

#define NOBODY 65534u

static bool need_root(void) {
        if (geteuid() == 0)
                return true;
        print_message("skipped: changing user and groups needs root\n");
        return false;
}

/* The value behind "Name:" in a copy of /proc/PID/status. */
static const char *field(const char *status, const char *name) {
        static char value[256];
        const char *p = strstr(status, name);

        assert_non_null(p);
        p += strlen(name);
        p += strspn(p, " \t");
        snprintf(value, sizeof(value), "%.*s", (int) strcspn(p, "\n"), p);
        return value;
}

static void test_no_stray_descriptors(void **state) {
        Rig *rig = *state;
        char *text, *line, *rest;
        unsigned n = 0;

        /* Others live meanwhile, with pipes and gates of their own. */
        spawn(rig, 7, SPAWN_LOG_PIPES, ARGV("/bin/sleep", "1000"));
        (void) expect_running(rig, 7);
        spawn(rig, 8, SPAWN_LOG_PIPES | SPAWN_GATED, ARGV("/bin/sleep", "1000"));
        (void) expect_spawned(rig, 8);
        (void) spawn_begin(rig, 1, 0);
        text = output_of(rig, ARGV("/bin/ls", "-l", "/proc/self/fd"), NULL, 0);
        for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                const char *arrow = strstr(line, " -> ");

                if (!arrow)
                        continue;
                switch (n++) {
                case 0:
                case 2:
                        assert_string_equal(arrow, " -> /dev/null");
                        break;
                case 1:
                        assert_non_null(startswith(arrow, " -> pipe:"));
                        break;
                case 3:
                        assert_non_null(startswith(arrow, " -> /proc/")); /* the directory that ls has open */
                        break;
                default:
                        fail_msg("a stray descriptor: %s", line);
                }
        }
        assert_int_equal(n, 4);
}

/* A gated child has let go of everything before it waits. */
static void test_gated_holds_nothing(void **state) {
        Rig *rig = *state;
        char path[64], target[256];
        int highest = -1;
        ssize_t n;
        pid_t pid;

        spawn(rig, 7, SPAWN_LOG_PIPES, ARGV("/bin/sleep", "1000"));
        (void) expect_running(rig, 7);
        spawn(rig, 8, SPAWN_GATED, ARGV("/bin/true"));
        pid = expect_spawned(rig, 8);
        /* It sets itself up while we look: wait until it sits in read(2) on the one descriptor beyond the standard ones. */
        for (usec_t end = now_usec(CLOCK_MONOTONIC) + DEADLINE_MSEC * USEC_PER_MSEC; highest != 3;) {
                assert_true(now_usec(CLOCK_MONOTONIC) < end);
                rig_send_header(rig, WIRE_LIST);
                rig_expect_run(rig, WIRE_CHILD, 7);
                rig_expect_run(rig, WIRE_CHILD, 8);
                rig_expect(rig, WIRE_LIST_END);
                highest = -1;
                for (int fd = 0; fd < 256; fd++) {
                        snprintf(path, sizeof(path), "/proc/%i/fd/%i", pid, fd);
                        n = readlink(path, target, sizeof(target) - 1);
                        highest = n > 0 ? fd : highest;
                }
        }
        snprintf(path, sizeof(path), "/proc/%i/fd/3", pid);
        n = readlink(path, target, sizeof(target) - 1);
        assert_true(n > 0);
        target[n] = '\0';
        assert_non_null(startswith(target, "socket:"));
}

/* Many descriptors, whose numbers in the keeper collide with those that the child wants, arrive in their order. */
static void test_listen_and_ready(void **state) {
        Rig *rig = *state;
        struct stat st;
        int fds[21], pipes[21][2];
        char expected[1024] = "", *text;

        spawn_begin(rig, 1, SPAWN_READY_FD)->n_listen = 20;
        for (size_t i = 0; i < 21; i++) {
                make_pipe(pipes[i]);
                fds[i] = pipes[i][1];
                assert_int_equal(fstat(fds[i], &st), 0);
                snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "%zu pipe:[%lu]\n", i + 3, (unsigned long) st.st_ino);
        }
        text = output_of(rig, SHELL("echo $LISTEN_FDS $(test $LISTEN_PID = $$ && echo mine) $READY_FD;"
                                    "for i in 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23; do"
                                    " echo $i $(readlink /proc/$$/fd/$i); done; test -e /proc/$$/fd/24 || echo no more; echo ready > /proc/self/fd/$READY_FD"),
                         fds, 21);
        for (size_t i = 0; i < 21; i++)
                fd_close(fds[i]);
        assert_non_null(startswith(text, "20 mine 23\n"));
        assert_non_null(strstr(text, expected));
        assert_non_null(strstr(text, "no more"));
        assert_string_equal(read_all(pipes[20][0]), "ready\n");
        for (size_t i = 0; i < 21; i++)
                fd_close(pipes[i][0]);
}

static void test_given_standard_descriptors(void **state) {
        Rig *rig = *state;
        int in[2], err[2], fds[3], out[2];

        make_pipe(in);
        make_pipe(out);
        make_pipe(err);
        fds[0] = in[0];
        fds[1] = out[1];
        fds[2] = err[1];
        (void) spawn_begin(rig, 1, SPAWN_FD_STDIN | SPAWN_FD_STDOUT | SPAWN_FD_STDERR);
        spawn_send(rig, SHELL("read line; echo out $line; echo err $line >&2"), fds, 3);
        for (size_t i = 0; i < 3; i++)
                fd_close(fds[i]);
        assert_int_equal(fd_write_all(in[1], "hello\n", 6), 0);
        assert_string_equal(read_all(out[0]), "out hello\n");
        assert_string_equal(read_all(err[0]), "err hello\n");
        fd_close(in[1]);
        fd_close(out[0]);
        fd_close(err[0]);
        (void) expect_running(rig, 1);
        assert_int_equal(expect_exited(rig, 1), 0);
}

static void ignore_signals(void) {
        (void) signal(SIGUSR2, SIG_IGN);
        (void) signal(SIGHUP, SIG_IGN);
        (void) signal(SIGCHLD, SIG_IGN);
}

static void test_signals_and_session(void **state) {
        static const RigOptions options = { .before = ignore_signals };
        Rig *rig = *state;
        char *text;

        rig_start(rig, &options);
        rig_meet(rig, 1);
        (void) spawn_begin(rig, 1, 0);
        text = output_of(rig, ARGV("/bin/cat", "/proc/self/status"), NULL, 0);
        assert_string_equal(field(text, "\nSigBlk:"), "0000000000000000");
        /* 32 and 33 are the C library's own: posix_spawn(3) leaves them ignored, and nobody can change them. */
        assert_int_equal(strtoull(field(text, "\nSigIgn:"), NULL, 16) & ~(UINT64_C(3) << 31), 0);
        assert_string_equal(field(text, "\nNoNewPrivs:"), "0");
        (void) spawn_begin(rig, 2, SPAWN_NO_NEW_PRIVS);
        text = output_of(rig, ARGV("/bin/cat", "/proc/self/status"), NULL, 0);
        assert_string_equal(field(text, "\nNoNewPrivs:"), "1");
        (void) spawn_begin(rig, 3, 0);
        text = output_of(rig, SHELL("set -- $(cat /proc/$$/stat); test $1 = $5 && test $1 = $6 && echo session of its own"), NULL, 0);
        assert_string_equal(text, "session of its own\n");
}

static void test_limits(void **state) {
        Rig *rig = *state;
        struct rlimit ours;
        char expected[64];
        WireSpawn *s;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &ours), 0);
        snprintf(expected, sizeof(expected), "%lu %lu\n", (unsigned long) ours.rlim_cur, (unsigned long) ours.rlim_max);
        (void) spawn_begin(rig, 1, 0);
        assert_string_equal(output_of(rig, SHELL("echo $(ulimit -Sn) $(ulimit -Hn)"), NULL, 0), expected);
        s = spawn_begin(rig, 2, SPAWN_SET_UMASK | SPAWN_SET_OOM);
        s->umask = 0027;
        s->oom_score_adj = 321;
        s->n_rlimits = 2;
        s->rlimits[0] = (WireRlimit) { .resource = RLIMIT_NOFILE, .soft = 50, .hard = 60 };
        s->rlimits[1] = (WireRlimit) { .resource = RLIMIT_CORE, .soft = 0, .hard = 0 };
        assert_string_equal(output_of(rig, SHELL("echo $(ulimit -Sn) $(ulimit -Hn) $(ulimit -Hc) $(umask) $(cat /proc/self/oom_score_adj)"), NULL, 0),
                            "50 60 0 0027 321\n");
}

static void lower_nofile(void) {
        struct rlimit l = { .rlim_cur = 128, .rlim_max = 512 };

        if (setrlimit(RLIMIT_NOFILE, &l) < 0 || write_file_at(AT_FDCWD, "/proc/self/oom_score_adj", "77") < 0)
                _exit(99);
}

/* What the keeper raises for itself stays its own; what it was given is handed on. */
static void test_defaults_of_the_keeper(void **state) {
        static const RigOptions options = { .before = lower_nofile };
        WireHello hello = { .h = { WIRE_HELLO, sizeof(hello) }, .version = WIRE_VERSION };
        const WireHello *answer;
        Rig *rig = *state;
        char path[64], text[4096];

        rig_start(rig, &options);
        proxy_accept(rig->listeners[0], &rig->manager);
        rig_send(rig, &hello, sizeof(hello), NULL, 0);
        answer = rig_expect(rig, WIRE_HELLO);
        assert_int_equal(answer->nofile_soft, 128);
        snprintf(path, sizeof(path), "/proc/%i/limits", rig->keeper);
        assert_true(read_file_into(AT_FDCWD, path, text, sizeof(text)) > 0);
        assert_string_equal(field(text, "Max open files"), "512                  512                  files     ");
        (void) spawn_begin(rig, 1, 0);
        assert_string_equal(output_of(rig, SHELL("echo $(ulimit -Sn) $(ulimit -Hn) $(cat /proc/self/oom_score_adj)"), NULL, 0), "128 512 77\n");
}

#define IOPRIO_BEST_EFFORT_6 (2 << 13 | 6)

static void test_priorities(void **state) {
        Rig *rig = *state;
        WireSpawn *s = spawn_begin(rig, 1, SPAWN_SET_NICE | SPAWN_SET_IOPRIO);
        pid_t pid;

        s->nice = 7;
        s->ioprio = IOPRIO_BEST_EFFORT_6;
        spawn_send(rig, ARGV("/bin/sleep", "1000"), NULL, 0);
        pid = expect_running(rig, 1);
        errno = 0;
        assert_int_equal(getpriority(PRIO_PROCESS, (id_t) pid), 7);
        assert_int_equal(syscall(SYS_ioprio_get, 1, pid), IOPRIO_BEST_EFFORT_6);
}

static void test_environment_and_directory(void **state) {
        char *env[] = { "B=2", "A=one two", "EMPTY=", "WATCHDOG_USEC=5000000", NULL };
        Rig *rig = *state;
        int out[2];
        char *text, expected[160];
        pid_t pid;

        for (int with_cwd = 0; with_cwd < 2; with_cwd++) {
                make_pipe(out);
                (void) spawn_begin(rig, 1, SPAWN_FD_STDOUT | SPAWN_WATCHDOG_PID);
                spawn_send_in(rig, with_cwd ? rig->dir : "", ARGV("/usr/bin/env"), env, &out[1], 1);
                fd_close(out[1]);
                text = read_all(out[0]);
                fd_close(out[0]);
                pid = expect_running(rig, 1);
                assert_int_equal(expect_exited(rig, 1), 0);
                snprintf(expected, sizeof(expected), "B=2\nA=one two\nEMPTY=\nWATCHDOG_USEC=5000000\nWATCHDOG_PID=%i\n", pid);
                assert_string_equal(text, expected);
        }
        make_pipe(out);
        (void) spawn_begin(rig, 2, SPAWN_FD_STDOUT);
        spawn_send_in(rig, rig->dir, ARGV("/bin/sh", "-c", "readlink /proc/self/cwd; echo \"$@\"", "name", "", "two words"), env, &out[1], 1);
        fd_close(out[1]);
        snprintf(expected, sizeof(expected), "%s\n two words\n", rig->dir);
        assert_string_equal(read_all(out[0]), expected);
        fd_close(out[0]);
}

static void test_user_and_groups(void **state) {
        Rig *rig = *state;
        WireSpawn *s;
        char *text;

        if (!need_root())
                return;
        s = spawn_begin(rig, 1, SPAWN_SET_USER);
        s->uid = s->gid = NOBODY;
        s->n_groups = 2;
        s->groups[0] = NOBODY;
        s->groups[1] = 1234;
        text = output_of(rig, ARGV("/bin/cat", "/proc/self/status"), NULL, 0);
        assert_string_equal(field(text, "\nUid:"), "65534\t65534\t65534\t65534");
        assert_string_equal(field(text, "\nGid:"), "65534\t65534\t65534\t65534");
        assert_string_equal(field(text, "\nGroups:"), "1234 65534 ");
        assert_string_equal(field(text, "\nCapEff:"), "0000000000000000");
        assert_string_equal(field(text, "\nCapPrm:"), "0000000000000000");
        /* The directory is entered with the rights of the user. */
        assert_int_equal(chmod(rig->dir, 0700), 0);
        s = spawn_begin(rig, 2, SPAWN_SET_USER);
        s->uid = s->gid = NOBODY;
        spawn_send_in(rig, rig->dir, ARGV("/bin/true"), NULL, NULL, 0);
        (void) expect_spawned(rig, 2);
        expect_failed(rig, 2, STAGE_CWD, EACCES);
}

static void check_capabilities(Rig *rig, uint64_t caps, bool user) {
        WireSpawn *s = spawn_begin(rig, 1, SPAWN_SET_CAPS | (user ? SPAWN_SET_USER | SPAWN_NO_NEW_PRIVS : 0));
        static const char *const sets[] = { "\nCapInh:", "\nCapPrm:", "\nCapEff:", "\nCapBnd:", "\nCapAmb:" };
        char expected[20], *text;

        s->uid = s->gid = NOBODY;
        s->caps = caps;
        text = output_of(rig, ARGV("/bin/cat", "/proc/self/status"), NULL, 0);
        snprintf(expected, sizeof(expected), "%016" PRIx64, caps);
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
                assert_string_equal(field(text, sets[i]), expected);
}

static void test_capabilities(void **state) {
        uint64_t bind = UINT64_C(1) << CAP_NET_BIND_SERVICE, kill_ = UINT64_C(1) << CAP_KILL;
        Rig *rig = *state;
        WireSpawn *s;

        if (!need_root())
                return;
        check_capabilities(rig, bind, true);
        check_capabilities(rig, bind | kill_, true);
        check_capabilities(rig, bind, false);
        check_capabilities(rig, 0, true);
        check_capabilities(rig, 0, false);
        s = spawn_begin(rig, 2, SPAWN_SET_CAPS);
        s->caps = UINT64_C(1) << 63;
        spawn_send(rig, ARGV("/bin/true"), NULL, 0);
        (void) expect_spawned(rig, 2);
        expect_failed(rig, 2, STAGE_CAPABILITIES, EINVAL);
}

static void test_born_in_its_cgroup(void **state) {
        _cleanup_free_ char *mount = NULL, *dir = NULL, *where = NULL;
        Rig *rig = *state;
        int fd;
        pid_t pid;

        if (cgroup_mount(&mount) < 0 || !(dir = text_printf("%s/kingly-test-%i", mount, getpid())) || cgroup_make(dir) < 0) {
                print_message("skipped: no cgroup v2 directory that we may write\n");
                return;
        }
        fd = cgroup_open(dir);
        assert_true(fd >= 0);
        (void) spawn_begin(rig, 1, SPAWN_FD_CGROUP);
        spawn_send(rig, ARGV("/bin/sleep", "1000"), &fd, 1);
        fd_close(fd);
        pid = expect_running(rig, 1);
        assert_int_equal(process_cgroup(pid, &where), 0);
        rig_send_signal(rig, 1, SIGKILL, WIRE_TO_MAIN);
        assert_int_equal(WTERMSIG(expect_exited(rig, 1)), SIGKILL);
        assert_int_equal(cgroup_remove(dir), 0);
        assert_string_equal(strrchr(where, '/'), strrchr(dir, '/'));
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
#define BARE_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup_bare, rig_teardown)

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                RIG_TEST(test_no_stray_descriptors),
                RIG_TEST(test_gated_holds_nothing),
                RIG_TEST(test_listen_and_ready),
                RIG_TEST(test_given_standard_descriptors),
                BARE_TEST(test_signals_and_session),
                RIG_TEST(test_limits),
                BARE_TEST(test_defaults_of_the_keeper),
                RIG_TEST(test_priorities),
                RIG_TEST(test_environment_and_directory),
                RIG_TEST(test_user_and_groups),
                RIG_TEST(test_capabilities),
                RIG_TEST(test_born_in_its_cgroup),
        };

        rig_main(argv);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
