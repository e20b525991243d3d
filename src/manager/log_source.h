/* One instance's output as a sequence of records, wherever it went. */
#pragma once

#include "logger/journal.h"
#include "manager/manager.h"

typedef struct LogSource {
        char *ns, *name, *label;
        char *key;                       /* "namespace/name:instance", the first part of its cursors */
        unsigned instance;
        LogReader *file;
        JournalReader *journal;
        LogRecord record;                /* the one read ahead */
        pid_t pid;
        bool has;
        bool raw;                        /* file without line prefixes: its last line may have no newline */
        bool dry;                        /* nothing more in this turn */
} LogSource;

/* Where to begin: behind a cursor of this source; else with what was written since a time; else with that many lines from the end. */
typedef struct LogStart {
        json_object *after;              /* array of cursors, of any sources; NULL: none */
        usec_t since;                    /* CLOCK_REALTIME; 0: none */
        uint64_t lines;
} LogStart;

/* Opens in place: *ret must not move afterwards. -EINVAL: a cursor that never was one. */
int log_source_open(const Instance *i, const LogStart *start, LogSource *ret);
void log_source_done(LogSource *s);
/* Makes sure a record is read ahead if there is one. What an instance that has ended left unfinished counts as its last line. 1, 0,
 * -errno. */
int log_source_peek(Manager *m, LogSource *s);
/* Names the place behind the record that was read ahead last: "KEY,POSITION". malloc'ed; NULL on OOM. */
char *log_source_cursor(LogSource *s);
