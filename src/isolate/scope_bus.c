/* The connection to systemd: owns its matches, its being made again, and what has to be asked anew after signals may have been lost.
 *
 * What must stay true: after the start nothing here waits; the matches are in place before systemd is asked anything whose end a signal
 * tells; a connection that breaks fails no start, it is made again and what was under way is looked up; a scope that somebody else ends is
 * noticed by its job, or by its absence from the list after a gap. */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "isolate/scope.h"

#define RETRY_MIN_USEC (50 * USEC_PER_MSEC)
#define RETRY_MAX_USEC (5 * USEC_PER_SEC)
#define DRAIN_MAX 64             /* messages, then others have their turn */

/* ---- what has come is taken in one turn of the loop ---- */

static int on_drain(sd_event_source *s, void *userdata) {
        ScopeIsolate *si = userdata;
        sd_bus *bus = si->bus;
        int r = 1;

        si->draining = true;
        for (unsigned n = 0; n < DRAIN_MAX && r > 0 && bus && si->bus == bus; n++)
                r = sd_bus_process(bus, NULL);
        si->draining = false;
        if (r > 0 && bus && si->bus == bus)
                (void) sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        return 0;
}

/* libsystemd takes one message a turn, and a turn costs more than most of what systemd has to tell. Where one is, others are. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        ScopeIsolate *si = userdata;

        if (!si->draining && si->drain)
                (void) sd_event_source_set_enabled(si->drain, SD_EVENT_ONESHOT);
        return 0;
}

/* ---- what waits is sent from the loop ---- */

static int on_pump(sd_event_source *s, void *userdata) {
        scope_queue_pump(userdata);
        return 0;
}

void scope_bus_pump(ScopeIsolate *si) {
        if (si->up && si->pump)
                (void) sd_event_source_set_enabled(si->pump, SD_EVENT_ONESHOT);
}

static void bus_connect(ScopeIsolate *si);

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata) {
        ScopeIsolate *si = userdata;

        if (si->bus)
                scope_bus_pump(si);
        else
                bus_connect(si);
        return 0;
}

static void retry_in(ScopeIsolate *si, usec_t delay) {
        if (!si->retry)
                return;
        (void) sd_event_source_set_time_relative(si->retry, delay);
        (void) sd_event_source_set_enabled(si->retry, SD_EVENT_ONESHOT);
}

void scope_bus_pump_later(ScopeIsolate *si) {
        if (si->bus)
                retry_in(si, RETRY_MIN_USEC);
}

void scope_bus_tell(ScopeIsolate *si, const char *method, const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        va_list ap;
        int r;

        if (!si->bus)
                return;
        r = sd_bus_message_new_method_call(si->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, method);
        if (r < 0)
                return;
        va_start(ap, types);
        r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, false);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_send(si->bus, m, NULL);
        if (r < 0)
                log_errno(LOG_DEBUG, r, "cannot call %s of systemd, ignoring", method);
}

/* ---- after a gap: the list of all our scopes ---- */

static void scope_listed(ScopeIsolate *si, const char *unit, const char *active, const char *job) {
        ScopeCell *c = map_get(si->cells, unit);

        if (!c || !c->asked)
                return;
        if (c->state == SCOPE_QUEUED) {
                c->asked = false;
                scope_job_check(c, true, streq(job, "/") ? "" : job);
        } else
                c->seen = streq(active, "active") || streq(active, "activating") || streq(active, "reloading");
}

/* One cell that was asked for and is not there as it should be. The owner may free any cell when it is told, so the search begins anew. */
static ScopeCell *next_absent(ScopeIsolate *si) {
        size_t i = 0;
        void *v;

        while (map_next(si->cells, &i, &v)) {
                ScopeCell *c = v;

                if (c->asked && !c->seen)
                        return c;
                c->asked = false;
        }
        return NULL;
}

static void handle_absent(ScopeIsolate *si) {
        for (ScopeCell *c; (c = next_absent(si));) {
                c->asked = false;
                if (c->state == SCOPE_QUEUED)
                        scope_job_check(c, false, "");
                else if (c->state == SCOPE_PLACED)
                        scope_stopped(c, "scope was stopped from outside while systemd could not be heard");
        }
}

static int on_list(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        ScopeIsolate *si = userdata;
        const char *unit, *active, *job;
        int r;

        si->list = sd_bus_slot_unref(si->list);
        if (sd_bus_message_is_method_error(m, NULL)) {
                log_debug("cannot list scopes, ignoring: %s", sd_bus_message_get_error(m)->message);
                return 0;
        }
        r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(ssssssouso)", &unit, NULL, NULL, &active, NULL, NULL, NULL, NULL, NULL, &job)) > 0)
                scope_listed(si, unit, active, job);
        if (r >= 0)
                handle_absent(si);
        return 0;
}

/* Asks for what there is now. Only cells whose scope should exist at this moment are judged by the answer. */
static void bus_resync(ScopeIsolate *si) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        size_t i = 0, n = 0;
        void *v;
        int r;

        while (map_next(si->cells, &i, &v)) {
                ScopeCell *c = v;

                c->asked = c->state == SCOPE_PLACED || c->state == SCOPE_QUEUED;
                c->seen = false;
                n += c->asked;
        }
        si->list = sd_bus_slot_unref(si->list);
        if (n == 0)
                return;
        r = sd_bus_message_new_method_call(si->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "ListUnitsByPatterns");
        if (r >= 0)
                r = sd_bus_message_append(m, "asas", 0, 1, "kingly-*.scope");
        if (r >= 0)
                r = sd_bus_call_async(si->bus, &si->list, m, on_list, si, USEC_INFINITY);
        if (r < 0)
                log_errno(LOG_DEBUG, r, "cannot list scopes, ignoring");
}

static void bus_up(ScopeIsolate *si) {
        si->up = true;
        si->attempt = 0;
        bus_resync(si);
        scope_bus_pump(si);
}

/* ---- what systemd and the bus say unasked ---- */

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        ScopeIsolate *si = userdata;
        const char *job, *unit, *result;
        ScopeCell *c;

        if (sd_bus_message_read(m, "uoss", NULL, &job, &unit, &result) < 0)
                return 0;
        c = map_get(si->cells, unit);
        if (c)
                scope_job_removed(c, job, result);
        return 0;
}

/* A scope that is up gets no job but to be stopped, and never one of ours. */
static int on_job_new(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        ScopeIsolate *si = userdata;
        const char *unit;
        ScopeCell *c;

        if (sd_bus_message_read(m, "uos", NULL, NULL, &unit) < 0)
                return 0;
        c = map_get(si->cells, unit);
        if (c && c->state == SCOPE_PLACED)
                scope_stopped(c, NULL);
        return 0;
}

static int on_reloading(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        ScopeIsolate *si = userdata;
        int begins;

        if (sd_bus_message_read(m, "b", &begins) < 0 || begins)
                return 0;
        scope_bus_tell(si, "Subscribe", "");
        bus_up(si);
        return 0;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        ScopeIsolate *si = userdata;
        const char *owner;

        if (sd_bus_message_read(m, "sss", NULL, NULL, &owner) < 0)
                return 0;
        si->up = false;
        if (*owner == '\0')
                return 0;
        scope_bus_tell(si, "Subscribe", "");
        bus_up(si);
        return 0;
}

static void bus_drop(ScopeIsolate *si) {
        si->up = false;
        si->list = sd_bus_slot_unref(si->list);
        if (!si->bus)
                return;
        (void) sd_bus_detach_event(si->bus);
        si->bus = sd_bus_close_unref(si->bus);
}

static void bus_lost(ScopeIsolate *si) {
        usec_t delay = RETRY_MIN_USEC << MIN(si->attempt, 10u);

        bus_drop(si);
        si->attempt++;
        retry_in(si, MIN(delay, RETRY_MAX_USEC));
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        log_debug("the %s went away, connecting again", scope_connection_name(userdata));
        bus_lost(userdata);
        return 0;
}

/* ---- connecting ---- */

static const struct {
        const char *sender, *path, *interface, *member;
        sd_bus_message_handler_t handler;
} matches[] = {
        { SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobNew", on_job_new },
        { SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobRemoved", on_job_removed },
        { SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "Reloading", on_reloading },
        { "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected", on_disconnected },
};
static const char owner_match[] = "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
        "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" SYSTEMD_NAME "'";

/* A match that is refused ends the connection, which is then made again. At systemd's own socket there is one sender, without a name. */
static int add_matches(ScopeIsolate *si) {
        int r;

        for (size_t k = 0; k < ARRAY_SIZE(matches); k++) {
                const char *sender = si->direct ? NULL : matches[k].sender;

                r = sd_bus_match_signal_async(si->bus, NULL, sender, matches[k].path, matches[k].interface, matches[k].member,
                                              matches[k].handler, NULL, si);
                if (r < 0)
                        return r;
        }
        return si->direct ? 0 : sd_bus_add_match_async(si->bus, NULL, owner_match, on_owner_changed, NULL, si);
}

static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const sd_bus_error *e = sd_bus_message_get_error(m);

        /* Without systemd on the bus there is nobody to hear from: its arrival brings the rest. At its own socket, which tells all of them
         * everything, the answer only says that it is there. */
        if (e)
                log_debug("cannot subscribe to systemd's signals yet: %s", e->message ?: e->name);
        else
                bus_up(userdata);
        return 0;
}

static int bus_attach(ScopeIsolate *si) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = add_matches(si);
        if (r >= 0)
                r = sd_bus_add_filter(si->bus, NULL, on_message, si);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_call(si->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_call_async(si->bus, NULL, m, on_subscribed, si, USEC_INFINITY);
        if (r < 0)
                return r;
        return sd_bus_attach_event(si->bus, si->isolate.options.event, SD_EVENT_PRIORITY_NORMAL);
}

static void bus_connect(ScopeIsolate *si) {
        int r;

        r = scope_connect(si);
        if (r >= 0)
                r = bus_attach(si);
        if (r < 0) {
                log_errno(LOG_DEBUG, r, "cannot connect to the %s, trying again", scope_connection_name(si));
                bus_lost(si);
        }
}

/* ---- start and end ---- */

static int add_sources(ScopeIsolate *si) {
        sd_event *event = si->isolate.options.event;
        int r;

        r = sd_event_add_defer(event, &si->pump, on_pump, si);
        if (r >= 0)
                r = sd_event_source_set_enabled(si->pump, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &si->drain, on_drain, si);
        if (r >= 0)
                r = sd_event_source_set_enabled(si->drain, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &si->retry, CLOCK_MONOTONIC, 0, 0, on_retry, si);
        if (r >= 0)
                r = sd_event_source_set_enabled(si->retry, SD_EVENT_OFF);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(si->pump, "scope-pump");
        (void) sd_event_source_set_description(si->drain, "scope-drain");
        (void) sd_event_source_set_description(si->retry, "scope-retry");
        return 0;
}

int scope_bus_listen(ScopeIsolate *si) {
        int r;

        r = add_sources(si);
        return r < 0 ? r : bus_attach(si);
}

static int connect_and_probe(ScopeIsolate *si, KlError *reterr) {
        int r;

        r = scope_connect(si);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot connect to the %s: %s", scope_connection_name(si), strerror(-r));
        (void) sd_bus_set_method_call_timeout(si->bus, SCOPE_SYNC_USEC);
        return scope_probe(si, reterr);
}

int scope_bus_start(ScopeIsolate *si, KlError *reterr) {
        _cleanup_error_ KlError e = {};
        int r;

        r = connect_and_probe(si, &e);
        if (r < 0 && si->direct) {
                log_debug("%s; taking the bus", e.message ?: strerror(-r));
                bus_drop(si);
                si->direct = false;
                si->bus_only = true;
                r = connect_and_probe(si, &e);
        }
        if (r < 0)
                return kl_error_set(reterr, r, e.id ?: KL_E_FAILED, "%s", e.message ?: strerror(-r));
        r = scope_bus_listen(si);
        return r < 0 ? kl_error_set(reterr, r, KL_E_FAILED, "cannot listen on the %s: %s", scope_connection_name(si), strerror(-r)) : 0;
}

void scope_bus_stop(ScopeIsolate *si) {
        si->pump = sd_event_source_disable_unref(si->pump);
        si->drain = sd_event_source_disable_unref(si->drain);
        si->retry = sd_event_source_disable_unref(si->retry);
        bus_drop(si);
}
