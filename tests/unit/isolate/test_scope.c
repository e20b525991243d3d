/* The kind `scope` against a living systemd: as root the system's, else the user's own manager, and the system's over the bus as well. Without
 * one the tests are skipped. What disturbs the whole machine (the bus restarted, systemd executed anew) is done only in the guest of
 * tests/guest, which sets KINGLY_GUEST. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "isolate/scope.h"

#define DEADLINE_USEC (180 * USEC_PER_SEC)    /* an emulated machine is slow */
#define MANY (SCOPE_WINDOW + 16)        /* more than are in flight at once */
#define BURST 24

typedef struct Child {
        Cell *cell;
        PidRef main;
        int gate;                     /* closed: goes on */
        bool placed, empty, stopped, limits_failed;
        int error;
        char why[256];
} Child;

static sd_event *event;
static Isolate *isolate;
static uint64_t generation;
static bool user;
static const char invocation[] = "00000000000000000000000000000001", another[] = "00000000000000000000000000000002";

/* ---- the manager's part ---- */

static void on_placed(void *userdata, Cell *cell, int error, const char *why) {
        Child *c = cell_userdata(cell);

        assert_false(c->placed);
        c->placed = true;
        c->error = error;
        snprintf(c->why, sizeof(c->why), "%s", why);
}

static void on_empty(void *userdata, Cell *cell) {
        ((Child *) cell_userdata(cell))->empty = true;
}

static void on_stopped(void *userdata, Cell *cell, const char *why) {
        Child *c = cell_userdata(cell);

        assert_false(c->stopped);
        c->stopped = true;
        snprintf(c->why, sizeof(c->why), "%s", why);
}

static void on_unlimited(void *userdata, Cell *cell, int error, const char *why) {
        Child *c = cell_userdata(cell);

        c->limits_failed = true;
        snprintf(c->why, sizeof(c->why), "%s", why);
}

static int open_isolate(KlError *reterr) {
        IsolateOptions o = {
                .event = event, .kind = ISOLATE_SCOPE, .user = user, .keeper = getpid(), .home_id = "testscope",
                .events = { .placed = on_placed, .empty = on_empty, .stopped = on_stopped, .unlimited = on_unlimited },
        };

        return isolate_new(&o, &isolate, reterr);
}

/* Turns the loop until *flag, or fails. */
static void wait_for(const bool *flag, const char *what) {
        usec_t end = usec_add(now_usec(CLOCK_MONOTONIC), DEADLINE_USEC);

        while (!*flag) {
                usec_t now = now_usec(CLOCK_MONOTONIC);

                if (now >= end)
                        fail_msg("waited too long: %s", what);
                assert_true(sd_event_run(event, end - now) >= 0);
        }
}

static void wait_for_ever(int gate) {
        char byte;

        (void) !read(gate, &byte, 1);
        for (;;)
                pause();
}

static void spawn_child(Child *c, void (*act)(int gate)) {
        int gate[2];
        pid_t pid;

        assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                close(gate[1]);
                prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing of this outlives the test program, also not when it fails or is killed */
                act(gate[0]);
        }
        close(gate[0]);
        c->gate = gate[1];
        assert_int_equal(pidref_open(pid, 0, &c->main), 0);
        if (c->main.start_time == 0) {
                ProcessStat stat;

                assert_int_equal(process_stat(pid, &stat), 0);
                c->main.start_time = stat.start_time;
        }
}

static ServiceSpec *make_spec(const char *ns, const char *name) {
        ServiceSpec *s = NULL;

        assert_int_equal(spec_new(ns, name, &s), 0);
        return s;
}

static void begin_with(Child *c, const ServiceSpec *spec, void (*act)(int gate)) {
        CellName name = { .ns = spec->ns, .service = spec->name, .generation = ++generation };
        _cleanup_error_ KlError e = {};

        *c = (Child) { .main = PIDREF_NULL, .gate = -EBADF };
        if (cell_new(isolate, &name, spec, c, &c->cell, &e) < 0)
                fail_msg("cell_new: %s", e.message);
        spawn_child(c, act);
        assert_int_equal(cell_place(c->cell, &c->main, invocation), 0);
}

static void begin(Child *c, const ServiceSpec *spec) {
        begin_with(c, spec, wait_for_ever);
}

static void expect_placed(Child *c) {
        wait_for(&c->placed, "placed");
        if (c->error != 0)
                fail_msg("not placed: %s", c->why);
}

static void reap(Child *c) {
        if (c->main.pid > 0) {
                (void) pidref_signal(&c->main, SIGKILL);
                assert_int_equal(waitpid(c->main.pid, NULL, 0), c->main.pid);
        }
        pidref_done(&c->main);
        c->main = PIDREF_NULL;
        c->gate = fd_close(c->gate);
}

static void end(Child *c) {
        reap(c);
        if (c->cell) {
                assert_int_equal(cell_clean(c->cell), 0);
                c->cell = cell_free(c->cell);
        }
}

static void run_child(Child *c, const ServiceSpec *spec) {
        begin(c, spec);
        expect_placed(c);
}

/* ---- looking ---- */

static void assert_file(Child *c, const char *file, const char *expected) {
        _cleanup_free_ char *path = path_join(cell_cgroup(c->cell), file), *text = NULL;

        assert_int_equal(read_file_at(AT_FDCWD, path, 4096, &text, NULL), 0);
        text[strcspn(text, "\n")] = '\0';
        if (!streq(text, expected))
                fail_msg("%s is \"%s\", not \"%s\"", path, text, expected);
}

static bool file_is(Child *c, const char *file, const char *expected) {
        _cleanup_free_ char *path = path_join(cell_cgroup(c->cell), file), *text = NULL;

        if (read_file_at(AT_FDCWD, path, 4096, &text, NULL) < 0)
                return false;
        text[strcspn(text, "\n")] = '\0';
        return streq(text, expected);
}

static void wait_file(Child *c, const char *file, const char *expected) {
        usec_t last = usec_add(now_usec(CLOCK_MONOTONIC), DEADLINE_USEC);

        while (!file_is(c, file, expected) && now_usec(CLOCK_MONOTONIC) < last)
                assert_true(sd_event_run(event, 20 * USEC_PER_MSEC) >= 0);
        assert_false(c->limits_failed);
        assert_file(c, file, expected);
}

static void wait_directory_gone(const char *directory) {
        usec_t last = usec_add(now_usec(CLOCK_MONOTONIC), DEADLINE_USEC);

        while (access(directory, F_OK) >= 0) {
                assert_true(now_usec(CLOCK_MONOTONIC) < last);
                assert_true(sd_event_run(event, 20 * USEC_PER_MSEC) >= 0);
        }
}

/* Runs a command while the loop turns, and gives its exit status. */
static int command(const char *const *argv) {
        _cleanup_pidref_ PidRef p = PIDREF_NULL;
        struct pollfd pfd = { .events = POLLIN };
        usec_t last = usec_add(now_usec(CLOCK_MONOTONIC), DEADLINE_USEC);
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0) {
                execvp(argv[0], (char *const *) (uintptr_t) argv);
                _exit(127);
        }
        assert_int_equal(pidref_open(pid, 0, &p), 0);
        pfd.fd = p.fd;
        while (poll(&pfd, 1, 0) == 0) {
                assert_true(now_usec(CLOCK_MONOTONIC) < last);
                assert_true(sd_event_run(event, 10 * USEC_PER_MSEC) >= 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
#define COMMAND(...) command((const char *const[]) { __VA_ARGS__, NULL })
#define MODE (user ? "--user" : "--system")

static bool unit_known(const char *unit) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        assert_true((user ? sd_bus_open_user(&bus) : sd_bus_open_system(&bus)) >= 0);
        r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "GetUnit", NULL, NULL, "s", unit);
        return r >= 0;
}

static void wait_unit_gone(const char *unit) {
        usec_t last = usec_add(now_usec(CLOCK_MONOTONIC), DEADLINE_USEC);

        while (unit_known(unit)) {
                if (now_usec(CLOCK_MONOTONIC) >= last)
                        fail_msg("%s stays", unit);
                assert_true(sd_event_run(event, 50 * USEC_PER_MSEC) >= 0);
        }
}

/* ---- one scope ---- */

static void test_places_and_limits(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "web");
        _cleanup_free_ char *unit = NULL;
        Usage usage;
        Child c;

        spec->limits.memory_max = 64 << 20;
        spec->limits.memory_high = 48 << 20;
        spec->limits.tasks = 17;
        spec->limits.cpu = 150;
        spec->priority.cpu_weight = 50;
        begin(&c, spec);
        assert_false(c.placed); /* never from inside of a call */
        expect_placed(&c);
        unit = text_printf("kingly-web-0-%" PRIu64 ".scope", generation);
        assert_string_equal(cell_unit(c.cell), unit);
        assert_non_null(strstr(cell_cgroup(c.cell), "/kingly.slice/kingly-web-"));
        assert_true(cell_owns(c.cell, c.main.pid));
        assert_false(cell_owns(c.cell, getpid()));
        assert_file(&c, "memory.max", "67108864");
        assert_file(&c, "memory.high", "50331648");
        assert_file(&c, "pids.max", "17");
        assert_file(&c, "cpu.max", "150000 100000");
        assert_file(&c, "cpu.weight", "50");
        assert_int_equal(cell_usage(c.cell, true, &usage), 0);
        assert_int_equal(usage.memory_source, USAGE_CGROUP);
        assert_int_equal(usage.tasks, 1);
        assert_int_equal(usage.oom_kills, 0);

        assert_int_equal(cell_watch_empty(c.cell), 0);
        assert_int_equal(cell_populated(c.cell), 1);
        assert_int_equal(cell_kill(c.cell), 0);
        wait_for(&c.empty, "empty");
        assert_int_equal(cell_populated(c.cell), 0);
        assert_false(c.stopped); /* nobody stopped it */
        end(&c);
        wait_unit_gone(unit);
}

static void test_namespace_has_a_slice(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("shop-a", "web");
        Child c;

        run_child(&c, spec);
        assert_non_null(strstr(cell_cgroup(c.cell), "/kingly.slice/kingly-shop\\x2da.slice/kingly-web-0-"));
        end(&c);
}

static void test_live_limits(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "live");
        Child c;

        spec->limits.memory_max = 64 << 20;
        run_child(&c, spec);
        spec->limits.memory_max = 96 << 20;
        spec->limits.tasks = 11;
        assert_int_equal(cell_apply(c.cell, spec, NULL), 0);
        wait_file(&c, "pids.max", "11");
        wait_file(&c, "memory.max", "100663296");
        /* Two in a row: the last one wins. */
        spec->limits.tasks = 12;
        assert_int_equal(cell_apply(c.cell, spec, NULL), 0);
        spec->limits.memory_max = spec->limits.tasks = LIMIT_UNSET;
        assert_int_equal(cell_apply(c.cell, spec, NULL), 0);
        wait_file(&c, "memory.max", "max");
        wait_file(&c, "pids.max", "max");
        end(&c);
        /* A change while the start is under way. */
        spec->limits.tasks = 21;
        begin(&c, spec);
        spec->limits.tasks = 22;
        assert_int_equal(cell_apply(c.cell, spec, NULL), 0);
        expect_placed(&c);
        wait_file(&c, "pids.max", "22");
        end(&c);
}

static void test_io_limit(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = NULL;
        DeviceLimit limit = { .path = (char *) (uintptr_t) "/dev/loop0", .value = 1 << 20 };
        _cleanup_strv_ char **unenforced = NULL;
        Child c;

        if (access(limit.path, F_OK) < 0)
                skip();
        spec = make_spec("default", "disk");
        spec->limits.io_write_bandwidth = (DeviceLimitList) { .items = &limit, .n = 1 };
        unenforced = isolate_unenforced(isolate, spec);
        if (user) { /* a user's manager is given no io controller, and that has a name */
                assert_int_equal(strv_length(unenforced), 1);
                assert_non_null(startswith(unenforced[0], "limits.io_write_bandwidth: no io controller"));
        } else {
                assert_int_equal(strv_length(unenforced), 0);
                run_child(&c, spec);
                assert_file(&c, "io.max", "7:0 rbps=max wbps=1048576 riops=max wiops=max");
                spec->limits.io_write_bandwidth.n = 0;
                assert_int_equal(cell_apply(c.cell, spec, NULL), 0);
                wait_file(&c, "io.max", "");
                end(&c);
        }
        spec->limits.io_write_bandwidth = (DeviceLimitList) {};
}

static void test_no_such_device(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = NULL;
        DeviceLimit limit = { .path = (char *) (uintptr_t) "/proc", .value = 1 << 20 };
        CellName name = { .ns = "default", .service = "disk", .generation = 1 };
        _cleanup_error_ KlError e = {};
        Cell *cell = NULL;

        if (user)
                skip();
        spec = make_spec("default", "disk");
        spec->limits.io_read_iops = (DeviceLimitList) { .items = &limit, .n = 1 };
        assert_int_equal(cell_new(isolate, &name, spec, NULL, &cell, &e), -ENODEV);
        assert_string_equal(e.message, "limits.io_read_iops: there is no block device behind /proc");
        spec->limits.io_read_iops = (DeviceLimitList) {};
}

static void test_name_taken(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "twin");
        _cleanup_free_ char *name = text_printf("--unit=kingly-twin-0-%" PRIu64 ".scope", generation + 1), *stem = NULL;
        Child c;
        pid_t pid;

        /* A stranger has the name: a process of ours in a scope of that name. */
        pid = fork();
        if (pid == 0) {
                execlp("systemd-run", "systemd-run", MODE, "--quiet", "--scope", name, "sleep", "600", NULL);
                _exit(127);
        }
        while (!unit_known(name + strlen("--unit=")))
                assert_true(sd_event_run(event, 50 * USEC_PER_MSEC) >= 0);
        run_child(&c, spec);
        stem = strndup(name + strlen("--unit="), strlen(name) - strlen("--unit=") - strlen(".scope"));
        assert_non_null(startswith(cell_unit(c.cell), stem));
        assert_int_equal(strlen(cell_unit(c.cell)), strlen(stem) + strlen("-01234567.scope"));
        assert_non_null(strstr(cell_cgroup(c.cell), cell_unit(c.cell)));
        end(&c);
        assert_true(unit_known(name + strlen("--unit="))); /* and keeps it */
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

static void test_same_name_in_two_namespaces(void **state) {
        _cleanup_(spec_freep) ServiceSpec *one = make_spec("one", "same"), *two = make_spec("two", "same");
        Child a, b;

        run_child(&a, one);
        generation--;
        run_child(&b, two);
        assert_string_not_equal(cell_unit(a.cell), cell_unit(b.cell));
        assert_non_null(strstr(cell_cgroup(b.cell), "/kingly-two.slice/"));
        end(&a);
        end(&b);
}

static void test_stopped_from_outside(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "halt");
        Child c;

        run_child(&c, spec);
        assert_int_equal(cell_watch_empty(c.cell), 0);
        assert_int_equal(COMMAND("systemctl", MODE, "stop", cell_unit(c.cell)), 0);
        wait_for(&c.stopped, "stopped");
        assert_string_equal(c.why, "scope was stopped from outside");
        assert_int_equal(waitpid(c.main.pid, NULL, 0), c.main.pid); /* systemd has sent SIGTERM */
        pidref_done(&c.main);
        c.main = PIDREF_NULL;
        wait_for(&c.empty, "empty");
        end(&c);
}

static void test_child_dies_at_the_gate(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "frail");
        Child c;

        begin(&c, spec);
        reap(&c);
        wait_for(&c.placed, "refused");
        assert_true(c.error < 0);
        end(&c);
}

static void test_freed_in_every_state(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "gone");
        Child c;

        for (unsigned turns = 0; turns < 6; turns++) {
                begin(&c, spec);
                for (unsigned k = 0; k < turns; k++)
                        assert_true(sd_event_run(event, 20 * USEC_PER_MSEC) >= 0);
                if (turns & 1)
                        assert_int_equal(cell_clean(c.cell), 0);
                c.cell = cell_free(c.cell);
                reap(&c);
        }
        run_child(&c, spec);
        end(&c);
}

/* The daemon goes and comes again. */
static void open_again(Child *c) {
        _cleanup_error_ KlError e = {};

        c->cell = cell_free(c->cell);
        isolate = isolate_free(isolate);
        assert_int_equal(open_isolate(&e), 0);
}

static void test_adopt(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("shop-a", "kept");
        CellName name = { .ns = "shop-a", .service = "kept", .generation = generation + 1, .invocation_id = invocation };
        _cleanup_free_ char *where = NULL;
        Child c;

        run_child(&c, spec);
        where = strdup(cell_where(c.cell));
        open_again(&c);
        assert_int_equal(cell_adopt(isolate, &name, where, &c.main, &c, &c.cell), 0);
        assert_true(cell_owns(c.cell, c.main.pid));
        assert_string_equal(cell_unit(c.cell), where);
        c.cell = cell_free(c.cell);
        /* Its main process unknown: the cgroup is found where our slices are, whatever the books call it. */
        assert_int_equal(cell_adopt(isolate, &name, "kingly-kept-0-99.scope", NULL, &c, &c.cell), 0);
        assert_string_equal(cell_unit(c.cell), where);
        assert_int_equal(cell_populated(c.cell), 1);
        assert_int_equal(cell_watch_empty(c.cell), 0);
        assert_int_equal(cell_kill(c.cell), 0);
        wait_for(&c.empty, "empty");
        end(&c);
        wait_unit_gone(where);
        assert_int_equal(cell_adopt(isolate, &name, where, NULL, &c, &c.cell), -ENOENT);
}

/* A scope that has the name, and is another run's. */
static void test_adopt_none_of_anothers(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "kept");
        CellName name = { .ns = "default", .service = "kept", .generation = generation + 1, .invocation_id = another };
        PidRef self = PIDREF_NULL;
        _cleanup_free_ char *where = NULL;
        Child c;

        run_child(&c, spec);
        where = strdup(cell_where(c.cell));
        open_again(&c);
        assert_int_equal(cell_adopt(isolate, &name, where, NULL, &c, &c.cell), -ENOENT);
        assert_int_equal(cell_adopt(isolate, &name, where, &c.main, &c, &c.cell), -ENOENT);
        self.pid = getpid();
        assert_int_equal(cell_adopt(isolate, &name, where, &self, &c, &c.cell), -ENOENT);
        name.invocation_id = invocation;
        assert_int_equal(cell_adopt(isolate, &name, where, &c.main, &c, &c.cell), 0);
        end(&c);
}

/* One that an earlier version began has no mark. Where its main process lives in it, it gets one. */
static void test_adopt_unmarked(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "kept");
        CellName name = { .ns = "default", .service = "kept", .generation = generation + 1, .invocation_id = invocation };
        _cleanup_free_ char *where = NULL;
        Child c;

        run_child(&c, spec);
        where = strdup(cell_where(c.cell));
        assert_int_equal(removexattr(cell_cgroup(c.cell), "user.kingly.invocation_id"), 0);
        open_again(&c);
        assert_int_equal(cell_adopt(isolate, &name, where, NULL, &c, &c.cell), -ENOENT);
        assert_int_equal(cell_adopt(isolate, &name, where, &c.main, &c, &c.cell), 0);
        open_again(&c);
        assert_int_equal(cell_adopt(isolate, &name, where, NULL, &c, &c.cell), 0);
        end(&c);
}

static void eat(int gate) {
        char byte;
        volatile char *p;

        (void) !read(gate, &byte, 1);
        p = malloc(64 << 20);
        for (size_t n = 0; p && n < 64 << 20; n += 4096)
                p[n] = 1;
        _exit(0);
}

/* The main process is killed and reaped: was it for want of memory? systemd may have removed the cgroup by then, or not yet. */
static uint64_t kills_after_death(Child *c, int expected_signal) {
        Usage usage;
        int status;

        assert_int_equal(waitpid(c->main.pid, &status, 0), c->main.pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == expected_signal);
        pidref_done(&c->main);
        c->main = PIDREF_NULL;
        assert_int_equal(cell_usage(c->cell, true, &usage), 0);
        return usage.oom_kills;
}

static void test_out_of_memory_is_seen(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "greedy"), *other = make_spec("default", "modest");
        Child bystander, c;

        run_child(&bystander, other);
        spec->limits.memory_max = 8 << 20;
        spec->limits.swap_max = 0;
        for (unsigned k = 0; k < 6; k++) {
                begin_with(&c, spec, eat);
                expect_placed(&c);
                c.gate = fd_close(c.gate);
                if (k & 1) { /* after systemd has removed the cgroup */
                        assert_int_equal(cell_watch_empty(c.cell), 0);
                        wait_for(&c.empty, "empty");
                        wait_directory_gone(cell_cgroup(c.cell));
                }
                assert_int_equal(kills_after_death(&c, SIGKILL), 1);
                end(&c);
                /* One that somebody killed is not taken for it. */
                run_child(&c, other);
                assert_int_equal(cell_kill(c.cell), 0);
                if (k & 1)
                        wait_directory_gone(cell_cgroup(c.cell));
                assert_int_equal(kills_after_death(&c, SIGKILL), 0);
                end(&c);
        }
        (void) pidref_signal(&bystander.main, SIGKILL);
        assert_int_equal(kills_after_death(&bystander, SIGKILL), 0);
        end(&bystander);
}

/* ---- many ---- */

static void start_many(Child *many, size_t n, const ServiceSpec *spec) {
        for (size_t k = 0; k < n; k++) {
                CellName name = { .ns = spec->ns, .service = spec->name, .instance = (unsigned) k, .generation = ++generation };

                many[k] = (Child) { .main = PIDREF_NULL, .gate = -EBADF };
                assert_int_equal(cell_new(isolate, &name, spec, many + k, &many[k].cell, NULL), 0);
                spawn_child(many + k, wait_for_ever);
        }
        for (size_t k = 0; k < n; k++)
                assert_int_equal(cell_place(many[k].cell, &many[k].main, invocation), 0);
}

/* All are asked for before the first is answered. */
static void test_many_at_once(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "crowd");
        static Child many[MANY];

        spec->limits.memory_max = 256 << 20;
        start_many(many, MANY, spec);
        for (size_t k = 0; k < MANY; k++)
                expect_placed(many + k);
        for (size_t k = 0; k < MANY; k++)
                end(many + k);
}

/* ---- disturbances of the whole machine ---- */

static bool in_guest(void) {
        return !user && getenv("KINGLY_GUEST");
}

static void test_reexec_during_starts(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = NULL;
        static Child many[BURST];

        if (!in_guest())
                skip();
        spec = make_spec("default", "midst");
        start_many(many, BURST, spec);
        assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
        assert_int_equal(COMMAND("systemctl", "daemon-reexec"), 0);
        for (size_t k = 0; k < BURST; k++)
                expect_placed(many + k);
        assert_int_equal(COMMAND("systemctl", "daemon-reload"), 0);
        for (size_t k = 0; k < BURST; k++) {
                assert_false(many[k].stopped);
                assert_true(cell_owns(many[k].cell, many[k].main.pid));
                end(many + k);
        }
}

/* At systemd's own socket it does not matter. */
static void test_without_a_bus(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = NULL;
        Child a, b;

        if (!in_guest())
                skip();
        spec = make_spec("default", "nobus");
        assert_true(((ScopeIsolate *) isolate)->direct);
        run_child(&a, spec);
        assert_int_equal(COMMAND("systemctl", "stop", "dbus.socket", "dbus.service"), 0);
        run_child(&b, spec);
        assert_int_equal(COMMAND("systemctl", "stop", "--no-block", cell_unit(a.cell)), 0);
        wait_for(&a.stopped, "stop heard");
        assert_int_equal(COMMAND("systemctl", "start", "dbus.socket", "dbus.service"), 0);
        assert_false(b.stopped);
        end(&a);
        end(&b);
        assert_int_equal(COMMAND("systemctl", "restart", "systemd-logind.service"), 0);
}

static void test_bus_restart(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = NULL;
        Child a, b, c;

        if (!in_guest())
                skip();
        spec = make_spec("default", "bus");
        run_child(&a, spec);
        run_child(&b, spec);
        assert_int_equal(COMMAND("systemctl", "stop", "dbus.socket", "dbus.service"), 0);
        /* Stopped while nobody hears: systemctl goes round the bus, over systemd's own socket. */
        assert_int_equal(COMMAND("systemctl", "stop", cell_unit(b.cell)), 0);
        begin(&c, spec); /* waits for the bus */
        assert_true(sd_event_run(event, 200 * USEC_PER_MSEC) >= 0);
        assert_false(c.placed);
        assert_int_equal(COMMAND("systemctl", "start", "dbus.socket", "dbus.service"), 0);
        expect_placed(&c);
        wait_for(&b.stopped, "stop noticed afterwards");
        assert_false(a.stopped);
        /* A job's signal is heard again. */
        assert_int_equal(COMMAND("systemctl", "stop", "--no-block", cell_unit(a.cell)), 0);
        wait_for(&a.stopped, "stop heard");
        end(&a);
        end(&b);
        end(&c);
        /* It does not find its way back to the bus by itself. */
        assert_int_equal(COMMAND("systemctl", "restart", "systemd-logind.service"), 0);
}

static pid_t bus_daemon(void) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        uint32_t pid = 0;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        assert_true(sd_bus_open_system(&bus) >= 0);
        assert_true(sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                       "GetConnectionUnixProcessID", NULL, &m, "s", "org.freedesktop.DBus") >= 0);
        assert_true(sd_bus_message_read(m, "u", &pid) >= 0);
        return (pid_t) pid;
}

static void test_deadline(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = NULL;
        pid_t daemon;
        Child c;

        if (!in_guest())
                skip();
        spec = make_spec("default", "late");
        daemon = bus_daemon();
        assert_int_equal(kill(daemon, SIGSTOP), 0);
        begin(&c, spec);
        wait_for(&c.placed, "deadline");
        assert_int_equal(kill(daemon, SIGCONT), 0);
        assert_int_equal(c.error, -ETIMEDOUT);
        assert_non_null(strstr(c.why, "systemd did not answer within 30 s"));
        end(&c);
        run_child(&c, spec);
        end(&c);
}

/* ---- the program ---- */

static int open_world(void **state) {
        _cleanup_strv_ char **report = isolate_report(isolate);

        STRV_FOREACH(line, report)
                print_message("         %s\n", *line);
        return 0;
}

static int close_world(void **state) {
        isolate = isolate_free(isolate);
        event = sd_event_unref(event);
        return 0;
}

/* The same daemon again, told to take the bus. */
static int open_world_on_bus(void **state) {
        _cleanup_error_ KlError e = {};

        if (setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/run/dbus/system_bus_socket", 1) < 0 || sd_event_new(&event) < 0 || open_isolate(&e) < 0)
                return -1;
        assert_false(((ScopeIsolate *) isolate)->direct);
        return open_world(state);
}

#define TEST(f) cmocka_unit_test(f)

static int run_on_bus(void) {
        const struct CMUnitTest on_bus[] = {
                TEST(test_places_and_limits), TEST(test_live_limits), TEST(test_name_taken), TEST(test_stopped_from_outside),
                TEST(test_child_dies_at_the_gate), TEST(test_reexec_during_starts), TEST(test_bus_restart), TEST(test_deadline),
        };

        return user /* no word for the bus */ ? 0 : cmocka_run_group_tests(on_bus, open_world_on_bus, close_world);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_places_and_limits), TEST(test_namespace_has_a_slice), TEST(test_live_limits), TEST(test_io_limit),
                TEST(test_no_such_device), TEST(test_name_taken), TEST(test_same_name_in_two_namespaces), TEST(test_stopped_from_outside),
                TEST(test_child_dies_at_the_gate), TEST(test_freed_in_every_state), TEST(test_adopt),
                TEST(test_adopt_none_of_anothers), TEST(test_adopt_unmarked), TEST(test_out_of_memory_is_seen),
                TEST(test_many_at_once), TEST(test_reexec_during_starts), TEST(test_without_a_bus),
        };
        _cleanup_error_ KlError e = {};
        int r;

        user = geteuid() != 0;
        signal(SIGPIPE, SIG_IGN);
        r = sd_event_new(&event);
        if (r >= 0)
                r = open_isolate(&e);
        if (r < 0) {
                fprintf(stderr, "skipped: %s\n", e.message ?: strerror(-r));
                event = sd_event_unref(event);
                return getenv("KINGLY_MUST_RUN") && access("/run/systemd/system", F_OK) >= 0 ? 1 : 0;
        }
        r = cmocka_run_group_tests(tests, open_world, close_world);
        return r + run_on_bus();
}
