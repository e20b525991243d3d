/* Who belongs to which cell where there is no cgroup: descent, session and environment, read from /proc.
 *
 * A process is in a cell when it is main, or descends from one that is in it, or has come to the keeper (the subreaper of all services) as an
 * orphan and either is in main's session or process group or carries the cell's INVOCATION_ID. What leaves the session, loses its parents and
 * clears its environment escapes; that is said in the report of the isolation.
 *
 * What must stay true: a process is never claimed on its number alone. Session and group numbers are those of a dead main process, which may
 * be used again once its session is gone: so an INVOCATION_ID that is another's outweighs them unless main lives, and nobody who started before
 * main is claimed. */
#include "isolate/session.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"

#define ENVIRON_MAX (8u << 20)
#define PASSES 20

void stray_list_done(StrayList *l) {
        free(l->items);
        *l = (StrayList) {};
}

void process_invocation(pid_t pid, char ret[INVOCATION_MAX]) {
        _cleanup_free_ char *environment = NULL;
        char path[48];
        size_t size;

        *ret = '\0';
        snprintf(path, sizeof(path), "/proc/%d/environ", (int) pid);
        if (read_file_at(AT_FDCWD, path, ENVIRON_MAX, &environment, &size) < 0)
                return;
        for (const char *e = environment; e < environment + size; e += strlen(e) + 1) {
                const char *value = startswith(e, "INVOCATION_ID=");

                if (value) {
                        snprintf(ret, INVOCATION_MAX, "%s", value);
                        return;
                }
        }
}

bool session_main_alive(const SessionCell *sc) {
        const PidRef *main = &sc->cell.main;
        ProcessStat stat;

        return main->pid > 0 && process_stat(main->pid, &stat) >= 0 && process_living(&stat) &&
                (main->start_time == 0 || main->start_time == stat.start_time);
}

bool session_claims(const SessionCell *sc, const ProcessStat *stat, const char *invocation) {
        const Cell *c = &sc->cell;

        if (stat->start_time < c->main.start_time)
                return false;
        if (*c->where && streq(invocation, c->where))
                return true;
        if (c->main.pid <= 0 || (stat->session != c->main.pid && stat->pgid != c->main.pid))
                return false;
        return !*invocation || session_main_alive(sc);
}

/* ---- lists of candidates ---- */

/* Those of `pids` that pass: alive, not ours, and (unless `mains_too`) nobody's main process. Takes one stat and one environment each. */
static int strays_from(const SessionIsolate *si, const pid_t *pids, size_t n, bool mains_too, StrayList *ret) {
        _cleanup_(stray_list_done) StrayList l = {};

        for (size_t k = 0; k < n; k++) {
                uint64_t key = (uint64_t) pids[k];
                ProcessStat stat;
                Stray *items;

                if (pids[k] == getpid() || pids[k] == si->isolate.options.keeper || (!mains_too && map_get(si->mains, &key)))
                        continue;
                if (process_stat(pids[k], &stat) < 0 || !process_living(&stat))
                        continue;
                items = reallocarray(l.items, l.n + 1, sizeof(Stray));
                if (!items)
                        return -ENOMEM;
                l.items = items;
                items[l.n] = (Stray) { .pid = pids[k], .stat = stat };
                process_invocation(pids[k], items[l.n++].invocation);
        }
        *ret = l;
        l = (StrayList) {};
        return 0;
}

/* Every process there is, main processes included: only where orphans do not come to the keeper, or children cannot be listed. */
static int strays_everywhere(const SessionIsolate *si, StrayList *ret) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        int r;

        r = process_all(&pids, &n);
        return r < 0 ? r : strays_from(si, pids, n, true, ret);
}

int strays_read(const SessionIsolate *si, StrayList *ret) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        int r;

        if (si->isolate.proc_scan)
                return strays_everywhere(si, ret);
        r = process_children(si->isolate.options.keeper, &pids, &n);
        if (r == -ESRCH) {
                *ret = (StrayList) {};
                return 0;
        }
        return r < 0 ? r : strays_from(si, pids, n, false, ret);
}

/* ---- members ---- */

/* Processes whose children are still to be listed. */
typedef struct Queue { pid_t *pids; size_t n, allocated; } Queue;

static void queue_done(Queue *q) {
        free(q->pids);
}

static int queue_push(Queue *q, pid_t pid) {
        if (q->n == q->allocated) {
                size_t n = q->allocated ? q->allocated * 2 : 16;
                pid_t *pids = reallocarray(q->pids, n, sizeof(pid_t));

                if (!pids)
                        return -ENOMEM;
                q->pids = pids;
                q->allocated = n;
        }
        q->pids[q->n++] = pid;
        return 0;
}

/* Children as the kernel lists them, or found in a picture of all processes. */
static int push_children(Queue *q, pid_t parent, const StrayList *all) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        int r = 0;

        if (!all)
                r = process_children(parent, &pids, &n);
        for (size_t k = 0; r >= 0 && k < n; k++)
                r = queue_push(q, pids[k]);
        for (size_t k = 0; all && r >= 0 && k < all->n; k++)
                if (all->items[k].stat.ppid == parent)
                        r = queue_push(q, all->items[k].pid);
        return r == -ESRCH ? 0 : r;
}

/* Adds the process, if it is still the one that started at that time (0: unknown), and all that descends from it. */
static int add_tree(pid_t top, uint64_t start_time, const StrayList *all, PidSet *ret) {
        _cleanup_(queue_done) Queue q = {};
        ProcessStat stat;
        int r;

        r = queue_push(&q, top);
        while (r >= 0 && q.n > 0) {
                pid_t pid = q.pids[--q.n];

                if (process_stat(pid, &stat) < 0 || !process_living(&stat))
                        continue;
                if (pid == top && start_time != 0 && stat.start_time != start_time)
                        continue;
                r = pidset_add(ret, pid, stat.start_time);
                if (r > 0)
                        r = push_children(&q, pid, all);
        }
        return r < 0 ? r : 0;
}

/* main's tree first and the orphans after it: a process whose parent ends meanwhile goes from the one to the other and never back. */
int session_members_pass(const SessionCell *sc, const StrayList *orphans, PidSet *ret) {
        const SessionIsolate *si = (const SessionIsolate *) sc->cell.isolate;
        bool everywhere = sc->wide || si->isolate.proc_scan;
        _cleanup_(stray_list_done) StrayList l = {};
        const StrayList *all = NULL;
        int r = 0;

        if (everywhere)
                orphans = NULL;
        if (si->isolate.proc_scan) {
                r = strays_everywhere(si, &l);
                all = orphans = &l;
        }
        if (r >= 0 && session_main_alive(sc))
                r = add_tree(sc->cell.main.pid, sc->cell.main.start_time, all, ret);
        if (r >= 0 && !orphans) {
                r = everywhere ? strays_everywhere(si, &l) : strays_read(si, &l);
                orphans = &l;
        }
        for (size_t k = 0; r >= 0 && k < orphans->n; k++)
                if (session_claims(sc, &orphans->items[k].stat, orphans->items[k].invocation))
                        r = add_tree(orphans->items[k].pid, orphans->items[k].stat.start_time, all, ret);
        return r;
}

int session_members(const SessionCell *sc, PidSet *ret) {
        /* Again while something new turns up: what an orphan's own descendants leave behind comes to the keeper after its list was read. */
        for (unsigned pass = 0; pass < PASSES; pass++) {
                size_t known = ret->n;
                int r;

                r = session_members_pass(sc, NULL, ret);
                if (r < 0)
                        return r;
                if (ret->n == known)
                        break;
        }
        return 0;
}
