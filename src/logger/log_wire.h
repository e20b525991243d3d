/* What the keeper passes to the logger: one packet per run, with the read ends of its stdout and stderr pipes. The manager composes all but
 * the pid inside WireSpawn as opaque bytes; the keeper never looks inside. Validated by the logger: a bad packet, or one of another version,
 * closes its descriptors with a warning. */
#pragma once

#include "base/macro.h"

#define LOG_WIRE_VERSION 2
#define LOG_WIRE_PATH_MAX 400         /* with its NUL; the keeper has room for WIRE_LOG_MAX bytes of this struct per child */
#define LOG_WIRE_FD 3                 /* the logger finds its end of the SOCK_SEQPACKET pair here */
#define LOG_NOTES_FD 4                /* and here a memory file (notes.h) that every logger of this keeper, and of the next, gets */

typedef struct LogOpen {
        uint32_t version;
        uint8_t format, rotate, compress, merge;      /* LogFormat, LogRotate, LogCompress of model/spec.h; several instances share the file */
        uint64_t run;
        uint64_t max_size, max_total; /* bytes of the file, of it and its rotated ones; 0 or UINT64_MAX: no bound */
        uint64_t max_age;             /* rotate a file begun this many microseconds ago; 0 or USEC_INFINITY: never */
        uint32_t keep;                /* rotated files kept: PATH.1 is the newest; 0: the file is emptied instead */
        int32_t uid, gid;             /* owner of the file; -1: ours */
        uint32_t instance;
        uint32_t root_size;           /* bytes of path that are the directory of all logs, without its last slash */
        uint32_t rate, burst;         /* lines written a second, and at once after a pause; rate 0: any number */
        uint8_t when_full, multiline, tag, pad; /* LogFull; json: lines that continue one another in one object; log_tag(), 0: none */
        char path[LOG_WIRE_PATH_MAX]; /* absolute, NUL-terminated; instances of a run after run share one file */
} LogOpen;

/* The packet: what the keeper knows, and the block behind it. With two descriptors: stdout, stderr (read ends). */
typedef struct LogPacket {
        int32_t pid;                  /* main process of the run */
        uint32_t pad;
        LogOpen open;
} LogPacket;

/* Whether a received packet is a LogPacket to act on: size, version, ranges, an absolute path without ".." that ends in a file name, two
 * descriptors. 0 or -EBADMSG. Reads nothing beyond `size` bytes. */
int log_open_check(const void *packet, size_t size, size_t n_fds);

/* Who writes into a service's log besides its main process: a hook, or its reload command. Text lines begin with "[pre_start] ", json lines have it
 * as "hook". 0 for a name that has none; NULL for 0 and for a number that is none. */
uint8_t log_tag(const char *name);
const char *log_tag_name(uint8_t tag);

/* Service and namespace, which the path names: ROOT/[NAMESPACE/]SERVICE[.INSTANCE].log. "unknown" where it does not follow that. */
#define LOG_NAME_MAX 129
void log_open_names(const LogOpen *o, char service[static LOG_NAME_MAX], char ns[static LOG_NAME_MAX]);

/* logger → keeper. LOG_ENDED: end of file seen on both pipes of a run and all of it written; the keeper closes the copies it holds. LOG_REFUSED:
 * no memory or descriptors for it now, nothing of it was read; the keeper hands it over again a little later. LOG_REOPENED (run 0): after SIGHUP,
 * no file of before is written any more. */
typedef enum LogAnswerKind { LOG_ENDED, LOG_REFUSED, LOG_REOPENED } LogAnswerKind;
typedef struct LogAnswer {
        uint64_t run;
        uint32_t kind;
        uint32_t pad;
} LogAnswer;
