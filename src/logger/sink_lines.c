/* From chunks of a pipe to lines of a file. Must stay true: a line is either in the file as a whole or not at all; one piece of what came in (a
 * line, a part of a line that is too long, an event) is one line of the file.
 *
 * Lines are gathered in one buffer that all sinks share: it is empty between calls, there is one thread. So is the place where the start of a
 * line and the chunk that ends it are put together. */
#include "logger/event.h"
#include "logger/json_line.h"
#include "logger/line.h"
#include "logger/notes.h"
#include "logger/sink_state.h"
#include "model/spec.h"

#define GATHER_SIZE (256 * 1024)      /* holds at least one line of the greatest length in any format */
#define OPEN_FIRST 256

/* Lines on their way from a chunk, or what was kept and a chunk, into the file. */
typedef struct Batch {
        Sink *sink;
        SinkStream *stream;
        const char *data;
        size_t size;
        size_t at;               /* gathered up to here; stream->done: written up to here */
        EventEnd end;
        usec_t realtime;
        size_t used;             /* of gather[] */
        char prefix[2][LINE_PREFIX_MAX];      /* text: of a whole line, of one that is cut; json: the stamp */
        size_t prefix_size[2];
} Batch;

static char gather[GATHER_SIZE];
static char joined[LINE_MESSAGE_MAX + SINK_CHUNK_MAX];

_Static_assert(JSON_LINE_MAX(1024, JSON_MESSAGE_MAX) <= GATHER_SIZE && LINE_PREFIX_MAX + LINE_MESSAGE_MAX + 1 <= GATHER_SIZE, "one line fits");

static size_t message_max(const SinkStream *st) {
        return st->format == LOG_FORMAT_JSON ? JSON_MESSAGE_MAX : LINE_MESSAGE_MAX;
}

/* Has room for `wanted` bytes, keeping those there are. */
static int grow_open(SinkStream *st, size_t wanted) {
        size_t size = MAX(st->open_allocated, (uint32_t) OPEN_FIRST);
        char *grown;

        if (wanted <= st->open_allocated || (st->open_allocated == 0 && notes_lend(st)))
                return 0;
        while (size < wanted)
                size *= 2;
        grown = realloc(st->open, size);
        if (!grown)
                return -ENOMEM;
        st->open = grown;
        st->open_allocated = (uint32_t) size;
        return 0;
}

/* ---- pieces ---- */

/* A line, or a part of one that is too long: a message of exactly the greatest length is a line if a newline follows, so it waits for one byte
 * more. */
static inline bool next_line(const char *p, size_t n, size_t max, EventEnd end, Event *ret) {
        const char *newline = n > 0 ? memchr(p, '\n', MIN(n, max + 1)) : NULL;

        if (newline)
                *ret = (Event) { .size = (size_t) (newline - p), .eaten = (size_t) (newline - p) + 1 };
        else if (n > max)
                *ret = (Event) { .size = max, .eaten = max, .cut = true };
        else if (end == EVENT_ALL && n > 0)
                *ret = (Event) { .size = n, .eaten = n };
        else
                return false;
        return true;
}

/* What comes next from byte `at` on. False: it is not complete yet. */
static inline bool next_piece(const Batch *b, size_t at, Event *ret) {
        SinkStream *st = b->stream;
        const char *p = b->data + at;
        bool found;

        if (st->multiline)
                found = event_next(p, b->size - at, message_max(st), b->end, ret, &st->pending);
        else
                found = next_line(p, b->size - at, message_max(st), b->end, ret);
        if (found && st->leaving && p[ret->eaten - 1] != '\n')
                ret->cut = true;
        return found;
}

static inline size_t piece_bound(const Batch *b, const Event *e) {
        return b->stream->format == LOG_FORMAT_JSON ? JSON_LINE_MAX(b->stream->head_size, e->size) : LINE_PREFIX_MAX + e->size + 1;
}

/* Writes a piece as a line of the file and returns its size. */
static inline size_t render(const Batch *b, const Event *e, char *to) {
        const SinkStream *st = b->stream;
        const char *p = b->data + b->at;

        if (st->format == LOG_FORMAT_JSON)
                return json_line(to, b->prefix[0], st->head ?: "", st->head_size, e->cut, p, e->size);
        /* A constant size lets the compiler move the prefix in three registers. */
        memcpy(to, b->prefix[e->cut], LINE_PREFIX_MAX);
        to = mempcpy(to + b->prefix_size[e->cut], p, e->size);
        *to = '\n';
        return b->prefix_size[e->cut] + e->size + 1;
}

static void prepare_prefix(Batch *b) {
        const SinkStream *st = b->stream;
        int32_t instance = st->merged ? (int32_t) st->instance : -1;

        for (size_t cut = 0; cut < 2; cut++)
                b->prefix_size[cut] = line_prefix(b->prefix[cut], b->realtime, st->stream, instance, cut, st->tag);
}

/* ---- batches ---- */

static size_t count_lines(const char *p, size_t n) {
        size_t lines = 0;

        for (const char *end = p + n; (p = memchr(p, '\n', (size_t) (end - p))); p++)
                lines++;
        return lines;
}

/* After a failed write: passes over as many pieces as lines are in the file. */
static void batch_settle(Batch *b, size_t lines) {
        Event e;

        for (; lines > 0 && next_piece(b, b->stream->done, &e); lines--)
                b->stream->done += (uint32_t) e.eaten;
}

static int batch_flush(Batch *b) {
        size_t written, whole = 0;
        const char *newline;
        int r;

        if (b->used == 0)
                return 0;
        notes_step(&b->sink->file, b->stream->done);
        r = log_file_append(&b->sink->file, gather, b->used, &written);
        b->used = 0;
        if (r >= 0) {
                b->stream->done = (uint32_t) b->at;
                notes_step(&b->sink->file, b->stream->done);
                return 0;
        }
        newline = memrchr(gather, '\n', written);
        if (newline)
                whole = (size_t) (newline - gather) + 1;
        log_file_take_back(&b->sink->file, written - whole);
        batch_settle(b, count_lines(gather, whole));
        return r;
}

/* A line that the logger before us, or a full disk, left without its end. */
static int close_open_line(LogFile *f) {
        size_t written;

        return f->line_open ? log_file_append(f, "\n", 1, &written) : 0;
}

/* Puts the file aside before the line of n bytes that was rendered last. */
static int batch_rotate(Batch *b, size_t n) {
        char *line = gather + b->used;
        int r;

        r = batch_flush(b);
        if (r < 0)
                return r;
        memmove(gather, line, n);
        return log_file_rotate(&b->sink->file, b->realtime);
}

/* A piece that is one too many. What stands before it is written first, so that pieces and lines of the file go on matching. */
static int batch_pass_over(Batch *b, const Event *e) {
        int r;

        r = batch_flush(b);
        if (r < 0)
                return r;
        sink_drop(b->sink, b->data + b->at, e->eaten, b->realtime, DROP_RATE);
        b->at += e->eaten;
        b->stream->done = (uint32_t) b->at;
        return 0;
}

/* Gathers and writes every piece that is complete. */
static int batch_run(Batch *b) {
        LogFile *f = &b->sink->file;
        Event e;
        int r;

        prepare_prefix(b);
        while (next_piece(b, b->at, &e)) {
                size_t n;

                if (!sink_allows(b->sink, b->realtime)) {
                        r = batch_pass_over(b, &e);
                        if (r < 0)
                                return r;
                        continue;
                }
                if (b->used + piece_bound(b, &e) > sizeof(gather)) {
                        r = batch_flush(b);
                        if (r < 0)
                                return r;
                }
                n = render(b, &e, gather + b->used);
                if (f->size + b->used + n > f->rotate_at && f->size + b->used > 0) {
                        r = batch_rotate(b, n);
                        if (r < 0)
                                return r;
                }
                b->used += n;
                b->at += e.eaten;
        }
        return batch_flush(b);
}

static int batch_begin(Batch *b) {
        LogFile *f = &b->sink->file;
        int r;

        r = log_file_ready(f, b->realtime);
        if (r >= 0)
                r = close_open_line(f);
        if (r >= 0 && log_file_due(f))
                r = log_file_rotate(f, b->realtime);
        return r;
}

/* ---- lines ---- */

/* Bytes in the middle of a line need not be looked at together with those before them: else a line that comes byte by byte would cost the square
 * of its length. */
static bool only_adds(const SinkStream *st, const char *p, size_t n) {
        return st->done == 0 && st->open_size + n <= message_max(st) && !memchr(p, '\n', n) &&
               (st->open_size == 0 || st->open[st->open_size - 1] != '\n');
}

static int add_open(SinkStream *st, const char *p, size_t n) {
        int r = grow_open(st, st->open_size + n);

        if (r < 0)
                return r;
        memcpy(st->open + st->open_size, p, n);
        st->open_size += (uint32_t) n;
        notes_opened(st);
        return 0;
}

/* Keeps what is behind the last piece until more comes. */
static int keep_rest(const Batch *b) {
        SinkStream *st = b->stream;
        size_t n = b->size - st->done;
        bool pending = st->pending;
        int r;

        if (n == 0)
                stream_drop_open(st);
        else {
                r = grow_open(st, n);
                if (r < 0)
                        return r;
                notes_turn_over(st);
                memcpy(st->open, b->data + st->done, n);
                st->open_size = (uint32_t) n;
                notes_opened(st);
                st->pending = pending;
        }
        st->done = 0;
        return 0;
}

/* Ends what is kept of a line whose end was dropped, and passes over the end of one whose beginning was. False: nothing of the chunk is left. */
static bool bridge_gap(Sink *s, SinkStream *st, const char *p, size_t n, usec_t realtime, int *ret) {
        const char *newline;

        *ret = 0;
        if (st->torn) {
                st->torn = false;
                *ret = st->open_size > 0 ? sink_write_lines(s, st, "", 0, EVENT_ALL, realtime) : 0;
                st->torn = *ret < 0;
        }
        if (*ret < 0 || !st->skip || n == 0)
                return *ret >= 0;
        newline = memchr(p, '\n', n);
        n = newline ? (size_t) (newline - p) + 1 : n;
        sink_drop(s, p, n, realtime, s->dropped.reason);
        st->skip = !newline;
        st->done = newline ? (uint32_t) n : 0;
        return newline;
}

int sink_write_lines(Sink *s, SinkStream *st, const char *p, size_t n, EventEnd end, usec_t realtime) {
        Batch b = { .sink = s, .stream = st, .data = p, .size = n, .at = st->done, .end = end, .realtime = realtime };
        Event e;
        int r;

        if (st->torn || st->skip) {
                if (!bridge_gap(s, st, p, n, realtime, &r))
                        return r;
                b.at = st->done;
        }
        if (end == EVENT_MORE && only_adds(st, p, n))
                return add_open(st, p, n);
        if (st->open_size > 0) {
                memcpy(mempcpy(joined, st->open, st->open_size), p, n);
                b.data = joined;
                b.size += st->open_size;
        }
        if (next_piece(&b, b.at, &e)) {
                r = batch_begin(&b);
                if (r >= 0)
                        r = batch_run(&b);
                if (r < 0)
                        return r;
        }
        return keep_rest(&b);
}

int sink_write_own(Sink *s, SinkStream *st, const char *text, usec_t realtime) {
        Batch b = { .sink = s, .stream = st, .data = text, .realtime = realtime };
        Event e = { .size = strlen(text) };
        size_t written, n;
        int r;

        r = batch_begin(&b);
        if (r < 0)
                return r;
        prepare_prefix(&b);
        n = render(&b, &e, gather);
        notes_begin(st, s->file.path);
        notes_step(&s->file, 0);
        r = log_file_append(&s->file, gather, n, &written);
        if (r < 0)
                log_file_take_back(&s->file, written);
        notes_end();
        return r;
}
