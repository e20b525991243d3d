/* What the manager asks for. Must stay true: a packet is used only after wire_check(); every descriptor that came with it is closed here unless a
 * handler took it; a refusal that could not be said stops the reading, because there is room for one. */
#include "keeper/state.h"

#include "base/fd.h"
#include "base/log.h"

/* Fair to gates and exits: they get their turn after so many packets. */
#define PACKETS_A_TURN 8

static void on_hello(Keeper *k, const void *packet, int *fds) {
        const WireHello *p = packet;

        if (p->version != WIRE_VERSION)
                log_warning("the manager speaks version %" PRIu32 " of our protocol, we speak %i", p->version, WIRE_VERSION);
        k->listening = k->greeted = k->hello_due = true;
        k->upgrade.tell_due = k->table.header->upgrade.outcome != UPGRADE_NEVER;
        k->silent_ends = 0;
}

static void on_spawn(Keeper *k, const void *packet, int *fds) {
        spawn_child(k, packet, fds);
}

static Child *child_of(Keeper *k, uint64_t run, const char *what) {
        Child *c = table_by_run(&k->table, run);

        if (!c || c->acknowledged)
                log_debug("%s for run %016" PRIx64 ", which is not known", what, run);
        return c && !c->acknowledged ? c : NULL;
}

static void on_release(Keeper *k, const void *packet, int *fds) {
        Child *c = child_of(k, ((const WireRun *) packet)->run, "RELEASE");

        if (c)
                child_release(k, c);
}

static void on_signal(Keeper *k, const void *packet, int *fds) {
        const WireSignal *p = packet;
        Child *c = child_of(k, p->run, "SIGNAL");

        if (c)
                child_signal(c, p->signal, p->target);
}

static void on_main(Keeper *k, const void *packet, int *fds) {
        const WireMain *p = packet;
        Child *c = child_of(k, p->run, "MAIN");

        if (c)
                child_succeed(k, c, p->pid, p->start_time);
}

static void on_list(Keeper *k, const void *packet, int *fds) {
        k->listing = true;
        k->list_half = false;
        k->list_next = k->list_held = 0;
}

static void on_ack(Keeper *k, const void *packet, int *fds) {
        Child *c = child_of(k, ((const WireRun *) packet)->run, "ACK");

        if (!c || (c->state != CHILD_EXITED && c->state != CHILD_ORPHAN))
                return;
        c->acknowledged = true;
        child_settle(k, c);
}

static void on_hold(Keeper *k, const void *packet, int *fds) {
        const WireHold *p = packet;
        int r = hold_put(&k->hold, p->name, TAKE_FD(fds[0]));

        if (r < 0)
                log_errno(LOG_WARNING, r, "cannot hold the manager's descriptor \"%s\"", p->name);
        else if (streq(p->name, PULSE_DOOR))
                pulse_watch(k);
}

static void on_drop(Keeper *k, const void *packet, int *fds) {
        hold_drop(&k->hold, ((const WireHold *) packet)->name);
}

static void on_ready(Keeper *k, const void *packet, int *fds) {
        keeper_ready(k, 0);
        pulse_ready(k);
        upgrade_ready(k);
}

static void on_pong(Keeper *k, const void *packet, int *fds) {
        pulse_answered(k);
}

static void on_reopen(Keeper *k, const void *packet, int *fds) {
        logs_reopen(k);
}

static void on_reexec(Keeper *k, const void *packet, int *fds) {
        const WireReexec *p = packet;

        upgrade_ask(k, p->within_usec, p->if_changed);
}

static void on_settled(Keeper *k, const void *packet, int *fds) {
        upgrade_settled(k);
}

static void on_shutdown(Keeper *k, const void *packet, int *fds) {
        const WireShutdown *p = packet;

        if (!upgrade_gave_up(k, p->status, p->why))
                keeper_close(k, p->status);
}

static const struct {
        uint32_t type;
        void (*handle)(Keeper *k, const void *packet, int *fds);
} handlers[] = {
        { WIRE_HELLO, on_hello },
        { WIRE_SPAWN, on_spawn },
        { WIRE_RELEASE, on_release },
        { WIRE_SIGNAL, on_signal },
        { WIRE_MAIN, on_main },
        { WIRE_LIST, on_list },
        { WIRE_ACK, on_ack },
        { WIRE_HOLD, on_hold },
        { WIRE_DROP, on_drop },
        { WIRE_SHUTDOWN, on_shutdown },
        { WIRE_READY, on_ready },
        { WIRE_REOPEN, on_reopen },
        { WIRE_PONG, on_pong },
        { WIRE_REEXEC, on_reexec },
        { WIRE_SETTLED, on_settled },
};

/* Whoever waits for a SPAWN must hear that nothing comes of it, if its run can be made out at all. */
static void malformed(Keeper *k, size_t size, int error, SpawnStage stage) {
        const WireSpawn *s = (const void *) k->packet;

        log_warning("malformed packet from the manager dropped: %s, %zu bytes", wire_type_name(s->h.type), size);
        if (s->h.type == WIRE_SPAWN && size >= offsetof(WireSpawn, invocation) && s->run != 0)
                say_refusal(k, s->run, error, stage);
}

static void handle(Keeper *k, size_t size, int *fds, size_t n_fds) {
        const WireHeader *h = (const void *) k->packet;

        if (wire_check(k->packet, size, n_fds) < 0) {
                malformed(k, size, EBADMSG, STAGE_MALFORMED);
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
                if (handlers[i].type == h->type) {
                        handlers[i].handle(k, k->packet, fds);
                        return;
                }
        log_debug("ignoring packet of type %" PRIu32 " from the manager", h->type);
}

/* False: nothing more to read. */
static bool hear(Keeper *k) {
        WireSpawn *s = (void *) k->packet;
        int fds[WIRE_FDS_MAX];
        size_t n_fds = ARRAY_SIZE(fds);
        ssize_t n;

        if (k->manager.wire.fd < 0)
                return false;
        s->h = (WireHeader) {};
        s->run = 0;
        n = fd_recv(k->manager.wire.fd, k->packet, sizeof(k->packet), fds, &n_fds);
        if (n == -EAGAIN)
                return false;
        /* It died without reading all that we said; what it said itself follows. Or the kernel is short of memory for a moment: nothing was taken. */
        if (n == -ECONNRESET || n == -ENOMEM)
                return true;
        if (n == -EMSGSIZE) {
                /* Too long, or no room for its descriptors in our table of files. */
                bool fits = s->h.size <= WIRE_MAX;

                malformed(k, sizeof(k->packet), fits ? EMFILE : EMSGSIZE, fits ? STAGE_DESCRIPTORS : STAGE_MALFORMED);
                return true;
        }
        if (n <= 0) {
                say_stop(k);
                helper_broken(&k->manager, &k->poller);
                return false;
        }
        handle(k, (size_t) n, fds, n_fds);
        for (size_t i = 0; i < n_fds; i++)
                fd_close(fds[i]);
        return true;
}

void hear_ready(PollSource *s, uint32_t events) {
        Keeper *k = CONTAINER_OF(s, Keeper, manager.wire);

        if (events & EPOLLOUT)
                helper_writable(&k->manager, &k->poller);
        if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                return;
        for (unsigned i = 0; i < PACKETS_A_TURN && !k->refusal_due; i++)
                if (!hear(k))
                        return;
}

void hear_rest(Keeper *k) {
        while (hear(k))
                ;
        say_stop(k);
}
