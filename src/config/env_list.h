/* A set of NAME=value under construction: many additions are cheap, and the last one of a name wins. */
#pragma once

#include "base/macro.h"

typedef struct EnvList {
        char **items;
        size_t n, allocated;
} EnvList;

void env_list_done(EnvList *l);
#define _cleanup_env_list_ _cleanup_(env_list_done)
/* "name=value" of texts with lengths; 0 or -ENOMEM. */
int env_list_add(EnvList *l, const char *name, size_t name_length, const char *value, size_t value_length);
int env_list_add_all(EnvList *l, char *const *env);
/* Sorted by name, one entry a name, into *ret (what it held is freed); the list is empty afterwards. An empty set gives NULL. 0 or -ENOMEM.
 */
int env_list_finish(EnvList *l, char ***ret);
