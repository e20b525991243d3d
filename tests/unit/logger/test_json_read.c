/* json lines: what was written comes back byte for byte, what was not written by us is left alone; and files of them through the reader. */
#include "logger/json_line.h"
#include "logger/json_read.h"
#include "logger/line.h"
#include "place.inc.h"

#define T0 1767323045000006ULL        /* 2026-01-02T03:04:05.000006Z */
#define HEAD "{\"time\":\"2026-01-02T03:04:05.000006Z\",\"stream\":\"out\",\"service\":\"web\",\"namespace\":\"default\",\"instance\":3,\"pid\":4711"

static size_t write_line(char *to, int stream, bool partial, const char *p, size_t n) {
        size_t head_size, size;
        _cleanup_free_ char *head = json_line_head(stream, "web", "default", 3, 4711, NULL, &head_size);
        char stamp[LINE_STAMP_SIZE];

        line_stamp(stamp, T0);
        size = json_line(to, stamp, head, head_size, partial, p, n);
        assert_int_equal(to[size - 1], '\n');
        return size - 1;
}

static void expect_back(const char *p, size_t n, int stream, bool partial, const char *message, size_t size, int level) {
        _cleanup_free_ char *line = malloc(JSON_LINE_MAX(256, n));
        LogRecord r = {};
        size_t k = write_line(line, stream, partial, p, n);

        assert_int_equal(json_line_time(line, k), T0);
        assert_true(json_line_parse(line, k, &r));
        assert_int_equal(r.realtime, T0);
        assert_int_equal(r.stream, stream);
        assert_int_equal(r.instance, 3);
        assert_int_equal(r.pid, 4711);
        assert_int_equal(r.level, level);
        assert_int_equal(r.partial, partial);
        assert_int_equal(r.size, size);
        assert_memory_equal(r.message, message, size);
}

static void test_round_trip(void **state) {
        static const char all[] = "\0\001\b\t\n\v\f\r\"\\/ ~\177\303\244\342\202\254\360\237\220\210 \\x41 \\\\";
        char bytes[256];

        expect_back("", 0, 0, false, "", 0, 0);
        expect_back("hello", 5, 1, true, "hello", 5, 0);
        expect_back("<3>hello", 8, 1, false, "hello", 5, 4);
        expect_back(all, sizeof(all) - 1, 0, false, all, sizeof(all) - 1, 0);
        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (char) i;
        expect_back(bytes, sizeof(bytes), 0, false, bytes, sizeof(bytes), 0);
        expect_back("\\\\x41\377\\", 7, 0, false, "\\\\x41\377\\", 7, 0);
        expect_back("{\"a\": [1, {}], \"b\":\"\\\"\"}", 25, 0, false, "{\"a\": [1, {}], \"b\":\"\\\"\"}", 25, 0);
        srand(test_seed());
        for (int i = 0; i < 3000; i++) {
                size_t n = (size_t) rand() % sizeof(bytes);

                for (size_t k = 0; k < n; k++)
                        bytes[k] = rand() % 3 ? "\\x\"{}<0\303\244"[rand() % 9] : (char) rand();
                if (n < 3 || bytes[0] != '<')
                        expect_back(bytes, n, i & 1, i & 2, bytes, n, 0);
        }
}

static void test_strangers(void **state) {
        static const char *const bad[] = {
                "",
                "{}",
                "{\"time\":\"2026-01-02T03:04:05.000006Z\"}",
                HEAD "}",
                HEAD ",\"message\":\"x\"",
                HEAD ",\"message\":\"x\"} ",
                HEAD ",\"message\":\"x\",\"more\":1}",
                HEAD ",\"message\":\"x\"y\"}",
                HEAD ",\"message\":\"x\\\"}",
                HEAD ",\"message\":\"\\u1234\"}",
                HEAD ",\"message\":\"\\q\"}",
                HEAD ",\"message\":x}",
                HEAD ",\"priority\":8,\"message\":\"x\"}",
                HEAD ",\"priority\":,\"message\":\"x\"}",
                HEAD ",\"json\":[1]}",
                HEAD ",\"json\":{",
                HEAD ",\"json\":}",
                " " HEAD ",\"message\":\"x\"}",
                "{\"time\":\"2026-13-02T03:04:05.000006Z\",\"stream\":\"out\",\"service\":\"web\",\"namespace\":\"default\",\"instance\":3,\"pid\":1,\"message\":\"x\"}",
        };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_free_ char *line = strdup(bad[i]);
                LogRecord r;

                if (json_line_parse(line, strlen(line), &r))
                        fail_msg("taken: %s", bad[i]);
                assert_string_equal(line, bad[i]);
                for (size_t n = 0; n < strlen(line); n++)
                        (void) json_line_time(line, n);
        }
}

/* A file that was text, raw and json in turn: each line is what it is. */
static void test_file(void **state) {
        static const char before[] = "2026-01-02T03:04:05.000006Z err@5 text\nraw\n";
        Place *p = *state;
        _cleanup_free_ char *line = malloc(JSON_LINE_MAX(256, JSON_MESSAGE_MAX)), *longest = malloc(JSON_MESSAGE_MAX);
        LogReader *r = NULL;
        LogRecord record;
        size_t n;

        memset(longest, 1, JSON_MESSAGE_MAX); /* six bytes each */
        file_put(p->path, before, strlen(before), 0);
        n = write_line(line, 1, true, longest, JSON_MESSAGE_MAX);
        file_put(p->path, line, n + 1, O_APPEND);
        n = write_line(line, 0, false, "end", 3);
        file_put(p->path, line, n + 1, O_APPEND);
        assert_int_equal(log_reader_open(p->path, 2, &r), 0);
        assert_int_equal(log_reader_next(r, &record), 1);
        assert_true(record.realtime == T0 && record.stream == 1 && record.instance == 5 && record.size == 4);
        assert_int_equal(log_reader_next(r, &record), 1);
        assert_true(record.realtime == 0 && record.instance == -1 && record.size == 3);
        assert_int_equal(log_reader_next(r, &record), 1);
        assert_true(record.realtime == T0 && record.partial && record.size == JSON_MESSAGE_MAX);
        assert_memory_equal(record.message, longest, JSON_MESSAGE_MAX);
        assert_int_equal(log_reader_next(r, &record), 1);
        assert_memory_equal(record.message, "end", 3);
        assert_int_equal(log_reader_next(r, &record), 0);
        assert_int_equal(log_reader_seek_tail(r, 1), 0);
        assert_int_equal(log_reader_next(r, &record), 1);
        assert_int_equal(record.size, 3);
        assert_int_equal(log_reader_seek_time(r, T0 + 1), 0);
        assert_int_equal(log_reader_next(r, &record), 0);
        log_reader_free(r);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_strangers),
                cmocka_unit_test_setup_teardown(test_file, place_open, place_close),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
