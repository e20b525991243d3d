/* A place for a control process (a hook, a probe) beside the main process of a living run: a cgroup inside of the run's own, so that its limits
 * hold for both and its figures count both, and yet the control process and all that descends from it can be ended alone.
 *
 * What must stay true: it enables no controller, so that processes may live in the run's cgroup as well (cgroup-v2.rst, "No Internal Process
 * Constraint"); the run's cell, the parent, outlives it in the kernel, which removes no cgroup that has others inside. Of a systemd scope this is
 * the one thing besides cgroup.kill that is not left to systemd; it removes what is inside of a scope along with it. */
#include <dirent.h>

#include "base/text.h"
#include "isolate/isolate_internal.h"

#define BESIDE_NAME "control-"

static int beside_place(Cell *c, const PidRef *main, const char *invocation_id) {
        return 0;
}

static int beside_clean(Cell *c) {
        cgroup_cell_close(c);
        return cgroup_remove(c->cgroup);
}

static const IsolateVTable beside_vtable = {
        .kind = ISOLATE_CGROUP,
        .cell_place = beside_place,
        .cell_signal = cgroup_cell_signal,
        .cell_kill = cgroup_cell_kill,
        .cell_populated = cgroup_cell_populated,
        .cell_watch_empty = cgroup_cell_watch_empty,
        .cell_clean = beside_clean,
        .cell_holds = cgroup_cell_holds,
        .cell_pids = cgroup_cell_pids,
        .cell_usage = cgroup_cell_usage,
};

int cell_new_beside(Cell *run, uint64_t number, void *userdata, Cell **ret) {
        _cleanup_free_ char *path = NULL;
        Cell *c;
        int r;

        if (!run->cgroup || run->dir_fd < 0)
                return -EOPNOTSUPP;
        path = text_printf("%s/" BESIDE_NAME "%016" PRIx64, run->cgroup, number);
        if (!path)
                return -ENOMEM;
        r = cgroup_make(path);
        if (r < 0)
                return r;
        r = cell_alloc(run->isolate, NULL, userdata, &c);
        if (r < 0) {
                (void) cgroup_remove(path);
                return r;
        }
        c->vtable = &beside_vtable;
        r = cgroup_cell_open(c, path);
        if (r < 0) {
                (void) cgroup_remove(path);
                cell_free(c);
                return r;
        }
        c->where = c->cgroup;
        *ret = c;
        return 0;
}

void cell_end_beside(Cell *run) {
        struct dirent *e;
        DIR *d = run->dir_fd >= 0 ? opendir(run->handle) : NULL;

        while (d && (e = readdir(d))) {
                _cleanup_free_ char *path = startswith(e->d_name, BESIDE_NAME) ? text_printf("%s/%s", run->handle, e->d_name) : NULL;

                /* What cannot be removed yet is, with the run's own. */
                if (path && cgroup_kill(path) >= 0)
                        (void) cgroup_remove(path);
        }
        if (d)
                (void) closedir(d);
}
