/* An instance's output, or that of all instances of a service in one file, as a sequence of records, wherever it went. */
#pragma once

#include "logger/journal.h"
#include "manager/manager.h"

typedef struct LogSource {
        char *ns, *name;
        char *key;                       /* the first part of its cursors: "namespace/name:instance", of a merged file "namespace/name" */
        char *path;                      /* of the file; NULL: the journal */
        int format;
        bool merged;                     /* one file for all instances: each line names its own */
        uint32_t *wanted;                /* instances; of a file of its own just that one */
        size_t n_wanted;
        bool several;                    /* instances are called "web:0" */
        LogReader *file;
        uint64_t end_ino, end_offset;    /* how far the file was written when it was opened */
        uint64_t left;                   /* records that make up the number of lines that was asked for; else no limit */
        JournalReader *journal;
        const char *daemon;              /* our id, borrowed of the manager */
        LogRecord record;                /* the one read ahead */
        bool has;
        bool dry;                        /* nothing more in this turn */
        int fault;                       /* why not, as the client was told: -errno; 0: there was no more */
        bool done;                       /* nothing more at all: it has come to `until` */
} LogSource;

/* Where to begin: behind a cursor of this source; else with what was written since a time; else with that many lines from the end, or before
 * `until`. */
typedef struct LogStart {
        json_object *after;              /* array of cursors, of any sources; NULL: none */
        usec_t since, until;             /* CLOCK_REALTIME; 0: none */
        uint64_t lines;
} LogStart;

/* -EINVAL: a cursor that never was one. */
int log_source_open(const Instance *i, const LogStart *start, LogSource **ret);
LogSource *log_source_free(LogSource *s);
DEFINE_CLEANUP(LogSource *, log_source_free);
/* Whether it reads the place that this instance writes to from its present run on, and whether its lines are wanted there. */
bool log_source_serves(const LogSource *s, const Instance *i);
bool log_source_wants(const LogSource *s, uint32_t instance);
int log_source_want(LogSource *s, uint32_t instance);
/* Makes sure a record is read ahead if there is one. What an instance that has ended left unfinished counts as its last line. 1, 0,
 * LOG_READER_BUSY, -errno. */
int log_source_peek(Manager *m, LogSource *s);
/* Names the place behind the record that was read ahead last: "KEY,POSITION". malloc'ed; NULL on OOM. */
char *log_source_cursor(LogSource *s);

/* log_entry.c: the record read ahead as a LogEntry, and who writes here as a LogOrigin; NULL on OOM. */
json_object *log_entry_json(LogSource *s);
json_object *log_origin_json(const Instance *i);
