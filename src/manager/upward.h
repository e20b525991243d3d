/* What systemd is told of us by sd_notify, and what it is asked. Sources: sd_notify(3), org.freedesktop.systemd1(5). */
#pragma once

#include "manager/manager.h"

void upward_ready(Manager *m);
void upward_reloading(Manager *m);
void upward_reexecuting(Manager *m);
void upward_stopping(Manager *m);
void upward_status(Manager *m);         /* STATUS= when it changed */
/* Why the keeper got SIGTERM: 1 our unit is being restarted (leave services running), 0 it is being stopped, -ENOENT not under systemd
 * or merely a signal, -errno. Waits at most two seconds. */
int upward_restarting(Manager *m);
