/* The sandbox as the keeper makes it: what a command finds in its namespaces, and that what fails is told with its place. */
#include "rig.inc.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* Whether we may have namespaces at all: a machine that refuses them shows that refusals are told. */
static bool have_namespaces(void) {
        int status;
        pid_t pid = fork();

        if (pid == 0)
                _exit(unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ? 1 : 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0)
                print_message("skipped: no namespaces for us here\n");
        return status == 0;
}

static char *output_under(Rig *rig, uint32_t flags, char *const *mounts, char *script) {
        rig->mounts = mounts;
        (void) spawn_begin(rig, 1, flags);
        return output_of(rig, SHELL(script), NULL, 0);
}

static void test_mounts(void **state) {
        Rig *rig = *state;
        char hidden[160], kept[160], file[160], missing[] = "H/no/such/place";
        char *const mounts[] = { "s/", "W/dev", "W/proc", "t/tmp", kept, missing, NULL };
        char script[512];

        if (!have_namespaces())
                return;
        snprintf(file, sizeof(file), "%s/marker", rig->dir);
        assert_int_equal(write_file_at(AT_FDCWD, file, "text") < 0 ? close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) : 0, 0);
        snprintf(kept, sizeof(kept), "w%s", rig->dir); /* below /tmp: there again, and writable */
        snprintf(hidden, sizeof(hidden), "%s", rig->dir);
        snprintf(script, sizeof(script), "ls /tmp | wc -l; touch %s/marker && echo kept; touch /usr/x 2>/dev/null || echo read-only; echo x >/tmp/own && echo tmp; echo >/dev/null && echo dev",
                 hidden);
        assert_string_equal(output_under(rig, SPAWN_NEW_MOUNTS, mounts, script), "1\nkept\nread-only\ntmp\ndev\n");
}

static void test_a_mount_that_fails_is_numbered(void **state) {
        Rig *rig = *state;
        const WireFailed *p;
        char *const mounts[] = { "H/no/such/place", "h/no/such/place", NULL };

        if (!have_namespaces())
                return;
        rig->mounts = mounts;
        spawn(rig, 1, SPAWN_NEW_MOUNTS, ARGV("/bin/true"));
        (void) expect_spawned(rig, 1);
        p = rig_expect_run(rig, WIRE_FAILED, 1);
        assert_int_equal(p->stage, STAGE_MOUNTS);
        assert_int_equal(p->error, ENOENT);
        assert_int_equal(p->detail, 2);
}

static void test_network(void **state) {
        Rig *rig = *state;

        if (!have_namespaces())
                return;
        assert_string_equal(output_under(rig, SPAWN_NEW_NETWORK, NULL, "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; ip -o link show lo | grep -c LOWER_UP"), "lo\n1\n");
}

static void test_trial_executes_nothing(void **state) {
        Rig *rig = *state;
        char *const mounts[] = { "s/", "t/tmp", NULL };

        if (!have_namespaces())
                return;
        rig->mounts = mounts;
        spawn(rig, 1, SPAWN_NEW_MOUNTS | SPAWN_NEW_NETWORK | SPAWN_TRIAL, ARGV("/no/such/program"));
        (void) expect_spawned(rig, 1);
        rig_expect_run(rig, WIRE_EXECED, 1);
        assert_int_equal(expect_exited(rig, 1), 0);
}

static void test_affinity_and_scheduler(void **state) {
        Rig *rig = *state;
        WireSpawn *s = spawn_begin(rig, 1, SPAWN_SET_AFFINITY | SPAWN_SET_SCHEDULER);
        cpu_set_t set;
        pid_t pid;
        int cpu = 0;

        assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
        while (!CPU_ISSET(cpu, &set))
                cpu++;
        s->cpus[cpu / 64] = UINT64_C(1) << cpu % 64;
        s->scheduler = SCHED_BATCH;
        spawn_send(rig, ARGV("/bin/sleep", "1000"), NULL, 0);
        pid = expect_running(rig, 1);
        assert_int_equal(sched_getscheduler(pid), SCHED_BATCH);
        assert_int_equal(sched_getaffinity(pid, sizeof(set), &set), 0);
        assert_int_equal(CPU_COUNT(&set), 1);
        assert_true(CPU_ISSET(cpu, &set));
        s = spawn_begin(rig, 2, SPAWN_SET_AFFINITY); /* no processor at all */
        spawn_send(rig, ARGV("/bin/true"), NULL, 0);
        (void) expect_spawned(rig, 2);
        expect_failed(rig, 2, STAGE_AFFINITY, EINVAL);
}

/* All calls but one are allowed. */
static int filter_against(unsigned call) {
        struct sock_filter program[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        int fd = memfd_create("filter", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, program, sizeof(program)), sizeof(program));
        return fd;
}

static void test_filter(void **state) {
        Rig *rig = *state;
        int fd = filter_against(SYS_sendto), empty = memfd_create("filter", MFD_CLOEXEC);

        (void) spawn_begin(rig, 1, SPAWN_FD_FILTER | SPAWN_NO_NEW_PRIVS);
        spawn_send(rig, SHELL("grep -c '^Seccomp:.2' /proc/self/status >/dev/null || exit 3; exec true"), &fd, 1);
        (void) expect_running(rig, 1);
        assert_int_equal(expect_exited(rig, 1), 0);
        /* From within it, a failure is told all the same. */
        (void) spawn_begin(rig, 2, SPAWN_FD_FILTER | SPAWN_NO_NEW_PRIVS);
        spawn_send(rig, ARGV("/no/such/program"), &fd, 1);
        (void) expect_spawned(rig, 2);
        expect_failed(rig, 2, STAGE_EXEC, ENOENT);
        (void) spawn_begin(rig, 3, SPAWN_FD_FILTER | SPAWN_NO_NEW_PRIVS);
        spawn_send(rig, ARGV("/bin/true"), &empty, 1);
        (void) expect_spawned(rig, 3);
        expect_failed(rig, 3, STAGE_FILTER, EBADMSG);
        fd_close(fd);
        fd_close(empty);
}

static void test_ruleset_that_is_none(void **state) {
        Rig *rig = *state;
        int fd = memfd_create("no ruleset", MFD_CLOEXEC);
        const WireFailed *p;

        (void) spawn_begin(rig, 1, SPAWN_FD_RULESET | SPAWN_NO_NEW_PRIVS);
        spawn_send(rig, ARGV("/bin/true"), &fd, 1);
        (void) expect_spawned(rig, 1);
        p = rig_expect_run(rig, WIRE_FAILED, 1);
        assert_int_equal(p->stage, STAGE_RULESET);
        fd_close(fd);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                RIG_TEST(test_mounts),
                RIG_TEST(test_a_mount_that_fails_is_numbered),
                RIG_TEST(test_network),
                RIG_TEST(test_trial_executes_nothing),
                RIG_TEST(test_affinity_and_scheduler),
                RIG_TEST(test_filter),
                RIG_TEST(test_ruleset_that_is_none),
        };

        rig_main(argv);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
