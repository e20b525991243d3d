/* A bound for all logs together. */
#pragma once

#include "base/macro.h"

/* Removes files that were put aside, of whatever log below `root` and its directories, the one written to longest ago first, until what is left
 * with the current files, which are never touched, is at most `quota` bytes. Returns how many were removed, or -errno. *ret_size: bytes of
 * all log files afterwards. */
int quota_enforce(const char *root, uint64_t quota, uint64_t *ret_size);
