/* A map of keys → a spec: groups, unknown keys, the rules over several keys. */
#pragma once

#include "config/fields.h"

typedef enum ServiceOrigin {
        SERVICE_FROM_FILE,     /* an entry of `services:` */
        SERVICE_FROM_DEFAULTS, /* `defaults:` has no command and no rules over several keys */
        SERVICE_FROM_PROFILE,  /* an overlay of a service */
        SERVICE_FROM_API,      /* carries its name and namespace itself */
} ServiceOrigin;

size_t service_key_count(void);

/* Reads every key of the maps into f->spec, each laid over the one before it: a key of a later map replaces that of an earlier one, `env` is
 * merged by its names. places[i] (room for service_key_count(), zeroed by the caller) becomes the value of spec_keys[i] where a map has it. What is
 * wrong is said in the diagnostics; 0 or -ENOMEM. */
int service_read(const FieldReader *f, ServiceOrigin origin, const Node *const *maps, size_t n, const Node **places);

/* spec_validate(), its complaint put at the place of the key it names: the service's own, that of the defaults, else `otherwise`. Either
 * array may be NULL. */
int service_validate(const FieldReader *f, const Node *otherwise, const Node *const *places, const Node *const *default_places);

/* Says that `key` (within `group`, NULL at the top of a service) is not known, with the nearest name. 0 or -ENOMEM. */
int service_unknown_key(const FieldReader *f, const char *group, const Node *key);
