/* The journal as sink and as source. Sources: sd_journal_stream_fd(3), sd-journal(3), systemd.journal-fields(7). */
#pragma once

#include "logger/reader.h"

/* Whether a journald listens (/run/systemd/journal/stdout answers a connect). */
bool journal_available(void);
/* A stream whose lines arrive with SYSLOG_IDENTIFIER=identifier and, unless prefixed "<N>", this priority. CLOEXEC; the caller owns it. */
int journal_stream(const char *identifier, int priority, int *ret_fd);

typedef struct JournalReader JournalReader;
typedef struct JournalRecord {
        usec_t realtime;
        int priority;            /* 0..7, or -1 */
        int stream;              /* 0 out, 1 err (priority <= LOG_WARNING) */
        pid_t pid;
        const char *unit;        /* _SYSTEMD_UNIT, valid until the next call; "" if none */
        const char *message;     /* may hold any bytes */
        size_t size;
} JournalRecord;
/* Matches SYSLOG_IDENTIFIER=identifier of this boot and earlier ones. user: the user's own journal too. */
int journal_reader_open(const char *identifier, JournalReader **ret);
JournalReader *journal_reader_free(JournalReader *r);
DEFINE_CLEANUP(JournalReader *, journal_reader_free);
int journal_reader_seek_tail(JournalReader *r, uint64_t lines);
int journal_reader_seek_time(JournalReader *r, usec_t since);
int journal_reader_next(JournalReader *r, JournalRecord *ret);   /* as log_reader_next */
int journal_reader_watch_fd(JournalReader *r);                   /* sd_journal_get_fd; call journal_reader_changed when readable */
int journal_reader_changed(JournalReader *r);                    /* sd_journal_process */
