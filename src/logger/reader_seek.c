/* Where reading starts. Must stay true: the cost follows what is asked for, never the size of the files: blocks backwards for the tail,
 * halving for a time. The buffer of the reader is scratch here; reader_take() empties it. */
#include <sys/stat.h>

#include "base/fd.h"
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

/* The next older file that differs from the last one opened (a rotation may move that one while we look). -ENOENT: no more. */
static int open_older(const LogReader *r, const uint32_t *list, size_t *n, int known) {
        struct stat a = {}, b;

        if (known >= 0 && fstat(known, &a) < 0)
                return -errno;
        while (*n > 0) {
                _cleanup_fd_ int fd = reader_open_number(r, list[--*n]);

                if (fd == -ENOENT)
                        continue;
                if (fd < 0)
                        return fd;
                if (fstat(fd, &b) < 0)
                        return -errno;
                if (known < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
                        return TAKE_FD(fd);
        }
        return -ENOENT;
}

/* Looks at files from the newest to the oldest. `look` says: 1 and an offset, start there; 0 remember its beginning and go on with an
 * older one; 2 start with the newer one that was remembered. */
typedef int (*Look)(LogReader *r, int fd, bool newest, uint64_t *state, uint64_t *ret_offset);
static int seek_back(LogReader *r, Look look, uint64_t state) {
        _cleanup_free_ uint32_t *list = NULL;
        _cleanup_fd_ int best = -EBADF;
        size_t n;
        int q;

        r->since = 0;
        q = reader_list(r, &list, &n);
        if (q < 0)
                return q;
        for (;;) {
                _cleanup_fd_ int fd = open_older(r, list, &n, best);
                uint64_t offset = 0;

                if (fd < 0 && fd != -ENOENT)
                        return fd;
                q = fd < 0 ? 2 : look(r, fd, best < 0, &state, &offset);
                if (q < 0)
                        return q;
                if (q == 1)
                        return reader_take(r, TAKE_FD(fd), offset);
                if (q == 2)
                        return best >= 0 ? reader_take(r, TAKE_FD(best), 0) : 0;
                fd_close(best);
                best = TAKE_FD(fd);
        }
}

static int look_for_lines(LogReader *r, int fd, bool newest, uint64_t *need, uint64_t *ret_offset) {
        /* One newline is left to find: the one that ends the last line of this older file. So the newer one holds what is wanted. */
        if (*need == 1 && !newest)
                return 2;
        return count_back(r, fd, need, ret_offset);
}

int log_reader_seek_tail(LogReader *r, uint64_t lines) {
        return seek_back(r, look_for_lines, lines < UINT64_MAX ? lines + 1 : lines);
}

/* ---- times ---- */

/* The first line with a time that begins behind `from` (at the start of the file: at it): 1 and its time and offset, 0 none before `to`. */
static int find_stamp(LogReader *r, int fd, uint64_t from, uint64_t to, usec_t *ret_time, uint64_t *ret_offset) {
        bool inside = from > 0;          /* in a line whose beginning is unknown */

        to = MIN(to, from + STAMP_SEARCH_MAX);
        while (from < to) {
                const char *p = r->buffer, *end, *newline;
                LogRecord record;
                ssize_t k;

                k = read_at(fd, r->buffer, BLOCK_SIZE, from);
                if (k <= 0)
                        return (int) k;
                end = p + k;
                for (; (newline = memchr(p, '\n', (size_t) (end - p))); p = newline + 1) {
                        uint64_t at = from + (uint64_t) (p - r->buffer);

                        if (at >= to)
                                return 0;
                        line_parse(p, (size_t) (newline - p), &record);
                        if (!inside && record.realtime > 0) {
                                *ret_time = record.realtime;
                                *ret_offset = at;
                                return 1;
                        }
                        inside = false;
                }
                /* On with the line that the block cuts; one longer than a block is passed over. */
                inside = p == r->buffer;
                from += inside ? (uint64_t) k : (uint64_t) (p - r->buffer);
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

static int look_for_time(LogReader *r, int fd, bool newest, usec_t *since, uint64_t *ret_offset) {
        uint64_t size;
        usec_t first;
        int q;

        q = size_of(fd, &size);
        if (q < 0)
                return q;
        q = find_stamp(r, fd, 0, size, &first, ret_offset);
        if (q <= 0 || first >= *since)
                return q < 0 ? q : 0;
        return halve(r, fd, *since, ret_offset);
}

static int look_for_mtime(LogReader *r, int fd, bool newest, usec_t *since, uint64_t *ret_offset) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if ((usec_t) st.st_mtim.tv_sec * USEC_PER_SEC + (usec_t) st.st_mtim.tv_nsec / 1000 >= *since)
                return 0;
        *ret_offset = (uint64_t) st.st_size;
        return newest ? 1 : 2;
}

int log_reader_seek_time(LogReader *r, usec_t since) {
        int q;

        q = seek_back(r, r->format == 0 ? look_for_time : look_for_mtime, since);
        if (q >= 0 && r->format == 0)
                r->since = since;
        return q;
}
