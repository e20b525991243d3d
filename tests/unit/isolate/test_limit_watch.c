/* Limits that were met, told from files as the kernel writes them: a directory of ours stands for the cgroup, since many machines have no memory
 * controller to meet limits of. Time is let pass by setting the timers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/text.h"
#include "isolate/isolate_internal.h"
#include "timeless.inc.h"

typedef struct World {
        char dir[64];
        sd_event *event;
        Isolate isolate;
        Cell cell;
        ServiceSpec *spec;
        uint64_t told[_LIMIT_HIT_MAX];
} World;

static void on_limit(void *userdata, Cell *cell, LimitHit hit, uint64_t count) {
        World *w = userdata;

        assert_ptr_equal(cell, &w->cell);
        w->told[hit] += count;
}

static void write_file(World *w, const char *name, const char *text) {
        _cleanup_free_ char *path = path_join(w->dir, name);
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void memory_events(World *w, unsigned high, unsigned max, unsigned oom_kill) {
        char text[128];

        snprintf(text, sizeof text, "low 0\nhigh %u\nmax %u\noom 0\noom_kill %u\noom_group_kill 0\n", high, max, oom_kill);
        write_file(w, "memory.events", text);
}

static void turn(World *w) {
        int r;

        do
                r = sd_event_run(w->event, 0);
        while (r > 0);
        assert_return_code(r, 0);
}

/* Whatever the timer waits for is over. */
static void pass(World *w, LimitEvents file) {
        turn(w);
        assert_non_null(w->cell.limits[file]->wait);
        assert_null(w->cell.limits[file]->source);
        assert_return_code(sd_event_source_set_time(w->cell.limits[file]->wait, 0), 0);
        turn(w);
}

static void assert_told(const World *w, uint64_t high, uint64_t max, uint64_t oom_kill, uint64_t tasks) {
        assert_int_equal(w->told[LIMIT_HIT_MEMORY_HIGH], high);
        assert_int_equal(w->told[LIMIT_HIT_MEMORY_MAX], max);
        assert_int_equal(w->told[LIMIT_HIT_OOM_KILL], oom_kill);
        assert_int_equal(w->told[LIMIT_HIT_TASKS], tasks);
}

static int open_world(void **state) {
        World *w = calloc(1, sizeof(World));
        ProcessStat self;

        assert_non_null(w);
        strcpy(w->dir, "/tmp/kingly-limits-XXXXXX");
        assert_non_null(mkdtemp(w->dir));
        assert_return_code(sd_event_new(&w->event), 0);
        assert_return_code(spec_new("default", "web", &w->spec), 0);
        assert_return_code(process_stat(getpid(), &self), 0);
        w->isolate.options = (IsolateOptions) { .event = w->event, .events = { .limit = on_limit, .userdata = w } };
        w->cell = (Cell) { .isolate = &w->isolate, .where = w->dir, .dir_fd = -EBADF,
                           .main = { .pid = getpid(), .fd = -EBADF, .start_time = self.start_time } };
        for (size_t k = 0; k < _CELL_FILE_MAX; k++)
                w->cell.files[k] = -EBADF;
        assert_return_code(cgroup_cell_open(&w->cell, w->dir), 0);
        memory_events(w, 3, 2, 1);
        write_file(w, "pids.events", "max 5\n");
        *state = w;
        return 0;
}

static int close_world(void **state) {
        static const char *const names[] = { "memory.events", "pids.events" };
        World *w = *state;

        limit_watch_end(&w->cell);
        cgroup_cell_close(&w->cell);
        free(w->cell.cgroup);
        for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
                _cleanup_free_ char *path = path_join(w->dir, names[k]);
                (void) unlink(path);
        }
        assert_int_equal(rmdir(w->dir), 0);
        spec_free(w->spec);
        sd_event_unref(w->event);
        free(w);
        return 0;
}

static void test_only_what_the_spec_limits(void **state) {
        World *w = *state;

        cell_watch_limits(&w->cell, w->spec);
        assert_null(w->cell.limits[LIMIT_EVENTS_MEMORY]);
        assert_null(w->cell.limits[LIMIT_EVENTS_PIDS]);
        w->spec->limits.tasks = 8;
        cell_watch_limits(&w->cell, w->spec);
        assert_null(w->cell.limits[LIMIT_EVENTS_MEMORY]);
        write_file(w, "pids.events", "max 6\n");
        pass(w, LIMIT_EVENTS_PIDS);
        assert_told(w, 0, 0, 0, 1);
        w->spec->limits.tasks = LIMIT_UNSET;
        w->spec->limits.memory_high = 1 << 20;
        cell_watch_limits(&w->cell, w->spec);
        assert_null(w->cell.limits[LIMIT_EVENTS_PIDS]);
        assert_non_null(w->cell.limits[LIMIT_EVENTS_MEMORY]);
}

static void test_told_once_in_a_while(void **state) {
        World *w = *state;
        LimitWatch *l;

        w->spec->limits.memory_max = w->spec->limits.memory_high = 1 << 20;
        cell_watch_limits(&w->cell, w->spec);
        l = w->cell.limits[LIMIT_EVENTS_MEMORY];
        turn(w);
        assert_null(l->wait); /* idle: no timer */
        memory_events(w, 13, 2, 1);
        turn(w);
        assert_told(w, 0, 0, 0, 0);
        memory_events(w, 23, 4, 1);
        pass(w, LIMIT_EVENTS_MEMORY);
        assert_told(w, 20, 2, 0, 0); /* what came together is counted together; what was before is not */
        memory_events(w, 24, 4, 3);
        turn(w);
        assert_told(w, 20, 2, 0, 0);
        pass(w, LIMIT_EVENTS_MEMORY);
        assert_told(w, 21, 2, 2, 0);
        pass(w, LIMIT_EVENTS_MEMORY);
        assert_null(l->wait);
        assert_non_null(l->source); /* calm: listens again */
        memory_events(w, 25, 4, 3);
        pass(w, LIMIT_EVENTS_MEMORY);
        assert_told(w, 22, 2, 2, 0);
}

/* memory.high stands where limits.memory_restart is watched, then: nobody asked for being slowed down. */
static void test_not_slowed_down_where_it_is_restarted(void **state) {
        World *w = *state;

        w->spec->limits.memory_max = 3 << 20;
        w->spec->limits.memory_high = 2 << 20;
        w->spec->limits.memory_restart = 1 << 20;
        cell_watch_limits(&w->cell, w->spec);
        memory_events(w, 13, 3, 1);
        pass(w, LIMIT_EVENTS_MEMORY);
        assert_told(w, 0, 1, 0, 0);
}

static void test_not_of_one_that_ended(void **state) {
        World *w = *state;

        w->spec->limits.memory_max = 1 << 20;
        cell_watch_limits(&w->cell, w->spec);
        w->cell.main.start_time++; /* another's pid by now */
        memory_events(w, 3, 9, 2);
        pass(w, LIMIT_EVENTS_MEMORY);
        assert_told(w, 0, 0, 0, 0);
}

static void test_no_controller(void **state) {
        World *w = *state;
        _cleanup_free_ char *path = path_join(w->dir, "pids.events");

        assert_int_equal(unlink(path), 0);
        w->spec->limits.tasks = 8;
        cell_watch_limits(&w->cell, w->spec);
        assert_null(w->cell.limits[LIMIT_EVENTS_PIDS]);
        turn(w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_only_what_the_spec_limits, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_told_once_in_a_while, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_not_slowed_down_where_it_is_restarted, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_not_of_one_that_ended, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_no_controller, open_world, close_world),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
