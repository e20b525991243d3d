/* The names of rotated log files: PATH.1 is the newest, PATH.keep the oldest. */
#pragma once

#include "base/macro.h"

/* Renames PATH to PATH.1 after making room for it, and removes what stands beyond PATH.keep (keep >= 1). Each step is one rename(2), oldest
 * first: stopped at any step, no file is lost but the one that was due, and the next call goes on from what it finds. 0 or -errno. */
int log_rotate(const char *path, uint32_t keep);
