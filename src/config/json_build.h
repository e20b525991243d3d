/* The two moves of building JSON that lose nothing when memory runs out: both own the value in every case, and a NULL value is an
 * allocation that failed. 0 or -ENOMEM. */
#pragma once

#include <json-c/json.h>

#include "base/macro.h"

static inline json_object *json_put(json_object *o) {
        json_object_put(o);
        return NULL;
}
DEFINE_CLEANUP(json_object *, json_put);
#define _cleanup_json_ _cleanup_(json_putp)

static inline int json_add(json_object *map, const char *key, json_object *v) {
        if (!v)
                return -ENOMEM;
        if (json_object_object_add(map, key, v) < 0) {
                json_object_put(v);
                return -ENOMEM;
        }
        return 0;
}

static inline int json_append(json_object *list, json_object *v) {
        if (!v)
                return -ENOMEM;
        if (json_object_array_add(list, v) < 0) {
                json_object_put(v);
                return -ENOMEM;
        }
        return 0;
}
