/* Must stay true: a connection is in one place, ours (Connection), or on its way to a worker (NodeChannel); one that a worker did not take comes back as a
 * new one. The channel is closed here alone by word of the manager or when the worker has closed it. */
#include "balance/worker.h"

#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"

/* A query that the manager was asked about. */
typedef struct Asked {
        uint32_t serial;               /* 0: free */
        uint64_t seq;
        usec_t again_at;
        BalanceListen packet;
        char data[NODE_DATA_MAX];
} Asked;

struct Worker {
        Worker *next;
        Balancer *balancer;
        uint64_t id;
        NodeChannel *channel;
        bool stated;
        bool drains;
        usec_t disconnect_at;          /* 0: not due, or done */
        Asked *asked;                  /* WORKER_ASKED_MAX; NULL: it never asked */
};

static Worker *worker_find(const Balancer *b, uint64_t id) {
        Worker *w = b->workers;

        while (w && w->id != id)
                w = w->next;
        return w;
}

/* Calls f for its back in each front. */
static void each_back(Worker *w, void (*f)(Back *k)) {
        Balancer *b = w->balancer;

        for (size_t i = b->n_fronts; i-- > 0;) {
                Back *k = back_find(b->fronts[i], w->id);

                if (k && k->worker == w)
                        f(k);
        }
}

static void dirty(Back *k) {
        front_dirty(k->front);
}

/* ---- its end ---- */

static void detach(Back *k) {
        k->worker = NULL;
        if (k->state == BACK_ACTIVE)
                k->state = BACK_DOWN;
        front_dirty(k->front);
        back_check(k);
}

static Worker *worker_free(Worker *w) {
        if (!w)
                return NULL;
        node_channel_free(w->channel);
        free(w->asked);
        free(w);
        return NULL;
}

static void worker_remove(Worker *w) {
        Worker **at = &w->balancer->workers;

        while (*at != w)
                at = &(*at)->next;
        *at = w->next;
        w->balancer->n_workers--;
        each_back(w, detach);
        worker_free(w);
}

static void on_gone(NodeChannel *c) {
        Worker *w = c->userdata;
        BalanceBackName p = { .h = { BALANCE_CLOSED, sizeof(p) }, .back = w->id };

        (void) say_word(w->balancer, &p, sizeof(p));
        worker_remove(w);
}

void worker_gone(Balancer *b, uint64_t id) {
        Worker *w = worker_find(b, id);

        if (w)
                worker_remove(w);
}

/* ---- connections ---- */

bool worker_has_room(const Worker *w) {
        return w && !w->drains && node_channel_has_room(w->channel);
}

int worker_give(Worker *w, Connection *c) {
        Back *k = back_find(c->front, w->id);
        int r = k ? node_channel_give(w->channel, c->front->told.front, c->client.source.fd) : -EAGAIN;

        if (r < 0)
                return r;
        balancer_due(w->balancer, usec_add(balancer_now(w->balancer), NODE_PENDING_TIME));
        poller_remove(&w->balancer->poller, &c->client.source);
        c->client.source.fd = -EBADF; /* the channel's until it is taken */
        k->total++;
        c->front->lots[k->at].open++;
        back_worked(k);
        connection_close(c, false);
        return 0;
}

static Front *arrived(NodeChannel *c, uint32_t front) {
        Worker *w = c->userdata;
        Front *f = front_find(w->balancer, front);
        Back *k = f ? back_find(f, w->id) : NULL;

        each_back(w, dirty);
        if (k && f->lots[k->at].open > 0)
                f->lots[k->at].open--;
        return f;
}

static void on_accepted(NodeChannel *c, uint32_t front) {
        (void) arrived(c, front);
}

/* It is full (server.maxConnections), closing, or gone: the next one. */
static void on_refused(NodeChannel *c, uint32_t front, int fd) {
        struct sockaddr_storage peer = {};
        socklen_t size = sizeof(peer);
        Front *f = arrived(c, front);
        Back *k = f ? back_find(f, c->back) : NULL;

        if (!f || f->gone || getpeername(fd, (struct sockaddr *) &peer, &size) < 0) {
                fd_close(fd);
                return;
        }
        if (k)
                back_failed(k, -EAGAIN);
        f->total--;
        (void) connection_new(f, fd, &peer);
}

/* ---- listening ---- */

static void ask(Worker *w, Asked *a) {
        a->again_at = usec_add(balancer_now(w->balancer), WORKER_ASK_AGAIN);
        balancer_due(w->balancer, a->again_at);
        (void) say_word(w->balancer, &a->packet, sizeof(a->packet));
}

static Asked *asked_free(Worker *w) {
        if (!w->asked)
                w->asked = calloc(WORKER_ASKED_MAX, sizeof(Asked));
        for (size_t k = 0; w->asked && k < WORKER_ASKED_MAX; k++)
                if (w->asked[k].serial == 0)
                        return w->asked + k;
        return NULL;
}

static void on_query(NodeChannel *c, uint64_t seq, const NodeQuery *q) {
        Worker *w = c->userdata;
        Asked *a = q->error ? NULL : asked_free(w);

        if (!a) {
                (void) node_channel_reply(c, seq, 0, q->error ?: ENOBUFS, NULL, -EBADF, q->data);
                return;
        }
        *a = (Asked) { .serial = ++w->balancer->listen_serial ?: ++w->balancer->listen_serial, .seq = seq };
        a->packet = (BalanceListen) { .h = { BALANCE_LISTEN, sizeof(a->packet) }, .back = w->id, .serial = a->serial, .backlog = (int32_t) q->backlog,
                                      .type = (uint32_t) q->type, .flags = q->v6only ? LISTEN_V6ONLY : 0, .address_size = q->address_size,
                                      .index = q->index, .address = q->address };
        memcpy(a->data, q->data, sizeof(a->data));
        ask(w, a);
}

static Asked *find_asked(Balancer *b, uint32_t serial, Worker **ret) {
        for (Worker *w = b->workers; w; w = w->next)
                for (size_t k = 0; w->asked && k < WORKER_ASKED_MAX; k++)
                        if (w->asked[k].serial == serial) {
                                *ret = w;
                                return w->asked + k;
                        }
        return NULL;
}

/* Servers that share a port share what the first of them said, such as the keys of TLS tickets, so that a session goes on with another worker. */
static const char *shared_data(Front *f, const char *data) {
        if (!f->node_data && !streq(data, "null"))
                f->node_data = strdup(data);
        return f->node_data ?: data;
}

void worker_listens(Balancer *b, uint32_t serial, const Front *front) {
        struct sockaddr_storage name = {};
        socklen_t size = sizeof(name);
        Worker *w;
        Asked *a = find_asked(b, serial, &w);
        Front *f = front_find(b, front->told.front);
        bool shared = front->told.flags & FRONT_SHARED;

        if (!a)
                return;
        (void) getsockname(f->listener.fd, (struct sockaddr *) &name, &size);
        if (node_channel_reply(w->channel, a->seq, f->told.front, 0, &name, shared ? f->listener.fd : -EBADF, shared_data(f, a->data)) < 0)
                log_warning("%s: a worker does not take the answer to its listen()", f->told.name);
        a->serial = 0;
}

void worker_refused(Balancer *b, uint32_t serial, int error) {
        Worker *w;
        Asked *a = find_asked(b, serial, &w);

        if (!a)
                return;
        (void) node_channel_reply(w->channel, a->seq, 0, error, NULL, -EBADF, a->data);
        a->serial = 0;
}

static void on_closed(NodeChannel *c, uint32_t front) {
        Worker *w = c->userdata;
        BalanceBackName p = { .h = { BALANCE_CLOSED, sizeof(p) }, .back = w->id, .front = front };
        Front *f = front_find(w->balancer, front);
        Back *k = f ? back_find(f, w->id) : NULL;

        if (!k || w->drains)
                return;
        k->state = BACK_DOWN;
        front_dirty(f);
        (void) say_word(w->balancer, &p, sizeof(p));
}

/* ---- words ---- */

/* Other words are of no use to the manager, and a program may send many. */
static void on_word(NodeChannel *c, const char *word) {
        Worker *w = c->userdata;
        BalanceSaid p = { .h = { BALANCE_SAID, sizeof(p) }, .back = w->id, .text = "ready" };

        if (streq(word, "ready"))
                (void) say_word(w->balancer, &p, sizeof(p));
}

static void on_strange(NodeChannel *c, const char *act) {
        Worker *w = c->userdata;
        BalanceSaid p = { .h = { BALANCE_STRANGE, sizeof(p) }, .back = w->id };

        snprintf(p.text, sizeof(p.text), "%s", act);
        (void) say_word(w->balancer, &p, sizeof(p));
}

/* ---- what the manager states ---- */

static const NodeOwner owner = {
        .query = on_query, .closed = on_closed, .word = on_word, .accepted = on_accepted, .refused = on_refused, .strange = on_strange, .gone = on_gone,
};

static int worker_new(Balancer *b, uint64_t id, int *fd, Worker **ret) {
        Worker *w = b->n_workers < BALANCE_BACKS_MAX ? calloc(1, sizeof(*w)) : NULL;
        int r = w ? node_channel_new(&b->poller, &owner, w, id, *fd, &w->channel) : b->n_workers < BALANCE_BACKS_MAX ? -ENOMEM : -ENOSPC;

        if (r < 0) {
                free(w);
                return r;
        }
        TAKE_FD(*fd);
        w->balancer = b;
        w->id = id;
        w->next = b->workers;
        b->workers = w;
        b->n_workers++;
        *ret = w;
        return 0;
}

int worker_state(Balancer *b, const BalanceBackState *told, int *fd) {
        Worker *w = worker_find(b, told->back);
        int r = w ? 0 : worker_new(b, told->back, fd, &w);

        if (r >= 0)
                w->stated = true;
        return r;
}

void worker_attach(Balancer *b, Back *k) {
        k->worker = worker_find(b, k->id);
        if (k->state == BACK_DRAINING)
                back_check(k);
        front_dirty(k->front);
}

void worker_drain(Worker *w) {
        Balancer *b = w->balancer;

        if (w->drains)
                return;
        w->drains = true;
        (void) node_channel_drain(w->channel);
        w->disconnect_at = usec_add(balancer_now(b), WORKER_LINGER);
        balancer_due(b, w->disconnect_at);
}

void workers_unstate(Balancer *b) {
        for (Worker *w = b->workers; w; w = w->next)
                w->stated = false;
}

void workers_forget_unstated(Balancer *b) {
        for (Worker *w = b->workers; w; w = w->next)
                if (!w->stated)
                        worker_drain(w);
}

/* ---- deadlines and the end ---- */

static void expire(Worker *w, usec_t now) {
        if (w->disconnect_at > 0 && w->disconnect_at <= now) {
                w->disconnect_at = 0;
                (void) node_channel_disconnect(w->channel);
        }
        balancer_due(w->balancer, w->disconnect_at ?: USEC_INFINITY);
        for (size_t k = 0; w->asked && k < WORKER_ASKED_MAX; k++) {
                if (w->asked[k].serial == 0)
                        continue;
                if (w->asked[k].again_at <= now)
                        ask(w, w->asked + k);
                balancer_due(w->balancer, w->asked[k].again_at);
        }
        balancer_due(w->balancer, node_channel_expire(w->channel, now));
}

void workers_expire(Balancer *b) {
        for (Worker *w = b->workers, *next; w; w = next) {
                next = w->next;
                if (b->leaving && !node_channel_busy(w->channel))
                        worker_remove(w);
                else
                        expire(w, balancer_now(b));
        }
}

void workers_leave(Balancer *b) {
        for (Worker *w = b->workers; w; w = w->next)
                w->drains = true;
        balancer_due(b, balancer_now(b));
}

bool workers_busy(const Balancer *b) {
        for (const Worker *w = b->workers; w; w = w->next)
                if (node_channel_busy(w->channel))
                        return true;
        return false;
}

void workers_free(Balancer *b) {
        while (b->workers)
                worker_remove(b->workers);
}
