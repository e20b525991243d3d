/* process.c, procfs.c, signals.c: on processes of our own; every child is ended and reaped by its test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "linux/process.h"

#define DEADLINE_MSEC 20000

/* A child that waits to be killed. */
static pid_t start_idle(int *ret_pidfd) {
        pid_t pid = process_clone(-1, ret_pidfd);

        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        pause();
        }
        assert_true(pid > 0);
        return pid;
}

static void wait_readable(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        assert_int_equal(poll(&p, 1, DEADLINE_MSEC), 1);
}

/* Emulators (valgrind) lack the newer system calls. */
static void pidfds_or_skip(void) {
        int fd = (int) syscall(SYS_pidfd_open, getpid(), 0);

        if (fd < 0 && errno == ENOSYS) {
                assert_null(getenv("KINGLY_MUST_RUN"));
                print_message("skipped: no pidfds here\n");
                skip();
        }
        fd_close(fd);
}

/* Waits until it is a zombie, and leaves it one. */
static void wait_zombie(pid_t pid) {
        siginfo_t si;

        assert_int_equal(waitid(P_PID, (id_t) pid, &si, WEXITED | WNOWAIT), 0);
}

static void reap(pid_t pid) {
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void clone_gives_a_child_and_a_pidfd(void **state) {
        int pidfd = -EBADF, root, status;
        pid_t us = getpid(), pid;

        pidfds_or_skip();
        pid = process_clone(-1, &pidfd);
        if (pid == 0)
                _exit(getppid() == us ? 7 : 1);
        assert_true(pid > 0 && pidfd >= 0);
        assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
        wait_readable(pidfd);
        assert_int_equal(waitpid(pid, &status, 0), pid); /* plain waitpid finds it: the exit signal is SIGCHLD */
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
        fd_close(pidfd);

        pid = process_clone(-1, NULL);
        if (pid == 0)
                _exit(0);
        reap(pid);
        root = open("/", O_RDONLY | O_CLOEXEC);
        assert_int_equal(process_clone(root, NULL), -EBADF); /* not a cgroup directory */
        fd_close(root);
}

/* Of many some are born while a tick goes by. */
static void births_are_known_without_being_read(void **state) {
        for (unsigned i = 0; i < 300; i++) {
                usec_t before = now_usec(CLOCK_BOOTTIME);
                pid_t pid = start_idle(NULL);
                uint64_t born = process_born(pid, before);
                ProcessStat st;

                assert_int_equal(process_stat(pid, &st), 0);
                kill(pid, SIGKILL);
                reap(pid);
                assert_true(born > 0);
                assert_int_equal(born, st.start_time);
        }
        assert_int_equal(process_born(getpid(), 0), process_born(getpid(), 1)); /* long ago: read */
        assert_int_equal(process_born(0, 0), 0);
}

static void giving_way_is_taken_back(void **state) {
        int usual = sched_getscheduler(0);

        process_give_way(true);
        assert_int_equal(sched_getscheduler(0), usual == SCHED_OTHER ? SCHED_BATCH : usual);
        process_give_way(true);
        process_give_way(false);
        assert_int_equal(sched_getscheduler(0), usual);
        if (usual == SCHED_OTHER && sched_setscheduler(0, SCHED_BATCH, &(struct sched_param) {}) >= 0) {
                process_give_way(true);
                process_give_way(false);
                assert_int_equal(sched_getscheduler(0), SCHED_BATCH); /* was so before us */
                assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param) {}), 0);
        }
}

static void references_signal_and_notice_death(void **state) {
        _cleanup_pidref_ PidRef p = PIDREF_NULL, other = PIDREF_NULL;
        pid_t pid;

        pidfds_or_skip();
        pid = start_idle(NULL);
        assert_int_equal(pidref_open(pid, 0, &p), 0);
        assert_true(p.fd >= 0 && p.start_time > 0);
        assert_int_equal(pidref_open(pid, p.start_time, &other), 0);
        pidref_done(&other);
        assert_int_equal(pidref_open(pid, p.start_time + 1, &other), -ESRCH);
        assert_int_equal(other.fd, -EBADF);
        assert_true(pidref_alive(&p));
        assert_int_equal(pidref_signal(&p, 0), 0);
        assert_int_equal(pidref_signal(&p, SIGKILL), 0);
        wait_zombie(pid);
        assert_false(pidref_alive(&p));
        assert_int_equal(pidref_open(pid, p.start_time, &other), 0); /* a zombie can be referred to */
        reap(pid);
        assert_int_equal(pidref_signal(&p, SIGKILL), -ESRCH);
        assert_false(pidref_alive(&p));
        assert_int_equal(pidref_open(pid, 0, &p), -ESRCH);
        assert_int_equal(pidref_open(0, 0, &p), -ESRCH);
        assert_int_equal(pidref_open(-1, 0, &p), -ESRCH);
        pidref_done(NULL);
}

static void without_pidfd_the_start_time_decides(void **state) {
        PidRef p = PIDREF_NULL, stale;
        pid_t pid = start_idle(NULL);

        assert_int_equal(pidref_open(pid, 0, &p), 0);
        p.fd = fd_close(p.fd);
        stale = p;
        stale.start_time++;
        assert_true(pidref_alive(&p));
        assert_false(pidref_alive(&stale));
        assert_int_equal(pidref_signal(&stale, SIGKILL), -ESRCH);
        stale.start_time = 0; /* unknown is not trusted */
        assert_int_equal(pidref_signal(&stale, SIGKILL), -ESRCH);
        assert_true(pidref_alive(&p));
        assert_int_equal(pidref_signal(&p, SIGKILL), 0);
        wait_zombie(pid);
        assert_false(pidref_alive(&p));
        reap(pid);
        assert_int_equal(pidref_signal(&p, SIGKILL), -ESRCH);
        assert_int_equal(pidref_signal(&PIDREF_NULL, SIGKILL), -ESRCH);
}

/* Makes the kernel say "no such system call" to what came with Linux 5.1 to 5.7, for good. */
static int forbid_new_calls(int error) {
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 3, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 2, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 1, 0),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t) error),
        };
        struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
                return -errno;
        return 0;
}

/* The same life of a reference as above, by the other ways; the exit status tells where it went wrong. */
static int live_on_an_old_kernel(int error) {
        _cleanup_pidref_ PidRef p = PIDREF_NULL;
        int pidfd = 99, status;
        pid_t pid;

        if (forbid_new_calls(error) < 0)
                return 77;
        pid = process_clone(-1, &pidfd);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        pause();
        }
        if (pid < 0 || pidfd != -EBADF)
                return 1;
        if (pidref_open(pid, 0, &p) < 0 || p.fd >= 0 || !pidref_alive(&p))
                return 2;
        if (process_clone(1000, NULL) != -error) /* into a cgroup there is no other way */
                return 3;
        if (pidref_signal(&p, SIGKILL) < 0 || waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
                return 4;
        return pidref_alive(&p) || pidref_signal(&p, SIGKILL) != -ESRCH ? 5 : 0;
}

static void old_kernels_and_sandboxes(void **state) {
        static const int errors[] = { ENOSYS, EPERM };

        pidfds_or_skip();
        for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
                int status;
                pid_t pid = fork();

                if (pid == 0)
                        _exit(live_on_an_old_kernel(errors[i]));
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFEXITED(status));
                if (WEXITSTATUS(status) == 77) {
                        assert_null(getenv("KINGLY_MUST_RUN"));
                        print_message("skipped: no seccomp filters here\n");
                        skip();
                }
                assert_int_equal(WEXITSTATUS(status), 0);
        }
}

static void stat_survives_strange_names(void **state) {
        static const char strange[] = ") Z 1 (\n) 9";
        ProcessStat own, st;
        int p[2];
        char c;
        pid_t pid;

        assert_int_equal(process_stat(getpid(), &own), 0);
        assert_int_equal(own.ppid, getppid());
        assert_int_equal(own.pgid, getpgrp());
        assert_int_equal(own.session, getsid(0));
        assert_int_equal(own.threads, 1);
        assert_true(own.rss > 4096 && own.state == 'R' && own.start_time > 0);

        assert_int_equal(pipe2(p, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                prctl(PR_SET_NAME, strange);
                (void) !write(p[1], "x", 1);
                for (;;)
                        pause();
        }
        assert_int_equal(read(p[0], &c, 1), 1);
        fd_close(p[0]);
        fd_close(p[1]);
        assert_int_equal(process_stat(pid, &st), 0);
        assert_int_equal(st.ppid, getpid());
        assert_string_equal(st.comm, strange);
        assert_true(st.start_time >= own.start_time);
        kill(pid, SIGKILL);
        wait_zombie(pid);
        assert_int_equal(process_stat(pid, &st), 0);
        assert_int_equal(st.state, 'Z');
        reap(pid);
        assert_int_equal(process_stat(pid, &st), -ESRCH);
        assert_int_equal(process_stat(0, &st), -ESRCH);
        assert_int_equal(process_stat(-5, &st), -ESRCH);
}

static void cpu_time_counts(void **state) {
        usec_t start = now_usec(CLOCK_MONOTONIC);
        struct timespec spent;
        ProcessStat st;

        do {
                assert_int_equal(process_stat(getpid(), &st), 0);
                assert_true(now_usec(CLOCK_MONOTONIC) - start < 20 * USEC_PER_SEC);
        } while (st.cpu < 100 * USEC_PER_MSEC);
        assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent), 0);
        assert_true((usec_t) spent.tv_sec * USEC_PER_SEC + (usec_t) spent.tv_nsec / 1000 + 50 * USEC_PER_MSEC > st.cpu);
}

static void io_of_ourselves(void **state) {
        uint64_t in, out;
        int r = process_io(getpid(), &in, &out);

        if (r == -ESRCH && access("/proc/self/io", F_OK) < 0) {
                assert_null(getenv("KINGLY_MUST_RUN"));
                print_message("skipped: kernel without CONFIG_TASK_IO_ACCOUNTING\n");
                skip();
        }
        assert_int_equal(r, 0);
        assert_int_equal(process_io(-1, &in, &out), -ESRCH);
}

static bool pids_contain(const pid_t *pids, size_t n, pid_t pid) {
        for (size_t i = 0; i < n; i++)
                if (pids[i] == pid)
                        return true;
        return false;
}

static void lists_of_processes(void **state) {
        _cleanup_free_ pid_t *all = NULL, *children = NULL;
        pid_t pid = start_idle(NULL);
        size_t n;
        int r;

        assert_int_equal(process_all(&all, &n), 0);
        assert_true(pids_contain(all, n, pid) && pids_contain(all, n, getpid()) && pids_contain(all, n, getppid()));
        r = process_children(getpid(), &children, &n);
        if (access("/proc/thread-self/children", F_OK) < 0) {
                assert_int_equal(r, -EOPNOTSUPP);
        } else {
                assert_int_equal(r, 0);
                assert_int_equal(n, 1);
                assert_int_equal(children[0], pid);
        }
        kill(pid, SIGKILL);
        reap(pid);
}

/* Executes sleep(1) with these arguments and environment; returns once it has (the close-on-exec pipe end closes). */
static pid_t start_program(char *const *argv, char *const *env) {
        int p[2];
        char c;
        pid_t pid;

        assert_int_equal(pipe2(p, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                execve("/bin/sleep", argv, env);
                (void) !write(p[1], "x", 1);
                _exit(1);
        }
        close(p[1]);
        assert_int_equal(read(p[0], &c, 1), 0);
        close(p[0]);
        /* The pipe goes a moment before the environment comes. */
        while (!process_formed(pid))
                sched_yield();
        return pid;
}

static void arguments_and_environment_of_others(void **state) {
        char *argv[] = { (char *) "sle\x1b[1mep", (char *) "1000", (char *) "0", NULL };
        char *env[] = { (char *) "A=1", (char *) "INVOCATION_ID=abc", (char *) "EMPTY=", NULL };
        _cleanup_free_ char *line = NULL, *cut = NULL, *cut_more = NULL, *zombie = NULL;
        pid_t pid = start_program(argv, env);

        assert_int_equal(process_environ_has(pid, "INVOCATION_ID", "abc"), 1);
        assert_int_equal(process_environ_has(pid, "INVOCATION_ID", "ab"), 0);
        assert_int_equal(process_environ_has(pid, "INVOCATION", "abc"), 0);
        assert_int_equal(process_environ_has(pid, "EMPTY", ""), 1);
        assert_int_equal(process_environ_has(pid, "B", ""), 0);
        assert_true(process_formed(pid));
        assert_int_equal(process_command_line(pid, 100, &line), 0);
        assert_string_equal(line, "sle\\x1b[1mep 1000 0");
        assert_int_equal(process_command_line(pid, 7, &cut), 0);
        assert_string_equal(cut, "sle\\x1b");
        assert_int_equal(process_command_line(pid, 6, &cut_more), 0);
        assert_string_equal(cut_more, "sle");
        kill(pid, SIGKILL);
        wait_zombie(pid);
        assert_false(process_formed(pid));
        assert_int_equal(process_command_line(pid, 100, &zombie), 0);
        assert_string_equal(zombie, "[sleep]");
        assert_true(process_environ_has(pid, "A", "1") <= 0); /* nothing or ESRCH, as the kernel likes */
        reap(pid);
        assert_int_equal(process_command_line(pid, 100, &line), -ESRCH);
        assert_int_equal(process_environ_has(pid, "A", "1"), -ESRCH);
}

static void identities(void **state) {
        _cleanup_free_ char *group = NULL;
        char id[33], again[33];
        int r = process_cgroup(getpid(), &group);

        if (r == 0)
                assert_int_equal(group[0], '/');
        else
                assert_int_equal(r, -ENODATA);
        assert_int_equal(process_cgroup(-1, &group), -ESRCH);
        assert_int_equal(boot_id(id), 0);
        assert_int_equal(boot_id(again), 0);
        assert_string_equal(id, again);
        assert_int_equal(strspn(id, "0123456789abcdef"), 32);
}

/* A grandchild whose parent dies comes to us. */
static void subreaper_adopts(void **state) {
        int p[2], own = 0;
        pid_t child, orphan;

        assert_int_equal(prctl(PR_GET_CHILD_SUBREAPER, &own), 0);
        assert_int_equal(become_subreaper(), 0);
        assert_int_equal(pipe2(p, O_CLOEXEC), 0);
        child = fork();
        if (child == 0) {
                orphan = fork();
                if (orphan == 0) {
                        alarm(DEADLINE_MSEC / 1000); /* should the test fail before it kills us */
                        for (;;)
                                pause();
                }
                (void) !write(p[1], &orphan, sizeof(orphan));
                _exit(0);
        }
        assert_int_equal(read(p[0], &orphan, sizeof(orphan)), sizeof(orphan));
        reap(child);
        kill(orphan, SIGKILL);
        reap(orphan);
        fd_close(p[0]);
        fd_close(p[1]);
        prctl(PR_SET_CHILD_SUBREAPER, own);
}

static void on_nothing(int sig) {
}

static void handled_signals(void **state) {
        assert_int_equal(process_catches(getpid(), SIGUSR2), 0);
        signal(SIGUSR2, on_nothing);
        assert_int_equal(process_catches(getpid(), SIGUSR2), 1);
        signal(SIGUSR2, SIG_IGN);
        assert_int_equal(process_catches(getpid(), SIGUSR2), 0);
        signal(SIGUSR2, SIG_DFL);
        assert_int_equal(process_catches(INT32_MAX, SIGUSR2), -ESRCH);
}

static void signals_by_name(void **state) {
        static const struct {
                const char *name;
                int sig;
        } table[] = {
                { "SIGTERM", SIGTERM },
                { "TERM", SIGTERM },
                { "term", SIGTERM },
                { "15", 15 },
                { "SIGUSR1", SIGUSR1 },
                { "WINCH", SIGWINCH },
                { "SIGCHLD", SIGCHLD },
                { "SIGIO", SIGIO },
                { "SIGPOLL", SIGPOLL },
                { "9", SIGKILL },
                { "64", 64 },
                { "SIGRTMIN", -1 },
                { "0", -EINVAL },
                { "65", -EINVAL },
                { "", -EINVAL },
                { "SIG", -EINVAL },
                { "TERMX", -EINVAL },
                { "-15", -EINVAL },
                { "SIGSIGTERM", -EINVAL },
                { "RTMIN+", -EINVAL },
                { "RTMIN+40", -EINVAL },
                { "RTMIN-1", -EINVAL },
                { "RTMAX+1", -EINVAL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                int wanted = table[i].sig == -1 ? SIGRTMIN : table[i].sig;

                if (signal_from_name(table[i].name) != wanted)
                        fail_msg("%s: %i", table[i].name, signal_from_name(table[i].name));
        }
        assert_int_equal(signal_from_name("SIGRTMIN+3"), SIGRTMIN + 3);
        assert_int_equal(signal_from_name("RTMAX-1"), SIGRTMAX - 1);
        assert_string_equal(signal_name(SIGTERM), "SIGTERM");
        assert_string_equal(signal_name(SIGRTMIN + 3), "SIGRTMIN+3");
        assert_string_equal(signal_name(0), "0");
        for (int sig = 1; sig <= SIGRTMAX; sig++)
                assert_int_equal(signal_from_name(signal_name(sig)), sig);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(clone_gives_a_child_and_a_pidfd),
                cmocka_unit_test(births_are_known_without_being_read),
                cmocka_unit_test(giving_way_is_taken_back),
                cmocka_unit_test(references_signal_and_notice_death),
                cmocka_unit_test(without_pidfd_the_start_time_decides),
                cmocka_unit_test(old_kernels_and_sandboxes),
                cmocka_unit_test(stat_survives_strange_names),
                cmocka_unit_test(cpu_time_counts),
                cmocka_unit_test(io_of_ourselves),
                cmocka_unit_test(lists_of_processes),
                cmocka_unit_test(arguments_and_environment_of_others),
                cmocka_unit_test(identities),
                cmocka_unit_test(subreaper_adopts),
                cmocka_unit_test(handled_signals),
                cmocka_unit_test(signals_by_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
