/* Services with a schedule: one timer for all of them, on the clock of the wall. */
#pragma once

#include "manager/manager.h"

/* The spec is new or has changed: what is due is counted from now on, unless `old` (may be NULL) has the same schedule. */
void schedule_update(Service *s, const ServiceSpec *old);
Schedule *schedule_free(Schedule *t);
void schedules_done(Manager *m);

/* It runs at its times alone: neither its file nor our beginning starts it. */
bool schedule_holds(const Service *s);
/* It has a schedule that is on: at rest it waits. */
bool schedule_waits(const Service *s);
/* CLOCK_REALTIME; 0: there is none. */
usec_t schedule_next(const Service *s);
usec_t schedule_last(const Service *s);
unsigned schedule_pending(const Service *s);

/* Whether the time zones of these specs are known here. 0, or -EINVAL with reterr. */
int schedule_check(const SpecList *specs, KlError *reterr);

int schedules_recall(Manager *m);        /* what the books say, when the services are there */
void schedules_begin(Manager *m);        /* what was missed, and the timer */
void schedules_pump(Manager *m);         /* runs whose turn has come */
int schedule_write(Service *s);          /* its row if it changed, in the store's open transaction */
void schedule_written(Service *s);
bool schedule_unwritten(const Service *s);
void schedule_mark(Service *s);          /* its row is to be written again */
