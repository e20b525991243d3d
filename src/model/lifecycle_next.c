/* Nothing lives any more: what comes next. What must stay true: lc_decide() is the only place that decides what comes after a run, and is reached only when
 * nothing lives. */
#include "model/backoff.h"
#include "model/lifecycle_steps.h"

#define DEMAND_MIN (2 * USEC_PER_SEC)         /* a run on demand that was shorter is followed by a pause */
#define SPAWN_RETRY_MIN (100 * USEC_PER_MSEC) /* what could not even start is not retried without a pause, whatever restart.delay says */

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
        return s->spec->depends.n > 0 || s->spec->on_demand ? lc_begin(s) : lc_prepare(s);
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

        lc_forget_counters(l);
        if (s->now - l->run_since >= DEMAND_MIN)
                return lc_begin(s);
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
                return lc_begin(s);
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

unsigned lc_run_ended(const Step *s) {
        Lifecycle *l = s->l;
        unsigned hook;

        l->main_alive = l->rest_alive = l->stop_sent = false;
        hook = l->run_since > 0 ? lc_await(s, LC_POST_STOP) : 0;
        return (hook ?: lc_decide(s)) | ACT_CLEAN;
}
