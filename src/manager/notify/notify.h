/* sd_notify from services: one datagram socket for all, the sender found by its credentials. Source: sd_notify(3). */
#pragma once

#include "manager/manager.h"

int notify_open(Manager *m);                /* takes up the keeper's copy, or binds places.notify */
void notify_close(Manager *m);
/* The keeper has said of one which process it is: what it said before that is heard now, and not behind its end. */
void notify_catch_up(Manager *m);
/* What was said before an end is heard before that is taken for the service's: who ends may have said which process is the main one from now on. The
 * keeper's socket and that of the services keep no order between them. */
void notify_before_an_end(Manager *m);
void notify_track(Instance *i);             /* main.pid is known now */
void instance_ping(Instance *i);            /* a sign of life: re-arms the watchdog */
