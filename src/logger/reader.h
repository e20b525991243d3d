/* Reading log files back: the last N lines or those since a time, across rotated and compressed files, then following appends and rotations.
 * Never blocks: the caller (the manager's loop) asks for at most some records at a time. Lines of text and json
 * format come back with time and stream; raw lines, and those without a valid prefix, have time 0 and stream 0. */
#pragma once

#include "base/macro.h"
#include "base/span.h"

typedef struct LogRecord {
        usec_t realtime;         /* 0: unknown */
        int stream;              /* 0 out, 1 err */
        int32_t instance;        /* that a line of a merged file names; -1: the one whose file it is */
        int level;               /* 1 + its syslog priority; 0: unknown */
        pid_t pid;               /* 0: unknown */
        bool partial;            /* the line goes on in the next record of this stream: it is longer than 64 KiB, or unfinished */
        const char *message;     /* valid until the next call; not NUL-terminated, any bytes */
        size_t size;
} LogRecord;

typedef struct LogReader LogReader;
/* format: 0 text, 1 raw, 2 json (LogFormat of model/spec.h). 0 also when the file does not exist yet. Without a seek reading starts with the oldest rotated file. */
int log_reader_open(const char *path, int format, LogReader **ret);
LogReader *log_reader_free(LogReader *r);
DEFINE_CLEANUP(LogReader *, log_reader_free);

/* Before the first of these many complete lines at the end; 0: only what comes from now on. Reads backwards in blocks: O(lines), not
 * O(file). An archive is looked at while log_reader_next() is called. */
int log_reader_seek_tail(LogReader *r, uint64_t lines);
/* Before the first record at or after that time; binary search in text format. A raw file has no times: the first file written to since
 * then. */
int log_reader_seek_time(LogReader *r, usec_t since);
/* 1 a record, 0 nothing more for now (end of file: try again after the file changed), LOG_READER_BUSY: call again, -errno. A line counts when
 * its newline is there. */
#define LOG_READER_BUSY 2
int log_reader_next(LogReader *r, LogRecord *ret);
/* The path of an archive that turned out to be damaged, told once; malloc'ed, NULL: none. What could be read of it was or will be. */
char *log_reader_damage(LogReader *r);
/* After log_reader_next() said 0: the unfinished line at the end, if there is one (1, marked partial; else 0). What is returned is
 * consumed: the rest of that line comes as a record of its own. For a raw file of a service that ended without a newline. */
int log_reader_rest(LogReader *r, LogRecord *ret);
/* Descriptor of an inotify watch that becomes readable when there may be more (append, rotation); owned by the reader. -errno. Draining it
 * is log_reader_next's business; call that once more after the first log_reader_watch_fd(), for what came before. */
int log_reader_watch_fd(LogReader *r);

/* A place between two records that outlives rotation, compression and the reader: the file by its inode or, once that is gone, by its first
 * line, and the offset in its bytes as they were written. */
typedef struct LogPosition {
        uint64_t ino;
        uint64_t head;           /* of the first line; 0: the file had none yet */
        uint64_t offset;
        usec_t realtime;         /* cut: of the line that goes on here */
        int stream;
        bool cut;
} LogPosition;
#define LOG_POSITION_MAX 96

/* Behind the record that was returned last. */
void log_reader_position(LogReader *r, LogPosition *ret);
/* Goes on from there: 1. 0: that file is gone, and reading starts with the oldest one there is. -errno. */
int log_reader_seek_position(LogReader *r, const LogPosition *p);
/* As text, and back: -EINVAL unless it is exactly what the first makes. */
const char *log_position_format(char buf[LOG_POSITION_MAX], const LogPosition *p);
int log_position_parse(const char *text, LogPosition *ret);
