/* Descriptors that others made. Closing one can take as long as its maker likes: a file on FUSE asks its server (close(2) → FLUSH), a network file
 * system writes back, a TCP socket with SO_LINGER waits for its peer (socket(7)). Whoever must not wait looks here first. */
#pragma once

#include "base/macro.h"

/* The two share one open file description, so that whatever is done to one is done to the other (kcmp(2)). False also where it cannot be known. */
bool fd_same(int a, int b);

/* Its last close does not wait: a pipe, a socket, an object of the kernel without a file system, a memory file, a device, or a file on a file system
 * of this machine. Asks no file system anything. */
bool fd_closes_at_once(int fd);

/* A socket lingers no more, whoever closes it last. What is no socket is left alone. */
void fd_end_linger(int fd);

/* Closes without waiting: at once where that is possible, else in a process that shares our table of descriptors and nothing else; its parent is ours,
 * which reaps it. Takes the descriptor. */
void fd_close_elsewhere(int fd);
