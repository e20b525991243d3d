/* Parameters that several methods share. */
#pragma once

#include "manager/manager.h"

/* "selectors" (strings) and "namespace". ret_selectors NULL when absent. Both malloc'ed. -EINVAL with reterr. */
int params_selectors(json_object *parameters, char ***ret_selectors, char **ret_ns, KlError *reterr);
