/* Compressed rotations, by the archive alone and through the reader: whatever a file was compressed with, reading it is as if it had not
 * been. */
#include <zlib.h>
#include <zstd.h>

#include "logger/unpack.h"
#include "logger/reader.h"
#include "place.inc.h"

#define T0 1767323045000006ULL        /* 2026-01-02T03:04:05.000006Z */
#define LINES 3000                    /* in three files */

typedef enum How { PLAIN, FRAMES, ONE_FRAME, NO_SIZE, GZIP, MEMBERS, _HOW_MAX } How;

static void zstd_frame(Buffer *out, const char *p, size_t n, bool sized) {
        ZSTD_CCtx *c = ZSTD_createCCtx();
        size_t bound = ZSTD_compressBound(n), size;
        _cleanup_free_ char *to = malloc(bound);

        assert_non_null(c);
        assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, sized)));
        assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, sized)));
        size = ZSTD_compress2(c, to, bound, p, n);
        assert_false(ZSTD_isError(size));
        assert_int_equal(buffer_append(out, to, size), 0);
        ZSTD_freeCCtx(c);
}

static void gzip_member(Buffer *out, const char *p, size_t n) {
        z_stream z = {};
        size_t bound = n + 1024;
        _cleanup_free_ char *to = malloc(bound);

        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        z.next_in = (void *) p;
        z.avail_in = (unsigned) n;
        z.next_out = (void *) to;
        z.avail_out = (unsigned) bound;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        assert_int_equal(buffer_append(out, to, bound - z.avail_out), 0);
        deflateEnd(&z);
}

static void compress_to(How how, const char *p, size_t n, Buffer *out) {
        static const uint8_t skippable[] = { 0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c' };
        size_t step = how == FRAMES || how == MEMBERS ? 1000 : n;

        for (size_t at = 0; at < n; at += step) {
                size_t k = MIN(step, n - at);

                if (how == GZIP || how == MEMBERS)
                        gzip_member(out, p + at, k);
                else
                        zstd_frame(out, p + at, k, how != NO_SIZE);
                if (how == FRAMES && at % 3000 == 0)
                        assert_int_equal(buffer_append(out, skippable, sizeof(skippable)), 0);
        }
}

static const char *suffix_of(How how) {
        return how == PLAIN ? "" : how >= GZIP ? ".gz" : ".zst";
}

/* PATH.number becomes an archive of itself. */
static void compress_number(const char *path, unsigned number, How how) {
        _cleanup_buffer_ Buffer out = {};
        _cleanup_free_ char *data = NULL;
        char plain[256], name[260];
        struct stat st;
        size_t n;

        if (how == PLAIN)
                return;
        snprintf(plain, sizeof(plain), "%s.%u", path, number);
        assert_int_equal(stat(plain, &st), 0);
        data = file_number(path, number, &n);
        compress_to(how, data, n, &out);
        snprintf(name, sizeof(name), "%s%s", plain, suffix_of(how));
        file_put(name, out.data, out.size, 0);
        assert_int_equal(utimensat(AT_FDCWD, name, (struct timespec[]) { st.st_mtim, st.st_mtim }, 0), 0);
        assert_int_equal(unlink(plain), 0);
}

/* Numbered lines in PATH.2, PATH.1 and PATH, one each second. */
static void put_lines(const char *path) {
        for (unsigned number = 3; number-- > 0;) {
                _cleanup_buffer_ Buffer text = {};
                char stamp[FORMAT_MAX], name[256];

                for (unsigned i = (2 - number) * LINES / 3; i < (3 - number) * LINES / 3; i++)
                        assert_int_equal(buffer_printf(&text, "%s out line %u\n", format_time(stamp, T0 + i * USEC_PER_SEC), i), 0);
                snprintf(name, sizeof(name), number ? "%s.%u" : "%s", path, number);
                file_put(name, text.data, text.size, 0);
        }
}

/* The next record, however often it must be asked for. */
static int next(LogReader *r, LogRecord *record) {
        int q, n = 0;

        while ((q = log_reader_next(r, record)) == LOG_READER_BUSY)
                assert_true(++n < 10000);
        return q;
}

static void expect_lines(LogReader *r, unsigned from, unsigned to) {
        LogRecord record;
        char line[32];

        for (unsigned i = from; i < to; i++) {
                int n = snprintf(line, sizeof(line), "line %u", i);

                assert_int_equal(next(r, &record), 1);
                assert_int_equal(record.size, n);
                assert_memory_equal(record.message, line, record.size);
                assert_int_equal(record.realtime, T0 + i * USEC_PER_SEC);
        }
        assert_int_equal(next(r, &record), 0);
}

static void test_reading(void **state) {
        Place *p = *state;

        for (How first = PLAIN; first < _HOW_MAX; first++)
                for (How second = PLAIN; second < _HOW_MAX; second++) {
                        LogReader *r = NULL;

                        if (getenv("KINGLY_SLOW") && second != (first + 1) % _HOW_MAX)         /* by an emulator: each in each place once */
                                continue;
                        put_lines(p->path);
                        compress_number(p->path, 2, first);
                        compress_number(p->path, 1, second);
                        assert_int_equal(log_reader_open(p->path, 0, &r), 0);
                        expect_lines(r, 0, LINES);
                        for (unsigned n = 0; n <= LINES + 100; n += 1 + n / 2 + (n > 900 && n < 1010)) {
                                assert_int_equal(log_reader_seek_tail(r, n), 0);
                                expect_lines(r, n < LINES ? LINES - n : 0, LINES);
                                assert_int_equal(log_reader_seek_time(r, T0 + n * USEC_PER_SEC), 0);
                                expect_lines(r, MIN(n, (unsigned) LINES), LINES);
                        }
                        assert_int_equal(log_reader_seek_tail(r, 2 * LINES / 3), 0); /* exactly the newer two files */
                        expect_lines(r, LINES / 3, LINES);
                        assert_null(log_reader_damage(r));
                        log_reader_free(r);
                        (void) remove(p->path);
                        for (unsigned number = 1; number < 3; number++)
                                for (How how = PLAIN; how < _HOW_MAX; how++) {
                                        char name[256];

                                        snprintf(name, sizeof(name), "%s.%u%s", p->path, number, suffix_of(how));
                                        (void) remove(name);
                                }
                }
}

/* A position taken in a file holds in what it was compressed to, and so does a reader that is at work there. */
static void test_positions(void **state) {
        Place *p = *state;

        for (How how = FRAMES; how < _HOW_MAX; how++) {
                LogPosition at[LINES / 3];
                LogReader *r = NULL, *follower = NULL;
                LogRecord record;

                put_lines(p->path);
                assert_int_equal(log_reader_open(p->path, 0, &r), 0);
                assert_int_equal(log_reader_open(p->path, 0, &follower), 0);
                for (unsigned i = 0; i < LINES / 3; i++) {
                        assert_int_equal(next(r, &record), 1);
                        log_reader_position(r, at + i);
                }
                for (unsigned i = 0; i < 500; i++)
                        assert_int_equal(next(follower, &record), 1);
                compress_number(p->path, 2, how);
                compress_number(p->path, 1, how);
                for (unsigned i = 0; i < LINES / 3; i += 37) {
                        assert_int_equal(log_reader_seek_position(r, at + i), 1);
                        expect_lines(r, i + 1, LINES);
                }
                expect_lines(follower, 500, LINES); /* it has the old file still, and then finds what came after it */
                log_reader_free(r);
                log_reader_free(follower);
        }
}

/* What is damaged is said, and the rest is read: further frames of it, and the files behind it. */
static void test_damage(void **state) {
        Place *p = *state;
        char name[256];

        for (How how = FRAMES; how < _HOW_MAX; how++) {
                LogReader *r = NULL;
                LogRecord record;
                unsigned n = 0;
                struct stat st;
                char *damaged;

                put_lines(p->path);
                compress_number(p->path, 1, how);
                snprintf(name, sizeof(name), "%s.1%s", p->path, suffix_of(how));
                assert_int_equal(stat(name, &st), 0);
                assert_int_equal(truncate(name, st.st_size / 2), 0);
                assert_int_equal(log_reader_open(p->path, 0, &r), 0);
                while (next(r, &record) == 1)
                        n++;
                assert_true(n >= 2 * LINES / 3 && n < LINES);
                assert_int_equal(record.realtime, T0 + (LINES - 1) * USEC_PER_SEC);
                damaged = log_reader_damage(r);
                assert_string_equal(damaged, name);
                free(damaged);
                assert_null(log_reader_damage(r));
                assert_int_equal(log_reader_seek_tail(r, LINES), 0);
                assert_int_equal(next(r, &record), 1);
                log_reader_free(r);
                (void) remove(name);
        }
}

/* One frame in the middle is broken: what comes behind it is there. */
static void test_damaged_frame(void **state) {
        Place *p = *state;
        _cleanup_free_ char *data = NULL;
        char name[256], *frame;
        LogReader *r = NULL;
        LogRecord record;
        size_t n, count = 0;

        put_lines(p->path);
        compress_number(p->path, 1, FRAMES);
        snprintf(name, sizeof(name), "%s.1.zst", p->path);
        assert_int_equal(read_file_at(AT_FDCWD, name, SIZE_MAX, &data, &n), 0);
        frame = memmem(data + n / 2, n - n / 2, "\x28\xb5\x2f\xfd", 4);
        assert_non_null(frame);
        frame[50] ^= 0x55; /* behind its headers */
        file_put(name, data, n, O_TRUNC);
        assert_int_equal(log_reader_open(p->path, 0, &r), 0);
        while (next(r, &record) == 1)
                count++;
        assert_true(count > LINES - 60 && count < LINES);
        free(log_reader_damage(r));
        log_reader_free(r);
}

static void test_segments(void **state) {
        Place *p = *state;
        _cleanup_buffer_ Buffer out = {};
        _cleanup_free_ char *text = malloc(10000);
        Unpack *a = NULL;
        char got[10000];
        int fd;

        for (size_t i = 0; i < 10000; i++)
                text[i] = (char) ('a' + i % 26);
        compress_to(FRAMES, text, 10000, &out);
        file_put(p->path, out.data, out.size, 0);
        fd = open(p->path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(unpack_open(fd, CHAIN_ZSTD, &a), 0);
        assert_int_equal(unpack_segments(a), 10);
        for (size_t k = 10; k-- > 0;) {
                size_t n = 0;
                ssize_t q;

                assert_int_equal(unpack_segment_offset(a, k), k * 1000);
                assert_int_equal(unpack_go(a, k), 0);
                while ((q = unpack_read(a, got + n, 777)) > 0)
                        n += (size_t) q;
                assert_int_equal(q, 0);
                assert_int_equal(n, 10000 - k * 1000);
                assert_memory_equal(got, text + k * 1000, n);
                assert_int_equal(unpack_offset(a), 10000);
        }
        assert_int_equal(unpack_segment_offset(a, 10), UINT64_MAX);
        assert_int_equal(unpack_go(a, 10), -ENOENT);
        unpack_free(a);
        close(fd);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_segments, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_reading, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_positions, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_damage, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_damaged_frame, place_open, place_close),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
