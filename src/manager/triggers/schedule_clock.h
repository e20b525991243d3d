/* The clock of the wall: a timer that notices when the clock is set, and the time zones. Private to the schedules. */
#pragma once

#include "manager/manager.h"
#include "model/zone.h"

/* For the one next time of all, CLOCK_REALTIME; USEC_INFINITY: none. 0 or -errno. */
int schedule_arm(Manager *m, usec_t at);
/* The zone of a spec's schedule, valid until the clock or the machine's zone changes; *ret NULL is UTC. Errors as timezone_load(). */
int schedule_zone(Manager *m, const ServiceSpec *s, const Zone **ret, KlError *reterr);

/* schedule.c: what is due; all: look at each, because the clock was set or the zone has changed. */
void schedules_turn(Manager *m, bool all);
