/* The file below a sink: opened when needed, appended to, rotated. Used by sink.c alone. */
#pragma once

#include "base/macro.h"
#include "base/span.h"

typedef struct LogFile {
        char *path;
        int fd;                  /* -EBADF: opened by the next log_file_ready() */
        uint32_t keep;
        int32_t uid, gid;
        bool line_open;          /* the last byte is no newline */
        int rotate_error;        /* -errno of a failed rotation that nobody has asked for yet */
        dev_t dev;
        ino_t ino;
        uint64_t size;
        uint64_t line_start;     /* where the open line began */
        uint64_t max_size;       /* UINT64_MAX: never rotate */
        uint64_t rotate_at;      /* max_size, or more after a failed rotation */
        usec_t checked;          /* CLOCK_REALTIME: when the path was last compared with what is open */
} LogFile;

int log_file_init(LogFile *f, const char *path);
void log_file_done(LogFile *f);
void log_file_limits(LogFile *f, uint64_t max_size, uint32_t keep, int32_t uid, int32_t gid);
void log_file_close(LogFile *f);

/* Opens the file unless it is open; at most once a second looks whether it still is the one of that name and that size. */
int log_file_ready(LogFile *f, usec_t realtime);
/* Appends. On an error *ret_written tells how much went in before it. */
int log_file_append(LogFile *f, const char *p, size_t n, size_t *ret_written);
/* Takes the last n bytes, just appended and the start of a line, back. */
void log_file_take_back(LogFile *f, size_t n);
/* Afterwards the file is empty and a new one, or rotate_at is moved on because that failed (rotate_error). -errno: no file could be
 * opened. */
int log_file_rotate(LogFile *f, usec_t realtime);
