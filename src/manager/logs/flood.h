/* Services that write more than the journal takes are told so: journald drops what is too much, and says it only to its own log. */
#pragma once

#include "manager/manager.h"

/* From the first run on that writes to the journal; does nothing when it watches already or cannot. Only for scopes of the system's systemd:
 * journald counts the lines of all services of a user together. */
void flood_watch(Manager *m);
FloodWatch *flood_free(FloodWatch *w);
/* What to say in `status` of an instance that floods, malloc'ed; NULL when it does not (or on OOM). */
char *flood_problem(const Instance *i);
