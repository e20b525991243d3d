/* Start, Stop, Restart, Delete: what changes the goal is stored durably before it is answered. */
#include "base/text.h"
#include "manager/api/api.h"
#include "manager/api/params.h"
#include "manager/api/wait.h"
#include "manager/books/books.h"
#include "manager/books/state.h"
#include "manager/life/dependents.h"
#include "manager/life/instance.h"
#include "manager/life/rolling.h"

typedef struct Change {
        Selection selection;
        bool wait;
} Change;

static int change_parse(Manager *m, json_object *parameters, Change *ret, KlError *reterr) {
        int r;

        *ret = (Change) { .wait = true };
        r = json_get_bool(parameters, "wait", &ret->wait, reterr);
        return r < 0 ? r : params_selection(m, parameters, &ret->selection, reterr);
}

/* The goal is a service's: naming one instance of several starts or stops it without changing what the next boot does. */
static bool whole_service(const Selection *s, const Service *service) {
        size_t n = 0, all = 0;

        if (service->n_instances == 1)
                return true;
        for (size_t k = 0; k < s->n; k++)
                n += s->items[k]->service == service;
        for (size_t k = 0; k < service->n_instances; k++)
                all += !service->instances[k]->removing;
        return n == all;
}

/* Durable before anything is done: a manager that dies in between has promised nothing that the next one does not know of. An operator who
 * stops things on a full disk gets them stopped: the books keep what could not be written, and a malloc'ed warning says so. */
static char *remember_order(Manager *m, const Selection *s, bool wanted, bool restart) {
        bool changed = false;

        for (size_t k = 0; k < s->n; k++) {
                Instance *i = s->items[k];
                Service *service = i->service;

                if (!wanted)
                        i->stop_deferred = true;
                else if (restart && lifecycle_alive(&i->lc))
                        i->restart_deferred = i->restart_due = true;
                if (i->stop_deferred || i->restart_deferred) {
                        changed = true;
                        books_mark_instance(i);
                }
                if (service->wanted != wanted && whole_service(s, service)) {
                        service->wanted = wanted;
                        service->goal_dirty = changed = true;
                }
        }
        if (!changed || books_write(m, true) >= 0)
                return NULL;
        return text_printf("done, but forgotten should the daemon die before it is written: %s", m->store_problem ?: "out of memory");
}

static int finish(Manager *m, VarlinkCall *call, Change *c, WaitGoal goal, const char *warning) {
        json_object *reply = json_object_new_object(), *warnings = warning ? json_object_new_array() : NULL;
        int r;

        json_push(warnings, json_text(warning));
        if (warnings)
                json_set(reply, "warnings", warnings);
        if (c->wait)
                r = wait_begin(m, call, &c->selection, goal, reply);
        else
                r = varlink_reply(call, reply);
        selection_done(&c->selection);
        return r;
}

static void perform_start(Manager *m, const Selection *s) {
        uint64_t round = service_round(m);
        Service *last = NULL;

        for (size_t k = 0; k < s->n; k++) {
                Service *service = s->items[k]->service;

                if (whole_service(s, service)) {
                        if (service != last)
                                service_start(service, round);
                } else
                        instance_order(s->items[k], EV_START);
                last = service;
        }
}

static void perform_stop(Manager *m, const Selection *s) {
        for (size_t k = 0; k < s->n; k++)
                s->items[k]->stop_deferred = true;
        service_stop_pump(m);
}

/* One that is followed is restarted when its followers are down. */
static void perform_restart(Manager *m, const Selection *s) {
        uint64_t round = service_round(m);

        for (size_t k = 0; k < s->n; k++) {
                if (s->items[k]->restart_deferred)
                        continue;
                if (!lifecycle_alive(&s->items[k]->lc)) /* it starts, and so does what it cannot start without */
                        service_start_needed(s->items[k]->service, round);
                instance_order(s->items[k], EV_RESTART);
        }
        service_stop_pump(m);
}

static void perform_delete(Manager *m, const Selection *s) {
        for (size_t k = 0; k < s->n; k++)
                s->items[k]->service->deleting = true;
        perform_stop(m, s);
}

/* What an operator orders now is meant, not what is left of an order before it. */
static void end_reloads(Selection *s) {
        for (size_t k = 0; k < s->n; k++)
                (void) rolling_cancel(s->items[k]->service, "another order came meanwhile");
        selection_leave_extra(s);
}

/* An order to services that stay known: what becomes of their goal, what is done, and when it is answered. */
typedef struct Order {
        bool wanted;
        void (*perform)(Manager *m, const Selection *s);
        WaitGoal until;
} Order;

static int obey(VarlinkCall *call, json_object *parameters, Manager *m, const Order *order) {
        _cleanup_free_ char *warning = NULL;
        _cleanup_error_ KlError e = {};
        Change c;
        int r = change_parse(m, parameters, &c, &e);

        if (r >= 0 && (!order->wanted || order->perform == perform_restart))
                r = selection_add_followers(&c.selection, !order->wanted);
        if (r >= 0 && !order->wanted)
                r = selection_add_collectors(&c.selection);
        if (r < 0)
                return api_fail(call, &e, r);
        end_reloads(&c.selection);
        warning = remember_order(m, &c.selection, order->wanted, order->perform == perform_restart);
        order->perform(m, &c.selection);
        return finish(m, call, &c, order->until, warning);
}

int api_start(VarlinkCall *call, json_object *parameters, void *userdata) {
        return obey(call, parameters, userdata, &(Order) { true, perform_start, WAIT_UP });
}

int api_stop(VarlinkCall *call, json_object *parameters, void *userdata) {
        return obey(call, parameters, userdata, &(Order) { false, perform_stop, WAIT_DOWN });
}

int api_restart(VarlinkCall *call, json_object *parameters, void *userdata) {
        return obey(call, parameters, userdata, &(Order) { true, perform_restart, WAIT_UP });
}

static int store_deletion(Manager *m, const Selection *s, KlError *reterr) {
        int r = state_lasting(m, reterr);

        if (r < 0)
                return r;
        r = store_begin(m->store, true);
        for (size_t k = 0; k < s->n && r >= 0; k++)
                r = store_delete_service(m->store, s->items[k]->service->spec->ns, s->items[k]->service->spec->name);
        if (r >= 0)
                return store_commit(m->store, reterr);
        store_rollback(m->store);
        return store_error(m->store, r, reterr);
}

int api_delete(VarlinkCall *call, json_object *parameters, void *userdata) {
        Manager *m = userdata;
        _cleanup_error_ KlError e = {};
        Change c;
        int r = change_parse(m, parameters, &c, &e);

        for (size_t k = 0; r >= 0 && k < c.selection.n; k++)
                if (!whole_service(&c.selection, c.selection.items[k]->service)) {
                        r = kl_error_set(&e, -EINVAL, KL_E_INVALID, "%s has %zu instances: delete takes the whole service",
                                         c.selection.items[k]->service->spec->name, c.selection.items[k]->service->n_instances);
                        kl_error_hint(&e, "change `instances` in its file to have fewer");
                }
        if (r >= 0)
                r = selection_add_collectors(&c.selection);
        if (r >= 0)
                r = store_deletion(m, &c.selection, &e);
        if (r < 0) {
                selection_done(&c.selection);
                return api_fail(call, &e, r);
        }
        end_reloads(&c.selection);
        perform_delete(m, &c.selection);
        r = finish(m, call, &c, WAIT_GONE, NULL);
        (void) sd_event_source_set_enabled(m->pump, SD_EVENT_ONESHOT);
        return r;
}
