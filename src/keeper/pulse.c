/* Finds a manager that hangs. Must stay true: nothing is armed while nobody waits; it is never ended without having been asked, and never while
 * it answers; what it was told and may not have heard is told to the next one. */
#include "keeper/state.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "base/fd.h"
#include "base/log.h"

#define PATIENCE (3 * USEC_PER_SEC)             /* of those who wait, before it is asked */
#define START_PATIENCE (90 * USEC_PER_SEC)      /* thousands of services on a slow machine, or a bus that does not answer */
#define BIT(sig) (UINT64_C(1) << ((sig) - 1))
#define ENDS (BIT(SIGTERM) | BIT(SIGINT) | BIT(SIGQUIT))
#define LAST_WORDS (3 * USEC_PER_SEC)           /* from SIGABRT, for a core dump, to SIGKILL */

static void enter(Keeper *k, PulsePhase phase, usec_t patience) {
        k->pulse.phase = phase;
        k->pulse.at = usec_add(now_usec(CLOCK_MONOTONIC), patience);
}

static void calm(Keeper *k) {
        enter(k, PULSE_QUIET, USEC_INFINITY);
        k->pulse.ping_due = false;
}

static void door_ready(PollSource *s, uint32_t events) {
        pulse_waited(CONTAINER_OF(s, Keeper, pulse.door));
}

void pulse_init(Keeper *k) {
        k->pulse = (Pulse) { .at = USEC_INFINITY, .door = { .fd = -EBADF, .priority = PRIORITY_MANAGER, .ready = door_ready } };
}

void pulse_done(Keeper *k) {
        poller_remove(&k->poller, &k->pulse.door);
        k->pulse.door.fd = fd_close(k->pulse.door.fd);
}

void pulse_watch(Keeper *k) {
        int fd = hold_get(&k->hold, PULSE_DOOR);

        pulse_done(k);
        if (fd < 0)
                return;
        k->pulse.door.fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (k->pulse.door.fd < 0 || poller_add(&k->poller, &k->pulse.door, EPOLLIN | EPOLLET) < 0)
                log_warning("cannot watch for clients that wait: %m");
}

void pulse_begin(Keeper *k) {
        pulse_watch(k);
        k->pulse.hung = false;
        enter(k, PULSE_ASKED, START_PATIENCE);
}

void pulse_end(Keeper *k) {
        /* An order to end is never lost, and the same when it is heard again. Another may be what it ended for, as an upgrade is. */
        k->signals_due |= k->pulse.signals & (k->pulse.hung ? ~UINT64_C(0) : ENDS);
        k->pulse.signals = 0;
        calm(k);
}

void pulse_waited(Keeper *k) {
        if (k->pulse.phase == PULSE_QUIET && k->manager.pid > 0)
                enter(k, PULSE_WAITED, PATIENCE);
}

/* Who came before it served does not come again. */
void pulse_ready(Keeper *k) {
        if (k->pulse.phase == PULSE_ASKED)
                calm(k);
        pulse_waited(k);
}

void pulse_answered(Keeper *k) {
        k->pulse.signals = 0;
        if (k->pulse.phase == PULSE_ASKED)
                calm(k);
}

static bool somebody_waits(const Keeper *k) {
        struct pollfd door = { .fd = k->pulse.door.fd, .events = POLLIN };
        const Child *c;

        for (uint32_t i = 0; (c = table_next(&k->table, &i));)
                if (c->state == CHILD_EXITED && !c->acknowledged)
                        return true;
        return k->pulse.signals || (door.fd >= 0 && poll(&door, 1, 0) > 0);
}

static void end_it(Keeper *k, int sig) {
        if (sig == SIGABRT)
                log_error("%s (process %i) does not answer: SIGABRT", k->manager.name, k->manager.pid);
        k->pulse.hung = true;
        enter(k, PULSE_ABORTED, sig == SIGABRT ? LAST_WORDS : USEC_INFINITY);
        (void) kill(k->manager.pid, sig); /* not reaped yet, so the number is still its own */
}

/* We may have stood still ourselves. */
static bool said_something(const Keeper *k) {
        struct pollfd wire = { .fd = k->manager.wire.fd, .events = POLLIN };

        return !k->manager.deaf && poll(&wire, 1, 0) > 0 && (wire.revents & POLLIN);
}

void pulse_due(Keeper *k) {
        if (k->manager.pid <= 0) {
                calm(k);
                return;
        }
        switch (k->pulse.phase) {
        case PULSE_QUIET:
                break;
        case PULSE_WAITED:
                if (!somebody_waits(k)) {
                        calm(k);
                        break;
                }
                k->pulse.ping_due = true;
                enter(k, PULSE_ASKED, PULSE_ANSWER);
                break;
        case PULSE_ASKED:
                if (!said_something(k))
                        end_it(k, SIGABRT);
                break;
        case PULSE_ABORTED:
                end_it(k, SIGKILL);
                break;
        }
}
