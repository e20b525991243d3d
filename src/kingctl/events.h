/* What the daemon noted about services, as a person reads it. */
#pragma once

#include "kingctl/output.h"

/* One line: time, instance, what happened. name: with the instance's name. */
void event_print(FILE *f, json_object *event, bool name, bool colour, const char *indent);
