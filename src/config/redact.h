/* The canonical form of a service without its secrets. */
#pragma once

#include <json-c/json.h>

#include "model/redact.h"

/* A copy of what config_spec_to_json() or its like gave, NULL on OOM (and for NULL). */
json_object *config_redact(const Redactor *r, json_object *service);
