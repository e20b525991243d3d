/* What runs although the state does not know it. */
#pragma once

#include "manager/manager.h"

/* The origin of a service that was made of its running process. */
#define ORIGIN_RECOVERED "(recovered from its process)"

/* Makes the rows that the state lacks, before adopt_all() reads it: of every process of ours on the machine where the state is a new one, else
 * of those children of the keeper whose run could not be written. 0, or -errno with reterr when they cannot be written. */
int recover_all(Manager *m, KlError *reterr);
/* The state is whole from now on: only what the keeper holds is looked at. */
int recover_mark(Manager *m);
/* For status: a malloc'ed line that names the services that live on without their file, or NULL when there are none. */
char *recover_problem(const Manager *m);
