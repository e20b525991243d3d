/* The reader inside: reader.c reads the file at hand, reader_files.c finds the others, reader_seek.c the place to start, reader_watch.c
 * waits. */
#pragma once

#include <limits.h>

#include "logger/line.h"
#include "logger/reader.h"

#define READER_LINE_MAX (LINE_MESSAGE_MAX + LINE_PREFIX_CUT_SIZE)    /* longer lines come in pieces */
#define READER_BUFFER_SIZE (192 * 1024)                              /* holds a line, and enough behind it for large reads */

struct LogReader {
        char *path;              /* absolute or relative as given; the name behind the last slash is `name` */
        const char *name;
        int format;

        int fd;                  /* the file at hand; -EBADF: none exists yet */
        dev_t dev;
        ino_t ino;

        uint64_t offset;         /* in the file at hand, of buffer[0] */
        size_t start, end;       /* of what is unread in the buffer */
        size_t searched;         /* from start on: known to hold no newline */
        uint64_t mark;           /* of its first line; 0: not known yet */
        bool cut;                /* what is at start goes on with a line whose first piece was returned */
        LogRecord head;          /* time and stream of that line */
        usec_t since;            /* records before it are passed over, up to the first at or after */
        char *buffer;

        int inotify_fd, file_watch, directory_watch;
        bool directory_exact;    /* directory_watch is on the file's own directory, not on one above a missing one */
};

/* ---- reader_files.c ---- */

/* Numbers of the files that exist, descending: oldest first, 0 is PATH itself. malloc'ed. */
int reader_list(const LogReader *r, uint32_t **ret, size_t *ret_n);
/* A file by its number: descriptor, or -errno (-ENOENT). */
int reader_open_number(const LogReader *r, uint32_t number);
/* Makes it the file at hand, to be read from `offset` on. Owns fd. */
int reader_take(LogReader *r, int fd, uint64_t offset);
/* The file that follows the one at hand: 1 and a descriptor, 0 the one at hand is the newest. */
int reader_following(const LogReader *r, int *ret_fd);
/* What a file is known by when its inode is gone: a hash of its first line, 0 while that is not complete. */
uint64_t reader_mark(int fd);
/* Whether PATH is still the file at hand (or there is none). */
bool reader_is_newest(const LogReader *r);
/* The oldest file there is becomes the file at hand: 1, or 0 if there is none. */
int reader_take_oldest(LogReader *r);

/* ---- reader_watch.c ---- */

void reader_watch_init(LogReader *r);
void reader_watch_done(LogReader *r);
/* Empties the queue of events, and moves the watches to the file at hand. */
void reader_watch_drain(LogReader *r);
