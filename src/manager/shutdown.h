/* The end of the daemon and what leads to it: signals that the keeper relays, `kingctl shutdown`, an essential service's exit. */
#pragma once

#include "manager/manager.h"

void shutdown_signal(Manager *m, int sig);
/* Stops every service, dependents first, then ends with `status`. `call` (may be NULL) is answered when all is down. */
void shutdown_begin(Manager *m, int status, VarlinkCall *call);
/* Goes on with a shutdown that another manager began. */
void shutdown_resume(Manager *m);
/* Called on every change while a shutdown runs. */
void shutdown_advance(Manager *m);
/* Cannot work: ends with this status, without touching services; goodbye: and tells the keeper to exit with it, which else starts another manager. */
void shutdown_give_up(Manager *m, int status, bool goodbye);
