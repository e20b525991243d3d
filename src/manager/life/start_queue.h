/* Those that are to start, in the order in which they were asked for. A start leaves it when the keeper has it: no earlier than the isolation's window and
 * the keeper's socket allow, and never before the books say so. */
#pragma once

#include "manager/manager.h"

int start_queue_add(Instance *i);          /* 0 or -ENOMEM */
void start_queue_drop(Instance *i);        /* it shall not start after all */
/* Starts what waits, as far as the window and the socket allow. */
void start_queue_pump(Manager *m);
