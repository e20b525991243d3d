/* The reader against its header, on files that the sink writes and on files that nobody should have written. */
#include <poll.h>

#include "logger/reader.h"
#include "logger/sink.h"
#include "place.inc.h"

#define T0 1767323045000006ULL        /* 2026-01-02T03:04:05.000006Z */
#define DEADLINE_MSEC 30000

static LogReader *reader_make(const char *path, int format) {
        LogReader *r = NULL;

        assert_int_equal(log_reader_open(path, format, &r), 0);
        return r;
}

static Sink *sink_make(const char *path, uint64_t max_size, uint32_t keep) {
        SinkOptions o = { .path = path, .limits = { .max_size = max_size, .keep = keep, .uid = -1, .gid = -1 } };
        Sink *s = NULL;

        assert_int_equal(sink_new(&o, &s), 0);
        return s;
}

static void expect(LogReader *r, const char *message) {
        LogRecord record = {};

        assert_int_equal(log_reader_next(r, &record), 1);
        assert_int_equal(record.size, strlen(message));
        assert_memory_equal(record.message, message, record.size);
}

static void expect_end(LogReader *r) {
        LogRecord record;

        assert_int_equal(log_reader_next(r, &record), 0);
        assert_int_equal(log_reader_next(r, &record), 0);
}

/* Numbered lines, one each second. */
static void put_numbers(Sink *s, unsigned from, unsigned to) {
        SinkStream out = {};
        char line[32];

        for (unsigned i = from; i < to; i++) {
                int n = snprintf(line, sizeof(line), "line %u\n", i);

                assert_int_equal(sink_write(s, &out, line, (size_t) n, T0 + i * USEC_PER_SEC), 0);
        }
}

static void expect_numbers(LogReader *r, unsigned from, unsigned to) {
        char line[32];

        for (unsigned i = from; i < to; i++) {
                snprintf(line, sizeof(line), "line %u", i);
                expect(r, line);
        }
}

static void test_records(void **state) {
        static const char text[] =
                "2026-01-02T03:04:05.000006Z out one\n"
                "2026-01-02T03:04:05.000007Z err \n"
                "2026-01-02T03:04:05.000008Z out+ piece\n"
                "2000-02-29T23:59:60.999999Z err+ \n"
                "not one of ours\n"
                "\n"
                "2026-13-02T03:04:05.000006Z out month\n"
                "2026-01-02T03:04:05.000006Z sin word\n"
                "2026-01-02T03:04:05.000006Z out\n"
                "2026-01-02 03:04:05.000006Z out blank\n"
                "9999-12-31T23:59:59.999999Z out a\0b\n";
        static const struct {
                usec_t realtime;
                int stream;
                bool partial;
                const char *message;
                size_t size;
        } expected[] = {
                { T0, 0, false, "one", 3 },
                { T0 + 1, 1, false, "", 0 },
                { T0 + 2, 0, true, "piece", 5 },
                { 951868800999999ULL, 1, true, "", 0 },
                { 0, 0, false, "not one of ours", 15 },
                { 0, 0, false, "", 0 },
                { 0, 0, false, "2026-13-02T03:04:05.000006Z out month", 37 },
                { 0, 0, false, "2026-01-02T03:04:05.000006Z sin word", 36 },
                { 0, 0, false, "2026-01-02T03:04:05.000006Z out", 31 },
                { 0, 0, false, "2026-01-02 03:04:05.000006Z out blank", 37 },
                { 253402300799999999ULL, 0, false, "a\0b", 3 },
        };
        Place *p = *state;
        LogReader *r;
        LogRecord record;

        file_put(p->path, text, sizeof(text) - 1, 0);
        r = reader_make(p->path, 0);
        for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
                assert_int_equal(log_reader_next(r, &record), 1);
                assert_int_equal(record.realtime, expected[i].realtime);
                assert_int_equal(record.stream, expected[i].stream);
                assert_int_equal(record.partial, expected[i].partial);
                assert_int_equal(record.size, expected[i].size);
                assert_memory_equal(record.message, expected[i].message, record.size);
        }
        expect_end(r);
        log_reader_free(r);
}

/* What is written comes back, whatever the time: both directions of the stamp against each other and against gmtime(3). */
static void test_stamps(void **state) {
        Place *p = *state;

        srand(test_seed());
        for (unsigned i = 0; i < 2000; i++) {
                usec_t t = ((usec_t) rand() << 31 | (usec_t) rand()) % (253402300800ULL * USEC_PER_SEC);
                time_t seconds = (time_t) (t / USEC_PER_SEC);
                SinkStream err = { .stream = 1 };
                _cleanup_free_ char *data = NULL;
                char text[64] = "";
                LogRecord record;
                LogReader *r;
                struct tm tm;
                size_t n;
                Sink *s;

                unlink(p->path);
                s = sink_make(p->path, 0, 1);
                assert_int_equal(sink_write(s, &err, "x\n", 2, t), 0);
                sink_free(s);
                data = file_number(p->path, 0, &n);
                assert_non_null(gmtime_r(&seconds, &tm));
                strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.", &tm);
                assert_memory_equal(data, text, 20);
                r = reader_make(p->path, 0);
                assert_int_equal(log_reader_next(r, &record), 1);
                assert_int_equal(record.realtime, t);
                assert_int_equal(record.stream, 1);
                log_reader_free(r);
        }
}

static void test_tail(void **state) {
        Place *p = *state;
        Sink *s = sink_make(p->path, 400, 50);
        LogReader *r = reader_make(p->path, 0);

        put_numbers(s, 0, 200); /* some twenty files */
        for (unsigned lines = 0; lines < 260; lines += 1 + lines / 8) {
                assert_int_equal(log_reader_seek_tail(r, lines), 0);
                expect_numbers(r, lines < 200 ? 200 - lines : 0, 200);
                expect_end(r);
        }
        assert_int_equal(log_reader_seek_tail(r, UINT64_MAX), 0);
        expect_numbers(r, 0, 200);
        log_reader_free(r);
        r = reader_make(p->path, 0);
        expect_numbers(r, 0, 200); /* unsought: from the oldest */
        expect_end(r);
        log_reader_free(r);
        sink_free(s);
}

/* Lines around the size of the blocks that the tail is searched in. */
static void test_tail_blocks(void **state) {
        Place *p = *state;

        for (size_t n = 65530; n < 65542; n++) {
                _cleanup_free_ char *text = malloc(3 * n + 3);
                LogRecord record;
                LogReader *r;

                memset(text, 'a', n);
                memset(text + n + 1, 'b', n);
                memset(text + 2 * n + 2, 'c', n);
                text[n] = text[2 * n + 1] = text[3 * n + 2] = '\n';
                unlink(p->path);
                file_put(p->path, text, 3 * n + 3, 0);
                r = reader_make(p->path, 1);
                assert_int_equal(log_reader_seek_tail(r, 2), 0);
                assert_int_equal(log_reader_next(r, &record), 1);
                assert_int_equal(record.message[0], 'b');
                assert_int_equal(record.size, n);
                assert_false(record.partial);
                assert_int_equal(log_reader_next(r, &record), 1);
                assert_int_equal(record.message[0], 'c');
                expect_end(r);
                log_reader_free(r);
        }
}

/* The tail of a file that is almost all hole: done in no time, or the deadline of the test program strikes. */
static void test_tail_of_a_giant(void **state) {
        Place *p = *state;
        char block[4096];
        LogReader *r;

        for (size_t i = 0; i < sizeof(block); i++)
                block[i] = i % 64 == 63 ? '\n' : 'x';
        file_put(p->path, "", 0, 0);
        if (truncate(p->path, 10LL << 30) < 0)
                skip(); /* no sparse files there */
        file_put(p->path, block, sizeof(block), O_APPEND);
        r = reader_make(p->path, 1);
        assert_int_equal(log_reader_seek_tail(r, 50), 0);
        for (unsigned i = 0; i < 50; i++) {
                LogRecord record;

                assert_int_equal(log_reader_next(r, &record), 1);
                assert_int_equal(record.size, 63);
        }
        expect_end(r);
        log_reader_free(r);
}

/* From every record a new reader goes on with the next, through rotations that happened since. */
static void test_positions(void **state) {
        Place *p = *state;
        Sink *s = sink_make(p->path, 400, 50);
        LogReader *r = reader_make(p->path, 0);
        LogPosition at[100], again;
        char text[LOG_POSITION_MAX];

        put_numbers(s, 0, 100);
        for (unsigned i = 0; i < 100; i++) {
                expect_numbers(r, i, i + 1);
                log_reader_position(r, at + i);
        }
        put_numbers(s, 100, 150);
        for (unsigned i = 0; i < 100; i++) {
                assert_int_equal(log_position_parse(log_position_format(text, at + i), &again), 0);
                assert_memory_equal(&again, at + i, sizeof(again));
                assert_int_equal(log_reader_seek_position(r, &again), 1);
                expect_numbers(r, i + 1, 150);
                expect_end(r);
        }
        again.head++; /* the number of the inode is another file's now */
        assert_int_equal(log_reader_seek_position(r, &again), 0);
        expect_numbers(r, 0, 150);
        log_reader_free(r);
        sink_free(s);
}

/* In the middle of a line that comes in pieces the next piece is still one of that line. */
static void test_position_in_a_line(void **state) {
        Place *p = *state;
        _cleanup_free_ char *text = malloc(200000);
        LogReader *r = reader_make(p->path, 0);
        LogPosition at, again;
        char buf[LOG_POSITION_MAX];
        LogRecord record;

        memset(text, 'x', 200000);
        memcpy(text, "2026-01-02T03:04:05.000006Z err ", 32);
        text[199999] = '\n';
        file_put(p->path, text, 200000, 0);
        assert_int_equal(log_reader_next(r, &record), 1);
        assert_true(record.partial);
        log_reader_position(r, &at);
        assert_int_equal(log_position_parse(log_position_format(buf, &at), &again), 0);
        assert_int_equal(log_reader_seek_position(r, &again), 1);
        assert_int_equal(log_reader_next(r, &record), 1);
        assert_int_equal(record.realtime, T0);
        assert_int_equal(record.stream, 1);
        log_reader_free(r);
}

static void test_position_text(void **state) {
        static const char *const bad[] = { "", "f", "f:", "f:1:2", "f:1:2:3:", "f:1:2:3:4", "f:1:2:3:4:2", "f:1:2:3:4:1x", "f:01:2:3", "f:1:2:-3",
                                           "f:1:2:ffffffffffffffff", "g:1:2:3", "f: 1:2:3", "f:1:2:3 " };
        LogPosition p;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(log_position_parse(bad[i], &p), -EINVAL);
        assert_int_equal(log_position_parse("f:1f:0:3", &p), 0);
        assert_int_equal(p.ino, 0x1f);
}

static void test_time(void **state) {
        Place *p = *state;
        Sink *s = sink_make(p->path, 1 << 20, 50);
        LogReader *r = reader_make(p->path, 0);

        put_numbers(s, 0, 30000); /* 1.3 MB: two files, each worth halving */
        for (unsigned i = 0; i < 30000; i += 997) {
                assert_int_equal(log_reader_seek_time(r, T0 + i * USEC_PER_SEC), 0);
                expect_numbers(r, i, MIN(i + 20, 30000u));
                assert_int_equal(log_reader_seek_time(r, T0 + i * USEC_PER_SEC + 1), 0);
                expect_numbers(r, i + 1, MIN(i + 20, 30000u));
        }
        assert_int_equal(log_reader_seek_time(r, 1), 0);
        expect_numbers(r, 0, 30000);
        expect_end(r);
        assert_int_equal(log_reader_seek_time(r, T0 + 30000 * USEC_PER_SEC), 0);
        expect_end(r);
        put_numbers(s, 29999, 30010); /* one too early, then what was asked for */
        expect_numbers(r, 30000, 30010);
        expect_end(r);
        log_reader_free(r);
        sink_free(s);
}

/* Lines without a stamp in between, longer than a block even: the search goes around them. */
static void test_time_among_strangers(void **state) {
        _cleanup_free_ char *noise = malloc(200000);
        Place *p = *state;
        LogReader *r;
        LogRecord record;
        bool found = false;

        memset(noise, 'z', 200000);
        noise[199999] = '\n';
        for (unsigned i = 0; i < 40; i++) {
                Sink *s = sink_make(p->path, 0, 1);

                put_numbers(s, i * 10, i * 10 + 10);
                sink_free(s);
                if (i % 3 == 0)
                        file_put(p->path, noise, 200000, O_APPEND);
        }
        r = reader_make(p->path, 0);
        assert_int_equal(log_reader_seek_time(r, T0 + 205 * USEC_PER_SEC), 0);
        assert_int_equal(log_reader_next(r, &record), 1);
        assert_int_equal(record.realtime, T0 + 205 * USEC_PER_SEC);
        while (log_reader_next(r, &record) == 1)
                found = found || record.realtime == T0 + 399 * USEC_PER_SEC;
        assert_true(found);
        log_reader_free(r);
}

static void test_raw_time(void **state) {
        struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
        Place *p = *state;
        LogReader *r;
        char name[256];

        snprintf(name, sizeof(name), "%s.1", p->path);
        file_put(name, "old\n", 4, 0);
        assert_int_equal(utimensat(AT_FDCWD, name, old, 0), 0);
        file_put(p->path, "new\n", 4, 0);
        r = reader_make(p->path, 1);
        assert_int_equal(log_reader_seek_time(r, 2000 * USEC_PER_SEC), 0);
        expect(r, "new");
        assert_int_equal(log_reader_seek_time(r, 500 * USEC_PER_SEC), 0);
        expect(r, "old");
        expect(r, "new");
        assert_int_equal(log_reader_seek_time(r, now_usec(CLOCK_REALTIME) + USEC_PER_HOUR), 0);
        expect_end(r);
        file_put(p->path, "newer\n", 6, O_APPEND);
        expect(r, "newer");
        log_reader_free(r);
}

static void test_raw_lines(void **state) {
        Place *p = *state;
        LogReader *r;
        LogRecord record;

        file_put(p->path, "2026-01-02T03:04:05.000006Z out as it is\nprompt> ", 49, 0);
        r = reader_make(p->path, 1);
        expect(r, "2026-01-02T03:04:05.000006Z out as it is");
        expect_end(r);
        assert_int_equal(log_reader_rest(r, &record), 1);
        assert_true(record.partial);
        assert_int_equal(record.size, 8);
        assert_memory_equal(record.message, "prompt> ", 8);
        assert_int_equal(log_reader_rest(r, &record), 0);
        file_put(p->path, "yes\n", 4, O_APPEND);
        expect(r, "yes");
        expect_end(r);
        assert_int_equal(log_reader_rest(r, &record), 0);
        log_reader_free(r);
}

/* A line of 1 MB comes in pieces that together are the line, with the time and stream of its beginning. */
static void test_huge_line(void **state) {
        static const char prefix[] = "2026-01-02T03:04:05.000006Z err ";
        const size_t size = 1000000;
        _cleanup_free_ char *text = malloc(size + 64);
        size_t n = strlen(prefix), got = 0;
        Place *p = *state;
        LogReader *r;
        LogRecord record;

        memcpy(text, prefix, n);
        for (size_t i = 0; i < size; i++)
                text[n + i] = (char) ('a' + i % 23);
        memcpy(text + n + size, "\nshort\n", 7);
        file_put(p->path, text, n + size + 7, 0);
        r = reader_make(p->path, 0);
        do {
                assert_int_equal(log_reader_next(r, &record), 1);
                assert_int_equal(record.realtime, T0);
                assert_int_equal(record.stream, 1);
                assert_true(record.size <= 66000);
                assert_memory_equal(record.message, text + n + got, record.size);
                got += record.size;
        } while (record.partial);
        assert_int_equal(got, size);
        expect(r, "short");
        expect_end(r);
        log_reader_free(r);
}

/* The greatest line that the sink writes is one record. */
static void test_longest_line(void **state) {
        Place *p = *state;
        char text[65537];
        SinkStream out = {};
        Sink *s = sink_make(p->path, 0, 1);
        LogReader *r = reader_make(p->path, 0);
        LogRecord record;

        memset(text, 'q', 65536);
        text[65536] = '\n';
        assert_int_equal(sink_write(s, &out, text, sizeof(text), T0), 0);
        assert_int_equal(log_reader_next(r, &record), 1);
        assert_int_equal(record.size, 65536);
        assert_false(record.partial);
        expect_end(r);
        log_reader_free(r);
        sink_free(s);
}

static void wait_for(LogReader *r) {
        struct pollfd p = { .fd = log_reader_watch_fd(r), .events = POLLIN };

        assert_true(p.fd >= 0);
        assert_int_equal(poll(&p, 1, DEADLINE_MSEC), 1);
}

static void expect_quiet(LogReader *r) {
        struct pollfd p = { .fd = log_reader_watch_fd(r), .events = POLLIN };

        assert_int_equal(poll(&p, 1, 0), 0);
}

/* Every append and rotation wakes the follower, and it sees each line once. */
static void test_follow(void **state) {
        Place *p = *state;
        Sink *s = sink_make(p->path, 400, 5);
        LogReader *r = reader_make(p->path, 0);

        put_numbers(s, 0, 5);
        assert_int_equal(log_reader_seek_tail(r, 2), 0);
        assert_true(log_reader_watch_fd(r) >= 0);
        expect_numbers(r, 3, 5);
        expect_end(r);
        expect_quiet(r);
        for (unsigned i = 5; i < 100; i++) {
                put_numbers(s, i, i + 1);
                wait_for(r);
                expect_numbers(r, i, i + 1);
                expect_end(r);
                expect_quiet(r);
        }
        put_numbers(s, 100, 140); /* several rotations between two looks, none beyond what is kept */
        wait_for(r);
        expect_numbers(r, 100, 140);
        expect_end(r);
        put_numbers(s, 140, 400); /* more than is kept: what is left, in order, up to the newest */
        wait_for(r);
        {
                LogRecord record;
                unsigned number = 0, before = 0, n = 0;

                while (log_reader_next(r, &record) == 1) {
                        char text[32] = "";

                        memcpy(text, record.message, MIN(record.size, sizeof(text) - 1));
                        assert_int_equal(sscanf(text, "line %u", &number), 1);
                        assert_true(number > before);
                        before = number;
                        n++;
                }
                assert_int_equal(before, 399);
                assert_true(n >= 40);
        }
        log_reader_free(r);
        sink_free(s);
}

/* Following may begin before the directory exists. */
static void test_follow_missing(void **state) {
        Place *p = *state;
        char path[256];
        LogReader *r;
        Sink *s;

        snprintf(path, sizeof(path), "%s/shop/deep/web-0.log", p->dir);
        r = reader_make(path, 0);
        assert_int_equal(log_reader_seek_tail(r, 10), 0);
        assert_true(log_reader_watch_fd(r) >= 0);
        expect_end(r);
        expect_quiet(r);
        s = sink_make(path, 0, 1);
        put_numbers(s, 0, 3);
        wait_for(r);
        expect_numbers(r, 0, 3);
        expect_end(r);
        put_numbers(s, 3, 4);
        wait_for(r);
        expect_numbers(r, 3, 4);
        log_reader_free(r);
        sink_free(s);
}

static void test_follow_disturbed(void **state) {
        Place *p = *state;
        char moved[256];
        LogReader *r;

        snprintf(moved, sizeof(moved), "%s.moved", p->path);
        file_put(p->path, "one\ntwo\n", 8, 0);
        r = reader_make(p->path, 1);
        expect(r, "one");
        expect(r, "two");
        expect_end(r);
        assert_true(log_reader_watch_fd(r) >= 0);
        file_put(p->path, "three\n", 6, O_TRUNC); /* emptied and begun anew */
        wait_for(r);
        expect(r, "three");
        expect_end(r);
        assert_int_equal(rename(p->path, moved), 0); /* moved to a name that is not of the chain, and written to once more */
        file_put(moved, "four\n", 5, O_APPEND);
        file_put(p->path, "five\n", 5, 0);
        wait_for(r);
        expect(r, "four");
        expect(r, "five");
        expect_end(r);
        file_put(p->path, "half", 4, O_APPEND);
        expect_end(r);
        assert_int_equal(truncate(p->path, 5), 0); /* half a line taken back: the lines before it do not come again */
        expect_end(r);
        file_put(p->path, "six\n", 4, O_APPEND);
        expect(r, "six");
        assert_int_equal(unlink(p->path), 0);
        expect_end(r);
        file_put(p->path, "seven\n", 6, 0);
        wait_for(r);
        expect(r, "seven");
        expect_end(r);
        log_reader_free(r);
}

/* A rotated file that was cut off in the middle of a line gives that line before the next file begins. */
static void test_torn_rotated(void **state) {
        Place *p = *state;
        char name[256];
        LogReader *r;

        snprintf(name, sizeof(name), "%s.3", p->path); /* and a gap, as a rotation that was cut short leaves it */
        file_put(name, "a\nb", 3, 0);
        snprintf(name, sizeof(name), "%s.1", p->path);
        file_put(name, "c\n", 2, 0);
        file_put(p->path, "d\n", 2, 0);
        snprintf(name, sizeof(name), "%s.01", p->path); /* none of the chain */
        file_put(name, "x\n", 2, 0);
        snprintf(name, sizeof(name), "%s.1.gz.tmp", p->path);
        file_put(name, "x\n", 2, 0);
        r = reader_make(p->path, 1);
        expect(r, "a");
        expect(r, "b");
        expect(r, "c");
        expect(r, "d");
        expect_end(r);
        log_reader_free(r);
}

/* Random writes, rotations and reads: a follower that never falls behind more than is kept sees everything once and in order. */
static void test_follow_random(void **state) {
        Place *p = *state;
        Sink *s = sink_make(p->path, 700, 30);
        LogReader *r = reader_make(p->path, 0);
        unsigned written = 0, read = 0;

        srand(test_seed());
        if (rand() % 2)
                assert_true(log_reader_watch_fd(r) >= 0);
        for (unsigned i = 0; i < 3000; i++) {
                unsigned n = (unsigned) rand() % 12;

                put_numbers(s, written, written + n);
                written += n;
                n = written - read > 250 ? written - read : MIN(written - read, (unsigned) rand() % 14);
                expect_numbers(r, read, read + n);
                read += n;
        }
        expect_numbers(r, read, written);
        expect_end(r);
        log_reader_free(r);
        sink_free(s);
}

static void test_open_fails(void **state) {
        Place *p = *state;
        LogReader *r = NULL;
        LogRecord record;
        char name[256];

        snprintf(name, sizeof(name), "%s/", p->dir);
        assert_int_equal(log_reader_open(name, 0, &r), -EISDIR);
        assert_null(r);
        r = reader_make(p->dir, 0); /* a directory */
        assert_int_equal(log_reader_next(r, &record), -EOPNOTSUPP);
        assert_int_equal(log_reader_seek_tail(r, 1), -EOPNOTSUPP);
        log_reader_free(r);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_records, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_stamps, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_tail, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_tail_blocks, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_tail_of_a_giant, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_positions, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_position_in_a_line, place_open, place_close),
                cmocka_unit_test(test_position_text),
                cmocka_unit_test_setup_teardown(test_time, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_time_among_strangers, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_raw_time, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_raw_lines, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_huge_line, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_longest_line, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_follow, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_follow_missing, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_follow_disturbed, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_torn_rotated, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_follow_random, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_open_fails, place_open, place_close),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
