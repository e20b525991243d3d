/* From bytes of the file at hand to records. Must stay true: every call of log_reader_next() that returns a record consumes at least one
 * byte, so any file is read to its end; the buffer always has room for the longest piece. */
#include "logger/reader_state.h"

#include <sys/stat.h>

#include "base/fd.h"

int log_reader_open(const char *path, int format, LogReader **ret) {
        _cleanup_(log_reader_freep) LogReader *r = calloc(1, sizeof(*r));
        const char *slash;

        if (!r)
                return -ENOMEM;
        r->fd = -EBADF;
        r->format = format;
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
        fd_close(r->fd);
        free(r->path);
        free(r->buffer);
        free(r);
        return NULL;
}

static bool piece_record(LogReader *r, const char *p, size_t n, bool more, LogRecord *ret) {
        if (r->cut)
                *ret = (LogRecord) { .realtime = r->head.realtime, .stream = r->head.stream, .message = p, .size = n, .partial = more };
        else if (r->format == 0) {
                line_parse(p, n, ret);
                ret->partial |= more;
        } else
                *ret = (LogRecord) { .message = p, .size = n, .partial = more };
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
        const char *p = r->buffer + r->start;

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
                if (newline && (size_t) (newline - p) <= READER_LINE_MAX)
                        got = take(r, (size_t) (newline - p), 1, false, ret);
                else if (n > READER_LINE_MAX)
                        got = take(r, READER_LINE_MAX, 0, true, ret);
                else {
                        r->searched = n;
                        return 0;
                }
                if (got)
                        return 1;
        }
}

/* Bytes read, 0 at the end of the file at hand. */
static ssize_t fill(LogReader *r) {
        ssize_t k;

        if (r->fd < 0)
                return 0;
        memmove(r->buffer, r->buffer + r->start, r->end - r->start);
        r->offset += r->start;
        r->end -= r->start;
        r->start = 0;
        do
                k = pread(r->fd, r->buffer + r->end, READER_BUFFER_SIZE - r->end, (off_t) (r->offset + r->end));
        while (k < 0 && errno == EINTR);
        if (k < 0)
                return -errno;
        r->end += (size_t) k;
        return k;
}

/* A file that became shorter than what was read of it: from the beginning again if that was consumed, else only what is buffered is void
 * (the logger takes half a line back when the disk is full). True: there may be something to read. */
static bool shrank(LogReader *r) {
        struct stat st;
        uint64_t size;

        if (fstat(r->fd, &st) < 0)
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
        _cleanup_fd_ int next = -EBADF;
        ssize_t k;
        int q;

        if (r->fd < 0)
                return reader_take_oldest(r);
        if (shrank(r))
                return 1;
        if (reader_is_newest(r))
                return 0;
        q = reader_following(r, &next);
        if (q <= 0)
                return q;
        /* Only now it is certain that nobody writes to the old one any more, and only a read from now on sees all of it. */
        k = fill(r);
        if (k != 0)
                return k < 0 ? (int) k : 1;
        if (r->start < r->end && take(r, r->end - r->start, 0, false, ret))
                return 2;
        q = reader_take(r, TAKE_FD(next), 0);
        return q < 0 ? q : 1;
}

int log_reader_next(LogReader *r, LogRecord *ret) {
        bool drained = false;

        for (;;) {
                ssize_t k;
                int q;

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
}

int log_reader_rest(LogReader *r, LogRecord *ret) {
        if (r->start == r->end)
                return 0;
        if (!take(r, r->end - r->start, 0, true, ret))
                return 0;
        ret->partial = true;
        return 1;
}
