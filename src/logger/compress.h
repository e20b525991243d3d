/* Compression of one file into another, in a process of its own. */
#pragma once

#include "logger/chain.h"

/* Reads `in` to its end and writes it compressed to `out`, in memory that does not depend on the size: less than 2 MB. 0, -ENOMEM or -errno of
 * read and write; -EIO when the library fails. */
int compress_copy(int in, int out, ChainForm form);
