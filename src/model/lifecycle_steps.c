/* What a life does on each event until its end begins (lifecycle_end.c). What must stay true, besides the invariants in lifecycle.h:
 *   wanted  ACT_SPAWN comes out of lc_place() only, and lc_place() is reached only when the instance is wanted
 *   failing says why a run is being ended by us; it, not the exit that follows, is then the reason of the end */
#include "model/lifecycle_steps.h"

#define PLACING_TIMEOUT (60 * USEC_PER_SEC)   /* a cgroup, a scope and an execve(2): far above what a loaded machine needs */

/* ---- parts ---- */

unsigned lc_enter(const Step *s, LcState state, usec_t deadline) {
        HookKind awaited = lifecycle_awaits(s->l->state);

        if (awaited != _HOOK_MAX)
                lc_hook_end(s->l, awaited);
        lc_hook_end(s->l, HOOK_DRAIN);
        if (s->l->state == LC_RELOADING)
                lc_hook_end(s->l, HOOK_RELOAD);
        if (state == LC_FAILED)
                (void) lc_hook(s, HOOK_ON_FAILURE);
        if (!streq(lifecycle_public_state(s->l->state), lifecycle_public_state(state)))
                s->l->since = s->now;
        s->l->state = state;
        s->l->deadline = deadline;
        return ACT_CHANGED;
}

bool lc_ordered(const Lifecycle *l) {
        return !l->wanted || l->restart_pending;
}

void lc_forget_counters(Lifecycle *l) {
        l->attempts = l->restarts = l->oversized = 0;
        l->ready_once = false;
}

void lc_forget_end(Lifecycle *l) {
        l->reason = REASON_NONE;
        l->exit = (LcExit) { .code = -1 };
        l->exit_known = false;
}

static unsigned wait_deps(const Step *s) {
        return lc_enter(s, LC_WAIT_DEPS, USEC_INFINITY) | ACT_CHECK_DEPS;
}

unsigned lc_begin(const Step *s) {
        return s->spec->on_demand ? lc_enter(s, LC_WAIT_DEMAND, USEC_INFINITY) | ACT_AWAIT_DEMAND : wait_deps(s);
}

unsigned lc_place(const Step *s) {
        Lifecycle *l = s->l;

        l->main_alive = true;
        l->was_ready = l->failing = l->stop_sent = l->started_up = false;
        l->unready = s->spec->probes[PROBE_READINESS] != NULL;
        l->run_since = l->ready_since = 0;
        return lc_enter(s, LC_PLACING, usec_add(s->now, PLACING_TIMEOUT)) | ACT_SPAWN;
}

static unsigned become_ready(const Step *s) {
        if (!s->l->was_ready)
                (void) lc_hook(s, HOOK_POST_START);
        s->l->was_ready = s->l->ready_once = true;
        s->l->ready_since = s->now;
        return lc_enter(s, LC_RUNNING, USEC_INFINITY) | (s->spec->watchdog > 0 ? ACT_ARM_WATCHDOG : 0);
}

/* A startup probe has its own measure, which ready.timeout does not cut short. */
static usec_t start_bound(const ServiceSpec *spec) {
        const ProbeSpec *p = spec->probes[PROBE_STARTUP];

        if (spec->type == SERVICE_ONESHOT)
                return USEC_INFINITY;
        if (spec->ready_by != READY_PROBE || !p)
                return spec->ready_timeout;
        return MAX(spec->ready_timeout, p->initial_delay + p->period * p->failure + p->timeout);
}

static unsigned become_starting(const Step *s) {
        return lc_enter(s, LC_STARTING, usec_add(s->now, start_bound(s->spec)));
}

static bool ready_by_itself(const ServiceSpec *spec) {
        return spec->type == SERVICE_SIMPLE && spec->ready_by == READY_START;
}

/* ---- what the operator says ---- */

unsigned lc_start_fresh(const Step *s) {
        s->l->wanted = true;
        lc_forget_counters(s->l);
        lc_forget_end(s->l);
        return lc_begin(s);
}

unsigned lc_start_sooner(const Step *s) {
        lc_forget_counters(s->l);
        return lc_begin(s);
}

unsigned lc_start_waiting(const Step *s) {
        lc_forget_counters(s->l);
        return 0;
}

/* In STOPPING and KILLING, for start and restart alike. */
unsigned lc_start_after_stop(const Step *s) {
        s->l->wanted = s->l->restart_pending = true;
        lc_forget_counters(s->l);
        return ACT_CHANGED;
}

unsigned lc_stop_resting(const Step *s) {
        s->l->wanted = false;
        return lc_enter(s, LC_STOPPED, USEC_INFINITY);
}

unsigned lc_stop_placing(const Step *s) {
        s->l->wanted = false;
        return lc_begin_kill(s);
}

unsigned lc_stop_living(const Step *s) {
        s->l->wanted = false;
        return lc_begin_stop(s, ACT_SIGNAL_STOP);
}

unsigned lc_stop_stopping(const Step *s) {
        bool changed = s->l->wanted;

        s->l->wanted = s->l->restart_pending = false;
        return changed ? ACT_CHANGED : 0;
}

unsigned lc_restart_placing(const Step *s) {
        return lc_start_after_stop(s) | lc_begin_kill(s);
}

unsigned lc_restart_living(const Step *s) {
        return lc_start_after_stop(s) | lc_begin_stop(s, ACT_SIGNAL_STOP);
}

unsigned lc_reset_counters(const Step *s) {
        lc_forget_counters(s->l);
        return ACT_CHANGED;
}

unsigned lc_reset_failed(const Step *s) {
        lc_forget_counters(s->l);
        lc_forget_end(s->l);
        return lc_stop_resting(s);
}

/* ---- on the way up ---- */

/* Its sockets are open, which is all that a start means here; unless it is to run now after all. */
unsigned lc_start_demanded(const Step *s) {
        lc_forget_counters(s->l);
        return s->spec->on_demand ? 0 : lc_begin(s);
}

unsigned lc_demanded(const Step *s) {
        return wait_deps(s);
}

unsigned lc_demand_failed(const Step *s) {
        Lifecycle *l = s->l;

        lc_forget_end(l);
        l->run_since = 0;
        l->reason = s->in->reason ?: REASON_SPAWN;
        return s->in->permanent ? lc_enter(s, LC_FAILED, USEC_INFINITY) : lc_next_attempt(s);
}

unsigned lc_deps_met(const Step *s) {
        return lc_prepare(s);
}

unsigned lc_deps_failed(const Step *s) {
        lc_forget_end(s->l);
        s->l->reason = REASON_DEPENDENCY;
        return lc_enter(s, LC_FAILED, USEC_INFINITY);
}

unsigned lc_backoff_over(const Step *s) {
        s->l->restarts++;
        return lc_begin(s);
}

unsigned lc_execed(const Step *s) {
        s->l->run_since = s->now;
        return ready_by_itself(s->spec) ? become_ready(s) : become_starting(s);
}

/* A message of the service may overtake the news that it executes. Only what executes can send one. */
unsigned lc_execed_already(const Step *s) {
        return lc_execed(s) | lc_dispatch(s);
}

/* The order to kill met a child that was not there yet. */
unsigned lc_execed_too_late(const Step *s) {
        s->l->run_since = s->now;
        return ACT_KILL;
}

/* Nothing executes and the child, if there was one, is reaped: there is nothing to wait for. */
unsigned lc_spawn_failed(const Step *s) {
        Lifecycle *l = s->l;

        if (!l->main_alive)
                return 0;
        l->run_since = l->ready_since = 0;
        lc_hook_end(l, HOOK_POST_START);
        l->exit = (LcExit) { .code = -1 };
        l->exit_known = false;
        lc_blame(l, s->in->reason ?: REASON_SPAWN);
        if (s->in->permanent && !lc_ordered(l)) {
                l->main_alive = false;
                return lc_enter(s, LC_FAILED, USEC_INFINITY) | ACT_CLEAN | ACT_DISARM_WATCHDOG;
        }
        return lc_run_ended(s) | ACT_DISARM_WATCHDOG;
}

unsigned lc_placing_timeout(const Step *s) {
        lc_blame(s->l, REASON_SPAWN);
        return lc_begin_kill(s);
}

unsigned lc_ready_starting(const Step *s) {
        return s->spec->type == SERVICE_ONESHOT ? 0 : become_ready(s);
}

unsigned lc_ready_timeout(const Step *s) {
        if (s->spec->ready_late == READY_LATE_PASS)
                return become_ready(s);
        lc_blame(s->l, REASON_READY_TIMEOUT);
        return lc_begin_stop(s, ACT_SIGNAL_STOP);
}

unsigned lc_adopt(const Step *s) {
        Lifecycle *l = s->l;

        l->wanted = l->main_alive = true;
        l->failing = l->stop_sent = l->was_ready = false;
        l->started_up = s->in->was_ready;
        l->unready = s->spec->probes[PROBE_READINESS] && !s->in->was_ready;
        l->attempts = 0;
        l->run_since = s->now;
        l->ready_since = 0;
        l->hooks = 0;
        if (ready_by_itself(s->spec) || (s->in->was_ready && s->spec->type == SERVICE_SIMPLE))
                return become_ready(s);
        return become_starting(s);
}

/* ---- in service ---- */

unsigned lc_reload_begins(const Step *s) {
        s->l->reload = RELOAD_OWN;
        return lc_enter(s, LC_RELOADING, usec_add(s->now, s->spec->ready_timeout));
}

unsigned lc_stops_itself(const Step *s) {
        return lc_begin_stop(s, 0);
}

/* Never shortens, and never makes a wait endless. */
unsigned lc_extend(const Step *s) {
        if (s->in->until != USEC_INFINITY)
                s->l->deadline = MAX(s->l->deadline, s->in->until);
        return 0;
}

unsigned lc_watchdog(const Step *s) {
        lc_blame(s->l, REASON_WATCHDOG);
        return lc_begin_stop(s, ACT_SIGNAL_ABORT);
}

unsigned lc_oversize(const Step *s) {
        lc_blame(s->l, REASON_MEMORY);
        return lc_begin_stop(s, ACT_SIGNAL_STOP);
}

/* The startup probe tells that the start has worked; without one the readiness probe does. */
static bool decides_start(const ServiceSpec *spec, ProbeKind kind) {
        return spec->type == SERVICE_SIMPLE && spec->ready_by == READY_PROBE &&
               kind == (spec->probes[PROBE_STARTUP] ? PROBE_STARTUP : PROBE_READINESS);
}

unsigned lc_probe_passed(const Step *s) {
        Lifecycle *l = s->l;
        bool known = s->in->probe == PROBE_STARTUP ? l->started_up : s->in->probe == PROBE_READINESS ? !l->unready : true;

        if (s->in->probe == PROBE_STARTUP)
                l->started_up = true;
        else if (s->in->probe == PROBE_READINESS)
                l->unready = false;
        if (l->state == LC_STARTING && decides_start(s->spec, s->in->probe))
                return become_ready(s);
        return known ? 0 : ACT_CHANGED;
}

unsigned lc_probe_failed(const Step *s) {
        bool known = s->l->unready;

        if (s->in->probe == PROBE_READINESS) {
                s->l->unready = true;
                return known ? 0 : ACT_CHANGED;
        }
        lc_blame(s->l, REASON_PROBE);
        return lc_begin_stop(s, ACT_SIGNAL_STOP);
}
