/* Kind `session`, in both ways to find processes: by the kernel's lists of children, and over all of /proc. */
#include "isolate/session.h"

#include <sys/syscall.h>

#include "world.inc.h"

/* ---- descriptors that run out ---- */

static pid_t looked_at[2];    /* whose files are counted */
static unsigned opens_left;   /* until one of them fails; 0: none does */

static bool counts(const char *path) {
        const char *number = startswith(path, "/proc/");

        return number && (atoi(number) == looked_at[0] || atoi(number) == looked_at[1]);
}

#pragma GCC visibility push(default)
int openat(int dir, const char *path, int flags, ...) {
        assert_int_equal(flags & O_CREAT, 0);
        if (opens_left > 0 && counts(path) && --opens_left == 0) {
                errno = EMFILE;
                return -1;
        }
        return (int) syscall(SYS_openat, dir, path, flags);
}
#pragma GCC visibility pop

/* Runs the test once as the kernel is, once as if it had no CONFIG_PROC_CHILDREN. */
static void open_session(void **state) {
        world_open(&world, ISOLATE_SESSION);
        world.isolate->proc_scan = *state != NULL;
}

static int scan_all(void **state) {
        *state = &world;
        return 0;
}

static int scan_children(void **state) {
        *state = NULL;
        return 0;
}

static void test_kind(void **state) {
        World *w = &world;
        Child ch;

        open_session(state);
        assert_int_equal(isolate_kind(w->isolate), ISOLATE_SESSION);
        assert_false(isolate_gated(w->isolate));
        cell_start(w, &ch, "shop", "web", "sleep");
        assert_int_equal(read_pid(ch.out), ch.ref.pid);
        assert_int_equal(cell_cgroup_fd(ch.cell), -EBADF);
        assert_null(cell_cgroup(ch.cell));
        assert_null(cell_unit(ch.cell));
        assert_string_equal(cell_where(ch.cell), ch.invocation);
        assert_true(((SessionCell *) ch.cell)->since == ch.ref.start_time);
        assert_int_equal(pids_first(ch.cell), ch.ref.pid);
        assert_true(cell_owns(ch.cell, ch.ref.pid));
        assert_false(cell_owns(ch.cell, getpid()));
        main_end(&ch);
        assert_int_equal(cell_populated(ch.cell), 0);
        assert_int_equal(pids_first(ch.cell), 0);
        assert_return_code(cell_clean(ch.cell), 0);
        child_done(&ch);
}

/* Whoever says another pid than main's, of a child that says two. */
static pid_t read_other_pid(Child *ch) {
        pid_t pid = read_pid(ch->out);

        return pid == ch->ref.pid ? read_pid(ch->out) : pid;
}

static void end_of_a_left_over(void **state, const char *act) {
        World *w = &world;
        _cleanup_pidref_ PidRef left = PIDREF_NULL;
        Child ch;

        open_session(state);
        cell_start(w, &ch, "shop", "web", act);
        left = ref_to(read_other_pid(&ch));
        assert_true(pids_have(ch.cell, left.pid));
        assert_true(cell_owns(ch.cell, left.pid));
        main_end(&ch);
        assert_int_equal(cell_populated(ch.cell), 1);
        assert_true(cell_owns(ch.cell, left.pid));
        assert_int_equal(pids_first(ch.cell), left.pid);
        assert_return_code(cell_watch_empty(ch.cell), 0);
        turn(w);
        assert_int_equal(w->n_empty, 0);
        assert_true(pidref_alive(&left));
        assert_return_code(cell_kill(ch.cell), 0);
        await_empty(w, 1);
        assert_false(pidref_alive(&left));
        turn(w);
        assert_int_equal(w->n_empty, 1);
        child_done(&ch);
}

static void test_daemonised_is_ended(void **state) {
        end_of_a_left_over(state, "daemonise");
}

static void test_cleared_environment(void **state) {
        end_of_a_left_over(state, "clear");
}

static void test_signal_reaches_all(void **state) {
        World *w = &world;
        PidRef refs[3] = { PIDREF_NULL, PIDREF_NULL, PIDREF_NULL };
        Child ch;

        open_session(state);
        cell_start(w, &ch, "shop", "web", "family");
        for (size_t k = 0; k < 3; k++)
                refs[k] = ref_to(read_pid(ch.out));
        assert_return_code(cell_signal(ch.cell, SIGTERM), 0);
        for (size_t k = 0; k < 3; k++) {
                await_end(refs + k);
                pidref_done(refs + k);
        }
        world_reap_all();
        assert_int_equal(cell_populated(ch.cell), 0);
        child_done(&ch);
}

/* What is left goes one after the other: empty is said after the last, once. */
static void test_watch_follows(void **state) {
        World *w = &world;
        PidRef left[2] = { PIDREF_NULL, PIDREF_NULL };
        size_t n = 0;
        Child ch;

        open_session(state);
        cell_start(w, &ch, "shop", "web", "family");
        for (size_t k = 0; k < 3; k++) {
                pid_t pid = read_pid(ch.out);

                if (pid != ch.ref.pid)
                        left[n++] = ref_to(pid);
        }
        assert_int_equal(n, 2);
        main_end(&ch);
        assert_return_code(cell_watch_empty(ch.cell), 0);
        for (size_t k = 0; k < 2; k++) {
                turn(w);
                assert_int_equal(w->n_empty, 0);
                assert_return_code(pidref_signal(left + k, SIGKILL), 0);
                await_end(left + k);
                pidref_done(left + k);
        }
        await_empty(w, 1);
        child_done(&ch);
}

static void test_watch_of_empty_is_deferred(void **state) {
        World *w = &world;
        Child ch;

        open_session(state);
        cell_start(w, &ch, "shop", "web", "sleep");
        read_pid(ch.out);
        main_end(&ch);
        assert_return_code(cell_watch_empty(ch.cell), 0);
        assert_int_equal(w->n_empty, 0);
        await_empty(w, 1);
        child_done(&ch);
}

static void test_runaway_is_caught(void **state) {
        World *w = &world;
        Child ch;

        open_session(state);
        cell_start(w, &ch, "shop", "web", "runaway");
        read_pid(ch.out);
        main_reap(&ch);
        assert_return_code(cell_watch_empty(ch.cell), 0);
        /* A chain of processes that live for microseconds may slip through the twenty passes; the manager asks again, and so do we. */
        for (unsigned k = 0; k < 100 && cell_populated(ch.cell) > 0; k++)
                assert_return_code(cell_kill(ch.cell), 0);
        await_empty(w, 1);
        child_done(&ch);
}

static void test_others_are_left_alone(void **state) {
        World *w = &world;
        Child ch, other, foreign;
        pid_t orphan;

        open_session(state);
        cell_start(w, &ch, "shop", "web", "daemonise");
        cell_start(w, &other, "shop", "web", "daemonise");
        read_other_pid(&ch);
        orphan = read_other_pid(&other);
        foreign_start(&foreign);
        read_pid(foreign.out);
        assert_false(cell_owns(ch.cell, orphan));
        assert_false(cell_owns(ch.cell, other.ref.pid));
        assert_false(cell_owns(ch.cell, foreign.ref.pid));
        assert_true(cell_owns(other.cell, orphan));
        assert_return_code(cell_kill(ch.cell), 0);
        main_reap(&ch);
        assert_true(pidref_alive(&other.ref));
        assert_true(pidref_alive(&foreign.ref));
        assert_true(pids_have(other.cell, orphan));
        main_end(&other);
        assert_int_equal(cell_populated(other.cell), 1);
        assert_return_code(cell_kill(other.cell), 0);
        assert_true(pidref_alive(&foreign.ref));
        main_end(&foreign);
        child_done(&foreign);
        child_done(&ch);
        child_done(&other);
}

/* Numbers alone claim nobody. */
static void test_claims(void **state) {
        SessionCell sc = { .cell = { .where = (char *) "aa", .main = { .pid = INT_MAX, .fd = -EBADF, .start_time = 100 } } };
        ProcessStat in_session = { .session = INT_MAX, .pgid = 1, .start_time = 200, .state = 'S' };
        ProcessStat in_group = { .session = 1, .pgid = INT_MAX, .start_time = 200, .state = 'S' };
        ProcessStat elsewhere = { .session = 1, .pgid = 1, .start_time = 200, .state = 'S' };
        ProcessStat older = { .session = INT_MAX, .pgid = INT_MAX, .start_time = 99, .state = 'S' };

        assert_true(session_claims(&sc, &in_session, ""));
        assert_true(session_claims(&sc, &in_group, ""));
        assert_true(session_claims(&sc, &elsewhere, "aa"));
        assert_false(session_claims(&sc, &elsewhere, ""));
        assert_false(session_claims(&sc, &elsewhere, "bb"));
        /* Main is dead, its number may be another's session now. */
        assert_false(session_claims(&sc, &in_session, "bb"));
        /* Who was named as main later is younger than others of the run. */
        assert_true(session_claims(&sc, &older, "aa"));
        assert_false(session_claims(&sc, &older, ""));
        /* Before a run has an invocation, none matches the absence of one. */
        sc.cell.where = (char *) "";
        assert_false(session_claims(&sc, &elsewhere, ""));
}

/* A pid that is main's for a second cell, while the first has not been told that its own is gone. */
static void test_main_number_used_again(void **state) {
        World *w = &world;
        CellName name = { .ns = "shop", .service = "old", .generation = 7 };
        char invocation[33];
        Cell *old;
        Child ch;
        PidRef stale;

        open_session(state);
        cell_start(w, &ch, "shop", "web", "sleep");
        read_pid(ch.out);
        new_invocation(invocation);
        stale = (PidRef) { .pid = ch.ref.pid, .fd = -EBADF, .start_time = ch.ref.start_time - 1 };
        assert_return_code(cell_new(w->isolate, &name, w->spec, NULL, &old, NULL), 0);
        assert_return_code(cell_place(old, &stale, invocation), 0);
        assert_return_code(cell_place(ch.cell, &ch.ref, ch.invocation), 0);
        assert_int_equal(cell_populated(old), 0);
        assert_return_code(cell_signal(old, SIGKILL), 0);
        assert_return_code(cell_kill(old), 0);
        old = cell_free(old);
        assert_true(pidref_alive(&ch.ref));
        assert_int_equal(cell_populated(ch.cell), 1);
        main_end(&ch);
        child_done(&ch);
}

static void test_adopt(void **state) {
        World *w = &world;
        Child ch;
        Cell *c = NULL;
        pid_t orphan;

        open_session(state);
        cell_start(w, &ch, "shop", "web", "daemonise");
        orphan = read_other_pid(&ch);
        ch.cell = cell_free(ch.cell);
        w->isolate = isolate_free(w->isolate);
        assert_true(pidref_alive(&ch.ref));

        world_isolate(w);
        w->isolate->proc_scan = *state != NULL;
        assert_return_code(cell_adopt(w->isolate, &ch.name, ch.invocation, &ch.ref, &ch, &ch.cell), 0);
        assert_int_equal(pids_first(ch.cell), ch.ref.pid);
        assert_true(pids_have(ch.cell, orphan));

        /* Main ended while nobody was there; what it left is still the cell's. */
        ch.cell = cell_free(ch.cell);
        main_end(&ch);
        assert_return_code(cell_adopt(w->isolate, &ch.name, ch.invocation, &ch.ref, &ch, &ch.cell), 0);
        assert_int_equal(cell_populated(ch.cell), 1);
        assert_return_code(cell_watch_empty(ch.cell), 0);
        assert_return_code(cell_kill(ch.cell), 0);
        await_empty(w, 1);
        assert_int_equal(cell_adopt(w->isolate, &ch.name, ch.invocation, &ch.ref, &ch, &c), -ENOENT);
        assert_null(c);
        child_done(&ch);
}

static void test_usage(void **state) {
        World *w = &world;
        Child ch, family;
        Usage u;

        open_session(state);
        cell_start(w, &ch, "shop", "web", "busy");
        read_pid(ch.out);
        assert_return_code(cell_usage(ch.cell, false, &u), 0);
        assert_int_equal(u.cpu_source, USAGE_PROC);
        assert_in_range(u.cpu_usec, 50 * USEC_PER_MSEC, 20 * USEC_PER_SEC);
        assert_in_range(u.memory, 30u << 20, 2048u << 20);
        assert_int_equal(u.memory_source, USAGE_PROC);
        assert_int_equal(u.tasks, 1);
        assert_true(u.io_read == USAGE_UNKNOWN);
        assert_return_code(cell_usage(ch.cell, true, &u), 0);
        assert_int_equal(u.io_source, USAGE_PROC);
        assert_true(u.oom_kills == USAGE_UNKNOWN);
        assert_int_equal(u.cpu_pressure, UINT32_MAX);

        cell_start(w, &family, "shop", "family", "family");
        for (size_t k = 0; k < 3; k++)
                read_pid(family.out);
        assert_return_code(cell_usage(family.cell, false, &u), 0);
        assert_int_equal(u.tasks, 3);
        assert_return_code(cell_kill(family.cell), 0);
        main_end(&ch);
        child_done(&ch);
        child_done(&family);
}

/* Whichever look at a process fails, nobody is said to be gone who is not. */
static void test_descriptors_run_out(void **state) {
        World *w = &world;
        _cleanup_pidref_ PidRef left = PIDREF_NULL;
        unsigned nth = 0, failed = 0;
        Child ch;

        open_session(state);
        cell_start(w, &ch, "shop", "web", "daemonise");
        left = ref_to(read_other_pid(&ch));
        looked_at[0] = ch.ref.pid;
        looked_at[1] = left.pid;
        for (unsigned dead = 0; dead < 2; dead++) {
                for (bool reached = true; reached;) {
                        int populated;

                        opens_left = ++nth;
                        populated = cell_populated(ch.cell);
                        reached = opens_left == 0;
                        opens_left = 0;
                        assert_true(populated == 1 || populated == -EMFILE);
                        failed += populated < 0;
                }
                nth = 0;
                for (bool reached = true; reached;) {
                        _cleanup_free_ pid_t *pids = NULL;
                        size_t n = 0;
                        int r;

                        opens_left = ++nth;
                        r = ch.cell->vtable->cell_pids(ch.cell, &pids, &n);
                        reached = opens_left == 0;
                        opens_left = 0;
                        assert_true(r == -EMFILE || (r >= 0 && n == 2 - dead));
                        failed += r < 0;
                }
                nth = 0;
                if (dead == 0)
                        main_end(&ch);
        }
        assert_in_range(failed, 4, 1000);
        assert_return_code(cell_kill(ch.cell), 0);
        await_end(&left);
        world_reap_all();
        child_done(&ch);
}

static void test_limits_are_refused_by_name(void **state) {
        World *w = &world;
        _cleanup_strv_ char **l = NULL;
        size_t n;

        open_session(state);
        w->spec->limits.memory_max = 1u << 20;
        w->spec->limits.cpu = 50;
        w->spec->limits.rlimit[0] = 100;
        w->spec->priority.nice = 3;
        l = isolate_unenforced(w->isolate, w->spec);
        assert_int_equal(strv_length(l), 2);
        STRV_FOREACH(s, l)
                assert_true(startswith(*s, "limits.memory_max: ") || startswith(*s, "limits.cpu: "));
        assert_non_null(isolate_support(w->isolate, &n));
        assert_true(n > 10);
}

#define TEST(f) { #f " (children)", f, scan_children, world_close, NULL }, { #f " (all of /proc)", f, scan_all, world_close, NULL }

int main(int argc, char **argv) {
        static const struct CMUnitTest tests[] = {
                TEST(test_kind), TEST(test_daemonised_is_ended), TEST(test_cleared_environment), TEST(test_signal_reaches_all), TEST(test_watch_follows),
                TEST(test_watch_of_empty_is_deferred), TEST(test_runaway_is_caught), TEST(test_others_are_left_alone), TEST(test_main_number_used_again),
                TEST(test_adopt), TEST(test_usage), TEST(test_descriptors_run_out), TEST(test_limits_are_refused_by_name), cmocka_unit_test(test_claims),
        };
        int r = play(argc, argv);

        return r >= 0 ? r : cmocka_run_group_tests(tests, NULL, NULL);
}
