/* New limits for scopes that live: SetUnitProperties, from the window like a start, and again after a connection that broke under it.
 *
 * What must stay true: the last specification wins, whenever it came; a scope that is still being started gets it once it is placed. */
#include "base/log.h"
#include "isolate/scope.h"

bool scope_fault_of_the_moment(const sd_bus_error *e) {
        static const char *const names[] = {
                SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_DISCONNECTED, SD_BUS_ERROR_TIMEOUT, SD_BUS_ERROR_LIMITS_EXCEEDED,
                SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
        };

        for (size_t k = 0; k < ARRAY_SIZE(names); k++)
                if (sd_bus_error_has_name(e, names[k]))
                        return true;
        return false;
}

static void unlimited(ScopeCell *c, int error, const char *why) {
        const IsolateEvents *e = &c->cell.isolate->options.events;

        log_debug("cannot change the limits of %s: %s", c->cell.where, why);
        if (e->unlimited)
                e->unlimited(e->userdata, &c->cell, error, why);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const sd_bus_error *e = sd_bus_message_get_error(m);
        ScopeCell *c = userdata;

        scope_call_done(c);
        if (e && scope_fault_of_the_moment(e)) {
                scope_queue_add(c);
                scope_bus_pump_later(SCOPE_ISOLATE(c));
                return 0;
        }
        if (c->changed || (e && scope_properties_refused(e) && scope_properties_drop(SCOPE_ISOLATE(c), e) > 0)) {
                scope_queue_add(c);
                return 0;
        }
        if (!c->queued)
                c->spec = spec_free(c->spec);
        if (e)
                unlimited(c, -sd_bus_error_get_errno(e), e->message ?: e->name);
        return 0;
}

int scope_live_send(ScopeCell *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_error_ KlError e = {};
        int r;

        if (c->call) { /* one at a time: the answer brings the cell back here */
                c->changed = true;
                return 0;
        }
        c->changed = false;
        /* With its last process the unit goes, and then its name may be another's. */
        if (cgroup_cell_populated(&c->cell) == 0) {
                c->spec = spec_free(c->spec);
                return 0;
        }
        r = sd_bus_message_new_method_call(SCOPE_ISOLATE(c)->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "SetUnitProperties");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_append(m, "sb", c->cell.where, true);
        if (r >= 0)
                r = scope_properties_append(c, c->spec, PROPERTY_LIVE, m, &e);
        if (r >= 0)
                r = scope_call(c, m, on_answer);
        if (r < 0 && r != -ENOTCONN) {
                c->spec = spec_free(c->spec);
                unlimited(c, r, e.message ?: strerror(-r));
        }
        return r;
}

int scope_live_apply(ScopeCell *c, const ServiceSpec *spec) {
        ServiceSpec *copy;
        int r;

        if (c->state == SCOPE_FAILED)
                return 0;
        r = spec_copy(spec, &copy);
        if (r < 0)
                return r;
        spec_free(c->spec);
        c->spec = copy;
        if (c->state == SCOPE_PLACED)
                scope_queue_add(c);
        else if (c->state == SCOPE_CALLED || c->state == SCOPE_QUEUED)
                c->changed = true;
        return 0;
}
