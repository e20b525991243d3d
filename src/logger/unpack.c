/* Must stay true: memory does not follow the size of the file; a damaged file ends in an error, never in a wait or a crash. */
#include "logger/unpack_state.h"

#define SEGMENTS_MAX 65536            /* of a table; the last one holds the rest */

static const Codec *const codecs[_CHAIN_FORM_MAX] = { [CHAIN_ZSTD] = &unpack_zstd, [CHAIN_GZIP] = &unpack_gzip };

int unpack_open(int fd, ChainForm form, Unpack **ret) {
        _cleanup_(unpack_freep) Unpack *a = calloc(1, sizeof(*a));
        int r;

        if (!a)
                return -ENOMEM;
        a->codec = codecs[form];
        a->fd = fd;
        a->whole = true;
        r = a->codec->open(a);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}

Unpack *unpack_free(Unpack *a) {
        if (!a)
                return NULL;
        a->codec->close(a->decoder);
        free(a->segments);
        free(a);
        return NULL;
}

/* Bytes read, 0 at the end of the file. */
static ssize_t fill(Unpack *a) {
        ssize_t k;

        do
                k = pread(a->fd, a->input, sizeof(a->input), (off_t) a->at);
        while (k < 0 && errno == EINTR);
        if (k < 0)
                return -errno;
        a->at += (uint64_t) k;
        a->start = 0;
        a->end = (size_t) k;
        return k;
}

ssize_t unpack_read(Unpack *a, void *to, size_t n) {
        for (;;) {
                ssize_t k;

                /* A decoder may hold content back that needs no more input. */
                k = a->codec->decode(a, to, n);
                if (k != 0) {
                        a->offset += k > 0 ? (uint64_t) k : 0;
                        return k;
                }
                if (a->start < a->end)
                        continue;
                k = fill(a);
                if (k <= 0)
                        return k < 0 || a->whole ? k : -EBADMSG;
        }
}

uint64_t unpack_offset(const Unpack *a) {
        return a->offset;
}

int unpack_add_segment(Unpack *a, uint64_t at, uint64_t offset) {
        size_t n = a->n_segments;

        if (n >= SEGMENTS_MAX)
                return -ENOSPC;
        if ((n & (n - 1)) == 0) {
                Segment *grown = reallocarray(a->segments, n ? 2 * n : 1, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                a->segments = grown;
        }
        a->segments[a->n_segments++] = (Segment) { .at = at, .offset = offset };
        return 0;
}

/* Without a table, for want of memory too, all is one. */
size_t unpack_segments(Unpack *a) {
        if (a->n_segments == 0 && a->codec->index)
                (void) a->codec->index(a);
        return MAX(a->n_segments, (size_t) 1);
}

uint64_t unpack_segment_offset(Unpack *a, size_t segment) {
        if (segment >= unpack_segments(a))
                return UINT64_MAX;
        return a->segments ? a->segments[segment].offset : 0;
}

int unpack_go(Unpack *a, size_t segment) {
        uint64_t offset = unpack_segment_offset(a, segment);

        if (offset == UINT64_MAX)
                return -ENOENT;
        a->offset = offset;
        a->at = a->segments ? a->segments[segment].at : 0;
        a->start = a->end = 0;
        a->whole = true;
        return a->codec->begin(a->decoder);
}

int unpack_skip(Unpack *a) {
        uint64_t at = a->at - (a->end - a->start); /* in the damaged segment, or at its beginning */
        size_t n = unpack_segments(a), segment = 0;

        while (segment < n && a->segments && a->segments[segment].at <= at)
                segment++;
        return a->segments ? unpack_go(a, segment) : -ENOENT;
}
