/* The wire to one balancer: made, found again, given up; and what comes over it (balance_say.c has what goes). Must stay true: nothing that a balancer says
 * can do more than end it. */
#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "manager/balance/balance_private.h"
#include "manager/balance/cluster.h"
#include "manager/events.h"
#include "manager/life/instance.h"
#include "manager/life/rolling.h"
#include "manager/link.h"

#define HELD_PREFIX "wire-"
#define HELD_SIZE 64

static void held_name(const Instance *balancer, char ret[HELD_SIZE]) {
        snprintf(ret, HELD_SIZE, HELD_PREFIX "%016" PRIx64, balancer->run);
}

Service *balance_target(const Instance *balancer) {
        const ServiceSpec *s = balancer->service->spec;

        return s && s->balances ? service_find(balancer->service->manager, s->ns, s->balances) : NULL;
}

/* ---- what it says ---- */

static void forget_counts(BalanceLink *l) {
        free(l->counts);
        l->counts = TAKE_PTR(l->coming);
        l->n_counts = l->n_coming;
        l->n_coming = 0;
}

static void on_counts(BalanceLink *l, const void *packet) {
        BalanceCounts *list = l->n_coming < BALANCE_FRONTS_MAX + BALANCE_BACKS_MAX ? reallocarray(l->coming, l->n_coming + 1, sizeof *list) : NULL;

        if (!list)
                return;
        l->coming = list;
        list[l->n_coming++] = *(const BalanceCounts *) packet;
}

static void on_counts_end(BalanceLink *l, const void *packet) {
        forget_counts(l);
        l->answered = ((const BalanceSerial *) packet)->serial;
        balance_refreshed(l->instance->service->manager);
}

static void on_drained(BalanceLink *l, const void *packet) {
        const BalanceBackName *p = packet;
        SaidBack *said = balance_said_back(l, p->front, p->back);
        Service *s = balance_target(l->instance);

        if (!said || said->state.state != BACK_DRAINING || said->drained)
                return;
        said->drained = true;
        if (s)
                balance_drained(s);
}

/* Of one that is not up anyway it is no news. */
static void on_trouble(BalanceLink *l, const void *packet) {
        const BalanceTrouble *p = packet;
        Manager *m = l->instance->service->manager;
        const Instance *i = p->back ? map_get(m->runs, &p->back) : l->instance;

        if (!i || (p->back && i->lc.state != LC_RUNNING && i->lc.state != LC_RELOADING))
                return;
        if (p->error)
                event_emit(m, i, NULL, EVENT_BALANCE_TROUBLE, p->back ? "takes no connections from its balancer: %s; it gets none for a while" :
                           "cannot accept connections for now: %s", strerror(p->error));
        else
                event_emit(m, i, NULL, EVENT_BALANCE_TROUBLE, p->back ? "takes connections from its balancer again" : "accepts connections again");
}

static void on_hello(BalanceLink *l, const void *packet) {
        const BalanceHello *p = packet;
        Service *b = l->instance->service;
        _cleanup_error_ KlError e = {};

        if (p->version == BALANCE_WIRE_VERSION)
                return;
        log_warning("%s speaks protocol version %u, this manager %u: it is replaced", b->key, p->version, (unsigned) BALANCE_WIRE_VERSION);
        if (rolling_begin(b, &e) < 0)
                log_error("%s", e.message ?: "out of memory");
}

/* It is told all of it anew. */
static void on_missed(BalanceLink *l, const void *packet) {
        event_emit(l->instance->service->manager, l->instance, NULL, EVENT_BALANCE_TROUBLE, "could not take in what it was told: %s; it is told again",
                   strerror(((const BalanceMissed *) packet)->error));
        l->hello_said = l->stated = false;
        l->n_fronts = l->n_backs = 0;
        balance_link_state(l);
}

/* ---- what workers of Node say (cluster.h) ---- */

static Instance *worker(const BalanceLink *l, uint64_t back) {
        Instance *i = map_get(l->instance->service->manager->runs, &back);

        return i && i->channel && i->service == balance_target(l->instance) ? i : NULL;
}

static void on_listen(BalanceLink *l, const void *packet) {
        const BalanceListen *p = packet;
        Instance *i = worker(l, p->back);
        BalanceFront f;
        int fd = -EBADF, error = i ? cluster_listen(i, p, &f, &fd) : ENOTCONN;

        balance_link_answer(l, p->serial, error, &f, fd);
        if (error)
                return;
        if (i->service->spec->ready_by == READY_LISTEN)
                instance_ready(i);
        balance_attend(i->service);
}

static void on_said(BalanceLink *l, const void *packet) {
        const BalanceSaid *p = packet;
        Instance *i = worker(l, p->back);

        if (i)
                cluster_said(i, p->text);
}

static void on_strange(BalanceLink *l, const void *packet) {
        const BalanceSaid *p = packet;
        Instance *i = worker(l, p->back);

        if (i)
                cluster_strange(i, p->text);
}

static void on_closed(BalanceLink *l, const void *packet) {
        const BalanceBackName *p = packet;
        Instance *i = worker(l, p->back);

        if (!i)
                return;
        cluster_closed(i, p->front);
        balance_attend(i->service);
        balance_drained(i->service);
}

static const struct { uint32_t type; void (*handle)(BalanceLink *l, const void *packet); } handlers[] = {
        { BALANCE_HELLO, on_hello },     { BALANCE_COUNTS, on_counts },   { BALANCE_COUNTS_END, on_counts_end },
        { BALANCE_DRAINED, on_drained }, { BALANCE_TROUBLE, on_trouble },
        { BALANCE_LISTEN, on_listen },   { BALANCE_SAID, on_said },       { BALANCE_CLOSED, on_closed },
        { BALANCE_MISSED, on_missed },
        { BALANCE_STRANGE, on_strange },
};

static int hear(BalanceLink *l, const void *packet, size_t size) {
        const BalanceHeader *h = packet;

        if (balance_wire_check(packet, size, 0) < 0)
                return -EBADMSG;
        for (size_t k = 0; k < ARRAY_SIZE(handlers); k++)
                if (handlers[k].type == h->type)
                        handlers[k].handle(l, packet);
        return 0;
}

/* What it had open is lost; nobody answers any more. The end of the process itself is the keeper's to tell. */
static void hung_up(BalanceLink *l) {
        Instance *i = l->instance;
        Service *s = balance_target(i);

        l->source = sd_event_source_disable_unref(l->source);
        l->fd = fd_close(l->fd);
        if (!l->leaving && i->lc.wanted && !i->retired)
                event_emit(i->service->manager, i, NULL, EVENT_BALANCER_DIED, "the balancer is gone, and with it the connections that it had open; new "
                           "ones wait for the next");
        if (s)
                balance_drained(s);
        balance_refreshed(i->service->manager);
}

#define PACKETS_A_TURN 64

static int on_wire(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        uint64_t packet[BALANCE_WIRE_MAX / sizeof(uint64_t)];
        BalanceLink *l = userdata;
        Instance *i = l->instance;

        if (revents & EPOLLOUT) {
                (void) sd_event_source_set_io_events(source, EPOLLIN);
                l->blocked = false;
                balance_link_state(l);
        }
        for (unsigned k = 0; k < PACKETS_A_TURN && i->balance == l && l->fd >= 0; k++) {
                int fds[4];
                size_t n_fds = ARRAY_SIZE(fds);
                ssize_t n = fd_recv(fd, packet, sizeof packet, fds, &n_fds);
                int r = n > 0 ? hear(l, packet, (size_t) n) : (int) n;

                for (size_t f = 0; n > 0 && f < n_fds; f++)
                        fd_close(fds[f]);
                if (n == -EAGAIN)
                        break;
                if (n > 0 && r >= 0)
                        continue;
                if (r < 0 && r != -ECONNRESET)
                        log_errno(LOG_ERR, r, "%s says what is no message: ending it", i->service->key);
                hung_up(l);
                if (r < 0 && r != -ECONNRESET)
                        instance_event(i, EV_FAIL);
                break;
        }
        return 0;
}

void balance_link_ended(Instance *balancer) {
        BalanceLink *l = balancer->balance;

        if (l && l->fd >= 0)
                (void) on_wire(l->source, l->fd, EPOLLIN, l);
        if (l && l == balancer->balance && l->fd >= 0)
                hung_up(l);
}

/* ---- the wire itself ---- */

/* Takes fd in every case. */
static int attach(Instance *balancer, int fd) {
        BalanceLink *l = calloc(1, sizeof(BalanceLink));
        int r = -ENOMEM;

        if (l) {
                *l = (BalanceLink) { .instance = balancer, .run = balancer->run, .fd = fd };
                r = sd_event_add_io(balancer->service->manager->event, &l->source, fd, EPOLLIN, on_wire, l);
        }
        if (r >= 0)
                r = sd_event_source_set_priority(l->source, PRIORITY_KEEPER);
        if (r < 0) {
                if (l)
                        balance_link_free(l);
                else
                        fd_close(fd);
                return r;
        }
        balancer->balance = balance_link_free(balancer->balance);
        balancer->balance = l;
        return 0;
}

int balance_link_make(Instance *balancer, int *ret_theirs) {
        Manager *m = balancer->service->manager;
        char name[HELD_SIZE];
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        held_name(balancer, name);
        r = fd_nonblock(pair[0], true);
        if (r >= 0)
                r = link_hold(m->link, name, pair[0]);
        r = r < 0 ? (fd_close(pair[0]), r) : attach(balancer, pair[0]);
        if (r < 0) {
                fd_close(pair[1]);
                return r;
        }
        balance_link_state(balancer->balance);
        *ret_theirs = pair[1];
        return 0;
}

void balance_link_adopt(Instance *balancer) {
        char name[HELD_SIZE];
        int fd, r;

        if (!balancer->service->spec->balances)
                return;
        held_name(balancer, name);
        fd = link_take_held(balancer->service->manager->link, name);
        r = fd < 0 ? fd : attach(balancer, fd);
        if (r < 0)
                log_errno(LOG_WARNING, r, "%s: cannot find the wire to it again", balancer->service->key);
}

void balance_link_over(Instance *balancer) {
        char name[HELD_SIZE];

        if (!balancer->balance)
                return;
        held_name(balancer, name);
        (void) link_drop(balancer->service->manager->link, name);
        balancer->balance = balance_link_free(balancer->balance);
}

BalanceLink *balance_link_free(BalanceLink *l) {
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->source);
        fd_close(l->fd);
        free(l->fronts);
        free(l->backs);
        free(l->counts);
        free(l->coming);
        free(l);
        return NULL;
}

const BalanceCounts *balance_link_counts(const BalanceLink *l, uint32_t front, uint64_t back) {
        for (size_t k = 0; k < l->n_counts; k++)
                if (l->counts[k].front == front && l->counts[k].back == back)
                        return l->counts + k;
        return NULL;
}
