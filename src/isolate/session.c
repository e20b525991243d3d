/* Kind `session`: no place at all, only a session of its own for every run, pidfds, and the keeper as subreaper of what is orphaned. Enforces
 * no limit that needs a cgroup; finds and ends what a service leaves behind as far as /proc tells (session_scan.c).
 *
 * What must stay true: to look whether a cell is empty costs two reads of the keeper's children where nothing is left over; a process is
 * signalled only through a reference whose start time is that of the process that was found to be a member. */
#include "isolate/session.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/fd.h"

/* Passes over the members until none turns up that was not met before. */
#define PASSES 20
/* How old the list of orphans may be for figures. */
#define RECENT_USEC (100 * USEC_PER_MSEC)

static SessionIsolate *session_isolate(const Cell *c) {
        return (SessionIsolate *) c->isolate;
}

static SessionCell *session_cell(const Cell *c) {
        return (SessionCell *) c;
}

/* ---- the isolate ---- */

static int session_try(Isolate *i, KlError *reterr) {
        SessionIsolate *si = (SessionIsolate *) i;
        _cleanup_free_ pid_t *pids = NULL;
        size_t n;
        int r;

        if (i->options.keeper <= 0)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "no keeper that orphans would come to");
        si->mains = map_new_u64();
        if (!si->mains)
                return kl_error_set(reterr, -ENOMEM, KL_E_NO_MEMORY, "out of memory");
        r = process_children(i->options.keeper, &pids, &n);
        i->proc_scan = r == -EOPNOTSUPP;
        r = support_deny(i, CGROUP_CPU | CGROUP_MEMORY | CGROUP_IO | CGROUP_PIDS, "isolation \"session\" has no cgroup to hold it");
        if (r >= 0)
                r = isolate_note(i, "session: in force; processes are found by descent, session and INVOCATION_ID%s",
                                 i->proc_scan ? " in all of /proc (the kernel lists no children: CONFIG_PROC_CHILDREN)" : "");
        if (r >= 0)
                r = isolate_note(i, "session: a daemonised process that also clears its environment cannot be found");
        return r < 0 ? kl_error_set(reterr, r, KL_E_NO_MEMORY, "out of memory") : 0;
}

static void session_destroy(Isolate *i) {
        SessionIsolate *si = (SessionIsolate *) i;

        si->mains = map_free(si->mains);
        stray_list_done(&si->recent);
}

/* ---- main processes ---- */

static void main_forget(SessionCell *sc) {
        Map *mains = session_isolate(&sc->cell)->mains;

        if (sc->key != 0 && map_get(mains, &sc->key) == sc)
                map_remove(mains, &sc->key);
        sc->key = 0;
}

static int main_note(SessionCell *sc) {
        SessionIsolate *si = session_isolate(&sc->cell);
        SessionCell *other;

        main_forget(sc);
        sc->key = (uint64_t) sc->cell.main.pid;
        /* A number that is used again: the cell that had it knows a process that has gone. */
        other = map_get(si->mains, &sc->key);
        if (other)
                main_forget(other);
        return map_put(si->mains, &sc->key, sc);
}

/* ---- cells ---- */

static int session_new(Cell *c, const CellName *name, const ServiceSpec *spec, KlError *reterr) {
        c->where = strdup(""); /* known with the invocation */
        return c->where ? 0 : kl_error_set(reterr, -ENOMEM, KL_E_NO_MEMORY, "out of memory");
}

static int session_place(Cell *c, const PidRef *main, const char *invocation_id) {
        char *where = strdup(invocation_id ? invocation_id : "");

        if (!where)
                return -ENOMEM;
        /* Another main process may be named later, which is younger than the rest. */
        if (!*c->where)
                session_cell(c)->since = main->start_time;
        free(c->where);
        c->where = where;
        return main_note(session_cell(c));
}

static int session_adopt(Cell *c, const CellName *name, const char *where) {
        SessionCell *sc = session_cell(c);
        ProcessStat stat;
        int r;

        c->where = strdup(where);
        if (!c->where)
                return -ENOMEM;
        r = session_main_alive(sc);
        if (r < 0)
                return r;
        if (r == 0) {
                _cleanup_pidset_ PidSet members = {};

                /* With main dead nobody can tell whose child it was. */
                sc->wide = true;
                r = session_members(sc, &members);
                return r < 0 ? r : members.n == 0 ? -ENOENT : 0;
        }
        sc->wide = process_stat(c->main.pid, &stat) < 0 || stat.ppid != c->isolate->options.keeper;
        return main_note(sc);
}

static int session_locate(const Isolate *i, pid_t pid, const char *invocation_id, char **ret) {
        *ret = strdup(invocation_id);
        return *ret ? 0 : -ENOMEM;
}

static void session_free(Cell *c) {
        main_forget(session_cell(c));
}

static int session_clean(Cell *c) {
        return 0;
}

/* ---- orphans ---- */

/* The list of orphans, read anew when it is older than a moment: a list of a thousand services asks for it a thousand times, and so does
 * stopping them all. */
static int recent_refresh(SessionIsolate *si) {
        usec_t now = now_usec(CLOCK_MONOTONIC);
        StrayList l = {};
        int r;

        if (si->recent_at != 0 && now < usec_add(si->recent_at, RECENT_USEC))
                return 0;
        r = strays_read(si, 0, &l);
        if (r < 0)
                return r;
        stray_list_done(&si->recent);
        si->recent = l;
        si->recent_at = now;
        return 0;
}

/* ---- signals ---- */

static int signal_mark(const PidMark *m, int sig) {
        _cleanup_pidref_ PidRef p = PIDREF_NULL;
        int r;

        r = pidref_open(m->pid, m->start_time, &p);
        if (r >= 0)
                r = pidref_signal(&p, sig);
        return r == -ESRCH ? 0 : r;
}

/* Signals those of `members` that are not in `met` yet; their number. The first that cannot be signalled does not spare the others: *error
 * keeps why. */
static int signal_fresh(const PidSet *members, int sig, PidSet *met, int *error) {
        int r, fresh = 0;

        for (size_t k = 0; k < members->n; k++) {
                r = pidset_add(met, members->items[k].pid, members->items[k].start_time);
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                fresh++;
                r = signal_mark(members->items + k, sig);
                if (r < 0 && *error == 0)
                        *error = r;
        }
        return fresh;
}

/* Signals every member that is not in `met` until no new one turns up. 1 if there were any, 0 if none. The first pass goes by a recent list of
 * orphans, those that decide by a new one. */
static int sweep(SessionCell *sc, int sig, PidSet *met, int *error) {
        SessionIsolate *si = session_isolate(&sc->cell);
        bool any = false, again = true;
        int r;

        r = recent_refresh(si);
        for (unsigned pass = 0; r >= 0 && again && pass < PASSES; pass++) {
                _cleanup_pidset_ PidSet members = {};

                r = session_members_pass(sc, pass == 0 ? &si->recent : NULL, &members);
                again = r > 0 || pass == 0;
                if (r >= 0)
                        r = signal_fresh(&members, sig, met, error);
                again = again || r > 0;
                any = any || r > 0;
        }
        return r < 0 ? r : any;
}

static int session_signal(Cell *c, int sig) {
        _cleanup_pidset_ PidSet met = {};
        int r, error = 0;

        r = sweep(session_cell(c), sig, &met, &error);
        return r < 0 ? r : error;
}

/* First everything is stopped, so that it neither forks on nor loses its parents while the whole tree is gathered, then all of it is killed;
 * and again while something turns up that was born in between. */
static int session_kill(Cell *c) {
        _cleanup_pidset_ PidSet met = {};
        int r = 0, error = 0;

        for (unsigned pass = 0; pass < PASSES; pass++) {
                r = sweep(session_cell(c), SIGSTOP, &met, &error);
                if (r <= 0)
                        break;
                for (size_t k = 0; k < met.n; k++) {
                        r = signal_mark(met.items + k, SIGKILL);
                        if (r < 0 && error == 0)
                                error = r;
                }
        }
        return r < 0 ? r : error;
}

/* ---- emptiness and membership ---- */

/* 1 when some orphan at the keeper is the cell's, or cannot be told yet. */
static int claimed_stray(SessionCell *sc) {
        _cleanup_(stray_list_done) StrayList l = {};
        int r;

        /* Of the keeper's own helpers, which are older, nothing more has to be read. */
        r = strays_read(session_isolate(&sc->cell), sc->since, &l);
        if (r < 0)
                return r;
        for (size_t k = 0; k < l.n; k++)
                if (l.items[k].unformed || session_claims(sc, &l.items[k].stat, l.items[k].invocation))
                        return 1;
        return 0;
}

static int session_populated(Cell *c) {
        _cleanup_pidset_ PidSet members = {};
        SessionCell *sc = session_cell(c);
        int r;

        /* Reaped, as the caller says: from now on its number is anybody's. */
        r = session_main_alive(sc);
        if (r < 0)
                return r;
        if (r == 0)
                main_forget(sc);
        if (sc->key == 0 && !sc->wide && !c->isolate->proc_scan) {
                r = claimed_stray(sc);
                if (r != 0)
                        return r;
                /* What the list missed may still be told by its process group. */
                if (c->main.pid <= 0 || kill(-c->main.pid, 0) < 0)
                        return 0;
        }
        r = session_members(sc, &members);
        return r < 0 ? r : members.n > 0;
}

static int session_locate_pid(const Isolate *i, Whereabouts *w) {
        StrayList ancestry = {};
        int r = ancestry_read((const SessionIsolate *) i, w->pid, &ancestry);

        w->ancestry = ancestry.items;
        w->n_ancestry = ancestry.n;
        return r;
}

/* Up the line of parents until one is main or belongs by itself. */
static bool session_holds(const Cell *c, const Whereabouts *w) {
        const SessionCell *sc = session_cell(c);

        for (const Stray *s = w->ancestry; s < w->ancestry + w->n_ancestry; s++)
                if ((s->pid == c->main.pid && (c->main.start_time == 0 || c->main.start_time == s->stat.start_time)) ||
                    session_claims(sc, &s->stat, s->invocation))
                        return true;
        return false;
}

static int session_pids(Cell *c, pid_t **ret, size_t *ret_n) {
        _cleanup_pidset_ PidSet members = {};
        pid_t *pids;
        size_t at = 0;
        int r;

        r = session_members(session_cell(c), &members);
        if (r < 0)
                return r;
        pids = reallocarray(NULL, MAX(members.n, (size_t) 1), sizeof(pid_t));
        if (!pids)
                return -ENOMEM;
        if (pidset_has(&members, c->main.pid))
                pids[at++] = c->main.pid;
        for (size_t k = 0; k < members.n; k++)
                if (members.items[k].pid != c->main.pid)
                        pids[at++] = members.items[k].pid;
        *ret = pids;
        *ret_n = at;
        return 0;
}

/* ---- figures ---- */

/* Main has one thread and no child, and nothing that was orphaned is the cell's. */
static int main_is_alone(SessionCell *sc, const ProcessStat *stat) {
        SessionIsolate *si = session_isolate(&sc->cell);
        char path[64], text[16];
        int r;

        if (stat->threads != 1 || sc->wide || si->isolate.proc_scan)
                return 0;
        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int) sc->cell.main.pid, (int) sc->cell.main.pid);
        if (read_file_into(AT_FDCWD, path, text, sizeof(text)) != 0)
                return 0;
        r = recent_refresh(si);
        if (r < 0)
                return r;
        for (size_t k = 0; k < si->recent.n; k++)
                if (session_claims(sc, &si->recent.items[k].stat, si->recent.items[k].invocation))
                        return 0;
        return 1;
}

static int session_usage(Cell *c, bool detail, Usage *ret) {
        _cleanup_pidset_ PidSet members = {};
        SessionCell *sc = session_cell(c);
        ProcessStat stat;
        int r;

        if (process_stat(c->main.pid, &stat) >= 0 && (c->main.start_time == 0 || c->main.start_time == stat.start_time)) {
                r = main_is_alone(sc, &stat);
                if (r < 0)
                        return r;
                if (r > 0) {
                        usage_add_process(ret, c->main.pid, &stat, detail);
                        return 0;
                }
        }
        r = session_members(sc, &members);
        for (size_t k = 0; r >= 0 && k < members.n; k++)
                if (process_stat(members.items[k].pid, &stat) >= 0 && stat.start_time == members.items[k].start_time)
                        usage_add_process(ret, members.items[k].pid, &stat, detail);
        return r < 0 ? r : 0;
}

const IsolateVTable isolate_session_vtable = {
        .kind = ISOLATE_SESSION,
        .window = UINT_MAX,
        .isolate_size = sizeof(SessionIsolate),
        .cell_size = sizeof(SessionCell),
        .try = session_try,
        .destroy = session_destroy,
        .cell_new = session_new,
        .cell_adopt = session_adopt,
        .locate = session_locate,
        .cell_place = session_place,
        .cell_signal = session_signal,
        .cell_kill = session_kill,
        .cell_populated = session_populated,
        .cell_watch_empty = cell_watch_members,
        .cell_clean = session_clean,
        .cell_free = session_free,
        .locate_pid = session_locate_pid,
        .cell_holds = session_holds,
        .cell_pids = session_pids,
        .cell_usage = session_usage,
};
