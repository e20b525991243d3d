/* Where reading starts in a compressed file, which can only be read forward from the beginning of a segment. Must stay true: no more than
 * READER_WORK_MAX bytes of content are looked at in one call but for a line's length; the segments behind the place decide, not the file. */
#include "logger/reader_state.h"

static int open_archive(LogReader *r, Seek *s) {
        return s->archive ? 0 : unpack_open(s->at.fd, s->at.form, &s->archive);
}

/* Damage ends what can be seen of a segment. */
static ssize_t read_some(LogReader *r, Seek *s, size_t n) {
        ssize_t k = unpack_read(s->archive, r->buffer, MIN(n, (size_t) READER_BUFFER_SIZE));

        if (k == -EBADMSG) {
                reader_note_damage(r, &s->at);
                return 0;
        }
        r->work += k > 0 ? (size_t) k : 0;
        return k;
}

/* ---- lines ---- */

static int begin_segment(Seek *s, size_t segment) {
        s->segment = segment;
        s->newlines = 0;
        return unpack_go(s->archive, segment);
}

static uint64_t count_newlines(const char *p, size_t n) {
        const char *end = p + n, *newline;
        uint64_t count = 0;

        for (; (newline = memchr(p, '\n', (size_t) (end - p))); p = newline + 1)
                count++;
        return count;
}

/* Counts the newlines of the segment at hand. 0, -EAGAIN, -errno. */
static int count_segment(LogReader *r, Seek *s) {
        uint64_t end = unpack_segment_offset(s->archive, s->segment + 1);
        ssize_t k = 1;

        while (k > 0 && unpack_offset(s->archive) < end) {
                if (r->work >= READER_WORK_MAX)
                        return -EAGAIN;
                k = read_some(r, s, (size_t) MIN(end - unpack_offset(s->archive), (uint64_t) READER_BUFFER_SIZE));
                if (k > 0)
                        s->newlines += count_newlines(r->buffer, (size_t) k);
        }
        return MIN((int) k, 0);
}

int reader_archive_lines(LogReader *r, Seek *s, uint64_t *ret_offset) {
        bool resumed = s->archive;
        int q;

        q = open_archive(r, s);
        if (q >= 0 && !resumed)
                q = begin_segment(s, unpack_segments(s->archive) - 1);
        while (q >= 0) {
                q = count_segment(r, s);
                if (q < 0)
                        break;
                if (s->newlines >= s->need) {
                        s->skip_lines = s->newlines - s->need + 1;
                        *ret_offset = unpack_segment_offset(s->archive, s->segment);
                        return 1;
                }
                s->need -= s->newlines;
                if (s->segment == 0)
                        return 0;
                q = begin_segment(s, s->segment - 1);
        }
        return q;
}

/* ---- times ---- */

/* The first time in a segment, if it comes early: 1, 0 there is none, -errno. */
static int first_stamp(LogReader *r, Seek *s, size_t segment, usec_t *ret) {
        const char *end;
        size_t n = 0;
        ssize_t k;
        int q;

        q = unpack_go(s->archive, segment);
        if (q < 0)
                return q;
        do {
                k = unpack_read(s->archive, r->buffer + n, READER_BUFFER_SIZE - n);
                n += k > 0 ? (size_t) k : 0;
                if (reader_find_stamp(r, r->buffer, n, segment > 0, ret, &end))
                        return 1;
        } while (k > 0 && n < READER_BUFFER_SIZE);
        if (k == -EBADMSG)
                reader_note_damage(r, &s->at);
        return k < 0 && k != -EBADMSG ? (int) k : 0;
}

int reader_archive_time(LogReader *r, Seek *s, uint64_t *ret_offset) {
        size_t low = 0, high;
        usec_t t;
        int q;

        q = open_archive(r, s);
        if (q >= 0)
                q = first_stamp(r, s, 0, &t);
        if (q <= 0 || t >= s->since)
                return MIN(q, 0);
        high = unpack_segments(s->archive);
        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                q = first_stamp(r, s, middle, &t);
                if (q < 0)
                        return q;
                *(q > 0 && t < s->since ? &low : &high) = middle;
        }
        *ret_offset = unpack_segment_offset(s->archive, low);
        return 1;
}
