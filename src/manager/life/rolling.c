/* Must stay true: what is old is told by the number of the start (Instance.generation) alone, and that limit is in the state before the first step, so
 * that another manager goes on, whatever became of this one's new instances; a step is taken from the loop, never from within an instance's event. */
#include "manager/life/rolling.h"

#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "manager/api/api.h"
#include "manager/api/wait.h"
#include "manager/balance/balance.h"
#include "manager/events.h"
#include "manager/life/instance.h"
#include "model/rolling.h"

struct Rolling {
        uint64_t limit;                /* starts up to this one are old */
        bool active;
        bool inherited;                /* from another manager; whoever asked that one may ask again */
        char *error;                   /* why it ended early */
        char *hint;
        sd_event_source *step, *timer;
};

Rolling *rolling_free(Rolling *r) {
        if (!r)
                return NULL;
        sd_event_source_disable_unref(r->step);
        sd_event_source_disable_unref(r->timer);
        free(r->error);
        free(r->hint);
        free(r);
        return NULL;
}

bool rolling_fits(const Service *s) {
        const ServiceSpec *spec = s->spec;

        if (spec->reload.by != RELOAD_BY_NONE)
                return spec->reload.by == RELOAD_BY_ROLLING;
        return spec->type == SERVICE_SIMPLE && !spec->collects && !spec->essential && (spec->sockets.n > 0 || spec->cluster.by != CLUSTER_NONE || service_count(s) > 1);
}

/* In the state: the limit, or nothing when there is no reload under way. */
static int remember(const Service *s, uint64_t limit) {
        _cleanup_free_ char *key = text_printf("reload %s", s->key);
        char value[32] = "";

        if (limit > 0)
                snprintf(value, sizeof value, "%" PRIu64, limit);
        return key ? store_set_meta(s->manager->store, key, value) : -ENOMEM;
}

/* ---- what there is ---- */

static bool runs(const Instance *i) {
        return i->lc.state == LC_RUNNING || i->lc.state == LC_RELOADING;
}

static bool ready(const Instance *i) {
        return lifecycle_ready(&i->lc, i->service->spec);
}

typedef enum Proof { PROOF_NOT_YET, PROOF_GOOD, PROOF_LATE } Proof;

/* Of a new one: ready, and for as long as reload.min_ready; or not ready in the time that a start has. *wake becomes the moment when that will be, if
 * it is sooner. */
static Proof proof(const Instance *i, usec_t now, usec_t *wake) {
        const ServiceSpec *s = i->service->spec;
        bool good = ready(i);
        usec_t at = good ? usec_add(i->lc.ready_since, s->reload.min_ready) : usec_add(i->lc.run_since, s->ready_timeout);

        if (!runs(i))
                return PROOF_NOT_YET;
        if (at <= now)
                return good ? PROOF_GOOD : PROOF_LATE;
        *wake = MIN(*wake, at);
        return PROOF_NOT_YET;
}

static bool is_new(const Instance *i) {
        return i->generation > i->service->rolling->limit;
}

/* Not meant to run, or to start when somebody connects: the next start will be a new one. */
static bool rests(const Instance *i) {
        return !i->lc.wanted || i->lc.state == LC_EXITED || i->lc.state == LC_WAIT_DEMAND;
}

static bool has_failed(const Instance *i) {
        return i->lc.state == LC_WAIT_BACKOFF || i->lc.state == LC_FAILED;
}

static RollingHolder new_holder(const Instance *i, usec_t now, usec_t *wake) {
        static const RollingHolder holders[] = {
                [PROOF_NOT_YET] = HOLDER_NEW_COMING, [PROOF_GOOD] = HOLDER_NEW, [PROOF_LATE] = HOLDER_NEW_FAILED,
        };

        return has_failed(i) ? HOLDER_NEW_FAILED : holders[proof(i, now, wake)];
}

static RollingHolder holder(const Instance *i, usec_t now, usec_t *wake) {
        if (rests(i))
                return HOLDER_NEW;
        if (is_new(i))
                return new_holder(i, now, wake);
        if (ready(i))
                return HOLDER_OLD;
        return has_failed(i) || runs(i) || i->lc.state == LC_STARTING ? HOLDER_OLD_DOWN : HOLDER_NEW_COMING;
}

static Instance *surge_of(const Service *s, unsigned index) {
        for (size_t k = 0; k < s->n_instances; k++)
                if (s->instances[k]->surge && !s->instances[k]->removing && s->instances[k]->index == index)
                        return s->instances[k];
        return NULL;
}

static RollingSurge surge_state(const Instance *i, usec_t now, usec_t *wake) {
        static const RollingSurge surges[] = { [PROOF_NOT_YET] = SURGE_COMING, [PROOF_GOOD] = SURGE_READY, [PROOF_LATE] = SURGE_FAILED };

        if (!i)
                return SURGE_NONE;
        if (has_failed(i) || rests(i) || i->lc.failing || i->lc.state == LC_STOPPING || i->lc.state == LC_KILLING)
                return SURGE_FAILED;
        return surges[proof(i, now, wake)];
}

static bool is_up_to_something(const Instance *i) {
        return lifecycle_alive(&i->lc) || (i->lc.state != LC_STOPPED && i->lc.state != LC_EXITED && i->lc.state != LC_FAILED);
}

static void look(const Service *s, RollingSlot slots[], RollingView *v, usec_t *wake) {
        usec_t now = now_usec(CLOCK_MONOTONIC);
        unsigned count = service_count(s);

        *wake = USEC_INFINITY;
        *v = (RollingView) { .slots = slots, .max_surge = s->spec->reload.max_surge, .max_unavailable = s->spec->reload.max_unavailable };
        for (unsigned k = 0; k < s->n_instances; k++) {
                const Instance *i = s->instances[k];

                if (k < count && !i->removing)
                        slots[v->n++] = (RollingSlot) { holder(i, now, wake), surge_state(surge_of(s, k), now, wake) };
                else if (!i->surge || i->removing)
                        v->n_draining += is_up_to_something(i);
        }
}

/* ---- what is done ---- */

static void told(Service *s) {
        for (size_t k = 0; k < s->n_instances; k++)
                wait_changed(s->instances[k]);
}

/* error is taken; NULL: it is complete. */
static void end(Service *s, char *error) {
        Rolling *r = s->rolling;

        r->active = false;
        r->step = sd_event_source_disable_unref(r->step);
        r->timer = sd_event_source_disable_unref(r->timer);
        free(r->error);
        r->error = error;
        if (remember(s, 0) < 0)
                log_warning("%s: cannot write down that its reload is over", s->key);
        event_emit(s->manager, s->n_instances > 0 ? s->instances[0] : NULL, NULL, error ? EVENT_ROLLING_FAILED : EVENT_ROLLING, "%s%s",
                   error ? "the rolling reload ended early: " : "the rolling reload is complete", error ?: "");
        for (size_t k = 0; k < s->n_instances; k++)
                if (s->instances[k]->surge && !s->instances[k]->removing) {
                        s->instances[k]->removing = true;
                        instance_order(s->instances[k], EV_STOP);
                }
        told(s);
        (void) sd_event_source_set_enabled(s->manager->pump, SD_EVENT_ONESHOT);
}

static int surge(Service *s, unsigned slot) {
        Instance *i;
        int r = service_surge(s, slot, &i);

        if (r < 0)
                return r;
        instance_order(i, EV_START);
        if (i->lc.state == LC_WAIT_DEMAND)
                instance_event(i, EV_DEMAND);
        return 0;
}

static void swap(Service *s, unsigned slot) {
        Instance *new = surge_of(s, slot), *old = service_take_place(s, new);

        event_emit(s->manager, new, NULL, EVENT_ROLLING, "the new one has taken the place, the old one (pid %d) drains", old->main.pid);
        wait_moved(old, new);
        balance_attend(s);
        old->drains = true;
        instance_order(old, EV_STOP);
        wait_changed(new);
}

static void replace(Service *s, unsigned slot) {
        s->instances[slot]->drains = true;
        instance_order(s->instances[slot], EV_RESTART);
}

static void fail(Service *s, unsigned slot) {
        Instance *i = surge_of(s, slot) ?: s->instances[slot];
        _cleanup_free_ char *why = runs(i) ? strdup("it runs, and is not ready") : wait_why_down(i);
        char label[300];

        free(s->rolling->hint);
        s->rolling->hint = i->hint ? strdup(i->hint) : NULL;
        end(s, text_printf("the new %s did not come up: %s", instance_label(i, label), why ?: "out of memory"));
}

static void take_step(Service *s, RollingStep step, unsigned slot) {
        switch (step) {
        case ROLLING_SURGE:
                if (surge(s, slot) < 0)
                        end(s, strdup("out of memory"));
                break;
        case ROLLING_SWAP: swap(s, slot); break;
        case ROLLING_REPLACE: replace(s, slot); break;
        case ROLLING_FAILED: fail(s, slot); break;
        default: end(s, NULL);
        }
}

/* Each step changes what the next look sees; what does not is the end of this turn. */
static int on_step(sd_event_source *source, void *userdata) {
        Service *s = userdata;
        RollingSlot slots[INSTANCES_LIMIT];
        usec_t wake = USEC_INFINITY;

        for (unsigned turns = 0; s->rolling->active && s->manager->shutdown == SHUTDOWN_NO && turns < 4 * INSTANCES_LIMIT; turns++) {
                RollingStep step;
                RollingView v;
                size_t slot = 0;

                look(s, slots, &v, &wake);
                step = rolling_next(&v, &slot);
                if (step == ROLLING_WAIT)
                        break;
                take_step(s, step, (unsigned) slot);
        }
        if (s->rolling->active && s->rolling->timer) {
                (void) sd_event_source_set_time(s->rolling->timer, wake);
                (void) sd_event_source_set_enabled(s->rolling->timer, wake == USEC_INFINITY ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
        }
        if (s->rolling->active)
                told(s);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        return on_step(source, userdata);
}

static int activate(Service *s, uint64_t limit) {
        sd_event *event = s->manager->event;
        Rolling *r = s->rolling;
        int k;

        r->limit = limit;
        k = sd_event_add_defer(event, &r->step, on_step, s);
        if (k >= 0)
                k = sd_event_source_set_priority(r->step, PRIORITY_TIMER);
        if (k >= 0)
                k = sd_event_add_time(event, &r->timer, CLOCK_MONOTONIC, USEC_INFINITY, USEC_PER_MSEC, on_timer, s);
        if (k >= 0)
                k = sd_event_source_set_priority(r->timer, PRIORITY_TIMER);
        r->active = k >= 0;
        return k;
}

static int prepare(Service *s) {
        if (s->rolling && s->rolling->active)
                end(s, strdup("another reload began"));
        s->rolling = rolling_free(s->rolling);
        s->rolling = calloc(1, sizeof(Rolling));
        return s->rolling ? 0 : -ENOMEM;
}

int rolling_begin(Service *s, KlError *reterr) {
        int r;

        if (s->rolling && s->rolling->active && s->rolling->inherited) {
                s->rolling->inherited = false;
                return 0;
        }
        r = prepare(s);
        if (r >= 0)
                r = remember(s, s->generation);
        if (r >= 0)
                r = activate(s, s->generation);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot begin the reload: %s", strerror(-r));
        event_emit(s->manager, s->n_instances > 0 ? s->instances[0] : NULL, NULL, EVENT_ROLLING, "rolling reload begins");
        return 0;
}

bool rolling_cancel(Service *s, const char *why) {
        if (!s->rolling || !s->rolling->active)
                return false;
        end(s, strdup(why));
        return true;
}

void rolling_attend(Instance *i) {
        Rolling *r = i->service->rolling;

        if (r && r->active)
                (void) sd_event_source_set_enabled(r->step, SD_EVENT_ONESHOT);
}

void rolling_drain(Instance *i) {
        usec_t until = usec_add(now_usec(CLOCK_MONOTONIC), i->service->spec->reload.drain_timeout);

        if (!i->drains)
                return;
        i->drains = false;
        /* Its time was before the signal. */
        if (spec_has_hook(i->service->spec, HOOK_DRAIN) && i->service->spec->reload.drain == DRAIN_CONNECTIONS)
                return;
        if (i->lc.main_alive && i->lc.deadline != USEC_INFINITY)
                i->lc.deadline = MAX(i->lc.deadline, until);
}

/* ---- what others ask ---- */

static bool replaced(const Instance *i) {
        const Service *s = i->service;
        usec_t wake = USEC_INFINITY;

        if (i->surge || i->retired || holder(i, now_usec(CLOCK_MONOTONIC), &wake) != HOLDER_NEW)
                return false;
        for (size_t k = 0; k < s->n_instances; k++)
                if (s->instances[k] != i && s->instances[k]->index == i->index && is_up_to_something(s->instances[k]))
                        return false;
        return true;
}

int rolling_judge(const Instance *i, char **ret_error) {
        const Rolling *r = i->service->rolling;

        if (!r || replaced(i))
                return 1;
        if (r->active)
                return 0;
        if (is_new(i) && ready(i))
                return 1;
        *ret_error = strdup(r->error ?: "was stopped meanwhile");
        return -1;
}

json_object *rolling_json(const Service *s) {
        json_object *o;
        unsigned n = 0, count = service_count(s);

        if (!s->rolling)
                return NULL;
        for (unsigned k = 0; k < count; k++)
                n += is_new(s->instances[k]);
        o = json_object_new_object();
        json_set(o, "active", json_object_new_boolean(s->rolling->active));
        json_set(o, "replaced", json_object_new_int((int) n));
        json_set(o, "instances", json_object_new_int((int) count));
        json_set(o, "error", json_text(s->rolling->error));
        return o;
}

/* ---- after a manager's death ---- */

static void adopt(Service *s) {
        _cleanup_free_ char *key = text_printf("reload %s", s->key), *value = NULL;
        uint64_t limit;

        if (!key || store_get_meta(s->manager->store, key, &value) < 0 || parse_u64(value, &limit) < 0 || prepare(s) < 0)
                return;
        if (activate(s, limit) < 0)
                log_warning("%s: its rolling reload does not go on: out of memory", s->key);
        s->rolling->inherited = true;
}

void rolling_adopted(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++)
                adopt(m->order[k]);
}
