/* Two libraries, one way: fill, compress, write. Must stay true: bounded memory, because it runs beside everything else. */
#include "logger/compress.h"

#include <zlib.h>
#include <zstd.h>

#include "base/fd.h"

#define BLOCK_SIZE (128 * 1024)
#define FRAME_SIZE (512 * 1024)       /* of content */
#define ZSTD_LEVEL 3
#define ZSTD_WINDOW_LOG 18            /* 256 KiB: keeps the compressor's tables small, and costs logs little */
#define GZIP_LEVEL 6
#define GZIP_WINDOW (15 + 16)         /* zlib.h: 16 more asks for a gzip header */

typedef struct Block { char data[BLOCK_SIZE]; } Block;

static ssize_t read_block(int fd, Block *b) {
        ssize_t n;

        do
                n = read(fd, b->data, sizeof(b->data));
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

/* As much as there is, up to n bytes. */
static ssize_t read_full(int fd, char *to, size_t n) {
        size_t got = 0;

        while (got < n) {
                ssize_t k = read(fd, to + got, n - got);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return k < 0 ? -errno : (ssize_t) got;
                got += (size_t) k;
        }
        return (ssize_t) got;
}

/* Frame by frame, each with the size of its content in its header: a reader may begin at any of them. */
static int zstd_frames(ZSTD_CCtx *z, int in, int out, char *from, char *to, size_t to_size) {
        ssize_t n;

        do {
                size_t k;
                int r;

                n = read_full(in, from, FRAME_SIZE);
                if (n <= 0)
                        return (int) n;
                k = ZSTD_compress2(z, to, to_size, from, (size_t) n);
                if (ZSTD_isError(k))
                        return -EIO;
                r = fd_write_all(out, to, k);
                if (r < 0)
                        return r;
        } while (n == FRAME_SIZE);
        return 0;
}

static int zstd_copy(int in, int out) {
        size_t to_size = ZSTD_compressBound(FRAME_SIZE);
        _cleanup_free_ char *from = malloc(FRAME_SIZE), *to = malloc(to_size);
        ZSTD_CCtx *z = ZSTD_createCCtx();
        int r = z && from && to ? 0 : -ENOMEM;

        if (r >= 0 && (ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, ZSTD_LEVEL)) ||
                       ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, ZSTD_WINDOW_LOG)) ||
                       ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1))))
                r = -EIO;
        if (r >= 0)
                r = zstd_frames(z, in, out, from, to, to_size);
        ZSTD_freeCCtx(z);
        return r;
}

static int gzip_step(z_stream *z, Block *from, size_t n, int out, Block *to) {
        int end = n == 0 ? Z_FINISH : Z_NO_FLUSH, r;

        z->next_in = (Bytef *) from->data;
        z->avail_in = (uInt) n;
        do {
                z->next_out = (Bytef *) to->data;
                z->avail_out = sizeof(to->data);
                if (deflate(z, end) == Z_STREAM_ERROR)
                        return -EIO;
                r = fd_write_all(out, to->data, sizeof(to->data) - z->avail_out);
                if (r < 0)
                        return r;
        } while (z->avail_out == 0);
        return 0;
}

static int gzip_copy(int in, int out) {
        _cleanup_free_ Block *from = malloc(sizeof(*from)), *to = malloc(sizeof(*to));
        z_stream z = {};
        ssize_t n = 1;
        int r = 0;

        if (!from || !to || deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
                return -ENOMEM;
        while (r >= 0 && n > 0) {
                n = read_block(in, from);
                r = n < 0 ? (int) n : gzip_step(&z, from, (size_t) n, out, to);
        }
        (void) deflateEnd(&z);
        return r;
}

int compress_copy(int in, int out, ChainForm form) {
        return form == CHAIN_ZSTD ? zstd_copy(in, out) : gzip_copy(in, out);
}
