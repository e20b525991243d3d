/* What happened, for people and programs: written to the store with the books, streamed to followers. */
#pragma once

#include "manager/manager.h"

struct PendingEvent {
        PendingEvent *next;
        usec_t realtime;
        int64_t id;
        char *ns, *name, *kind, *message, *data;
        int instance;
        bool told;                         /* to the followers */
};

/* Records an event; i may be NULL (the daemon's own). data is consumed, may be NULL. */
void event_emit(Manager *m, const Instance *i, json_object *data, const char *kind, const char *format, ...) _printf_(5, 6);
/* Events that a transition means. */
void event_transition(Instance *i, LcState from, LcState to);
void event_exit(Instance *i, const WireExited *p);
/* Moves pending events into the store's open transaction. */
int events_write(Manager *m);
void events_tell(Manager *m);             /* to the followers: what is written, or cannot be for now */
void events_drop(Manager *m);

