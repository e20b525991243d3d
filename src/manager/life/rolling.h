/* Rolling reload: new instances take the places of the old ones, as model/rolling says. Sockets are shared by both, so that clients notice nothing. */
#pragma once

#include "manager/manager.h"

/* Whether that is how the service reloads: reload.by says so, or nothing else does and there are sockets or several instances. */
bool rolling_fits(const Service *s);
/* Every instance that runs now is to be replaced. One that is under way begins anew; one that another manager left is joined. 0, or -errno with reterr. */
int rolling_begin(Service *s, KlError *reterr);
/* Ends it: new ones that have no place yet go, what was replaced stays replaced. False: there was none. */
bool rolling_cancel(Service *s, const char *why);
/* An instance of it changed. */
void rolling_attend(Instance *i);
/* It began to stop: one that was replaced has its own time for that. */
void rolling_drain(Instance *i);
/* What came of it for this instance: 1 replaced, 0 not yet, -1 never, with the reason (malloc'ed). */
int rolling_judge(const Instance *i, char **ret_error);
/* Goes on with those that the state knows of. */
void rolling_adopted(Manager *m);
Rolling *rolling_free(Rolling *r);
/* {active, replaced, instances, error}, or NULL: there was none. */
json_object *rolling_json(const Service *s);
