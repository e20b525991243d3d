/* Must stay true: the position is an entry or the head, so that what comes later is found. */
#include "logger/journal_drops.h"

#include <systemd/sd-journal.h>

/* SD_MESSAGE_JOURNAL_DROPPED of systemd/sd-messages.h */
#define DROPPED "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e"

struct JournalDrops {
        sd_journal *journal;
};

int journal_drops_open(JournalDrops **ret) {
        _cleanup_(journal_drops_freep) JournalDrops *d = calloc(1, sizeof(*d));
        int r;

        if (!d)
                return -ENOMEM;
        r = sd_journal_open(&d->journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        if (r >= 0)
                r = sd_journal_add_match(d->journal, DROPPED, 0);
        /* Anybody may claim the id; only journald's own driver messages count. */
        if (r >= 0)
                r = sd_journal_add_match(d->journal, "_TRANSPORT=driver", 0);
        if (r >= 0)
                r = sd_journal_seek_tail(d->journal);
        /* A position is an entry: from a bare tail, later ones would not be found. */
        if (r >= 0)
                r = sd_journal_previous(d->journal);
        if (r == 0)
                r = sd_journal_seek_head(d->journal);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

JournalDrops *journal_drops_free(JournalDrops *d) {
        if (d && d->journal)
                sd_journal_close(d->journal);
        free(d);
        return NULL;
}

int journal_drops_fd(JournalDrops *d) {
        return sd_journal_get_fd(d->journal);
}

int journal_drops_changed(JournalDrops *d) {
        int r = sd_journal_process(d->journal);

        return r < 0 ? r : 0;
}

/* The value of a field into buf, cut to its size; "" where there is none. */
static void get(JournalDrops *d, const char *name, char *buf, size_t size) {
        size_t prefix = strlen(name) + 1, n;
        const void *data;

        buf[0] = '\0';
        if (sd_journal_get_data(d->journal, name, &data, &n) < 0 || n < prefix)
                return;
        n = MIN(n - prefix, size - 1);
        memcpy(buf, (const char *) data + prefix, n);
        buf[n] = '\0';
}

int journal_drops_next(JournalDrops *d, JournalDrop *ret) {
        int r = sd_journal_next(d->journal);
        char number[32];

        if (r <= 0)
                return r;
        *ret = (JournalDrop) {};
        (void) sd_journal_get_realtime_usec(d->journal, &ret->realtime);
        get(d, "N_DROPPED", number, sizeof(number));
        ret->lines = strtoull(number, NULL, 10);
        get(d, "OBJECT_SYSTEMD_UNIT", ret->unit, sizeof(ret->unit));
        return 1;
}
