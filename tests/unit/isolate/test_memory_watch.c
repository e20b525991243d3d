/* Who grew too big, told from files as the kernel writes them (a directory of ours stands for the cgroup) and from real processes. Time is let pass
 * by setting the timer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/text.h"
#include "isolate/isolate_internal.h"
#include "timeless.inc.h"

#define M (UINT64_C(1) << 20)

typedef struct World {
        char dir[64];
        sd_event *event;
        Isolate isolate;
        Cell cell;
        ServiceSpec *spec;
        unsigned told;
        uint64_t bytes;
        bool acts;                 /* ends the watch as the manager does */
} World;

static const char *const files[] = { "memory.events", "memory.current", "memory.stat", "memory.swap.current", "memory.high" };

static void on_oversize(void *userdata, Cell *cell, uint64_t bytes) {
        World *w = userdata;

        assert_ptr_equal(cell, &w->cell);
        w->told++;
        w->bytes = bytes;
        if (w->acts)
                cell_memory_relax(cell, w->spec);
}

static void write_file(World *w, const char *name, const char *format, ...) {
        _cleanup_free_ char *path = path_join(w->dir, name);
        FILE *f = fopen(path, "w");
        va_list ap;

        assert_non_null(f);
        va_start(ap, format);
        assert_true(vfprintf(f, format, ap) >= 0);
        va_end(ap);
        assert_int_equal(fclose(f), 0);
}

static void uses(World *w, uint64_t current, uint64_t cache, uint64_t swap) {
        write_file(w, "memory.current", "%" PRIu64 "\n", current);
        write_file(w, "memory.stat", "anon 1\nfile %" PRIu64 "\ninactive_file %" PRIu64 "\nactive_file %" PRIu64 "\nslab_reclaimable 0\n", cache, cache / 2, cache - cache / 2);
        write_file(w, "memory.swap.current", "%" PRIu64 "\n", swap);
}

static void crosses(World *w, unsigned high) {
        write_file(w, "memory.events", "low 0\nhigh %u\nmax 0\noom 0\noom_kill 0\n", high);
}

static void turn(World *w) {
        int r;

        do
                r = sd_event_run(w->event, 0);
        while (r > 0);
        assert_return_code(r, 0);
}

static void pass(World *w) {
        turn(w);
        assert_non_null(w->cell.memory);
        assert_non_null(w->cell.memory->wait);
        assert_return_code(sd_event_source_set_time(w->cell.memory->wait, 0), 0);
        turn(w);
}

static void begin(World *w) {
        cell_watch_limits(&w->cell, w->spec);
        assert_true(cell_tells_oversize(&w->cell));
        turn(w); /* it may be too big already: looked at once */
        assert_int_equal(w->told, 0);
        assert_null(w->cell.memory->wait); /* idle: no timer */
}

static int open_world(void **state) {
        World *w = calloc(1, sizeof(World));

        assert_non_null(w);
        strcpy(w->dir, "/tmp/kingly-memory-XXXXXX");
        assert_non_null(mkdtemp(w->dir));
        assert_return_code(sd_event_new(&w->event), 0);
        assert_return_code(spec_new("default", "web", &w->spec), 0);
        w->isolate.options = (IsolateOptions) { .event = w->event, .events = { .oversize = on_oversize, .userdata = w } };
        w->isolate.controllers = CGROUP_MEMORY;
        assert_return_code(support_init(&w->isolate), 0);
        w->cell = (Cell) { .isolate = &w->isolate, .where = w->dir, .dir_fd = -EBADF };
        for (size_t k = 0; k < _CELL_FILE_MAX; k++)
                w->cell.files[k] = -EBADF;
        assert_return_code(cgroup_cell_open(&w->cell, w->dir), 0);
        w->spec->limits.memory_restart = 100 * M;
        w->acts = true;
        crosses(w, 0);
        uses(w, 10 * M, 0, 0);
        write_file(w, "memory.high", "%" PRIu64 "\n", 100 * M);
        *state = w;
        return 0;
}

static int close_world(void **state) {
        World *w = *state;

        memory_watch_end(&w->cell);
        limit_watch_end(&w->cell);
        cgroup_cell_close(&w->cell);
        free(w->cell.cgroup);
        for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
                _cleanup_free_ char *path = path_join(w->dir, files[k]);
                (void) unlink(path);
        }
        assert_int_equal(rmdir(w->dir), 0);
        free(w->isolate.support);
        spec_free(w->spec);
        sd_event_unref(w->event);
        free(w);
        return 0;
}

static void test_told_at_once_and_no_longer_slowed_down(void **state) {
        World *w = *state;
        uint64_t high;

        begin(w);
        uses(w, 101 * M, 0, 0);
        crosses(w, 1);
        turn(w);
        assert_int_equal(w->told, 1);
        assert_int_equal(w->bytes, 101 * M);
        assert_false(cell_tells_oversize(&w->cell));
        assert_int_equal(cgroup_read_u64(w->dir, "memory.high", &high), 0);
        assert_int_equal(high, UINT64_MAX);
}

static void test_page_cache_is_no_reason(void **state) {
        World *w = *state;

        begin(w);
        uses(w, 100 * M, 60 * M, 0);
        crosses(w, 9);
        turn(w);
        assert_int_equal(w->told, 0);
        crosses(w, 19);
        turn(w);
        assert_null(w->cell.memory->source); /* hovering there wakes nobody */
        pass(w);
        assert_int_equal(w->told, 0);
        assert_null(w->cell.memory->wait);
        assert_non_null(w->cell.memory->source);
        uses(w, 100 * M, 20 * M, 30 * M);
        crosses(w, 20);
        turn(w);
        assert_int_equal(w->told, 1);
        assert_int_equal(w->bytes, 110 * M); /* what it has in swap counts */
}

static void test_told_until_somebody_acts(void **state) {
        World *w = *state;

        w->acts = false;
        begin(w);
        uses(w, 101 * M, 0, 0);
        crosses(w, 1);
        turn(w);
        pass(w);
        pass(w);
        assert_int_equal(w->told, 3);
}

static void test_a_new_threshold_is_looked_at(void **state) {
        World *w = *state;

        begin(w);
        w->spec->limits.memory_restart = 5 * M;
        cell_watch_limits(&w->cell, w->spec);
        turn(w);
        assert_int_equal(w->told, 1);
        w->spec->limits.memory_restart = LIMIT_UNSET;
        cell_watch_limits(&w->cell, w->spec);
        assert_false(cell_tells_oversize(&w->cell));
}

static void test_its_own_memory_high_comes_back(void **state) {
        World *w = *state;
        uint64_t high;

        w->spec->limits.memory_high = 120 * M;
        cell_memory_relax(&w->cell, w->spec);
        assert_int_equal(cgroup_read_u64(w->dir, "memory.high", &high), 0);
        assert_int_equal(high, 120 * M);
}

static void test_no_controller(void **state) {
        World *w = *state;

        w->isolate.controllers = 0;
        cell_watch_limits(&w->cell, w->spec);
        assert_false(cell_tells_oversize(&w->cell));
}

/* ---- without a controller ---- */

static pid_t pids[3];

static int listed(Cell *c, pid_t **ret, size_t *ret_n) {
        *ret = malloc(sizeof pids);
        assert_non_null(*ret);
        memcpy(*ret, pids, sizeof pids);
        *ret_n = ARRAY_SIZE(pids);
        return 0;
}

static int summed(Cell *c, bool detail, Usage *ret) {
        for (size_t k = 0; k < ARRAY_SIZE(pids); k++) {
                ProcessStat stat;

                assert_return_code(process_stat(pids[k], &stat), 0);
                usage_add_process(ret, pids[k], &stat, detail);
        }
        return 0;
}

/* Three processes with the same 48 MiB, which their parent filled before it forked: 48, not 144. */
static void test_shared_memory_counts_once(void **state) {
        static const IsolateVTable vtable = { .cell_usage = summed, .cell_pids = listed };
        World *w = *state;
        uint64_t bytes;
        char *memory = mmap(NULL, 48 * M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        assert_ptr_not_equal(memory, MAP_FAILED);
        memset(memory, 1, 48 * M);
        w->cell.vtable = &vtable;
        w->isolate.controllers = 0;
        for (size_t k = 0; k < ARRAY_SIZE(pids); k++) {
                pids[k] = fork();
                if (pids[k] == 0) {
                        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                        for (;;)
                                (void) pause();
                }
                assert_true(pids[k] > 0);
        }
        assert_int_equal(cell_memory_above(&w->cell, 500 * M, &bytes), 0);
        assert_true(bytes > 140 * M); /* cheap, and enough to tell that it is not */
        assert_int_equal(cell_memory_above(&w->cell, 100 * M, &bytes), 0);
        assert_in_range(bytes, 30 * M, 90 * M);
        assert_int_equal(cell_memory_above(&w->cell, 20 * M, &bytes), 1);
        for (size_t k = 0; k < ARRAY_SIZE(pids); k++) {
                (void) kill(pids[k], SIGKILL);
                (void) waitpid(pids[k], NULL, 0);
        }
        (void) munmap(memory, 48 * M);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_told_at_once_and_no_longer_slowed_down, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_page_cache_is_no_reason, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_told_until_somebody_acts, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_a_new_threshold_is_looked_at, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_its_own_memory_high_comes_back, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_no_controller, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_shared_memory_counts_once, open_world, close_world),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
