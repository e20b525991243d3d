/* `events`: the history from the store, then what comes. */
#pragma once

#include "manager/events.h"

void follow_event(Manager *m, const Instance *i, const PendingEvent *e);   /* to whoever follows */
int api_events(VarlinkCall *call, json_object *parameters, void *userdata);
void followers_free(Manager *m);
