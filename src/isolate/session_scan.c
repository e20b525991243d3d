/* Who belongs to which cell where there is no cgroup: descent, session and environment, read from /proc.
 *
 * A process is in a cell when it is main, or descends from one that is in it, or has come to the keeper (the subreaper of all services) as an
 * orphan and either is in main's session or process group or carries the cell's INVOCATION_ID. What leaves the session, loses its parents and
 * clears its environment escapes; that is said in the report of the isolation.
 *
 * What must stay true: a process is never claimed on its number alone. Session and group numbers are those of a dead main process, which may
 * be used again once its session is gone: so an INVOCATION_ID that is another's outweighs them unless main lives, and nobody who started before
 * main is claimed by them (main may be one that the service named later, and others of it older: those have the INVOCATION_ID). And none is taken
 * for gone because memory or descriptors are wanting to look at it. */
#include "isolate/session.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

#include "base/fd.h"

#define ENVIRON_MAX (8u << 20)
/* Looks at something that changes while it is looked at. */
#define PASSES 20

void stray_list_done(StrayList *l) {
        free(l->items);
        *l = (StrayList) {};
}

/* 1: it lives; 0: it is gone, or all but; -errno: not to be known for want of memory or descriptors. */
static int look_at(pid_t pid, ProcessStat *ret) {
        int r = process_stat(pid, ret);

        return r >= 0 ? process_living(ret) : error_is_want(r) ? r : 0;
}

/* 1: no environment is to be seen at all; 0: it was looked through, or may not be read; -errno as above. */
static int process_invocation(pid_t pid, char ret[INVOCATION_MAX]) {
        _cleanup_free_ char *environment = NULL;
        char path[48];
        size_t size;
        int r;

        *ret = '\0';
        snprintf(path, sizeof(path), "/proc/%d/environ", (int) pid);
        r = read_file_at(AT_FDCWD, path, ENVIRON_MAX, &environment, &size);
        if (r < 0)
                return error_is_want(r) ? r : r == -ESRCH;
        for (const char *e = environment; e < environment + size; e += strlen(e) + 1) {
                const char *value = startswith(e, "INVOCATION_ID=");

                if (value) {
                        snprintf(ret, INVOCATION_MAX, "%s", value);
                        return 0;
                }
        }
        return size == 0;
}

int session_main_alive(const SessionCell *sc) {
        const PidRef *main = &sc->cell.main;
        ProcessStat stat;
        int r = main->pid > 0 ? look_at(main->pid, &stat) : 0;

        return r > 0 ? main->start_time == 0 || main->start_time == stat.start_time : r;
}

bool session_claims(const SessionCell *sc, const ProcessStat *stat, const char *invocation) {
        const Cell *c = &sc->cell;

        if (*c->where && streq(invocation, c->where))
                return true;
        if (stat->start_time < c->main.start_time)
                return false;
        if (c->main.pid <= 0 || (stat->session != c->main.pid && stat->pgid != c->main.pid))
                return false;
        return !*invocation || session_main_alive(sc) > 0;
}

/* ---- lists of candidates ---- */

/* A process that is ending loses its memory first, then hands its children on, and becomes a zombie last; one that executes another program has no
 * environment for a moment. 1: it is one of these, and cannot tell whose it is. */
static int read_invocation(Stray *s) {
        int r = process_invocation(s->pid, s->invocation);

        if (r > 0 && process_formed(s->pid))
                r = process_invocation(s->pid, s->invocation);
        return r > 0 ? !process_formed(s->pid) : r;
}

static int stray_add(StrayList *l, pid_t pid, const ProcessStat *stat) {
        Stray *items = reallocarray(l->items, l->n + 1, sizeof(Stray));
        int r;

        if (!items)
                return -ENOMEM;
        l->items = items;
        items[l->n] = (Stray) { .pid = pid, .stat = *stat };
        r = read_invocation(items + l->n);
        if (r < 0)
                return r;
        items[l->n++].unformed = r > 0;
        return 0;
}

static bool is_daemons_own(const SessionIsolate *si, pid_t pid) {
        return pid == getpid() || pid == si->isolate.options.keeper;
}

#define ANCESTRY_MAX 64      /* deeper is nobody's */

int ancestry_read(const SessionIsolate *si, pid_t pid, StrayList *ret) {
        ProcessStat stat;
        int r = 0;

        for (; r >= 0 && ret->n < ANCESTRY_MAX && pid > 1 && !is_daemons_own(si, pid) && process_stat(pid, &stat) >= 0; pid = stat.ppid)
                r = stray_add(ret, pid, &stat);
        return r;
}

/* Every process there is, main processes included: only where orphans do not come to the keeper, or children cannot be listed. */
static int strays_everywhere(const SessionIsolate *si, StrayList *ret) {
        _cleanup_(stray_list_done) StrayList l = {};
        _cleanup_free_ pid_t *pids = NULL;
        ProcessStat stat;
        size_t n = 0;
        int r;

        r = process_all(&pids, &n);
        for (size_t k = 0; r >= 0 && k < n; k++) {
                r = is_daemons_own(si, pids[k]) ? 0 : look_at(pids[k], &stat);
                if (r > 0)
                        r = stray_add(&l, pids[k], &stat);
        }
        if (r < 0)
                return r;
        *ret = l;
        l = (StrayList) {};
        return 0;
}

/* One reading of the keeper's children: adds those that are not in `seen` yet. 1 when there were such, so that the list must be read again:
 * what belonged to one that has ended in between is in the list only now. *ret_unformed: the last of the list cannot tell whose it is yet, and was left out of
 * `seen`. */
static int strays_round(const SessionIsolate *si, uint64_t since, PidSet *seen, StrayList *l, bool *ret_unformed) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        int r, any = 0;

        r = process_children(si->isolate.options.keeper, &pids, &n);
        if (r < 0)
                return r == -ESRCH ? 0 : r;
        *ret_unformed = false;
        for (size_t k = 0; k < n; k++) {
                uint64_t key = (uint64_t) pids[k];
                ProcessStat stat;

                if (is_daemons_own(si, pids[k]) || map_get(si->mains, &key) || pidset_has(seen, pids[k]))
                        continue;
                any = 1;
                r = look_at(pids[k], &stat);
                if (r < 0)
                        return r;
                if (r > 0 && stat.start_time >= since) {
                        r = stray_add(l, pids[k], &stat);
                        if (r < 0)
                                return r;
                        if (l->items[l->n - 1].unformed) {
                                *ret_unformed = true;
                                continue;
                        }
                }
                r = pidset_add(seen, pids[k], 0);
                if (r < 0)
                        return r;
        }
        return any;
}

/* Those that could not tell, to be looked at anew. */
static void drop_unformed(StrayList *l) {
        size_t kept = 0;

        for (size_t k = 0; k < l->n; k++)
                if (!l->items[k].unformed)
                        l->items[kept++] = l->items[k];
        l->n = kept;
}

int strays_read(const SessionIsolate *si, uint64_t since, StrayList *ret) {
        _cleanup_(stray_list_done) StrayList l = {};
        _cleanup_pidset_ PidSet seen = {};
        bool unformed = false;
        int r;

        if (si->isolate.proc_scan)
                return strays_everywhere(si, ret);
        /* At least twice: the list may miss one while others of it exit (proc(5), /proc/tid/children). */
        for (unsigned round = 0; round < PASSES; round++) {
                drop_unformed(&l);
                r = strays_round(si, since, &seen, &l, &unformed);
                if (r < 0)
                        return r;
                if (r == 0 && round > 0)
                        break;
                if (unformed)
                        sched_yield();
        }
        *ret = l;
        l = (StrayList) {};
        return 0;
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

                r = look_at(pid, &stat);
                if (r <= 0)
                        continue;
                if (pid == top && start_time != 0 && stat.start_time != start_time)
                        continue;
                r = pidset_add(ret, pid, stat.start_time);
                if (r > 0)
                        r = push_children(&q, pid, all);
        }
        return r < 0 ? r : 0;
}

/* Of a process that takes its time to end, and can no longer tell whose it is, the children can. */
static int add_claimed_children(const SessionCell *sc, pid_t parent, PidSet *ret) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        int r;

        r = process_children(parent, &pids, &n);
        for (size_t k = 0; r >= 0 && k < n; k++) {
                char invocation[INVOCATION_MAX];
                ProcessStat stat;

                r = look_at(pids[k], &stat);
                if (r <= 0)
                        continue;
                r = process_invocation(pids[k], invocation);
                if (r >= 0 && session_claims(sc, &stat, invocation))
                        r = add_tree(pids[k], stat.start_time, NULL, ret);
        }
        return r == -ESRCH ? 0 : r;
}

/* main's tree first and the orphans after it: a process whose parent ends meanwhile goes from the one to the other and never back. */
int session_members_pass(const SessionCell *sc, const StrayList *orphans, PidSet *ret) {
        const SessionIsolate *si = (const SessionIsolate *) sc->cell.isolate;
        bool everywhere = sc->wide || si->isolate.proc_scan;
        _cleanup_(stray_list_done) StrayList l = {};
        const StrayList *all = NULL;
        bool undecided = false;
        int r = 0;

        if (everywhere)
                orphans = NULL;
        if (si->isolate.proc_scan) {
                r = strays_everywhere(si, &l);
                all = orphans = &l;
        }
        if (r >= 0)
                r = session_main_alive(sc);
        if (r > 0)
                r = add_tree(sc->cell.main.pid, sc->cell.main.start_time, all, ret);
        if (r >= 0 && !orphans) {
                r = everywhere ? strays_everywhere(si, &l) : strays_read(si, 0, &l);
                orphans = &l;
        }
        for (size_t k = 0; r >= 0 && k < orphans->n; k++) {
                const Stray *s = orphans->items + k;

                if (session_claims(sc, &s->stat, s->invocation))
                        r = add_tree(s->pid, s->stat.start_time, all, ret);
                else if (s->unformed && !everywhere) {
                        undecided = true;
                        r = add_claimed_children(sc, s->pid, ret);
                }
        }
        return r < 0 ? r : undecided;
}

int session_members(const SessionCell *sc, PidSet *ret) {
        /* Again while something new turns up: what an orphan's own descendants leave behind comes to the keeper after its list was read. */
        for (unsigned pass = 0; pass < PASSES; pass++) {
                size_t known = ret->n;
                int r;

                r = session_members_pass(sc, NULL, ret);
                if (r < 0)
                        return r;
                if (r == 0 && ret->n == known)
                        break;
        }
        return 0;
}
