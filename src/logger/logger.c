/* The loop, the keeper's socket and the end. Must stay true: idle costs no wake-up (the only timer runs while a file is full or waits for its age);
 * the keeper hears of a run's end only after every byte of it is in the file; nothing the keeper sends can stop the loop. */
#include "logger/logger.h"

#include <signal.h>
#include <sys/signalfd.h>

#include "base/fd.h"
#include "base/log.h"
#include "linux/thrift.h"
#include "logger/quota.h"
#include "logger/state.h"

#define EVENTS_A_TURN 64
#define PACKETS_A_TURN 64

static Logger *logger_of_socket(PollSource *s) {
        return (Logger *) ((char *) s - offsetof(Logger, socket));
}

void logger_wake(Logger *l, usec_t monotonic) {
        l->wake = MIN(l->wake, monotonic);
}

/* ---- what we say ---- */

/* False: not now. A keeper that is gone needs no answer. */
static bool say(Logger *l, uint64_t run, LogAnswerKind kind) {
        LogAnswer a = { .run = run, .kind = kind };
        int r = fd_send(l->socket.fd, &a, sizeof(a), NULL, 0);

        return !fd_send_later(r);
}

void logger_closed(Logger *l, Run *run) {
        Target *t = TAKE_PTR(run->target);

        LIST_REMOVE(run, siblings);
        target_put(t);
        LIST_INSERT_HEAD(&l->closing, run, siblings);
        if (say(l, run->id, LOG_ENDED))
                run_free(run);
        else
                (void) poller_modify(&l->poller, &l->socket, EPOLLIN | EPOLLOUT);
}

static void say_waiting(Logger *l) {
        Run *run;

        while ((run = LIST_FIRST(&l->closing))) {
                if (!say(l, run->id, LOG_ENDED))
                        return;
                run_free(run);
        }
        if (l->reopened && !say(l, 0, LOG_REOPENED))
                return;
        l->reopened = false;
        (void) poller_modify(&l->poller, &l->socket, EPOLLIN);
}

static void say_reopened(Logger *l) {
        l->reopened = !say(l, 0, LOG_REOPENED);
        if (l->reopened)
                (void) poller_modify(&l->poller, &l->socket, EPOLLIN | EPOLLOUT);
}

/* One that cannot even be refused comes back to whoever follows us. */
static void refuse(Logger *l, uint64_t run, int error) {
        if (!l->refusing)
                log_errno(LOG_ERR, error, "cannot take up the output of run %" PRIx64 ", will try again: it waits in its pipes", run);
        l->refusing = true;
        if (!say(l, run, LOG_REFUSED))
                l->poller.stop = true;
}

/* ---- what we hear ---- */

/* All runs of one daemon name the same directory. */
static void note_root(Logger *l, const LogOpen *o) {
        if (l->root || o->root_size == 0)
                return;
        l->root = strndup(o->path, o->root_size);
        if (l->quota == UINT64_MAX)
                return;
        l->quota_at = 0;
        logger_wake(l, 0);
}

static void hear_packet(Logger *l, const LogPacket *p, size_t size, const int *fds, size_t n_fds) {
        const LogOpen *o = &p->open;
        int r;

        r = log_open_check(p, size, n_fds);
        if (r < 0) {
                for (size_t i = 0; i < n_fds; i++)
                        fd_close(fds[i]);
                log_warning("malformed packet of %zu bytes and %zu descriptors dropped", size, n_fds);
                return;
        }
        note_root(l, o);
        r = run_open(l, p, fds);
        if (r == -EEXIST) {
                log_debug("already reading run %" PRIx64, o->run);
                return;
        }
        if (r < 0) {
                refuse(l, o->run, r);
                return;
        }
        if (l->refusing)
                log_notice("the output of all runs is taken up again");
        l->refusing = false;
}

/* False: nothing more for now, or ever (then the loop ends). */
static bool hear(Logger *l) {
        struct { LogPacket packet; char beyond; } in;    /* with room for one that is too long, so that EMSGSIZE means its descriptors */
        size_t n_fds = 2;
        int fds[2];
        ssize_t n;

        in.packet.open.version = 0;
        n = fd_recv(l->socket.fd, &in, sizeof(in), fds, &n_fds);
        if (n == -EAGAIN)
                return false;
        if (n == -EMSGSIZE) {
                /* No room for them in our table of files. */
                if (in.packet.open.version == LOG_WIRE_VERSION)
                        refuse(l, in.packet.open.run, -EMFILE);
                else
                        log_warning("oversized packet dropped");
                return true;
        }
        if (n < 0 && n != -ECONNRESET)
                log_errno(LOG_WARNING, (int) n, "cannot hear the keeper");
        if (n <= 0) {
                l->poller.stop = true;
                return false;
        }
        hear_packet(l, &in.packet, (size_t) n, fds, n_fds);
        return true;
}

static void socket_ready(PollSource *s, uint32_t events) {
        Logger *l = logger_of_socket(s);

        if (events & EPOLLOUT)
                say_waiting(l);
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                for (unsigned i = 0; i < PACKETS_A_TURN && hear(l); i++)
                        ;
}

/* SIGHUP: files that logrotate(8) and the like moved away are opened anew, and what waits for a full disk is tried at once. */
static void signal_ready(PollSource *s, uint32_t events) {
        Logger *l = (Logger *) ((char *) s - offsetof(Logger, signals));
        struct signalfd_siginfo info;
        Target *t;

        if (read(s->fd, &info, sizeof(info)) != sizeof(info))
                return;
        LIST_FOREACH(t, &l->all, all) {
                sink_close(t->sink);
                target_used(t);
                t->retry_at = 0;
        }
        logger_wake(l, 0);
        say_reopened(l);
}

/* ---- the loop ---- */

static usec_t time_left(const Logger *l) {
        usec_t now;

        if (l->wake == USEC_INFINITY)
                return USEC_INFINITY;
        now = now_usec(CLOCK_MONOTONIC);
        return l->wake > now ? l->wake - now : 0;
}

static void look_at_quota(Logger *l, usec_t now) {
        uint64_t size;
        int r;

        if (l->quota_at > now) {
                logger_wake(l, l->quota_at);
                return;
        }
        l->quota_at = USEC_INFINITY;
        r = l->root ? quota_enforce(l->root, l->quota, &size) : 0;
        if (r < 0)
                log_errno(LOG_WARNING, r, "cannot tell how large the logs in %s are", l->root);
        else if (r > 0)
                log_info("removed %i log file%s that had been put aside: all logs together exceeded their quota", r, r == 1 ? "" : "s");
}

/* Rare, so that looking at every target is cheaper than keeping them in order. */
static void tick(Logger *l) {
        usec_t now = now_usec(CLOCK_MONOTONIC), realtime;

        if (l->wake > now)
                return;
        l->wake = USEC_INFINITY;
        realtime = now_usec(CLOCK_REALTIME);
        for (Target *t = LIST_FIRST(&l->all), *next; t; t = next) {
                next = LIST_NEXT(t, all);
                target_tick(t, now, realtime);
        }
        look_at_quota(l, now);
}

static int take_signals(Logger *l) {
        sigset_t hangup;

        /* Whoever stops the whole group means the services; we end when the keeper does, and nothing of their last words is lost. */
        (void) signal(SIGINT, SIG_IGN);
        (void) signal(SIGTERM, SIG_IGN);
        (void) signal(SIGPIPE, SIG_IGN);
        (void) signal(SIGXFSZ, SIG_IGN);
        sigemptyset(&hangup);
        sigaddset(&hangup, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &hangup, NULL) < 0)
                return -errno;
        l->signals.fd = signalfd(-1, &hangup, SFD_CLOEXEC | SFD_NONBLOCK);
        if (l->signals.fd < 0)
                return -errno;
        return poller_add(&l->poller, &l->signals, EPOLLIN);
}

static int set_up(Logger *l) {
        int r;

        l->targets = map_new_string();
        if (!l->targets)
                return -ENOMEM;
        r = poller_init(&l->poller, EVENTS_A_TURN);
        if (r >= 0)
                r = take_signals(l);
        if (r >= 0)
                r = fd_nonblock(l->socket.fd, true);
        return r < 0 ? r : poller_add(&l->poller, &l->socket, EPOLLIN);
}

/* ---- the end ---- */

/* What a pipe holds now; its writer may live on, and the keeper after ours have the pipe from the vault. */
static void finish_pipe(LogPipe *p) {
        size_t budget = PIPE_REST, n;
        int r;

        if (p->source.fd < 0)
                return;
        r = pipe_retry(p);
        /* Where the file still cannot be written, what was not read stays in the pipe for whoever holds it. */
        while (r >= 0 && !p->eof && budget > 0 && (n = pipe_read(p)) > 0)
                budget -= MIN(budget, n);
        p->leave = true;
        r = pipe_retry(p);
        if (r < 0)
                log_errno(LOG_ERR, r, "%zu bytes of output for %s are lost", (size_t) p->kept_size + p->stream.open_size,
                          sink_path(p->run->target->sink));
}

static Run *any_run(const Logger *l) {
        size_t i = 0;
        void *t;

        return map_next(l->targets, &i, &t) ? LIST_FIRST(&((const Target *) t)->runs) : LIST_FIRST(&l->closing);
}

static void finish(Logger *l) {
        Run *run;

        l->ending = true;
        while ((run = any_run(l))) {
                if (run->target) {
                        finish_pipe(&run->pipes[0]);
                        finish_pipe(&run->pipes[1]);
                }
                run_free(run);
        }
}

static void tear_down(Logger *l) {
        archiver_done(&l->archiver);
        poller_done(&l->poller);
        map_free(l->targets);
        free(l->root);
        free(l->buffer);
        fd_close(l->signals.fd);
        fd_close(l->socket.fd);
}

int logger_run(int socket, uint64_t quota) {
        Logger l = { .poller = { .fd = -EBADF }, .socket = { .fd = socket, .ready = socket_ready },
                     .signals = { .fd = -EBADF, .ready = signal_ready }, .wake = USEC_INFINITY, .quota = quota, .quota_at = USEC_INFINITY };
        int r;

        TAILQ_INIT(&l.recent);
        archiver_init(&l.archiver, &l.poller);
        r = set_up(&l);
        if (r < 0)
                log_errno(LOG_ERR, r, "cannot set up the event loop");
        thrift_give_back();
        while (r >= 0 && !l.poller.stop) {
                r = poller_wait(&l.poller, time_left(&l));
                if (r < 0)
                        log_errno(LOG_ERR, r, "cannot wait for events");
                else
                        tick(&l);
        }
        if (r >= 0)
                finish(&l);
        tear_down(&l);
        return r;
}
