/* Compresses what was put aside, one file at a time, in a child process of idle priority. The loop that reads pipes never waits for it.
 *
 * Steps, of which each may be the last before a crash: PATH.zst.tmp is written and synced by the child; renamed to PATH.N.zst by us, who know
 * what number the file has by then; PATH.N is removed. What is left half-done is found and finished by the next archiver_add(). */
#pragma once

#include <sys/queue.h>

#include "linux/poller.h"
#include "logger/chain.h"

typedef struct ArchiveJob ArchiveJob;

typedef struct Archiver {
        Poller *poller;
        PollSource child;             /* pidfd of the compressor; -EBADF: none runs */
        pid_t pid;
        TAILQ_HEAD(, ArchiveJob) jobs;/* the first is at work while a child runs */
} Archiver;

void archiver_init(Archiver *a, Poller *p);
/* Ends the child; what it had not finished is left for the next logger. */
void archiver_done(Archiver *a);
/* Compresses PATH.1 … PATH.keep as far as they are not, some time. Failures are logged. */
void archiver_add(Archiver *a, const char *path, uint32_t keep, ChainForm form);
