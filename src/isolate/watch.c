/* Emptiness where no cgroup tells it: the pidfd of one process of the cell on the event loop at a time. While that one lives the cell is not
 * empty, so no other need be watched; when it goes, the cell is looked at anew. One source and one descriptor a cell, however many processes.
 *
 * Also what is common to cells with and without a cgroup: signalling main itself. */
#include "isolate/isolate_internal.h"

#include <sys/epoll.h>

#include "base/fd.h"
#include "base/log.h"

/* How often to look where the kernel or the descriptor limit denies a pidfd. */
#define POLL_USEC (100 * USEC_PER_MSEC)
/* Passes over a list whose processes go while it is read, before waiting a moment. */
#define PASSES 20

bool process_living(const ProcessStat *stat) {
        return (stat->state != 'Z' && stat->state != 'X') || stat->threads > 1;
}

int cell_signal_main(const Cell *c, int sig) {
        _cleanup_pidref_ PidRef p = PIDREF_NULL;
        int r;

        if (c->main.pid <= 0 || c->main.start_time == 0)
                return 0;
        r = pidref_open(c->main.pid, c->main.start_time, &p);
        if (r >= 0)
                r = pidref_signal(&p, sig);
        return r == -ESRCH ? 0 : r;
}

static int watch_again(Cell *c);
static int watch_time(Cell *c);

/* Not to know is no reason to say that nothing lives: look again later. An error that comes out of here ends the event source. */
static int on_look_again(Cell *c) {
        int r;

        c->watch = sd_event_source_disable_unref(c->watch);
        r = c->vtable->cell_populated(c);
        if (r == 0) {
                cell_emit_empty(c);
                return 0;
        }
        if (r > 0)
                r = watch_again(c);
        if (r < 0) {
                log_errno(LOG_DEBUG, r, "cannot watch what is left of %s, trying again", c->where);
                r = watch_time(c);
        }
        return r;
}

static int on_member_gone(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        return on_look_again(userdata);
}

static int on_poll_time(sd_event_source *s, uint64_t usec, void *userdata) {
        return on_look_again(userdata);
}

static int watch_pidfd(Cell *c, int fd) {
        _cleanup_fd_ int owned = fd;
        sd_event_source *s;
        int r;

        r = sd_event_add_io(c->isolate->options.event, &s, owned, EPOLLIN, on_member_gone, c);
        if (r < 0)
                return r;
        (void) sd_event_source_set_io_fd_own(s, true);
        owned = -EBADF;
        (void) sd_event_source_set_description(s, "cell-member");
        (void) sd_event_source_set_priority(s, c->isolate->options.empty_priority);
        c->watch = s;
        return 0;
}

static int watch_time(Cell *c) {
        sd_event_source *s;
        int r;

        r = sd_event_add_time_relative(c->isolate->options.event, &s, CLOCK_MONOTONIC, POLL_USEC, 0, on_poll_time, c);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(s, "cell-poll");
        (void) sd_event_source_set_priority(s, c->isolate->options.empty_priority);
        c->watch = s;
        return 0;
}

/* Finds a living process and watches it: 1, or 0 when there is none to be found in this pass. */
static int watch_one(Cell *c) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        int r;

        r = c->vtable->cell_pids(c, &pids, &n);
        for (size_t k = 0; r >= 0 && k < n; k++) {
                _cleanup_pidref_ PidRef p = PIDREF_NULL;

                r = pidref_open(pids[k], 0, &p);
                if (r == -ESRCH || (r >= 0 && !pidref_alive(&p))) {
                        r = 0;
                        continue;
                }
                if (r == -EMFILE || r == -ENFILE || (r >= 0 && p.fd < 0))
                        r = watch_time(c);
                else if (r >= 0)
                        r = watch_pidfd(c, TAKE_FD(p.fd));
                return r < 0 ? r : 1;
        }
        return r < 0 ? r : 0;
}

static int watch_again(Cell *c) {
        int r;

        for (unsigned pass = 0; pass < PASSES; pass++) {
                r = watch_one(c);
                if (r != 0)
                        return r < 0 ? r : 0;
                r = c->vtable->cell_populated(c);
                if (r < 0)
                        return r;
                if (r == 0)
                        return cell_defer_empty(c);
        }
        /* Something forks faster than it can be caught. */
        return watch_time(c);
}

int cell_watch_members(Cell *c) {
        int r;

        r = c->vtable->cell_populated(c);
        if (r < 0)
                return r;
        return r == 0 ? cell_defer_empty(c) : watch_again(c);
}
