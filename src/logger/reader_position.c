/* Where a reader is, so that another one can go on there. Must stay true: a position is never taken for one in another file: numbers of
 * inodes are used again, so the first line must agree as well. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "logger/reader_state.h"

#define MARK_MAX 256                  /* of the first line, what counts */

uint64_t reader_mark(int fd) {
        uint64_t h = 14695981039346656037ULL; /* FNV-1a */
        char head[MARK_MAX];
        const char *newline;
        ssize_t n;

        n = pread(fd, head, sizeof(head), 0);
        newline = n > 0 ? memchr(head, '\n', (size_t) n) : NULL;
        if (!newline && n < MARK_MAX)
                return 0;
        n = newline ? newline - head : n;
        for (ssize_t i = 0; i < n; i++)
                h = (h ^ (uint8_t) head[i]) * 1099511628211ULL;
        return h ?: 1;
}

void log_reader_position(LogReader *r, LogPosition *ret) {
        if (r->mark == 0 && r->fd >= 0)
                r->mark = reader_mark(r->fd);
        *ret = (LogPosition) { .ino = r->ino, .head = r->mark, .offset = r->offset + r->start, .cut = r->cut };
        if (r->cut) {
                ret->realtime = r->head.realtime;
                ret->stream = r->head.stream;
        }
}

/* A file that had no first line then may have one now. */
static bool is_of(int fd, const LogPosition *p) {
        struct stat st;

        return fstat(fd, &st) >= 0 && (p->head == 0 || reader_mark(fd) == p->head) && (uint64_t) st.st_ino == p->ino &&
                (uint64_t) st.st_size >= p->offset;
}

int log_reader_seek_position(LogReader *r, const LogPosition *p) {
        _cleanup_free_ uint32_t *list = NULL;
        size_t n;
        int q;

        r->since = 0;
        q = reader_list(r, &list, &n);
        if (q < 0)
                return q;
        while (n > 0) {
                _cleanup_fd_ int fd = reader_open_number(r, list[--n]);

                if (fd < 0 || !is_of(fd, p))
                        continue;
                q = reader_take(r, TAKE_FD(fd), p->offset);
                if (q < 0)
                        return q;
                r->cut = p->cut;
                r->head = (LogRecord) { .realtime = p->realtime, .stream = p->stream };
                return 1;
        }
        q = reader_take_oldest(r);
        return MIN(q, 0);
}

/* ---- as text ---- */

const char *log_position_format(char buf[LOG_POSITION_MAX], const LogPosition *p) {
        int n = snprintf(buf, LOG_POSITION_MAX, "f:%" PRIx64 ":%" PRIx64 ":%" PRIx64, p->ino, p->head, p->offset);

        if (p->cut)
                snprintf(buf + n, LOG_POSITION_MAX - (size_t) n, ":%" PRIx64 ":%d", p->realtime, p->stream);
        return buf;
}

int log_position_parse(const char *text, LogPosition *ret) {
        char again[LOG_POSITION_MAX];
        LogPosition p = {};
        int n;

        n = sscanf(text, "f:%" SCNx64 ":%" SCNx64 ":%" SCNx64 ":%" SCNx64 ":%d", &p.ino, &p.head, &p.offset, &p.realtime, &p.stream);
        if (n != 3 && n != 5)
                return -EINVAL;
        p.cut = n == 5;
        if (!streq(log_position_format(again, &p), text) || p.offset > INT64_MAX || p.stream < 0 || p.stream > 1)
                return -EINVAL;
        *ret = p;
        return 0;
}
