/* From spec to WireSpawn: environment, user, descriptors, log, place. */
#pragma once

#include "manager/manager.h"

/* A new generation: a random run and invocation id, a place to live in. 0 also when it is prepared already. */
int spawn_prepare(Instance *i, KlError *reterr);
/* Prepares a new generation (unless a former call that ended with -EAGAIN did) and asks the keeper for it. 0; -EAGAIN: the keeper's
 * socket is full, call again; else -errno with reterr, and *ret_permanent tells a fault of the file from one of the moment. */
int spawn_send(Instance *i, bool *ret_permanent, KlError *reterr);

/* Where the output of an instance goes when it goes to a file. malloc'ed. */
char *spawn_log_path(const Instance *i);
bool spawn_to_journal(const Instance *i);
/* The environment its next start gets, without what only a start decides (INVOCATION_ID …). */
int spawn_environment(const Instance *i, char ***ret, KlError *reterr);
