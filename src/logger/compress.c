/* The two libraries behind one loop: fill, compress, write. Must stay true: bounded memory, because it runs beside everything else. */
#include "logger/compress.h"

#include <zlib.h>
#include <zstd.h>

#include "base/fd.h"

#define BLOCK_SIZE (128 * 1024)
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

static int zstd_step(ZSTD_CCtx *z, Block *from, size_t n, int out, Block *to) {
        ZSTD_EndDirective end = n == 0 ? ZSTD_e_end : ZSTD_e_continue;
        ZSTD_inBuffer i = { .src = from->data, .size = n };
        size_t left;
        int r;

        do {
                ZSTD_outBuffer o = { .dst = to->data, .size = sizeof(to->data) };

                left = ZSTD_compressStream2(z, &o, &i, end);
                if (ZSTD_isError(left))
                        return -EIO;
                r = fd_write_all(out, to->data, o.pos);
                if (r < 0)
                        return r;
        } while (end == ZSTD_e_end ? left > 0 : i.pos < i.size);
        return 0;
}

static int zstd_copy(int in, int out, Block *from, Block *to) {
        ZSTD_CCtx *z = ZSTD_createCCtx();
        ssize_t n = 1;
        int r = z ? 0 : -ENOMEM;

        if (z && (ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, ZSTD_LEVEL)) ||
                  ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, ZSTD_WINDOW_LOG)) ||
                  ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1))))
                r = -EIO;
        while (r >= 0 && n > 0) {
                n = read_block(in, from);
                r = n < 0 ? (int) n : zstd_step(z, from, (size_t) n, out, to);
        }
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

static int gzip_copy(int in, int out, Block *from, Block *to) {
        z_stream z = {};
        ssize_t n = 1;
        int r = 0;

        if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
                return -ENOMEM;
        while (r >= 0 && n > 0) {
                n = read_block(in, from);
                r = n < 0 ? (int) n : gzip_step(&z, from, (size_t) n, out, to);
        }
        (void) deflateEnd(&z);
        return r;
}

int compress_copy(int in, int out, ChainForm form) {
        _cleanup_free_ Block *from = malloc(sizeof(*from)), *to = malloc(sizeof(*to));

        if (!from || !to)
                return -ENOMEM;
        return form == CHAIN_ZSTD ? zstd_copy(in, out, from, to) : gzip_copy(in, out, from, to);
}
