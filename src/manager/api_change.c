/* Start, Stop, Restart, Delete, Apply: what changes the goal is stored durably before it is answered. */
#include "base/log.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/config.h"
#include "manager/api.h"
#include "manager/apply.h"
#include "manager/books.h"
#include "manager/instance.h"
#include "manager/params.h"
#include "manager/wait.h"

typedef struct Change {
        Selection selection;
        bool wait;
} Change;

/* Instances on their way out are no longer anybody's to start or stop. */
static int without_removed(Selection *s, const char *text, KlError *reterr) {
        size_t n = 0;

        for (size_t k = 0; k < s->n; k++)
                if (!s->items[k]->removing)
                        s->items[n++] = s->items[k];
        if (n == 0 && s->n > 0) {
                selection_done(s);
                return kl_error_set(reterr, -ENOENT, KL_E_NOT_FOUND, "%s is being removed", text);
        }
        s->n = n;
        return 0;
}

static int change_parse(Manager *m, json_object *parameters, Change *ret, KlError *reterr) {
        _cleanup_strv_ char **selectors = NULL;
        _cleanup_free_ char *ns = NULL;
        int r;

        *ret = (Change) { .wait = true };
        if ((r = params_selectors(parameters, &selectors, &ns, reterr)) < 0 ||
            (r = json_get_bool(parameters, "wait", &ret->wait, reterr)) < 0)
                return r;
        if (!selectors)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "no service named");
        if (m->shutdown != SHUTDOWN_NO)
                return kl_error_set(reterr, -ESHUTDOWN, KL_E_BUSY, "kingd is shutting down");
        r = selection_resolve(m, selectors, ns, &ret->selection, reterr);
        return r < 0 ? r : without_removed(&ret->selection, selectors[0], reterr);
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

static int store_wanted(Manager *m, const Selection *s, bool wanted, KlError *reterr) {
        bool begun = false;
        int r = 0;

        for (size_t k = 0; k < s->n && r >= 0; k++) {
                Service *service = s->items[k]->service;

                if (service->wanted == wanted || !whole_service(s, service))
                        continue;
                if (!begun && (r = store_begin(m->store, true)) < 0)
                        break;
                begun = true;
                r = store_set_wanted(m->store, service->spec->ns, service->spec->name, wanted);
                if (r >= 0)
                        service->wanted = wanted;
        }
        if (!begun)
                return r;
        if (r >= 0)
                return store_commit(m->store, reterr);
        store_rollback(m->store);
        return r;
}

/* An operator who stops things on a full disk gets them stopped: the goal is kept in memory and said to be so. */
static void remember_goal(Manager *m, const Selection *s, bool wanted) {
        _cleanup_error_ KlError e = {};
        int r = store_wanted(m, s, wanted, &e);

        if (r >= 0)
                return;
        log_warning("the goal `%s` cannot be stored yet: %s", wanted ? "up" : "down", e.message ?: strerror(-r));
        for (size_t k = 0; k < s->n; k++)
                if (whole_service(s, s->items[k]->service)) {
                        s->items[k]->service->wanted = wanted;
                        s->items[k]->service->goal_dirty = true;
                }
        books_mark(m);
}

static int finish(Manager *m, VarlinkCall *call, Change *c, WaitGoal goal) {
        int r;

        if (c->wait)
                r = wait_begin(m, call, &c->selection, goal, NULL);
        else
                r = varlink_reply(call, NULL);
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

static void perform_restart(Manager *m, const Selection *s) {
        for (size_t k = 0; k < s->n; k++)
                instance_order(s->items[k], EV_RESTART);
}

static void perform_delete(Manager *m, const Selection *s) {
        for (size_t k = 0; k < s->n; k++)
                s->items[k]->service->deleting = true;
        perform_stop(m, s);
}

int api_start(VarlinkCall *call, json_object *parameters, void *userdata) {
        _cleanup_error_ KlError e = {};
        Change c;
        int r = change_parse(userdata, parameters, &c, &e);

        if (r < 0)
                return api_fail(call, &e, r);
        remember_goal(userdata, &c.selection, true);
        perform_start(userdata, &c.selection);
        return finish(userdata, call, &c, WAIT_UP);
}

int api_stop(VarlinkCall *call, json_object *parameters, void *userdata) {
        _cleanup_error_ KlError e = {};
        Change c;
        int r = change_parse(userdata, parameters, &c, &e);

        if (r < 0)
                return api_fail(call, &e, r);
        remember_goal(userdata, &c.selection, false);
        perform_stop(userdata, &c.selection);
        return finish(userdata, call, &c, WAIT_DOWN);
}

int api_restart(VarlinkCall *call, json_object *parameters, void *userdata) {
        _cleanup_error_ KlError e = {};
        Change c;
        int r = change_parse(userdata, parameters, &c, &e);

        if (r < 0)
                return api_fail(call, &e, r);
        remember_goal(userdata, &c.selection, true);
        perform_restart(userdata, &c.selection);
        return finish(userdata, call, &c, WAIT_UP);
}

static int store_deletion(Manager *m, const Selection *s, KlError *reterr) {
        int r = store_begin(m->store, true);

        for (size_t k = 0; k < s->n && r >= 0; k++)
                r = store_delete_service(m->store, s->items[k]->service->spec->ns, s->items[k]->service->spec->name);
        if (r >= 0)
                return store_commit(m->store, reterr);
        store_rollback(m->store);
        return kl_error_set(reterr, r, KL_E_FAILED, "cannot write the state to %s: %s", m->places.store, strerror(-r));
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
                r = store_deletion(m, &c.selection, &e);
        if (r < 0) {
                selection_done(&c.selection);
                return api_fail(call, &e, r);
        }
        perform_delete(m, &c.selection);
        r = finish(m, call, &c, WAIT_GONE);
        (void) sd_event_source_set_enabled(m->pump, SD_EVENT_ONESHOT);
        return r;
}

/* ---- apply ---- */

static json_object *change_json(const PlanChange *c) {
        json_object *o = json_object_new_object();

        json_set(o, "key", json_object_new_string(c->key->path));
        json_set(o, "from", json_object_new_string(c->from ?: "-"));
        json_set(o, "to", json_object_new_string(c->to ?: "-"));
        return o;
}

static json_object *plan_json(const Plan *plan) {
        json_object *array = json_object_new_array();

        for (size_t k = 0; k < plan->n; k++) {
                const PlanItem *item = plan->items + k;
                const ServiceSpec *s = item->new_spec ?: item->old_spec;
                json_object *o = json_object_new_object(), *changes = json_object_new_array();

                for (size_t n = 0; n < item->n_changes; n++)
                        json_push(changes, change_json(item->changes + n));
                json_set(o, "verb", json_object_new_string(plan_verb_name(item->verb)));
                json_set(o, "name", json_object_new_string(s->name));
                json_set(o, "namespace", json_object_new_string(s->ns));
                json_set(o, "changes", changes);
                json_push(array, o);
        }
        return array;
}

static int apply_load(json_object *services, SpecList *specs, KlError *reterr) {
        _cleanup_diagnostics_ Diagnostics d = {};
        int r = 0;

        for (size_t k = 0; k < json_object_array_length(services) && r != -ENOMEM; k++)
                r = config_load_json(json_object_array_get_idx(services, k), specs, &d);
        if (r == -ENOMEM)
                return r;
        for (size_t k = 0; k < d.n; k++)
                if (!d.items[k].warning)
                        return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s", d.items[k].message);
        return 0;
}

typedef struct ApplyArguments {
        json_object *services;
        const char *origin;
        bool prune, diff, start, wait;
} ApplyArguments;

static int apply_parse(Manager *m, json_object *p, ApplyArguments *a, KlError *reterr) {
        int r;

        *a = (ApplyArguments) { .start = true, .wait = true };
        if ((r = json_get_array(p, "services", &a->services, reterr)) < 0 || (r = json_get_string(p, "origin", &a->origin, reterr)) < 0 ||
            (r = json_get_bool(p, "prune", &a->prune, reterr)) < 0 || (r = json_get_bool(p, "diff", &a->diff, reterr)) < 0 ||
            (r = json_get_bool(p, "start", &a->start, reterr)) < 0 || (r = json_get_bool(p, "wait", &a->wait, reterr)) < 0)
                return r;
        if (!a->services)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "services: missing");
        if (m->shutdown != SHUTDOWN_NO)
                return kl_error_set(reterr, -ESHUTDOWN, KL_E_BUSY, "kingd is shutting down");
        return 0;
}

int api_apply(VarlinkCall *call, json_object *parameters, void *userdata) {
        Manager *m = userdata;
        _cleanup_selection_ Selection touched = {};
        _cleanup_strv_ char **warnings = NULL;
        _cleanup_error_ KlError e = {};
        _cleanup_plan_ Plan plan = {};
        json_object *reply, *array;
        SpecList specs = {};
        ApplyArguments a;
        int r;

        r = apply_parse(m, parameters, &a, &e);
        if (r >= 0)
                r = apply_load(a.services, &specs, &e);
        if (r >= 0)
                r = apply_specs(m, &specs, a.origin, a.prune, a.diff, a.start, &plan, &warnings, &touched, &e);
        if (r < 0) {
                spec_list_done(&specs);
                return api_fail(call, &e, r);
        }
        /* An answer without memory for itself leaves out what it can: what was done is done. */
        reply = json_object_new_object();
        array = json_object_new_array();
        json_set(reply, "plan", plan_json(&plan));
        STRV_FOREACH(w, warnings)
                json_push(array, json_object_new_string(*w));
        json_set(reply, "warnings", array);
        spec_list_done(&specs);
        if (!a.diff && a.wait && touched.n > 0) {
                if (!varlink_call_more(call))
                        return wait_begin(m, call, &touched, WAIT_UP, reply);
                /* The plan first, so that progress is read after it; the last reply repeats neither. */
                json_set(reply, "results", json_object_new_array());
                (void) varlink_notify(call, reply);
                reply = json_object_new_object();
                json_set(reply, "plan", json_object_new_array());
                json_set(reply, "warnings", json_object_new_array());
                return wait_begin(m, call, &touched, WAIT_UP, reply);
        }
        json_set(reply, "results", json_object_new_array());
        return varlink_reply(call, reply);
}
