/* Must stay true: the keeper waits for nobody, so what the vault cannot take now is a bit in an entry or a queue and goes out later; a new heir is
 * given everything again; once the end is meant no heir lives. */
#include "keeper/vault.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/log.h"
#include "keeper/heirlooms.h"
#include "keeper/state.h"

#define PIPES 2

static int send_systemd(Keeper *k, uint32_t type, const char *name, int fd) {
        char text[128];
        int n;

        /* FDPOLL=0: a pipe whose writers have ended may still hold their last words. */
        n = snprintf(text, sizeof(text), type == WIRE_HOLD ? "FDSTORE=1\nFDPOLL=0\nFDNAME=%s" : "FDSTOREREMOVE=1\nFDNAME=%s", name);
        return helper_send(&k->vault.keeper_of, &k->poller, text, (size_t) n, &fd, fd >= 0);
}

static int send_heir(Keeper *k, uint32_t type, const char *name, int fd) {
        WireHold p = { .h = { type, sizeof(p) } };

        snprintf(p.name, sizeof(p.name), "%s", name);
        return helper_send(&k->vault.keeper_of, &k->poller, &p, sizeof(p), &fd, fd >= 0);
}

static int vault_send(Keeper *k, uint32_t type, const char *name, int fd) {
        return k->vault.kind == VAULT_SYSTEMD ? send_systemd(k, type, name, fd) : send_heir(k, type, name, fd);
}

/* ---- what there is to keep, one kind after the other ---- */

static int flush_table(Keeper *k) {
        int r = k->vault.table_stored || k->table.fd < 0 ? 0 : vault_send(k, WIRE_HOLD, k->vault.table_name, k->table.fd);

        k->vault.table_stored = r >= 0;
        return r;
}

static int flush_notes(Keeper *k) {
        int r = k->vault.notes_stored || k->logger.extra < 0 ? 0 : vault_send(k, WIRE_HOLD, HEIRLOOM_NOTES, k->logger.extra);

        k->vault.notes_stored = r >= 0;
        return r;
}

static int flush_renewal(Keeper *k) {
        int r = k->vault.renewal_due ? vault_send(k, WIRE_HOLD, HEIRLOOM_SELF, k->vault.keeper_of.program) : 0;

        k->vault.renewal_due = k->vault.renewal_due && r < 0;
        return r;
}

/* An heir goes on with the manager and the logger that it knows; systemd starts what is installed. */
static int flush_programs(Keeper *k) {
        const Helper *helpers[] = { &k->manager, &k->logger };
        int r = 0;

        if (k->vault.kind != VAULT_HEIR || k->vault.programs_stored)
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(helpers) && r >= 0; i++) {
                char name[64];

                snprintf(name, sizeof(name), HEIRLOOM_PROGRAM "%s", helpers[i]->name);
                r = helpers[i]->program < 0 ? 0 : vault_send(k, WIRE_HOLD, name, helpers[i]->program);
        }
        k->vault.programs_stored = r >= 0;
        return r;
}

static int store_held(Keeper *k, Held *held) {
        bool dropped = held->fd < 0;
        int r;

        if (!held->name[0] || (held->stored && !dropped))
                return 0;
        r = vault_send(k, dropped ? WIRE_DROP : WIRE_HOLD, held->name, held->fd);
        if (r < 0)
                return r;
        held->stored = true;
        if (dropped)
                hold_forget(held);
        return 0;
}

static int flush_held(Keeper *k) {
        int r = 0;

        for (size_t i = 0; i < k->hold.n && r >= 0 && k->hold.changed; i++)
                r = store_held(k, k->hold.slots + i);
        k->hold.changed = k->hold.changed && r < 0;
        return r;
}

/* The heir takes both at once: who waits for a start waits for this. */
static int store_pipes(Keeper *k, const Child *c, bool present) {
        WireHold p = { .h = { present ? WIRE_HOLD_PIPES : WIRE_DROP_PIPES, sizeof(p) } };

        snprintf(p.name, sizeof(p.name), HEIRLOOM_LOG "%016" PRIx64, c->run);
        return helper_send(&k->vault.keeper_of, &k->poller, &p, sizeof(p), c->log_fds, present ? PIPES : 0);
}

static int store_child(Keeper *k, Child *c) {
        bool present = c->log_fds[0] >= 0, both = k->vault.kind == VAULT_HEIR && present != c->stored;
        int r = both ? store_pipes(k, c, present) : 0;

        if (both) {
                c->stored = r < 0 ? c->stored : present;
                return r;
        }
        for (int i = 0; i < PIPES && present != c->stored; i++) {
                char name[64];

                snprintf(name, sizeof(name), HEIRLOOM_LOG "%016" PRIx64 "-%i", c->run, i);
                r = vault_send(k, present ? WIRE_HOLD : WIRE_DROP, name, present ? c->log_fds[i] : -EBADF);
                if (r < 0)
                        return r;
        }
        c->stored = present;
        return 0;
}

static int flush_stores(Keeper *k) {
        Child *c;

        while ((c = table_queue_first(&k->table, QUEUE_STORE))) {
                int r = store_child(k, c);

                if (r < 0)
                        return r;
                table_dequeue(&k->table, QUEUE_STORE);
                child_stored(c);
                child_settle(k, c);
        }
        return 0;
}

static int (*const topics[])(Keeper *k) = { flush_renewal, flush_table, flush_notes, flush_programs, flush_held, flush_stores };

/* The vault, or the next one, has none of them. */
static void forget_holds(Keeper *k) {
        k->hold.changed = true;
        for (size_t i = 0; i < k->hold.n; i++) {
                k->hold.slots[i].stored = false;
                if (k->hold.slots[i].name[0] && k->hold.slots[i].fd < 0)
                        hold_forget(k->hold.slots + i);
        }
}

/* Nothing is kept any more: what waits to be told is done with. */
static void vault_close(Keeper *k) {
        Child *c;

        k->vault.kind = VAULT_NONE;
        helper_close(&k->vault.keeper_of, &k->poller);
        forget_holds(k);
        while ((c = table_queue_first(&k->table, QUEUE_STORE))) {
                c->stored = false;
                table_dequeue(&k->table, QUEUE_STORE);
                child_stored(c);
                child_settle(k, c);
        }
}

void vault_flush(Keeper *k) {
        Helper *h = &k->vault.keeper_of;
        int r = 0;

        if (k->vault.kind == VAULT_NONE || h->wire.fd < 0 || h->full)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(topics) && r >= 0; i++)
                r = topics[i](k);
        if (r >= 0 || r == -EAGAIN)
                return;
        if (k->vault.kind == VAULT_HEIR) {
                helper_broken(h, &k->poller);
                return;
        }
        log_errno(LOG_WARNING, r, "cannot reach systemd: log pipes of services would not survive us");
        vault_close(k);
}

void vault_child(Keeper *k, Child *c) {
        if (k->vault.kind != VAULT_NONE && (c->log_fds[0] >= 0) != c->stored)
                table_queue(&k->table, QUEUE_STORE, c);
}

/* What a command wrote must not be lost because we die right behind its birth. An heir that is being replaced holds back nobody: it is given everything. */
bool vault_child_first(Keeper *k, Child *c) {
        vault_child(k, c);
        vault_flush(k);
        return k->vault.kind != VAULT_HEIR || k->vault.keeper_of.wire.fd < 0 || !c->queued[QUEUE_STORE];
}

void vault_drop(Keeper *k, const char *name) {
        if (k->vault.kind != VAULT_NONE && k->vault.keeper_of.wire.fd >= 0)
                (void) vault_send(k, WIRE_DROP, name, -EBADF);
}

/* ---- systemd ---- */

static int connect_systemd(Keeper *k, const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        _cleanup_fd_ int fd = -EBADF;
        size_t n = strlen(path);
        int r;

        if (n < 2 || n >= sizeof(a.sun_path) || (path[0] != '/' && path[0] != '@'))
                return -EINVAL;
        memcpy(a.sun_path, path, n);
        if (path[0] == '@')
                a.sun_path[0] = '\0';
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *) &a, (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n)) < 0)
                return -errno;
        k->vault.keeper_of.wire.fd = fd;
        r = poller_add(&k->poller, &k->vault.keeper_of.wire, 0);
        if (r < 0)
                k->vault.keeper_of.wire.fd = -EBADF;
        else
                TAKE_FD(fd);
        return r;
}

/* ---- the heir ---- */

/* KINGD --heir and the words that we were started with. */
static int compose_argv(Keeper *k) {
        char *const *given = k->options->argv;
        size_t n = 0;

        while (given && given[n])
                n++;
        k->vault.argv = calloc(n + 3, sizeof(char *));
        if (!k->vault.argv)
                return -ENOMEM;
        k->vault.argv[0] = k->vault.keeper_of.path;
        k->vault.argv[1] = (char *) "--heir";
        for (size_t i = 1; i < n; i++)
                k->vault.argv[i + 1] = given[i];
        return 0;
}

void vault_start(Keeper *k) {
        Child *c;

        if (helper_start(&k->vault.keeper_of, &k->poller, k->vault.argv, WIRE_FD, &k->defaults) < 0)
                return;
        k->vault.table_stored = k->vault.notes_stored = k->vault.programs_stored = k->vault.renewal_due = false;
        forget_holds(k);
        for (uint32_t i = 0; (c = table_next(&k->table, &i));) {
                c->stored = false;
                vault_child(k, c);
                child_settle(k, c);
        }
}

void vault_ended(Keeper *k, int status) {
        pid_t pid = k->vault.keeper_of.pid;

        k->vault.keeper_of.pid = 0;
        if (!k->closing)
                helper_ended(&k->vault.keeper_of, &k->poller, pid, status);
}

void vault_adopt(Keeper *k, int wire, pid_t heir) {
        Helper *h = &k->vault.keeper_of;

        if (k->vault.kind == VAULT_HEIR && heir > 0) {
                h->pid = heir;
                h->restart_at = USEC_INFINITY;
                h->wire.fd = wire;
                k->vault.programs_stored = true; /* those before us: it is their heir */
                if (fd_nonblock(wire, true) < 0 || poller_add(&k->poller, &h->wire, EPOLLIN) < 0)
                        helper_broken(h, &k->poller);
                return;
        }
        if (heir > 0)
                (void) kill(heir, SIGKILL); /* our child, not reaped yet; the end of its wire would make it a keeper */
        fd_close(wire);
}

void vault_renew(Keeper *k) {
        if (k->vault.kind != VAULT_HEIR || k->vault.keeper_of.wire.fd < 0)
                return; /* the next one will be of our program anyhow */
        k->vault.renewal_due = true;
        k->vault.programs_stored = false;
}

void vault_abandon(Keeper *k) {
        /* Not by a word that it might not hear in time: who has this signal pending never runs again. */
        if (k->vault.keeper_of.pid > 0)
                (void) kill(k->vault.keeper_of.pid, SIGKILL);
        k->vault.keeper_of.restart_at = USEC_INFINITY;
        vault_close(k);
}

static void vault_ready(PollSource *s, uint32_t events) {
        Keeper *k = CONTAINER_OF(s, Keeper, vault.keeper_of.wire);

        if (events & EPOLLOUT)
                helper_writable(&k->vault.keeper_of, &k->poller);
        if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                return;
        /* Neither has anything to say to us. */
        if (k->vault.kind == VAULT_HEIR)
                helper_broken(&k->vault.keeper_of, &k->poller);
        else
                vault_close(k);
}

void vault_ready_to_start(Keeper *k) {
        if (k->vault.kind == VAULT_HEIR && k->vault.keeper_of.pid == 0)
                k->vault.keeper_of.restart_at = 0;
}

int vault_open(Keeper *k) {
        const char *systemd = getenv("NOTIFY_SOCKET");
        Helper *h = &k->vault.keeper_of;
        int r;

        if (!k->in_place)
                snprintf(k->vault.table_name, sizeof(k->vault.table_name), HEIRLOOM_TABLE "%016" PRIx64, now_usec(CLOCK_BOOTTIME));
        r = helper_init(h, "kingd", NULL);
        /* What we are ourselves, whatever stands there by now. */
        helper_program(h, open("/proc/self/exe", O_PATH | O_CLOEXEC));
        r = h->program >= 0 ? 0 : r;
        h->name = "heir";
        h->wire = (PollSource) { .fd = -EBADF, .priority = PRIORITY_LOGGER, .ready = vault_ready };
        if (systemd && getpid() != 1) {
                r = connect_systemd(k, systemd);
                k->vault.kind = r < 0 ? VAULT_NONE : VAULT_SYSTEMD;
        } else if (k->options->heir && getpid() != 1 && r >= 0) {
                r = compose_argv(k);
                k->vault.kind = r < 0 ? VAULT_NONE : VAULT_HEIR;
                h->restart_at = r < 0 || k->options->ready ? USEC_INFINITY : 0;
        } else
                return 0;
        return r;
}

void vault_done(Keeper *k) {
        free(k->vault.argv);
        k->vault.argv = NULL;
        helper_done(&k->vault.keeper_of);
        fd_close(k->vault.keeper_of.wire.fd);
}
