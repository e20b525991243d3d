/* What a message changes. Must stay true: each step may end the run, so each finds the instance anew; the order is that of systemd: who is the main
 * process and who is heard first, what it says of itself, STOPPING=1 before RELOADING=1 and READY=1, the watchdog last. What is said once is in the books
 * before the datagram, the only other note of it, is taken from the socket. */
#include "base/log.h"
#include "manager/books/books.h"
#include "manager/life/instance.h"
#include "manager/notify/fd_store.h"
#include "manager/notify/main_process.h"
#include "manager/notify/said.h"

typedef struct Told {
        const NotifyMessage *message;
        const NotifySource *source;
        NotifyFds *fds;
        bool main_changed;
} Told;

static void tell_main(Instance *i, Told *t) {
        if (t->message->main_pid > 0 || t->message->main_pidfd)
                t->main_changed = main_process_told(i, t->message, t->source, t->fds);
}

static void tell_access(Instance *i, Told *t) {
        Said *said = t->message->access >= 0 ? said_of(i) : NULL;

        if (!said)
                return;
        said->access = t->message->access;
        books_mark_instance(i);
}

static void tell_status(Instance *i, Told *t) {
        const char *status = t->message->status;

        if (!status)
                return;
        instance_set_status(i, *status ? "%s" : NULL, status);
        books_mark_instance(i);
}

static void tell_errors(Instance *i, Told *t) {
        said_errors(i, t->message);
}

static void tell_stopping(Instance *i, Told *t) {
        if (t->message->stopping)
                instance_event(i, EV_STOPPING);
}

static void tell_reloading(Instance *i, Told *t) {
        if (t->message->reloading)
                instance_feed(i, &(LcInput) { .event = EV_RELOADING, .until = t->message->monotonic });
}

static void tell_extend(Instance *i, Told *t) {
        if (t->message->extend > 0)
                instance_extend(i, t->message->extend);
}

static void tell_ready(Instance *i, Told *t) {
        if (t->message->ready)
                instance_ready(i);
}

/* Not in a state whose end is an operator's to order. */
static void tell_restart_reset(Instance *i, Told *t) {
        if (t->message->restart_reset && i->lc.state >= LC_RUNNING && i->lc.state <= LC_STOPPING)
                instance_event(i, EV_RESET);
}

static void tell_interval(Instance *i, Told *t) {
        if (t->message->has_watchdog)
                instance_set_watchdog(i, t->message->watchdog);
}

/* The keeper is told before anybody sends the main process a signal. */
static void tell_keeper(Instance *i, Told *t) {
        if (t->main_changed)
                main_process_settle(i);
}

static void tell_watchdog(Instance *i, Told *t) {
        if (t->message->ping)
                instance_ping(i);
        if (t->message->trigger)
                instance_watchdog_triggered(i);
}

static void tell_fd_store(Instance *i, Told *t) {
        fd_store_message(i, &t->message->fd_store, t->fds);
}

/* What is not: a status, a ping or a longer time is said again, and what is stored the keeper has. */
static bool said_once(const NotifyMessage *m) {
        return m->ready || m->reloading || m->stopping || m->restart_reset || m->has_watchdog || m->main_pid > 0 || m->main_pidfd || m->error >= 0 ||
               m->bus_error || m->varlink_error || m->exit_status >= 0 || m->access >= 0;
}

void notify_apply(Manager *m, uint64_t run, const NotifyMessage *message, const NotifySource *s, NotifyFds *fds) {
        static void (*const steps[])(Instance *i, Told *t) = {
                tell_main, tell_access, tell_status, tell_errors, tell_stopping, tell_reloading, tell_extend, tell_ready, tell_restart_reset, tell_interval,
                tell_keeper, tell_watchdog, tell_fd_store,
        };
        Told t = { message, s, fds, false };
        Instance *i;

        for (size_t k = 0; k < ARRAY_SIZE(steps) && (i = map_get(m->runs, &run)); k++)
                steps[k](i, &t);
        if (said_once(message))
                books_flush(m);
}
