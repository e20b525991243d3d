/* Reload of a service that reads its configuration again by itself: told by a signal or a command (model/lifecycle). */
#pragma once

#include "manager/manager.h"

/* Tells it, if it has a way and runs. What comes of it, reload_judge() says. */
void reload_order(Instance *i);
/* 1 done, 0 not yet, -1 it went wrong or there is no way, with the reason (malloc'ed). */
int reload_judge(const Instance *i, char **ret_error);
