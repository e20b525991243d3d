/* Kind `cgroup` against the kernel's own cgroup v2: needs a hierarchy that this process may write. */
#include "world.inc.h"

static char *root_of(World *w) {
        char *root = text_printf("%s%s/kingly-%s", w->isolate->mount, streq(w->cgroup, "/") ? "" : w->cgroup, w->home_id);

        assert_non_null(root);
        return root;
}

static void assert_absent(const char *path) {
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(errno, ENOENT);
}

static void clean(Child *ch) {
        assert_return_code(cell_clean(ch->cell), 0);
        child_done(ch);
}

static void test_new_and_free(void **state) {
        World *w = &world;
        _cleanup_free_ char *root = NULL, *path = NULL;

        world_open(w, ISOLATE_CGROUP);
        root = root_of(w);
        assert_int_equal(isolate_kind(w->isolate), ISOLATE_CGROUP);
        assert_false(isolate_gated(w->isolate));
        assert_int_equal(access(root, F_OK), 0);
        w->isolate = isolate_free(w->isolate);
        assert_absent(root);
        assert_return_code(process_cgroup(getpid(), &path), 0);
        assert_string_equal(path, w->cgroup); /* even if it had to move out of the way meanwhile */
}

static void test_born_in_place(void **state) {
        World *w = &world;
        _cleanup_free_ char *root = NULL, *dir = NULL, *path = NULL;
        Child ch;

        world_open(w, ISOLATE_CGROUP);
        root = root_of(w);
        cell_start(w, &ch, "shop", "web", "sleep");
        read_pid(ch.out);
        dir = text_printf("%s/ns-shop/web-0-1", root);
        assert_string_equal(cell_where(ch.cell), dir);
        assert_string_equal(cell_cgroup(ch.cell), dir);
        assert_null(cell_unit(ch.cell));
        assert_ptr_equal(cell_userdata(ch.cell), &ch);
        assert_return_code(process_cgroup(ch.ref.pid, &path), 0);
        assert_string_equal(path, dir + strlen(w->isolate->mount));
        assert_int_equal(pids_first(ch.cell), ch.ref.pid);
        assert_true(cell_owns(ch.cell, ch.ref.pid));
        assert_false(cell_owns(ch.cell, getpid()));
        assert_int_equal(cell_populated(ch.cell), 1);

        main_end(&ch);
        assert_int_equal(cell_populated(ch.cell), 0);
        assert_return_code(cell_signal(ch.cell, SIGTERM), 0);
        clean(&ch);
        assert_absent(dir);
}

/* The case no peer handles: main is gone, a daemonised grandchild lives. */
static void test_daemonised_is_ended(void **state) {
        World *w = &world;
        _cleanup_pidref_ PidRef left = PIDREF_NULL;
        Child ch;
        pid_t pid;

        world_open(w, ISOLATE_CGROUP);
        cell_start(w, &ch, "shop", "web", "daemonise");
        pid = read_pid(ch.out);
        if (pid == ch.ref.pid)
                pid = read_pid(ch.out);
        left = ref_to(pid);
        main_end(&ch);
        assert_int_equal(cell_populated(ch.cell), 1);
        assert_true(cell_owns(ch.cell, pid));
        assert_return_code(cell_watch_empty(ch.cell), 0);
        turn(w);
        assert_int_equal(w->n_empty, 0);
        assert_return_code(cell_kill(ch.cell), 0);
        await_empty(w, 1);
        assert_ptr_equal(w->last_empty, ch.cell);
        assert_false(pidref_alive(&left));
        /* Said once, whatever is asked for again. */
        assert_return_code(cell_watch_empty(ch.cell), 0);
        turn(w);
        assert_int_equal(w->n_empty, 1);
        clean(&ch);
}

/* A control process beside the main one: counted with it, ended without it, with all that it started. */
static void test_beside(void **state) {
        World *w = &world;
        _cleanup_pidref_ PidRef left = PIDREF_NULL;
        Cell *adopted;
        Child ch, hook = { .ref = PIDREF_NULL };
        pid_t pid;

        world_open(w, ISOLATE_CGROUP);
        cell_start(w, &ch, "shop", "web", "sleep");
        read_pid(ch.out);
        assert_return_code(cell_new_beside(ch.cell, 7, NULL, &hook.cell), 0);
        new_invocation(hook.invocation);
        child_start(&hook, "daemonise", cell_cgroup_fd(hook.cell));
        assert_return_code(cell_place(hook.cell, &hook.ref, hook.invocation), 0);
        pid = read_pid(hook.out);
        if (pid == hook.ref.pid)
                pid = read_pid(hook.out);
        left = ref_to(pid);
        assert_true(cell_owns(ch.cell, pid) && cell_owns(hook.cell, pid));
        assert_false(cell_owns(hook.cell, ch.ref.pid));
        main_end(&hook);
        assert_int_equal(cell_populated(hook.cell), 1);
        assert_return_code(cell_kill(hook.cell), 0);
        await_end(&left);
        assert_true(pidref_alive(&ch.ref));
        clean(&hook);

        /* What a dead manager had beside a run does not outlive it. */
        assert_return_code(cell_new_beside(ch.cell, 8, NULL, &hook.cell), 0);
        child_start(&hook, "sleep", cell_cgroup_fd(hook.cell));
        read_pid(hook.out);
        assert_return_code(cell_adopt(w->isolate, &ch.name, cell_where(ch.cell), &ch.ref, NULL, &adopted), 0);
        await_end(&hook.ref);
        main_reap(&hook);
        assert_true(pidref_alive(&ch.ref));
        cell_free(adopted);
        child_done(&hook);
        main_end(&ch);
        clean(&ch);
}

static void test_signal_reaches_all(void **state) {
        World *w = &world;
        PidRef refs[3] = { PIDREF_NULL, PIDREF_NULL, PIDREF_NULL };
        Child ch;

        world_open(w, ISOLATE_CGROUP);
        cell_start(w, &ch, "shop", "web", "family");
        for (size_t k = 0; k < 3; k++)
                refs[k] = ref_to(read_pid(ch.out));
        assert_return_code(cell_signal(ch.cell, SIGTERM), 0);
        for (size_t k = 0; k < 3; k++) {
                await_end(refs + k);
                pidref_done(refs + k);
        }
        main_reap(&ch);
        assert_int_equal(cell_populated(ch.cell), 0);
        clean(&ch);
}

static void test_watch_of_empty_is_deferred(void **state) {
        World *w = &world;
        Child ch;

        world_open(w, ISOLATE_CGROUP);
        cell_start(w, &ch, "shop", "web", "sleep");
        read_pid(ch.out);
        main_end(&ch);
        assert_return_code(cell_watch_empty(ch.cell), 0);
        assert_int_equal(w->n_empty, 0); /* never from inside a call */
        await_empty(w, 1);
        clean(&ch);
}

/* As when systemd removes the directory of a scope under our hands. */
static void test_removed_from_outside(void **state) {
        World *w = &world;
        Usage u;
        Child ch;

        world_open(w, ISOLATE_CGROUP);
        cell_start(w, &ch, "shop", "web", "sleep");
        read_pid(ch.out);
        assert_return_code(cell_watch_empty(ch.cell), 0);
        main_end(&ch);
        assert_int_equal(rmdir(cell_cgroup(ch.cell)), 0);
        await_empty(w, 1);
        assert_int_equal(cell_populated(ch.cell), 0);
        assert_return_code(cell_signal(ch.cell, SIGTERM), 0);
        assert_return_code(cell_kill(ch.cell), 0);
        assert_return_code(cell_usage(ch.cell, true, &u), 0);
        assert_int_equal(pids_first(ch.cell), 0);
        clean(&ch);
}

/* Where the user's inotify limits are used up, pidfds do the same. */
static void test_watch_by_members(void **state) {
        World *w = &world;
        Child ch;

        world_open(w, ISOLATE_CGROUP);
        cell_start(w, &ch, "shop", "web", "family");
        for (size_t k = 0; k < 3; k++)
                read_pid(ch.out);
        assert_return_code(cell_watch_members(ch.cell), 0);
        main_end(&ch);
        turn(w);
        assert_int_equal(w->n_empty, 0);
        assert_return_code(cell_kill(ch.cell), 0);
        await_empty(w, 1);
        clean(&ch);
}

static void test_runaway_is_caught(void **state) {
        World *w = &world;
        Child ch;

        world_open(w, ISOLATE_CGROUP);
        cell_start(w, &ch, "shop", "web", "runaway");
        read_pid(ch.out);
        main_reap(&ch);
        assert_return_code(cell_watch_empty(ch.cell), 0);
        assert_return_code(cell_kill(ch.cell), 0);
        await_empty(w, 1);
        assert_int_equal(cell_populated(ch.cell), 0);
        clean(&ch);
}

static void test_names_of_kernel_files(void **state) {
        static const char *const names[][2] = {
                { "cgroup.procs", "cgroup.procs" }, { "supervisor", "supervisor" }, { "probe", "memory.max" }, { "a-0-1", "b-0-1" }, { "default", "x" },
        };
        World *w = &world;

        world_open(w, ISOLATE_CGROUP);
        for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
                Child ch;

                cell_start(w, &ch, names[k][0], names[k][1], "sleep");
                read_pid(ch.out);
                assert_true(cell_owns(ch.cell, ch.ref.pid));
                main_end(&ch);
                clean(&ch);
        }
}

static void test_bad_names_are_refused(void **state) {
        static const char *const names[] = { "../x", "", ".hidden", "a/b", "a..b" };
        World *w = &world;

        world_open(w, ISOLATE_CGROUP);
        for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
                CellName service = { .ns = "shop", .service = names[k], .generation = 1 }, ns = { .ns = names[k], .service = "web", .generation = 1 };
                _cleanup_error_ KlError e = {};
                Cell *c = NULL;

                assert_int_equal(cell_new(w->isolate, &service, w->spec, NULL, &c, &e), -EINVAL);
                assert_int_equal(cell_new(w->isolate, &ns, w->spec, NULL, &c, NULL), -EINVAL);
                assert_null(c);
                assert_non_null(e.message);
        }
}

/* The daemon goes and comes again; the services live on. */
static void test_adopt(void **state) {
        World *w = &world;
        _cleanup_free_ char *where = NULL, *root = NULL, *empty_where = NULL;
        Child ch, gone;
        Cell *c;

        world_open(w, ISOLATE_CGROUP);
        root = root_of(w);
        cell_start(w, &ch, "shop", "web", "family");
        for (size_t k = 0; k < 3; k++)
                read_pid(ch.out);
        cell_start(w, &gone, "blog", "web", "sleep");
        main_end(&gone);
        where = strdup(cell_where(ch.cell));
        empty_where = strdup(cell_where(gone.cell));
        ch.cell = cell_free(ch.cell);
        child_done(&gone);
        w->isolate = isolate_free(w->isolate);
        assert_true(pidref_alive(&ch.ref));
        assert_absent(empty_where);

        world_isolate(w);
        assert_return_code(cell_adopt(w->isolate, &ch.name, where, &ch.ref, &ch, &ch.cell), 0);
        assert_string_equal(cell_where(ch.cell), where);
        assert_int_equal(pids_first(ch.cell), ch.ref.pid);
        assert_int_equal(cell_adopt(w->isolate, &gone.name, empty_where, &gone.ref, NULL, &c), -ENOENT);
        assert_int_equal(cell_adopt(w->isolate, &gone.name, w->isolate->mount, &gone.ref, NULL, &c), -ENOENT);
        assert_int_equal(cell_adopt(w->isolate, &gone.name, "/tmp", &gone.ref, NULL, &c), -ENOENT);
        assert_return_code(cell_watch_empty(ch.cell), 0);
        assert_return_code(cell_kill(ch.cell), 0);
        await_empty(w, 1);
        clean(&ch);
        w->isolate = isolate_free(w->isolate);
        assert_absent(root);
}

/* A generation that is used again finds its directory taken while something lives there. */
static void test_taken_directory(void **state) {
        World *w = &world;
        _cleanup_error_ KlError e = {};
        Cell *c = NULL;
        Child ch;

        world_open(w, ISOLATE_CGROUP);
        cell_start(w, &ch, "shop", "web", "sleep");
        read_pid(ch.out);
        assert_int_equal(cell_new(w->isolate, &ch.name, w->spec, NULL, &c, &e), -EEXIST);
        assert_non_null(strstr(e.message, "processes"));
        main_end(&ch);
        assert_return_code(cell_new(w->isolate, &ch.name, w->spec, NULL, &c, NULL), 0);
        cell_free(c);
        clean(&ch);
}

static void test_others_are_left_alone(void **state) {
        World *w = &world;
        Child ch, other, foreign;

        world_open(w, ISOLATE_CGROUP);
        cell_start(w, &ch, "shop", "web", "sleep");
        cell_start(w, &other, "shop", "web-2", "sleep");
        foreign_start(&foreign);
        read_pid(ch.out);
        read_pid(other.out);
        read_pid(foreign.out);
        assert_false(cell_owns(ch.cell, other.ref.pid));
        assert_false(cell_owns(ch.cell, foreign.ref.pid));
        assert_return_code(cell_signal(ch.cell, SIGTERM), 0);
        assert_return_code(cell_kill(ch.cell), 0);
        main_reap(&ch);
        assert_true(pidref_alive(&other.ref));
        assert_true(pidref_alive(&foreign.ref));
        clean(&ch);
        main_end(&other);
        clean(&other);
        main_end(&foreign);
        child_done(&foreign);
}

static void test_usage(void **state) {
        World *w = &world;
        Usage u, detail;
        Child ch;

        world_open(w, ISOLATE_CGROUP);
        cell_start(w, &ch, "shop", "web", "busy");
        read_pid(ch.out);
        assert_return_code(cell_usage(ch.cell, false, &u), 0);
        assert_int_equal(u.cpu_source, USAGE_CGROUP);
        assert_in_range(u.cpu_usec, 60 * USEC_PER_MSEC, 20 * USEC_PER_SEC);
        assert_in_range(u.memory, 30u << 20, 2048u << 20);
        assert_int_equal(u.memory_source, w->isolate->controllers & CGROUP_MEMORY ? USAGE_CGROUP : USAGE_PROC);
        assert_int_equal(u.tasks, 1);
        assert_true(u.io_read == USAGE_UNKNOWN);

        assert_return_code(cell_usage(ch.cell, true, &detail), 0);
        assert_true(detail.cpu_usec >= u.cpu_usec);
        assert_int_not_equal(detail.io_source, USAGE_NONE);
        if (!(w->isolate->controllers & CGROUP_MEMORY)) {
                assert_true(detail.oom_kills == USAGE_UNKNOWN);
                assert_int_equal(detail.memory_peak_source, USAGE_NONE);
        } else
                assert_int_equal(detail.oom_kills, 0);
        main_end(&ch);
        clean(&ch);
}

/* Processes in cgroups that the service made for itself count, are signalled, and are ended. */
static void test_nested_cgroups(void **state) {
        World *w = &world;
        _cleanup_free_ char *inner = NULL;
        Usage u;
        Child ch;

        world_open(w, ISOLATE_CGROUP);
        cell_start(w, &ch, "shop", "web", "busy");
        read_pid(ch.out);
        inner = text_printf("%s/inner", cell_cgroup(ch.cell));
        assert_return_code(cgroup_make(inner), 0);
        assert_return_code(cgroup_attach(inner, ch.ref.pid), 0);
        assert_true(cell_owns(ch.cell, ch.ref.pid));
        assert_true(pids_have(ch.cell, ch.ref.pid));
        assert_return_code(cell_usage(ch.cell, false, &u), 0);
        assert_in_range(u.memory, 30u << 20, 2048u << 20);
        assert_int_equal(u.tasks, 1);
        assert_return_code(cell_kill(ch.cell), 0);
        main_reap(&ch);
        clean(&ch);
}

static void test_unenforced_are_named(void **state) {
        World *w = &world;
        _cleanup_strv_ char **l = NULL, **report = NULL;
        bool memory;

        world_open(w, ISOLATE_CGROUP);
        memory = w->isolate->controllers & CGROUP_MEMORY;
        w->spec->limits.memory_max = 64u << 20;
        w->spec->priority.nice = 5;
        l = isolate_unenforced(w->isolate, w->spec);
        assert_int_equal(strv_length(l), memory ? 0 : 1);
        if (!memory)
                assert_non_null(startswith(l[0], "limits.memory_max: "));
        report = isolate_report(w->isolate);
        assert_true(strv_length(report) > 0);
        STRV_FOREACH(s, report)
                print_message("%s\n", *s);
}

static void assert_limit(World *w, Cell *c, const char *key, const char *file, const char *expected) {
        _cleanup_strv_ char **unenforced = isolate_unenforced(w->isolate, w->spec);
        _cleanup_free_ char *path = path_join(cell_cgroup(c), file), *text = NULL;
        bool named = false;

        STRV_FOREACH(s, unenforced)
                named = named || startswith(*s, key);
        assert_int_equal(named, !support_has(w->isolate, key));
        if (named)
                return;
        assert_return_code(read_file_at(AT_FDCWD, path, 4096, &text, NULL), 0);
        assert_string_equal(text, expected);
}

/* Every limit is either in the kernel's file or named as not enforced. */
static void test_limits_in_force(void **state) {
        World *w = &world;
        _cleanup_error_ KlError e = {};
        Usage u;
        Child ch;

        world_open(w, ISOLATE_CGROUP);
        w->spec->limits.memory_max = 128u << 20;
        w->spec->limits.memory_high = 96u << 20;
        w->spec->limits.tasks = 16;
        w->spec->limits.cpu = 150;
        w->spec->priority.cpu_weight = 50;
        w->spec->priority.io_weight = 70;
        cell_start(w, &ch, "shop", "web", "sleep");
        read_pid(ch.out);
        assert_limit(w, ch.cell, "limits.memory_max", "memory.max", "134217728\n");
        assert_limit(w, ch.cell, "limits.memory_high", "memory.high", "100663296\n");
        assert_limit(w, ch.cell, "limits.tasks", "pids.max", "16\n");
        assert_limit(w, ch.cell, "limits.cpu", "cpu.max", "150000 100000\n");
        assert_limit(w, ch.cell, "priority.cpu_weight", "cpu.weight", "50\n");
        assert_limit(w, ch.cell, "priority.io_weight", "io.weight", "default 70\n");

        w->spec->limits.memory_max = 256u << 20;
        w->spec->limits.cpu = 20;
        assert_return_code(cell_apply(ch.cell, w->spec, &e), 0);
        assert_limit(w, ch.cell, "limits.memory_max", "memory.max", "268435456\n");
        assert_limit(w, ch.cell, "limits.cpu", "cpu.max", "20000 100000\n");
        assert_return_code(cell_usage(ch.cell, true, &u), 0);
        assert_int_equal(u.memory_source, support_has(w->isolate, "limits.memory_max") ? USAGE_CGROUP : USAGE_PROC);
        assert_int_equal(u.tasks_source, support_has(w->isolate, "limits.tasks") ? USAGE_CGROUP : USAGE_PROC);
        main_end(&ch);
        clean(&ch);
}

/* More processes than allowed are not to be had. Where pids is not in force the run has them all. */
static void test_task_limit_holds(void **state) {
        World *w = &world;
        Child ch;
        Usage u;

        world_open(w, ISOLATE_CGROUP);
        w->spec->limits.tasks = 2;
        cell_start(w, &ch, "shop", "web", "family");
        for (size_t k = 0; k < 3; k++)
                read_pid(ch.out);
        assert_return_code(cell_usage(ch.cell, false, &u), 0);
        assert_int_equal(u.tasks, support_has(w->isolate, "limits.tasks") ? 2 : 3);
        assert_return_code(cell_kill(ch.cell), 0);
        main_reap(&ch);
        world_reap_all();
        clean(&ch);
}

#define TEST(f) cmocka_unit_test_teardown(f, world_close)

int main(int argc, char **argv) {
        static const struct CMUnitTest tests[] = {
                TEST(test_new_and_free),         TEST(test_born_in_place),      TEST(test_beside), TEST(test_daemonised_is_ended),   TEST(test_signal_reaches_all),
                TEST(test_watch_of_empty_is_deferred), TEST(test_removed_from_outside), TEST(test_watch_by_members), TEST(test_runaway_is_caught),
                TEST(test_names_of_kernel_files), TEST(test_bad_names_are_refused), TEST(test_adopt),            TEST(test_taken_directory),
                TEST(test_others_are_left_alone), TEST(test_usage),             TEST(test_nested_cgroups),       TEST(test_unenforced_are_named),
                TEST(test_limits_in_force),      TEST(test_task_limit_holds),
        };
        int r = play(argc, argv);

        return r >= 0 ? r : cmocka_run_group_tests(tests, NULL, NULL);
}
