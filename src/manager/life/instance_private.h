/* What the parts of an instance's shell need of each other: instance.c feeds, instance_actions.c does, instance_timers.c waits. */
#pragma once

#include "manager/manager.h"

/* Performs the actions of these bits; what answers at once leaves the answer in *next. */
void instance_perform(Instance *i, unsigned todo, LcInput *next);
/* Three of them, for when something is looked at again. */
void instance_check_empty(Instance *i, LcInput *next);
void instance_check_deps(Instance *i, LcInput *next);
void instance_await_demand(Instance *i, LcInput *next);

void instance_arm_deadline(Instance *i);       /* as lc.deadline has it; USEC_INFINITY: none */
void instance_arm_watchdog(Instance *i);       /* from now on, where the state has one */
void instance_placing_begins(Instance *i);     /* the keeper has its start: from now on it may take the time that placing may take */
void instance_untrack(Instance *i);            /* out of runs and pids */
