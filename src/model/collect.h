/* Collectors of output (log.to: exec): the services that are made for them. Pure.
 *
 * A collector is a service like any other, which `collects` another: what instance N of that one writes is the standard input of its own instance N.
 * The service depends on it, so that it is there first and ends last. */
#pragma once

#include "base/error.h"
#include "model/spec.h"

#define COLLECT_SUFFIX "-log"

/* Adds to `desired` the collectors that log.exec asks for, and to services with log.to: exec the dependency on theirs. present: what there is
 * already. 0, -ENOMEM, or -EINVAL with *reterr when the name is taken by a service that is no collector of it. */
int collect_expand(SpecList *desired, const SpecList *present, KlError *reterr);
/* The collector of a service, in `l`, or NULL. */
ServiceSpec *collect_find(const SpecList *l, const ServiceSpec *s);
/* A collector of a service that `desired` says has none (any more). */
bool collect_orphaned(const ServiceSpec *collector, const SpecList *desired);
