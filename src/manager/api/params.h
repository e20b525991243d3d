/* Parameters that several methods share. */
#pragma once

#include "manager/life/service.h"
#include "manager/manager.h"

/* "selectors" (strings) and "namespace". ret_selectors NULL when absent. Both malloc'ed. -EINVAL with reterr. */
int params_selectors(json_object *parameters, char ***ret_selectors, char **ret_ns, KlError *reterr);
/* What they select, for a method that changes something: at least one selector, instances that are not on their way out, and a daemon that
 * stays. -EINVAL, -ENOENT, -ESHUTDOWN with reterr. */
int params_selection(Manager *m, json_object *parameters, Selection *ret, KlError *reterr);
