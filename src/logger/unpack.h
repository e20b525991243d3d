/* A compressed log file, read forward from the beginning of any of its segments. Never holds more than a window of it in memory (8 MiB for
 * zstd, as `zstd -19` makes it; what wants more counts as damaged). Formats: RFC 8878, RFC 1952. */
#pragma once

#include "logger/chain.h"

typedef struct Unpack Unpack;
/* Of a form that is compressed. fd is borrowed and must outlive the archive; its offset is not touched. */
int unpack_open(int fd, ChainForm form, Unpack **ret);
Unpack *unpack_free(Unpack *a);
DEFINE_CLEANUP(Unpack *, unpack_free);

/* The next bytes of the content. 0 at its end; -EBADMSG where it is damaged or cut short; -ENOMEM, -errno of pread(2). */
ssize_t unpack_read(Unpack *a, void *to, size_t n);
/* Where in the content the next byte is. */
uint64_t unpack_offset(const Unpack *a);

/* Segments can be read on their own: frames of zstd that tell the size of their content. A gzip file is one segment. The table is made when
 * it is first asked for, from the headers alone; at least one entry. */
size_t unpack_segments(Unpack *a);
/* Where in the content a segment begins; behind the last one: UINT64_MAX. */
uint64_t unpack_segment_offset(Unpack *a, size_t segment);
/* Goes on reading at its beginning. */
int unpack_go(Unpack *a, size_t segment);
/* After damage: goes on at the next segment. -ENOENT: there is none. */
int unpack_skip(Unpack *a);
