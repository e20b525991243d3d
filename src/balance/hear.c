/* What the manager says. Must stay true: a packet is used only after balance_wire_check(); a descriptor that came with it is closed here unless a handler
 * took it. */
#include "balance/state.h"

#include "base/fd.h"
#include "base/log.h"
#include "balance/worker.h"

/* Fair to the connections: they get their turn after so many packets. */
#define PACKETS_A_TURN 32

static Balancer *balancer_of(PollSource *s) {
        return (Balancer *) ((char *) s - offsetof(Balancer, wire));
}

/* From here to STATED what there is is said anew. */
static void on_hello(Balancer *b, const void *packet, int *fd) {
        const BalanceHello *p = packet;

        if (p->version != BALANCE_WIRE_VERSION)
                log_warning("the manager speaks version %" PRIu32 " of our protocol, we speak %i", p->version, BALANCE_WIRE_VERSION);
        for (size_t i = 0; i < b->n_fronts; i++) {
                Front *f = b->fronts[i];

                f->stated = false;
                f->trouble_due = f->trouble != 0;
                for (size_t j = 0; j < f->n_backs; j++) {
                        f->backs[j]->stated = false;
                        f->backs[j]->drained = false;
                        f->backs[j]->trouble_due = f->backs[j]->trouble != 0;
                }
        }
        workers_unstate(b);
        say_hello(b);
        say_later(b);
}

static void missed(Balancer *b, int error) {
        if (is_want(-error))
                balancer_missed(b, error);
}

static void on_front(Balancer *b, const void *packet, int *fd) {
        const BalanceFront *p = packet;
        int r = front_state(b, p, fd);

        if (r < 0)
                log_errno(LOG_ERR, r, "cannot take connections of %s", p->name[0] ? p->name : "a socket");
        if (r < 0 && p->serial == 0)
                missed(b, r);
        else if (r < 0)
                worker_refused(b, p->serial, -r);
        else if (p->serial > 0)
                worker_listens(b, p->serial, front_find(b, p->front));
}

static void on_front_gone(Balancer *b, const void *packet, int *fd) {
        Front *f = front_find(b, ((const BalanceFrontGone *) packet)->front);

        if (f)
                front_gone(f);
}

static void on_back(Balancer *b, const void *packet, int *fd) {
        const BalanceBackState *p = packet;
        Front *f = front_find(b, p->front);
        int r;

        if (p->front == 0) {
                r = worker_state(b, p, fd);
                if (r < 0)
                        missed(b, log_errno(LOG_ERR, r, "cannot speak to a worker"));
                return;
        }
        if (!f) {
                log_warning("a back of socket %" PRIu32 ", which is not known, ignoring", p->front);
                return;
        }
        r = back_state(f, p);
        if (r < 0)
                missed(b, log_errno(LOG_ERR, r, "cannot give connections of %s to another instance", f->told.name));
        else if (p->kind == BACK_CHANNEL)
                worker_attach(b, back_find(f, p->back));
}

static void on_back_gone(Balancer *b, const void *packet, int *fd) {
        const BalanceBackName *p = packet;

        for (size_t i = b->n_fronts; i-- > 0;) {
                Front *f = b->fronts[i];
                Back *k = p->front == 0 || p->front == f->told.front ? back_find(f, p->back) : NULL;

                if (k)
                        back_gone(k);
        }
        if (p->front == 0)
                worker_gone(b, p->back);
}

static void forget_unstated(Front *f) {
        for (size_t j = f->n_backs; j-- > 0;)
                if (!f->backs[j]->stated && !f->backs[j]->leftover)
                        back_drain(f->backs[j]);
}

static void on_stated(Balancer *b, const void *packet, int *fd) {
        for (size_t i = b->n_fronts; i-- > 0;) {
                Front *f = b->fronts[i];

                forget_unstated(f);
                if (!f->stated && !f->gone)
                        front_gone(f);
        }
        workers_forget_unstated(b);
        if (b->missed == 0)
                b->missed_pause = 0;
}

static void on_ask(Balancer *b, const void *packet, int *fd) {
        say_ask(b, ((const BalanceSerial *) packet)->serial);
}

static void on_leave(Balancer *b, const void *packet, int *fd) {
        uint64_t within = ((const BalanceLeave *) packet)->within;

        balancer_leave(b, within > 0 ? usec_add(balancer_now(b), within) : USEC_INFINITY);
}

static void on_refused(Balancer *b, const void *packet, int *fd) {
        const BalanceRefused *p = packet;

        worker_refused(b, p->serial, p->error);
}

typedef struct Handler { uint32_t type; void (*on)(Balancer *b, const void *packet, int *fd); } Handler;
static const Handler handlers[] = {
        { BALANCE_HELLO, on_hello },   { BALANCE_FRONT, on_front },         { BALANCE_FRONT_GONE, on_front_gone },
        { BALANCE_BACK, on_back },     { BALANCE_BACK_GONE, on_back_gone }, { BALANCE_STATED, on_stated },
        { BALANCE_ASK, on_ask },       { BALANCE_LEAVE, on_leave },
        { BALANCE_LISTEN_REFUSED, on_refused },
};

static void dispatch(Balancer *b, const void *packet, int *fd) {
        uint32_t type = ((const BalanceHeader *) packet)->type;

        for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
                if (handlers[i].type == type) {
                        handlers[i].on(b, packet, fd);
                        return;
                }
        log_debug("ignoring packet %" PRIu32 " of the manager", type);
}

static bool hear_one(Balancer *b) {
        union { BalanceHeader h; uint64_t align; char bytes[BALANCE_WIRE_MAX]; } packet;
        size_t n_fds = 1;
        int fd = -EBADF;
        ssize_t n;

        n = fd_recv(b->wire.fd, &packet, sizeof(packet), &fd, &n_fds);
        if (n == -EAGAIN || n == -EINTR || (n < 0 && is_want((int) -n))) /* it is there still, and epoll says so again */
                return false;
        if (n == 0 || (n < 0 && n != -EMSGSIZE)) {
                poller_remove(&b->poller, &b->wire);
                b->wire.fd = fd_close(b->wire.fd);
                balancer_leave(b, usec_add(balancer_now(b), ORPHAN_MAX));
                return false;
        }
        if (n < 0 || balance_wire_check(&packet, (size_t) n, n_fds) < 0) {
                log_warning("a malformed packet of the manager, or one whose descriptor did not fit in: asking for it again");
                balancer_missed(b, -EMFILE);
        } else
                dispatch(b, &packet, &fd);
        fd_close(fd);
        return true;
}

void hear_ready(PollSource *s, uint32_t events) {
        Balancer *b = balancer_of(s);

        if (b->wire_full && (events & EPOLLOUT)) {
                b->wire_full = false;
                (void) poller_modify(&b->poller, &b->wire, EPOLLIN);
        }
        for (unsigned i = 0; i < PACKETS_A_TURN && hear_one(b); i++)
                ;
}
