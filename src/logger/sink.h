/* One log file: lines in, rotation by size, whole lines only. No allocation per line. Owned by kingd-logger; tested alone.
 *
 * Text format, one line of output each:  2026-01-02T03:04:05.000006Z out MESSAGE      (or "err")
 * A message longer than the line limit (64 KiB) is cut into pieces marked `out+` / `err+` on all but the last.
 * Raw format: the bytes as they come.
 *
 * A file that somebody renamed, removed or emptied is noticed within a second and opened anew; sink_close() makes it at once. */
#pragma once

#include "base/macro.h"
#include "base/span.h"
#include "logger/file.h"

typedef struct Sink Sink;
typedef struct SinkOptions {
        const char *path;        /* copied */
        LogLimits limits;
} SinkOptions;

/* One pipe that ends in a sink. Several share a sink (stdout and stderr, and the runs of one instance, which may overlap), so the start of
 * a line that is not complete yet is kept here. Zero-initialise with stream and format; sink_stream_done() frees what it holds. */
typedef struct SinkStream {
        uint8_t stream;          /* 0 out, 1 err */
        uint8_t format;          /* 0 text, 1 raw */
        /* private */
        uint32_t done;           /* bytes of the chunk at hand that need not be written again; not 0 only after an error */
        uint32_t open_size, open_allocated;
        char *open;
} SinkStream;
void sink_stream_done(SinkStream *st);

int sink_new(const SinkOptions *o, Sink **ret);          /* the file is opened at the first byte; parent directories are made */
Sink *sink_free(Sink *s);
DEFINE_CLEANUP(Sink *, sink_free);
void sink_configure(Sink *s, const SinkOptions *o);      /* new limits and owner; the path stays */

/* Appends a chunk (below 2 GiB) received at `realtime`. In text format the start of an incomplete line is kept until it is complete or
 * sink_end() comes. 0, or -errno of open, write or memory: then nothing of the chunk is lost, call again with the same chunk. */
int sink_write(Sink *s, SinkStream *st, const char *p, size_t n, usec_t realtime);
int sink_end(Sink *s, SinkStream *st, usec_t realtime);  /* end of file on the stream: completes an open line. Errors as sink_write */

void sink_close(Sink *s);                                /* closes the file; the next byte opens it again */
bool sink_is_open(const Sink *s);
/* What made the last rotation fail (-errno), told once; 0 otherwise. The sink goes on with its file and tries again max_size later. */
int sink_rotation_error(Sink *s);
/* True once after each rotation that worked. */
bool sink_rotated(Sink *s);
/* CLOCK_REALTIME at which sink_rotate_due() shall be called for a file that nobody writes to; USEC_INFINITY: never. */
usec_t sink_due(const Sink *s);
/* Puts the file aside if age or calendar want it. 0, or -errno of open. */
int sink_rotate_due(Sink *s, usec_t realtime);
const char *sink_path(const Sink *s);
