/* What happened, for people and programs: written to the store with the books, streamed to followers, sent to the journal. */
#pragma once

#include "manager/manager.h"
#include "model/event_kind.h"
#include "model/plan.h"

struct PendingEvent {
        PendingEvent *next;
        usec_t realtime;
        int64_t id;
        EventKind kind;
        char *ns, *name, *message, *data;
        int instance;
        bool told;                         /* to the followers */
};

/* Records an event; i may be NULL (the daemon's own). data is consumed, may be NULL. */
void event_emit(Manager *m, const Instance *i, json_object *data, EventKind kind, const char *format, ...) _printf_(5, 6);
/* Events that a transition means. */
void event_transition(Instance *i, LcState from, LcState to);
/* The main process has ended; its figures are in i->last. */
void event_exit(Instance *i, const WireExited *p);
void event_unknown(Instance *i, pid_t pid, bool seen);   /* it has ended, and nobody knows how; seen: while we looked on */
void event_oom(Instance *i);
void event_limit(Instance *i, LimitHit hit, uint64_t count);   /* met, `count` times, by one that goes on */
/* A change of the set of services, before it is made; a plan that changes nothing is no event. origin: the file, or NULL. */
void event_applied(Manager *m, const Plan *plan, const char *origin);
/* Moves pending events into the store's open transaction. */
int events_write(Manager *m);
void events_tell(Manager *m);             /* to the followers: what is written, or cannot be for now */
void events_drop(Manager *m);

