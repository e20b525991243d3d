/* Standard input of a service with `stdin: pipe`. Each run has a pipe of its own; its write end is ours and, for as long as the run lasts, the keeper's,
 * so that a service does not see the end of its input because a manager died. */
#pragma once

#include "manager/manager.h"

/* Makes the pipe of the run that is about to start; *ret_read is the caller's. 0 or -errno. */
int input_open(Instance *i, int *ret_read);
/* The run is over. Does nothing for one that had none. */
void input_close(Instance *i);
void input_adopt(Instance *i);         /* of a run that was found alive */
void input_adopted(Manager *m);        /* those of runs that are no more are let go */
/* Writes text and a newline, all of it or nothing. 0, or -errno with *ret_error saying why in words (malloc'ed). Never blocks. */
int input_send(Instance *i, const char *text, char **ret_error);
