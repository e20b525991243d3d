/* Calls whose answer shows what balancers do wait for their figures, but not long. Must stay true: each call is answered once, and nobody waits for a
 * balancer that is gone. */
#include "base/log.h"
#include "manager/balance/balance_private.h"

#define PATIENCE (300 * USEC_PER_MSEC)

struct BalanceWait {
        BalanceWait *next;
        Manager *manager;
        VarlinkCall *call;
        json_object *parameters;
        VarlinkMethod answer;
        sd_event_source *timer;
};

static BalanceWait *wait_free(BalanceWait *w) {
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->timer);
        varlink_call_unref(w->call);
        json_object_put(w->parameters);
        free(w);
        return NULL;
}

/* While it is answered, whatever it shows is as fresh as it will be. */
static void answer(BalanceWait *w) {
        Manager *m = w->manager;
        int r;

        m->balance_fresh = true;
        r = w->answer(w->call, w->parameters, m);
        m->balance_fresh = false;
        if (r < 0)
                (void) varlink_error(w->call, "io.kingly.Manager.Failed", NULL);
        (void) wait_free(w);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        BalanceWait *w = userdata, **at = &w->manager->balance_waits;

        while (*at && *at != w)
                at = &(*at)->next;
        if (*at)
                *at = w->next;
        answer(w);
        return 0;
}

static bool awaited(const Manager *m) {
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; n < m->order[k]->n_instances; n++) {
                        const BalanceLink *l = m->order[k]->instances[n]->balance;

                        if (l && l->fd >= 0 && l->asked != l->answered)
                                return true;
                }
        return false;
}

void balance_refreshed(Manager *m) {
        if (!m->balance_waits || awaited(m))
                return;
        for (BalanceWait *w; (w = m->balance_waits);) {
                m->balance_waits = w->next;
                answer(w);
        }
}

void balance_refresh_done(Manager *m) {
        for (BalanceWait *w; (w = m->balance_waits);) {
                m->balance_waits = w->next;
                (void) wait_free(w);
        }
}

/* How many were asked. */
static unsigned ask(const Service *balancer) {
        unsigned asked = 0;

        for (size_t k = 0; balancer && k < balancer->n_instances; k++) {
                BalanceLink *l = balancer->instances[k]->balance;

                if (l && l->fd >= 0)
                        asked += l->asked != l->answered || balance_link_ask(l) >= 0;
        }
        return asked;
}

static unsigned ask_those_of(const Selection *s) {
        const Service *last = NULL;
        unsigned asked = 0;

        for (size_t k = 0; k < s->n; k++) {
                const Service *service = s->items[k]->service;

                if (service == last || !spec_balanced(service->spec))
                        continue;
                last = service;
                asked += ask(balancer_of(service));
        }
        return asked;
}

static int add_wait(Manager *m, VarlinkCall *call, json_object *parameters, VarlinkMethod method) {
        BalanceWait *w = calloc(1, sizeof(BalanceWait));
        usec_t at = usec_add(now_usec(CLOCK_MONOTONIC), PATIENCE);
        int r = w ? sd_event_add_time(m->event, &w->timer, CLOCK_MONOTONIC, at, USEC_PER_MSEC, on_timer, w) : -ENOMEM;

        if (r >= 0)
                r = sd_event_source_set_priority(w->timer, PRIORITY_API);
        if (r < 0) {
                if (w)
                        sd_event_source_disable_unref(w->timer);
                free(w);
                return r;
        }
        w->manager = m;
        w->call = varlink_call_ref(call);
        w->parameters = json_object_get(parameters);
        w->answer = method;
        w->next = m->balance_waits;
        m->balance_waits = w;
        return 0;
}

bool balance_refresh(Manager *m, const Selection *s, VarlinkCall *call, json_object *parameters, VarlinkMethod answer_later) {
        return !m->balance_fresh && ask_those_of(s) > 0 && add_wait(m, call, parameters, answer_later) >= 0;
}
