/* When a log file is put aside, and how: PATH.1 is the newest, PATH.keep the oldest. */
#pragma once

#include "base/macro.h"
#include "base/span.h"

/* Renames PATH to PATH.1 after making room for it, and removes what stands beyond PATH.keep (keep >= 1) and, the oldest first, what makes
 * the files put aside larger than `total` bytes together. Each step is one rename(2) or unlink(2), oldest first: stopped at any step, no file
 * is lost but those that were due, and the next call goes on from what it finds. 0 or -errno. */
int log_rotate(const char *path, uint32_t keep, uint64_t total);

/* The first boundary of the calendar (LogRotate of model/spec.h) after a time, in local time; both CLOCK_REALTIME. USEC_INFINITY for none. */
usec_t log_rotate_next(int rotate, usec_t after);
