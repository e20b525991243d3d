/* From spec to WireSpawn: environment, user, descriptors, log, place. */
#pragma once

#include "manager/manager.h"

/* The invocation id of the start to come, chosen once for it: what stands before it, such as credentials for a hook, is named by it. 0 or -errno. */
int spawn_invoke(Instance *i);
/* A new generation: a random run and invocation id, a place to live in. 0 also when it is prepared already. */
int spawn_prepare(Instance *i, KlError *reterr);
/* Prepares a new generation (unless a former call that ended with -EAGAIN did) and asks the keeper for it. 0; -EAGAIN: the keeper's
 * socket is full, or what a sandbox may be is being found out: call again when the queue is pumped; else -errno with reterr, and *ret_permanent tells a fault of the file from one of the moment. */
int spawn_send(Instance *i, bool *ret_permanent, KlError *reterr);

/* A process beside the main one (control.h): set up as the service is, but for what only its main process gets (readiness, watchdog, pipes of a
 * collector). */
typedef struct SpawnControl {
        Instance *instance;
        const char *what;                  /* "pre_start": in the keeper's messages and KINGLY_CONTROL */
        char *const *command;              /* argv, searched for as the service's own */
        char *const *env;                  /* NAME=value on top, or NULL */
        uint64_t run;
        const uint8_t *invocation;         /* 16 bytes */
        const Cell *cell;
        bool gated;
        int output;                        /* for both streams, borrowed; -EBADF: the service's log */
} SpawnControl;
/* As spawn_send(). */
int spawn_control(const SpawnControl *c, bool *ret_permanent, KlError *reterr);
/* A number of a run that no other has. 0 or -errno. */
int spawn_run_number(const Manager *m, uint64_t *ret);
/* Random but for its first bytes, which are the home's. */
int spawn_invocation(const Manager *m, uint8_t ret[16]);

/* A fault of the moment, which may be over at the next attempt. */
bool spawn_transient(int r);

/* Where the output of an instance goes when it goes to a file. malloc'ed. */
char *spawn_log_path(const Instance *i);
bool spawn_to_journal(const Instance *i);
/* The environment its next start gets, without what only a start decides (INVOCATION_ID …). */
int spawn_environment(const Instance *i, char ***ret, KlError *reterr);
