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
unsigned lc_reload_over(const Step *s);
unsigned lc_stops_itself(const Step *s);
unsigned lc_extend(const Step *s);
unsigned lc_watchdog(const Step *s);
unsigned lc_oversize(const Step *s);
unsigned lc_fail_living(const Step *s);
unsigned lc_exit_living(const Step *s);
unsigned lc_exit_starting(const Step *s);
unsigned lc_exit_stopping(const Step *s);
unsigned lc_gone_living(const Step *s);
unsigned lc_gone_stopping(const Step *s);
unsigned lc_empty(const Step *s);
unsigned lc_remains(const Step *s);
unsigned lc_stop_timeout(const Step *s);
unsigned lc_kill_again(const Step *s);
