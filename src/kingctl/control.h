/* What the three shapes of start share with the verbs they resemble. */
#pragma once

#include "kingctl/ctl.h"
#include "model/spec.h"

/* control.c: services that the daemon knows, by selectors. */
int start_names(Ctl *ctl, char **names);
/* apply.c: files; prune and diff are the options'. */
int apply_files(Ctl *ctl, const char *const *files);
/* apply.c: one service (consumed), {"name", "namespace", keys as in the file}, that must be new or the same as the one there. */
int apply_service(Ctl *ctl, json_object *service);
/* apply.c: reads files, Kingly's own and others', into one list. 0, 2 when a file has errors (said), or negative with ctl->error. Under the profiles
 * of the options; load_files under those that are in force where the options name none, for which it may start the daemon. overlays: as in
 * ConfigOptions. */
int load_files(Ctl *ctl, const char *const *files, SpecList *specs);
int read_files(Ctl *ctl, const char *const *files, json_object *overlays, SpecList *specs);
/* apply.c: a service as the API takes it: the keys that differ from their defaults, with name and namespace. NULL on OOM. */
json_object *service_of(const ServiceSpec *s);
/* evaluate.c: what a JavaScript module exports, as JSON text, malloc'ed. Runs the user's node for at most 30 s. -errno: ENOENT (no node),
 * ETIMEDOUT, EFBIG, EBADMSG (it ended badly; what it said went to stderr). */
int evaluate_with_node(const char *path, char **ret, size_t *ret_n);
/* evaluate.c: "20.11.1", of the node in PATH; malloc'ed, NULL where there is none. */
char *node_version(void);
