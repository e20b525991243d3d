/* From bytes of the file at hand to records. Must stay true: every call of log_reader_next() that returns a record consumes at least one
 * byte, so any file is read to its end; the buffer always has room for the longest piece. */
#include "logger/json_read.h"
#include "logger/reader_state.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"

int log_reader_open(const char *path, int format, LogReader **ret) {
        _cleanup_(log_reader_freep) LogReader *r = calloc(1, sizeof(*r));
        const char *slash;

        if (!r)
                return -ENOMEM;
        r->file = r->seek.best = r->seek.at = LOG_FILE_NONE;
        r->format = format;
        r->line_max = format == READER_JSON ? READER_JSON_MAX : READER_LINE_MAX;
        reader_watch_init(r);
        r->path = strdup(path);
        r->buffer = malloc(READER_BUFFER_SIZE);
        if (!r->path || !r->buffer)
                return -ENOMEM;
        slash = strrchr(r->path, '/');
        r->name = slash ? slash + 1 : r->path;
        if (*r->name == '\0')
                return -EISDIR;
        *ret = TAKE_PTR(r);
        return 0;
}

LogReader *log_reader_free(LogReader *r) {
        if (!r)
                return NULL;
        reader_watch_done(r);
        reader_seek_done(&r->seek);
        unpack_free(r->archive);
        fd_close(r->file.fd);
        free(r->path);
        free(r->damaged);
        free(r->buffer);
        free(r);
        return NULL;
}

static bool piece_record(LogReader *r, char *p, size_t n, bool more, LogRecord *ret) {
        if (r->cut)
                *ret = (LogRecord) { .realtime = r->head.realtime, .stream = r->head.stream, .instance = r->head.instance, .message = p,
                                     .size = n, .partial = more };
        else if (r->format == READER_RAW)
                *ret = (LogRecord) { .instance = -1, .message = p, .size = n, .partial = more };
        else if (r->format != READER_JSON || !json_line_parse(p, n, ret)) {
                /* A line of text too where the format was another one before. */
                line_parse(p, n, ret);
                ret->partial |= more;
        }
        r->head = *ret;
        r->cut = more;
        /* Lines without a time go with those around them: dropped before the first that counts, kept after it. */
        if (r->since > 0 && ret->realtime < r->since)
                return false;
        r->since = 0;
        return true;
}

/* Consumes n bytes as (a piece of) a line, and `skip` bytes behind them. False: passed over. */
static bool take(LogReader *r, size_t n, size_t skip, bool more, LogRecord *ret) {
        char *p = r->buffer + r->start;

        r->start += n + skip;
        r->searched = 0;
        return piece_record(r, p, n, more, ret);
}

/* 1 a record, 0 the buffer holds no further complete line. */
static int take_line(LogReader *r, LogRecord *ret) {
        for (;;) {
                const char *p = r->buffer + r->start, *newline;
                size_t n = r->end - r->start;
                bool got;

                newline = memchr(p + r->searched, '\n', n - r->searched);
                if (newline && (size_t) (newline - p) <= r->line_max)
                        got = take(r, (size_t) (newline - p), 1, false, ret);
                else if (n > r->line_max)
                        got = take(r, r->line_max, 0, true, ret);
                else {
                        r->searched = n;
                        return 0;
                }
                if (got)
                        return 1;
        }
}

/* Whether reading goes on behind the damage. */
static bool pass_damage(LogReader *r) {
        reader_note_damage(r, &r->file);
        if (unpack_skip(r->archive) < 0)
                return false;
        r->start = r->end = r->searched = 0;
        r->offset = unpack_offset(r->archive);
        r->cut = false;
        return true;
}

static ssize_t fill_archive(LogReader *r) {
        ssize_t k;

        do
                k = unpack_read(r->archive, r->buffer + r->end, READER_BUFFER_SIZE - r->end);
        while (k == -EBADMSG && pass_damage(r));
        return k == -EBADMSG ? 0 : k;
}

static ssize_t fill_plain(LogReader *r) {
        ssize_t k;

        do
                k = pread(r->file.fd, r->buffer + r->end, READER_BUFFER_SIZE - r->end, (off_t) (r->offset + r->end));
        while (k < 0 && errno == EINTR);
        return k < 0 ? -errno : k;
}

/* Bytes read, 0 at the end of the file at hand. */
static ssize_t fill(LogReader *r) {
        ssize_t k;

        if (r->file.fd < 0)
                return 0;
        memmove(r->buffer, r->buffer + r->start, r->end - r->start);
        r->offset += r->start;
        r->end -= r->start;
        r->start = 0;
        k = r->archive ? fill_archive(r) : fill_plain(r);
        if (k < 0)
                return k;
        r->end += (size_t) k;
        r->work += r->archive ? (size_t) k : 0;
        return k;
}

/* Passes over what comes before the place to begin at, where it could not be gone to. */
static void skip(LogReader *r) {
        while (r->start < r->end && (r->offset + r->start < r->goal || r->skip_lines > 0)) {
                char *p = r->buffer + r->start, *newline;
                uint64_t n = r->end - r->start;

                if (r->offset + r->start < r->goal)
                        n = MIN(n, r->goal - r->offset - r->start);
                else if ((newline = memchr(p, '\n', n))) {
                        n = (uint64_t) (newline - p) + 1;
                        r->skip_lines--;
                }
                r->start += n;
        }
}

/* A file that became shorter than what was read of it: from the beginning again if that was consumed, else only what is buffered is void
 * (the logger takes half a line back when the disk is full). True: there may be something to read. */
static bool shrank(LogReader *r) {
        struct stat st;
        uint64_t size;

        if (r->archive || fstat(r->file.fd, &st) < 0)
                return false;
        size = (uint64_t) st.st_size;
        if (size >= r->offset + r->end)
                return false;
        r->offset = size < r->offset + r->start ? 0 : r->offset + r->start;
        if (r->offset == 0) {
                r->cut = false;
                r->mark = 0;
        }
        r->start = r->end = r->searched = 0;
        return r->offset < size;
}

/* At the end of the file at hand: 1 there is more to read now, 2 a record (an unfinished line that nothing will ever finish), 0 nothing
 * more. */
static int go_on(LogReader *r, LogRecord *ret) {
        _cleanup_file_at_ LogFileAt next = LOG_FILE_NONE;
        ssize_t k;
        int q;

        if (r->file.fd < 0)
                return reader_take_oldest(r);
        if (shrank(r))
                return 1;
        if (reader_is_newest(r))
                return 0;
        if (r->mark == 0)
                r->mark = reader_mark(&r->file);
        q = reader_following(r, &next);
        if (q <= 0)
                return q;
        /* Only now it is certain that nobody writes to the old one any more, and only a read from now on sees all of it. */
        k = fill(r);
        if (k != 0)
                return k < 0 ? (int) k : 1;
        if (r->start < r->end && take(r, r->end - r->start, 0, false, ret))
                return 2;
        q = reader_take(r, log_file_at_take(&next), 0);
        return q < 0 ? q : 1;
}

static int next_record(LogReader *r, LogRecord *ret) {
        bool drained = false;

        while (r->work < READER_WORK_MAX) {
                ssize_t k;
                int q;

                skip(r);
                if (take_line(r, ret))
                        return 1;
                k = fill(r);
                if (k < 0)
                        return (int) k;
                if (k > 0)
                        continue;
                /* Events first, then once more the data they stand for: nothing falls in between. */
                if (!drained) {
                        reader_watch_drain(r);
                        drained = true;
                        continue;
                }
                q = go_on(r, ret);
                if (q != 1)
                        return q == 2 ? 1 : q;
                drained = false;
        }
        return LOG_READER_BUSY;
}

int log_reader_next(LogReader *r, LogRecord *ret) {
        int q;

        r->work = 0;
        if (r->seek.active) {
                q = reader_seek_run(r);
                if (q <= 0)
                        return q < 0 ? q : LOG_READER_BUSY;
        }
        return next_record(r, ret);
}

void reader_note_damage(LogReader *r, const LogFileAt *f) {
        static const char unknown[] = "(an archive)";
        char link[32], name[PATH_MAX];
        ssize_t n;

        if (r->damaged)
                return;
        snprintf(link, sizeof(link), "/proc/self/fd/%i", f->fd);
        n = readlink(link, name, sizeof(name));
        r->damaged = n > 0 ? strndup(name, (size_t) n) : strdup(unknown);
}

char *log_reader_damage(LogReader *r) {
        return TAKE_PTR(r->damaged);
}

int log_reader_rest(LogReader *r, LogRecord *ret) {
        if (r->start == r->end)
                return 0;
        if (!take(r, r->end - r->start, 0, true, ret))
                return 0;
        ret->partial = true;
        return 1;
}
