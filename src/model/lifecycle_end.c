/* How a run ends, from the first word of it until nothing lives any more. What must stay true: the first reason counts; a deadline is armed for whatever is
 * waited for; what comes after is not decided here (lifecycle_next.c). */
#include <signal.h>

#include "model/lifecycle_steps.h"

#define KILL_REPEAT (2 * USEC_PER_SEC)        /* a process in uninterruptible sleep dies when it wakes; then something may have forked on */

/* ---- it begins ---- */

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

unsigned lc_begin_kill(const Step *s) {
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

unsigned lc_begin_stop(const Step *s, LcAction how) {
        unsigned hook;

        leave_service(s);
        if (lc_stop_timeout_of(s) == 0)
                return lc_begin_kill(s);
        hook = how == ACT_SIGNAL_STOP ? lc_await(s, LC_PRE_STOP) : 0;
        return hook ? hook | ACT_DISARM_WATCHDOG : lc_tell_to_stop(s, how);
}

/* To STOPPING, with how its members are told. */
unsigned lc_tell_to_stop(const Step *s, LcAction how) {
        s->l->stop_sent = how == ACT_SIGNAL_STOP && s->spec->stop.scope == STOP_ALL;
        return lc_enter(s, LC_STOPPING, usec_add(s->now, lc_stop_timeout_of(s))) | how | ACT_DISARM_WATCHDOG;
}

void lc_blame(Lifecycle *l, LcReason reason) {
        if (l->failing || lc_ordered(l))
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

unsigned lc_fail_living(const Step *s) {
        leave_service(s);
        if (s->l->main_alive)
                lc_blame(s->l, s->in->reason ?: REASON_UNKNOWN);
        return lc_begin_kill(s);
}

/* ---- it goes on ---- */

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
                lc_blame(s->l, REASON_PROTOCOL);
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
        return s->l->main_alive ? 0 : lc_run_ended(s);
}

/* What outlived main is told to end, unless it has been told already; the deadline goes on running. */
unsigned lc_remains(const Step *s) {
        if (s->l->main_alive || s->l->stop_sent)
                return 0;
        if (s->spec->stop.timeout == 0)
                return lc_begin_kill(s);
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
        return lc_begin_kill(s);
}

unsigned lc_kill_again(const Step *s) {
        return lc_begin_kill(s) & ~(unsigned) (ACT_CHANGED | ACT_DISARM_WATCHDOG);
}
