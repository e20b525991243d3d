/* cgroup.c and cgroup_stat.c: in a group of our own, made for each test and gone after it. The readers also run on plain files, where each
 * content can be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/text.h"
#include "linux/cgroup.h"
#include "linux/process.h"

#define DEADLINE_MSEC 20000


static int make_group(void **state) {
        _cleanup_free_ char *mount = NULL, *dir = NULL;

        *state = NULL;
        if (cgroup_mount(&mount) >= 0)
                dir = text_printf("%s/kingly-test-%i", mount, getpid());
        if (dir && cgroup_make(dir) >= 0)
                *state = TAKE_PTR(dir);
        return 0;
}

/* The kernel tells of an emptied group a moment after its last process was reaped: wait for that change, with a deadline. */
static void wait_empty(const char *dir) {
        _cleanup_free_ char *path = path_join(dir, "cgroup.events");
        _cleanup_fd_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char buf[1024];

        if (inotify_add_watch(fd, path, IN_MODIFY) < 0)
                assert_int_equal(errno, ENOENT);
        while (cgroup_populated(dir) > 0) {
                assert_int_equal(poll(&p, 1, DEADLINE_MSEC), 1);
                assert_true(read(fd, buf, sizeof(buf)) > 0);
        }
        assert_int_equal(cgroup_populated(dir), 0);
}

static int remove_group(void **state) {
        int r = *state ? cgroup_kill(*state) : 0;

        if (*state && r >= 0) { /* after a test that failed there may be somebody left */
                wait_empty(*state);
                r = cgroup_remove(*state);
        }
        free(*state);
        return r;
}

static const char *group_or_skip(void **state) {
        if (!*state) {
                assert_null(getenv("KINGLY_MUST_RUN"));
                print_message("skipped: no cgroup v2 tree that we may write\n");
                skip();
        }
        return *state;
}

/* Asked before a test owns anything: a skip jumps over its clean-up. */
static const char *clonable_group_or_skip(void **state) {
        const char *dir = group_or_skip(state);
        pid_t pid = process_clone(INT_MAX, NULL);

        if (pid == -ENOSYS) {
                assert_null(getenv("KINGLY_MUST_RUN"));
                print_message("skipped: no clone3 here (valgrind)\n");
                skip();
        }
        assert_int_equal(pid, -EBADF); /* there is no such descriptor */
        return dir;
}

/* A process born in that group, which waits to be killed. */
static pid_t start_in(const char *dir) {
        int fd = cgroup_open(dir);
        pid_t pid;

        assert_true(fd >= 0);
        pid = process_clone(fd, NULL);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        pause();
        }
        fd_close(fd);
        assert_true(pid > 0);
        return pid;
}

static void reap_killed(pid_t pid) {
        int status;

        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void born_inside_and_killed(void **state) {
        const char *dir = clonable_group_or_skip(state);
        _cleanup_free_ char *below = path_join(dir, "below"), *deep = path_join(dir, "below/deep"), *seen = NULL;
        _cleanup_free_ pid_t *pids = NULL;
        pid_t a, b, attached;
        size_t n;

        assert_int_equal(cgroup_make(below), 0);
        assert_int_equal(cgroup_make(below), -EEXIST);
        assert_int_equal(cgroup_make(deep), 0);
        assert_int_equal(cgroup_populated(dir), 0);
        a = start_in(dir);
        b = start_in(deep);
        assert_int_equal(process_cgroup(b, &seen), 0);
        assert_non_null(strstr(deep, seen));
        assert_non_null(strstr(seen, "/below/deep"));
        attached = process_clone(-1, NULL);
        if (attached == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        pause();
        }
        assert_int_equal(cgroup_attach(below, attached), 0);
        assert_int_equal(cgroup_populated(dir), 1);
        assert_int_equal(cgroup_procs(dir, &pids, &n), 0);
        assert_int_equal(n, 3);
        for (size_t i = 0; i < n; i++)
                assert_true(pids[i] == a || pids[i] == b || pids[i] == attached);

        assert_int_equal(cgroup_remove(dir), -EBUSY);
        assert_int_equal(cgroup_kill(dir), 0);
        reap_killed(a);
        reap_killed(b);
        reap_killed(attached);
        wait_empty(dir);
        assert_int_equal(cgroup_remove(dir), 0);
        assert_int_equal(access(dir, F_OK), -1);
        assert_int_equal(cgroup_remove(dir), 0);
        assert_int_equal(cgroup_kill(dir), 0);
        assert_int_equal(cgroup_populated(dir), 0);
        assert_int_equal(cgroup_procs(dir, &pids, &n), -ENOENT);
        assert_int_equal(cgroup_open(dir), -ENOENT);
}

/* As a user whom cgroup.kill is closed to, as on kernels before 5.14: each process by itself, and whatever they fork meanwhile. */
static int kill_by_hand(const char *dir) {
        if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
                return 77;
        if (cgroup_write(dir, "cgroup.kill", "1") != -EACCES)
                return 1;
        return cgroup_kill(dir) < 0 ? 2 : 0;
}

static void killed_without_the_kill_file(void **state) {
        const char *dir = group_or_skip(state);
        _cleanup_free_ char *below = NULL;
        pid_t victims[20], killer;
        int status, hold[2];
        char c;

        if (geteuid() != 0) {
                assert_null(getenv("KINGLY_MUST_RUN"));
                print_message("skipped: only root can become a user who may not write cgroup.kill\n");
                skip();
        }
        below = path_join(dir, "below");
        assert_int_equal(cgroup_make(below), 0);
        assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
        for (size_t i = 0; i < ARRAY_SIZE(victims); i++) {
                victims[i] = process_clone(-1, NULL);
                if (victims[i] == 0) {
                        if (cgroup_attach(below, getpid()) < 0)
                                _exit(1);
                        (void) !setresuid(65534, 65534, 65534);
                        (void) !fork(); /* one more in the group, whom nobody here knows */
                        (void) !write(hold[1], "x", 1);
                        for (;;)
                                pause();
                }
        }
        fd_close(hold[1]);
        for (size_t i = 0; i < 2 * ARRAY_SIZE(victims); i++)
                assert_int_equal(read(hold[0], &c, 1), 1);
        killer = fork();
        if (killer == 0)
                _exit(kill_by_hand(dir));
        assert_int_equal(waitpid(killer, &status, 0), killer);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        for (size_t i = 0; i < ARRAY_SIZE(victims); i++)
                reap_killed(victims[i]);
        wait_empty(dir);
        assert_int_equal(read(hold[0], &c, 1), 0); /* nobody holds the other end any more */
        fd_close(hold[0]);
}

static void controllers_of_this_machine(void **state) {
        const char *dir = group_or_skip(state);
        int available = cgroup_controllers(dir, "cgroup.controllers");
        uint64_t v;

        assert_true(available >= 0);
        assert_int_equal(cgroup_controllers(dir, "absent"), -ENOENT);
        assert_int_equal(cgroup_enable(dir, CGROUP_CPU | CGROUP_MEMORY | CGROUP_IO | CGROUP_PIDS) & ~available, 0);
        assert_int_equal(cgroup_read_u64(dir, "cgroup.max.depth", &v), 0);
        assert_int_equal(v, UINT64_MAX); /* "max" */
        assert_int_equal(cgroup_write(dir, "cgroup.max.depth", "3"), 0);
        assert_int_equal(cgroup_read_u64(dir, "cgroup.max.depth", &v), 0);
        assert_int_equal(v, 3);
        assert_int_equal(cgroup_write(dir, "cgroup.max.depth", "nonsense"), -EINVAL);
        assert_int_equal(cgroup_read_u64(dir, "memory.nothing", &v), -ENOENT);
        assert_int_equal(cgroup_read_key(dir, "cgroup.stat", "nr_descendants", &v), 0);
        assert_int_equal(v, 0);
        if (access("/proc/pressure/cpu", R_OK) == 0) {
                uint32_t psi;

                assert_int_equal(psi_some_avg10("/proc/pressure", "cpu", &psi), 0);
                assert_true(psi <= 10000);
        }
}

static void write_plain(const char *name, const char *text) {
        assert_int_equal(write_file_atomic(name, text, strlen(text), 0600), 0);
}

static void readers_on_plain_files(void **state) {
        char dir[] = "/tmp/kingly-test-cgroup.XXXXXX";
        uint64_t v, out;
        uint32_t psi;

        assert_non_null(mkdtemp(dir));
        assert_int_equal(chdir(dir), 0);
        write_plain("events", "populated 1\nfrozen 0\nlow 5\nlower 7");
        assert_int_equal(cgroup_read_key(".", "events", "populated", &v), 0);
        assert_int_equal(v, 1);
        assert_int_equal(cgroup_read_key(".", "events", "lower", &v), 0);
        assert_int_equal(v, 7);
        assert_int_equal(cgroup_read_key(".", "events", "low", &v), 0);
        assert_int_equal(v, 5);
        assert_int_equal(cgroup_read_key(".", "events", "rozen", &v), -ENODATA);
        assert_int_equal(cgroup_read_key(".", "events", "lo", &v), -ENODATA);
        write_plain("u64", "18446744073709551614\n");
        assert_int_equal(cgroup_read_u64(".", "u64", &v), 0);
        assert_int_equal(v, UINT64_MAX - 1);
        write_plain("u64", "");
        assert_int_equal(cgroup_read_u64(".", "u64", &v), -EIO);

        write_plain("io.stat", "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n8:0 \n"
                               "253:0 rbytes=1000 wbytes=2000 rios=2 wios=2 dbytes=50000 dios=0\n");
        assert_int_equal(cgroup_read_io(".", &v, &out), 0);
        assert_int_equal(v, 1460200);
        assert_int_equal(out, 314775504);

        write_plain("cpu.pressure", "some avg10=12.34 avg60=0.00 avg300=0.00 total=42\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
        assert_int_equal(psi_some_avg10(".", "cpu.pressure", &psi), 0);
        assert_int_equal(psi, 1234);
        write_plain("cpu.pressure", "some avg10=100.00 avg60=0.00");
        assert_int_equal(psi_some_avg10(".", "cpu.pressure", &psi), 0);
        assert_int_equal(psi, 10000);
        write_plain("cpu.pressure", "some avg10=1");
        assert_int_equal(psi_some_avg10(".", "cpu.pressure", &psi), -EIO);
        assert_int_equal(psi_some_avg10(".", "io.pressure", &psi), -ENOENT);

        write_plain("cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n");
        assert_int_equal(cgroup_controllers(".", "cgroup.controllers"),
                         CGROUP_CPU | CGROUP_MEMORY | CGROUP_IO | CGROUP_PIDS | CGROUP_CPUSET);
        write_plain("cgroup.controllers", "\n");
        assert_int_equal(cgroup_controllers(".", "cgroup.controllers"), 0);
        assert_int_equal(unlink("events") | unlink("u64") | unlink("io.stat") | unlink("cpu.pressure") | unlink("cgroup.controllers"), 0);
        assert_int_equal(chdir("/") | rmdir(dir), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(born_inside_and_killed, make_group, remove_group),
                cmocka_unit_test_setup_teardown(killed_without_the_kill_file, make_group, remove_group),
                cmocka_unit_test_setup_teardown(controllers_of_this_machine, make_group, remove_group),
                cmocka_unit_test(readers_on_plain_files),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
