/* The way of a start against a systemd that is played by the test, at the other end of a socket pair: everything that a real one seldom
 * says. Where cgroup v2 can be written the played one puts processes into a directory of its own; without it those tests are skipped. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "isolate/scope.h"

#define DEADLINE_USEC (60 * USEC_PER_SEC)
#define CROWD 150

/* ---- the played systemd ---- */

typedef enum Answer {
        ANSWER_DONE,                  /* the process is moved, the job done */
        ANSWER_ELSEWHERE,             /* the job is done, but the process is not there */
        ANSWER_FAILED,                /* the job ends otherwise */
        ANSWER_EXISTS,
        ANSWER_UNKNOWN_PROPERTY,      /* as named in `property` */
        ANSWER_BUSY,
        ANSWER_LIMITS,                /* the bus refuses */
        ANSWER_REFUSED,
        ANSWER_SILENCE,
} Answer;

static struct {
        sd_bus *bus;
        char *root;                   /* directory of the played manager, "" where there is no cgroup v2 */
        const Answer *script;         /* for one start after the other; the last one stays */
        size_t n_script;
        const char *property;
        char **started, **told;       /* units; methods without an answer */
        char **seen;                  /* names of the properties of the last call */
        char **listed;                /* what ListUnitsByPatterns tells, "unit state job" */
        unsigned unanswered, most, live;
        bool refuse_live;
        sd_bus_message *held[CROWD];  /* calls that wait for hold_back to end */
        bool hold_back;
} fake;

static sd_event *event;
static ScopeIsolate *si;
static bool cgroups;

static void fake_signal(const char *member, const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        va_list ap;

        assert_true(sd_bus_message_new_signal(fake.bus, &m, SYSTEMD_PATH, SYSTEMD_MANAGER, member) >= 0);
        if (!si->direct)
                assert_true(sd_bus_message_set_sender(m, SYSTEMD_NAME) >= 0);
        va_start(ap, types);
        assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
        va_end(ap);
        assert_true(sd_bus_send(fake.bus, m, NULL) >= 0);
}

static void read_pid(sd_bus_message *m, pid_t *ret) {
        uint32_t pid;

        assert_true(sd_bus_message_enter_container(m, 'v', "au") >= 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "u") >= 0);
        assert_true(sd_bus_message_read(m, "u", &pid) > 0);
        assert_true(sd_bus_message_exit_container(m) >= 0 && sd_bus_message_exit_container(m) >= 0);
        *ret = (pid_t) pid;
}

/* An array a(sv): names go to fake.seen, the process of PIDs or PIDFDs comes back. */
static pid_t read_properties(sd_bus_message *m) {
        const char *name;
        pid_t pid = 0;

        fake.seen = strv_free(fake.seen);
        assert_true(sd_bus_message_enter_container(m, 'a', "(sv)") >= 0);
        while (sd_bus_message_enter_container(m, 'r', "sv") > 0) {
                assert_true(sd_bus_message_read(m, "s", &name) > 0);
                assert_int_equal(strv_append(&fake.seen, name), 0);
                if (streq(name, "PIDs"))
                        read_pid(m, &pid);
                else
                        assert_true(sd_bus_message_skip(m, "v") >= 0);
                assert_true(sd_bus_message_exit_container(m) >= 0);
        }
        assert_true(sd_bus_message_exit_container(m) >= 0);
        return pid;
}

static void move_process(const char *unit, pid_t pid) {
        _cleanup_free_ char *path = path_join(fake.root, unit);

        if (!cgroups || pid == 0)
                return;
        assert_int_equal(cgroup_make(path), 0);
        assert_int_equal(cgroup_attach(path, pid), 0);
}

static void fake_job(sd_bus_message *m, const char *unit, Answer a, pid_t pid) {
        _cleanup_free_ char *job = text_printf(SYSTEMD_PATH "/job/%zu", strv_length(fake.started));

        assert_true(sd_bus_reply_method_return(m, "o", job) >= 0);
        if (a == ANSWER_DONE)
                move_process(unit, pid);
        fake_signal("JobNew", "uos", 1, job, unit);
        fake_signal("JobRemoved", "uoss", 7, SYSTEMD_PATH "/job/foreign", unit, "failed"); /* not ours: no reason for anything */
        fake_signal("JobRemoved", "uoss", 1, job, unit, a == ANSWER_FAILED ? "dependency" : "done");
}

static void fake_start(sd_bus_message *m) {
        size_t n = strv_length(fake.started);
        Answer a = fake.script[MIN(n, fake.n_script - 1)];
        const char *unit, *mode;
        pid_t pid;

        assert_true(sd_bus_message_read(m, "ss", &unit, &mode) > 0);
        assert_string_equal(mode, "fail");
        assert_int_equal(strv_append(&fake.started, unit), 0);
        pid = read_properties(m);
        switch (a) {
        case ANSWER_EXISTS:
                sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.UnitExists", "Unit %s already exists.", unit);
                break;
        case ANSWER_UNKNOWN_PROPERTY:
                sd_bus_reply_method_errorf(m, SD_BUS_ERROR_PROPERTY_READ_ONLY, "Cannot set property %s, or unknown property.",
                                           fake.property);
                break;
        case ANSWER_BUSY:
                sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.TransactionIsDestructive", "Transaction is destructive.");
                break;
        case ANSWER_LIMITS:
                sd_bus_reply_method_errorf(m, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many.");
                break;
        case ANSWER_REFUSED:
                sd_bus_reply_method_errorf(m, SD_BUS_ERROR_ACCESS_DENIED, "Not you.");
                break;
        case ANSWER_SILENCE:
                break;
        default:
                fake_job(m, unit, a, pid);
        }
}

static void fake_list(sd_bus_message *m) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

        assert_true(sd_bus_message_new_method_return(m, &reply) >= 0);
        assert_true(sd_bus_message_open_container(reply, 'a', "(ssssssouso)") >= 0);
        STRV_FOREACH(line, fake.listed) {
                char unit[128], state[32], job[64];

                assert_int_equal(sscanf(*line, "%127s %31s %63s", unit, state, job), 3);
                assert_true(sd_bus_message_append(reply, "(ssssssouso)", unit, "", "loaded", state, "", "", "/", 0, "", job) >= 0);
        }
        assert_true(sd_bus_message_close_container(reply) >= 0);
        assert_true(sd_bus_send(fake.bus, reply, NULL) >= 0);
}

static void fake_set(sd_bus_message *m) {
        const char *unit;
        int runtime;

        assert_true(sd_bus_message_read(m, "sb", &unit, &runtime) > 0);
        assert_true(runtime);
        (void) read_properties(m);
        fake.live++;
        if (fake.refuse_live)
                sd_bus_reply_method_errorf(m, SD_BUS_ERROR_INVALID_ARGS, "Out of range.");
        else
                sd_bus_reply_method_return(m, "");
}

static void fake_serve(sd_bus_message *m) {
        if (sd_bus_message_is_method_call(m, SYSTEMD_MANAGER, "StartTransientUnit"))
                fake_start(m);
        else if (sd_bus_message_is_method_call(m, SYSTEMD_MANAGER, "ListUnitsByPatterns"))
                fake_list(m);
        else if (sd_bus_message_is_method_call(m, SYSTEMD_MANAGER, "SetUnitProperties"))
                fake_set(m);
        else if (sd_bus_message_is_method_call(m, SYSTEMD_MANAGER, "Subscribe"))
                sd_bus_reply_method_return(m, "");
}

static int on_fake_message(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        uint8_t type;

        assert_true(sd_bus_message_get_type(m, &type) >= 0);
        if (type != SD_BUS_MESSAGE_METHOD_CALL)
                return 0;
        if (!sd_bus_message_get_expect_reply(m))
                assert_int_equal(strv_append(&fake.told, sd_bus_message_get_member(m)), 0);
        else if (fake.hold_back && fake.unanswered < CROWD) {
                fake.held[fake.unanswered++] = sd_bus_message_ref(m);
                fake.most = MAX(fake.most, fake.unanswered);
                return 1;
        }
        fake_serve(m);
        return 1;
}

static void fake_go_on(void) {
        unsigned n = fake.unanswered;

        fake.unanswered = 0;
        for (unsigned k = 0; k < n; k++) {
                fake_serve(fake.held[k]);
                sd_bus_message_unref(fake.held[k]);
        }
}

static void fake_open(int fd) {
        assert_true(sd_bus_new(&fake.bus) >= 0);
        assert_true(sd_bus_set_fd(fake.bus, fd, fd) >= 0);
        assert_true(sd_bus_set_server(fake.bus, true, SD_ID128_MAKE(01, 02, 03, 04, 05, 06, 07, 08, 09, 0a, 0b, 0c, 0d, 0e, 0f, 10)) >= 0);
        assert_true(sd_bus_set_anonymous(fake.bus, true) >= 0 && sd_bus_set_trusted(fake.bus, true) >= 0);
        assert_true(sd_bus_add_filter(fake.bus, NULL, on_fake_message, NULL) >= 0);
        assert_true(sd_bus_start(fake.bus) >= 0);
        assert_true(sd_bus_attach_event(fake.bus, event, 0) >= 0);
}

/* ---- the manager's part ---- */

typedef struct Child {
        Cell *cell;
        PidRef main;
        bool placed, stopped, asked, limits_failed;
        int error;
        char why[256];
} Child;

static void on_placed(void *userdata, Cell *cell, int error, const char *why) {
        Child *c = cell_userdata(cell);

        assert_false(c->placed);
        c->placed = true;
        c->error = error;
        snprintf(c->why, sizeof(c->why), "%s", why);
}

static void on_stopped(void *userdata, Cell *cell, const char *why) {
        Child *c = cell_userdata(cell);

        c->stopped = true;
        snprintf(c->why, sizeof(c->why), "%s", why);
}

static void on_asked(void *userdata, Cell *cell, const char *why) {
        Child *c = cell_userdata(cell);

        assert_false(c->asked);
        c->asked = true;
        snprintf(c->why, sizeof(c->why), "%s", why ?: "");
}

static void on_unlimited(void *userdata, Cell *cell, int error, const char *why) {
        Child *c = cell_userdata(cell);

        c->limits_failed = true;
        c->error = error;
        snprintf(c->why, sizeof(c->why), "%s", why);
}

static void wait_for(const bool *flag) {
        usec_t end = usec_add(now_usec(CLOCK_MONOTONIC), DEADLINE_USEC);

        while (!*flag) {
                assert_true(now_usec(CLOCK_MONOTONIC) < end);
                assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
        }
}

static void wait_count(const unsigned *n, unsigned least) {
        usec_t end = usec_add(now_usec(CLOCK_MONOTONIC), DEADLINE_USEC);

        while (*n < least) {
                assert_true(now_usec(CLOCK_MONOTONIC) < end);
                assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
        }
}

/* Turns the loop until nothing is left to do. */
static void settle(void) {
        while (sd_event_run(event, 0) > 0)
                ;
}

static void spawn_child(Child *c) {
        ProcessStat stat;
        pid_t pid = fork();

        if (pid == 0) {
                alarm(120); /* nothing of this outlives a test program that is killed */
                for (;;)
                        pause();
        }
        assert_true(pid > 0);
        assert_int_equal(process_stat(pid, &stat), 0);
        c->main = (PidRef) { .pid = pid, .fd = -EBADF, .start_time = stat.start_time };
}

static void begin(Child *c, const ServiceSpec *spec, uint64_t generation) {
        CellName name = { .ns = spec->ns, .service = spec->name, .generation = generation };

        *c = (Child) { .main = PIDREF_NULL };
        assert_int_equal(cell_new(&si->isolate, &name, spec, c, &c->cell, NULL), 0);
        spawn_child(c);
        assert_int_equal(cell_place(c->cell, &c->main, "00000000000000000000000000000001"), 0);
}

static void end(Child *c) {
        _cleanup_free_ char *directory = c->cell && cell_cgroup(c->cell) ? strdup(cell_cgroup(c->cell)) : NULL;

        if (c->main.pid > 0) {
                (void) kill(c->main.pid, SIGKILL); /* our child, not reaped yet */
                assert_int_equal(waitpid(c->main.pid, NULL, 0), c->main.pid);
        }
        if (c->cell) {
                assert_int_equal(cell_clean(c->cell), 0);
                c->cell = cell_free(c->cell);
        }
        if (directory)
                (void) cgroup_remove(directory);
}

static ServiceSpec *make_spec(const char *ns, const char *name) {
        ServiceSpec *s = NULL;

        assert_int_equal(spec_new(ns, name, &s), 0);
        return s;
}

#define SCRIPT(...) do { \
                static const Answer answers[] = { __VA_ARGS__ }; \
                fake.script = answers; \
                fake.n_script = ARRAY_SIZE(answers); \
        } while (0)

static void start_one(Child *c, const char *ns, const char *name) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec(ns, name);

        begin(c, spec, 1);
        assert_false(c->placed);
        wait_for(&c->placed);
}

/* ---- the tests ---- */

static void test_placed(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = NULL;
        Child c;

        if (!cgroups)
                skip();
        SCRIPT(ANSWER_DONE);
        spec = make_spec("default", "web");
        spec->limits.memory_max = 1 << 20;
        begin(&c, spec, 3);
        wait_for(&c.placed);
        assert_int_equal(c.error, 0);
        assert_string_equal(cell_unit(c.cell), "kingly-web-0-3.scope");
        assert_non_null(strstr(cell_cgroup(c.cell), "/kingly-web-0-3.scope"));
        assert_true(cell_owns(c.cell, c.main.pid));
        assert_true(strv_contains(fake.seen, "MemoryMax"));
        assert_true(strv_contains(fake.seen, "TasksMax"));
        assert_false(strv_contains(fake.seen, "MemoryHigh"));
        end(&c);
        settle();
        assert_null(fake.told); /* systemd forgets it by itself */
}

static void test_name_taken_once(void **state) {
        Child c;

        if (!cgroups)
                skip();
        SCRIPT(ANSWER_EXISTS, ANSWER_DONE);
        start_one(&c, "default", "web");
        assert_int_equal(c.error, 0);
        assert_int_equal(strv_length(fake.started), 2);
        assert_string_equal(fake.started[1], cell_unit(c.cell));
        assert_int_equal(strlen(fake.started[1]), strlen("kingly-web-0-1-01234567.scope"));
        end(&c);
}

static void test_name_taken_twice(void **state) {
        Child c;

        SCRIPT(ANSWER_EXISTS);
        start_one(&c, "default", "web");
        assert_int_equal(c.error, -EEXIST);
        assert_int_equal(strv_length(fake.started), 2);
        end(&c);
}

static void act_on_all(Cell *cell) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "web");
        pid_t *pids;
        size_t n;

        assert_int_equal(cell_apply(cell, spec, NULL), 0);
        assert_int_equal(cell_signal(cell, SIGKILL), 0);
        assert_int_equal(cell_kill(cell), 0);
        cell_end_beside(cell);
        assert_int_equal(cell_populated(cell), 0);
        assert_int_equal(cell_pids(cell, &pids, &n), 0);
        assert_int_equal(n, 0);
        free(pids);
}

/* A daemon that is itself in a scope of that name has its children begin there. */
static void test_name_taken_where_we_live(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "web");
        _cleanup_free_ char *path = path_join(fake.root, "kingly-web-0-1.scope");
        static const char other[] = "00000000000000000000000000000002";
        Child c;

        if (!cgroups)
                skip();
        SCRIPT(ANSWER_EXISTS, ANSWER_DONE);
        begin(&c, spec, 1);
        move_process("kingly-web-0-1.scope", c.main.pid);
        assert_int_equal(setxattr(path, "user.kingly.invocation_id", other, strlen(other), 0), 0);
        wait_for(&c.placed);
        assert_int_equal(c.error, 0);
        assert_string_not_equal(cell_unit(c.cell), "kingly-web-0-1.scope");
        end(&c);
        assert_int_equal(cgroup_remove(path), 0);
}

/* The scope has gone, and another daemon's has its name and its path: nothing that is done to ours is done to that. */
static void test_name_of_another_now(void **state) {
        Child c, stranger = { .main = PIDREF_NULL };

        if (!cgroups)
                skip();
        SCRIPT(ANSWER_DONE);
        start_one(&c, "default", "web");
        assert_int_equal(cell_kill(c.cell), 0);
        assert_int_equal(waitpid(c.main.pid, NULL, 0), c.main.pid);
        assert_int_equal(cgroup_remove(cell_cgroup(c.cell)), 0);
        spawn_child(&stranger);
        move_process(cell_unit(c.cell), stranger.main.pid);
        act_on_all(c.cell);
        settle();
        assert_int_equal(fake.live, 0);
        assert_int_equal(waitpid(stranger.main.pid, NULL, WNOHANG), 0);
        c.main = stranger.main;
        end(&c);
}

static void test_property_is_dropped_and_named(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "web");
        _cleanup_strv_ char **unenforced = NULL;
        Child c;

        SCRIPT(ANSWER_UNKNOWN_PROPERTY, ANSWER_FAILED);
        fake.property = "MemorySwapMax";
        spec->limits.swap_max = 1 << 20;
        begin(&c, spec, 1);
        wait_for(&c.placed);
        assert_int_equal(strv_length(fake.started), 2);
        assert_false(strv_contains(fake.seen, "MemorySwapMax"));
        unenforced = isolate_unenforced(&si->isolate, spec);
        assert_int_equal(strv_length(unenforced), 1);
        assert_string_equal(unenforced[0], "limits.swap_max: this systemd does not let a scope have MemorySwapMax");
        end(&c);
}

static void test_property_that_is_needed(void **state) {
        Child c;

        SCRIPT(ANSWER_UNKNOWN_PROPERTY);
        fake.property = "Slice";
        start_one(&c, "default", "web");
        assert_int_equal(c.error, -EOPNOTSUPP);
        assert_int_equal(strv_length(fake.started), 1);
        end(&c);
}

static void test_property_nobody_sent(void **state) {
        Child c;

        SCRIPT(ANSWER_UNKNOWN_PROPERTY);
        fake.property = "PIDsMax"; /* PIDs is in it, but not as a word */
        start_one(&c, "default", "web");
        assert_int_equal(c.error, -EOPNOTSUPP);
        end(&c);
}

static void test_job_that_fails(void **state) {
        Child c;

        SCRIPT(ANSWER_FAILED);
        start_one(&c, "default", "web");
        assert_int_equal(c.error, -EAGAIN);
        assert_string_equal(c.why, "systemd did not start scope kingly-web-0-1.scope: job dependency");
        end(&c);
}

static void test_process_is_elsewhere(void **state) {
        Child c;

        SCRIPT(ANSWER_ELSEWHERE);
        start_one(&c, "default", "web");
        assert_int_equal(c.error, -EAGAIN);
        assert_non_null(strstr(c.why, "is elsewhere"));
        end(&c);
}

static void test_refusals(void **state) {
        Child c;

        SCRIPT(ANSWER_REFUSED, ANSWER_BUSY);
        start_one(&c, "default", "web");
        assert_int_equal(c.error, -EACCES);
        assert_string_equal(c.why, "systemd refused scope kingly-web-0-1.scope: Not you.");
        end(&c);
        start_one(&c, "default", "web");
        assert_int_equal(c.error, -EAGAIN);
        end(&c);
}

static void test_bus_is_full_for_a_moment(void **state) {
        Child c;

        SCRIPT(ANSWER_LIMITS, ANSWER_LIMITS, ANSWER_FAILED);
        start_one(&c, "default", "web");
        assert_int_equal(strv_length(fake.started), 3);
        assert_string_equal(fake.started[0], fake.started[2]);
        end(&c);
}

static void test_window(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "web");
        static Child many[CROWD];

        SCRIPT(ANSWER_FAILED);
        fake.hold_back = true;
        for (unsigned k = 0; k < CROWD; k++)
                begin(many + k, spec, k + 1);
        wait_count(&fake.unanswered, SCOPE_WINDOW);
        settle();
        assert_int_equal(fake.most, SCOPE_WINDOW);
        /* Those in the middle of the queue go, and one whose answer is awaited. */
        end(many + 100);
        end(many + 10);
        settle();
        assert_int_equal(fake.unanswered, SCOPE_WINDOW + 1);
        fake.hold_back = false;
        fake_go_on();
        for (unsigned k = 0; k < CROWD; k++)
                if (k != 100 && k != 10) {
                        wait_for(&many[k].placed);
                        end(many + k);
                }
        assert_int_equal(si->in_flight, 0);
        assert_null(si->first);
        assert_int_equal(map_size(si->cells), 0);
}

static void test_dies_with_the_answer_under_way(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "web");
        Child c;

        SCRIPT(ANSWER_SILENCE);
        begin(&c, spec, 1);
        while (!fake.started)
                assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
        end(&c);
        assert_false(c.placed);
        assert_int_equal(si->in_flight, 0);
        settle();
        assert_null(fake.told); /* no job of ours is known, and a scope without a process is none */
}

/* Nobody is there to connect to afterwards. Starts that were under way are not tried on a connection that is closing: it would never be closed. */
static void test_connection_that_breaks(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = make_spec("default", "web");
        usec_t last = usec_add(now_usec(CLOCK_MONOTONIC), DEADLINE_USEC);
        static Child c[8];

        assert_int_equal(setenv("XDG_RUNTIME_DIR", "/nonexistent", 1), 0);
        assert_int_equal(setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1), 0);
        si->isolate.options.user = true;
        SCRIPT(ANSWER_SILENCE);
        for (unsigned k = 0; k < ARRAY_SIZE(c); k++)
                begin(c + k, spec, k + 1);
        while (strv_length(fake.started) < ARRAY_SIZE(c))
                assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
        assert_int_equal(shutdown(sd_bus_get_fd(fake.bus), SHUT_RDWR), 0); /* the children have it, too */
        while (si->bus) {
                assert_true(now_usec(CLOCK_MONOTONIC) < last);
                assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
        }
        assert_int_equal(si->in_flight, 0);
        for (unsigned k = 0; k < ARRAY_SIZE(c); k++) {
                assert_false(c[k].placed);
                end(c + k);
        }
}

static void test_signals_that_were_lost(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = NULL;
        static Child c[4];

        if (!cgroups)
                skip();
        spec = make_spec("default", "web");
        SCRIPT(ANSWER_DONE);
        for (unsigned k = 0; k < 3; k++) {
                begin(c + k, spec, k + 1);
                wait_for(&c[k].placed);
        }
        SCRIPT(ANSWER_SILENCE, ANSWER_SILENCE, ANSWER_SILENCE, ANSWER_SILENCE, ANSWER_FAILED);
        begin(c + 3, spec, 4);
        settle();
        /* 1 is well, 2 is on its way out, 3 is not there at all; of 4 the answer never came. */
        assert_int_equal(strv_append(&fake.listed, "kingly-web-0-1.scope active /"), 0);
        assert_int_equal(strv_append(&fake.listed, "kingly-web-0-2.scope deactivating " SYSTEMD_PATH "/job/9"), 0);
        assert_int_equal(strv_append(&fake.listed, "kingly-strange-0-2.scope active /"), 0);
        fake_signal("Reloading", "b", true);
        fake_signal("Reloading", "b", false);
        wait_for(&c[1].stopped);
        wait_for(&c[2].stopped);
        assert_false(c[0].stopped);
        assert_false(c[3].placed);
        for (unsigned k = 0; k < 4; k++)
                end(c + k);
}

static void test_stopped_by_a_job(void **state) {
        Child c;

        if (!cgroups)
                skip();
        SCRIPT(ANSWER_DONE);
        start_one(&c, "default", "web");
        assert_false(c.stopped); /* by the job of its own start */
        fake_signal("JobNew", "uos", 5, SYSTEMD_PATH "/job/5", "kingly-other-0-1.scope");
        fake_signal("JobNew", "uos", 6, SYSTEMD_PATH "/job/6", "kingly-web-0-1.scope");
        wait_for(&c.stopped);
        assert_string_equal(c.why, "scope was stopped from outside");
        end(&c);
}

/* Asked why its process ended: by a job that is still there, by one that was announced before the answer, by none, and without an answer. */
static void test_asked_who_stopped_it(void **state) {
        static Child c[4];

        if (!cgroups)
                skip();
        SCRIPT(ANSWER_DONE);
        start_one(c, "default", "a");
        assert_int_equal(strv_append(&fake.listed, "kingly-a-0-1.scope deactivating " SYSTEMD_PATH "/job/9"), 0);
        assert_int_equal(cell_ask_stopped(c[0].cell), 1);
        assert_false(c[0].asked);
        wait_for(&c[0].asked);
        assert_string_equal(c[0].why, "scope was stopped from outside");
        assert_false(c[0].stopped);
        assert_int_equal(cell_ask_stopped(c[0].cell), 0); /* it was said */
        fake.listed = strv_free(fake.listed);

        start_one(c + 1, "default", "b");
        fake_signal("JobNew", "uos", 6, SYSTEMD_PATH "/job/6", "kingly-b-0-1.scope");
        assert_int_equal(cell_ask_stopped(c[1].cell), 1);
        wait_for(&c[1].asked);
        assert_true(c[1].stopped);
        assert_string_equal(c[1].why, "");

        start_one(c + 2, "default", "c");
        assert_int_equal(strv_append(&fake.listed, "kingly-c-0-1.scope active /"), 0);
        assert_int_equal(cell_ask_stopped(c[2].cell), 1);
        wait_for(&c[2].asked);
        assert_false(c[2].stopped);
        assert_string_equal(c[2].why, "");

        start_one(c + 3, "default", "d");
        fake.hold_back = true;
        assert_int_equal(cell_ask_stopped(c[3].cell), 1);
        assert_int_equal(cell_ask_stopped(c[3].cell), 1); /* one question for both */
        wait_for(&c[3].asked);
        assert_string_equal(c[3].why, "");
        for (unsigned k = 0; k < 4; k++)
                end(c + k);
}

static void test_live_limits(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = NULL;
        Child c;

        if (!cgroups)
                skip();
        spec = make_spec("default", "web");
        SCRIPT(ANSWER_DONE);
        begin(&c, spec, 1);
        wait_for(&c.placed);
        assert_int_equal(cell_apply(c.cell, spec, NULL), 0);
        wait_count(&fake.live, 1);
        assert_true(strv_contains(fake.seen, "MemoryMax")); /* what is unset is reset */
        assert_true(strv_contains(fake.seen, "IOWriteIOPSMax"));
        assert_false(strv_contains(fake.seen, "Slice"));
        /* Two while the answer is under way make one more call. */
        fake.hold_back = true;
        assert_int_equal(cell_apply(c.cell, spec, NULL), 0);
        wait_count(&fake.unanswered, 1);
        assert_int_equal(cell_apply(c.cell, spec, NULL), 0);
        settle();
        assert_int_equal(cell_apply(c.cell, spec, NULL), 0);
        settle();
        fake.hold_back = false;
        fake_go_on();
        wait_count(&fake.live, 3);
        settle();
        assert_int_equal(fake.live, 3);
        assert_false(c.limits_failed);
        fake.refuse_live = true;
        assert_int_equal(cell_apply(c.cell, spec, NULL), 0);
        wait_for(&c.limits_failed);
        assert_int_equal(c.error, -EINVAL);
        assert_string_equal(c.why, "Out of range.");
        end(&c);
}

static void test_names(void **state) {
        static const struct {
                const char *ns, *service, *slice, *unit;
        } names[] = {
                { "default", "web", "kingly.slice", "kingly-web-0-1.scope" },
                { "shop", "a-b", "kingly-shop.slice", "kingly-a-b-0-1.scope" },
                { "shop-eu-1", "x.y_z", "kingly-shop\\x2deu\\x2d1.slice", "kingly-x.y_z-0-1.scope" },
                { "other", "web", "kingly-other.slice", "kingly-web-0-1-other.scope" },   /* two of the same name at once */
        };
        Cell *cells[ARRAY_SIZE(names)] = {};

        for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
                _cleanup_(spec_freep) ServiceSpec *spec = make_spec(names[k].ns, names[k].service);
                CellName name = { .ns = spec->ns, .service = spec->name, .generation = 1 };

                assert_int_equal(cell_new(&si->isolate, &name, spec, NULL, cells + k, NULL), 0);
                assert_string_equal(SCOPE_CELL(cells[k])->slice, names[k].slice);
                assert_string_equal(cell_unit(cells[k]), names[k].unit);
                assert_string_equal(cell_where(cells[k]), names[k].unit);
        }
        for (size_t k = 0; k < ARRAY_SIZE(names); k++)
                cell_free(cells[k]);
}

static void test_names_too_long(void **state) {
        _cleanup_(spec_freep) ServiceSpec *spec = NULL;
        _cleanup_error_ KlError e = {};
        char ns[100];
        CellName name = { .ns = ns, .service = "web", .generation = 1 };
        Cell *cell = NULL;

        memset(ns, '-', sizeof(ns) - 1);
        ns[0] = 'x';
        ns[sizeof(ns) - 1] = '\0';
        spec = make_spec(ns, "web");
        assert_int_equal(cell_new(&si->isolate, &name, spec, NULL, &cell, &e), -ENAMETOOLONG);
        assert_string_equal(e.id, KL_E_INVALID);
}

/* ---- the program ---- */

static char direct;   /* in a test's state: at systemd's own socket, which does not say who speaks */

static int open_world(void **state) {
        int pair[2];

        fake = (typeof(fake)) {};
        assert_true(sd_event_new(&event) >= 0);
        si = calloc(1, sizeof(*si));
        assert_non_null(si);
        si->isolate = (Isolate) {
                .vtable = &isolate_scope_vtable,
                .options = { .event = sd_event_ref(event),
                             .events = { .placed = on_placed, .stopped = on_stopped, .asked = on_asked, .unlimited = on_unlimited } },
        };
        cgroups = cgroup_mount(&si->isolate.mount) >= 0;
        assert_int_equal(support_init(&si->isolate), 0);
        fake.root = cgroups ? text_printf("%s/kingly-test-%d", si->isolate.mount, (int) getpid()) : strdup("");
        cgroups = cgroups && cgroup_make(fake.root) >= 0;
        si->base = strdup(fake.root);
        si->cells = map_new_string();
        si->slices = map_new_string();
        si->looked = true;
        si->missing = 0;
        si->direct = state && *state == &direct;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        fake_open(pair[0]);
        assert_true(sd_bus_new(&si->bus) >= 0);
        assert_true(sd_bus_set_fd(si->bus, pair[1], pair[1]) >= 0 && sd_bus_set_anonymous(si->bus, true) >= 0);
        assert_true(sd_bus_negotiate_fds(si->bus, true) >= 0 && sd_bus_start(si->bus) >= 0);
        /* As an old systemd has it: processes by their numbers. */
        assert_int_equal(scope_properties_drop(si, &SD_BUS_ERROR_MAKE_CONST(SD_BUS_ERROR_UNKNOWN_PROPERTY, "Unknown PIDFDs")), 1);
        assert_int_equal(scope_bus_listen(si), 0);
        wait_for(&si->up);
        return 0;
}

static int close_world(void **state) {
        isolate_free(&si->isolate);
        if (cgroups)
                assert_int_equal(cgroup_remove(fake.root), 0);
        fake.bus = sd_bus_close_unref(fake.bus);
        strv_free(fake.started);
        strv_free(fake.told);
        strv_free(fake.seen);
        strv_free(fake.listed);
        for (unsigned k = 0; k < fake.unanswered; k++)
                sd_bus_message_unref(fake.held[k]);
        free(fake.root);
        event = sd_event_unref(event);
        return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
#define DIRECT(f) { #f " at systemd's own socket", f, open_world, close_world, &direct }

/* What an entry of the journal says of its writer. */
static void test_name_is_unit(void **state) {
        const CellName name = { .ns = "default", .service = "web", .instance = 0 }, shop = { .ns = "my-shop", .service = "web", .instance = 12 };

        assert_true(cell_name_is_unit(&name, "kingly-web-0-1.scope", "kingly.slice"));
        assert_true(cell_name_is_unit(&name, "kingly-web-0-77-0123abcd.scope", "kingly.slice"));
        assert_true(cell_name_is_unit(&shop, "kingly-web-12-1-my-shop.scope", "kingly-my\\x2dshop.slice"));
        assert_false(cell_name_is_unit(&name, "kingly-web-0-1.scope", "kingly-my\\x2dshop.slice"));
        assert_false(cell_name_is_unit(&name, "kingly-web-1-1.scope", "kingly.slice"));
        assert_false(cell_name_is_unit(&name, "kingly-web-0.scope", "kingly.slice"));
        assert_false(cell_name_is_unit(&name, "kingly-web-0-x.scope", "kingly.slice"));
        assert_false(cell_name_is_unit(&name, "session-3.scope", "user-0.slice"));
        assert_false(cell_name_is_unit(&name, "", ""));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_placed), TEST(test_name_taken_once), TEST(test_name_taken_twice), TEST(test_name_taken_where_we_live),
                TEST(test_name_of_another_now), TEST(test_property_is_dropped_and_named), TEST(test_property_that_is_needed),
                TEST(test_property_nobody_sent), TEST(test_job_that_fails),
                TEST(test_process_is_elsewhere), TEST(test_refusals),
                TEST(test_bus_is_full_for_a_moment), TEST(test_window), TEST(test_dies_with_the_answer_under_way), TEST(test_connection_that_breaks),
                TEST(test_signals_that_were_lost), TEST(test_stopped_by_a_job), TEST(test_asked_who_stopped_it), TEST(test_live_limits),
                TEST(test_names), TEST(test_names_too_long), DIRECT(test_job_that_fails), DIRECT(test_placed), DIRECT(test_connection_that_breaks),
                DIRECT(test_signals_that_were_lost), DIRECT(test_stopped_by_a_job), cmocka_unit_test(test_name_is_unit),
        };

        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
