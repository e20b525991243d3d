/* The journal as source. Must stay true: after a seek the first entry is delivered without moving (`pending`), since positions of
 * libsystemd are between nothing and an entry, never before one; pointers into the journal's map are good until the next call. */
#include <syslog.h>
#include <systemd/sd-journal.h>

#include "logger/journal.h"

#define MESSAGE_MAX (1024 * 1024)     /* of a compressed message; the journal's default for one line is 48 KiB */

struct JournalReader {
        sd_journal *journal;
        bool pending;            /* the current entry has not been delivered */
        char unit[256];
};

int journal_reader_open(const char *identifier, JournalReader **ret) {
        _cleanup_(journal_reader_freep) JournalReader *r = calloc(1, sizeof(*r));
        char match[sizeof("SYSLOG_IDENTIFIER=") + 256];
        size_t n = strlen(identifier);
        int q;

        if (!r)
                return -ENOMEM;
        if (n == 0 || n > 255)
                return -EINVAL;
        q = sd_journal_open(&r->journal, SD_JOURNAL_LOCAL_ONLY);
        if (q < 0)
                return q;
        memcpy(mempcpy(match, "SYSLOG_IDENTIFIER=", 18), identifier, n);
        q = sd_journal_add_match(r->journal, match, 18 + n);
        if (q >= 0)
                q = sd_journal_set_data_threshold(r->journal, MESSAGE_MAX);
        if (q < 0)
                return q;
        *ret = TAKE_PTR(r);
        return 0;
}

JournalReader *journal_reader_free(JournalReader *r) {
        if (r && r->journal)
                sd_journal_close(r->journal);
        free(r);
        return NULL;
}

int journal_reader_seek_tail(JournalReader *r, uint64_t lines) {
        int q;

        r->pending = false;
        q = sd_journal_seek_tail(r->journal);
        /* Going back at least one makes the position an entry: from a bare tail, entries that come later would not be found. */
        if (q >= 0)
                q = sd_journal_previous_skip(r->journal, MAX(lines, (uint64_t) 1));
        if (q < 0)
                return q;
        if (q == 0)
                return sd_journal_seek_head(r->journal); /* nothing there yet: all that comes is new */
        r->pending = lines > 0;
        return 0;
}

int journal_reader_seek_time(JournalReader *r, usec_t since) {
        r->pending = false;
        return sd_journal_seek_realtime_usec(r->journal, since);
}

/* The value of a field of the current entry, without its name; false: it has none. */
static bool field(JournalReader *r, const char *name, const char **ret, size_t *ret_size) {
        size_t prefix = strlen(name) + 1, n;
        const void *data;

        if (sd_journal_get_data(r->journal, name, &data, &n) < 0 || n < prefix)
                return false;
        *ret = (const char *) data + prefix;
        *ret_size = n - prefix;
        return true;
}

static int number(JournalReader *r, const char *name, int missing) {
        const char *p;
        size_t n;
        int value = 0;

        if (!field(r, name, &p, &n) || n == 0 || n > 9)
                return missing;
        for (size_t i = 0; i < n; i++) {
                if (p[i] < '0' || p[i] > '9')
                        return missing;
                value = value * 10 + (p[i] - '0');
        }
        return value;
}

static void get_unit(JournalReader *r) {
        const char *p;
        size_t n;

        r->unit[0] = '\0';
        if (!field(r, "_SYSTEMD_UNIT", &p, &n))
                return;
        n = MIN(n, sizeof(r->unit) - 1);
        memcpy(r->unit, p, n);
        r->unit[n] = '\0';
}

static int get_record(JournalReader *r, JournalRecord *ret) {
        JournalRecord j = { .message = "" };
        int q;

        q = sd_journal_get_realtime_usec(r->journal, &j.realtime);
        if (q < 0)
                return q;
        j.priority = number(r, "PRIORITY", -1);
        if (j.priority > LOG_DEBUG)
                j.priority = -1;
        j.stream = j.priority >= 0 && j.priority <= LOG_WARNING;
        j.pid = number(r, "_PID", 0);
        get_unit(r);
        j.unit = r->unit;
        /* Last, for the next field that is asked for takes the memory back. */
        (void) field(r, "MESSAGE", &j.message, &j.size);
        *ret = j;
        return 1;
}

int journal_reader_next(JournalReader *r, JournalRecord *ret) {
        int q;

        do {
                q = r->pending ? 1 : sd_journal_next(r->journal);
                r->pending = false;
                if (q <= 0)
                        return q;
                q = get_record(r, ret);
        } while (q == -EBADMSG || q == -EADDRNOTAVAIL); /* a damaged entry is passed over */
        return q;
}

int journal_reader_watch_fd(JournalReader *r) {
        return sd_journal_get_fd(r->journal);
}

int journal_reader_changed(JournalReader *r) {
        int q = sd_journal_process(r->journal);

        return q < 0 ? q : 0;
}
