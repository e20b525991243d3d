/* What model/lifecycle asks for, one function for each bit, in the order of the bits. Must stay true: an action that answers at once puts its answer into *next
 * instead of calling back in. */
#include "base/log.h"
#include "manager/api/input.h"
#include "manager/api/wait.h"
#include "manager/balance/balance.h"
#include "manager/balance/cluster.h"
#include "manager/books/books.h"
#include "manager/events.h"
#include "manager/health/probes.h"
#include "manager/journal_events.h"
#include "manager/life/hooks.h"
#include "manager/life/instance.h"
#include "manager/life/instance_private.h"
#include "manager/life/rolling.h"
#include "manager/life/service.h"
#include "manager/life/start_queue.h"
#include "manager/link.h"
#include "manager/logs/collector.h"
#include "manager/memory.h"
#include "manager/notify/fd_store.h"
#include "manager/shutdown.h"
#include "manager/sockets/sockets.h"
#include "manager/spawn/credentials.h"
#include "manager/spawn/spawn.h"
#include "manager/triggers/schedule.h"

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

static void act_kill(Instance *i, LcInput *next) {
        if (i->queued) {
                start_queue_drop(i);
                *next = (LcInput) { .event = EV_SPAWN_FAILED };
                return;
        }
        if (i->lc.main_alive)
                (void) signal_main(i, SIGKILL, WIRE_TO_MAIN);
        if (i->cell)
                (void) cell_kill(i->cell);
}

void instance_check_empty(Instance *i, LcInput *next) {
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

        instance_untrack(i);
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

void instance_check_deps(Instance *i, LcInput *next) {
        char why[400];
        int met = service_dependencies_met(i->service, why, sizeof why);

        if (met != 0)
                *next = (LcInput) { .event = met > 0 ? EV_DEPS_MET : EV_DEPS_FAILED };
        if (met <= 0)
                instance_set_status(i, "%s", why);
        else if (i->status)
                instance_set_status(i, NULL);
}

void instance_await_demand(Instance *i, LcInput *next) {
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
        if (start_queue_add(i) < 0)
                *next = (LcInput) { .event = EV_SPAWN_FAILED, .reason = REASON_SPAWN };
}

static void act_arm_watchdog(Instance *i, LcInput *next) {
        instance_arm_watchdog(i);
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
        { ACT_SIGNAL_STOP, act_signal_stop },
        { ACT_SIGNAL_ABORT, act_signal_abort },
        { ACT_KILL, act_kill },
        { ACT_CHECK_EMPTY, instance_check_empty },
        { ACT_CLEAN, act_clean },
        { ACT_CHECK_DEPS, instance_check_deps },
        { ACT_AWAIT_DEMAND, instance_await_demand },
        { ACT_SPAWN, act_spawn },
        { ACT_ARM_WATCHDOG, act_arm_watchdog },
        { ACT_DISARM_WATCHDOG, act_disarm_watchdog },
        { ACT_CHANGED, act_changed },
        { ACT_SIGNAL_RELOAD, act_signal_reload },
        { ACT_HOOKS, hooks_reconcile },
};

void instance_perform(Instance *i, unsigned todo, LcInput *next) {
        for (size_t k = 0; k < ARRAY_SIZE(actions); k++)
                if (todo & actions[k].bit)
                        actions[k].perform(i, next);
}
