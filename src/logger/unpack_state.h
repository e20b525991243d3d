/* The archive inside: unpack.c reads the file, a codec turns its bytes into content. */
#pragma once

#include "logger/unpack.h"

#define UNPACK_INPUT_SIZE (64 * 1024)

typedef struct Segment {
        uint64_t at;             /* in the file */
        uint64_t offset;         /* in the content */
} Segment;

typedef struct Codec {
        int (*open)(Unpack *a);                              /* sets a->decoder */
        void (*close)(void *decoder);
        int (*begin)(void *decoder);                          /* forgets what was read: a segment begins */
        /* Decodes from a->input[start..end) into `to`; moves a->start and returns how much content that made. Sets a->whole when the input so
         * far ends a segment. -EBADMSG, -ENOMEM. */
        ssize_t (*decode)(Unpack *a, void *to, size_t n);
        int (*index)(Unpack *a);                             /* fills a->segments; NULL: there is only one */
} Codec;

struct Unpack {
        const Codec *codec;
        void *decoder;
        int fd;
        uint64_t at;             /* in the file, of what is behind the input */
        uint64_t offset;
        size_t start, end;       /* of what is not decoded yet */
        bool whole;
        Segment *segments;
        size_t n_segments;
        uint8_t input[UNPACK_INPUT_SIZE];
};

extern const Codec unpack_zstd, unpack_gzip;
int unpack_add_segment(Unpack *a, uint64_t at, uint64_t offset);      /* -ENOSPC: enough of them */
