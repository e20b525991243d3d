/* Taking up what lives: after a restart of the manager (the keeper's list) or of the whole daemon (the store, pidfds, start times). */
#pragma once

#include "manager/manager.h"

/* Reads services and runs from the store and matches them with the keeper's list. Feeds EV_ADOPT, exits that wait, and disappearances. */
int adopt_all(Manager *m, KlError *reterr);
