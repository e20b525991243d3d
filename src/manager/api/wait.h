/* Clients that wait until instances have settled. */
#pragma once

#include "manager/life/service.h"
#include "manager/manager.h"

typedef enum WaitGoal { WAIT_UP, WAIT_DOWN, WAIT_GONE, WAIT_RELOADED } WaitGoal;

/* Answers `call` when every instance of the selection has reached the goal or cannot; with "more", each one as it settles. `extra`
 * (consumed, may be NULL) is the object that the reply's "results" are added to. */
int wait_begin(Manager *m, VarlinkCall *call, const Selection *s, WaitGoal goal, json_object *extra);
/* A Result of the API: the instance as it is, and the error (NULL: it went well). NULL on OOM. */
json_object *wait_result(const Instance *i, const char *state, const char *error);
void wait_changed(Instance *i);
void wait_freed(Instance *i);
void wait_moved(Instance *from, Instance *to);               /* who waits for the one waits for the other, which has its place */
char *wait_why_down(const Instance *i);                      /* how it ended, in words; malloc'ed, NULL on OOM */
void wait_free_all(Manager *m);
