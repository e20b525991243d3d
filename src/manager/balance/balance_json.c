/* What a balancer does, for describe. */
#include "manager/api/api.h"
#include "manager/balance/balance_private.h"
#include "manager/balance/cluster.h"
#include "manager/life/instance.h"
#include "manager/sockets/sockets.h"

static void set_counts(json_object *o, const BalanceCounts *c) {
        json_set(o, "open", c ? json_object_new_int64(c->open) : NULL);
        json_set(o, "total", c ? json_object_new_int64((int64_t) c->total) : NULL);
        json_set(o, "failed", c ? json_object_new_int64((int64_t) c->failed) : NULL);
        json_set(o, "bytes_in", c ? json_object_new_int64((int64_t) c->bytes_in) : NULL);
        json_set(o, "bytes_out", c ? json_object_new_int64((int64_t) c->bytes_out) : NULL);
        json_set(o, "trouble", c && c->trouble ? json_object_new_string(strerror(c->trouble)) : NULL);
}

static json_object *back_json(const Service *s, const BalanceLink *l, const BalanceBackState *b) {
        json_object *o = json_object_new_object();
        const Instance *i = map_get(s->manager->runs, &b->back);

        json_set(o, "instance", i ? json_object_new_int((int) i->index) : NULL);
        json_set(o, "pid", i && i->main.pid > 0 ? json_object_new_int(i->main.pid) : NULL);
        json_set(o, "state", json_object_new_string(back_state_name(b->state)));
        json_set(o, "weight", json_object_new_int64(b->weight));
        set_counts(o, l ? balance_link_counts(l, b->front, b->back) : NULL);
        return o;
}

static json_object *front_json(const Service *s, const BalanceLink *l, const char *listen, int balance, uint32_t front) {
        json_object *o = json_object_new_object(), *backs = json_object_new_array();
        BackWalk at = {};
        BalanceBackState b;
        int fd;

        json_set(o, "listen", json_object_new_string(listen));
        json_set(o, "balance", json_object_new_string(balance_strategy_name((BalanceStrategy) balance)));
        set_counts(o, l ? balance_link_counts(l, front, 0) : NULL);
        while (balance_next_back(s, &at, &b, &fd))
                if (b.front == front)
                        json_push(backs, back_json(s, l, &b));
        json_set(o, "instances", backs);
        return o;
}

static json_object *fronts_json(const Service *s, const BalanceLink *l) {
        json_object *array = json_object_new_array();
        BalanceFront f;
        size_t at = 0;
        int fd;

        for (size_t k = 0; k < s->spec->sockets.n; k++) {
                const SocketSpec *spec = s->spec->sockets.items + k;

                if (socket_balanced(spec))
                        json_push(array, front_json(s, l, spec->listen, spec->balance, sockets_front(s, spec)));
        }
        while (cluster_next_front(s, &at, &f, &fd))
                json_push(array, front_json(s, l, f.name, f.flags & FRONT_SHARED ? BALANCE_KERNEL : (int) f.strategy, f.front));
        return array;
}

static void set_balancer(json_object *o, const Service *balancer) {
        const Instance *i = balancer && balancer->n_instances > 0 ? balancer->instances[0] : NULL;

        json_set(o, "service", json_text(balancer ? balancer->spec->name : NULL));
        json_set(o, "pid", i && i->lc.main_alive && i->main.pid > 0 ? json_object_new_int(i->main.pid) : NULL);
        json_set(o, "state", json_text(i ? instance_public_state(i) : NULL));
}

json_object *balance_json(const Service *s) {
        const Service *balancer = spec_balanced(s->spec) ? balancer_of(s) : NULL;
        json_object *o;
        BalanceLink *l;
        size_t at = 0;

        if (!spec_balanced(s->spec))
                return NULL;
        l = balance_next_link(balancer, &at);
        o = json_object_new_object();
        set_balancer(o, balancer);
        json_set(o, "sockets", fronts_json(s, l));
        return o;
}
