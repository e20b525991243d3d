/* Streams of the daemon, read to their end or for ever. */
#pragma once

#include <stdio.h>

#include "kingctl/ctl.h"

/* The newest lines of one instance, on f. What cannot be had is left out: this only ever adds to something more important. Returns how many
 * lines were printed. */
size_t log_tail_print(Ctl *ctl, FILE *f, const char *ns, const char *name, int64_t instance, unsigned lines);

typedef struct FollowView {
        void (*reply)(void *userdata, json_object *reply); /* a reply, before its entries; NULL: not wanted */
        void (*entry)(void *userdata, json_object *entry);
        void *userdata;
} FollowView;

/* follow.c: shows the entries of a stream until it ends or SIGINT or SIGTERM comes; goes on over a loss of the connection without gap or
 * repeat. Consumes parameters. ret_after (may be NULL): of logs, the cursors of the last entries, for the parameter `after` (owned). */
typedef enum FollowKind { FOLLOW_LOGS, FOLLOW_EVENTS } FollowKind;
int follow_stream(Ctl *ctl, FollowKind kind, json_object *parameters, const FollowView *view, json_object **ret_after);

/* logs.c: the verb logs, of selectors and as the options say. own: shows the entries (and nothing else) in place of the verb; NULL: the verb
 * does. */
int logs_show(Ctl *ctl, char **selectors, const FollowView *own);
