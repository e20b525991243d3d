/* Files that a service is restarted for when they change (watch.*). */
#pragma once

#include "manager/manager.h"

/* Watches what the spec says now; nothing happens when that is what is watched. A path that cannot be watched is a visible problem. */
void watch_update(Service *s);
/* The service is being started: what changed until now is what it starts with, and paths that were missing may have come. */
void watch_begin(Service *s);
Watch *watch_free(Watch *w);
