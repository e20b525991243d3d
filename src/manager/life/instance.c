/* The shell around model/lifecycle. Must stay true: only instance_feed() calls lifecycle_step(); an action (instance_actions.c)
 * that answers at once puts its answer into the loop below instead of calling back in; nothing is freed from here (manager->pump collects). */
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/log.h"
#include "manager/api/wait.h"
#include "manager/balance/balance.h"
#include "manager/balance/cluster.h"
#include "manager/books/books.h"
#include "manager/events.h"
#include "manager/health/probes.h"
#include "manager/health/ready_log.h"
#include "manager/life/control.h"
#include "manager/life/dependents.h"
#include "manager/life/hooks.h"
#include "manager/life/instance.h"
#include "manager/life/instance_private.h"
#include "manager/life/number.h"
#include "manager/life/rolling.h"
#include "manager/life/service.h"
#include "manager/logs/collector.h"
#include "manager/notify/said.h"
#include "manager/triggers/schedule.h"
#include "model/redact.h"

int instance_new(Service *s, unsigned index, Instance **ret) {
        Instance *i = malloc(sizeof(Instance));

        if (!i)
                return -ENOMEM;
        *i = (Instance) { .service = s, .index = index, .place = index, .main = PIDREF_NULL, .input = { -EBADF, -EBADF },
                           .since_realtime = now_usec(CLOCK_REALTIME) };
        lifecycle_init(&i->lc);
        i->public_state = lifecycle_public_state(i->lc.state);
        number_give(i);
        *ret = i;
        return 0;
}

void instance_untrack(Instance *i) {
        Manager *m = i->service->manager;

        if (i->run && map_get(m->runs, &i->run) == i)
                map_remove(m->runs, &i->run);
        if (i->pid_key && map_get(m->pids, &i->pid_key) == i)
                map_remove(m->pids, &i->pid_key);
        i->pid_key = 0;
}

Instance *instance_free(Instance *i) {
        if (!i)
                return NULL;
        wait_freed(i);
        hooks_free(i);
        probes_free(i);
        ready_log_free(i);
        control_cancel_all(i);
        instance_untrack(i);
        sd_event_source_disable_unref(i->deadline);
        sd_event_source_disable_unref(i->watchdog);
        sd_event_source_disable_unref(i->adopted);
        pidref_done(&i->main);
        collector_free(i);
        i->balance = balance_link_free(i->balance);
        backs_free(i);
        cluster_channel_free(i->channel);
        cell_free(i->cell);
        free(i->status);
        free(i->hint);
        said_free(i);
        free(i->held);
        free(i->fd_refused);
        free(i->sample);
        free(i->last);
        free(i->drops);
        free(i);
        return NULL;
}

const char *instance_label(const Instance *i, char buf[300]) {
        const ServiceSpec *s = i->service->spec;

        if (service_count(i->service) > 1)
                snprintf(buf, 300, "%s:%u", s->name, i->index);
        else
                snprintf(buf, 300, "%s", s->name);
        return buf;
}

void instance_set_status(Instance *i, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        Redactor r;
        va_list ap;

        free(i->status);
        i->status = NULL;
        free(i->hint);
        i->hint = NULL;
        if (!format)
                return;
        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        redactor_init(&r, i->service->spec);
        i->status = text ? redact_text(&r, text) : NULL;
}

/* What has a schedule waits for it where others would only rest. */
const char *instance_public_state(const Instance *i) {
        bool rests = i->lc.state == LC_EXITED || (i->lc.state == LC_STOPPED && i->service->spec->type == SERVICE_ONESHOT);

        return lifecycle_public_state(rests && !i->removing && schedule_waits(i->service) ? LC_WAIT_DEPS : i->lc.state);
}

bool instance_down(const Instance *i) {
        return !lifecycle_alive(&i->lc) && !i->lc.hooks && (i->lc.state == LC_STOPPED || i->lc.state == LC_EXITED || i->lc.state == LC_FAILED);
}

bool instance_due(const Instance *i) {
        const Service *s = i->service;

        return s->manager->loading && s->wanted && !schedule_holds(s) && i->lc.state == LC_STOPPED && !i->rested && !i->removing;
}

int instance_track(Instance *i) {
        Manager *m = i->service->manager;

        return map_put(m->runs, &i->run, i);
}

/* For jitter only (splitmix64). */
static uint32_t random32(void) {
        static uint64_t state;
        uint64_t z;

        if (state == 0)
                (void) getrandom(&state, sizeof state, GRND_NONBLOCK);
        z = (state += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        return (uint32_t) ((z ^ (z >> 27)) >> 16);
}

void instance_feed(Instance *i, const LcInput *in) {
        LcInput next = *in;

        while (next.event != _LC_EVENT_MAX) {
                LcState from = i->lc.state;
                usec_t deadline = i->lc.deadline;
                unsigned todo = lifecycle_step(&i->lc, i->service->spec, &next, now_usec(CLOCK_MONOTONIC), random32());

                log_debug("%s[%u]: %s in %s: now %s, actions %#x", i->service->key, i->index, lifecycle_event_name(next.event),
                          lifecycle_state_name(from), lifecycle_state_name(i->lc.state), todo);
                next.event = _LC_EVENT_MAX;
                if (from != LC_STOPPING && i->lc.state == LC_STOPPING)
                        rolling_drain(i);
                if (todo || deadline != i->lc.deadline)
                        books_mark_instance(i);
                if (from != i->lc.state) {
                        event_transition(i, from, i->lc.state);
                        /* Before it is asked whether anything lives: a probe's command is not what was meant. */
                        probes_update(i);
                        ready_log_update(i);
                        follow_transition(i, from);
                        /* One that the service itself asked for: the spec may know of none. */
                        if (i->lc.state == LC_RUNNING && !i->watchdog)
                                instance_arm_watchdog(i);
                }
                instance_perform(i, todo, &next);
                instance_arm_deadline(i);
                if (from == LC_PLACING && i->lc.state != LC_PLACING && i->in_flight) {
                        i->in_flight = false;
                        i->service->manager->in_flight--;
                        (void) sd_event_source_set_enabled(i->service->manager->pump, SD_EVENT_ONESHOT);
                }
        }
}

void instance_resume(Instance *i) {
        LcInput next = { .event = _LC_EVENT_MAX };

        instance_arm_deadline(i);
        instance_arm_watchdog(i);
        probes_update(i);
        ready_log_resume(i);
        if (i->lc.rest_alive && !i->lc.main_alive)
                instance_check_empty(i, &next);
        if (i->lc.state == LC_WAIT_DEMAND)
                instance_await_demand(i, &next);
        if (next.event != _LC_EVENT_MAX)
                instance_feed(i, &next);
}

void instance_resume_hooks(Instance *i) {
        hooks_resume(i);
        instance_arm_deadline(i);
}

void instance_order(Instance *i, LcEvent e) {
        if (i->stop_deferred || i->restart_due)
                books_mark_instance(i);
        i->stop_deferred = i->restart_due = i->restart_deferred = false;
        instance_event(i, e);
}

bool instance_deps_recheck(Instance *i) {
        LcInput next = { .event = _LC_EVENT_MAX };

        if (i->lc.state != LC_WAIT_DEPS)
                return false;
        instance_check_deps(i, &next);
        if (next.event != _LC_EVENT_MAX)
                instance_feed(i, &next);
        return true;
}
