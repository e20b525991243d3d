/* What is told of an instance, field by field: type Instance of io.kingly.Manager.varlink. */
#pragma once

#include <json-c/json.h>

#include "manager/life/service.h"

json_object *instance_json(Instance *i);        /* every field; owned, NULL on OOM */
/* An object with an array for each of the fields that are named and known, in the order of the selection: a table without its names said
 * again in each row. A field that is null in every row is left out. What only other fields need is not read. Owned, NULL on OOM. */
json_object *instance_columns(const Selection *s, char *const *fields);
json_object *percent_json(double percent);      /* to a tenth; owned */
/* A deadline on CLOCK_MONOTONIC as people have it: microseconds of CLOCK_REALTIME; owned. */
json_object *realtime_json(usec_t deadline);
