/* Inside kind `session`: who belongs to which cell, told from /proc alone. */
#pragma once

#include "base/map.h"
#include "isolate/isolate_internal.h"

#define INVOCATION_MAX 40   /* bytes with the NUL; longer ones are cut and then never equal one of ours */

/* A process that arrived at the keeper without being anybody's main process, or any process in a walk over all of /proc. */
typedef struct Stray {
        pid_t pid;
        ProcessStat stat;
        char invocation[INVOCATION_MAX];   /* INVOCATION_ID of its environment, "" without one or where it may not be read */
        bool unformed;                     /* has given up its memory and with it its environment, but not its children yet; or has none yet, as it executes */
} Stray;
typedef struct StrayList { Stray *items; size_t n; } StrayList;
void stray_list_done(StrayList *l);

typedef struct SessionIsolate {
        Isolate isolate;
        Map *mains;              /* pid → SessionCell, for main processes that have not been reaped */
        StrayList recent;        /* where a picture of a moment ago will do */
        usec_t recent_at;        /* CLOCK_MONOTONIC; 0: never */
} SessionIsolate;

typedef struct SessionCell {
        Cell cell;               /* where is the invocation id */
        uint64_t key;            /* of the map of mains; 0: not in it */
        uint64_t since;          /* start time of its first process: nobody older is the cell's. 0: not known */
        bool wide;               /* main is no child of this keeper (it outlived another): orphans may be anywhere */
} SessionCell;

/* Children of the keeper that are neither main processes nor ours, alive, that began at `since` or later (ticks, as ProcessStat has it). One that
 * is about to end is waited for a moment: until then it is between the keeper and children of its own, and nobody can tell whose it was. */
int strays_read(const SessionIsolate *si, uint64_t since, StrayList *ret);
/* A process and those it descends from, up to the daemon, to init or to one that is gone by now. 0, -ENOMEM. */
int ancestry_read(const SessionIsolate *si, pid_t pid, StrayList *ret);
/* Does the process belong to the cell by itself, descent aside? */
bool session_claims(const SessionCell *sc, const ProcessStat *stat, const char *invocation);
/* 1, 0, or -errno where it is not to be known for want of memory or descriptors. */
int session_main_alive(const SessionCell *sc);
/* One look at every living process of the cell, main's tree and orphans with theirs. orphans: a list to go by, or NULL to read it anew.
 * 1: something could not be told yet and may have been missed, look again; 0: that was all. */
int session_members_pass(const SessionCell *sc, const StrayList *orphans, PidSet *ret);
/* The same until nothing new turns up. */
int session_members(const SessionCell *sc, PidSet *ret);
