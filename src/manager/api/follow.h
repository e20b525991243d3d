/* `events`: the history from the store, then what comes. */
#pragma once

#include "manager/events.h"

json_object *event_json(Manager *m, const StoredEvent *v);                /* type Event; NULL on OOM */
void follow_event(Manager *m, const PendingEvent *e);                     /* to whoever follows */
int api_events(VarlinkCall *call, json_object *parameters, void *userdata);
void followers_free(Manager *m);
