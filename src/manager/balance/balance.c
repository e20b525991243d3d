/* Who gets connections. Must stay true: an instance is ACTIVE only in its place, ready, and not on its way down; every change of that, and of the sockets,
 * is told to every balancer of the service that lives, the one that is being replaced included. */
#include "manager/balance/balance_private.h"

#include "manager/balance/cluster.h"

#include <stdio.h>

#include "manager/life/instance.h"
#include "manager/link.h"
#include "manager/sockets/sockets.h"

#define RETRIES 3                      /* other instances that are tried for a connection that one refused */

Service *balancer_of(const Service *s) {
        Manager *m = s->manager;

        for (size_t k = 0; k < m->n_order; k++) {
                const ServiceSpec *b = m->order[k]->spec;

                if (b->balances && streq(b->balances, s->spec->name) && streq(b->ns, s->spec->ns))
                        return m->order[k];
        }
        return NULL;
}

/* ---- how things shall be ---- */

bool balance_next_front(const Service *s, FrontWalk *at, BalanceFront *ret, int *ret_fd) {
        while (at->socket < s->spec->sockets.n) {
                const SocketSpec *spec = s->spec->sockets.items + at->socket++;

                *ret_fd = socket_balanced(spec) ? sockets_open_fd(s, spec) : -ENOENT;
                if (*ret_fd < 0)
                        continue;
                *ret = (BalanceFront) { .h = { BALANCE_FRONT, sizeof *ret }, .front = sockets_front(s, spec), .strategy = (uint32_t) spec->balance,
                                        .affinity = (uint32_t) spec->affinity, .proxy = (uint32_t) spec->proxy_protocol, .retries = RETRIES,
                                        .max_connections = spec->max_connections, .flags = spec->keepalive ? FRONT_KEEPALIVE : 0,
                                        .connect_timeout = spec->connect_timeout };
                snprintf(ret->name, sizeof ret->name, "%s", spec->listen);
                return true;
        }
        return cluster_next_front(s, &at->cluster, ret, ret_fd);
}

static BackState state_of(const Instance *i) {
        switch (i->lc.state) {
        case LC_RUNNING: case LC_RELOADING:
                return !i->surge && lifecycle_ready(&i->lc, i->service->spec) ? BACK_ACTIVE : BACK_DOWN;
        case LC_PRE_STOP: case LC_STOPPING: case LC_KILLING:
                return BACK_DRAINING;
        default:
                return BACK_DOWN;
        }
}

static const SocketSpec *socket_of(const Service *s, uint32_t front) {
        for (size_t k = 0; k < s->spec->sockets.n; k++)
                if (socket_balanced(s->spec->sockets.items + k) && sockets_front(s, s->spec->sockets.items + k) == front)
                        return s->spec->sockets.items + k;
        return NULL;
}

/* An instance keeps its clients over a reload: affinity knows it by its number. */
static void describe_back(const Instance *i, const Back *b, const SocketSpec *spec, BalanceBackState *ret) {
        *ret = (BalanceBackState) { .h = { BALANCE_BACK, sizeof *ret }, .back = i->run, .front = b->front, .kind = BACK_ADDRESS, .state = state_of(i),
                                    .weight = socket_weight(spec, i->index), .affinity = i->index + 1, .address_size = b->size,
                                    .settles = i->service->spec->reload.drain == DRAIN_SIGNAL };
        memcpy(&ret->address, &b->address, sizeof ret->address);
}

bool balance_next_back(const Service *s, BackWalk *at, BalanceBackState *ret, int *ret_fd) {
        for (; at->instance < s->n_instances; at->instance++, at->back = at->channel = 0) {
                const Instance *i = s->instances[at->instance];

                *ret_fd = -EBADF;
                if (cluster_next_back(i, &at->channel, state_of(i), ret, ret_fd))
                        return true;
                while (i->run && i->backs && at->back < i->backs->n) {
                        const Back *b = i->backs->items + at->back++;
                        const SocketSpec *spec = socket_of(s, b->front);

                        if (!spec || sockets_open_fd(s, spec) < 0)
                                continue;
                        describe_back(i, b, spec, ret);
                        return true;
                }
        }
        return false;
}

/* ---- telling ---- */

BalanceLink *balance_next_link(const Service *balancer, size_t *at) {
        while (balancer && *at < balancer->n_instances) {
                BalanceLink *l = balancer->instances[(*at)++]->balance;

                if (l && l->fd >= 0)
                        return l;
        }
        return NULL;
}

void balance_attend(Service *s) {
        const Service *balancer = s->spec && spec_balanced(s->spec) ? balancer_of(s) : NULL;
        BalanceLink *l;

        for (size_t at = 0; (l = balance_next_link(balancer, &at));)
                balance_link_state(l);
}

void balance_socket_gone(Service *s, uint32_t front) {
        const Service *balancer = balancer_of(s);
        BalanceLink *l;

        for (size_t at = 0; (l = balance_next_link(balancer, &at));)
                balance_link_front_gone(l, front);
}

/* ---- draining ---- */

static bool link_drained(const BalanceLink *l, uint64_t run) {
        if (!l->stated || l->blocked)
                return false;
        for (size_t k = 0; k < l->n_backs; k++)
                if (l->backs[k].state.back == run && l->backs[k].state.front != 0 && !(l->backs[k].state.state == BACK_DRAINING && l->backs[k].drained))
                        return false;
        return true;
}

static bool drained(const Instance *i) {
        const Service *balancer = balancer_of(i->service);
        BalanceLink *l;

        for (size_t at = 0; (l = balance_next_link(balancer, &at));)
                if (!link_drained(l, i->run))
                        return false;
        return true;
}

bool balance_drain(Instance *i) {
        balance_attend(i->service);
        return drained(i);
}

void balance_drained(Service *s) {
        for (size_t k = 0; k < s->n_instances; k++) {
                Instance *i = s->instances[k];

                if (i->lc.hooks & 1 << HOOK_DRAIN && drained(i))
                        instance_feed(i, &(LcInput) { .event = EV_HOOK_DONE, .hook = HOOK_DRAIN, .ok = true });
        }
}

/* ---- after a manager's death ---- */

void balance_adopted(Manager *m) {
        m->balance_known = true;
        for (size_t k = 0; k < m->n_order; k++) {
                Service *s = m->order[k];
                BalanceLink *l;

                if (!s->spec->balances)
                        continue;
                for (size_t at = 0; (l = balance_next_link(s, &at));)
                        balance_link_state(l);
                if (link_upgraded(m->link))
                        balancer_renew(s);
        }
        link_drop_untaken(m->link, "wire-");
        link_drop_untaken(m->link, "back-");
}
