/* The logger inside: logger.c is the loop and the keeper's socket, run.c reads pipes, drop.c those whose service
 * shall not wait, target.c looks after files that are full, due or too many. */
#pragma once

#include <sys/queue.h>

#include "base/map.h"
#include "linux/poller.h"
#include "logger/archiver.h"
#include "logger/log_wire.h"
#include "logger/notes.h"
#include "logger/sink.h"

#define PIPE_CHUNK NOTES_CHUNK
#define PIPE_TURN (256 * 1024)        /* bytes read of one pipe before the others have their turn */
#define PIPE_REST (1024 * 1024)       /* bytes read of one pipe after the keeper is gone: no pipe holds more, unless the limit was raised */
#define OPEN_FILES_MAX 256            /* log files kept open; the one not written to for longest is closed first */
#define QUOTA_DELAY USEC_PER_SEC      /* from a rotation to the look at the size of all logs: one look for many rotations */
#define EVENT_WAIT (200 * USEC_PER_MSEC) /* a line waits this long for others that continue it */
#define SLOW_WRITE (100 * USEC_PER_MSEC) /* a chunk that takes longer shows that the disk does not keep up */
#define RETRY_FIRST USEC_PER_SEC
#define RETRY_MAX (30 * USEC_PER_SEC)

typedef struct Logger Logger;
typedef struct Target Target;
typedef struct Run Run;

typedef struct LogPipe {
        PollSource source;            /* first: its callback gets this address. fd -EBADF: ended, and all of it written */
        SinkStream stream;
        Run *run;
        bool leave;                   /* another logger will read on */
        bool eof;                     /* nothing more to read, but not all is written */
        bool gap, gap_inside;         /* bytes were dropped after what is kept; the last of them no newline */
        uint32_t kept_size;
        char *kept;                   /* the chunk that could not be written */
        usec_t kept_at;               /* CLOCK_REALTIME of its arrival */
} LogPipe;

struct Run {
        uint64_t id;
        Target *target;
        LIST_ENTRY(Run) siblings;     /* in target->runs; when both pipes have ended and the keeper does not know, in logger->closing */
        LogPipe pipes[2];
};

/* One file and who writes to it. */
struct Target {
        Logger *logger;
        Sink *sink;
        LIST_HEAD(, Run) runs;
        TAILQ_ENTRY(Target) recent;   /* in logger->recent iff `listed`: the file is open */
        LIST_ENTRY(Target) all;       /* in logger->all */
        bool listed;
        bool stalled;                 /* not written and its pipes not read until retry_at */
        uint8_t compress, when_full;  /* LogCompress, LogFull of model/spec.h */
        DropReason full;              /* why it is stalled */
        uint32_t keep;
        usec_t retry_at, delay;       /* CLOCK_MONOTONIC; time until the next attempt */
        usec_t flush_at;              /* CLOCK_MONOTONIC: lines that wait for others are written; USEC_INFINITY: none does */
        usec_t tell_at;               /* CLOCK_REALTIME: sink_tell_at() that logger->wake takes account of */
        usec_t due;                   /* CLOCK_REALTIME: sink_due() that logger->wake takes account of */
};

struct Logger {
        Poller poller;
        PollSource socket, signals;
        Map *targets;                 /* by path, which is the sink's */
        TAILQ_HEAD(Recent, Target) recent;       /* open files, the last written first */
        size_t n_open;
        LIST_HEAD(, Target) all;
        usec_t wake;                  /* CLOCK_MONOTONIC: no target has to be looked at before, unless something is written */
        Archiver archiver;
        char *root;                   /* directory of all logs; NULL: not known yet */
        uint64_t quota;               /* bytes of all logs; UINT64_MAX: no bound */
        usec_t quota_at;              /* CLOCK_MONOTONIC: the next look at their size; USEC_INFINITY: after the next rotation */
        LIST_HEAD(, Run) closing;     /* ended runs that the keeper has not been told of */
        bool reopened;                /* the keeper has not been told of it */
        bool refusing;                /* the last run that came could not be taken up */
        bool ending;                  /* the keeper is gone: runs are finished one by one, none frees itself */
        char *buffer;                 /* PIPE_CHUNK bytes for a chunk that must be kept; NULL after one was */
};

/* ---- run.c ---- */

/* Starts reading. Owns both descriptors in every case. */
int run_open(Logger *l, const LogPacket *packet, const int fds[2]);
/* Closes the pipes and forgets what they hold. The run is in no list any more, or in its target's. */
void run_free(Run *run);
/* Reads and writes one chunk: its size, or 0 when there is nothing for now, the pipe has ended or the file is stalled. After 0 the run may
 * be gone. */
size_t pipe_read(LogPipe *p);
/* Keeps the chunk of n bytes in the shared buffer, which it takes: that needs no memory. The chunk may be in it already. */
void pipe_keep(LogPipe *p, const char *chunk, size_t n, usec_t at);
/* The file cannot be written and the service shall not wait: what the pipe holds is dropped, the newest or the oldest. */
void pipe_drop(LogPipe *p);
/* Writes what was kept of a pipe. 0, or -errno: as full as before. When the logger ends but the pipe does not, the beginning of a line is written
 * too, as a piece. */
int pipe_retry(LogPipe *p);
/* Reads on, or closes, after pipe_retry(). May free the run and its target. */
void pipe_resume(LogPipe *p);

/* ---- target.c ---- */

int target_get(Logger *l, const LogOpen *o, Target **ret);
void target_put(Target *t);           /* frees it unless a run uses it */
/* After each write: keeps the number of open files in bounds, sees to what a rotation leaves, tells of a failed one. */
void target_used(Target *t);
void target_pending(Target *t);       /* a line of a pipe waits for others that may continue it */
/* Not written for a while, because of an error or (DROP_SLOW, no error) because the disk does not keep up. */
void target_stall(Target *t, int error, DropReason reason, usec_t delay);
/* Tells in the file what was dropped, in the form of a stream. */
int target_tell(Target *t, SinkStream *st);
/* Does what is due by now, and has the logger woken for what is due later. May free the target. */
void target_tick(Target *t, usec_t monotonic, usec_t realtime);

/* ---- logger.c ---- */

void logger_wake(Logger *l, usec_t monotonic); /* every target is looked at by then */

void logger_closed(Logger *l, Run *run);      /* both pipes of the run have ended: tells the keeper, now or later, and frees it */
