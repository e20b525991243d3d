/* Probes of living instances: tried in time, their verdicts fed to the lifecycle, their last words kept for `describe`. */
#pragma once

#include "manager/manager.h"

/* Begins the probes that an instance should have now, and ends those that it should not: by its state, by what its probes have said, by its spec. To be
 * called whenever one of these changes; when the spec does, before the old one is freed. An instance without probes costs nothing. */
void probes_update(Instance *i);
void probes_free(Instance *i);
void probes_free_all(Manager *m);                  /* when no instance is left */
/* What is known of each probe of the instance: an array, empty for one without. NULL on OOM. */
json_object *probes_json(const Instance *i);
/* "readiness probe: connection refused" for an instance that runs and is not ready because of it; NULL otherwise, and on OOM. */
char *probes_complaint(const Instance *i);
