/* The shell around model/lifecycle. Must stay true: only instance_feed() calls lifecycle_step(); an action that answers at once puts its
 * answer into the loop below instead of calling back in; nothing is freed from here (manager->pump collects). */
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/text.h"
#include "manager/balance.h"
#include "manager/books.h"
#include "manager/cluster.h"
#include "manager/collector.h"
#include "manager/control.h"
#include "manager/credentials.h"
#include "manager/dependents.h"
#include "manager/events.h"
#include "manager/fd_store.h"
#include "manager/hooks.h"
#include "manager/input.h"
#include "manager/instance.h"
#include "manager/journal_events.h"
#include "manager/link.h"
#include "manager/memory.h"
#include "manager/notify.h"
#include "manager/probes.h"
#include "manager/ready_log.h"
#include "manager/number.h"
#include "manager/said.h"
#include "manager/schedule.h"
#include "manager/rolling.h"
#include "manager/service.h"
#include "manager/shutdown.h"
#include "manager/sockets.h"
#include "manager/spawn.h"
#include "manager/wait.h"
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

static void untrack(Instance *i) {
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
        untrack(i);
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

int instance_track(Instance *i) {
        Manager *m = i->service->manager;

        return map_put(m->runs, &i->run, i);
}

/* ---- timers ---- */

#define PLACING_USEC (60 * USEC_PER_SEC)

#define WATCHDOG_PAUSE (200 * USEC_PER_MSEC)

static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata);
static void arm(Instance *i, sd_event_source **source, usec_t at, sd_event_time_handler_t handler);

static int on_watchdog(sd_event_source *s, uint64_t usec, void *userdata) {
        Instance *i = userdata;

        /* Its sign of life may be among what we do not listen to just now. */
        if (i->service->manager->notify.pause) {
                arm(i, &i->watchdog, usec_add(now_usec(CLOCK_MONOTONIC), WATCHDOG_PAUSE), on_watchdog);
                return 0;
        }
        event_emit(i->service->manager, i, NULL, EVENT_WATCHDOG, "no sign of life for %" PRIu64 " ms: SIGABRT",
                   (uint64_t) (i->watchdog_interval / USEC_PER_MSEC));
        instance_event(i, EV_WATCHDOG);
        return 0;
}

static void arm(Instance *i, sd_event_source **source, usec_t at, sd_event_time_handler_t handler) {
        sd_event *event = i->service->manager->event;
        int r;

        if (at == USEC_INFINITY) {
                *source = sd_event_source_disable_unref(*source);
                return;
        }
        if (*source) {
                r = sd_event_source_set_time(*source, at);
                if (r >= 0)
                        r = sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
        } else {
                r = sd_event_add_time(event, source, CLOCK_MONOTONIC, at, USEC_PER_MSEC, handler, i);
                if (r >= 0)
                        r = sd_event_source_set_priority(*source, PRIORITY_TIMER);
        }
        if (r < 0)
                manager_problem(i->service->manager, "cannot arm a timer for %s: %s", i->service->key, strerror(-r));
}

static void start_over(Instance *i) {
        i->lc.deadline = usec_add(now_usec(CLOCK_MONOTONIC), PLACING_USEC);
        arm(i, &i->deadline, i->lc.deadline, on_deadline);
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata) {
        Instance *i = userdata;

        /* Who waits for its turn is not late: its time begins when it is let go (start_one). */
        if (i->queued)
                start_over(i);
        else {
                if (i->lc.state == LC_STARTING && i->service->spec->ready_late == READY_LATE_PASS)
                        instance_set_status(i, "did not say that it is ready in time; counts as ready");
                instance_event(i, EV_DEADLINE);
        }
        return 0;
}

static void arm_watchdog(Instance *i) {
        bool on = i->watchdog_interval > 0 && (i->lc.state == LC_RUNNING || i->lc.state == LC_RELOADING);

        arm(i, &i->watchdog, on ? usec_add(now_usec(CLOCK_MONOTONIC), i->watchdog_interval) : USEC_INFINITY, on_watchdog);
}

void instance_ping(Instance *i) {
        if (i->watchdog)
                arm_watchdog(i);
}

void instance_set_watchdog(Instance *i, usec_t interval) {
        i->watchdog_interval = interval;
        arm_watchdog(i);
        books_mark_instance(i);
}

void instance_watchdog_triggered(Instance *i) {
        event_emit(i->service->manager, i, NULL, EVENT_WATCHDOG, "asked for by the service itself: SIGABRT");
        instance_event(i, EV_WATCHDOG);
}

void instance_extend(Instance *i, usec_t by) {
        usec_t now = now_usec(CLOCK_MONOTONIC), due;

        instance_feed(i, &(LcInput) { .event = EV_EXTEND, .until = usec_add(now, by) });
        if (i->watchdog && sd_event_source_get_time(i->watchdog, &due) >= 0)
                arm(i, &i->watchdog, notify_extended(due, now, by), on_watchdog);
}

/* ---- actions, in the order of their bits ---- */

static int signal_main(Instance *i, int sig, int target) {
        if (i->child)
                return link_signal(i->service->manager->link, i->run, sig, target);
        if (target == WIRE_TO_GROUP && i->main.pid > 1)
                return kill(-i->main.pid, sig) < 0 ? -errno : 0;
        return pidref_signal(&i->main, sig);
}

int instance_signal(Instance *i, int sig, StopScope scope) {
        if (!i->lc.main_alive || scope == STOP_ALL) {
                int r = i->cell ? cell_signal(i->cell, sig) : 0;

                /* Out of descriptors or memory for all of them, the one who would tell the others hears of it: its keeper needs neither. */
                return r < 0 && i->lc.main_alive ? signal_main(i, sig, WIRE_TO_MAIN) : r;
        }
        return signal_main(i, sig, scope == STOP_GROUP ? WIRE_TO_GROUP : WIRE_TO_MAIN);
}

/* SIGCONT follows, so that a stopped process gets to see its signal. */
static void act_signal_stop(Instance *i, LcInput *next) {
        const ServiceSpec *s = i->service->spec;

        if (collector_end_input(i) || balance_link_leave(i))
                return;
        (void) instance_signal(i, s->stop.signal, s->stop.scope);
        (void) instance_signal(i, SIGCONT, s->stop.scope);
}

static void act_signal_abort(Instance *i, LcInput *next) {
        (void) signal_main(i, SIGABRT, WIRE_TO_MAIN);
        (void) signal_main(i, SIGCONT, WIRE_TO_MAIN);
}

static void dequeue(Instance *i) {
        Manager *m = i->service->manager;

        for (size_t k = m->queue_head; k < m->queue_size; k++)
                if (m->queue[k] == i)
                        m->queue[k] = NULL;
        i->queued = false;
}

static void act_kill(Instance *i, LcInput *next) {
        if (i->queued) {
                dequeue(i);
                *next = (LcInput) { .event = EV_SPAWN_FAILED };
                return;
        }
        if (i->lc.main_alive)
                (void) signal_main(i, SIGKILL, WIRE_TO_MAIN);
        if (i->cell)
                (void) cell_kill(i->cell);
}

static void act_check_empty(Instance *i, LcInput *next) {
        int r;

        if (i->lc.main_alive)
                return;
        r = i->cell ? cell_populated(i->cell) : 0;
        if (r == 0 || r == -ENOENT) {
                *next = (LcInput) { .event = EV_EMPTY };
                return;
        }
        /* Where it cannot be known or watched, the deadline of the stop kills and asks again: a second life beside the first would be
         * worse. */
        *next = (LcInput) { .event = EV_REMAINS };
        if (r > 0)
                r = cell_watch_empty(i->cell);
        if (r < 0)
                log_errno(LOG_WARNING, r, "%s: cannot watch what is left of it", i->service->key);
}

static void act_clean(Instance *i, LcInput *next) {
        Manager *m = i->service->manager;

        untrack(i);
        balance_link_over(i);
        backs_close(i);
        cluster_over(i);
        input_close(i);
        journal_unlabel(i);
        credentials_run_over(i);
        i->adopted = sd_event_source_disable_unref(i->adopted);
        if (i->child && i->run)
                (void) books_ack(m, i->run);
        pidref_done(&i->main);
        i->main = PIDREF_NULL;
        i->child = false;
        i->run = 0;
        if (i->cell)
                books_bury(m, TAKE_PTR(i->cell));
        books_mark_instance(i);
}

static void act_check_deps(Instance *i, LcInput *next) {
        char why[400];
        int met = service_dependencies_met(i->service, why, sizeof why);

        if (met != 0)
                *next = (LcInput) { .event = met > 0 ? EV_DEPS_MET : EV_DEPS_FAILED };
        if (met <= 0)
                instance_set_status(i, "%s", why);
        else if (i->status)
                instance_set_status(i, NULL);
}

static void act_await_demand(Instance *i, LcInput *next) {
        _cleanup_error_ KlError e = {};
        bool permanent;
        int r = sockets_await(i, &e);

        if (r >= 0) {
                instance_set_status(i, "starts when somebody connects to %s", i->service->spec->sockets.items[0].listen);
                return;
        }
        permanent = !spawn_transient(r);
        instance_set_status(i, "%s", e.message ?: strerror(-r));
        i->hint = TAKE_PTR(e.hint);
        *next = (LcInput) { .event = EV_SPAWN_FAILED, .reason = REASON_SPAWN, .permanent = permanent };
}

static void act_spawn(Instance *i, LcInput *next) {
        Manager *m = i->service->manager;

        if (m->queue_size == m->queue_allocated && m->queue_head > m->queue_size / 2) {
                m->queue_size -= m->queue_head;
                memmove(m->queue, m->queue + m->queue_head, m->queue_size * sizeof(Instance *));
                m->queue_head = 0;
        }
        if (m->queue_size == m->queue_allocated) {
                size_t n = MAX(m->queue_allocated * 2, 64u);
                Instance **q = reallocarray(m->queue, n, sizeof(Instance *));
                if (!q) {
                        *next = (LcInput) { .event = EV_SPAWN_FAILED, .reason = REASON_SPAWN };
                        return;
                }
                m->queue = q;
                m->queue_allocated = n;
        }
        m->queue[m->queue_size++] = i;
        i->queued = true;
        (void) sd_event_source_set_enabled(m->pump, SD_EVENT_ONESHOT);
}

static void act_arm_watchdog(Instance *i, LcInput *next) {
        arm_watchdog(i);
}

static void act_disarm_watchdog(Instance *i, LcInput *next) {
        i->watchdog = sd_event_source_disable_unref(i->watchdog);
}

/* What a shell would say; 1 for what never executed. */
static int essential_status(const Lifecycle *l) {
        if (!l->exit_known)
                return EXIT_FAILURE;
        return l->exit.signal ? 128 + l->exit.signal : l->exit.code;
}

bool instance_down(const Instance *i) {
        return !lifecycle_alive(&i->lc) && !i->lc.hooks && (i->lc.state == LC_STOPPED || i->lc.state == LC_EXITED || i->lc.state == LC_FAILED);
}

static void act_changed(Instance *i, LcInput *next) {
        Manager *m = i->service->manager;
        const char *state = instance_public_state(i);

        credentials_attend(i);
        if (state != i->public_state) {
                i->public_state = state;
                i->since_realtime = now_usec(CLOCK_REALTIME);
        }
        if (i->service->spec->essential && (i->lc.state == LC_EXITED || i->lc.state == LC_FAILED))
                shutdown_begin(m, essential_status(&i->lc), NULL);
        memory_attend(i);
        sockets_attend(i);
        cluster_attend(i);
        fd_store_attend(i);
        balance_attend(i->service);
        rolling_attend(i);
        probes_update(i);
        wait_changed(i);
        service_tell_dependents(i->service);
        if (i->removing || i->service->deleting || m->shutdown == SHUTDOWN_STOP_ALL || m->stops_deferred ||
            schedule_pending(i->service) > 0)
                (void) sd_event_source_set_enabled(m->pump, SD_EVENT_ONESHOT);
}

static void act_signal_reload(Instance *i, LcInput *next) {
        event_emit(i->service->manager, i, NULL, EVENT_SIGNALLED, "%s sent to reload", signal_name(i->service->spec->reload.signal));
        (void) signal_main(i, i->service->spec->reload.signal, WIRE_TO_MAIN);
}

static const struct { LcAction bit; void (*perform)(Instance *i, LcInput *next); } actions[] = {
        { ACT_SIGNAL_STOP, act_signal_stop },   { ACT_SIGNAL_ABORT, act_signal_abort }, { ACT_KILL, act_kill },
        { ACT_CHECK_EMPTY, act_check_empty },   { ACT_CLEAN, act_clean },               { ACT_CHECK_DEPS, act_check_deps },
        { ACT_AWAIT_DEMAND, act_await_demand },
        { ACT_SPAWN, act_spawn },               { ACT_ARM_WATCHDOG, act_arm_watchdog }, { ACT_DISARM_WATCHDOG, act_disarm_watchdog },
        { ACT_CHANGED, act_changed },           { ACT_SIGNAL_RELOAD, act_signal_reload }, { ACT_HOOKS, hooks_reconcile },
};

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
                                arm_watchdog(i);
                }
                for (size_t k = 0; k < ARRAY_SIZE(actions); k++)
                        if (todo & actions[k].bit)
                                actions[k].perform(i, &next);
                arm(i, &i->deadline, i->lc.deadline, on_deadline);
                if (from == LC_PLACING && i->lc.state != LC_PLACING && i->in_flight) {
                        i->in_flight = false;
                        i->service->manager->in_flight--;
                        (void) sd_event_source_set_enabled(i->service->manager->pump, SD_EVENT_ONESHOT);
                }
        }
}

void instance_resume(Instance *i) {
        LcInput next = { .event = _LC_EVENT_MAX };

        arm(i, &i->deadline, i->lc.deadline, on_deadline);
        arm_watchdog(i);
        probes_update(i);
        ready_log_update(i);
        if (i->lc.rest_alive && !i->lc.main_alive)
                act_check_empty(i, &next);
        if (i->lc.state == LC_WAIT_DEMAND)
                act_await_demand(i, &next);
        if (next.event != _LC_EVENT_MAX)
                instance_feed(i, &next);
}

void instance_resume_hooks(Instance *i) {
        hooks_resume(i);
        arm(i, &i->deadline, i->lc.deadline, on_deadline);
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
        act_check_deps(i, &next);
        if (next.event != _LC_EVENT_MAX)
                instance_feed(i, &next);
        return true;
}

/* ---- the start queue ---- */

/* The first of the queue. False when it must stay there: the keeper's socket is full. */
static bool start_one(Manager *m) {
        _cleanup_error_ KlError e = {};
        Instance *i = m->queue[m->queue_head];
        bool permanent = false;
        int r = i ? spawn_send(i, &permanent, &e) : 0;

        if (r == -EAGAIN)
                return false;
        m->queue_head++;
        if (!i)
                return true;
        i->queued = false;
        if (r >= 0) {
                i->in_flight = true;
                m->in_flight++;
                i->child = true;
                start_over(i);
                if (i->status)
                        instance_set_status(i, NULL);
                return true;
        }
        instance_set_status(i, "%s", e.message ?: strerror(-r));
        i->hint = TAKE_PTR(e.hint);
        instance_feed(i, &(LcInput) { .event = EV_SPAWN_FAILED, .reason = REASON_SPAWN, .permanent = permanent });
        return true;
}

/* Those that the window lets begin get their run and their place, and the books say so before the keeper hears of it: whatever the keeper
 * has, the next manager knows whose it is. What cannot be prepared fails when its turn comes. */
static void prepare_starts(Manager *m, unsigned window) {
        bool fresh = false;

        for (size_t k = m->queue_head, n = m->in_flight; k < m->queue_size && n < window; k++) {
                Instance *i = m->queue[k];

                if (!i)
                        continue;
                n++;
                if (i->cell || spawn_prepare(i, NULL) < 0)
                        continue;
                books_mark_instance(i);
                fresh = true;
        }
        if (fresh)
                books_write_starts(m);
}

void instance_pump(Manager *m) {
        unsigned window = isolate_window(m->isolate);

        prepare_starts(m, window);
        while (m->queue_head < m->queue_size && m->in_flight < window)
                if (!start_one(m))
                        return;          /* the link calls again */
        if (m->queue_head == m->queue_size)
                m->queue_head = m->queue_size = 0;
}
