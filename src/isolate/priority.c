/* Live changes of what belongs to processes rather than to cgroups: nice, I/O priority, OOM score, scheduler, CPU affinity. Sources: setpriority(2),
 * ioprio_set(2), proc_pid_oom_score_adj(5), sched(7), sched_setaffinity(2).
 *
 * What must stay true: only what changed in the specification is written, so that a service which renices its own workers keeps them; all but the
 * OOM score are attributes of threads in Linux, so every thread is set. */
#include "isolate/isolate_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/strv.h"

#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_CLASS_SHIFT 13

int priority_set(CellPriority *to, const ServiceSpec *spec) {
        char **cpus = NULL;

        if (spec->priority.cpu_affinity && !(cpus = strv_copy(spec->priority.cpu_affinity)))
                return -ENOMEM;
        *to = (CellPriority) {
                .nice = spec->priority.nice,
                .oom_score_adj = spec->priority.oom_score_adj,
                .io_class = (uint8_t) spec->priority.io_class,
                .io_level = (uint8_t) spec->priority.io_level,
                .scheduler = (uint8_t) spec->priority.scheduler,
                .scheduler_priority = (uint8_t) spec->priority.scheduler_priority,
                .cpu_affinity = cpus,
        };
        return 0;
}

void priority_done(CellPriority *p) {
        strv_free(p->cpu_affinity);
        p->cpu_affinity = NULL;
}

typedef struct Change Change;
typedef int (*SetFunc)(pid_t tid, const Change *change);

struct Change {
        const char *key;
        SetFunc set;
        bool threads;
        int value;
        int priority;                  /* of a scheduler */
        cpu_set_t cpus;
};

static int set_nice(pid_t tid, const Change *change) {
        return setpriority(PRIO_PROCESS, (id_t) tid, change->value) < 0 ? -errno : 0;
}

static int set_ioprio(pid_t tid, const Change *change) {
        return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, tid, change->value) < 0 ? -errno : 0;
}

static int set_scheduler(pid_t tid, const Change *change) {
        struct sched_param p = { .sched_priority = change->priority };

        return sched_setscheduler(tid, change->value, &p) < 0 ? -errno : 0;
}

static int set_affinity(pid_t tid, const Change *change) {
        return sched_setaffinity(tid, sizeof(change->cpus), &change->cpus) < 0 ? -errno : 0;
}

static int set_oom(pid_t pid, const Change *change) {
        char path[48], text[16];

        snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int) pid);
        snprintf(text, sizeof(text), "%d", change->value);
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

static int each_thread(pid_t pid, const Change *change) {
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
                r = change->set(atoi(e->d_name), change);
                if (r < 0 && !gone(r))
                        return r;
        }
        return 0;
}

static bool same_list(char *const *a, char *const *b) {
        return a && b ? strv_equal(a, b) : !a == !b;
}

/* Where it is not set, a process runs where the keeper may. */
static void choose_cpus(const Isolate *i, char *const *list, cpu_set_t *ret) {
        uint64_t bits[CPUS_MAX / 64];
        const char *bad;

        CPU_ZERO(ret);
        if (!list) {
                (void) sched_getaffinity(i->options.keeper, sizeof(*ret), ret);
                return;
        }
        (void) cpu_list_parse(list, bits, &bad); /* checked with the specification */
        for (int cpu = 0; cpu < CPUS_MAX; cpu++)
                if (bits[cpu / 64] >> cpu % 64 & 1)
                        CPU_SET(cpu, ret);
}

#define CHANGES_MAX 5

/* What differs between the two. */
static size_t changes_find(const Isolate *i, const CellPriority *old, const CellPriority *new, Change changes[CHANGES_MAX]) {
        pid_t keeper = i->options.keeper;
        bool real_time = new->scheduler == SCHEDULER_FIFO || new->scheduler == SCHEDULER_RR;
        size_t n = 0;

        if (old->nice != new->nice)
                changes[n++] = (Change) { "priority.nice", set_nice, true, new->nice == INT_UNSET ? keeper_nice(keeper) : new->nice };
        if (old->io_class != new->io_class || (new->io_class != IO_CLASS_NONE && old->io_level != new->io_level))
                changes[n++] = (Change) { "priority.io_class", set_ioprio, true,
                                          new->io_class == IO_CLASS_NONE ? keeper_ioprio(keeper) : new->io_class << IOPRIO_CLASS_SHIFT | new->io_level };
        if (old->oom_score_adj != new->oom_score_adj)
                changes[n++] = (Change) { "priority.oom_score_adj", set_oom, false,
                                          new->oom_score_adj == INT_UNSET ? keeper_oom(keeper) : new->oom_score_adj };
        if (old->scheduler != new->scheduler || (real_time && old->scheduler_priority != new->scheduler_priority))
                changes[n++] = (Change) { "priority.scheduler", set_scheduler, true, spec_scheduler_policy[new->scheduler],
                                          real_time ? new->scheduler_priority : 0 };
        if (!same_list(old->cpu_affinity, new->cpu_affinity)) {
                changes[n] = (Change) { "priority.cpu_affinity", set_affinity, true };
                choose_cpus(i, new->cpu_affinity, &changes[n++].cpus);
        }
        return n;
}

static int change_process(pid_t pid, const Change *change, KlError *reterr) {
        int r = change->threads ? each_thread(pid, change) : change->set(pid, change);

        if (r >= 0 || gone(r))
                return 0;
        return kl_error_set(reterr, r, r == -EPERM || r == -EACCES ? KL_E_PERMISSION : KL_E_FAILED, "%s: cannot be set for process %d: %s", change->key,
                            (int) pid, strerror(-r));
}

int priority_apply(Cell *c, const ServiceSpec *spec, KlError *reterr) {
        _cleanup_(priority_done) CellPriority new = {};
        _cleanup_free_ pid_t *pids = NULL;
        Change changes[CHANGES_MAX];
        size_t n_changes, n = 0;
        int r;

        r = priority_set(&new, spec);
        if (r < 0)
                return r;
        n_changes = changes_find(c->isolate, &c->priority, &new, changes);
        if (n_changes == 0)
                return 0;
        r = c->vtable->cell_pids(c, &pids, &n);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot list the processes of %s: %s", c->where, strerror(-r));
        for (size_t k = 0; k < n * n_changes; k++) {
                r = change_process(pids[k / n_changes], changes + k % n_changes, reterr);
                if (r < 0)
                        return r;
        }
        priority_done(&c->priority);
        c->priority = TAKE_GENERIC(new, (CellPriority) {});
        return 0;
}
