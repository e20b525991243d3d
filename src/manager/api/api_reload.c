/* Reload: each service in its own way. What rolls is replaced as a whole, the others are told one by one. */
#include "base/text.h"
#include "manager/api/api.h"
#include "manager/api/params.h"
#include "manager/api/wait.h"
#include "manager/life/instance.h"
#include "manager/life/reload.h"
#include "manager/life/rolling.h"

static bool first_of_service(const Selection *s, size_t k) {
        for (size_t n = 0; n < k; n++)
                if (s->items[n]->service == s->items[k]->service)
                        return false;
        return true;
}

static int begin(const Selection *s, KlError *reterr) {
        int r = 0;

        for (size_t k = 0; k < s->n && r >= 0; k++) {
                Service *service = s->items[k]->service;

                if (!rolling_fits(service))
                        reload_order(s->items[k]);
                else if (first_of_service(s, k))
                        r = rolling_begin(service, reterr);
        }
        return r;
}

static json_object *cancel(const Selection *s) {
        json_object *results = json_object_new_array();

        for (size_t k = 0; k < s->n; k++) {
                Instance *i = s->items[k];

                if (first_of_service(s, k))
                        json_push(results, wait_result(i, instance_public_state(i),
                                                       rolling_cancel(i->service, "cancelled") ? NULL : "no rolling reload is under way"));
        }
        return results;
}

int api_reload(VarlinkCall *call, json_object *parameters, void *userdata) {
        _cleanup_selection_ Selection s = {};
        _cleanup_error_ KlError e = {};
        bool wait = true, ends = false;
        json_object *reply;
        int r;

        if ((r = json_get_bool(parameters, "wait", &wait, &e)) < 0 || (r = json_get_bool(parameters, "cancel", &ends, &e)) < 0 ||
            (r = params_selection(userdata, parameters, &s, &e)) < 0)
                return api_fail(call, &e, r);
        selection_leave_extra(&s);
        if (!ends) {
                r = begin(&s, &e);
                if (r < 0)
                        return api_fail(call, &e, r);
                return wait ? wait_begin(userdata, call, &s, WAIT_RELOADED, NULL) : varlink_reply(call, NULL);
        }
        reply = json_object_new_object();
        json_set(reply, "results", cancel(&s));
        return api_reply(call, reply);
}
