/* The output of the children on its way to the logger. Must stay true: the keeper has copies of the read ends until the logger says that both
 * pipes have ended, so that a logger's death loses nothing and no service gets SIGPIPE; the logger runs only when there is something for it. */
#include "keeper/state.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "logger/log_wire.h"

int logs_make_pipes(Child *c, int ret_write[2]) {
        int out[2], err[2];

        if (pipe2(out, O_CLOEXEC) < 0)
                return -errno;
        if (pipe2(err, O_CLOEXEC) < 0) {
                int r = -errno;

                fd_close(out[0]);
                fd_close(out[1]);
                return r;
        }
        c->log_fds[0] = out[0];
        c->log_fds[1] = err[0];
        ret_write[0] = out[1];
        ret_write[1] = err[1];
        return 0;
}

void logs_close(Child *c) {
        for (size_t i = 0; i < ARRAY_SIZE(c->log_fds); i++)
                c->log_fds[i] = fd_close(c->log_fds[i]);
}

void logs_submit(Keeper *k, Child *c) {
        if (c->log_fds[0] >= 0)
                table_queue(&k->table, QUEUE_LOG, c);
}

static bool logger_runs(Keeper *k) {
        if (k->logger.pid > 0)
                return k->logger.wire.fd >= 0;
        if (k->logger.restart_at != USEC_INFINITY)
                return false;
        return helper_start(&k->logger, &k->poller, NULL, LOG_WIRE_FD, &k->defaults) >= 0;
}

/* The manager's block, behind the only thing about the child that the manager could not know when it made it. */
static int give_pipes(Keeper *k, Child *c) {
        struct {
                int32_t pid;
                uint32_t pad;
                uint8_t block[WIRE_LOG_MAX];
        } packet = { .pid = c->pid };

        _Static_assert(offsetof(LogPacket, open) == offsetof(typeof(packet), block), "the block is where the logger looks for it");
        table_log(&k->table, c, packet.block);
        return helper_send(&k->logger, &k->poller, &packet, offsetof(typeof(packet), block) + c->log_size, c->log_fds,
                           ARRAY_SIZE(c->log_fds));
}

void logs_flush(Keeper *k) {
        Child *c;

        if (k->closing || upgrade_leaving(k))
                return;
        while ((c = table_queue_first(&k->table, QUEUE_LOG))) {
                if (c->log_fds[0] >= 0) {
                        if (!logger_runs(k) || give_pipes(k, c) < 0)
                                return;
                        c->log_sent = true;
                }
                table_dequeue(&k->table, QUEUE_LOG);
                child_settle(k, c);
        }
}

/* ---- files that somebody moved away ---- */

static void ask_to_reopen(Keeper *k) {
        k->reopening = true;
        (void) kill(k->logger.pid, SIGHUP); /* not reaped yet, so the number is still its own */
}

static void reopened(Keeper *k) {
        if (!k->reopening)
                return;
        k->reopening = false;
        if (k->reopen_again && k->logger.pid > 0)
                ask_to_reopen(k);
        else
                k->reopened_due = k->listening;
        k->reopen_again = false;
}

void logs_reopen(Keeper *k) {
        /* Its answer may be under way, to the question before this one. */
        if (k->reopening)
                k->reopen_again = true;
        else if (k->logger.pid > 0)
                ask_to_reopen(k);
        else
                k->reopened_due = k->listening; /* none has a file open, and the next will not find the old ones */
}

/* ---- what the logger says ---- */

static void hand_over_again(Keeper *k, Child *c) {
        c->log_sent = false;
        table_queue(&k->table, QUEUE_LOG, c);
}

/* False: nothing more to read. */
static bool hear_logger(Keeper *k) {
        LogAnswer p;
        ssize_t n;
        Child *c;

        if (k->logger.wire.fd < 0)
                return false;
        n = fd_recv(k->logger.wire.fd, &p, sizeof(p), NULL, NULL);
        if (n == -EAGAIN)
                return false;
        if (n == -ECONNRESET || n == -ENOMEM)
                return true;
        if (n == -EMSGSIZE || (n > 0 && n != sizeof(p))) {
                log_warning("malformed packet from the logger dropped");
                return true;
        }
        if (n <= 0) {
                helper_broken(&k->logger, &k->poller);
                return false;
        }
        if (p.kind == LOG_REOPENED) {
                reopened(k);
                return true;
        }
        c = table_by_run(&k->table, p.run);
        if (!c || !c->log_sent)
                return true;
        if (p.kind == LOG_REFUSED) {
                hand_over_again(k, c);
                helper_pause(&k->logger, &k->poller);
                return true;
        }
        logs_close(c);
        vault_child(k, c);
        child_settle(k, c);
        return true;
}

void logs_ready(PollSource *s, uint32_t events) {
        Keeper *k = CONTAINER_OF(s, Keeper, logger.wire);

        if (events & EPOLLOUT)
                helper_writable(&k->logger, &k->poller);
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                while (hear_logger(k))
                        ;
}

void logs_rest(Keeper *k) {
        uint32_t i = 0;
        Child *c;

        while (hear_logger(k))
                ;
        reopened(k);
        while ((c = table_next(&k->table, &i))) {
                if (c->log_sent && c->log_fds[0] >= 0)
                        hand_over_again(k, c);
        }
}
