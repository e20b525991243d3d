/* A stream of log entries on standard output, in the form that was asked for. */
#pragma once

#include "kingctl/ctl.h"
#include "kingctl/output.h"

/* In front of a line, and how the line itself is treated. */
typedef struct LogStyle {
        bool time;
        unsigned name;           /* columns for "name:instance" and " | "; 0: without */
        bool space;              /* names with their namespace */
        bool colour;
        bool raw;                /* bytes as they were written */
        const char *indent;
} LogStyle;
/* Without the newline. */
void log_entry_print(FILE *f, json_object *entry, const LogStyle *style);

typedef struct LogView {
        Ctl *ctl;
        LogStyle style;
        json_object *origins;    /* "namespace/name:instance" → its label */
        bool labelled;           /* several arguments: names from the start */
        bool document;           /* -o json: one array */
        size_t printed;
        char *open;              /* origin and stream of a line that goes on in the next entry; NULL: none */
} LogView;

int log_view_init(LogView *v, Ctl *ctl, bool labelled);
void log_view_done(LogView *v);
/* Who writes, and what the daemon has to say of it: the fields origins and notices of a reply. */
void log_view_reply(LogView *v, json_object *reply);
void log_view_entry(LogView *v, json_object *entry);
/* Ends what is open. */
void log_view_end(LogView *v);
