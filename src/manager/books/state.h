/* The state file: opened, or done without for a while. */
#pragma once

#include "manager/manager.h"

/* Opens m->store and makes sure that it knows what runs. A damaged or unreadable file is set aside and said so; one that cannot be used now
 * (locked; full, read-only or broken disk) is stood in for by a copy in memory until it can. -ENOTSUP and others, with reterr: better not to begin. */
int state_open(Manager *m, KlError *reterr);
/* 0 while changes last; else -EROFS, and reterr says why they would not. */
int state_lasting(const Manager *m, KlError *reterr);
/* Another try with a file that could not be written: what stands in for it goes home, one that proved to be damaged is set aside and written
 * anew. 0, also when there is nothing to mend; -errno with reterr. */
int state_mend(Manager *m, KlError *reterr);
