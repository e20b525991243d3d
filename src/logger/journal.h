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
        const char *unit, *slice; /* where the writer lived, valid until the next call; "" if it was gone before journald looked */
        const char *daemon;      /* whose service it was (KINGLY_DAEMON); "" where journald did not say so. Valid as long */
        const char *message;     /* may hold any bytes */
        size_t size;
} JournalRecord;
/* Matches SYSLOG_IDENTIFIER=identifier of this boot and earlier ones. user: units and slices are those of the calling user's own manager,
 * and an entry that came from another user's has none. */
int journal_reader_open(const char *identifier, bool user, JournalReader **ret);
/* Entries that `wanted` refuses are passed over, by seeking too. NULL: none. */
void journal_reader_filter(JournalReader *r, bool (*wanted)(const JournalRecord *record, void *userdata), void *userdata);
JournalReader *journal_reader_free(JournalReader *r);
DEFINE_CLEANUP(JournalReader *, journal_reader_free);
/* Looks at no more than JOURNAL_LOOK_MAX entries, should the filter refuse most of them. */
#define JOURNAL_LOOK_MAX 65536
int journal_reader_seek_tail(JournalReader *r, uint64_t lines);
int journal_reader_seek_time(JournalReader *r, usec_t since);
/* The entry that was returned last, as sd_journal_get_cursor(3) names it; malloc'ed. And behind such an entry: 1, or 0 if it is gone and
 * reading goes on with what came next. -EINVAL: that is no cursor. */
int journal_reader_cursor(JournalReader *r, char **ret);
int journal_reader_seek_cursor(JournalReader *r, const char *cursor);
int journal_reader_next(JournalReader *r, JournalRecord *ret);   /* as log_reader_next */
int journal_reader_watch_fd(JournalReader *r);                   /* sd_journal_get_fd; call journal_reader_changed when readable */
int journal_reader_changed(JournalReader *r);                    /* sd_journal_process */
