/* How many instances an operator means: "4", "max", or, beside what there is, "+2" and "-1". Pure. */
#pragma once

#include "model/spec.h"

/* The new value of spec->instances. -EINVAL with reterr when the text is none of these, or leads below 1 or beyond INSTANCES_LIMIT. */
int scale_parse(const ServiceSpec *s, const char *text, unsigned n_cpus, int32_t *ret, KlError *reterr);
