/* The journal as source. Must stay true: after a seek the first entry is delivered without moving (`pending`), since positions of
 * libsystemd are between nothing and an entry, never before one; pointers into the journal's map are good until the next call. */
#include <syslog.h>
#include <systemd/sd-journal.h>

#include "logger/journal.h"

#define MESSAGE_MAX (1024 * 1024)     /* of a compressed message; the journal's default for one line is 48 KiB */
#define WATCHED_MAX 32                /* readers at a time; of inotify instances a user has 128, and more than logs need them */

static unsigned n_watched;              /* readers that have one now */

struct JournalReader {
        sd_journal *journal;
        bool pending;            /* the current entry has not been delivered */
        bool user, watched;
        bool (*wanted)(const JournalRecord *record, void *userdata);
        void *userdata;
        char unit[256], slice[256], daemon[256];
};

/* A file that journald makes longer or renames in the moment of opening is passed over by libsystemd. With a watch on them it looks at all of
 * the files once more. */
static void look_twice(JournalReader *r) {
        r->watched = n_watched < WATCHED_MAX && sd_journal_get_fd(r->journal) >= 0;
        n_watched += r->watched;
}

int journal_reader_open(const char *identifier, bool user, JournalReader **ret) {
        _cleanup_(journal_reader_freep) JournalReader *r = calloc(1, sizeof(*r));
        char match[sizeof("SYSLOG_IDENTIFIER=") + 256];
        size_t n = strlen(identifier);
        int q;

        if (!r)
                return -ENOMEM;
        if (n == 0 || n > 255)
                return -EINVAL;
        r->user = user;
        q = sd_journal_open(&r->journal, SD_JOURNAL_LOCAL_ONLY);
        if (q < 0)
                return q;
        memcpy(mempcpy(match, "SYSLOG_IDENTIFIER=", 18), identifier, n);
        q = sd_journal_add_match(r->journal, match, 18 + n);
        if (q >= 0)
                q = sd_journal_set_data_threshold(r->journal, MESSAGE_MAX);
        if (q < 0)
                return q;
        look_twice(r);
        *ret = TAKE_PTR(r);
        return 0;
}

JournalReader *journal_reader_free(JournalReader *r) {
        if (r && r->journal)
                sd_journal_close(r->journal);
        n_watched -= r && r->watched;
        free(r);
        return NULL;
}

void journal_reader_filter(JournalReader *r, bool (*wanted)(const JournalRecord *record, void *userdata), void *userdata) {
        r->wanted = wanted;
        r->userdata = userdata;
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

static void get_name(JournalReader *r, const char *field_name, char to[static 256]) {
        const char *p;
        size_t n;

        to[0] = '\0';
        if (!field(r, field_name, &p, &n))
                return;
        n = MIN(n, sizeof(r->unit) - 1);
        memcpy(to, p, n);
        to[n] = '\0';
}

static void get_place(JournalReader *r, JournalRecord *j) {
        get_name(r, r->user ? "_SYSTEMD_USER_UNIT" : "_SYSTEMD_UNIT", r->unit);
        get_name(r, r->user ? "_SYSTEMD_USER_SLICE" : "_SYSTEMD_SLICE", r->slice);
        if (r->user && number(r, "_SYSTEMD_OWNER_UID", (int) geteuid()) != (int) geteuid())
                r->unit[0] = r->slice[0] = '\0';
        get_name(r, "KINGLY_DAEMON", r->daemon);
        j->unit = r->unit;
        j->slice = r->slice;
        j->daemon = r->daemon;
}

/* 1, or 0 for an entry that is not wanted. */
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
        get_place(r, &j);
        /* Last, for the next field that is asked for takes the memory back. */
        (void) field(r, "MESSAGE", &j.message, &j.size);
        *ret = j;
        return !r->wanted || r->wanted(ret, r->userdata);
}

/* A damaged entry is passed over, as if it were not wanted. */
static int look(JournalReader *r, JournalRecord *ret) {
        int q = get_record(r, ret);

        return q == -EBADMSG || q == -EADDRNOTAVAIL ? 0 : q;
}

int journal_reader_next(JournalReader *r, JournalRecord *ret) {
        int q;

        do {
                q = r->pending ? 1 : sd_journal_next(r->journal);
                r->pending = false;
                if (q <= 0)
                        return q;
                q = look(r, ret);
        } while (q == 0);
        return q;
}

int journal_reader_seek_tail(JournalReader *r, uint64_t lines) {
        JournalRecord record;
        uint64_t found = 0;
        int q, any = 0;

        r->pending = false;
        q = sd_journal_seek_tail(r->journal);
        if (q < 0)
                return q;
        /* Going back at least one makes the position an entry: from a bare tail, entries that come later would not be found. */
        for (unsigned n = 0; n < JOURNAL_LOOK_MAX && (n == 0 || found < lines); n++) {
                q = sd_journal_previous(r->journal);
                if (q <= 0)
                        break;
                any = 1;
                q = look(r, &record);
                if (q < 0)
                        break;
                found += (uint64_t) q;
        }
        if (q >= 0 && !any)
                return sd_journal_seek_head(r->journal); /* nothing there yet: all that comes is new */
        r->pending = lines > 0;
        return MIN(q, 0);
}

int journal_reader_cursor(JournalReader *r, char **ret) {
        return sd_journal_get_cursor(r->journal, ret);
}

int journal_reader_seek_cursor(JournalReader *r, const char *cursor) {
        int q;

        q = sd_journal_seek_cursor(r->journal, cursor);
        if (q >= 0)
                q = sd_journal_next(r->journal);
        if (q < 0)
                return q;
        r->pending = q > 0 && sd_journal_test_cursor(r->journal, cursor) <= 0;
        return q > 0 && !r->pending;
}

int journal_reader_watch_fd(JournalReader *r) {
        return sd_journal_get_fd(r->journal);
}

int journal_reader_changed(JournalReader *r) {
        int q = sd_journal_process(r->journal);

        return q < 0 ? q : 0;
}
