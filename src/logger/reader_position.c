/* Where a reader is, so that another one can go on there. Must stay true: a position is never taken for one in another file: numbers of
 * inodes are used again, so the first line must agree as well. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "logger/reader_state.h"

#define MARK_MAX 256                  /* of the first line, what counts */

static ssize_t read_head(const LogFileAt *f, char *to, size_t n) {
        _cleanup_(unpack_freep) Unpack *a = NULL;
        size_t got = 0;
        ssize_t k = 0;

        if (f->form == CHAIN_PLAIN)
                return pread(f->fd, to, n, 0);
        k = unpack_open(f->fd, f->form, &a);
        while (k >= 0 && got < n && (k = unpack_read(a, to + got, n - got)) > 0)
                got += (size_t) k;
        return (ssize_t) got;
}

uint64_t reader_mark(const LogFileAt *f) {
        uint64_t h = 14695981039346656037ULL; /* FNV-1a */
        char head[MARK_MAX];
        const char *newline;
        ssize_t n;

        n = read_head(f, head, sizeof(head));
        newline = n > 0 ? memchr(head, '\n', (size_t) n) : NULL;
        if (!newline && n < MARK_MAX)
                return 0;
        n = newline ? newline - head : n;
        for (ssize_t i = 0; i < n; i++)
                h = (h ^ (uint8_t) head[i]) * 1099511628211ULL;
        return h ?: 1;
}

void log_reader_position(LogReader *r, LogPosition *ret) {
        if (r->mark == 0 && r->file.fd >= 0)
                r->mark = reader_mark(&r->file);
        *ret = (LogPosition) { .ino = r->ino, .head = r->mark, .offset = r->offset + r->start, .cut = r->cut };
        if (r->cut) {
                ret->realtime = r->head.realtime;
                ret->stream = r->head.stream;
        }
}

/* The same file under whatever name. One that had no first line then may have one now. */
static bool is_same(const LogFileAt *f, const LogPosition *p) {
        struct stat st;

        return fstat(f->fd, &st) >= 0 && (uint64_t) st.st_ino == p->ino && (p->head == 0 || reader_mark(f) == p->head) &&
                (f->form != CHAIN_PLAIN || (uint64_t) st.st_size >= p->offset);
}

/* What it became by compression, or by copying. */
static bool is_copy(const LogFileAt *f, const LogPosition *p) {
        struct stat st;

        return p->head != 0 && fstat(f->fd, &st) >= 0 && (f->form != CHAIN_PLAIN || (uint64_t) st.st_size >= p->offset) &&
                reader_mark(f) == p->head;
}

/* From the newest to the oldest. 1 and the file is the one at hand, 0 there is none, -errno. */
static int take_where(LogReader *r, const LogPosition *p, bool (*is_it)(const LogFileAt *f, const LogPosition *p)) {
        _cleanup_free_ uint32_t *list = NULL;
        size_t n;
        int q;

        q = reader_list(r, &list, &n);
        if (q < 0)
                return q;
        while (n > 0) {
                _cleanup_file_at_ LogFileAt f = LOG_FILE_NONE;

                if (reader_open_number(r, list[--n], &f) < 0 || !is_it(&f, p))
                        continue;
                q = reader_take(r, log_file_at_take(&f), p->offset);
                return q < 0 ? q : 1;
        }
        return 0;
}

int log_reader_seek_position(LogReader *r, const LogPosition *p) {
        int q;

        r->since = 0;
        reader_seek_done(&r->seek);
        q = take_where(r, p, is_same);
        if (q == 0)
                q = take_where(r, p, is_copy);
        if (q > 0) {
                r->cut = p->cut;
                r->head = (LogRecord) { .realtime = p->realtime, .stream = p->stream };
                return 1;
        }
        if (q == 0)
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
