/* Must stay true: nothing lives is touched before the store has it durably; a plan is performed whole or not at all as far as the store
 * goes. */
#include <stdio.h>

#include "base/log.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/config.h"
#include "manager/api/wait.h"
#include "manager/apply.h"
#include "manager/books/books.h"
#include "manager/books/recover.h"
#include "manager/books/state.h"
#include "manager/events.h"
#include "manager/life/instance.h"
#include "manager/life/rolling.h"
#include "manager/life/start_queue.h"
#include "manager/memory.h"
#include "manager/triggers/schedule.h"
#include "model/balanced.h"
#include "model/collect.h"
#include "model/depend.h"
#include "model/redact.h"

static int present_specs(Manager *m, SpecList *ret) {
        ret->items = calloc(m->n_order + 1, sizeof(ServiceSpec *));
        if (!ret->items)
                return -ENOMEM;
        for (size_t k = 0; k < m->n_order; k++)
                if (!m->order[k]->deleting)
                        ret->items[ret->n++] = m->order[k]->spec;
        return 0;
}

/* Who applies what an output showed would replace a secret by the mark that stood for it. */
static int check_hidden(const SpecList *desired, KlError *reterr) {
        for (size_t k = 0; k < desired->n; k++) {
                const char *marked = redact_marked(desired->items[k]);

                if (!marked)
                        continue;
                kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s: %.*s: " REDACTED " stands there for a secret", desired->items[k]->name,
                             (int) MIN(strcspn(marked, "="), (size_t) 100), marked);
                kl_error_hint(reterr, "what is shown has no secrets in it: `kingctl save FILE` writes them");
                return -EINVAL;
        }
        return 0;
}

typedef struct Union {
        Map *named;                /* "namespace/name" of what is desired */
        char **keys;
        SpecList all;              /* borrows its specs */
} Union;

static void union_done(Union *u) {
        map_free(u->named);
        strv_free(u->keys);
        free(u->all.items);
}

/* Files are checked where they are read; a client may say anything. */
static int union_desired(Union *u, const SpecList *desired, KlError *reterr) {
        for (size_t k = 0; k < desired->n; k++) {
                ServiceSpec *s = desired->items[k];
                char *key = text_printf("%s/%s", s->ns, s->name);
                int r = key ? map_put(u->named, key, s) : -ENOMEM;

                if (r == -EEXIST)
                        kl_error_set(reterr, -EINVAL, KL_E_INVALID, "service %s stands twice in what is to be applied", key);
                if (r < 0) {
                        free(key);
                        return r == -EEXIST ? -EINVAL : r;
                }
                u->keys[k] = key;
                u->all.items[u->all.n++] = s;
        }
        return 0;
}

/* The set as it would be, for cycles and for dependencies on services that exist already. */
static int check_union(const Manager *m, const SpecList *desired, KlError *reterr) {
        _cleanup_(union_done) Union u = { .named = map_new_string(), .keys = calloc(desired->n + 1, sizeof(char *)),
                                          .all.items = calloc(m->n_order + desired->n + 1, sizeof(ServiceSpec *)) };
        _cleanup_free_ char *cycle = NULL;
        size_t at;
        int r;

        r = u.named && u.keys && u.all.items ? union_desired(&u, desired, reterr) : -ENOMEM;
        if (r < 0)
                return r;
        for (size_t k = 0; k < m->n_order; k++)
                if (!m->order[k]->deleting && !map_get(u.named, m->order[k]->key))
                        u.all.items[u.all.n++] = m->order[k]->spec;
        r = depend_find_cycle(&u.all, &cycle, &at);
        if (r > 0)
                return kl_error_set(reterr, -ELOOP, KL_E_INVALID, "dependency cycle: %s", cycle);
        return r;
}

int apply_store(Manager *m, const ServiceSpec *spec, StoredService v) {
        _cleanup_json_ json_object *o = config_spec_to_json(spec);

        if (json_add_string(o, "name", spec->name) < 0 || json_add_string(o, "namespace", spec->ns) < 0)
                return -ENOMEM;
        v.ns = spec->ns;
        v.name = spec->name;
        v.spec_json = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
        return store_put_service(m->store, &v);
}

/* The restart that a change means is durable with the change: else a manager that dies in between would leave the old command running as if it
 * were the new one. */
static int store_restarts(const Service *s) {
        int r = 0;

        for (size_t k = 0; k < s->n_instances && r >= 0; k++)
                if (lifecycle_alive(&s->instances[k]->lc) && !s->instances[k]->removing) {
                        s->instances[k]->restart_due = true;
                        r = books_write_instance(s->instances[k]);
                }
        return r;
}

static void forget_restarts(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; n < m->order[k]->n_instances; n++)
                        m->order[k]->instances[n]->restart_due = false;
}

static int store_item(Manager *m, const PlanItem *item, const char *origin, bool start) {
        Service *s = item->old_spec ? service_find(m, item->old_spec->ns, item->old_spec->name) : NULL;
        StoredService v = { .origin = origin ?: s ? s->origin : "" };
        int r;

        if (item->verb == PLAN_REMOVE)
                return store_delete_service(m->store, item->old_spec->ns, item->old_spec->name);
        if (item->verb == PLAN_KEEP && (!s || s->wanted || !start || !item->new_spec->autostart))
                return 0;
        v.wanted = s ? s->wanted : start && item->new_spec->autostart;
        v.generation = s ? s->generation : 0;
        v.position = s ? s->position : m->next_position++;
        r = apply_store(m, item->new_spec, v);
        return r >= 0 && item->verb == PLAN_RESTART && s->wanted ? store_restarts(s) : r;
}

static int store_plan(Manager *m, const Plan *plan, const char *origin, bool start, KlError *reterr) {
        int64_t position = m->next_position;
        int r = state_lasting(m, reterr);

        if (r < 0)
                return r;
        r = store_begin(m->store, true);
        for (size_t k = 0; k < plan->n && r >= 0; k++)
                r = store_item(m, plan->items + k, origin, start);
        m->next_position = position;      /* service_new() counts again, in the same order */
        if (r >= 0)
                r = store_commit(m->store, reterr);
        else
                store_rollback(m->store);
        if (r < 0)
                forget_restarts(m);
        return r < 0 && !reterr->message ? store_error(m->store, r, reterr) : r;
}

static ServiceSpec *take_spec(SpecList *desired, const ServiceSpec *spec) {
        for (size_t k = 0; k < desired->n; k++)
                if (desired->items[k] == spec)
                        return TAKE_PTR(desired->items[k]);
        return NULL;
}

/* What is on its way out is waited for as well, but not what a rolling reload has replaced: that has its time. */
static int touch(Selection *touched, Service *s) {
        Instance **items = reallocarray(touched->items, touched->n + s->n_instances + 1, sizeof(Instance *));

        if (!items)
                return -ENOMEM;
        touched->items = items;
        for (size_t k = 0; k < s->n_instances; k++)
                if (!s->instances[k]->retired)
                        items[touched->n++] = s->instances[k];
        return 0;
}

static void apply_live(Manager *m, Service *s) {
        for (size_t k = 0; k < s->n_instances; k++) {
                Instance *i = s->instances[k];
                _cleanup_error_ KlError e = {};

                if (i->cell && lifecycle_alive(&i->lc) && cell_apply(i->cell, s->spec, &e) < 0)
                        manager_problem(m, "%s: cannot change limits of the living: %s", s->key, e.message ?: "unknown");
                memory_attend(i);
        }
}

typedef struct Performing {
        Manager *manager;
        SpecList *desired;
        const char *origin;
        bool start;
        Selection *touched;
        Service **starts;          /* to be started when the whole set stands */
        size_t n_starts;
} Performing;

/* A service on its way out that is asked for again: it stays, and starts when its old processes are gone. */
static int revive(Service *s, ServiceSpec *spec, bool up) {
        int r;

        s->deleting = false;
        s->wanted = up;
        r = service_replace_spec(s, spec);
        for (size_t k = 0; k < s->n_instances; k++) {
                Instance *i = s->instances[k];

                books_mark_instance(i);
                if (up && lifecycle_alive(&i->lc) && !i->removing)
                        instance_order(i, EV_RESTART);
                wait_changed(i);
        }
        return r;
}

static int perform_add(Performing *p, const PlanItem *item) {
        ServiceSpec *spec = take_spec(p->desired, item->new_spec);
        Service *s = service_find(p->manager, spec->ns, spec->name);
        bool up = p->start && spec->autostart;
        int r;

        if (s)
                r = revive(s, spec, up);
        else if ((r = service_new(p->manager, spec, p->origin, up, -1, &s)) < 0)
                spec_free(spec);
        if (r < 0)
                return r;
        if (!up || schedule_holds(s))
                return 0;
        p->starts[p->n_starts++] = s;
        return touch(p->touched, s);
}

static int perform_remove(Performing *p, const PlanItem *item) {
        Service *s = service_find(p->manager, item->old_spec->ns, item->old_spec->name);

        (void) rolling_cancel(s, "the service is being removed");
        s->deleting = true;
        for (size_t k = 0; k < s->n_instances; k++)
                s->instances[k]->stop_deferred = true;
        (void) sd_event_source_set_enabled(p->manager->pump, SD_EVENT_ONESHOT);
        return touch(p->touched, s);
}

/* Where the service's specification comes from now; NULL: from where it came. */
static int take_origin(Service *s, const char *origin) {
        char *copy = origin ? strdup(origin) : NULL;

        if (!copy)
                return origin ? -ENOMEM : 0;
        free(s->origin);
        s->origin = copy;
        return 0;
}

static int perform_change(Performing *p, const PlanItem *item) {
        Service *s = service_find(p->manager, item->old_spec->ns, item->old_spec->name);
        int r;

        if (item->verb != PLAN_KEEP) {
                r = service_replace_spec(s, take_spec(p->desired, item->new_spec));
                if (r >= 0)
                        r = take_origin(s, p->origin);
                if (r < 0)
                        return r;
        }
        if (item->live)
                apply_live(p->manager, s);
        for (size_t k = 0; k < s->n_instances; k++)
                if (s->instances[k]->restart_due && !s->instances[k]->removing)
                        instance_order(s->instances[k], EV_RESTART);
        /* What the operator stopped stays stopped; what failed gets another chance because somebody applies the file, not because we
         * began anew. */
        if (p->manager->loading && item->verb == PLAN_KEEP)
                return 0;
        if (s->wanted && p->start && !schedule_holds(s)) {
                p->starts[p->n_starts++] = s;
                return touch(p->touched, s);
        }
        return 0;
}

/* One that waits after a failure does not wait any longer: what made it fail may have been what was changed. */
static bool idle(const Instance *i) {
        switch (i->lc.state) {
        case LC_STOPPED: case LC_FAILED: case LC_WAIT_BACKOFF: case LC_PRE_STOP: case LC_STOPPING: case LC_KILLING: case LC_POST_STOP:
                return true;
        case LC_WAIT_DEMAND:
                return !i->service->spec->on_demand;
        case LC_EXITED:
                return i->service->spec->type != SERVICE_ONESHOT;
        default:
                return i->stop_deferred;
        }
}

static void start_idle(Service *s, uint64_t round) {
        for (size_t k = 0; k < s->n_instances; k++)
                if (!s->instances[k]->removing && idle(s->instances[k])) {
                        service_start(s, round);
                        return;
                }
}

static int perform(Manager *m, Plan *plan, Performing *p) {
        uint64_t round = service_round(m);
        int r = 0;

        p->starts = calloc(plan->n + 1, sizeof(Service *));
        if (!p->starts)
                return -ENOMEM;
        for (size_t k = 0; k < plan->n && r >= 0; k++) {
                PlanItem *item = plan->items + k;

                if (item->verb == PLAN_ADD)
                        r = perform_add(p, item);
                else if (item->verb == PLAN_REMOVE)
                        r = perform_remove(p, item);
                else
                        r = perform_change(p, item);
        }
        if (r >= 0)
                r = service_rebuild_dependents(m);
        for (size_t k = 0; k < p->n_starts && r >= 0; k++)
                start_idle(p->starts[k], round);
        service_recheck_all(m);
        free(p->starts);
        return r;
}

static int collect_warnings(Manager *m, const SpecList *desired, char ***ret) {
        for (size_t k = 0; k < desired->n; k++) {
                _cleanup_strv_ char **list = isolate_unenforced(m->isolate, desired->items[k]);

                STRV_FOREACH(w, list) {
                        char *text = text_printf("%s: %s", desired->items[k]->name, *w);
                        int r = strv_consume(ret, text);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* Nobody knows what would have changed of a service that was recovered from its process: it gets its file back and runs on. */
static void spare_recovered(Manager *m, Plan *plan) {
        for (size_t k = 0; k < plan->n; k++) {
                PlanItem *item = plan->items + k;
                const Service *s = item->verb == PLAN_RESTART ? service_find(m, item->old_spec->ns, item->old_spec->name) : NULL;

                if (!s || !streq(s->origin, ORIGIN_RECOVERED))
                        continue;
                item->verb = item->scale ? PLAN_SCALE : PLAN_LIVE;
                item->live = true;
        }
}

int apply_specs(Manager *m, SpecList *desired, const char *origin, bool prune, bool diff, bool start, Plan *ret_plan, char ***ret_warnings,
                Selection *touched, KlError *reterr) {
        Performing p = { .manager = m, .desired = desired, .origin = origin, .start = start, .touched = touched };
        SpecList present = {};
        int r;

        r = present_specs(m, &present);
        if (r >= 0)
                r = collect_expand(desired, &present, reterr);
        if (r >= 0)
                r = balanced_expand(desired, &present, reterr);
        if (r >= 0)
                r = check_union(m, desired, reterr);
        if (r >= 0)
                r = check_hidden(desired, reterr);
        if (r >= 0)
                r = plan_make(&present, desired, prune, ret_plan);
        free(present.items);
        spare_recovered(m, ret_plan);
        if (r >= 0)
                r = collect_warnings(m, desired, ret_warnings);
        if (r < 0 || diff)
                return r;
        r = store_plan(m, ret_plan, origin, start, reterr);
        m->lavish = true;
        if (r >= 0)
                event_applied(m, ret_plan, origin);
        if (r >= 0)
                r = perform(m, ret_plan, &p);
        if (r >= 0)
                start_queue_pump(m);
        return r;
}
