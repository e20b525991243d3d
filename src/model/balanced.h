/* Balancers (sockets.balance): the services that are made for them. Pure.
 *
 * A balancer is a service like any other, which `balances` another: it is found, placed, logged, kept alive and stopped as every service is. The
 * service depends on it, so that it is there first and ends last. */
#pragma once

#include "base/error.h"
#include "model/spec.h"

#define BALANCER_SUFFIX "-balancer"
#define BALANCER_COMMAND "kingd-balancer"      /* beside the manager's own program, whatever PATH says */

/* Adds to `desired` the balancers that spec_balanced() asks for, and to those services the dependency on theirs. present: what there is already. 0,
 * -ENOMEM, or -EINVAL with *reterr when the name is taken by a service that is no balancer of it. */
int balanced_expand(SpecList *desired, const SpecList *present, KlError *reterr);
/* The balancer of a service, in `l`, or NULL. */
ServiceSpec *balanced_find(const SpecList *l, const ServiceSpec *s);
/* A balancer of a service that `desired` says needs none (any more). */
bool balanced_orphaned(const ServiceSpec *balancer, const SpecList *desired);
