/* The logger inside: logger.c is the loop and the keeper's socket, run.c reads pipes, target.c looks after files that are full or too
 * many. */
#pragma once

#include <sys/queue.h>

#include "base/map.h"
#include "linux/poller.h"
#include "logger/log_wire.h"
#include "logger/sink.h"

#define PIPE_CHUNK (64 * 1024)        /* what a pipe holds unless somebody enlarged it */
#define PIPE_TURN (256 * 1024)        /* bytes read of one pipe before the others have their turn */
#define PIPE_REST (1024 * 1024)       /* bytes read of one pipe after the keeper is gone: no pipe holds more, unless the limit was raised */
#define OPEN_FILES_MAX 256            /* log files kept open; the one not written to for longest is closed first */
#define RETRY_FIRST USEC_PER_SEC
#define RETRY_MAX (30 * USEC_PER_SEC)

typedef struct Logger Logger;
typedef struct Target Target;
typedef struct Run Run;

typedef struct LogPipe {
        PollSource source;            /* first: its callback gets this address. fd -EBADF: ended, and all of it written */
        SinkStream stream;
        Run *run;
        bool eof;                     /* nothing more to read, but not all is written */
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
        LIST_ENTRY(Target) waiting;   /* in logger->stalled iff `stalled` */
        bool listed;
        bool stalled;                 /* not written and its pipes not read until retry_at */
        usec_t retry_at, delay;       /* CLOCK_MONOTONIC; time until the next attempt */
};

struct Logger {
        Poller poller;
        PollSource socket, signals;
        Map *targets;                 /* by path, which is the sink's */
        TAILQ_HEAD(Recent, Target) recent;       /* open files, the last written first */
        size_t n_open;
        LIST_HEAD(, Target) stalled;
        LIST_HEAD(, Run) closing;     /* ended runs that the keeper has not been told of */
        bool ending;                  /* the keeper is gone: runs are finished one by one, none frees itself */
        char *buffer;                 /* PIPE_CHUNK bytes that every read uses; NULL after one was kept */
};

/* ---- run.c ---- */

/* Starts reading. Owns both descriptors in every case. */
int run_open(Logger *l, const LogOpen *o, const int fds[2]);
/* Closes the pipes and forgets what they hold. The run is in no list any more, or in its target's. */
void run_free(Run *run);
/* Reads and writes one chunk: its size, or 0 when there is nothing for now, the pipe has ended or the file is stalled. After 0 the run may
 * be gone. */
size_t pipe_read(LogPipe *p);
/* Writes what was kept of a pipe. 0, or -errno: as full as before. */
int pipe_retry(LogPipe *p);
/* Reads on, or closes, after pipe_retry(). May free the run and its target. */
void pipe_resume(LogPipe *p);

/* ---- target.c ---- */

int target_get(Logger *l, const LogOpen *o, Target **ret);
void target_put(Target *t);           /* frees it unless a run uses it */
/* After each write: keeps the number of open files in bounds, tells of a failed rotation. */
void target_used(Target *t);
void target_stall(Target *t, int error);
void target_retry(Target *t);

/* ---- logger.c ---- */

void logger_closed(Logger *l, Run *run);      /* both pipes of the run have ended: tells the keeper, now or later, and frees it */
