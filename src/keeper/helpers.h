/* The two programs that the keeper keeps alive: kingd-manager and kingd-logger. */
#pragma once

#include <limits.h>

#include "keeper/child.h"
#include "linux/poller.h"

typedef struct Helper {
        const char *name;               /* static */
        char path[PATH_MAX];
        int program;                    /* what is executed (O_PATH), whatever stands at the path by then; -EBADF: the path */
        pid_t pid;                      /* 0: does not run */
        PollSource wire;                /* our end of the pair, non-blocking, or fd -EBADF; .ready is the owner's to set before a start */
        int extra;                      /* a descriptor that it finds behind its end of the pair, or -EBADF */
        bool mortal;                    /* killed by the kernel when the keeper dies: two of them would be in each other's way */
        bool curious;                   /* why it cannot be executed is said on its wire: WIRE_FAILED */
        bool full;                      /* a packet did not go out: EPOLLOUT is awaited, or retry_at */
        bool deaf;                      /* nothing is read from it for now */
        usec_t retry_at;                /* the kernel was short of memory or of descriptors in flight: USEC_INFINITY, or when to try again */
        uint32_t starts;
        unsigned failures;              /* ends in a row that came soon after the start */
        usec_t started, restart_at;     /* CLOCK_MONOTONIC; USEC_INFINITY: no start is due */
} Helper;

/* Finds the program: `path` if given, else beside our own executable, else in the directory of the installation. -ENOENT, or
 * why nothing could be looked for. It is opened here and executed from then on, so that a package's new files reach a daemon all at once, when it
 * executes itself anew (upgrade.h), and never piece by piece. */
int helper_init(Helper *h, const char *name, const char *path);
void helper_done(Helper *h);            /* closes what helper_init() opened; `extra` and the wire are the owner's */
void helper_program(Helper *h, int program);    /* takes another program, O_PATH, for the next start; nothing happens for -EBADF */

/* Starts it with one end of a fresh pair at `fd_in_child`. argv[0] is replaced by the path (argv NULL: no arguments). When that fails, the next try
 * is scheduled. */
int helper_start(Helper *h, Poller *p, char *const *argv, int fd_in_child, const ChildDefaults *d);

/* Process `pid` of it was reaped with this wait(2) status (h->pid is 0 already): says so, closes the pair and schedules the next start: at
 * once, or, with the second and each further life of less than a second in a row, after 100 ms, 200 ms … 5 s. */
void helper_ended(Helper *h, Poller *p, pid_t pid, int status);

/* Its end of the pair is closed or broken while it lives: it is of no use any more and is killed. */
void helper_broken(Helper *h, Poller *p);
void helper_close(Helper *h, Poller *p);

/* Sends one packet. -EAGAIN: not now; `full` is set until EPOLLOUT or retry_at. Any other error means that the other end is gone or useless. */
int helper_send(Helper *h, Poller *p, const void *packet, size_t size, const int *fds, size_t n_fds);
void helper_pause(Helper *h, Poller *p);                /* nothing is sent for 100 ms */
void helper_writable(Helper *h, Poller *p);             /* EPOLLOUT came, or retry_at has passed */
void helper_listen(Helper *h, Poller *p, bool on);      /* whether EPOLLIN is of interest; it is after a start */
