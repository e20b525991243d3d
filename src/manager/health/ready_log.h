/* Readiness by a line of the log (`ready.by: log`): what the service writes is read back from where it went, file or journal, until the pattern is seen.
 * Nothing is read before it starts or after it is ready, and nothing of anybody else's. */
#pragma once

#include "manager/manager.h"

/* To be called when the state of the instance has changed: begins with a start, and ends with it. */
void ready_log_update(Instance *i);
/* The same for a start that another manager began: what has been written since counts. */
void ready_log_resume(Instance *i);
/* Whether it is ready after all, when its time is up: what it wrote while we did not come to read counts. */
bool ready_log_look(Instance *i);
void ready_log_free(Instance *i);
