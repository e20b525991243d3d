/* What needs attention among services, the worst first. */
#pragma once

#include "kingctl/ctl.h"
#include "kingctl/reply.h"

/* Prints the instances that are not as they should be, those of one service that have the same fault together, with cause, hint and last words.
 * How many services it were. -ENOMEM. */
int trouble_print(Ctl *ctl, json_object *instances);

/* ": exit status 3; next start in 5s": why an instance is as it is, behind its state. */
void trouble_print_cause(const InstanceView *v);
