/* The life of one instance, as one table: state × event → a small function that changes the struct and returns actions. A pair without a function
 * means nothing and is ignored.
 *
 * What must stay true: something of the instance may live exactly in PLACING, STARTING, RUNNING, RELOADING, PRE_STOP, STOPPING and KILLING, and the
 * end of what has executed has one way only: STOPPING or KILLING, then EV_EMPTY. */
#include "model/lifecycle_steps.h"

typedef unsigned (*Handler)(const Step *s);

static const Handler table[_LC_STATE_MAX][_LC_EVENT_MAX] = {
        [LC_STOPPED] = {
                [EV_START] = lc_start_fresh,
                [EV_RESTART] = lc_start_fresh,
                [EV_RESET] = lc_reset_failed,
                [EV_ADOPT] = lc_adopt,
        },
        [LC_WAIT_DEMAND] = {
                [EV_START] = lc_start_demanded,
                [EV_RESTART] = lc_start_demanded,
                [EV_STOP] = lc_stop_resting,
                [EV_RESET] = lc_reset_counters,
                [EV_DEMAND] = lc_demanded,
                [EV_SPAWN_FAILED] = lc_demand_failed,
                [EV_ADOPT] = lc_adopt,
        },
        [LC_WAIT_DEPS] = {
                [EV_START] = lc_start_waiting,
                [EV_RESTART] = lc_start_waiting,
                [EV_STOP] = lc_stop_resting,
                [EV_RESET] = lc_reset_counters,
                [EV_DEPS_MET] = lc_deps_met,
                [EV_DEPS_FAILED] = lc_deps_failed,
                [EV_ADOPT] = lc_adopt,
        },
        [LC_WAIT_BACKOFF] = {
                [EV_START] = lc_start_sooner,
                [EV_RESTART] = lc_start_sooner,
                [EV_STOP] = lc_stop_resting,
                [EV_RESET] = lc_reset_counters,
                [EV_DEADLINE] = lc_backoff_over,
                [EV_ADOPT] = lc_adopt,
        },
        [LC_PRE_START] = {
                [EV_START] = lc_start_waiting,
                [EV_RESTART] = lc_start_sooner,
                [EV_STOP] = lc_stop_resting,
                [EV_RESET] = lc_reset_counters,
                [EV_HOOK_DONE] = lc_pre_start_over,
                [EV_DEADLINE] = lc_pre_start_over,
        },
        [LC_POST_STOP] = {
                [EV_START] = lc_start_after_stop,
                [EV_RESTART] = lc_start_after_stop,
                [EV_STOP] = lc_stop_stopping,
                [EV_RESET] = lc_reset_counters,
                [EV_HOOK_DONE] = lc_post_stop_over,
                [EV_DEADLINE] = lc_post_stop_over,
        },
        [LC_PLACING] = {
                [EV_STOP] = lc_stop_placing,
                [EV_RESTART] = lc_restart_placing,
                [EV_RESET] = lc_reset_counters,
                [EV_EXECED] = lc_execed,
                [EV_READY] = lc_execed_already,
                [EV_RELOADING] = lc_execed_already,
                [EV_STOPPING] = lc_execed_already,
                [EV_EXTEND] = lc_execed_already,
                [EV_WATCHDOG] = lc_execed_already,
                [EV_MAIN_EXIT] = lc_execed_already,
                [EV_GONE] = lc_execed_already,
                [EV_SPAWN_FAILED] = lc_spawn_failed,
                [EV_FAIL] = lc_fail_living,
                [EV_DEADLINE] = lc_placing_timeout,
        },
        [LC_STARTING] = {
                [EV_STOP] = lc_stop_living,
                [EV_RESTART] = lc_restart_living,
                [EV_RESET] = lc_reset_counters,
                [EV_READY] = lc_ready_starting,
                [EV_STOPPING] = lc_stops_itself,
                [EV_EXTEND] = lc_extend,
                [EV_MAIN_EXIT] = lc_exit_starting,
                [EV_GONE] = lc_gone_living,
                [EV_SPAWN_FAILED] = lc_spawn_failed,
                [EV_WATCHDOG] = lc_watchdog,
                [EV_OVERSIZE] = lc_oversize,
                [EV_FAIL] = lc_fail_living,
                [EV_DEADLINE] = lc_ready_timeout,
                [EV_PROBE_PASSED] = lc_probe_passed,
                [EV_PROBE_FAILED] = lc_probe_failed,
        },
        [LC_RUNNING] = {
                [EV_STOP] = lc_stop_living,
                [EV_RESTART] = lc_restart_living,
                [EV_RESET] = lc_reset_counters,
                [EV_RELOADING] = lc_reload_begins,
                [EV_RELOAD] = lc_reload,
                [EV_STOPPING] = lc_stops_itself,
                [EV_MAIN_EXIT] = lc_exit_living,
                [EV_GONE] = lc_gone_living,
                [EV_SPAWN_FAILED] = lc_spawn_failed,
                [EV_WATCHDOG] = lc_watchdog,
                [EV_OVERSIZE] = lc_oversize,
                [EV_FAIL] = lc_fail_living,
                [EV_PROBE_PASSED] = lc_probe_passed,
                [EV_PROBE_FAILED] = lc_probe_failed,
        },
        [LC_RELOADING] = {
                [EV_STOP] = lc_stop_living,
                [EV_RESTART] = lc_restart_living,
                [EV_RESET] = lc_reset_counters,
                [EV_READY] = lc_reload_ready,
                [EV_RELOAD] = lc_reload_again,
                [EV_RELOADING] = lc_reload_heard,
                [EV_HOOK_DONE] = lc_reload_command_over,
                [EV_STOPPING] = lc_stops_itself,
                [EV_EXTEND] = lc_extend,
                [EV_MAIN_EXIT] = lc_exit_living,
                [EV_GONE] = lc_gone_living,
                [EV_SPAWN_FAILED] = lc_spawn_failed,
                [EV_WATCHDOG] = lc_watchdog,
                [EV_OVERSIZE] = lc_oversize,
                [EV_FAIL] = lc_fail_living,
                [EV_DEADLINE] = lc_reload_late,
                [EV_PROBE_PASSED] = lc_probe_passed,
                [EV_PROBE_FAILED] = lc_probe_failed,
        },
        [LC_PRE_STOP] = {
                [EV_START] = lc_start_after_stop,
                [EV_RESTART] = lc_start_after_stop,
                [EV_STOP] = lc_stop_stopping,
                [EV_RESET] = lc_reset_counters,
                [EV_HOOK_DONE] = lc_pre_stop_over,
                [EV_DEADLINE] = lc_pre_stop_over,
                [EV_MAIN_EXIT] = lc_exit_living,
                [EV_GONE] = lc_gone_living,
                [EV_SPAWN_FAILED] = lc_spawn_failed,
                [EV_FAIL] = lc_fail_living,
        },
        [LC_STOPPING] = {
                [EV_START] = lc_start_after_stop,
                [EV_RESTART] = lc_start_after_stop,
                [EV_STOP] = lc_stop_stopping,
                [EV_RESET] = lc_reset_counters,
                [EV_EXTEND] = lc_extend,
                [EV_MAIN_EXIT] = lc_exit_stopping,
                [EV_GONE] = lc_gone_stopping,
                [EV_SPAWN_FAILED] = lc_spawn_failed,
                [EV_EMPTY] = lc_empty,
                [EV_REMAINS] = lc_remains,
                [EV_FAIL] = lc_fail_living,
                [EV_DEADLINE] = lc_stop_timeout,
        },
        [LC_KILLING] = {
                [EV_START] = lc_start_after_stop,
                [EV_RESTART] = lc_start_after_stop,
                [EV_STOP] = lc_stop_stopping,
                [EV_RESET] = lc_reset_counters,
                [EV_EXECED] = lc_execed_too_late,
                [EV_MAIN_EXIT] = lc_exit_stopping,
                [EV_GONE] = lc_gone_stopping,
                [EV_SPAWN_FAILED] = lc_spawn_failed,
                [EV_EMPTY] = lc_empty,
                [EV_DEADLINE] = lc_kill_again,
        },
        [LC_EXITED] = {
                [EV_START] = lc_start_fresh,
                [EV_RESTART] = lc_start_fresh,
                [EV_STOP] = lc_stop_resting,
                [EV_RESET] = lc_reset_counters,
                [EV_ADOPT] = lc_adopt,
        },
        [LC_FAILED] = {
                [EV_START] = lc_start_fresh,
                [EV_RESTART] = lc_start_fresh,
                [EV_STOP] = lc_stop_resting,
                [EV_RESET] = lc_reset_failed,
                [EV_ADOPT] = lc_adopt,
        },
};

unsigned lc_dispatch(const Step *s) {
        Handler h = table[s->l->state][s->in->event];

        return h ? h(s) : 0;
}

bool lifecycle_heeds(const Lifecycle *l, LcEvent e) {
        return table[l->state][e] != NULL;
}

void lifecycle_init(Lifecycle *l) {
        *l = (Lifecycle) { .state = LC_STOPPED, .exit.code = -1, .deadline = USEC_INFINITY };
}

int lifecycle_resume(Lifecycle *l, const Lifecycle *saved) {
        bool lives = saved->state >= LC_PLACING && saved->state <= LC_KILLING;

        if ((unsigned) saved->state >= _LC_STATE_MAX || (unsigned) saved->reason >= _LC_REASON_MAX || lives != lifecycle_alive(saved))
                return -EINVAL;
        *l = *saved;
        return 0;
}

unsigned lifecycle_step(Lifecycle *l, const ServiceSpec *spec, const LcInput *in, usec_t now, uint32_t random) {
        Step s = { .l = l, .spec = spec, .in = in, .now = now, .random = random };

        uint8_t hooks = l->hooks;
        unsigned todo;

        /* A timer may fire for a deadline that has been moved since, and a hook may end as it is ended. */
        if ((in->event == EV_DEADLINE && now < l->deadline) || (in->event == EV_HOOK_DONE && !(in->hook < _HOOK_MAX && hooks & 1 << in->hook)))
                return 0;
        if (in->event == EV_HOOK_DONE)
                l->hooks &= (uint8_t) ~(1 << in->hook);
        todo = lc_dispatch(&s);
        return todo | (l->hooks != hooks ? ACT_HOOKS : 0);
}

LcTrouble lifecycle_trouble(const Lifecycle *l, const ServiceSpec *spec) {
        bool settled = l->state == LC_RUNNING || l->state == LC_RELOADING || l->state == LC_STOPPED || l->state == LC_EXITED;

        if (settled || l->attempts == 0 || spec->type != SERVICE_SIMPLE)
                return TROUBLE_NONE;
        if (!l->was_ready && !l->ready_once)
                return TROUBLE_NEVER_READY;
        return l->attempts > 1 ? TROUBLE_CRASH_LOOP : TROUBLE_NONE;
}

bool lifecycle_ready(const Lifecycle *l, const ServiceSpec *spec) {
        return (l->state == LC_RUNNING || l->state == LC_RELOADING) && !(l->unready && spec->probes[PROBE_READINESS]);
}

bool lifecycle_settled(const Lifecycle *l) {
        return l->state == LC_STOPPED || l->state == LC_WAIT_DEMAND || l->state == LC_RUNNING || l->state == LC_EXITED || l->state == LC_FAILED;
}
