/* A sink and its streams, and the raw format. Must stay true: after an error SinkStream.done says how much is settled, so that the caller can come
 * again with the same chunk and no byte is lost or written twice. */
#include "logger/json_line.h"
#include "logger/notes.h"
#include "logger/sink_state.h"
#include "model/spec.h"

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
        s->rate = o->rate;
        s->burst = MAX(o->burst, o->rate);
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

/* ---- what is kept of a stream ---- */

int sink_stream_init(SinkStream *st, uint8_t stream, const LineSource *who, const LineFormat *f) {
        *st = (SinkStream) { .stream = stream, .format = f->format, .multiline = f->format == LOG_FORMAT_JSON && f->multiline,
                             .merged = f->merged, .instance = who->instance, .run = who->run, .tag = f->tag };
        if (f->format != LOG_FORMAT_JSON)
                return 0;
        st->head = json_line_head(stream, who->service, who->ns, who->instance, who->pid, f->tag, &st->head_size);
        return st->head ? 0 : -ENOMEM;
}

void stream_drop_open(SinkStream *st) {
        st->open_size = 0;
        st->pending = false;
        if (st->room > 0) {
                notes_turn_over(st);
                notes_opened(st);
                return;
        }
        free(st->open);
        st->open = NULL;
        st->open_allocated = 0;
}

void sink_stream_done(SinkStream *st) {
        notes_give_back(st);
        stream_drop_open(st);
        free(st->head);
        st->head = NULL;
        st->done = 0;
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
                notes_step(f, st->done);
                r = log_file_append(f, p + st->done, room, &written);
                st->done += (uint32_t) written;
                notes_step(f, st->done);
        }
        if (r >= 0)
                st->done = 0;
        return r;
}

/* ---- all formats ---- */

int sink_write(Sink *s, SinkStream *st, const char *p, size_t n, usec_t realtime) {
        if (n == 0 && st->done == 0)
                return 0;
        if (st->format == LOG_FORMAT_RAW)
                return write_raw(s, st, p, n, realtime);
        return sink_write_lines(s, st, p, n, EVENT_MORE, realtime);
}

int sink_flush(Sink *s, SinkStream *st, usec_t realtime) {
        int r;

        if (!st->pending)
                return 0;
        notes_begin(st, s->file.path);
        r = sink_write_lines(s, st, "", 0, EVENT_LINES, realtime);
        notes_end();
        return r;
}

int sink_leave(Sink *s, SinkStream *st, usec_t realtime) {
        st->leaving = true;
        return sink_end(s, st, realtime);
}

int sink_end(Sink *s, SinkStream *st, usec_t realtime) {
        int r;

        if (st->format == LOG_FORMAT_RAW)
                return 0;
        notes_begin(st, s->file.path);
        r = sink_write_lines(s, st, "", 0, EVENT_ALL, realtime);
        notes_end();
        return r;
}
