/* Finds a spec of a list by namespace and name in one step, where a walk for each of thousands of services would be felt. Private to this room.
 * Borrows the list, which must not change meanwhile. */
#pragma once

#include "base/map.h"
#include "model/spec.h"

typedef struct SpecIndex {
        const SpecList *list;
        Map *map;          /* "namespace/name" → ServiceSpec ** in list->items; the first of equal names */
        char **keys;
} SpecIndex;

int spec_index_init(SpecIndex *x, const SpecList *l);
void spec_index_done(SpecIndex *x);
#define _cleanup_spec_index_ _cleanup_(spec_index_done)

/* 1 and the position, 0 when there is none, -ENOMEM. A name with a slash in it carries its own namespace. */
int spec_index_find(const SpecIndex *x, const char *ns, const char *name, size_t *ret);
