/* gzip, one member after the other. zlib.h is the reference. */
#include <zlib.h>

#include "logger/unpack_state.h"

#define WINDOW_GZIP (15 + 16)         /* inflateInit2(): the largest window, a gzip header */

static int gzip_open(Unpack *a) {
        z_stream *z = calloc(1, sizeof(*z));

        if (!z)
                return -ENOMEM;
        if (inflateInit2(z, WINDOW_GZIP) != Z_OK) {
                free(z);
                return -ENOMEM;
        }
        a->decoder = z;
        return 0;
}

static void gzip_close(void *decoder) {
        if (decoder)
                (void) inflateEnd(decoder);
        free(decoder);
}

static int gzip_begin(void *decoder) {
        return inflateReset(decoder) == Z_OK ? 0 : -EINVAL;
}

static ssize_t gzip_decode(Unpack *a, void *to, size_t n) {
        z_stream *z = a->decoder;
        int q;

        z->next_in = a->input + a->start;
        z->avail_in = (unsigned) (a->end - a->start);
        z->next_out = to;
        z->avail_out = (unsigned) MIN(n, (size_t) 1 << 30);
        n = z->avail_out;
        q = inflate(z, Z_NO_FLUSH);
        if (z->avail_in < a->end - a->start)
                a->whole = false;
        a->start = a->end - z->avail_in;
        if (q == Z_STREAM_END) {
                a->whole = true;
                q = inflateReset(z);
        }
        if (q == Z_MEM_ERROR)
                return -ENOMEM;
        return q == Z_OK || q == Z_BUF_ERROR ? (ssize_t) (n - z->avail_out) : -EBADMSG;
}

const Codec unpack_gzip = { .open = gzip_open, .close = gzip_close, .begin = gzip_begin, .decode = gzip_decode };
