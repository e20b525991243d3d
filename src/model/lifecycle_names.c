/* The words for states, events and reasons. Those of public states and reasons are part of the interface: scripts compare them. */
#include "model/lifecycle.h"

/* One array a word: whoever keeps the pointer may compare pointers. */
static const char stopped[] = "stopped", starting[] = "starting", running[] = "running", reloading[] = "reloading", stopping[] = "stopping",
                  waiting[] = "waiting", failed[] = "failed", exited[] = "exited";

static const struct {
        const char *name, *public;
} states[_LC_STATE_MAX] = {
        [LC_STOPPED] = { "STOPPED", stopped },       [LC_WAIT_DEMAND] = { "WAIT_DEMAND", waiting }, [LC_WAIT_DEPS] = { "WAIT_DEPS", waiting },
        [LC_WAIT_BACKOFF] = { "WAIT_BACKOFF", waiting },
        [LC_PRE_START] = { "PRE_START", starting },  [LC_POST_STOP] = { "POST_STOP", stopping },  [LC_PRE_STOP] = { "PRE_STOP", stopping },
        [LC_PLACING] = { "PLACING", starting },      [LC_STARTING] = { "STARTING", starting },  [LC_RUNNING] = { "RUNNING", running },
        [LC_RELOADING] = { "RELOADING", reloading }, [LC_STOPPING] = { "STOPPING", stopping },  [LC_KILLING] = { "KILLING", stopping },
        [LC_EXITED] = { "EXITED", exited },          [LC_FAILED] = { "FAILED", failed },
};

static const char *const events[_LC_EVENT_MAX] = {
        [EV_START] = "START",
        [EV_STOP] = "STOP",
        [EV_RESTART] = "RESTART",
        [EV_DEMAND] = "DEMAND",
        [EV_DEPS_MET] = "DEPS_MET",
        [EV_DEPS_FAILED] = "DEPS_FAILED",
        [EV_EXECED] = "EXECED",
        [EV_SPAWN_FAILED] = "SPAWN_FAILED",
        [EV_READY] = "READY",
        [EV_RELOADING] = "RELOADING",
        [EV_STOPPING] = "STOPPING",
        [EV_EXTEND] = "EXTEND",
        [EV_MAIN_EXIT] = "MAIN_EXIT",
        [EV_EMPTY] = "EMPTY",
        [EV_REMAINS] = "REMAINS",
        [EV_DEADLINE] = "DEADLINE",
        [EV_WATCHDOG] = "WATCHDOG",
        [EV_OVERSIZE] = "OVERSIZE",
        [EV_FAIL] = "FAIL",
        [EV_RESET] = "RESET",
        [EV_ADOPT] = "ADOPT",
        [EV_RELOAD] = "RELOAD",
        [EV_HOOK_DONE] = "HOOK_DONE",
        [EV_GONE] = "GONE",
        [EV_PROBE_PASSED] = "PROBE_PASSED",
        [EV_PROBE_FAILED] = "PROBE_FAILED",
};

static const char *const reasons[_LC_REASON_MAX] = {
        [REASON_NONE] = "none",
        [REASON_EXITED] = "exited",
        [REASON_SIGNALED] = "signal",
        [REASON_CORE_DUMPED] = "core-dump",
        [REASON_SPAWN] = "start",
        [REASON_READY_TIMEOUT] = "ready-timeout",
        [REASON_PROTOCOL] = "protocol",
        [REASON_WATCHDOG] = "watchdog",
        [REASON_OOM] = "oom-kill",
        [REASON_STOP_TIMEOUT] = "stop-timeout",
        [REASON_DEPENDENCY] = "dependency",
        [REASON_LIMIT] = "limit",
        [REASON_ISOLATION] = "isolation",
        [REASON_UNKNOWN] = "unknown",
        [REASON_MEMORY] = "memory",
        [REASON_HOOK] = "pre-start",
        [REASON_PROBE] = "probe",
};

const char *lifecycle_trouble_name(LcTrouble t) {
        return t == TROUBLE_NEVER_READY ? "never-ready" : t == TROUBLE_CRASH_LOOP ? "crash-loop" : NULL;
}

const char *lifecycle_public_state(LcState s) {
        return states[s].public;
}

const char *lifecycle_state_name(LcState s) {
        return states[s].name;
}

LcState lifecycle_state_from_name(const char *s) {
        LcState state = 0;

        while (state < _LC_STATE_MAX && !streq(states[state].name, s))
                state++;
        return state;
}

const char *lifecycle_event_name(LcEvent e) {
        return events[e];
}

const char *lifecycle_reason_name(LcReason r) {
        return reasons[r];
}
