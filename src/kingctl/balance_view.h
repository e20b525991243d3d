/* What a balancer does, as a person reads it. */
#pragma once

#include "kingctl/ctl.h"

/* Prints `balance` of a service that Describe answered with: the balancer, each socket, each instance behind it. Nothing for NULL. */
void balance_print(const Ctl *ctl, json_object *balance, const char *name);
