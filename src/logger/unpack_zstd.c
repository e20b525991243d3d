/* zstd: frame after frame, each of which can be read on its own. zstd.h and RFC 8878 (3.1: frames, 3.1.1.2: blocks, 3.1.2: skippable ones)
 * are the references. */
#include <zstd.h>

#include "logger/unpack_state.h"

#define WINDOW_LOG_MAX 23             /* 8 MiB */
#define FRAME_MAGIC 0xFD2FB528u
#define SKIPPABLE_MAGIC 0x184D2A50u   /* the last four bits are free */
#define HEADER_MAX 18
#define SIZE_UNKNOWN UINT64_MAX
#define BLOCKS_MAX (256 * 1024)       /* looked at for the table: 32 GiB of content, unless somebody wrote them to keep us busy */

static int zstd_open(Unpack *a) {
        a->decoder = ZSTD_createDCtx();
        if (!a->decoder)
                return -ENOMEM;
        return ZSTD_isError(ZSTD_DCtx_setParameter(a->decoder, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)) ? -EINVAL : 0;
}

static void zstd_close(void *decoder) {
        (void) ZSTD_freeDCtx(decoder);
}

static int zstd_begin(void *decoder) {
        return ZSTD_isError(ZSTD_DCtx_reset(decoder, ZSTD_reset_session_only)) ? -EINVAL : 0;
}

static ssize_t zstd_decode(Unpack *a, void *to, size_t n) {
        ZSTD_inBuffer in = { .src = a->input, .size = a->end, .pos = a->start };
        ZSTD_outBuffer out = { .dst = to, .size = n };
        size_t q = ZSTD_decompressStream(a->decoder, &out, &in);

        if (ZSTD_isError(q))
                return -EBADMSG;
        if (in.pos > a->start || out.pos > 0)
                a->whole = q == 0;
        a->start = in.pos;
        return (ssize_t) out.pos;
}

/* ---- where frames begin ---- */

static bool read_at(const Unpack *a, uint64_t at, void *to, size_t n, size_t *ret) {
        ssize_t k;

        do
                k = pread(a->fd, to, n, (off_t) at);
        while (k < 0 && errno == EINTR);
        *ret = k > 0 ? (size_t) k : 0;
        return k > 0;
}

static uint64_t little_endian(const uint8_t *p, size_t n) {
        uint64_t v = 0;

        while (n-- > 0)
                v = v << 8 | p[n];
        return v;
}

/* The length of a frame's header, whether a checksum follows its blocks, and the size of its content. 0: that is no header. */
static size_t parse_header(const uint8_t *p, size_t n, bool *ret_checksum, uint64_t *ret_content) {
        static const size_t dictionary_sizes[] = { 0, 1, 2, 4 }, content_sizes[] = { 0, 2, 4, 8 };
        size_t size, field;
        bool single;

        if (n < 6 || little_endian(p, 4) != FRAME_MAGIC)
                return 0;
        single = p[4] & 0x20;
        field = single && p[4] >> 6 == 0 ? 1 : content_sizes[p[4] >> 6];
        size = 5 + !single + dictionary_sizes[p[4] & 3] + field;
        if (size > n)
                return 0;
        *ret_checksum = p[4] & 4;
        *ret_content = field == 0 ? SIZE_UNKNOWN : little_endian(p + size - field, field) + (field == 2 ? 256 : 0);
        return size;
}

/* Behind the blocks that begin at `at`, or 0. */
static uint64_t skip_blocks(const Unpack *a, uint64_t at, unsigned *left) {
        uint8_t header[3];
        uint64_t word = 0;
        size_t n;

        while (!(word & 1)) {
                if ((*left)-- == 0 || !read_at(a, at, header, sizeof(header), &n) || n < sizeof(header))
                        return 0;
                word = little_endian(header, sizeof(header));
                at += sizeof(header) + ((word >> 1 & 3) == 1 ? 1 : word >> 3); /* 1: one byte, repeated */
        }
        return at;
}

/* A frame whose size of content is not told, or one that is cut short, is the last entry. */
static int zstd_index(Unpack *a) {
        uint64_t at = 0, offset = 0, content;
        unsigned left = BLOCKS_MAX;
        uint8_t header[HEADER_MAX];
        size_t n, size;
        bool checksum;
        int r;

        while (read_at(a, at, header, sizeof(header), &n)) {
                if (n >= 8 && (little_endian(header, 4) & ~0xfULL) == SKIPPABLE_MAGIC) {
                        at += 8 + little_endian(header + 4, 4);
                        continue;
                }
                size = parse_header(header, n, &checksum, &content);
                if (size == 0)
                        break;
                r = unpack_add_segment(a, at, offset);
                if (r < 0)
                        return r;
                at = skip_blocks(a, at + size, &left);
                if (at == 0 || left == 0 || content > INT64_MAX || offset + content > INT64_MAX)
                        break;
                at += checksum ? 4 : 0;
                offset += content;
        }
        return 0;
}

const Codec unpack_zstd = { .open = zstd_open, .close = zstd_close, .begin = zstd_begin, .decode = zstd_decode, .index = zstd_index };
