/* Lines that services wrote, as a person reads them. */
#pragma once

#include "kingctl/ctl.h"
#include "kingctl/output.h"

typedef struct LogStyle {
        bool time; /* the time in front */
        bool name; /* "name:instance | " in front */
        bool colour;
        const char *indent;
} LogStyle;

void log_entry_print(FILE *f, json_object *entry, const LogStyle *style);

/* The newest lines of one instance, on f. What cannot be had is left out: this only ever adds to something more important. Returns how many
 * lines were printed. */
size_t log_tail_print(Ctl *ctl, FILE *f, const char *ns, const char *name, int64_t instance, unsigned lines);

/* follow.c: prints the entries of a stream until it ends or SIGINT or SIGTERM comes; goes on over a loss of the connection without gap or
 * repeat. Consumes parameters. */
typedef enum FollowKind { FOLLOW_LOGS, FOLLOW_EVENTS } FollowKind;
int follow_stream(Ctl *ctl, FollowKind kind, json_object *parameters, void (*print)(json_object *entry, void *userdata), void *userdata);
