/* limits.memory_restart: services that grew too big are restarted. */
#pragma once

#include "manager/manager.h"

/* It has changed its state, or has other limits: looked at from time to time where its place does not tell by itself. Costs nothing for a service
 * without limits.memory_restart. */
void memory_attend(Instance *i);
/* It uses so many bytes, which is too much: told, and restarted in good order unless it is on its way out already. */
void memory_exceeded(Instance *i, uint64_t bytes);
