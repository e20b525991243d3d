/* The sink inside: sink.c has what callers see and the raw format, sink_lines.c the formats of lines, sink_drop.c what is not written. */
#pragma once

#include "logger/event.h"
#include "logger/sink.h"

/* What was dropped and not told yet. */
typedef struct Dropped {
        uint64_t lines, bytes;        /* lines: their ends */
        usec_t since, until;          /* CLOCK_REALTIME */
        usec_t tell_at;               /* CLOCK_REALTIME: not before, so that a flood is told of once a second */
        DropReason reason;            /* the first */
} Dropped;

struct Sink {
        LogFile file;
        uint32_t rate, burst;         /* lines a second, at once; rate 0: any number */
        uint32_t tokens;              /* lines that may be written before `refill` */
        usec_t refill;                /* CLOCK_REALTIME */
        Dropped dropped;
};

/* ---- sink_lines.c ---- */

int sink_write_lines(Sink *s, SinkStream *st, const char *p, size_t n, EventEnd end, usec_t realtime);
/* Writes one line that is our own, in the form of the stream's. 0 or -errno: nothing of it is in the file. */
int sink_write_own(Sink *s, SinkStream *st, const char *text, usec_t realtime);

/* ---- sink.c ---- */

void stream_drop_open(SinkStream *st);

/* ---- sink_drop.c ---- */

/* Whether one more line may be written at that time; takes it off the allowance. */
bool sink_allows(Sink *s, usec_t realtime);
