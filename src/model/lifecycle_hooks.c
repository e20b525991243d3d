/* Hooks and reloads in the life of an instance. What must stay true: a state that waits for a hook is entered with the hook's bit set and a deadline,
 * and left with the bit cleared, whichever way; post_start and reload never outlive the service that they are for. */
#include "model/lifecycle_steps.h"

HookKind lifecycle_awaits(LcState s) {
        switch (s) {
        case LC_PRE_START:
                return HOOK_PRE_START;
        case LC_PRE_STOP:
                return HOOK_PRE_STOP;
        case LC_POST_STOP:
                return HOOK_POST_STOP;
        default:
                return _HOOK_MAX;
        }
}

bool lc_hook(const Step *s, HookKind k) {
        if (!spec_has_hook(s->spec, k))
                return false;
        s->l->hooks |= (uint8_t) (1 << k);
        return true;
}

void lc_hook_end(Lifecycle *l, HookKind k) {
        l->hooks &= (uint8_t) ~(1 << k);
}

static usec_t hook_deadline(const Step *s, HookKind k) {
        return usec_add(s->now, spec_hook_timeout(s->spec, k) + (k == HOOK_DRAIN ? 0 : LC_HOOK_GRACE));
}

/* Only what was ready has been given connections; one that is found bad has no more time than it has for its stop. */
static usec_t drain_deadline(const Step *s) {
        if (!s->l->was_ready || !spec_has_hook(s->spec, HOOK_DRAIN))
                return 0;
        return MIN(hook_deadline(s, HOOK_DRAIN), s->l->failing ? usec_add(s->now, lc_stop_timeout_of(s)) : USEC_INFINITY);
}

unsigned lc_await(const Step *s, LcState state) {
        HookKind k = lifecycle_awaits(state);
        usec_t hook = spec_has_hook(s->spec, k) ? hook_deadline(s, k) : 0, drain = state == LC_PRE_STOP ? drain_deadline(s) : 0;
        unsigned todo;

        if (hook == 0 && drain == 0)
                return 0;
        todo = lc_enter(s, state, MAX(hook, drain));
        (void) lc_hook(s, k);
        if (drain > 0)
                (void) lc_hook(s, HOOK_DRAIN);
        return todo;
}

/* What the state waits for is over: by its end, or because nobody told of that. */
static bool awaited_over(const Step *s) {
        HookKind k = lifecycle_awaits(s->l->state);

        if (s->in->event == EV_DEADLINE)
                return true;
        if (k == HOOK_PRE_STOP && s->in->hook == HOOK_DRAIN)
                return !(s->l->hooks & 1 << HOOK_PRE_STOP);
        return s->in->hook == k && !(s->l->hooks & 1 << HOOK_DRAIN);
}

/* ---- before the start ---- */

unsigned lc_prepare(const Step *s) {
        return lc_await(s, LC_PRE_START) ?: lc_place(s);
}

unsigned lc_pre_start_over(const Step *s) {
        Lifecycle *l = s->l;

        if (!awaited_over(s))
                return 0;
        if (s->in->event == EV_HOOK_DONE && s->in->ok)
                return lc_place(s);
        lc_forget_end(l);
        l->reason = REASON_HOOK;
        l->failing = true;
        l->was_ready = false;
        l->run_since = l->ready_since = 0;
        return s->in->permanent && s->in->event == EV_HOOK_DONE ? lc_enter(s, LC_FAILED, USEC_INFINITY) : lc_next_attempt(s);
}

/* ---- around the stop: whatever came of the hook, the stop goes on ---- */

unsigned lc_pre_stop_over(const Step *s) {
        return awaited_over(s) ? lc_tell_to_stop(s, ACT_SIGNAL_STOP) : 0;
}

unsigned lc_post_stop_over(const Step *s) {
        return awaited_over(s) ? lc_decide(s) : 0;
}

/* ---- reload: it never stops serving, so that no reload that goes wrong is a reason to end it ---- */

static unsigned reload_over(const Step *s, LcReloadEnd end) {
        s->l->reload_end = end;
        return lc_enter(s, LC_RUNNING, USEC_INFINITY);
}

/* Whoever does not speak sd_notify has been told, and that is all that can be known. */
unsigned lc_reload(const Step *s) {
        bool command = s->spec->reload.by == RELOAD_BY_COMMAND;
        usec_t late = hook_deadline(s, HOOK_RELOAD);
        unsigned todo;

        if (!command && s->spec->ready_by != READY_NOTIFY)
                return ACT_SIGNAL_RELOAD;
        s->l->reload = RELOAD_ASKED;
        if (!command)
                return lc_enter(s, LC_RELOADING, late - LC_HOOK_GRACE) | ACT_SIGNAL_RELOAD;
        todo = lc_enter(s, LC_RELOADING, late);
        (void) lc_hook(s, HOOK_RELOAD);
        return todo;
}

/* What it does of its own accord may have begun before there was anything new to read. */
unsigned lc_reload_again(const Step *s) {
        if (s->l->reload != RELOAD_OWN)
                return 0;
        s->l->since = s->now;
        return lc_reload(s);
}

/* What it said before it was told is about something else (sd_notify(3), MONOTONIC_USEC=). */
unsigned lc_reload_heard(const Step *s) {
        if (s->l->reload != RELOAD_ASKED || (s->in->until > 0 && s->in->until < s->l->since))
                return 0;
        s->l->reload = RELOAD_HEARD;
        return ACT_CHANGED;
}

unsigned lc_reload_ready(const Step *s) {
        Lifecycle *l = s->l;

        if (l->reload == RELOAD_ASKED)
                return 0;
        if (!(l->hooks & 1 << HOOK_RELOAD))
                return reload_over(s, RELOAD_OK);
        l->reload = RELOAD_ASKED;
        return ACT_CHANGED;
}

unsigned lc_reload_command_over(const Step *s) {
        if (s->in->hook != HOOK_RELOAD)
                return 0;
        if (!s->in->ok)
                return reload_over(s, RELOAD_FAILED);
        return s->l->reload == RELOAD_HEARD ? 0 : reload_over(s, RELOAD_OK);
}

unsigned lc_reload_late(const Step *s) {
        return reload_over(s, s->l->reload == RELOAD_OWN ? RELOAD_OK : RELOAD_TIMEOUT);
}
