/* The file below a sink: opened when needed, appended to, rotated. Its functions are used by sink.c alone. */
#pragma once

#include "base/macro.h"
#include "base/span.h"

/* What is wanted of one log. 0 and the greatest value are no bound. */
typedef struct LogLimits {
        uint64_t max_size;       /* bytes of the file; a single line may be longer */
        uint64_t max_total;      /* bytes of the file and those put aside */
        usec_t max_age;          /* of the file, since its first byte */
        int rotate;              /* LogRotate of model/spec.h */
        uint32_t keep;           /* PATH.1 … PATH.keep; 0: the file is emptied instead */
        int32_t uid, gid;        /* given to a file that we create; -1: ours */
} LogLimits;

typedef struct LogFile {
        char *path;
        int fd;                  /* -EBADF: opened by the next log_file_ready() */
        LogLimits limits;        /* no bound is the greatest value */
        bool rotated;            /* since somebody asked */
        bool line_open;          /* the last byte is no newline */
        int rotate_error;        /* -errno of a failed rotation that nobody has asked for yet */
        dev_t dev;
        ino_t ino;
        uint64_t size;
        uint64_t line_start;     /* where the open line began */
        uint64_t rotate_at;      /* max_size, or more after a failed rotation */
        usec_t begun;            /* CLOCK_REALTIME of the first byte, as far as that is known */
        usec_t due;              /* CLOCK_REALTIME: put aside by age or calendar; USEC_INFINITY: never, or not before its first byte */
        usec_t now;              /* of the last log_file_ready() */
        usec_t checked;          /* CLOCK_REALTIME: when the path was last compared with what is open */
} LogFile;

int log_file_init(LogFile *f, const char *path);
void log_file_done(LogFile *f);
void log_file_limits(LogFile *f, const LogLimits *l);
void log_file_close(LogFile *f);

/* Opens the file unless it is open; at most once a second looks whether it still is the one of that name and that size. */
int log_file_ready(LogFile *f, usec_t realtime);
/* Whether age or calendar want it put aside. Open files only. */
static inline bool log_file_due(const LogFile *f) { return f->now >= f->due && f->size > 0; }
/* Appends. On an error *ret_written tells how much went in before it. */
int log_file_append(LogFile *f, const char *p, size_t n, size_t *ret_written);
/* Takes the last n bytes, just appended and the start of a line, back. */
void log_file_take_back(LogFile *f, size_t n);
/* Afterwards the file is empty and a new one, or rotate_at and due are moved on because that failed (rotate_error). -errno: no file could
 * be opened. */
int log_file_rotate(LogFile *f, usec_t realtime);
