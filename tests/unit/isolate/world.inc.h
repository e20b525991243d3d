/* A world for the tests of isolation: the test process plays keeper and manager (subreaper, event loop), children are this program executed
 * again with the name of an act, so that they have an environment of their own. Everything is awaited by descriptors with a deadline. */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "isolate/isolate_internal.h"

#define DEADLINE_MSEC 30000

/* ---- what children do; argv: PROGRAM act NAME ---- */

static char self[PATH_MAX];   /* this program; by name, because valgrind does not execute /proc/self/exe */

static void say_pid(void) {
        char text[16];
        int n = snprintf(text, sizeof(text), "%d\n", (int) getpid());

        if (write(STDOUT_FILENO, text, (size_t) n) != n)
                _exit(99);
}

static void act_sleep(void) {
        alarm(60); /* nothing of this outlives a test program that is killed */
        say_pid();
        for (;;)
                pause();
}

/* Leaves a grandchild with a session of its own behind, whose parent is gone. */
static void daemonise(void) {
        pid_t pid = fork();

        if (pid == 0) {
                setsid();
                if (fork() == 0)
                        act_sleep();
                _exit(0);
        }
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

static void act_daemonise(void) {
        daemonise();
        act_sleep();
}

/* A child that stays in the session but has an empty environment. */
static void act_clear(void) {
        if (fork() == 0) {
                char *const argv[] = { self, (char *) "act", (char *) "sleep", NULL }, *const envp[] = { NULL };

                execve(argv[0], argv, envp);
                _exit(98);
        }
        act_sleep();
}

/* A child with a session of its own and one in main's group; main speaks for one that is not to be had. */
static void act_family(void) {
        pid_t pid = fork();

        if (pid < 0)
                say_pid();
        if (pid == 0) {
                setsid();
                act_sleep();
        }
        pid = fork();
        if (pid < 0)
                say_pid();
        if (pid == 0)
                act_sleep();
        act_sleep();
}

/* Always a new process: each forks its heir in a session of its own and goes. Ends by itself, should nobody catch it. */
static void act_runaway(void) {
        time_t end = time(NULL) + 20;

        say_pid();
        for (unsigned long k = 0; time(NULL) < end; k++) {
                pid_t pid = fork();

                if (pid > 0)
                        _exit(0);
                if (pid == 0)
                        setsid();
        }
        _exit(0);
}

/* Burns 80 ms of CPU and holds 32 MiB. */
static void act_busy(void) {
        size_t n = 32u << 20;
        volatile char *p = malloc(n);
        struct timespec t;

        if (!p)
                _exit(97);
        for (size_t k = 0; k < n; k += 1024)
                p[k] = 1;
        do
                clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        while (t.tv_sec == 0 && t.tv_nsec < 80 * 1000 * 1000);
        act_sleep();
        free((char *) p);
}

static const struct { const char *name; void (*act)(void); } acts[] = {
        { "sleep", act_sleep }, { "daemonise", act_daemonise }, { "clear", act_clear }, { "family", act_family },
        { "runaway", act_runaway }, { "busy", act_busy },
};

static int play(int argc, char **argv) {
        if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
                return 95;
        if (argc != 3 || !streq(argv[1], "act"))
                return -1;
        for (size_t k = 0; k < ARRAY_SIZE(acts); k++)
                if (streq(argv[2], acts[k].name))
                        acts[k].act();
        return 96;
}

/* ---- the world ---- */

typedef struct World {
        sd_event *event;
        Isolate *isolate;
        ServiceSpec *spec;
        char home_id[32];
        char *cgroup;        /* that this process was in before, NULL without cgroup v2 */
        int kind;
        unsigned n_empty;
        Cell *last_empty;
        uint64_t generation;
} World;

static void on_empty(void *userdata, Cell *cell) {
        World *w = userdata;

        w->n_empty++;
        w->last_empty = cell;
}

static int on_sigchld(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        return 0; /* the tests reap; this only turns the loop */
}

static IsolateOptions world_options(World *w) {
        return (IsolateOptions) {
                .event = w->event,
                .kind = w->kind,
                .keeper = getpid(),
                .home_id = w->home_id,
                .events = { .empty = on_empty, .userdata = w },
        };
}

static void must_run_or_skip(const char *why) {
        if (getenv("KINGLY_MUST_RUN"))
                fail_msg("would skip: %s", why);
        print_message("skipped: %s\n", why);
        skip();
}

static void world_isolate(World *w) {
        IsolateOptions o = world_options(w);
        _cleanup_error_ KlError e = {};

        if (isolate_new(&o, &w->isolate, &e) < 0)
                must_run_or_skip(e.message);
}

static void world_open(World *w, int kind) {
        sigset_t mask;

        *w = (World) { .kind = kind };
        snprintf(w->home_id, sizeof(w->home_id), "test%d", (int) getpid());
        sigemptyset(&mask);
        sigaddset(&mask, SIGCHLD);
        assert_int_equal(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
        assert_int_equal(become_subreaper(), 0);
        assert_return_code(sd_event_new(&w->event), 0);
        assert_return_code(sd_event_add_signal(w->event, NULL, SIGCHLD, on_sigchld, NULL), 0);
        assert_return_code(spec_new("shop", "web", &w->spec), 0);
        (void) process_cgroup(getpid(), &w->cgroup);
        world_isolate(w);
}

/* Ends and reaps every child, whatever a test left behind. Only children of this process, which nobody else can reap. */
static void world_reap_all(void) {
        for (unsigned pass = 0; pass < 1000; pass++) {
                _cleanup_free_ pid_t *pids = NULL;
                size_t n = 0;

                if (process_children(getpid(), &pids, &n) < 0 || n == 0)
                        return;
                for (size_t k = 0; k < n; k++) {
                        kill(pids[k], SIGKILL);
                        waitpid(pids[k], NULL, 0);
                }
        }
}

static World world;   /* of the test that runs */

/* Teardown of every test, after a failure too. */
static int world_close(void **state) {
        World *w = &world;

        world_reap_all();
        w->isolate = isolate_free(w->isolate);
        w->spec = spec_free(w->spec);
        w->event = sd_event_unref(w->event);
        free(TAKE_PTR(w->cgroup));
        return 0;
}

/* ---- children ---- */

typedef struct Child {
        PidRef ref;
        int out;           /* what it and its descendants say */
        char invocation[33];
        CellName name;
        Cell *cell;
} Child;

static pid_t read_pid(int fd) {
        char text[16] = {};

        for (size_t at = 0; at < sizeof(text) - 1; at++) {
                struct pollfd p = { .fd = fd, .events = POLLIN };

                assert_int_equal(poll(&p, 1, DEADLINE_MSEC), 1);
                assert_int_equal(read(fd, text + at, 1), 1);
                if (text[at] == '\n')
                        return atoi(text);
        }
        fail();
        return 0;
}

static void child_exec(const char *act, const char *invocation, int out) {
        char environment[64];
        char *const argv[] = { self, (char *) "act", (char *) act, NULL };
        char *const envp[] = { (char *) "PATH=/bin:/usr/bin", environment, NULL };
        sigset_t none;

        snprintf(environment, sizeof(environment), "INVOCATION_ID=%s", invocation);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
        dup2(out, STDOUT_FILENO);
        execve(argv[0], argv, envp);
        _exit(98);
}

static void child_start(Child *ch, const char *act, int cgroup_fd) {
        int pipe_fds[2];
        pid_t pid;

        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        pid = process_clone(cgroup_fd, NULL);
        if (pid == -ENOSYS) { /* under valgrind */
                pid = fork();
                if (pid == 0)
                        dprintf(openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC), "%d", (int) getpid());
        }
        if (pid < 0)
                fail_msg("clone: %s", strerror((int) -pid));
        if (pid == 0)
                child_exec(act, ch->invocation, pipe_fds[1]);
        close(pipe_fds[1]);
        ch->out = pipe_fds[0];
        assert_return_code(pidref_open(pid, 0, &ch->ref), 0);
}

/* No two are the same, on the whole machine: tests that look through all of /proc may run beside each other. */
static void new_invocation(char ret[33]) {
        static unsigned counter;

        snprintf(ret, 33, "%08x%024x", (unsigned) getpid(), ++counter);
}

/* A process that belongs to no cell. */
_unused_ static void foreign_start(Child *ch) {
        *ch = (Child) { .ref = PIDREF_NULL };
        new_invocation(ch->invocation);
        child_start(ch, "sleep", -EBADF);
}

/* A run of a service as the manager makes it. */
static void cell_start(World *w, Child *ch, const char *ns, const char *service, const char *act) {
        _cleanup_error_ KlError e = {};

        *ch = (Child) { .ref = PIDREF_NULL, .name = { .ns = ns, .service = service, .instance = 0, .generation = ++w->generation } };
        new_invocation(ch->invocation);
        assert_return_code(cell_new(w->isolate, &ch->name, w->spec, ch, &ch->cell, &e), 0);
        child_start(ch, act, cell_cgroup_fd(ch->cell));
        assert_return_code(cell_place(ch->cell, &ch->ref, ch->invocation), 0);
}

_unused_ static void main_reap(Child *ch) {
        int status;

        assert_int_equal(waitpid(ch->ref.pid, &status, 0), ch->ref.pid);
}

_unused_ static void main_end(Child *ch) {
        assert_return_code(pidref_signal(&ch->ref, SIGKILL), 0);
        main_reap(ch);
}

static void child_done(Child *ch) {
        ch->cell = cell_free(ch->cell);
        close(ch->out);
        pidref_done(&ch->ref);
}

_unused_ static PidRef ref_to(pid_t pid) {
        PidRef p = PIDREF_NULL;

        assert_return_code(pidref_open(pid, 0, &p), 0);
        return p;
}

/* Waits until the process has ended; its zombie may stay. */
_unused_ static void await_end(const PidRef *p) {
        struct pollfd poll_fd = { .fd = p->fd, .events = POLLIN };
        usec_t end = usec_add(now_usec(CLOCK_MONOTONIC), DEADLINE_MSEC * USEC_PER_MSEC);

        if (p->fd >= 0)
                assert_int_equal(poll(&poll_fd, 1, DEADLINE_MSEC), 1);
        while (p->fd < 0 && pidref_alive(p)) /* under valgrind */
                assert_true(now_usec(CLOCK_MONOTONIC) < end);
}

/* Turns the loop until `empty` has been said `n` times in all. */
_unused_ static void await_empty(World *w, unsigned n) {
        usec_t end = usec_add(now_usec(CLOCK_MONOTONIC), DEADLINE_MSEC * USEC_PER_MSEC);

        while (w->n_empty < n) {
                assert_true(now_usec(CLOCK_MONOTONIC) < end);
                assert_return_code(sd_event_run(w->event, USEC_PER_SEC), 0);
                /* Orphans that have come to us. */
                while (waitpid(-1, NULL, WNOHANG) > 0)
                        ;
        }
        assert_int_equal(w->n_empty, n);
}

/* Turns the loop while there is something to do at once. */
_unused_ static void turn(World *w) {
        for (unsigned k = 0; k < 10; k++)
                assert_return_code(sd_event_run(w->event, 0), 0);
}

_unused_ static bool pids_have(Cell *c, pid_t pid) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;

        assert_return_code(cell_pids(c, &pids, &n), 0);
        for (size_t k = 0; k < n; k++)
                if (pids[k] == pid)
                        return true;
        return false;
}

_unused_ static pid_t pids_first(Cell *c) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;

        assert_return_code(cell_pids(c, &pids, &n), 0);
        return n > 0 ? pids[0] : 0;
}
