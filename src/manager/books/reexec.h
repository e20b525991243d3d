/* Other programs in the place of these (keeper/upgrade.h): asking for them, making room for them, and knowing what came of it. */
#pragma once

#include "manager/manager.h"

/* Asks the keeper for the programs that stand on the disk now; if_changed: only if they are others, and then nobody hears of it. */
int reexec_ask(Manager *m, usec_t within, bool if_changed);
/* For api.c: `call` is answered with what came of the upgrade that it begins or, after >= 0, of the first whose serial is greater. */
int reexec_call(Manager *m, VarlinkCall *call, usec_t within, int64_t after);
void reexec_heard(Manager *m, const WireUpgrade *p);    /* UPGRADE came */
void reexec_leave(Manager *m);                          /* LEAVE came */
bool reexec_on_trial(const Manager *m);                 /* those before us may come back */
void reexec_begun(Manager *m);                          /* the last step of the start, before READY is said */
json_object *reexec_json(const Manager *m);             /* what came of the last one; null: there was none */
void reexec_done(Manager *m);
