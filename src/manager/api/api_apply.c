/* Apply and Scale: specs in, the plan out, and what came of it. */
#include "base/strv.h"
#include "config/config.h"
#include "manager/api/api.h"
#include "manager/api/params.h"
#include "manager/api/wait.h"
#include "manager/apply.h"
#include "manager/triggers/schedule.h"
#include "model/scale.h"

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
                r = schedule_check(&specs, &e);
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

/* ---- Scale ---- */

/* A copy of each service's spec with its new number of instances. */
static int scaled_specs(Manager *m, const Selection *selection, const char *text, SpecList *ret, KlError *reterr) {
        for (size_t k = 0; k < selection->n; k++) {
                const ServiceSpec *present = selection->items[k]->service->spec;
                _cleanup_(spec_freep) ServiceSpec *spec = NULL;
                int r;

                if (spec_list_find(ret, present->ns, present->name))
                        continue;
                if ((r = spec_copy(present, &spec)) < 0 || (r = scale_parse(present, text, m->n_cpus, &spec->instances, reterr)) < 0 ||
                    (r = spec_list_append(ret, spec)) < 0)
                        return r;
                TAKE_PTR(spec);
        }
        return 0;
}

int api_scale(VarlinkCall *call, json_object *parameters, void *userdata) {
        _cleanup_selection_ Selection selection = {}, touched = {};
        _cleanup_strv_ char **warnings = NULL;
        _cleanup_error_ KlError e = {};
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_plan_ Plan plan = {};
        Manager *m = userdata;
        const char *to = NULL;
        bool wait = true;
        int r;

        if ((r = json_get_string(parameters, "instances", &to, &e)) >= 0 && (r = json_get_bool(parameters, "wait", &wait, &e)) >= 0)
                r = params_selection(m, parameters, &selection, &e);
        if (r >= 0 && !to)
                r = kl_error_set(&e, -EINVAL, KL_E_INVALID, "instances: missing");
        if (r >= 0)
                r = scaled_specs(m, &selection, to, &specs, &e);
        if (r >= 0)
                r = apply_specs(m, &specs, NULL, false, false, true, &plan, &warnings, &touched, &e);
        if (r < 0)
                return api_fail(call, &e, r);
        return wait ? wait_begin(m, call, &touched, WAIT_UP, NULL) : varlink_reply(call, NULL);
}
