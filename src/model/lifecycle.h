/* The life of one instance: state × event → next state and actions. Pure: time and randomness come in as arguments, actions go out as a mask,
 * and the one deadline sits in the struct. The shell (manager/) performs the actions in the order of their bits and arms one timer.
 *
 * Invariants, checked by the random test over at least 10^5 sequences: never two live processes for one instance (SPAWN only when neither main
 * nor rest is alive) · a stop always ends (every state between SPAWN and rest has a finite deadline when the spec's timeouts are finite) · no
 * wait without a deadline except STOPPED, RUNNING, EXITED, FAILED, WAIT_DEMAND, WAIT_DEPS, and STARTING of a oneshot, which takes as long as its work · goal
 * DOWN never spawns · a run that began ends with exactly one ACT_CLEAN.
 *
 * Choices: a oneshot is never restarted after success (`when: always` means on-failure for it) · what never executed is retried whatever `when`
 * says, with at least 100 ms between, unless the fault is permanent · a reload that is not reported as done ends in RUNNING · an end of unknown
 * status (EV_GONE) counts as a failure · one that grew too big is started again whatever `when` says and counts for no limit, except a oneshot,
 * whose work it ended · what the service sends before EV_EXECED was heard implies it · a hook that is waited for has a state of its own, the
 * others are bits beside it, and every change of the bits is told by ACT_HOOKS · a failed readiness probe changes no state: the instance runs, but is
 * not ready. */
#pragma once

#include "base/span.h"
#include "model/spec.h"

typedef enum LcState {
        LC_STOPPED,        /* not wanted, nothing lives */
        LC_WAIT_DEMAND,    /* wanted, on demand: its sockets are open, nobody has connected yet */
        LC_WAIT_DEPS,      /* wanted; a dependency is not there yet */
        LC_WAIT_BACKOFF,   /* wanted; waits until deadline for the next attempt */
        LC_PRE_START,      /* wanted; hooks.pre_start runs, until deadline; nothing of the instance lives */
        LC_POST_STOP,      /* a run is over and cleaned; hooks.post_stop runs, until deadline, then comes what comes next */
        LC_PLACING,        /* spawn asked for; not executing the command yet (cgroup, scope, gate, exec) */
        LC_STARTING,       /* executing; readiness awaited until deadline */
        LC_RUNNING,
        LC_RELOADING,      /* told us RELOADING=1, or was told to reload; the end of it is awaited until deadline */
        LC_PRE_STOP,       /* a stop has begun, nobody is told yet; hooks.pre_stop runs and the balancer drains it, both at once, until deadline */
        LC_STOPPING,       /* stop signal sent, waits for main and rest until deadline */
        LC_KILLING,        /* SIGKILL sent to all; repeated at each deadline */
        LC_EXITED,         /* ended by itself, and policy says that is all (oneshot done, or no restart wanted after success) */
        LC_FAILED,         /* ended badly and policy gives up; or could not be started */
        _LC_STATE_MAX
} LcState;

typedef enum LcEvent {
        EV_START,          /* wanted up (operator, apply, boot). Clears a failure, resets the attempts; does not wait for the backoff */
        EV_STOP,           /* wanted down */
        EV_RESTART,        /* stop if alive, then start; counts as operator's, not as a failure */
        EV_DEMAND,         /* answer to ACT_AWAIT_DEMAND: somebody connects */
        EV_DEPS_MET,       /* answer to ACT_CHECK_DEPS, at once or later */
        EV_DEPS_FAILED,    /* a dependency failed for good: we fail, reason "dependency" */
        EV_EXECED,         /* the command executes */
        EV_SPAWN_FAILED,   /* nothing executes, or (answer to ACT_AWAIT_DEMAND) nothing can be listened on; `permanent` tells a fault of the file (ENOENT, EACCES…) from one of the moment (EAGAIN…) */
        EV_READY,          /* by sd_notify or ready fd */
        EV_RELOADING,      /* RELOADING=1 from the service; input.until: its MONOTONIC_USEC, 0 if it said none */
        EV_STOPPING,       /* STOPPING=1 from the service: the stop timeout runs, no signal is sent */
        EV_EXTEND,         /* EXTEND_TIMEOUT_USEC: input.until is the new deadline if later; infinity is ignored */
        EV_MAIN_EXIT,      /* main process gone; input.exit */
        EV_EMPTY,          /* nothing of the instance lives any more (only meaningful after EV_MAIN_EXIT or EV_GONE) */
        EV_REMAINS,        /* answer to ACT_CHECK_EMPTY: others live on; EV_EMPTY follows when they are gone */
        EV_DEADLINE,       /* now >= deadline; one that comes too early is ignored */
        EV_WATCHDOG,       /* the watchdog interval passed without a ping, or the service itself says WATCHDOG=trigger, in its start as well */
        EV_OVERSIZE,       /* it uses more than limits.memory_restart: stop gracefully, start again; the wait before it is not that of a failure */
        EV_FAIL,           /* supervisor's verdict from outside (scope lost, oom …): kill and treat as failure; input.reason */
        EV_RESET,          /* operator: forget failure and counters; FAILED becomes STOPPED */
        EV_ADOPT,          /* found alive after a restart of ours: becomes wanted and RUNNING (or STARTING if input.was_ready is false and readiness is
                            * awaited); EV_MAIN_EXIT, EV_GONE or EV_STOP may follow at once */
        EV_RELOAD,         /* operator: read your configuration again */
        EV_HOOK_DONE,      /* input.hook has ended (one of Lifecycle.hooks); input.ok, and input.permanent when it would fail again */
        EV_GONE,           /* adopted process gone, status unknowable */
        EV_PROBE_PASSED,   /* input.probe is good, for the first time in this run or again */
        EV_PROBE_FAILED,   /* input.probe has failed as often as its spec says */
        _LC_EVENT_MAX
} LcEvent;

/* Why the last run ended or failed to start; the words of `exit.reason` in the API. */
typedef enum LcReason {
        REASON_NONE, REASON_EXITED, REASON_SIGNALED, REASON_CORE_DUMPED, REASON_SPAWN, REASON_READY_TIMEOUT, REASON_PROTOCOL,
        REASON_WATCHDOG, REASON_OOM, REASON_STOP_TIMEOUT, REASON_DEPENDENCY, REASON_LIMIT, REASON_ISOLATION, REASON_UNKNOWN,
        REASON_MEMORY,
        REASON_HOOK,         /* hooks.pre_start failed: there was no run */
        REASON_PROBE,
        _LC_REASON_MAX
} LcReason;

typedef struct LcExit {
        int code;      /* exit code, -1 if none */
        int signal;    /* terminating signal, 0 if none */
        bool core;
} LcExit;

typedef struct LcInput {
        LcEvent event;
        LcExit exit;         /* EV_MAIN_EXIT */
        LcReason reason;     /* EV_FAIL, EV_SPAWN_FAILED */
        bool permanent;      /* EV_SPAWN_FAILED, EV_HOOK_DONE */
        HookKind hook;       /* EV_HOOK_DONE */
        bool ok;
        bool was_ready;      /* EV_ADOPT */
        bool oom;            /* EV_MAIN_EXIT: oom_kill counter went up */
        usec_t until;        /* EV_EXTEND, EV_RELOADING, CLOCK_MONOTONIC */
        ProbeKind probe;     /* EV_PROBE_PASSED, EV_PROBE_FAILED */
} LcInput;

/* In the order in which the shell performs them. */
typedef enum LcAction {
        ACT_SIGNAL_STOP = 1 << 0,   /* spec.stop.signal to spec.stop.scope (to all that remains when main is gone) */
        ACT_SIGNAL_ABORT = 1 << 1,  /* SIGABRT to main (watchdog) */
        ACT_KILL = 1 << 2,          /* SIGKILL to everything of the instance */
        ACT_CHECK_EMPTY = 1 << 3,   /* main is gone; does anything live? feed EV_EMPTY now, or EV_REMAINS now and EV_EMPTY when it becomes so */
        ACT_CLEAN = 1 << 4,         /* all is gone: read the last figures, remove cgroup or scope, acknowledge the exit, record the end */
        ACT_CHECK_DEPS = 1 << 5,    /* feed EV_DEPS_MET or EV_DEPS_FAILED now, or when it changes */
        ACT_AWAIT_DEMAND = 1 << 10, /* open the sockets and feed EV_DEMAND when somebody connects, EV_SPAWN_FAILED when they cannot be opened */
        ACT_SPAWN = 1 << 6,         /* new generation: place, spawn */
        ACT_ARM_WATCHDOG = 1 << 7,  /* start (or restart) the watchdog of the instance */
        ACT_DISARM_WATCHDOG = 1 << 8,
        ACT_CHANGED = 1 << 9,       /* state (or anything list shows) changed: tell events, waiters, dependents, store */
        ACT_SIGNAL_RELOAD = 1 << 11, /* spec.reload.signal to main */
        ACT_HOOKS = 1 << 12,        /* Lifecycle.hooks changed: start those that do not run, end those that run and are not in it */
} LcAction;

/* How far a reload is, in LC_RELOADING. */
typedef enum LcReload {
        RELOAD_OWN,          /* of the service's own accord: READY=1 ends it */
        RELOAD_ASKED,        /* told to; it has not said RELOADING=1 since, or has said READY=1 again before reload.command ended */
        RELOAD_HEARD,        /* and has said so: READY=1 ends it, with the end of reload.command where there is one */
} LcReload;
typedef enum LcReloadEnd { RELOAD_OK, RELOAD_FAILED, RELOAD_TIMEOUT } LcReloadEnd;

typedef struct Lifecycle {
        LcState state;
        bool wanted;              /* goal */
        bool restart_pending;     /* stop now, start when everything is gone */
        bool main_alive;          /* between ACT_SPAWN and EV_MAIN_EXIT/EV_SPAWN_FAILED/EV_GONE */
        bool rest_alive;          /* main gone, others not yet known gone */
        bool was_ready;           /* in this run */
        bool failing;             /* the stop under way was caused by a failure (reason holds it) */
        bool stop_sent;           /* in this stop: the stop signal went to all that remains */
        bool started_up;          /* in this run: its startup probe has succeeded */
        bool unready;             /* in this run: its readiness probe has failed, or not succeeded yet */
        bool ready_once;          /* since the attempts are counted, some run was ready */
        LcReason reason;          /* of the run that ends or ended */
        LcExit exit;              /* of the last run */
        bool exit_known;
        uint8_t hooks;            /* 1 << HookKind: those that are to run or run now */
        uint8_t reload;           /* LcReload, in LC_RELOADING */
        uint8_t reload_end;       /* LcReloadEnd: how the last one ended, for those who hear of it */
        uint32_t restarts;        /* automatic restarts since EV_START/EV_RESET */
        uint32_t attempts;        /* in a row, for backoff and limit */
        uint32_t oversized;       /* runs in a row that grew too big before they counted as healthy, for their backoff; without a limit */
        usec_t since;             /* CLOCK_MONOTONIC: entered this public state */
        usec_t run_since;         /* this run executes since; 0: it does not yet */
        usec_t ready_since;       /* this run is ready since; 0: it is not */
        usec_t deadline;          /* CLOCK_MONOTONIC; USEC_INFINITY: none */
} Lifecycle;

void lifecycle_init(Lifecycle *l);   /* STOPPED, not wanted */
/* Goes on where another manager left off: `saved` as its books have it, its times of this boot. What happened since then is for the shell to
 * feed: EV_EXECED, EV_MAIN_EXIT, EV_GONE, EV_SPAWN_FAILED when nothing ever executed; a deadline that has passed is due. -EINVAL when `saved`
 * contradicts itself. */
int lifecycle_resume(Lifecycle *l, const Lifecycle *saved);
/* Returns the actions. An event that means nothing in a state is ignored and returns 0. */
unsigned lifecycle_step(Lifecycle *l, const ServiceSpec *spec, const LcInput *in, usec_t now, uint32_t random);

/* Whether the event means anything in the state of now. */
bool lifecycle_heeds(const Lifecycle *l, LcEvent e);

/* "stopped starting running reloading stopping waiting failed exited": the words of the API. */
const char *lifecycle_public_state(LcState s);
const char *lifecycle_state_name(LcState s);     /* internal names, for debugging and the store */
LcState lifecycle_state_from_name(const char *s);   /* _LC_STATE_MAX: there is none of that name */
const char *lifecycle_event_name(LcEvent e);
const char *lifecycle_reason_name(LcReason r);   /* "exited" "signal" "core-dump" "start" "ready-timeout" "protocol" "watchdog" "oom-kill" … */
/* The hook that the state waits for, or _HOOK_MAX. */
HookKind lifecycle_awaits(LcState s);
#define LC_HOOK_GRACE (5 * USEC_PER_SEC)   /* the shell ends a hook at its timeout; the deadline of a state that waits for one is so much later */
/* What its attempts in a row look like: a deployment that does not work, or a service that works and crashes. A service that was ready for
 * restart.reset_after and ends once is in neither trouble. */
typedef enum LcTrouble { TROUBLE_NONE, TROUBLE_NEVER_READY, TROUBLE_CRASH_LOOP } LcTrouble;
LcTrouble lifecycle_trouble(const Lifecycle *l, const ServiceSpec *spec);
const char *lifecycle_trouble_name(LcTrouble t);   /* "never-ready" "crash-loop"; NULL for none */
/* It serves, as far as is known: what `ready` in a list says, and what those wait for that depend on its readiness. */
bool lifecycle_ready(const Lifecycle *l, const ServiceSpec *spec);
static inline bool lifecycle_alive(const Lifecycle *l) { return l->main_alive || l->rest_alive; }
/* Settled: no transition is under way that a waiting client should wait for. RUNNING counts; WAIT_BACKOFF does not. */
bool lifecycle_settled(const Lifecycle *l);
