/* The steps of a life: what each state does on each event. Private to this room; the table that joins them is in lifecycle.c. */
#pragma once

#include "model/lifecycle.h"

typedef struct Step {
        Lifecycle *l;
        const ServiceSpec *spec;
        const LcInput *in;
        usec_t now;
        uint32_t random;
} Step;

/* ---- lifecycle_steps.c ---- */

/* Changes the state; the deadline of the old one is gone, and so is the hook that it waited for. */
unsigned lc_enter(const Step *s, LcState state, usec_t deadline);
/* A life begins, or begins again. */
unsigned lc_begin(const Step *s);
unsigned lc_place(const Step *s);
/* Someone asked for the end: policy has no say in what follows. */
bool lc_ordered(const Lifecycle *l);
void lc_forget_counters(Lifecycle *l);
void lc_forget_end(Lifecycle *l);

/* ---- lifecycle_end.c ---- */

/* The first reason counts, and what the operator ordered cannot fail. */
void lc_blame(Lifecycle *l, LcReason reason);
/* `how` tells its members; 0: it ends by itself. An ordinary stop goes by hooks.pre_stop where there is one. A timeout of 0 leaves no time to tell anybody anything. */
unsigned lc_begin_stop(const Step *s, LcAction how);
unsigned lc_begin_kill(const Step *s);
/* The stop signal goes out. */
unsigned lc_tell_to_stop(const Step *s, LcAction how);
/* How long this stop may take. */
usec_t lc_stop_timeout_of(const Step *s);

/* ---- lifecycle_next.c ---- */

/* Nothing of the run lives any more: to hooks.post_stop, else to what comes next. */
unsigned lc_run_ended(const Step *s);
/* The run has been cleaned: what comes next. */
unsigned lc_decide(const Step *s);
unsigned lc_next_attempt(const Step *s);

/* ---- lifecycle_hooks.c ---- */

/* The hook is to run, if the spec has it. */
bool lc_hook(const Step *s, HookKind k);
void lc_hook_end(Lifecycle *l, HookKind k);
/* To a state that waits for its hook; 0 when the spec has none. */
unsigned lc_await(const Step *s, LcState state);
/* Dependencies are met: to hooks.pre_start, else to the start. */
unsigned lc_prepare(const Step *s);

/* What the table says to this event in the state of now. */
unsigned lc_dispatch(const Step *s);

unsigned lc_start_fresh(const Step *s);
unsigned lc_start_sooner(const Step *s);
unsigned lc_start_waiting(const Step *s);
unsigned lc_start_after_stop(const Step *s);
unsigned lc_stop_resting(const Step *s);
unsigned lc_stop_placing(const Step *s);
unsigned lc_stop_living(const Step *s);
unsigned lc_stop_stopping(const Step *s);
unsigned lc_restart_placing(const Step *s);
unsigned lc_restart_living(const Step *s);
unsigned lc_reset_counters(const Step *s);
unsigned lc_reset_failed(const Step *s);
unsigned lc_start_demanded(const Step *s);
unsigned lc_demanded(const Step *s);
unsigned lc_demand_failed(const Step *s);
unsigned lc_deps_met(const Step *s);
unsigned lc_deps_failed(const Step *s);
unsigned lc_backoff_over(const Step *s);
unsigned lc_execed(const Step *s);
unsigned lc_execed_already(const Step *s);
unsigned lc_execed_too_late(const Step *s);
unsigned lc_spawn_failed(const Step *s);
unsigned lc_placing_timeout(const Step *s);
unsigned lc_ready_starting(const Step *s);
unsigned lc_ready_timeout(const Step *s);
unsigned lc_adopt(const Step *s);
unsigned lc_reload_begins(const Step *s);
unsigned lc_reload(const Step *s);
unsigned lc_reload_again(const Step *s);
unsigned lc_reload_heard(const Step *s);
unsigned lc_reload_ready(const Step *s);
unsigned lc_reload_command_over(const Step *s);
unsigned lc_reload_late(const Step *s);
unsigned lc_pre_start_over(const Step *s);
unsigned lc_pre_stop_over(const Step *s);
unsigned lc_post_stop_over(const Step *s);
unsigned lc_stops_itself(const Step *s);
unsigned lc_extend(const Step *s);
unsigned lc_watchdog(const Step *s);
unsigned lc_oversize(const Step *s);
unsigned lc_fail_living(const Step *s);
unsigned lc_probe_passed(const Step *s);
unsigned lc_probe_failed(const Step *s);
unsigned lc_exit_living(const Step *s);
unsigned lc_exit_starting(const Step *s);
unsigned lc_exit_stopping(const Step *s);
unsigned lc_gone_living(const Step *s);
unsigned lc_gone_stopping(const Step *s);
unsigned lc_empty(const Step *s);
unsigned lc_remains(const Step *s);
unsigned lc_stop_timeout(const Step *s);
unsigned lc_kill_again(const Step *s);
