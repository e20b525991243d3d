/* A hash map from strings or 64-bit integers to pointers. Keys are owned by the caller and must outlive their entry (they usually sit in
 * the value). Open addressing, SipHash-free: keys come from the operator, growth is bounded by limits elsewhere. */
#pragma once

#include "base/macro.h"

typedef struct Map Map;

Map *map_new_string(void);   /* NULL on OOM */
Map *map_new_u64(void);      /* keys given as const uint64_t * */
Map *map_free(Map *m);       /* values stay with their owners; returns NULL */
DEFINE_CLEANUP(Map *, map_free);

int map_put(Map *m, const void *key, void *value);   /* 0, -EEXIST, -ENOMEM */
void *map_get(const Map *m, const void *key);        /* NULL if absent */
void *map_remove(Map *m, const void *key);           /* the value, or NULL */
size_t map_size(const Map *m);
/* Iteration in no particular order: *i starts at 0; returns false at the end. Removal of the current entry during iteration is not allowed.
 */
bool map_next(const Map *m, size_t *i, void **ret_value);
