/* A cell that has a cgroup directory, whoever made it: signals, emptiness, membership. Used by `scope` and `cgroup`. Source:
 * Documentation/admin-guide/cgroup-v2.rst.
 *
 * What must stay true: the directory may vanish at any moment (systemd removes a scope as soon as it is empty), and that always reads as
 * "nothing lives there"; then somebody else may make one of that path: nothing is done to it, since everything goes by the descriptor. */
#include "isolate/isolate_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>

#include "base/fd.h"
#include "base/log.h"

/* Passes over cgroup.procs until no process turns up that was not met before. */
#define PASSES 20

void cgroup_cell_close(Cell *c) {
        c->dir_fd = fd_close(c->dir_fd);
        c->handle[0] = '\0';
        for (size_t k = 0; k < _CELL_FILE_MAX; k++)
                c->files[k] = fd_close(c->files[k]);
}

int cgroup_cell_open(Cell *c, const char *path) {
        _cleanup_free_ char *copy = strdup(path);
        int fd;

        if (!copy)
                return -ENOMEM;
        fd = cgroup_open(path);
        if (fd < 0)
                return fd;
        free(c->cgroup);
        c->cgroup = TAKE_PTR(copy);
        cgroup_cell_close(c);
        c->dir_fd = fd;
        snprintf(c->handle, sizeof(c->handle), "/proc/self/fd/%d", fd);
        return 0;
}

static bool gone(int r) {
        return r == -ENOENT || r == -ENODEV || r == -ESRCH;
}

/* ---- signals ---- */

/* One process of the directory. The pidfd is taken first and membership looked at afterwards: what the descriptor names is then the process
 * that was looked at, or one that has gone. */
static int signal_member(Cell *c, pid_t pid, int sig) {
        _cleanup_pidref_ PidRef p = PIDREF_NULL;
        int r;

        r = pidref_open(pid, 0, &p);
        if (r < 0)
                return gone(r) ? 0 : r;
        /* In this order: while the directory is there its path is nobody else's. */
        if (!cell_owns(c, pid) || cgroup_cell_populated(c) == 0)
                return 0;
        r = pidref_signal(&p, sig);
        return gone(r) ? 0 : r;
}

/* Those of the subtree that are not in `met` yet: their number, or -errno. One that cannot be signalled does not spare the others. */
static int signal_pass(Cell *c, int sig, PidSet *met, int *error) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        int r, fresh = 0;

        r = cgroup_procs(c->handle, &pids, &n);
        if (r < 0)
                return gone(r) ? 0 : r;
        for (size_t k = 0; k < n; k++) {
                r = pidset_add(met, pids[k], 0);
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                fresh++;
                r = signal_member(c, pids[k], sig);
                if (r < 0 && *error == 0)
                        *error = r;
        }
        return fresh;
}

int cgroup_cell_signal(Cell *c, int sig) {
        _cleanup_pidset_ PidSet met = {};
        int r = 0, error = 0;

        for (unsigned pass = 0; c->dir_fd >= 0 && pass < PASSES; pass++) {
                r = signal_pass(c, sig, &met, &error);
                if (r <= 0)
                        break;
        }
        if (r < 0)
                return r;
        if (!pidset_has(&met, c->main.pid)) {
                r = cell_signal_main(c, sig);
                if (r < 0)
                        return r;
        }
        return error;
}

int cgroup_cell_kill(Cell *c) {
        int r = 0, q;

        if (c->dir_fd >= 0)
                r = cgroup_kill(c->handle);
        /* A main process that moved itself elsewhere is still ours. */
        q = cell_signal_main(c, SIGKILL);
        return r < 0 && !gone(r) ? r : q;
}

/* ---- emptiness ---- */

int cgroup_cell_populated(Cell *c) {
        const char *line;
        char text[256];
        ssize_t n;

        if (c->dir_fd < 0)
                return 0;
        n = read_file_into(c->dir_fd, "cgroup.events", text, sizeof(text));
        if (n < 0)
                return gone((int) n) ? 0 : (int) n;
        line = strstr(text, "populated ");
        return line && line[strlen("populated ")] == '1';
}

/* Notifications merge and come late: what counts is what the file says now. 1 when that was the end of the watch. */
static int look(Cell *c) {
        int r;

        r = cgroup_cell_populated(c);
        if (r == 0) {
                cell_emit_empty(c);
                return 1;
        }
        if (r < 0)
                log_errno(LOG_DEBUG, r, "cannot read %s/cgroup.events, ignoring", c->cgroup);
        return 0;
}

static int on_cgroup_events(sd_event_source *s, const struct inotify_event *event, void *userdata) {
        (void) look(userdata);
        return 0;
}

/* The kernel says "populated" at most every 10 ms and holds the rest back; when somebody removes the directory in that time, it is never said.
 * So look from time to time, ever more seldom. */
#define RECHECK_MAX_SEC 300u

static int on_recheck(sd_event_source *s, uint64_t usec, void *userdata) {
        Cell *c = userdata;

        if (look(c))
                return 0;
        c->recheck_sec = MIN(c->recheck_sec * 2, RECHECK_MAX_SEC);
        return sd_event_source_set_time_relative(s, c->recheck_sec * USEC_PER_SEC);
}

static int add_recheck(Cell *c) {
        int r;

        c->recheck_sec = 1;
        r = sd_event_add_time_relative(c->isolate->options.event, &c->recheck, CLOCK_MONOTONIC, USEC_PER_SEC, USEC_PER_SEC / 2, on_recheck, c);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(c->recheck, "cgroup-recheck");
        (void) sd_event_source_set_priority(c->recheck, c->isolate->options.empty_priority);
        return sd_event_source_set_enabled(c->recheck, SD_EVENT_ON);
}

int cgroup_cell_watch_empty(Cell *c) {
        _cleanup_free_ char *path = NULL;
        sd_event_source *s;
        int r;

        if (!c->cgroup)
                return cell_defer_empty(c);
        path = path_join(c->handle, "cgroup.events");
        if (!path)
                return -ENOMEM;
        r = sd_event_add_inotify(c->isolate->options.event, &s, path, IN_MODIFY, on_cgroup_events, c);
        if (gone(r))
                return cell_defer_empty(c);
        if (r == -ENOSPC || r == -EMFILE || r == -ENFILE)
                return cell_watch_members(c); /* the user's inotify limits are not ours to run out of */
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(s, "cgroup-events");
        (void) sd_event_source_set_priority(s, c->isolate->options.empty_priority);
        c->watch = s;

        /* Only after the watch is set can a look not miss anything. */
        r = cgroup_cell_populated(c);
        if (r <= 0)
                return r < 0 ? r : cell_defer_empty(c);
        return add_recheck(c);
}

/* ---- membership ---- */

/* One in no cgroup v2 may be the main process of a cell that has none yet. */
int cgroup_locate_pid(const Isolate *i, Whereabouts *w) {
        int r = i->mount ? process_cgroup(w->pid, &w->cgroup) : 0;

        return r == -ENOMEM ? r : 0;
}

bool cgroup_cell_holds(const Cell *c, const Whereabouts *w) {
        const char *mount = c->isolate->mount, *below, *rest;

        if (!c->cgroup || !mount)
                return w->pid == c->main.pid;
        below = startswith(c->cgroup, mount);
        rest = below && w->cgroup ? startswith(w->cgroup, below) : NULL;
        return rest && (*rest == '\0' || *rest == '/');
}

static void main_first(pid_t *pids, size_t n, pid_t main) {
        for (size_t k = 1; k < n; k++)
                if (pids[k] == main) {
                        pids[k] = pids[0];
                        pids[0] = main;
                        return;
                }
}

int cgroup_cell_pids(Cell *c, pid_t **ret, size_t *ret_n) {
        ProcessStat stat;
        int r;

        if (c->cgroup) {
                r = cgroup_procs(c->handle, ret, ret_n);
                if (r >= 0)
                        main_first(*ret, *ret_n, c->main.pid);
                if (!gone(r))
                        return r;
        }
        *ret = NULL;
        *ret_n = 0;
        if (c->cgroup || c->main.pid <= 0 || process_stat(c->main.pid, &stat) < 0 || !process_living(&stat) ||
            (c->main.start_time != 0 && stat.start_time != c->main.start_time))
                return 0;
        *ret = malloc(sizeof(pid_t));
        if (!*ret)
                return -ENOMEM;
        **ret = c->main.pid;
        *ret_n = 1;
        return 0;
}
