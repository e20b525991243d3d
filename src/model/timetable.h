/* When a scheduled service runs: its calendar or its span, with the delay of each run; what was missed, and what is to be made up for. Pure: times
 * of CLOCK_REALTIME in microseconds and the zone are arguments. */
#pragma once

#include "model/calendar.h"
#include "model/spec.h"

#define TIMETABLE_PENDING_MAX 100          /* runs that can wait for their turn */
#define TIMETABLE_GRACE (60 * USEC_PER_SEC)   /* later than this, a run counts as missed */

typedef struct Timetable {
        Calendar calendar;
        usec_t every;                      /* 0: the calendar */
        usec_t random_delay;
        uint64_t seed;                     /* of the delays: the service's own */
} Timetable;

/* Of a valid spec that is scheduled. -EINVAL, -ENOMEM. */
int timetable_init(Timetable *t, const ServiceSpec *s);

/* One time of the timetable: the one that it names, and when the run comes, which is later by its random delay. */
typedef struct Due {
        usec_t named, at;                  /* USEC_INFINITY: never */
} Due;

/* The first after `handled`, which is a named time, or when the service was applied. */
Due timetable_next(const Timetable *t, const Zone *z, usec_t handled);

/* From when on times count: `handled`. One that lies ahead, because the clock was set back, holds up nothing that runs every hour or more often, and
 * nothing at all when it lies far ahead: then it is *base, when that was seen (0: not yet), which goes on through further changes of the clock. */
usec_t timetable_base(const Timetable *t, usec_t handled, usec_t *base, usec_t now);

/* What came due in (handled, now]. */
typedef struct Dues {
        unsigned n;
        bool more;                         /* than were counted */
        bool timely;                       /* the last of them is due now; all others were missed */
        Due first, last;
        usec_t handled;                    /* up to here there is nothing left to do */
} Dues;
Dues timetable_dues(const Timetable *t, const Zone *z, usec_t handled, usec_t now);

/* How many runs come of them, TIMETABLE_PENDING_MAX at most; one of them is the timely one, if there is one. */
unsigned timetable_runs(ScheduleMissed policy, const Dues *d);
