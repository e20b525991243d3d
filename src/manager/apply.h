/* Making it so: specs from files or clients → plan → store → living services. */
#pragma once

#include "manager/life/service.h"
#include "manager/manager.h"
#include "model/plan.h"

/* Plans and, unless diff, performs it: the store first (durably), then the services. desired's specs are taken (the list is left empty)
 * unless diff. origin NULL: as it was. touched gets the instances that were started, restarted or stopped for it. */
int apply_specs(Manager *m, SpecList *desired, const char *origin, bool prune, bool diff, bool start, Plan *ret_plan, char ***ret_warnings,
                Selection *touched, KlError *reterr);
/* The configuration files of this daemon: at start, and again on SIGHUP. A file with errors changes nothing and is a visible problem. */
int apply_files(Manager *m);
void apply_reload(Manager *m);

/* api_profiles.c: the profiles in force of the first of these services ("namespace/name") that is known, as ConfigOptions.remembered wants it;
 * userdata is the Manager. */
int apply_profiles(void *userdata, char *const *services, char ***ret);

/* Writes the service's row: `v` without names and spec, which are taken from `spec`. */
int apply_store(Manager *m, const ServiceSpec *spec, StoredService v);
