/* The descriptors that came with one message. Whoever wants one takes it out; what is left at the end is closed, which waits for nobody. */
#pragma once

#include "base/macro.h"

#define NOTIFY_FDS_MAX 253             /* SCM_MAX_FD of the kernel */

typedef struct NotifyFds {
        size_t n;
        int fds[NOTIFY_FDS_MAX];       /* -EBADF: taken */
} NotifyFds;

void notify_fds_done(NotifyFds *f);
