/* Order among services. Pure. */
#pragma once

#include "model/spec.h"

/* Finds a cycle among the dependencies of a list. 1 and a text "a -> b -> a" (malloc'ed) for the first one, 0 for none, -ENOMEM. *ret_index is
 * the position of a service on the cycle. Unknown names are not a cycle. */
int depend_find_cycle(const SpecList *l, char **ret_text, size_t *ret_index);
/* Positions of the services such that each comes after what it depends on; ties keep the order of the list. malloc'ed array of l->n.
 * -ELOOP on a cycle. Starting walks it forwards, stopping backwards. */
int depend_order(const SpecList *l, size_t **ret);
/* One more dependency on a service of the same namespace, unless it has one on it. 0 or -ENOMEM. */
int depend_add(ServiceSpec *s, const char *on, int kind);
/* The spec a dependency of `s` names ("name" in its own namespace, or "ns/name"), or NULL. */
ServiceSpec *depend_resolve(const SpecList *l, const ServiceSpec *s, const Dependency *d);
