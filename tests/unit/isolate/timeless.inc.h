/* Here time stands still: timers expire when a test sets them to the past, however long anybody is kept waiting meanwhile. */
#pragma once

#include <time.h>

#pragma GCC visibility push(default)
int clock_gettime(clockid_t id, struct timespec *ret) {
        *ret = (struct timespec) { .tv_sec = 1000000 };
        return 0;
}
#pragma GCC visibility pop
