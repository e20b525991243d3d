/* Services that follow another one after they have started: depends_on with `restart` and `stop`. Without these a dependency is the order of start and
 * stop and nothing more (service.c). */
#pragma once

#include "manager/life/service.h"

/* An instance has changed its state: if that was the end of its service, those that follow it are told, by restart_deferred, which the pump works
 * off in order. One that cannot run without the other then waits for it, or fails as any start does whose dependency has failed. */
void follow_transition(Instance *i, LcState from);
/* What is ordered for whole services is ordered for those that follow them as well, and of these for those that live. 0 or -ENOMEM. */
int selection_add_followers(Selection *s, bool stop);
