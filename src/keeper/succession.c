/* A run whose main process is another than the one that we made: the service has said so, and the manager has looked at it (MAINPID= of
 * sd_notify(3)). Must stay true: the entry names one process, whose end is the run's; the one that it named before is an orphan like any other, and
 * an end of it that was already noted is taken back; what comes to us as a child sooner or later is waited for like one (we are the subreaper), and
 * of what never does the end is known by its pidfd, and its status only as long as its parent has not asked for it. Nothing here waits. */
#include "keeper/state.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"

/* ---- those that were reaped and nobody's: the word that one of them is a main process may still be on its way ---- */

void reaped_note(Keeper *k, pid_t pid, int status, const struct rusage *usage) {
        k->reaped[k->n_reaped++ % REAPED_KEPT] = (Reaped) { .pid = pid, .status = status, .usage = *usage };
}

static const Reaped *reaped_find(const Keeper *k, pid_t pid) {
        uint32_t kept = MIN(k->n_reaped, (uint32_t) REAPED_KEPT);

        for (uint32_t i = 1; i <= kept; i++)
                if (k->reaped[(k->n_reaped - i) % REAPED_KEPT].pid == pid)
                        return k->reaped + (k->n_reaped - i) % REAPED_KEPT;
        return NULL;
}

/* ---- one whose parent is another ---- */

/* Whoever is its parent learns its status; we read it as long as it is a zombie. */
static void end_elsewhere(Keeper *k, Child *c) {
        int status = WIRE_STATUS_UNKNOWN;
        struct rusage none = {};

        (void) process_exit_status(c->pid, c->process.start_time, &status);
        child_ended(k, c, status, &none);
}

static bool is_ours(const Child *c) {
        siginfo_t info;

        return waitid(P_PIDFD, (id_t) c->process.fd, &info, WEXITED | WNOHANG | WNOWAIT) >= 0 || errno != ECHILD;
}

/* Its parent may have died first: then it has come to us, and SIGCHLD is on its way. */
static void alien_ready(PollSource *s, uint32_t events) {
        Child *c = CONTAINER_OF(s, Child, gate);
        Keeper *k = c->owner;

        alien_forget(k, c);
        if (!is_ours(c))
                end_elsewhere(k, c);
}

bool child_is_alien(const Child *c) {
        return c->gate.fd >= 0 && c->gate.ready == alien_ready;
}

void alien_forget(Keeper *k, Child *c) {
        if (!child_is_alien(c))
                return;
        poller_remove(&k->poller, &c->gate);
        c->gate.fd = fd_close(c->gate.fd);
}

void alien_watch(Keeper *k, Child *c) {
        if (c->state != CHILD_EXECUTING || c->process.fd < 0 || c->gate.fd >= 0 || is_ours(c))
                return;
        c->gate = (PollSource) { .priority = PRIORITY_SIGNALS, .ready = alien_ready };
        c->gate.fd = fcntl(c->process.fd, F_DUPFD_CLOEXEC, 3);
        if (c->gate.fd < 0 || poller_add(&k->poller, &c->gate, EPOLLIN) < 0) {
                log_warning("cannot watch process %i, which is not our child: its end will not be seen", c->pid);
                c->gate.fd = fd_close(c->gate.fd);
        }
}

/* ---- the succession ---- */

static bool is_our_own(const Keeper *k, pid_t pid) {
        return pid == getpid() || pid == k->manager.pid || pid == k->logger.pid || pid == k->vault.keeper_of.pid;
}

/* The entry names nobody. What was said, or is to be said, about the end of the former one is not the run's. */
static void forget_former(Keeper *k, Child *c) {
        alien_forget(k, c);
        if (c->state == CHILD_EXITED)
                k->alive++;
        c->state = CHILD_EXECUTING;
        c->say &= (uint8_t) ~SAY_EXITED;
        c->exit = (WireExited) {};
        table_drop_pid(&k->table, c);
        c->process.fd = fd_close(c->process.fd);
}

void child_succeed(Keeper *k, Child *c, pid_t pid, uint64_t start_time) {
        Child *other = table_by_pid(&k->table, pid);
        PidRef process = PIDREF_NULL;
        const Reaped *reaped;
        int r;

        child_drain(k, c);
        if ((c->state != CHILD_EXECUTING && c->state != CHILD_EXITED) || is_our_own(k, pid) || other) {
                if (other != c)
                        log_warning("process %i cannot be the main one of run %016" PRIx64, pid, c->run);
                return;
        }
        forget_former(k, c);
        c->pid = pid;
        c->process.start_time = start_time;
        r = pidref_open(pid, start_time, &process);
        if (r >= 0 || error_is_want(r)) {
                table_set_pid(&k->table, c, pid);
                c->process.fd = process.fd;
                if (r < 0)
                        log_warning("cannot watch process %i: %s; should it not come to us as a child, its end will not be seen", pid, strerror(-r));
                alien_watch(k, c);
        } else if ((reaped = reaped_find(k, pid)))
                child_ended(k, c, reaped->status, &reaped->usage);
        else
                end_elsewhere(k, c);
}
