/* The reader inside: reader.c reads the file at hand, reader_files.c finds the others, reader_seek.c, reader_seek_archive.c and
 * reader_position.c the place to start, reader_watch.c waits. */
#pragma once

#include <limits.h>

#include "logger/json_line.h"
#include "logger/line.h"
#include "logger/reader.h"
#include "logger/unpack.h"

#define READER_RAW 1                                                 /* LogFormat of model/spec.h */
#define READER_JSON 2
#define READER_LINE_MAX (LINE_MESSAGE_MAX + LINE_PREFIX_MAX)         /* longer lines come in pieces */
#define READER_JSON_MAX JSON_LINE_MAX(1024, JSON_MESSAGE_MAX)        /* of a json file */
#define READER_BUFFER_SIZE (256 * 1024)                              /* holds a line, and enough behind it for large reads */
#define READER_WORK_MAX (4 * 1024 * 1024)                            /* bytes of an archive looked at in one call */

/* A file of the chain. */
typedef struct LogFileAt {
        int fd;
        ChainForm form;
} LogFileAt;
#define LOG_FILE_NONE ((LogFileAt) { .fd = -EBADF })
void log_file_at_done(LogFileAt *f);
#define _cleanup_file_at_ _cleanup_(log_file_at_done)
static inline LogFileAt log_file_at_take(LogFileAt *f) {
        return TAKE_GENERIC(*f, LOG_FILE_NONE);
}

/* Looking for the place to begin, from the newest file to the oldest. An archive may take several calls. */
typedef struct Seek {
        bool active;
        bool by_time;
        bool newest;             /* no file was remembered yet */
        uint64_t need;           /* newlines to go back over */
        usec_t since;
        uint32_t *list;          /* numbers of the files, the first n not looked at yet */
        size_t n;
        LogFileAt best;          /* the file whose beginning is the best place so far */
        LogFileAt at;            /* the archive that is being looked at */
        Unpack *archive;
        size_t segment;
        uint64_t newlines;       /* seen in that segment */
        uint64_t skip_lines;     /* from there on, when it is found */
} Seek;

struct LogReader {
        char *path;              /* absolute or relative as given; the name behind the last slash is `name` */
        const char *name;
        int format;
        size_t line_max;

        LogFileAt file;          /* the file at hand; none exists yet */
        Unpack *archive;        /* reads it, when it is one */
        dev_t dev;
        ino_t ino;

        uint64_t offset;         /* in the content of the file at hand, of buffer[0] */
        size_t start, end;       /* of what is unread in the buffer */
        size_t searched;         /* from start on: known to hold no newline */
        uint64_t mark;           /* of its first line; 0: not known yet */
        bool cut;                /* what is at start goes on with a line whose first piece was returned */
        LogRecord head;          /* time and stream of that line */
        usec_t since;            /* records before it are passed over, up to the first at or after */
        uint64_t goal;           /* offset before which everything is passed over, then that many lines */
        uint64_t skip_lines;
        size_t work;             /* bytes passed over in this call */
        char *damaged;           /* name of a damaged archive that nobody was told of yet */
        char *buffer;
        Seek seek;

        int inotify_fd, file_watch, directory_watch;
        bool directory_exact;    /* directory_watch is on the file's own directory, not on one above a missing one */
};

/* ---- reader.c ---- */

/* A file is damaged: remembers its name for log_reader_damage(). */
void reader_note_damage(LogReader *r, const LogFileAt *f);

/* ---- reader_files.c ---- */

/* Numbers of the files that exist, descending: oldest first, 0 is PATH itself; each once, compressed or not. malloc'ed. */
int reader_list(const LogReader *r, uint32_t **ret, size_t *ret_n);
/* A file by its number, or -errno (-ENOENT). */
int reader_open_number(const LogReader *r, uint32_t number, LogFileAt *ret);
/* Makes it the file at hand, to be read from `offset` of its content on. Owns it. */
int reader_take(LogReader *r, LogFileAt file, uint64_t offset);
/* The file that follows the one at hand: 1 and the file, 0 the one at hand is the newest. */
int reader_following(const LogReader *r, LogFileAt *ret);
/* Whether PATH is still the file at hand (or there is none). */
bool reader_is_newest(const LogReader *r);
/* The oldest file there is becomes the file at hand: 1, or 0 if there is none. */
int reader_take_oldest(LogReader *r);
/* What a file is known by when its inode is gone: a hash of its first line, 0 while that is not complete. */
uint64_t reader_mark(const LogFileAt *f);

/* ---- reader_seek.c ---- */

/* Goes on with a seek that is active. 1 done, 0 there is more to do, -errno. */
int reader_seek_run(LogReader *r);
void reader_seek_done(Seek *s);
/* The first line with a time among complete ones. The first line is passed over if it begins before `p`. NULL: none; *ret_end: behind the last
 * complete line. */
const char *reader_find_stamp(const LogReader *r, const char *p, size_t n, bool inside, usec_t *ret_time, const char **ret_end);

/* ---- reader_seek_archive.c ---- */

/* What a look in reader_seek.c says: 1 begin there, at *ret_offset; 0 at its beginning unless an older file has more; 2 in the file remembered
 * before. -EAGAIN: not known yet. */
int reader_archive_lines(LogReader *r, Seek *s, uint64_t *ret_offset);
int reader_archive_time(LogReader *r, Seek *s, uint64_t *ret_offset);

/* ---- reader_watch.c ---- */

void reader_watch_init(LogReader *r);
void reader_watch_done(LogReader *r);
/* Empties the queue of events, and moves the watches to the file at hand. */
void reader_watch_drain(LogReader *r);
