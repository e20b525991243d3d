/* The names of one log's files: PATH is written, PATH.1 was put aside last, PATH.2 before it, and so on. What was put aside may be compressed:
 * PATH.N.zst, PATH.N.gz. Where a number has both forms, the compressed one is complete and the plain one about to be removed. */
#pragma once

#include <limits.h>
#include <sys/stat.h>

#include "base/macro.h"

typedef enum ChainForm { CHAIN_PLAIN, CHAIN_ZSTD, CHAIN_GZIP, _CHAIN_FORM_MAX } ChainForm; /* numbers as LogCompress of model/spec.h */
typedef char ChainName[PATH_MAX];

/* Number 0 is PATH itself, whatever the form. 0 or -ENAMETOOLONG. */
int chain_name(ChainName to, const char *path, uint32_t number, ChainForm form);
/* Where the compressor writes: a name that rotation does not move. 0 or -ENAMETOOLONG. */
int chain_temporary(ChainName to, const char *path, ChainForm form);
/* The form of a number, compressed first, and what lstat(2) says of it (may be NULL); -ENOENT when there is none. */
int chain_find(const char *path, uint32_t number, struct stat *ret);
/* Removes every form of a number. True: there was one. */
bool chain_remove(const char *path, uint32_t number);
/* Takes "NAME.N" or "NAME.N.zst" apart: what follows the first `n` bytes of a file's name. The number, or -EINVAL; 0 for nothing behind. */
int64_t chain_number(const char *name, size_t n, ChainForm *ret_form);
