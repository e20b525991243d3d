/* From chunks of a pipe to lines of a file. Must stay true: after an error SinkStream.done says how much of the chunk is settled, so that
 * the caller can come again with the same chunk and no byte is lost or written twice; a line of the text format is either in the file as a
 * whole or not at all.
 *
 * Text lines are gathered in one buffer that all sinks share: it is empty between calls, there is one thread. */
#include "logger/sink.h"

#include "logger/file.h"
#include "logger/line.h"

#define GATHER_SIZE (128 * 1024)      /* holds at least one line of the greatest length */
#define OPEN_FIRST 256

struct Sink {
        LogFile file;
};

/* One line, or one piece of a line that is too long: the start kept from earlier chunks (`open` bytes) and `text` bytes of this one. */
typedef struct Piece {
        size_t open, text;
        size_t eaten;            /* bytes of the chunk it takes, with the newline */
        bool cut;
} Piece;

/* Lines on their way from a chunk into the file. */
typedef struct Batch {
        Sink *sink;
        SinkStream *stream;
        const char *chunk;
        size_t size;
        size_t at;               /* gathered up to here; stream->done: written up to here */
        bool open_gathered;      /* stream->open is among what is gathered */
        bool end;                /* the stream ends behind the chunk */
        usec_t realtime;
        size_t used;             /* of gather[] */
} Batch;

static char gather[GATHER_SIZE];

int sink_new(const SinkOptions *o, Sink **ret) {
        Sink *s = calloc(1, sizeof(*s));

        if (!s || log_file_init(&s->file, o->path) < 0) {
                free(s);
                return -ENOMEM;
        }
        sink_configure(s, o);
        *ret = s;
        return 0;
}

Sink *sink_free(Sink *s) {
        if (s)
                log_file_done(&s->file);
        free(s);
        return NULL;
}

void sink_configure(Sink *s, const SinkOptions *o) {
        log_file_limits(&s->file, &o->limits);
}

void sink_close(Sink *s) {
        log_file_close(&s->file);
}

bool sink_is_open(const Sink *s) {
        return s->file.fd >= 0;
}

int sink_rotation_error(Sink *s) {
        return TAKE_GENERIC(s->file.rotate_error, 0);
}

bool sink_rotated(Sink *s) {
        return TAKE_GENERIC(s->file.rotated, false);
}

usec_t sink_due(const Sink *s) {
        return s->file.due;
}

int sink_rotate_due(Sink *s, usec_t realtime) {
        int r;

        if (realtime < s->file.due)
                return 0;
        r = log_file_ready(&s->file, realtime);
        /* Half a raw line: the write that brings the other half will do it. */
        if (r < 0 || !log_file_due(&s->file) || s->file.line_open)
                return r;
        return log_file_rotate(&s->file, realtime);
}

const char *sink_path(const Sink *s) {
        return s->file.path;
}

static void drop_open(SinkStream *st) {
        free(st->open);
        st->open = NULL;
        st->open_size = st->open_allocated = 0;
}

void sink_stream_done(SinkStream *st) {
        drop_open(st);
        st->done = 0;
}

/* ---- text ---- */

/* What comes next of n bytes at p behind `open` kept ones. False: the line goes on in a later chunk. A message of exactly the greatest
 * length is a line if a newline follows, so it waits for one byte more. */
static inline bool next_piece(const char *p, size_t n, size_t open, bool end, Piece *ret) {
        size_t room = LINE_MESSAGE_MAX - open;
        const char *newline = n > 0 ? memchr(p, '\n', MIN(n, room + 1)) : NULL;

        if (newline)
                *ret = (Piece) { .open = open, .text = (size_t) (newline - p), .eaten = (size_t) (newline - p) + 1 };
        else if (n > room)
                *ret = (Piece) { .open = open, .text = room, .eaten = room, .cut = true };
        else if (end && open + n > 0)
                *ret = (Piece) { .open = open, .text = n, .eaten = n };
        else
                return false;
        return true;
}

static inline size_t piece_size(const Piece *piece) {
        return (piece->cut ? LINE_PREFIX_CUT_SIZE : LINE_PREFIX_SIZE) + piece->open + piece->text + 1;
}

static inline size_t open_left(const Batch *b) {
        return b->open_gathered ? 0 : b->stream->open_size;
}

static inline void batch_add(Batch *b, const Piece *piece, const char prefix[2][LINE_PREFIX_CUT_SIZE]) {
        char *to = gather + b->used;

        /* A constant size lets the compiler move the prefix in two registers. */
        memcpy(to, prefix[piece->cut], LINE_PREFIX_SIZE);
        to += LINE_PREFIX_SIZE;
        if (piece->cut)
                *to++ = ' ';
        if (piece->open > 0)
                memcpy(to, b->stream->open, piece->open);
        to += piece->open;
        memcpy(to, b->chunk + b->at, piece->text);
        to[piece->text] = '\n';
        b->used += piece_size(piece);
        b->at += piece->eaten;
        b->open_gathered = true;
}

/* After a failed write: settles those lines that `written` bytes hold, by cutting the chunk up once more. */
static void batch_settle(Batch *b, size_t written) {
        SinkStream *st = b->stream;
        Piece piece;

        while (written > 0 && next_piece(b->chunk + st->done, b->size - st->done, st->open_size, b->end, &piece)) {
                written -= MIN(written, piece_size(&piece));
                st->done += (uint32_t) piece.eaten;
                drop_open(st);
        }
}

static int batch_flush(Batch *b) {
        size_t written, whole = 0;
        const char *newline;
        int r;

        if (b->used == 0)
                return 0;
        r = log_file_append(&b->sink->file, gather, b->used, &written);
        b->used = 0;
        if (r >= 0) {
                b->stream->done = (uint32_t) b->at;
                if (b->open_gathered)
                        drop_open(b->stream);
                return 0;
        }
        newline = memrchr(gather, '\n', written);
        if (newline)
                whole = (size_t) (newline - gather) + 1;
        log_file_take_back(&b->sink->file, written - whole);
        batch_settle(b, whole);
        return r;
}

/* A line that the logger before us, or a full disk, left without its end. */
static int close_open_line(LogFile *f) {
        size_t written;

        return f->line_open ? log_file_append(f, "\n", 1, &written) : 0;
}

static int batch_rotate(Batch *b) {
        int r;

        r = batch_flush(b);
        if (r < 0)
                return r;
        return log_file_rotate(&b->sink->file, b->realtime);
}

/* Keeps what is behind the last newline until more comes. */
static int keep_rest(SinkStream *st, const char *p, size_t n) {
        size_t wanted = st->open_size + n;

        if (n == 0)
                return 0;
        if (wanted > st->open_allocated) {
                size_t size = MAX(st->open_allocated, (uint32_t) OPEN_FIRST);
                char *grown;

                while (size < wanted)
                        size *= 2;
                grown = realloc(st->open, size);
                if (!grown)
                        return -ENOMEM;
                st->open = grown;
                st->open_allocated = (uint32_t) size;
        }
        memcpy(st->open + st->open_size, p, n);
        st->open_size = (uint32_t) wanted;
        return 0;
}

/* Gathers and writes every line that is complete. */
static int batch_run(Batch *b) {
        char prefix[2][LINE_PREFIX_CUT_SIZE];
        LogFile *f = &b->sink->file;
        Piece piece;
        int r;

        if (log_file_due(f)) {
                r = log_file_rotate(f, b->realtime);
                if (r < 0)
                        return r;
        }
        line_prefix(prefix[0], b->realtime, b->stream->stream, false);
        line_prefix(prefix[1], b->realtime, b->stream->stream, true);
        while (next_piece(b->chunk + b->at, b->size - b->at, open_left(b), b->end, &piece)) {
                size_t need = piece_size(&piece);

                if (f->size + b->used + need > f->rotate_at && f->size + b->used > 0) {
                        r = batch_rotate(b);
                        if (r < 0)
                                return r;
                }
                if (b->used + need > sizeof(gather)) {
                        r = batch_flush(b);
                        if (r < 0)
                                return r;
                }
                batch_add(b, &piece, prefix);
        }
        return batch_flush(b);
}

static int write_text(Sink *s, SinkStream *st, const char *p, size_t n, bool end, usec_t realtime) {
        Batch b = { .sink = s, .stream = st, .chunk = p, .size = n, .at = st->done, .end = end, .realtime = realtime };
        Piece piece;
        int r;

        if (next_piece(p + st->done, n - st->done, st->open_size, end, &piece)) {
                r = log_file_ready(&s->file, realtime);
                if (r >= 0)
                        r = close_open_line(&s->file);
                if (r >= 0)
                        r = batch_run(&b);
                if (r < 0)
                        return r;
        }
        r = keep_rest(st, p + st->done, n - st->done);
        if (r >= 0)
                st->done = 0;
        return r;
}

/* ---- raw ---- */

/* How many of n bytes at p go into the file as it is; 0: rotate first. A line that the file has the start of is not cut before it alone is
 * longer than max_size. */
static size_t raw_room(const LogFile *f, const char *p, size_t n) {
        uint64_t room = f->rotate_at > f->size ? f->rotate_at - f->size : 0, limit;
        const char *newline;

        if (log_file_due(f)) {
                if (!f->line_open)
                        return 0;
                newline = memchr(p, '\n', n);
                n = newline ? (size_t) (newline - p) + 1 : n;
        }
        if (n <= room)
                return n;
        newline = room > 0 ? memrchr(p, '\n', room) : NULL;
        if (newline)
                return (size_t) (newline - p) + 1;
        if (!f->line_open)
                return f->size > 0 ? 0 : room;
        limit = f->line_start + f->limits.max_size;
        room = limit > f->size ? MIN(limit - f->size, n) : 0;
        newline = room > 0 ? memchr(p, '\n', room) : NULL;
        return newline ? (size_t) (newline - p) + 1 : room;
}

static int write_raw(Sink *s, SinkStream *st, const char *p, size_t n, usec_t realtime) {
        LogFile *f = &s->file;
        size_t written;
        int r;

        r = log_file_ready(f, realtime);
        while (r >= 0 && st->done < n) {
                size_t room = raw_room(f, p + st->done, n - st->done);

                if (room == 0) {
                        r = log_file_rotate(f, realtime);
                        continue;
                }
                r = log_file_append(f, p + st->done, room, &written);
                st->done += (uint32_t) written;
        }
        if (r >= 0)
                st->done = 0;
        return r;
}

int sink_write(Sink *s, SinkStream *st, const char *p, size_t n, usec_t realtime) {
        if (n == 0)
                return 0;
        return st->format ? write_raw(s, st, p, n, realtime) : write_text(s, st, p, n, false, realtime);
}

int sink_end(Sink *s, SinkStream *st, usec_t realtime) {
        return st->format ? 0 : write_text(s, st, "", 0, true, realtime);
}
