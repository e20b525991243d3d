/* What a life does on each event. What must stay true, besides the invariants in lifecycle.h:
 *   wanted  ACT_SPAWN comes out of lc_place() only, and lc_place() is reached only when the instance is wanted
 *   ended   lc_decide() is the only place that decides what comes after a run, and is reached only when nothing lives
 *   failing says why a run is being ended by us; it, not the exit that follows, is then the reason of the end */
#include <signal.h>

#include "model/backoff.h"
#include "model/lifecycle_steps.h"

#define PLACING_TIMEOUT (60 * USEC_PER_SEC)   /* a cgroup, a scope and an execve(2): far above what a loaded machine needs */
#define KILL_REPEAT (2 * USEC_PER_SEC)        /* a process in uninterruptible sleep dies when it wakes; then something may have forked on */
#define DEMAND_MIN (2 * USEC_PER_SEC)         /* a run on demand that was shorter is followed by a pause */
#define SPAWN_RETRY_MIN (100 * USEC_PER_MSEC) /* what could not even start is not retried without a pause, whatever restart.delay says */

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

/* Someone asked for the end: policy has no say in what follows. */
static bool ordered(const Lifecycle *l) {
        return !l->wanted || l->restart_pending;
}

static void forget_counters(Lifecycle *l) {
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

/* A life begins, or begins again. */
static unsigned begin(const Step *s) {
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

/* ---- the end of a run begins ---- */

/* A run that was ready for long enough makes the next failure the first in a row again. Counted up to here: a slow stop is no sign of health. */
static void leave_service(const Step *s) {
        Lifecycle *l = s->l;

        if (l->ready_since > 0 && s->now - l->ready_since >= s->spec->restart.reset_after) {
                l->attempts = l->oversized = 0;
                l->ready_once = false;
        }
        l->ready_since = 0;
        lc_hook_end(l, HOOK_POST_START);
}

static unsigned begin_kill(const Step *s) {
        unsigned check = s->l->main_alive ? 0 : ACT_CHECK_EMPTY;

        return lc_enter(s, LC_KILLING, usec_add(s->now, KILL_REPEAT)) | ACT_KILL | ACT_DISARM_WATCHDOG | check;
}

/* A probe that found it bad may grant it less. */
usec_t lc_stop_timeout_of(const Step *s) {
        const ServiceSpec *spec = s->spec;
        bool up = s->l->started_up || !spec->probes[PROBE_STARTUP];
        const ProbeSpec *p = s->l->failing && s->l->reason == REASON_PROBE ? spec->probes[up ? PROBE_LIVENESS : PROBE_STARTUP] : NULL;

        return p ? MIN(p->grace, spec->stop.timeout) : spec->stop.timeout;
}

/* A timeout of 0 leaves no time to tell anybody anything. */
static unsigned begin_stop(const Step *s, LcAction how) {
        unsigned hook;

        leave_service(s);
        if (lc_stop_timeout_of(s) == 0)
                return begin_kill(s);
        hook = how == ACT_SIGNAL_STOP ? lc_await(s, LC_PRE_STOP) : 0;
        return hook ? hook | ACT_DISARM_WATCHDOG : lc_tell_to_stop(s, how);
}

/* To STOPPING, with how its members are told. */
unsigned lc_tell_to_stop(const Step *s, LcAction how) {
        s->l->stop_sent = how == ACT_SIGNAL_STOP && s->spec->stop.scope == STOP_ALL;
        return lc_enter(s, LC_STOPPING, usec_add(s->now, lc_stop_timeout_of(s))) | how | ACT_DISARM_WATCHDOG;
}

/* The first reason counts, and what the operator ordered cannot fail. */
static void blame(Lifecycle *l, LcReason reason) {
        if (l->failing || ordered(l))
                return;
        l->failing = true;
        l->reason = reason;
}

static void record_exit(const Step *s) {
        Lifecycle *l = s->l;
        const LcExit *e = &s->in->exit;

        (void) lc_hook(s, HOOK_ON_EXIT);
        l->main_alive = false;
        l->rest_alive = true;
        l->exit = *e;
        l->exit_known = true;
        if (l->failing)
                return;
        if (s->in->oom && e->signal == SIGKILL)
                l->reason = REASON_OOM;
        else
                l->reason = e->core ? REASON_CORE_DUMPED : e->signal ? REASON_SIGNALED : REASON_EXITED;
}

static void record_gone(const Step *s) {
        Lifecycle *l = s->l;

        (void) lc_hook(s, HOOK_ON_EXIT);
        l->main_alive = false;
        l->rest_alive = true;
        l->exit = (LcExit) { .code = -1 };
        l->exit_known = false;
        if (!l->failing)
                l->reason = REASON_UNKNOWN;
}

/* ---- nothing lives any more: what comes next ---- */

static bool succeeded(const Lifecycle *l) {
        return !l->failing && l->exit_known && l->exit.signal == 0 && l->exit.code == 0;
}

/* Ended by itself with a code after which the file wants no restart. */
static bool excepted(const Lifecycle *l, const ServiceSpec *spec) {
        const CodeList *codes = &spec->restart.except_codes;

        for (size_t i = 0; i < codes->n; i++)
                if (!l->failing && l->exit_known && l->exit.signal == 0 && l->exit.code == codes->items[i])
                        return true;
        return false;
}

/* What never executed is tried again even where a run would not be: nothing has run yet. */
static bool restart_wanted(const Lifecycle *l, const ServiceSpec *spec) {
        if (excepted(l, spec))
                return false;
        if (l->run_since == 0)
                return true;
        if (spec->restart.when == RESTART_ALWAYS && spec->type == SERVICE_SIMPLE)
                return true;
        return spec->restart.when != RESTART_NEVER && !succeeded(l);
}

static unsigned after(const Step *s, usec_t delay) {
        if (delay > 0)
                return lc_enter(s, LC_WAIT_BACKOFF, usec_add(s->now, delay));
        s->l->restarts++;
        return s->spec->depends.n > 0 || s->spec->on_demand ? begin(s) : lc_prepare(s);
}

unsigned lc_next_attempt(const Step *s) {
        Lifecycle *l = s->l;
        usec_t delay;

        l->attempts += l->attempts < UINT32_MAX;
        if (s->spec->restart.limit > 0 && l->attempts > s->spec->restart.limit) {
                if (l->reason == REASON_NONE)
                        l->reason = REASON_LIMIT;
                return lc_enter(s, LC_FAILED, USEC_INFINITY);
        }
        delay = backoff_delay(s->spec->restart.delay, s->spec->restart.factor_percent, s->spec->restart.max_delay, s->spec->restart.jitter,
                              l->attempts, s->random);
        if (l->run_since == 0)
                delay = MAX(delay, SPAWN_RETRY_MIN);
        return after(s, delay);
}

/* It grew too big. The first time, it comes again at once; one that does so again before it was healthy would only spin. */
static unsigned next_smaller(const Step *s) {
        Lifecycle *l = s->l;
        usec_t delay;

        l->oversized += l->oversized < UINT32_MAX;
        if (l->oversized == 1)
                return after(s, 0);
        delay = backoff_delay(MAX(s->spec->restart.delay, SPAWN_RETRY_MIN), s->spec->restart.factor_percent, s->spec->restart.max_delay,
                              s->spec->restart.jitter, l->oversized - 1, s->random);
        return after(s, MAX(delay, SPAWN_RETRY_MIN));
}

static bool too_big(const Step *s) {
        return s->l->failing && s->l->reason == REASON_MEMORY && s->spec->type == SERVICE_SIMPLE;
}

/* Nobody needs it any more: it ended by itself, and well. */
static bool on_demand_done(const Step *s) {
        return s->spec->on_demand && succeeded(s->l) && !excepted(s->l, s->spec);
}

/* To wait again. That is no failure and counts as none; but one that ends at once and leaves whoever connects unserved must not spin. */
static unsigned next_demand(const Step *s) {
        Lifecycle *l = s->l;

        forget_counters(l);
        if (s->now - l->run_since >= DEMAND_MIN)
                return begin(s);
        return lc_enter(s, LC_WAIT_BACKOFF, usec_add(s->now, MAX(s->spec->restart.delay, SPAWN_RETRY_MIN)));
}

static bool oneshot_done(const Step *s) {
        return s->spec->type == SERVICE_ONESHOT && succeeded(s->l);
}

unsigned lc_decide(const Step *s) {
        Lifecycle *l = s->l;
        bool again = l->restart_pending;

        l->restart_pending = false;
        if (!l->wanted)
                return lc_enter(s, LC_STOPPED, USEC_INFINITY);
        if (again)
                return begin(s);
        if (on_demand_done(s))
                return next_demand(s);
        if (too_big(s))
                return next_smaller(s);
        if (restart_wanted(l, s->spec))
                return lc_next_attempt(s);
        if (oneshot_done(s))
                (void) lc_hook(s, HOOK_POST_START);
        return lc_enter(s, succeeded(l) || excepted(l, s->spec) ? LC_EXITED : LC_FAILED, USEC_INFINITY);
}

static unsigned run_ended(const Step *s) {
        Lifecycle *l = s->l;
        unsigned hook;

        l->main_alive = l->rest_alive = l->stop_sent = false;
        hook = l->run_since > 0 ? lc_await(s, LC_POST_STOP) : 0;
        return (hook ?: lc_decide(s)) | ACT_CLEAN;
}

/* ---- what the operator says ---- */

unsigned lc_start_fresh(const Step *s) {
        s->l->wanted = true;
        forget_counters(s->l);
        lc_forget_end(s->l);
        return begin(s);
}

unsigned lc_start_sooner(const Step *s) {
        forget_counters(s->l);
        return begin(s);
}

unsigned lc_start_waiting(const Step *s) {
        forget_counters(s->l);
        return 0;
}

/* In STOPPING and KILLING, for start and restart alike. */
unsigned lc_start_after_stop(const Step *s) {
        s->l->wanted = s->l->restart_pending = true;
        forget_counters(s->l);
        return ACT_CHANGED;
}

unsigned lc_stop_resting(const Step *s) {
        s->l->wanted = false;
        return lc_enter(s, LC_STOPPED, USEC_INFINITY);
}

unsigned lc_stop_placing(const Step *s) {
        s->l->wanted = false;
        return begin_kill(s);
}

unsigned lc_stop_living(const Step *s) {
        s->l->wanted = false;
        return begin_stop(s, ACT_SIGNAL_STOP);
}

unsigned lc_stop_stopping(const Step *s) {
        bool changed = s->l->wanted;

        s->l->wanted = s->l->restart_pending = false;
        return changed ? ACT_CHANGED : 0;
}

unsigned lc_restart_placing(const Step *s) {
        return lc_start_after_stop(s) | begin_kill(s);
}

unsigned lc_restart_living(const Step *s) {
        return lc_start_after_stop(s) | begin_stop(s, ACT_SIGNAL_STOP);
}

unsigned lc_reset_counters(const Step *s) {
        forget_counters(s->l);
        return ACT_CHANGED;
}

unsigned lc_reset_failed(const Step *s) {
        forget_counters(s->l);
        lc_forget_end(s->l);
        return lc_stop_resting(s);
}

/* ---- on the way up ---- */

/* Its sockets are open, which is all that a start means here; unless it is to run now after all. */
unsigned lc_start_demanded(const Step *s) {
        forget_counters(s->l);
        return s->spec->on_demand ? 0 : begin(s);
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
        return begin(s);
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
        blame(l, s->in->reason ?: REASON_SPAWN);
        if (s->in->permanent && !ordered(l)) {
                l->main_alive = false;
                return lc_enter(s, LC_FAILED, USEC_INFINITY) | ACT_CLEAN | ACT_DISARM_WATCHDOG;
        }
        return run_ended(s) | ACT_DISARM_WATCHDOG;
}

unsigned lc_placing_timeout(const Step *s) {
        blame(s->l, REASON_SPAWN);
        return begin_kill(s);
}

unsigned lc_ready_starting(const Step *s) {
        return s->spec->type == SERVICE_ONESHOT ? 0 : become_ready(s);
}

unsigned lc_ready_timeout(const Step *s) {
        if (s->spec->ready_late == READY_LATE_PASS)
                return become_ready(s);
        blame(s->l, REASON_READY_TIMEOUT);
        return begin_stop(s, ACT_SIGNAL_STOP);
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
        return begin_stop(s, 0);
}

/* Never shortens, and never makes a wait endless. */
unsigned lc_extend(const Step *s) {
        if (s->in->until != USEC_INFINITY)
                s->l->deadline = MAX(s->l->deadline, s->in->until);
        return 0;
}

unsigned lc_watchdog(const Step *s) {
        blame(s->l, REASON_WATCHDOG);
        return begin_stop(s, ACT_SIGNAL_ABORT);
}

unsigned lc_oversize(const Step *s) {
        blame(s->l, REASON_MEMORY);
        return begin_stop(s, ACT_SIGNAL_STOP);
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
        blame(s->l, REASON_PROBE);
        return begin_stop(s, ACT_SIGNAL_STOP);
}

unsigned lc_fail_living(const Step *s) {
        leave_service(s);
        if (s->l->main_alive)
                blame(s->l, s->in->reason ?: REASON_UNKNOWN);
        return begin_kill(s);
}

/* ---- the end ---- */

/* Main is gone, others may live. The deadline is armed before the answer to ACT_CHECK_EMPTY, so that a lost answer ends in KILLING; with a timeout
 * of 0 it is due at once, and the answer that nothing lives comes first all the same. */
static unsigned main_ended(const Step *s) {
        leave_service(s);
        return lc_enter(s, LC_STOPPING, usec_add(s->now, s->spec->stop.timeout)) | ACT_CHECK_EMPTY | ACT_DISARM_WATCHDOG;
}

unsigned lc_exit_living(const Step *s) {
        record_exit(s);
        return main_ended(s);
}

unsigned lc_exit_starting(const Step *s) {
        if (s->spec->type == SERVICE_SIMPLE && s->in->exit.signal == 0 && s->in->exit.code == 0)
                blame(s->l, REASON_PROTOCOL);
        return lc_exit_living(s);
}

unsigned lc_exit_stopping(const Step *s) {
        if (!s->l->main_alive)
                return 0;
        record_exit(s);
        return ACT_CHECK_EMPTY | ACT_CHANGED;
}

unsigned lc_gone_living(const Step *s) {
        record_gone(s);
        return main_ended(s);
}

unsigned lc_gone_stopping(const Step *s) {
        if (!s->l->main_alive)
                return 0;
        record_gone(s);
        return ACT_CHECK_EMPTY | ACT_CHANGED;
}

unsigned lc_empty(const Step *s) {
        return s->l->main_alive ? 0 : run_ended(s);
}

/* What outlived main is told to end, unless it has been told already; the deadline goes on running. */
unsigned lc_remains(const Step *s) {
        if (s->l->main_alive || s->l->stop_sent)
                return 0;
        if (s->spec->stop.timeout == 0)
                return begin_kill(s);
        s->l->stop_sent = true;
        return ACT_SIGNAL_STOP;
}

/* Where main has ended, its end is the reason, whatever had to be done to the others. */
unsigned lc_stop_timeout(const Step *s) {
        Lifecycle *l = s->l;

        if (l->main_alive && !l->failing) {
                l->failing = true;
                l->reason = REASON_STOP_TIMEOUT;
        }
        return begin_kill(s);
}

unsigned lc_kill_again(const Step *s) {
        return begin_kill(s) & ~(unsigned) (ACT_CHANGED | ACT_DISARM_WATCHDOG);
}
