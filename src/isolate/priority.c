/* Live changes of what belongs to processes rather than to cgroups: nice, I/O priority, OOM score. Sources: setpriority(2), ioprio_set(2),
 * proc_pid_oom_score_adj(5).
 *
 * What must stay true: only what changed in the specification is written, so that a service which renices its own workers keeps them; nice
 * and I/O priority are attributes of threads in Linux, so every thread is set. */
#include "isolate/isolate_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/fd.h"

#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_CLASS_SHIFT 13

typedef int (*SetFunc)(pid_t tid, int value);

CellPriority priority_from_spec(const ServiceSpec *spec) {
        return (CellPriority) {
                .nice = spec->priority.nice,
                .oom_score_adj = spec->priority.oom_score_adj,
                .io_class = (uint8_t) spec->priority.io_class,
                .io_level = (uint8_t) spec->priority.io_level,
        };
}

static int set_nice(pid_t tid, int value) {
        return setpriority(PRIO_PROCESS, (id_t) tid, value) < 0 ? -errno : 0;
}

static int set_ioprio(pid_t tid, int value) {
        return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, tid, value) < 0 ? -errno : 0;
}

static int set_oom(pid_t pid, int value) {
        char path[48], text[16];

        snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int) pid);
        snprintf(text, sizeof(text), "%d", value);
        return write_file_at(AT_FDCWD, path, text);
}

static int keeper_nice(pid_t keeper) {
        int n;

        errno = 0;
        n = getpriority(PRIO_PROCESS, (id_t) keeper);
        return errno ? 0 : n;
}

static int keeper_ioprio(pid_t keeper) {
        long p = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, keeper);

        return p < 0 ? 0 : (int) p;
}

static int keeper_oom(pid_t keeper) {
        char path[48], text[16];

        snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int) keeper);
        return read_file_into(AT_FDCWD, path, text, sizeof(text)) < 0 ? 0 : atoi(text);
}

static void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

/* -ESRCH and -ENOENT: it has gone meanwhile. */
static bool gone(int r) {
        return r == -ESRCH || r == -ENOENT;
}

static int each_thread(pid_t pid, SetFunc set, int value) {
        _cleanup_(closedirp) DIR *d = NULL;
        char path[32];
        int r;

        snprintf(path, sizeof(path), "/proc/%d/task", (int) pid);
        d = opendir(path);
        if (!d)
                return -errno;
        for (struct dirent *e; (e = readdir(d));) {
                if (e->d_name[0] == '.')
                        continue;
                r = set(atoi(e->d_name), value);
                if (r < 0 && !gone(r))
                        return r;
        }
        return 0;
}

typedef struct Change {
        const char *key;
        SetFunc set;
        bool threads;
        int value;
} Change;

/* What differs between the two, at most three. */
static size_t changes_find(const Isolate *i, const CellPriority *old, const CellPriority *new, Change changes[3]) {
        pid_t keeper = i->options.keeper;
        size_t n = 0;

        if (old->nice != new->nice)
                changes[n++] = (Change) { "priority.nice", set_nice, true, new->nice == INT_UNSET ? keeper_nice(keeper) : new->nice };
        if (old->io_class != new->io_class || (new->io_class != IO_CLASS_NONE && old->io_level != new->io_level))
                changes[n++] = (Change) { "priority.io_class", set_ioprio, true,
                                          new->io_class == IO_CLASS_NONE ? keeper_ioprio(keeper) : new->io_class << IOPRIO_CLASS_SHIFT | new->io_level };
        if (old->oom_score_adj != new->oom_score_adj)
                changes[n++] = (Change) { "priority.oom_score_adj", set_oom, false,
                                          new->oom_score_adj == INT_UNSET ? keeper_oom(keeper) : new->oom_score_adj };
        return n;
}

int priority_apply(Cell *c, const ServiceSpec *spec, KlError *reterr) {
        CellPriority new = priority_from_spec(spec);
        _cleanup_free_ pid_t *pids = NULL;
        Change changes[3];
        size_t n_changes, n = 0;
        int r;

        n_changes = changes_find(c->isolate, &c->priority, &new, changes);
        if (n_changes == 0)
                return 0;
        r = c->vtable->cell_pids(c, &pids, &n);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot list the processes of %s: %s", c->where, strerror(-r));
        for (size_t k = 0; k < n * n_changes; k++) {
                const Change *change = changes + k % n_changes;
                pid_t pid = pids[k / n_changes];

                r = change->threads ? each_thread(pid, change->set, change->value) : change->set(pid, change->value);
                if (r < 0 && !gone(r))
                        return kl_error_set(reterr, r, r == -EPERM || r == -EACCES ? KL_E_PERMISSION : KL_E_FAILED, "%s: cannot set %d for process %d: %s",
                                            change->key, change->value, (int) pid, strerror(-r));
        }
        c->priority = new;
        return 0;
}
