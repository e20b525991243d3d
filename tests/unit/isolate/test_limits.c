/* A specification as cgroup files, against a directory of plain files; devices; live priorities; the support table. */
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "world.inc.h"
#include "../seed.inc.h"

/* ---- a cgroup of plain files ---- */

static const char *const files[] = { "memory.high", "memory.max", "memory.swap.max", "cpu.max", "pids.max", "cpu.weight", "io.weight", "io.max" };

static char dir[64];
static Isolate plain;

static int open_directory(void **state) {
        strcpy(dir, "/tmp/kingly-limits-XXXXXX");
        assert_non_null(mkdtemp(dir));
        plain = (Isolate) {};
        assert_return_code(support_init(&plain), 0);
        assert_return_code(spec_new("shop", "web", &world.spec), 0);
        return 0;
}

/* Writes do not truncate, as those to a cgroup file do not: every look begins with empty files. */
static void empty_files(void) {
        for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
                _cleanup_free_ char *path = path_join(dir, files[k]);

                assert_return_code(write_file_atomic(path, "", 0, 0600), 0);
        }
}

static int close_directory(void **state) {
        for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
                _cleanup_free_ char *path = path_join(dir, files[k]);

                unlink(path);
        }
        rmdir(dir);
        free(plain.support);
        strv_free(plain.reasons);
        strv_free(plain.report);
        world.spec = spec_free(world.spec);
        return 0;
}

static void assert_file(const char *name, const char *expected) {
        _cleanup_free_ char *path = path_join(dir, name), *text = NULL;

        assert_return_code(read_file_at(AT_FDCWD, path, 4096, &text, NULL), 0);
        assert_string_equal(text, expected);
}

static void apply(bool live) {
        _cleanup_error_ KlError e = {};

        empty_files();
        if (limits_write(&plain, dir, world.spec, live, &e) < 0)
                fail_msg("%s", e.message);
}

static void test_nothing_set_writes_nothing(void **state) {
        apply(false);
        for (size_t k = 0; k < ARRAY_SIZE(files); k++)
                assert_file(files[k], "");
}

static void test_values(void **state) {
        ServiceSpec *s = world.spec;

        s->limits.memory_max = 256u << 20;
        s->limits.memory_high = 200u << 20;
        s->limits.swap_max = 0;
        s->limits.cpu = 150;
        s->limits.tasks = 64;
        s->priority.cpu_weight = 50;
        s->priority.io_weight = 10000;
        apply(false);
        assert_file("memory.max", "268435456");
        assert_file("memory.high", "209715200");
        assert_file("memory.swap.max", "0");
        assert_file("cpu.max", "150000 100000");
        assert_file("pids.max", "64");
        assert_file("cpu.weight", "50");
        assert_file("io.weight", "default 10000");
        assert_file("io.max", "");
}

static void test_live_resets_what_is_unset(void **state) {
        world.spec->limits.cpu = 1;
        apply(true);
        assert_file("memory.max", "max");
        assert_file("memory.high", "max");
        assert_file("memory.swap.max", "max");
        assert_file("cpu.max", "1000 100000");
        assert_file("pids.max", "max");
        assert_file("cpu.weight", "100");
        assert_file("io.weight", "default 100");
}

static void test_denied_keys_are_not_written(void **state) {
        world.spec->limits.memory_max = 4096;
        world.spec->limits.tasks = 5;
        assert_return_code(support_deny(&plain, CGROUP_MEMORY, "no memory"), 0);
        apply(true);
        assert_file("memory.max", "");
        assert_file("memory.high", "");
        assert_file("pids.max", "5");
}

static void test_error_names_the_key(void **state) {
        _cleanup_error_ KlError e = {};

        world.spec->limits.tasks = 5;
        assert_int_equal(limits_write(&plain, dir, world.spec, false, &e), -ENOENT);
        assert_non_null(startswith(e.message, "limits.tasks: "));
}

/* ---- devices ---- */

/* Some block device of this machine, by /sys/dev/block; false if there is none. */
static bool some_device(bool partition, dev_t *ret) {
        DIR *d = opendir("/sys/dev/block");
        bool found = false;

        for (struct dirent *e; d && !found && (e = readdir(d));) {
                _cleanup_free_ char *path = text_printf("/sys/dev/block/%s/partition", e->d_name);
                unsigned maj, min;

                if (sscanf(e->d_name, "%u:%u", &maj, &min) != 2 || (access(path, F_OK) >= 0) != partition)
                        continue;
                *ret = makedev(maj, min);
                found = true;
        }
        if (d)
                closedir(d);
        return found;
}

static void test_device_of_memory_is_none(void **state) {
        dev_t d;

        assert_int_equal(limit_device("/proc", &d), -ENODEV);
        assert_int_equal(limit_device("/does/not/exist", &d), -ENOENT);
}

static void add_limit(DeviceLimitList *l, const char *path, uint64_t value) {
        l->items = realloc(l->items, (l->n + 1) * sizeof(DeviceLimit));
        assert_non_null(l->items);
        l->items[l->n++] = (DeviceLimit) { .path = strdup(path), .value = value };
}

/* A node of our own for the device: /dev may have none. */
static void make_node(dev_t d, char path[96]) {
        snprintf(path, 96, "%s/node", dir);
        if (mknod(path, S_IFBLK | 0600, d) < 0)
                must_run_or_skip("cannot make a device node");
}

static void test_io_max(void **state) {
        _cleanup_free_ char *expected = NULL;
        char node[96];
        dev_t d, found = 0;

        if (!some_device(false, &d))
                must_run_or_skip("no block device");
        make_node(d, node);
        assert_return_code(limit_device(node, &found), 0);
        assert_true(found == d);
        add_limit(&world.spec->limits.io_read_bandwidth, node, 1u << 20);
        add_limit(&world.spec->limits.io_write_iops, node, 99);
        apply(false);
        unlink(node);
        expected = text_printf("%u:%u rbps=1048576 wbps=max riops=max wiops=99", major(d), minor(d));
        assert_file("io.max", expected);
}

/* A device that lost its limit is set back, the others stay as they are meant. */
static void test_io_max_of_former_devices(void **state) {
        static const char former[] = "4095:4 rbps=5 wbps=max riops=max wiops=max\n";
        _cleanup_free_ char *path = path_join(dir, "io.max");
        _cleanup_error_ KlError e = {};

        empty_files();
        assert_return_code(write_file_atomic(path, former, strlen(former), 0600), 0);
        assert_return_code(limits_write(&plain, dir, world.spec, true, &e), 0);
        assert_file("io.max", "4095:4 rbps=max wbps=max riops=max wiops=max");
}

static void test_partition_means_its_disk(void **state) {
        _cleanup_free_ char *path = NULL;
        char node[96];
        dev_t d, found = 0;

        if (!some_device(true, &d)) {
                print_message("no partition on this machine: nothing to tell from a disk\n");
                return;
        }
        make_node(d, node);
        assert_return_code(limit_device(node, &found), 0);
        unlink(node);
        assert_true(found != d);
        path = text_printf("/sys/dev/block/%u:%u/partition", major(found), minor(found));
        assert_int_equal(access(path, F_OK), -1);
}

static void test_path_without_disk_is_refused(void **state) {
        _cleanup_error_ KlError e = {};

        add_limit(&world.spec->limits.io_read_iops, "/proc", 10);
        assert_int_equal(limits_write(&plain, dir, world.spec, false, &e), -ENODEV);
        assert_non_null(startswith(e.message, "limits.io_read_iops: "));
        assert_string_equal(e.id, KL_E_INVALID);
}

/* ---- the support table ---- */

static void test_support_is_complete(void **state) {
        for (const LimitFile *f = limit_files; f->key; f++) {
                assert_non_null(spec_key_find(f->key));
                assert_true(support_has(&plain, f->key));
        }
        assert_true(support_has(&plain, "limits.files"));
        assert_true(support_has(&plain, "priority.nice"));
        assert_false(support_has(&plain, "limits.nothing"));
        assert_int_equal(support_deny_key(&plain, "limits.nothing", "x"), -ENOENT);
}

static void test_first_reason_stays(void **state) {
        _cleanup_strv_ char **l = NULL;

        world.spec->limits.memory_max = 4096;
        assert_null(isolate_unenforced(&plain, world.spec));
        assert_return_code(support_deny_key(&plain, "limits.memory_max", "first"), 0);
        assert_return_code(support_deny(&plain, CGROUP_MEMORY | CGROUP_CPU, "second"), 0);
        assert_true(support_has(&plain, "limits.tasks"));
        l = isolate_unenforced(&plain, world.spec);
        assert_int_equal(strv_length(l), 1);
        assert_string_equal(l[0], "limits.memory_max: first");
}

static void test_missing_controllers_are_explained(void **state) {
        size_t n;
        const LimitSupport *s;

        assert_return_code(support_from_controllers(&plain, "/a/cgroup", CGROUP_CPU | CGROUP_IO | CGROUP_PIDS), 0);
        assert_int_equal(strv_length(plain.report), 1);
        assert_non_null(startswith(plain.report[0], "no memory controller in cgroup /a/cgroup: "));
        s = isolate_support(&plain, &n);
        for (size_t k = 0; k < n; k++) {
                bool memory = streq(s[k].key, "limits.memory_max") || streq(s[k].key, "limits.memory_high") || streq(s[k].key, "limits.swap_max");

                assert_int_equal(s[k].enforced, !memory);
                if (streq(s[k].key, "limits.memory_restart"))
                        assert_true(startswith(s[k].why, "by a look every 5 s: ") && strstr(s[k].why, plain.report[0]));
                else
                        assert_string_equal(s[k].why, memory ? plain.report[0] : "");
        }
}

static void test_missing_files_are_explained(void **state) {
        _cleanup_free_ char *path = path_join(dir, "memory.swap.max");

        empty_files();
        assert_int_equal(unlink(path), 0);
        assert_return_code(support_from_files(&plain, dir, CGROUP_CPU | CGROUP_MEMORY), 0);
        assert_false(support_has(&plain, "limits.swap_max"));
        assert_true(support_has(&plain, "limits.memory_max"));
        assert_true(support_has(&plain, "limits.io_read_iops"));
}

/* ---- processes ---- */

static int oom_of(pid_t pid) {
        char path[48], text[16];

        snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int) pid);
        assert_true(read_file_into(AT_FDCWD, path, text, sizeof(text)) > 0);
        return atoi(text);
}

static void test_live_priority(void **state) {
        World *w = &world;
        _cleanup_error_ KlError e = {};
        pid_t pids[3];
        Child ch;

        world_open(w, ISOLATE_SESSION);
        cell_start(w, &ch, "shop", "web", "family");
        for (size_t k = 0; k < 3; k++)
                pids[k] = read_pid(ch.out);
        w->spec->priority.nice = getpriority(PRIO_PROCESS, 0) + 3;
        w->spec->priority.oom_score_adj = oom_of(getpid()) + 100;
        w->spec->priority.io_class = IO_CLASS_BEST_EFFORT;
        w->spec->priority.io_level = 6;
        assert_return_code(cell_apply(ch.cell, w->spec, &e), 0);
        for (size_t k = 0; k < 3; k++) {
                assert_int_equal(getpriority(PRIO_PROCESS, (id_t) pids[k]), w->spec->priority.nice);
                assert_int_equal(oom_of(pids[k]), w->spec->priority.oom_score_adj);
                assert_int_equal(syscall(SYS_ioprio_get, 1, pids[k]), IO_CLASS_BEST_EFFORT << 13 | 6);
        }
        assert_return_code(cell_kill(ch.cell), 0);
        child_done(&ch);
}

/* What a service did to itself stays while the specification says nothing new about it. */
static void test_live_priority_leaves_the_rest(void **state) {
        World *w = &world;
        int own = MIN(getpriority(PRIO_PROCESS, 0) + 7, 19);
        _cleanup_error_ KlError e = {};
        Child ch;

        world_open(w, ISOLATE_SESSION);
        w->spec->priority.oom_score_adj = oom_of(getpid()) + 10;
        cell_start(w, &ch, "shop", "web", "sleep");
        read_pid(ch.out);
        assert_int_equal(setpriority(PRIO_PROCESS, (id_t) ch.ref.pid, own), 0);
        w->spec->priority.oom_score_adj += 10;
        assert_return_code(cell_apply(ch.cell, w->spec, &e), 0);
        assert_int_equal(getpriority(PRIO_PROCESS, (id_t) ch.ref.pid), own);
        assert_int_equal(oom_of(ch.ref.pid), w->spec->priority.oom_score_adj);
        main_end(&ch);
        child_done(&ch);
}

/* ---- sets of processes ---- */

static void test_pidset(void **state) {
        unsigned seed = test_seed();
        _cleanup_pidset_ PidSet s = {};
        bool in[500] = {};

        for (unsigned k = 0; k < 3000; k++) {
                pid_t pid = (pid_t) (rand_r(&seed) % 500);

                assert_int_equal(pidset_has(&s, pid), in[pid]);
                assert_int_equal(pidset_add(&s, pid, 1), !in[pid]);
                in[pid] = true;
        }
        for (size_t k = 1; k < s.n; k++)
                assert_true(s.items[k - 1].pid < s.items[k].pid);
        assert_int_equal(pidset_add(&s, s.items[0].pid, 2), 1);
        assert_int_equal(pidset_add(&s, s.items[0].pid, 2), 0);
}

#define PLAIN(f) cmocka_unit_test_setup_teardown(f, open_directory, close_directory)
#define LIVE(f) cmocka_unit_test_teardown(f, world_close)

int main(int argc, char **argv) {
        static const struct CMUnitTest tests[] = {
                PLAIN(test_nothing_set_writes_nothing), PLAIN(test_values), PLAIN(test_live_resets_what_is_unset), PLAIN(test_denied_keys_are_not_written),
                PLAIN(test_error_names_the_key), PLAIN(test_device_of_memory_is_none), PLAIN(test_io_max), PLAIN(test_io_max_of_former_devices),
                PLAIN(test_partition_means_its_disk), PLAIN(test_path_without_disk_is_refused), PLAIN(test_support_is_complete), PLAIN(test_first_reason_stays),
                PLAIN(test_missing_controllers_are_explained), PLAIN(test_missing_files_are_explained), LIVE(test_live_priority),
                LIVE(test_live_priority_leaves_the_rest), cmocka_unit_test(test_pidset),
        };
        int r = play(argc, argv);

        return r >= 0 ? r : cmocka_run_group_tests(tests, NULL, NULL);
}
