/* One log file: lines in, rotation, whole lines only. No allocation per line. Owned by kingd-logger; tested alone.
 *
 * Text format, one line of output each:  2026-01-02T03:04:05.000006Z out MESSAGE      (or "err"; "out@3" from instance 3 of a merged file)
 * A message longer than LINE_MESSAGE_MAX is cut into pieces marked `out+` / `err+` on all but the last.
 * Json format: json_line.h. Raw format: the bytes as they come.
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
        uint32_t rate, burst;    /* lines written a second, and at once after a pause (at least `rate`); rate 0: any number. Not for raw files */
} SinkOptions;

/* How lines are to look. */
typedef struct LineFormat {
        uint8_t format;          /* LogFormat of model/spec.h */
        bool merged;             /* text: name the instance in each line */
        bool multiline;          /* json: lines that continue one another in one object */
        const char *tag;         /* what stands before a message, in brackets; json: "hook". A constant, or NULL */
} LineFormat;

/* Who writes them. */
typedef struct LineSource {
        const char *service, *ns;     /* valid names */
        uint64_t run;                 /* 0: the next logger need not know of it (notes.h) */
        uint32_t instance;
        int32_t pid;
} LineSource;

/* One pipe that ends in a sink. Several share a sink (stdout and stderr, and the runs of one instance, which may overlap), so what is not complete
 * yet is kept here. sink_stream_init(), or zero-initialise with stream and format; sink_stream_done() frees what it holds. */
typedef struct SinkStream {
        uint8_t stream;          /* 0 out, 1 err */
        uint8_t format;
        bool merged, multiline;
        bool pending;            /* a complete line is kept because the next one may continue it: sink_flush() after a while */
        bool leaving;            /* an unfinished line is to be a piece: another logger will read what follows */
        /* private */
        bool torn;               /* the end of what is kept was dropped */
        bool skip;               /* what comes next is the end of a line whose beginning was dropped */
        uint32_t instance;
        uint64_t run;
        uint32_t room;           /* of `open` in the notes; 0: it is on the heap */
        uint32_t done;           /* bytes of what is kept and the chunk at hand that are settled; not 0 only after an error */
        uint32_t open_size, open_allocated;
        char *open;
        size_t head_size;
        const char *tag;         /* text: or NULL */
        char *head;              /* json: what is the same in all lines */
} SinkStream;
int sink_stream_init(SinkStream *st, uint8_t stream, const LineSource *who, const LineFormat *f);  /* 0 or -ENOMEM */
void sink_stream_done(SinkStream *st);

int sink_new(const SinkOptions *o, Sink **ret);          /* the file is opened at the first byte; parent directories are made */
Sink *sink_free(Sink *s);
DEFINE_CLEANUP(Sink *, sink_free);
void sink_configure(Sink *s, const SinkOptions *o);      /* new limits and owner; the path stays */

/* Appends a chunk (at most SINK_CHUNK_MAX bytes) received at `realtime`. In text and json format what is not complete is kept until it is, or
 * sink_end() comes. 0, or -errno of open, write or memory: then nothing of the chunk is lost, call again with the same chunk. */
#define SINK_CHUNK_MAX (128 * 1024)
int sink_write(Sink *s, SinkStream *st, const char *p, size_t n, usec_t realtime);
int sink_flush(Sink *s, SinkStream *st, usec_t realtime);  /* writes complete lines that are kept. Errors as sink_write */
/* The stream goes on, but not with us: an open line is written as a piece. Errors as sink_write. */
int sink_leave(Sink *s, SinkStream *st, usec_t realtime);
int sink_end(Sink *s, SinkStream *st, usec_t realtime);  /* end of file on the stream: completes an open line. Errors as sink_write */

/* What is not written is counted, and the file says so: "kingly: 12 lines (1.2K) were not kept, from … to …: REASON". */
typedef enum DropReason { DROP_RATE, DROP_FULL, DROP_SLOW } DropReason;
void sink_drop(Sink *s, const char *p, size_t n, usec_t realtime, DropReason reason);   /* counts bytes that are not going to be written */
/* The same for the chunk that sink_write() was last given, without what that has settled. */
void sink_discard(Sink *s, SinkStream *st, const char *p, size_t n, usec_t realtime, DropReason reason);
/* Between what is kept of the stream and what comes next, bytes were dropped; the last of them no newline: `inside`. */
void sink_gap(SinkStream *st, bool inside);
/* CLOCK_REALTIME from which sink_tell() has something to say; USEC_INFINITY: nothing. */
usec_t sink_tell_at(const Sink *s);
int sink_tell(Sink *s, SinkStream *st, usec_t realtime);   /* in the form of this stream. Errors as sink_write */

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
