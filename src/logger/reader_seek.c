/* Where reading starts. Must stay true: the cost follows what is asked for, never the size of the files: blocks backwards for the tail,
 * halving for a time; a compressed file is looked at in slices. The buffer of the reader is scratch here; reader_take() empties it. */
#include <sys/stat.h>

#include "base/fd.h"
#include "logger/json_read.h"
#include "logger/reader_state.h"

#define BLOCK_SIZE (64 * 1024)
#define LINEAR_SIZE (64 * 1024)       /* what is left to be searched line by line */
#define STAMP_SEARCH_MAX (1024 * 1024) /* no line with a time in that much: there is none */

static int size_of(int fd, uint64_t *ret) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        *ret = (uint64_t) st.st_size;
        return 0;
}

static ssize_t read_at(int fd, char *to, size_t n, uint64_t offset) {
        ssize_t k;

        do
                k = pread(fd, to, n, (off_t) offset);
        while (k < 0 && errno == EINTR);
        return k < 0 ? -errno : k;
}

/* Goes back over *need newlines from the end: 1 and the position behind the last of them, or 0 with *need reduced by those of the whole
 * file. */
static int count_back(LogReader *r, int fd, uint64_t *need, uint64_t *ret_offset) {
        uint64_t at;
        int q;

        q = size_of(fd, &at);
        if (q < 0)
                return q;
        while (at > 0) {
                size_t want = (size_t) MIN(at, (uint64_t) BLOCK_SIZE), n;
                const char *newline;
                ssize_t k;

                k = read_at(fd, r->buffer, want, at - want);
                if (k < 0)
                        return (int) k;
                for (n = (size_t) k; (newline = memrchr(r->buffer, '\n', n)); n = (size_t) (newline - r->buffer))
                        if (--*need == 0) {
                                *ret_offset = at - want + (uint64_t) (newline - r->buffer) + 1;
                                return 1;
                        }
                at -= want;
        }
        return 0;
}

static int look_for_lines(LogReader *r, Seek *s, uint64_t *ret_offset) {
        /* One newline is left to find: the one that ends the last line of this older file. So the newer one holds what is wanted. */
        if (s->need == 1 && !s->newest)
                return 2;
        return s->at.form == CHAIN_PLAIN ? count_back(r, s->at.fd, &s->need, ret_offset) : reader_archive_lines(r, s, ret_offset);
}

/* ---- times ---- */

static usec_t time_of(const LogReader *r, const char *p, size_t n) {
        usec_t t = r->format == READER_JSON ? json_line_time(p, n) : 0;
        LogRecord record;

        if (t > 0)
                return t;
        line_parse(p, n, &record);
        return record.realtime;
}

const char *reader_find_stamp(const LogReader *r, const char *p, size_t n, bool inside, usec_t *ret_time, const char **ret_end) {
        const char *end = p + n, *newline;

        for (; (newline = memchr(p, '\n', (size_t) (end - p))); p = newline + 1) {
                usec_t t = inside ? 0 : time_of(r, p, (size_t) (newline - p));

                if (t > 0) {
                        *ret_time = t;
                        return p;
                }
                inside = false;
        }
        *ret_end = p;
        return NULL;
}

/* The first line with a time that begins behind `from` (at the start of the file: at it): 1 and its time and offset, 0 none before `to`. */
static int find_stamp(LogReader *r, int fd, uint64_t from, uint64_t to, usec_t *ret_time, uint64_t *ret_offset) {
        bool inside = from > 0;          /* in a line whose beginning is unknown */

        to = MIN(to, from + STAMP_SEARCH_MAX);
        while (from < to) {
                const char *line, *end;
                ssize_t k;

                k = read_at(fd, r->buffer, BLOCK_SIZE, from);
                if (k <= 0)
                        return (int) k;
                line = reader_find_stamp(r, r->buffer, (size_t) k, inside, ret_time, &end);
                if (line) {
                        *ret_offset = from + (uint64_t) (line - r->buffer);
                        return *ret_offset < to;
                }
                /* On with the line that the block cuts; one longer than a block is passed over. */
                inside = end == r->buffer;
                from += inside ? (uint64_t) k : (uint64_t) (end - r->buffer);
        }
        return 0;
}

/* Somewhere shortly before the first line at or after `since`, at the beginning of a line; everything before it is earlier. */
static int halve(LogReader *r, int fd, usec_t since, uint64_t *ret_offset) {
        uint64_t low = 0, high, offset;
        usec_t t;
        int q;

        q = size_of(fd, &high);
        while (q >= 0 && high - low > LINEAR_SIZE) {
                uint64_t middle = low + (high - low) / 2;

                q = find_stamp(r, fd, middle, high, &t, &offset);
                if (q > 0 && t < since)
                        low = offset;
                else
                        high = middle;
        }
        *ret_offset = low;
        return q < 0 ? q : 1;
}

static int look_for_time(LogReader *r, Seek *s, uint64_t *ret_offset) {
        uint64_t size;
        usec_t first;
        int q;

        if (s->at.form != CHAIN_PLAIN)
                return reader_archive_time(r, s, ret_offset);
        q = size_of(s->at.fd, &size);
        if (q < 0)
                return q;
        q = find_stamp(r, s->at.fd, 0, size, &first, ret_offset);
        if (q <= 0 || first >= s->since)
                return q < 0 ? q : 0;
        return halve(r, s->at.fd, s->since, ret_offset);
}

static int look_for_mtime(LogReader *r, Seek *s, uint64_t *ret_offset) {
        struct stat st;

        if (fstat(s->at.fd, &st) < 0)
                return -errno;
        if ((usec_t) st.st_mtim.tv_sec * USEC_PER_SEC + (usec_t) st.st_mtim.tv_nsec / 1000 >= s->since)
                return 0;
        *ret_offset = (uint64_t) st.st_size;
        return s->newest ? 1 : 2;
}

/* ---- from file to file ---- */

static int look(LogReader *r, Seek *s, uint64_t *ret_offset) {
        if (s->at.fd < 0)
                return 2;
        if (!s->by_time)
                return look_for_lines(r, s, ret_offset);
        return r->format == READER_RAW ? look_for_mtime(r, s, ret_offset) : look_for_time(r, s, ret_offset);
}

/* The next older file that differs from the last one opened (a rotation may move that one while we look); none when there are no more. */
static int open_older(const LogReader *r, Seek *s) {
        struct stat a = {}, b;

        if (s->best.fd >= 0 && fstat(s->best.fd, &a) < 0)
                return -errno;
        while (s->n > 0) {
                _cleanup_file_at_ LogFileAt f = LOG_FILE_NONE;
                int q = reader_open_number(r, s->list[--s->n], &f);

                if (q == -ENOENT)
                        continue;
                if (q < 0)
                        return q;
                if (fstat(f.fd, &b) < 0)
                        return -errno;
                if (s->best.fd < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino) {
                        s->at = log_file_at_take(&f);
                        break;
                }
        }
        return 0;
}

void reader_seek_done(Seek *s) {
        s->archive = unpack_free(s->archive);
        log_file_at_done(&s->at);
        log_file_at_done(&s->best);
        free(s->list);
        *s = (Seek) { .at = LOG_FILE_NONE, .best = LOG_FILE_NONE };
}

static int settle(LogReader *r, Seek *s, int found, uint64_t offset) {
        int q = 0;

        if (found == 1)
                q = reader_take(r, log_file_at_take(&s->at), offset);
        else if (found == 2 && s->best.fd >= 0)
                q = reader_take(r, log_file_at_take(&s->best), 0);
        else if (found < 0)
                q = found;
        r->skip_lines = found == 1 ? s->skip_lines : 0;
        reader_seek_done(s);
        return q < 0 ? q : 1;
}

int reader_seek_run(LogReader *r) {
        Seek *s = &r->seek;

        for (;;) {
                uint64_t offset = 0;
                int q = s->at.fd < 0 ? open_older(r, s) : 0;

                if (q >= 0)
                        q = look(r, s, &offset);
                if (q == -EAGAIN)
                        return 0;
                if (q != 0)
                        return settle(r, s, q, offset);
                log_file_at_done(&s->best);
                s->best = log_file_at_take(&s->at);
                s->archive = unpack_free(s->archive);
                s->newest = false;
        }
}

static int begin(LogReader *r, Seek wanted) {
        int q;

        reader_seek_done(&r->seek);
        r->seek = wanted;
        r->seek.at = r->seek.best = LOG_FILE_NONE;
        r->seek.active = r->seek.newest = true;
        r->since = 0;
        r->work = 0;
        q = reader_list(r, &r->seek.list, &r->seek.n);
        if (q >= 0)
                q = reader_seek_run(r);
        return MIN(q, 0);
}

int log_reader_seek_tail(LogReader *r, uint64_t lines) {
        return begin(r, (Seek) { .need = lines < UINT64_MAX ? lines + 1 : lines });
}

int log_reader_seek_time(LogReader *r, usec_t since) {
        int q = begin(r, (Seek) { .by_time = true, .since = since });

        if (q >= 0 && r->format != READER_RAW)
                r->since = since;
        return q;
}
