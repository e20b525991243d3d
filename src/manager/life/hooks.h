/* Hooks of an instance: Lifecycle.hooks says which are to run, these are the processes for it. */
#pragma once

#include "manager/manager.h"

/* Starts what lc.hooks asks for and does not run, ends what runs and is not in it any more. What cannot even be tried is an answer in *next, if
 * that is free. */
void hooks_reconcile(Instance *i, LcInput *next);
/* Those of a manager before us have been ended: they are done anew, with their whole time. */
void hooks_resume(Instance *i);
void hooks_free(Instance *i);
/* Why it failed when it ran last: "exit code 3"; NULL: it did not, or another one has failed since. */
const char *hooks_failure(const Instance *i, HookKind k);
/* The one that failed last: {name, error, since_usec, until_usec}, times in CLOCK_REALTIME; NULL: none has. */
json_object *hooks_failure_json(const Instance *i);
