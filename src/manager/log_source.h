/* One instance's output as a sequence of records, wherever it went. */
#pragma once

#include "logger/journal.h"
#include "manager/manager.h"

typedef struct LogSource {
        char *ns, *name, *label;
        unsigned instance;
        bool scoped;                     /* journal: tell instances apart by their scope's name */
        LogReader *file;
        JournalReader *journal;
        LogRecord record;                /* the one read ahead */
        pid_t pid;
        bool has;
        bool raw;                        /* file without line prefixes: its last line may have no newline */
        bool dry;                        /* nothing more in this turn */
} LogSource;

/* lines: how many from the end; since != 0: instead those from then on (CLOCK_REALTIME usec). */
int log_source_open(const Instance *i, uint64_t lines, usec_t since, LogSource *ret);
void log_source_done(LogSource *s);
/* Makes sure a record is read ahead if there is one. What an instance that has ended left unfinished counts as its last line. 1, 0,
 * -errno. */
int log_source_peek(Manager *m, LogSource *s);
