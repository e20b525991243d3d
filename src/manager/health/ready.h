/* Readiness by descriptor. `ready.by: fd`: the service writes a newline to $READY_FD, as s6 has it. `ready.by: ipc`: a program of Node calls
 * process.send('ready') on the channel that $NODE_CHANNEL_FD names; see child_process in Node's manual. */
#pragma once

#include "manager/manager.h"

/* Whether a run tells by the pipe: `fd`, or `listen` where contrib/node/sockets.cjs writes to it. */
bool ready_by_pipe(const ServiceSpec *s);
/* Makes the pipe for the start under way: the write end is the caller's, the read end is watched until newline or end of file. */
int ready_pipe(Instance *i, int *ret_write);
/* Likewise a channel, which is read until its end; what else the program says on it is passed over. */
int ready_channel(Instance *i, int *ret_theirs);
/* Goes on watching the pipe of a run that another manager started. After all of them: the pipes of runs that are no more are let go. */
void ready_adopt(Instance *i);
void ready_adopted(Manager *m);
