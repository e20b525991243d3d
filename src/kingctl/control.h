/* What the three shapes of start share with the verbs they resemble. */
#pragma once

#include "kingctl/ctl.h"

/* control.c: services that the daemon knows, by selectors. */
int start_names(Ctl *ctl, char **names);
/* apply.c: files; prune and diff are the options'. */
int apply_files(Ctl *ctl, const char *const *files);
/* apply.c: one service (consumed), {"name", "namespace", keys as in the file}, that must be new or the same as the one there. */
int apply_service(Ctl *ctl, json_object *service);
