/* A keeper under test: the real loop in a forked process. Its manager and its logger are this program executed again by the keeper through links of
 * their names; all they do is pass their end of the wire to the test, which plays their part, and end when told. Everything is awaited by
 * descriptors with a deadline. */
#pragma once

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "keeper/keeper.h"
#include "keeper/wire.h"
#include "linux/process.h"
#include "logger/log_wire.h"

#define DEADLINE_MSEC 30000
#define MANAGER "kingd-manager"
#define LOGGER "kingd-logger"

/* A helper that the keeper started: `wire` is its end of the pair, `leash` ends it: a byte is its exit status. */
typedef struct Proxy {
        int wire, leash;
        pid_t pid;
} Proxy;
#define PROXY_NULL ((Proxy) { .wire = -EBADF, .leash = -EBADF })

typedef struct Rig {
        char dir[64];
        int listeners[2];               /* manager, logger */
        pid_t keeper;
        Proxy manager, logger;
        SpawnBuilder builder;
        uint64_t packet[WIRE_MAX / sizeof(uint64_t)];
        size_t size;
        int fds[WIRE_FDS_MAX];
        size_t n_fds;
        char *const *mounts;            /* of the next SPAWN */
        bool silent;                    /* does not say that it lives */
        _Atomic usec_t *clock;          /* the keeper's, where a test holds it */
} Rig;

/* ---- the keeper's clock ---- */

static _Atomic usec_t *held_clock; /* in its process; NULL: the machine's */

#pragma GCC visibility push(default)
int clock_gettime(clockid_t id, struct timespec *ret) {
        usec_t now;

        if (!held_clock || id != CLOCK_MONOTONIC)
                return (int) syscall(SYS_clock_gettime, id, ret);
        now = *held_clock;
        *ret = (struct timespec) { .tv_sec = (time_t) (now / USEC_PER_SEC), .tv_nsec = (long) (now % USEC_PER_SEC * 1000) };
        return 0;
}
#pragma GCC visibility pop

/* ---- in the helpers' processes ---- */

static int proxy_main(const char *name) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), wire = WIRE_FD;
        pid_t pid = getpid();
        uint8_t status = 0;
        const char *dog = getenv("WATCHDOG_PID");

        if (dog && atoi(dog) != pid)
                return 90;
        snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s.sock", getenv("KEEPER_TEST_DIR"), name);
        if (connect(fd, (struct sockaddr *) &a, sizeof(a)) < 0 || fd_send(fd, &pid, sizeof(pid), &wire, 1) < 0)
                return 91;
        close(wire); /* the test has it now: it decides about the end of file */
        return read(fd, &status, sizeof(status)) == sizeof(status) ? status : 0;
}

/* First thing in main(): what becomes of a helper's process, and whether the tests can be run at all. */
static void rig_main(char **argv) {
        const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
        PidRef self;

        if (streq(name, MANAGER) || streq(name, LOGGER))
                _exit(proxy_main(name));
        assert_int_equal(pidref_open(getpid(), 0, &self), 0);
        if (self.fd < 0) {
                puts("skipped: no pidfds here (a kernel before 5.3, or a valgrind that does not know them)");
                exit(getenv("KINGLY_MUST_RUN") ? EXIT_FAILURE : EXIT_SUCCESS);
        }
        pidref_done(&self);
}

/* ---- waiting ---- */

static bool wait_for(int fd, short events, int msec) {
        struct pollfd p = { .fd = fd, .events = events };
        int n;

        do
                n = poll(&p, 1, msec);
        while (n < 0 && errno == EINTR);
        return n > 0;
}

static void await(int fd) {
        if (!wait_for(fd, POLLIN, DEADLINE_MSEC))
                fail_msg("nothing came within the deadline");
}

/* Reads to the end of file. */
_unused_ static char *read_all(int fd) {
        static char text[65536];
        size_t used = 0;
        ssize_t n;

        do {
                await(fd);
                n = read(fd, text + used, sizeof(text) - 1 - used);
                assert_true(n >= 0);
                used += (size_t) n;
        } while (n > 0);
        text[used] = '\0';
        return text;
}

_unused_ static void make_pipe(int ret[2]) {
        assert_int_equal(pipe2(ret, O_CLOEXEC), 0);
}

/* ---- the rig ---- */

static int rig_listen(Rig *rig, const char *name) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        char link[128], self[PATH_MAX] = "";

        snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s.sock", rig->dir, name);
        assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(listen(fd, 16), 0);
        snprintf(link, sizeof(link), "%s/%s", rig->dir, name);
        assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
        assert_int_equal(symlink(self, link), 0);
        return fd;
}

static void proxy_done(Proxy *p) {
        fd_close(p->wire);
        fd_close(p->leash);
        *p = PROXY_NULL;
}

static void proxy_accept(int listener, Proxy *ret) {
        size_t n = 1;

        await(listener);
        ret->leash = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(ret->leash >= 0);
        await(ret->leash);
        assert_int_equal(fd_recv(ret->leash, &ret->pid, sizeof(ret->pid), &ret->wire, &n), sizeof(ret->pid));
        assert_int_equal(n, 1);
        assert_int_equal(fd_nonblock(ret->wire, false), 0);
}

/* Ends the helper with this status and waits until it has: the keeper reaps it. Its wire stays with the test until then. */
_unused_ static void proxy_end(Proxy *p, uint8_t status) {
        _cleanup_pidref_ PidRef ref = PIDREF_NULL;

        assert_int_equal(pidref_open(p->pid, 0, &ref), 0);
        assert_int_equal(write(p->leash, &status, 1), 1);
        await(ref.fd);
        proxy_done(p);
}

static void rig_send(Rig *rig, const void *packet, size_t size, const int *fds, size_t n_fds) {
        assert_int_equal(fd_send(rig->manager.wire, packet, size, fds, n_fds), 0);
}

static void rig_send_run(Rig *rig, uint32_t type, uint64_t run) {
        WireRun p = { .h = { type, sizeof(p) }, .run = run };

        rig_send(rig, &p, sizeof(p), NULL, 0);
}

static void rig_send_header(Rig *rig, uint32_t type) {
        WireHeader p = { type, sizeof(p) };

        rig_send(rig, &p, sizeof(p), NULL, 0);
}

_unused_ static void rig_send_signal(Rig *rig, uint64_t run, int sig, uint32_t target) {
        WireSignal p = { .h = { WIRE_SIGNAL, sizeof(p) }, .run = run, .signal = sig, .target = target };

        rig_send(rig, &p, sizeof(p), NULL, 0);
}

static bool rig_receive(Rig *rig) {
        ssize_t n;

        for (size_t i = 0; i < rig->n_fds; i++)
                fd_close(rig->fds[i]);
        rig->n_fds = ARRAY_SIZE(rig->fds);
        await(rig->manager.wire);
        n = fd_recv(rig->manager.wire, rig->packet, sizeof(rig->packet), rig->fds, &rig->n_fds);
        assert_true(n >= 0);
        rig->size = (size_t) n;
        if (n > 0)
                assert_int_equal(wire_check(rig->packet, rig->size, rig->n_fds), 0);
        return n > 0;
}

/* The next packet, whatever it is; false at the end of file. Who is asked whether he lives, for something took long, says so. */
static bool rig_next(Rig *rig) {
        const WireHeader *h = (const void *) rig->packet;
        bool more;

        while ((more = rig_receive(rig)) && h->type == WIRE_PING && !rig->silent)
                rig_send_header(rig, WIRE_PONG);
        return more;
}

static const void *rig_expect(Rig *rig, uint32_t type) {
        const WireHeader *h = (const void *) rig->packet;

        assert_true(rig_next(rig));
        if (h->type != type)
                fail_msg("expected %s, got %s", wire_type_name(type), wire_type_name(h->type));
        return h;
}

/* … about this run. */
static const void *rig_expect_run(Rig *rig, uint32_t type, uint64_t run) {
        const WireRun *p = rig_expect(rig, type);

        assert_int_equal(p->run, run);
        return p;
}

/* Takes up the manager that the keeper has started and greets. */
static void rig_meet(Rig *rig, uint32_t starts) {
        WireHello hello = { .h = { WIRE_HELLO, sizeof(hello) }, .version = WIRE_VERSION };
        const WireHello *answer;

        proxy_accept(rig->listeners[0], &rig->manager);
        rig_send(rig, &hello, sizeof(hello), NULL, 0);
        answer = rig_expect(rig, WIRE_HELLO);
        assert_int_equal(answer->version, WIRE_VERSION);
        assert_int_equal(answer->keeper_pid, rig->keeper);
        assert_int_equal(answer->is_init, 0);
        assert_int_equal(answer->manager_starts, starts);
}

/* Everything that was sent before has been handled, every exit before it reaped. Nothing may be in the table. */
_unused_ static void rig_expect_empty(Rig *rig) {
        rig_send_header(rig, WIRE_LIST);
        rig_expect(rig, WIRE_LIST_END);
}

typedef struct RigOptions {
        const char *manager, *logger;   /* instead of the proxies */
        void (*before)(void);           /* in the keeper's process */
        void (*ready)(int status);      /* likewise */
} RigOptions;

static void rig_start(Rig *rig, const RigOptions *o) {
        char manager[128], logger[128];
        char *argv[] = { "kingd", "--config", "x.yaml", NULL };
        KeeperOptions options = { .argv = argv, .manager = manager, .logger = logger };

        snprintf(manager, sizeof(manager), "%s/%s", rig->dir, MANAGER);
        snprintf(logger, sizeof(logger), "%s/%s", rig->dir, LOGGER);
        if (o && o->manager)
                options.manager = o->manager;
        if (o && o->logger)
                options.logger = o->logger;
        fflush(NULL); /* exit() there must not write what is buffered here */
        rig->keeper = fork();
        assert_true(rig->keeper >= 0);
        if (rig->keeper == 0) {
                held_clock = rig->clock;
                log_open("kingd", getenv("KEEPER_TEST_VERBOSE") ? LOG_DEBUG : LOG_EMERG);
                if (o && o->before)
                        o->before();
                options.ready = o ? o->ready : NULL;
                exit(keeper_run(&options)); /* with the sanitizer's look for leaks */
        }
}

static int rig_setup_bare(void **state) {
        Rig *rig = calloc(1, sizeof(Rig));

        if (!rig)
                return -1;
        rig->manager = rig->logger = PROXY_NULL;
        strcpy(rig->dir, "/tmp/kingly-keeper-XXXXXX");
        /* What a failed test leaves behind comes to us. */
        if (!mkdtemp(rig->dir) || chmod(rig->dir, 0755) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return -1;
        setenv("KEEPER_TEST_DIR", rig->dir, true);
        rig->listeners[0] = rig_listen(rig, MANAGER);
        rig->listeners[1] = rig_listen(rig, LOGGER);
        *state = rig;
        return 0;
}

_unused_ static int rig_setup(void **state) {
        if (rig_setup_bare(state) < 0)
                return -1;
        rig_start(*state, NULL);
        rig_meet(*state, 1);
        return 0;
}

/* From here on time goes by for the keeper only as the test says, however long anybody stands still. Before it starts. */
_unused_ static void rig_hold_clock(Rig *rig) {
        rig->clock = mmap(NULL, sizeof(*rig->clock), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(rig->clock, MAP_FAILED);
        *rig->clock = now_usec(CLOCK_MONOTONIC);
}

/* So much, and it looks at the clock: what it is sent needs no answer. */
_unused_ static void rig_pass(Rig *rig, usec_t span) {
        WireRun nothing = { .h = { WIRE_ACK, sizeof(nothing) } };

        *rig->clock += span;
        (void) fd_send(rig->manager.wire, &nothing, sizeof(nothing), NULL, 0);
}

/* As much as it takes. */
_unused_ static void rig_pass_until(Rig *rig, int fd) {
        for (int left = DEADLINE_MSEC; !wait_for(fd, POLLIN, 5); left -= 5) {
                assert_true(left > 0);
                rig_pass(rig, USEC_PER_SEC / 10);
        }
}

/* Waits for the keeper's end. */
_unused_ static int rig_status(Rig *rig) {
        _cleanup_pidref_ PidRef ref = PIDREF_NULL;
        int status;

        assert_int_equal(pidref_open(rig->keeper, 0, &ref), 0);
        await(ref.fd);
        assert_int_equal(waitpid(rig->keeper, &status, 0), rig->keeper);
        rig->keeper = 0;
        return status;
}

_unused_ static void rig_shutdown(Rig *rig, int status) {
        WireShutdown p = { .h = { WIRE_SHUTDOWN, sizeof(p) }, .status = status };

        rig_send(rig, &p, sizeof(p), NULL, 0);
}

/* Kills every process below us, generation after generation. */
static void reap_all(void) {
        pid_t *pids = NULL;
        size_t n = 0;

        while (process_children(getpid(), &pids, &n) >= 0 && n > 0) {
                for (size_t i = 0; i < n; i++)
                        (void) kill(pids[i], SIGKILL);
                for (size_t i = 0; i < n; i++)
                        (void) waitpid(pids[i], NULL, 0);
                free(pids);
                pids = NULL;
        }
        free(pids);
}

static int rig_teardown(void **state) {
        static const char *const files[] = { MANAGER, LOGGER, MANAGER ".sock", LOGGER ".sock", "marker" };
        Rig *rig = *state;

        proxy_done(&rig->manager);
        proxy_done(&rig->logger);
        reap_all();
        for (size_t i = 0; i < rig->n_fds; i++)
                fd_close(rig->fds[i]);
        fd_close(rig->listeners[0]);
        fd_close(rig->listeners[1]);
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                char path[128];

                snprintf(path, sizeof(path), "%s/%s", rig->dir, files[i]);
                (void) unlink(path);
        }
        (void) rmdir(rig->dir);
        spawn_builder_done(&rig->builder);
        if (rig->clock)
                (void) munmap(rig->clock, sizeof(*rig->clock));
        free(rig);
        return 0;
}

/* ---- spawning ---- */

/* Starts a SPAWN in rig->builder; the caller may fill fields before spawn_send(). */
static WireSpawn *spawn_begin(Rig *rig, uint64_t run, uint32_t flags) {
        static const uint8_t invocation[16] = "invocation-of-us";

        assert_int_equal(spawn_builder_init(&rig->builder, run, invocation), 0);
        rig->builder.packet->flags = flags;
        return rig->builder.packet;
}

static void spawn_send_in(Rig *rig, const char *cwd, char *const *argv, char *const *env, const int *fds, size_t n_fds) {
        const WireSpawn *s;
        size_t size;

        spawn_builder_strings(&rig->builder, argv[0], cwd, "test", rig->mounts, argv, env);
        rig->mounts = NULL;
        if (rig->builder.packet->flags & SPAWN_LOG_PIPES) {
                LogOpen log = { .version = LOG_WIRE_VERSION, .run = rig->builder.packet->run, .path = "/nowhere.log" };

                spawn_builder_log(&rig->builder, &log, sizeof(log));
        }
        assert_int_equal(spawn_builder_finish(&rig->builder, &s, &size), 0);
        rig_send(rig, s, size, fds, n_fds);
}

static void spawn_send(Rig *rig, char *const *argv, const int *fds, size_t n_fds) {
        char *env[] = { "PATH=/usr/bin:/bin", NULL };

        spawn_send_in(rig, "/", argv, env, fds, n_fds);
}

_unused_ static void spawn(Rig *rig, uint64_t run, uint32_t flags, char *const *argv) {
        (void) spawn_begin(rig, run, flags);
        spawn_send(rig, argv, NULL, 0);
}

#define ARGV(...) ((char *[]) { __VA_ARGS__, NULL })
#define SHELL(script) ARGV("/bin/sh", "-c", script)

/* SPAWNED → pid. */
static pid_t expect_spawned(Rig *rig, uint64_t run) {
        const WireSpawned *p = rig_expect_run(rig, WIRE_SPAWNED, run);

        assert_true(p->pid > 1);
        return p->pid;
}

_unused_ static pid_t expect_running(Rig *rig, uint64_t run) {
        pid_t pid = expect_spawned(rig, run);

        rig_expect_run(rig, WIRE_EXECED, run);
        return pid;
}

_unused_ static void expect_failed(Rig *rig, uint64_t run, SpawnStage stage, int error) {
        const WireFailed *p = rig_expect_run(rig, WIRE_FAILED, run);

        assert_string_equal(wire_stage_name((SpawnStage) p->stage), wire_stage_name(stage));
        assert_int_equal(p->error, error);
}

/* EXITED, acknowledged → status. */
_unused_ static int expect_exited(Rig *rig, uint64_t run) {
        const WireExited *p = rig_expect_run(rig, WIRE_EXITED, run);
        int status = p->status;

        rig_send_run(rig, WIRE_ACK, run);
        return status;
}

/* Runs a command that was begun to its end and returns what it wrote; it must succeed. */
_unused_ static char *output_of(Rig *rig, char *const *argv, const int *fds, size_t n_fds) {
        uint64_t run = rig->builder.packet->run;
        int all[WIRE_FDS_MAX], out[2];
        char *text;

        make_pipe(out);
        rig->builder.packet->flags |= SPAWN_FD_STDOUT;
        all[0] = out[1];
        for (size_t i = 0; i < n_fds; i++)
                all[i + 1] = fds[i];
        spawn_send(rig, argv, all, n_fds + 1);
        fd_close(out[1]);
        text = read_all(out[0]);
        fd_close(out[0]);
        (void) expect_running(rig, run);
        assert_int_equal(expect_exited(rig, run), 0);
        return text;
}
