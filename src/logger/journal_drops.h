/* What journald dropped because a unit wrote faster than it allows (journald.conf(5), RateLimitBurst=): it says so itself, in an entry, when the
 * next line of that unit comes after the interval. Only who may read the system's journal sees these. */
#pragma once

#include "base/span.h"

typedef struct JournalDrops JournalDrops;
typedef struct JournalDrop {
        usec_t realtime;
        uint64_t lines;
        char unit[256];
} JournalDrop;

/* What is dropped from now on. -errno of sd_journal_open(3). */
int journal_drops_open(JournalDrops **ret);
JournalDrops *journal_drops_free(JournalDrops *d);
DEFINE_CLEANUP(JournalDrops *, journal_drops_free);
int journal_drops_fd(JournalDrops *d);                       /* borrowed; readable when the journal, anything in it, has changed */
/* Takes note of the change, and afterwards the next entry: 1, 0 when there is none, -errno. */
int journal_drops_changed(JournalDrops *d);
int journal_drops_next(JournalDrops *d, JournalDrop *ret);
