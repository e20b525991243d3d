/* The number of an instance: small, counted over all of them, kept as long as it exists, restarts of it and of the manager included. What people
 * who come from PM2 call its id. */
#pragma once

#include "manager/manager.h"

#define NUMBER_NONE UINT32_MAX

/* The next one; 0 when there is no other instance. NUMBER_NONE before numbers_begin(). */
void number_give(Instance *i);
/* It needs none after all: it is there for a while only. */
void number_return(Instance *i);
/* The state was read: whoever has none (it does not run, so no record has kept it), or one that another has as well, gets the smallest that
 * is free. 0 or -ENOMEM. */
int numbers_begin(Manager *m);
