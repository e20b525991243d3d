/* Structured entries for the journal, by its native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/). sd_journal_sendv(3) speaks it too, but
 * waits when journald does not read; this never waits. */
#pragma once

#include "base/text.h"

#define JOURNAL_SOCKET_PATH "/run/systemd/journal/socket"

/* Appends a field to an entry; the value may hold any bytes. name: upper-case letters, digits and underscores, no leading underscore. */
int journal_field(Buffer *entry, const char *name, const void *value, size_t n);   /* 0 or -ENOMEM */
int journal_field_printf(Buffer *entry, const char *name, const char *format, ...) _printf_(3, 4);

typedef struct JournalSender {
        const char *path;        /* static; JOURNAL_SOCKET_PATH */
        int fd;                  /* owned, or -EBADF */
        uint64_t dropped;        /* entries that the journal did not take since the last that it took */
} JournalSender;
/* -errno of socket(2). */
int journal_sender_init(JournalSender *s, const char *path);
void journal_sender_done(JournalSender *s);
/* Sends an entry as one datagram. 0, or -errno: -EAGAIN journald does not read fast enough, -EMSGSIZE too large, -ENOENT and -ECONNREFUSED nobody
 * listens; each is counted in s->dropped, which the caller takes back to 0 when it has told. A journald that comes back is found again. */
int journal_send(JournalSender *s, const Buffer *entry);
