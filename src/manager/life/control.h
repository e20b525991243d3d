/* Control processes (systemd's term): a command of a service beside its main process, such as a hook, a reload command or a probe.
 *
 * It is set up as the service is: user, environment, directory, rlimits, capabilities. It lives inside of the cgroup of the living run where there
 * is one, so that the service's limits hold and its figures are true; else in a place of its own like a run's. When it has ended, or its time
 * is up, all that it started is killed. It never outlives its use: a manager ends those of its predecessor, and whoever wanted them begins anew. */
#pragma once

#include "manager/manager.h"

#define CONTROL_OUTPUT_MAX 1024            /* bytes kept of the output of a quiet one: the last */

typedef struct Control Control;

typedef struct ControlRequest {
        const char *what;                  /* "pre_start", "readiness probe": for messages, and its KINGLY_CONTROL */
        char *const *command;              /* argv; the program is searched for as the service's own is */
        char *const *env;                  /* NAME=value on top of the service's environment, or NULL */
        usec_t timeout;                    /* from now on, at least 1: USEC_INFINITY is -EINVAL */
        bool quiet;                        /* output is captured, its end is in the result, instead of going to the service's log */
} ControlRequest;

typedef struct ControlResult {
        int error;                         /* 0: it ran and ended, or its time was up; -errno: it could not be started (ENOENT …) */
        bool permanent;                    /* with error: a fault of the file, not of the moment */
        const char *why;                   /* in words: "exit code 3", "killed by SIGSEGV", "timed out after 5s", "command not found: …" */
        int code, signal;                  /* code -1: none; signal 0: none */
        bool timed_out;                    /* code is -1 then */
        const char *output;                /* quiet: valid UTF-8 (bytes that are none as \xNN), no newline at its end; else "" */
} ControlResult;

static inline bool control_succeeded(const ControlResult *r) {
        return r->error == 0 && !r->timed_out && r->code == 0;
}

/* Called once, from the event loop, never from inside control_start(). The result is valid during the call. What the process left behind has been
 * sent SIGKILL by then, and the Control is gone. */
typedef void (*ControlDone)(void *userdata, const ControlResult *r);

/* 0, or -errno with reterr and nothing started. The request is copied. A command that cannot be found or executed is a result, not an error. */
int control_start(Instance *i, const ControlRequest *r, ControlDone done, void *userdata, Control **ret, KlError *reterr);
/* Its whole tree is killed; done is not called. Takes NULL, returns NULL. */
Control *control_cancel(Control *c);
void control_cancel_all(Instance *i);      /* of an instance that is to be freed: done is not called */
void control_free_all(Manager *m);         /* kills what there is */
bool control_settled(const Manager *m);    /* all that was given up has been killed: none waits for the keeper to say which process it is */

/* ---- for link.c, runs.c and spawn.c: a run that is no instance's may be a control process's ---- */

Control *control_find(const Manager *m, uint64_t run);   /* NULL: none, or one that is only waited for */
Instance *control_of_pid(const Manager *m, pid_t pid);   /* whose control process it is; NULL: nobody's */
bool control_unmet(const Manager *m);                    /* one may execute whose pid the keeper has not said yet */
void control_pump(Manager *m);                           /* the keeper's socket has room again */
void control_spawned(Manager *m, const WireSpawned *p);
void control_spawn_failed(Manager *m, const WireFailed *p);
void control_exited(Manager *m, const WireExited *p);    /* acknowledges it, whoever's it was */
void control_placed(Manager *m, Cell *cell, int error, const char *why);
void control_empty(Manager *m, Cell *cell);
