/* From the keys to what the kernel gets: the order of mounts, and programs of seccomp(2), which children of ours try out. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/strv.h"
#include "model/syscalls.h"
#include "sandbox/sandbox.h"

#include "../short_memory.inc.h"
#include "../verdict.inc.h"

static ServiceSpec *spec;

static int begin(void **state) {
        return spec_new("default", "web", &spec);
}

static int end(void **state) {
        spec = spec_free(spec);
        return 0;
}

static void set(char ***list, const char *item) {
        assert_int_equal(strv_append(list, item), 0);
}

static void expect_mounts(const char *keep, const char *expected) {
        _cleanup_strv_ char **l = NULL;
        _cleanup_free_ char *text = NULL;

        assert_int_equal(sandbox_mounts(spec, keep, NULL, &l), 0);
        text = strv_join(l, " ");
        assert_string_equal(text, expected);
}

static void test_nothing_is_asked_for(void **state) {
        set(&spec->sandbox.writable, "/srv");
        assert_false(sandbox_wants_mounts(spec));
        assert_false(sandbox_wants_network(spec));
        assert_false(sandbox_wants_filter(spec));
        assert_null(sandbox_namespace_key(spec));
}

static void test_parents_come_first(void **state) {
        set(&spec->sandbox.hidden, "/srv/data/secret");
        set(&spec->sandbox.hidden, "-/home");
        set(&spec->sandbox.writable, "/srv/data");
        set(&spec->sandbox.writable, "/home/me");
        set(&spec->sandbox.read_only, "/srv");
        expect_mounts(NULL, "H/home w/home/me r/srv w/srv/data h/srv/data/secret");
        spec->sandbox.system = SANDBOX_SYSTEM_READ_ONLY;
        spec->sandbox.private_tmp = spec->sandbox.private_devices = true;
        expect_mounts("/run/kingly/notify", "s/ d/dev H/home w/home/me W/proc W/run/kingly/notify r/srv w/srv/data h/srv/data/secret W/sys t/tmp T/var/tmp");
        set(&spec->sandbox.hidden, "/proc");
        expect_mounts("/proc", "s/ d/dev H/home w/home/me h/proc r/srv w/srv/data h/srv/data/secret W/sys t/tmp T/var/tmp");
}

static void test_what_was_promised_stays(void **state) {
        _cleanup_strv_ char **l = NULL;
        _cleanup_free_ char *text = NULL;

        set(&spec->sandbox.hidden, "/run");
        assert_int_equal(sandbox_mounts(spec, "/run/kingly/notify", "/run/kingly/credentials/web", &l), 0);
        text = strv_join(l, " ");
        assert_string_equal(text, "h/run R/run/kingly/credentials/web W/run/kingly/notify");
}

static void test_what_only_namespaces_can_do_is_named_first(void **state) {
        spec->sandbox.system = SANDBOX_SYSTEM_READ_ONLY;
        assert_string_equal(sandbox_namespace_key(spec), "sandbox.system");
        spec->sandbox.network = SANDBOX_NETWORK_NONE;
        assert_string_equal(sandbox_namespace_key(spec), "sandbox.network");
        spec->sandbox.private_tmp = true;
        assert_string_equal(sandbox_namespace_key(spec), "sandbox.private_tmp");
        assert_string_equal(sandbox_mount_key("W/run"), "sandbox.writable");
        assert_string_equal(sandbox_mount_key("s/"), "sandbox.system");
}

/* ---- filters ---- */

static void enforce(int fd) {
        static struct sock_filter program[BPF_MAXINSNS];
        ssize_t n = pread(fd, program, sizeof program, 0);
        struct sock_fprog p = { .len = (unsigned short) ((size_t) n / sizeof program[0]), .filter = program };

        if (n <= 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) < 0)
                _exit(100);
}

static int try_personality(void) { return (int) syscall(SYS_personality, 0xffffffff); }
static int try_read(void) { return (int) read(-1, NULL, 0); }
static int try_write(void) { return (int) write(-1, NULL, 0); }
static int try_mount(void) { return mount(NULL, NULL, NULL, 0, NULL); }

/* What errno the call of a child under the filter has: 0 where it succeeded, 200 + the signal that ended it. */
static int errno_of(int (*call)(void)) {
        KlError e = {};
        _cleanup_fd_ int fd = sandbox_filter(spec, &e);
        int status;
        pid_t pid;

        assert_true(fd >= 0);
        pid = fork();
        if (pid == 0) {
                enforce(fd);
                /* Not _exit(3), before which a sanitizer makes system calls of its own. */
                (void) syscall(SYS_exit_group, call() < 0 ? errno : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status) ? 200 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_only_what_is_named(void **state) {
        set(&spec->sandbox.syscalls, "@basic-io");
        assert_int_equal(errno_of(try_read), EBADF);
        assert_int_equal(errno_of(try_personality), EPERM);
        set(&spec->sandbox.syscalls, "@system-service");
        assert_int_equal(errno_of(try_personality), 0);
        assert_int_equal(errno_of(try_mount), EPERM);
        set(&spec->sandbox.syscalls_denied, "personality");
        assert_int_equal(errno_of(try_personality), EPERM);
        set(&spec->sandbox.syscalls_denied, "@basic-io");
        assert_int_equal(errno_of(try_read), EPERM);
        assert_int_equal(errno_of(try_write), EBADF); /* by which the set-up tells of its failures */
}

static void test_all_but_what_is_named(void **state) {
        set(&spec->sandbox.syscalls_denied, "@basic-io");
        assert_int_equal(errno_of(try_read), EPERM);
        assert_int_equal(errno_of(try_write), EBADF);
        assert_int_equal(errno_of(try_personality), 0);
        spec->sandbox.syscall_action = SYSCALL_ACTION_KILL;
        assert_int_equal(errno_of(try_read), 200 + SIGSYS);
}

/* Each member of a group is a group, or a call of some architecture; or one that this libseccomp is too old for. */
static void test_groups(void **state) {
        unsigned n = 0, unknown = 0;

        for (const SyscallGroup *g = NULL; (g = syscall_group_next(g));) {
                _cleanup_strv_ char **members = NULL;

                assert_int_equal(g->name[0], '@');
                assert_ptr_equal(syscall_group_find(g->name), g);
                assert_int_equal(strv_split_command(g->members, &members), 0);
                STRV_FOREACH(m, members) {
                        n++;
                        if (**m == '@')
                                assert_non_null(syscall_group_find(*m));
                        unknown += !syscall_known(*m);
                }
        }
        assert_in_range(n, 450, 600);
        assert_in_range(unknown, 0, 40);
        assert_string_equal(syscall_nearest("@system-servce"), "@system-service");
        assert_false(syscall_known("@nothing"));
        assert_false(syscall_known("open_sesame"));
}

static void test_every_group_compiles(void **state) {
        for (const SyscallGroup *g = NULL; (g = syscall_group_next(g));) {
                _cleanup_fd_ int fd = -EBADF;
                struct stat st;

                set(&spec->sandbox.syscalls, g->name);
                fd = sandbox_filter(spec, NULL);
                assert_true(fd >= 0);
                assert_int_equal(fstat(fd, &st), 0);
                assert_in_range(st.st_size, 1, BPF_MAXINSNS * sizeof(struct sock_filter));
        }
}

static bool named(const char *const *names, const char *name) {
        for (; *names; names++) {
                const SyscallGroup *g = **names == '@' ? syscall_group_find(*names) : NULL;
                _cleanup_strv_ char **members = NULL;

                if (streq(*names, name))
                        return true;
                if (!g)
                        continue;
                assert_int_equal(strv_split_command(g->members, &members), 0);
                if (named((const char *const *) members, name))
                        return true;
        }
        return false;
}

/* That each number there is gets what its name says. */
static void expect_verdicts(const char *const *listed, const char *const *except, uint32_t yes, uint32_t no, uint32_t denied) {
        _cleanup_fd_ int fd = sandbox_filter(spec, NULL);
        struct sock_filter program[BPF_MAXINSNS];
        uint32_t arch = seccomp_arch_native();
        unsigned known = 0;

        assert_in_range(pread(fd, program, sizeof program, 0), sizeof program[0], sizeof program);
        for (uint32_t n = 0; n < 2000; n++) {
                _cleanup_free_ char *name = seccomp_syscall_resolve_num_arch(arch, (int) n);
                bool is = name && named(listed, name) && !named(except, name);

                known += name != NULL;
                if (verdict(program, arch, n) != (is ? yes : no))
                        fail_msg("%s: %#x", name ?: "a number without a name", verdict(program, arch, n));
        }
        assert_in_range(known, 200, 640);
        assert_int_equal(verdict(program, arch ^ 1, 0), denied);
        assert_int_equal(verdict(program, arch, UINT32_MAX), no);
        if (arch != SCMP_ARCH_X86_64)
                return;
        assert_int_equal(verdict(program, arch, 0x40000000), denied);
        assert_int_equal(verdict(program, arch, UINT32_MAX - 1), denied);
}

static void test_every_call(void **state) {
        static const char *const allowed[] = { "@system-service", "@default", "write", NULL }, *const denied[] = { "@privileged", "@mount", NULL },
                                 *const needed[] = { "write", "execve", "exit_group", NULL }, *const none[] = { NULL };
        const uint32_t refuse = SECCOMP_RET_ERRNO | EPERM, kill = SECCOMP_RET_KILL_PROCESS;

        set(&spec->sandbox.syscalls_denied, "@privileged");
        set(&spec->sandbox.syscalls_denied, "@mount");
        expect_verdicts(denied, needed, refuse, SECCOMP_RET_ALLOW, refuse);
        spec->sandbox.syscall_action = SYSCALL_ACTION_KILL;
        expect_verdicts(denied, needed, kill, SECCOMP_RET_ALLOW, kill);
        set(&spec->sandbox.syscalls, "@system-service");
        expect_verdicts(allowed, denied, SECCOMP_RET_ALLOW, kill, kill);
        strv_free(spec->sandbox.syscalls_denied);
        spec->sandbox.syscalls_denied = NULL;
        expect_verdicts(allowed, none, SECCOMP_RET_ALLOW, kill, kill);
}

#ifdef SHORT_MEMORY
static bool short_now;

static bool memory_is_short(void) {
        return short_now;
}

/* The same program as ever, for which nothing is allocated. */
static void test_no_memory(void **state) {
        struct sock_filter usual[BPF_MAXINSNS], program[BPF_MAXINSNS];
        int fd;

        set(&spec->sandbox.syscalls, "@system-service");
        set(&spec->sandbox.syscalls_denied, "@mount");
        for (unsigned i = 0; i < 2; i++) {
                short_now = i == 1;
                fd = sandbox_filter(spec, NULL);
                short_now = false;
                assert_true(fd >= 0);
                assert_in_range(pread(fd, i ? program : usual, sizeof program, 0), sizeof program[0], sizeof program);
                fd_close(fd);
        }
        for (unsigned n = 0; n < 2000; n++)
                assert_int_equal(verdict(program, seccomp_arch_native(), n), verdict(usual, seccomp_arch_native(), n));
}
#endif

/* ---- Landlock ---- */

static int try_passwd(void) { return open("/etc/passwd", O_RDWR | O_CLOEXEC); }
static int try_shm(void) { return open("/dev/shm", O_TMPFILE | O_RDWR, 0600); }
static int try_directory(void) { return mkdir("/tmp/kingly-landlock", 0700); }

static int under_ruleset(int (*call)(void)) {
        _cleanup_fd_ int fd = sandbox_ruleset(spec, NULL);
        int status;
        pid_t pid;

        assert_true(fd >= 0);
        pid = fork();
        if (pid == 0) {
                if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
                        _exit(100);
                _exit(call() < 0 ? errno : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WEXITSTATUS(status);
}

static void test_landlock(void **state) {
        KlError e = {};

        if (sandbox_landlock_version() < 0) {
                assert_true(sandbox_ruleset(spec, &e) < 0);
                kl_error_done(&e);
                return;
        }
        assert_int_equal(under_ruleset(try_passwd), EACCES);
        assert_int_equal(under_ruleset(try_shm), 0);
        assert_int_equal(under_ruleset(try_directory), EACCES);
        set(&spec->sandbox.writable, "/tmp");
        set(&spec->sandbox.writable, "-/no/such/place");
        assert_int_equal(under_ruleset(try_directory), 0);
        assert_int_equal(rmdir("/tmp/kingly-landlock"), 0);
        set(&spec->sandbox.writable, "/no/such/place");
        assert_int_equal(sandbox_ruleset(spec, &e), -ENOENT);
        assert_non_null(strstr(e.message, "sandbox.writable: /no/such/place: "));
        kl_error_done(&e);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_nothing_is_asked_for), T(test_parents_come_first), T(test_what_was_promised_stays), T(test_what_only_namespaces_can_do_is_named_first), T(test_only_what_is_named),
                T(test_all_but_what_is_named), T(test_groups), T(test_every_group_compiles), T(test_every_call), T(test_landlock),
#ifdef SHORT_MEMORY
                T(test_no_memory),
#endif
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
