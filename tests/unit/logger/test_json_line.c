/* The json format: what is valid, what is nested, what is escaped, what belongs together. */
#include <json-c/json.h>

#include "logger/event.h"
#include "logger/json_line.h"
#include "logger/line.h"
#include "logger/sink.h"
#include "model/spec.h"
#include "place.inc.h"

#define T0 1767323045000006ULL        /* 2026-01-02T03:04:05.000006Z */
#define STAMP "2026-01-02T03:04:05.000006Z"
#define HEAD "{\"time\":\"" STAMP "\",\"stream\":\"out\",\"service\":\"web\",\"namespace\":\"shop\",\"instance\":3,\"pid\":4711"

static const LineSource web = { .service = "web", .ns = "shop", .instance = 3, .pid = 4711 };

/* The line of a message. The caller frees. */
static char *line_of(const char *message, size_t n, bool partial) {
        size_t head_size, size;
        _cleanup_free_ char *head = json_line_head(0, "web", "shop", 3, 4711, NULL, &head_size);
        char *to = malloc(JSON_LINE_MAX(head_size, n) + 1);

        assert_non_null(head);
        assert_non_null(to);
        size = json_line(to, STAMP, head, head_size, partial, message, n);
        assert_true(size <= JSON_LINE_MAX(head_size, n));
        to[size] = '\0';
        return to;
}

static void test_lines(void **state) {
        static const struct {
                const char *message;
                size_t size;
                const char *rest;
        } cases[] = {
                { "", 0, ",\"message\":\"\"}\n" },
                { "hello", 5, ",\"message\":\"hello\"}\n" },
                { "a\"b\\c\td\x1b[1m", 11, ",\"message\":\"a\\\"b\\\\c\\td\\u001b[1m\"}\n" },
                { "caf\xc3\xa9 \xf0\x9f\x98\x80", 10, ",\"message\":\"caf\xc3\xa9 \xf0\x9f\x98\x80\"}\n" },
                { "\0", 1, ",\"message\":\"\\u0000\"}\n" },
                { "a\xff\\b", 4, ",\"escaped\":true,\"message\":\"a\\\\xff\\\\\\\\b\"}\n" },
                { "\xed\xa0\x80", 3, ",\"escaped\":true,\"message\":\"\\\\xed\\\\xa0\\\\x80\"}\n" }, /* a surrogate */
                { "\xc3", 1, ",\"escaped\":true,\"message\":\"\\\\xc3\"}\n" },
                { "<4>careful", 10, ",\"priority\":4,\"message\":\"careful\"}\n" },
                { "<8>careful", 10, ",\"message\":\"<8>careful\"}\n" },
                { "<3>", 3, ",\"priority\":3,\"message\":\"\"}\n" },
                { "{\"a\": 1}", 8, ",\"json\":{\"a\": 1}}\n" },
                { "<6>{}", 5, ",\"priority\":6,\"json\":{}}\n" },
                { "{a: 1}", 6, ",\"message\":\"{a: 1}\"}\n" },
                { "{\n}", 3, ",\"message\":\"{\\n}\"}\n" }, /* never a line break inside a line */
                { "[1]", 3, ",\"message\":\"[1]\"}\n" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *line = line_of(cases[i].message, cases[i].size, false);

                assert_int_equal(strncmp(line, HEAD, strlen(HEAD)), 0);
                assert_string_equal(line + strlen(HEAD), cases[i].rest);
        }
}

static void test_validator(void **state) {
        static const char *const valid[] = {
                "{}", "{ }", "{\"a\":null}", "{\"a\":[true,false,-0.5e+10,0,\"\\u00e9\\\"\"]}", "{\"a\":{\"b\":{}},\"c\":[]}", "{\t\"a\" : 1 }",
        };
        static const char *const invalid[] = {
                "", "{", "}", "{}x", " {}", "{}{}", "{a:1}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "[]", "{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}",
                "{\"a\":1e}", "{\"a\":+1}", "{\"a\":tru}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"\\u12", "{\"a\":\"\t\"}", "{\"a\":\"\xff\"}",
                "{\"a\":1\n}", "{\"a\":NaN}", "{\"a\":[1 2]}", "{\"a\":[}", "{\"a\":'b'}", "{\"a\":\"\\",
        };
        char deep[200] = "{\"a\":";

        for (size_t i = 0; i < ARRAY_SIZE(valid); i++)
                assert_true(json_object_valid(valid[i], strlen(valid[i])));
        for (size_t i = 0; i < ARRAY_SIZE(invalid); i++)
                assert_false(json_object_valid(invalid[i], strlen(invalid[i])));
        for (unsigned depth = 1; depth < 80; depth++) {
                memset(deep + 5, '[', depth);
                memset(deep + 5 + depth, ']', depth);
                strcpy(deep + 5 + 2 * depth, "}");
                assert_int_equal(json_object_valid(deep, strlen(deep)), depth < 64);
        }
}

/* The bytes of the message, from the line as any reader of JSON sees it. */
static size_t message_back(const char *line, char *to) {
        json_object *o = json_tokener_parse(line), *v;
        size_t n = 0, size;
        const char *p;
        bool escaped;

        assert_non_null(o);
        escaped = json_object_object_get_ex(o, "escaped", NULL);
        assert_true(json_object_object_get_ex(o, "message", &v));
        p = json_object_get_string(v);
        size = (size_t) json_object_get_string_len(v);
        for (size_t i = 0; i < size; n++) {
                if (!escaped || p[i] != '\\') {
                        to[n] = p[i++];
                        continue;
                }
                if (p[i + 1] == '\\') {
                        to[n] = '\\';
                        i += 2;
                        continue;
                }
                assert_int_equal(p[i + 1], 'x');
                to[n] = (char) strtoul((char[]) { p[i + 2], p[i + 3], 0 }, NULL, 16);
                i += 4;
        }
        json_object_put(o);
        return n;
}

/* Any bytes come back as they were. */
static void test_any_bytes(void **state) {
        srand(test_seed());
        for (unsigned i = 0; i < 3000; i++) {
                char message[300], back[300];
                size_t n = (size_t) rand() % sizeof(message);
                _cleanup_free_ char *line = NULL;

                for (size_t k = 0; k < n; k++)
                        message[k] = (char) (rand() % (i % 3 ? 256 : 128));
                line = line_of(message, n, false);
                if (n >= 3 && message[0] == '<')
                        continue;
                assert_null(strchr(strchr(line, '\n') + 1, '\n'));
                assert_int_equal(message_back(line, back), n);
                assert_memory_equal(back, message, n);
        }
}

/* ---- events ---- */

/* Cuts text into its events, written one after the other with | behind each, and what is left in brackets. */
static void cut_up(const char *text, size_t max, EventEnd end, char *to) {
        size_t n = strlen(text);
        bool pending;
        Event e;

        while (event_next(text, n, max, end, &e, &pending)) {
                assert_true(e.eaten > 0 && e.eaten <= n && e.size <= e.eaten && e.size <= max);
                to += sprintf(to, "%.*s%s|", (int) e.size, text, e.cut ? "+" : "");
                text += e.eaten;
                n -= e.eaten;
        }
        if (n > 0)
                sprintf(to, "[%s]%s", text, pending ? "!" : "");
}

static void test_events(void **state) {
        static const struct {
                const char *text;
                EventEnd end;
                const char *events;
        } cases[] = {
                { "a\nb\nc", EVENT_MORE, "a|b|[c]" },
                { "a\nb\n", EVENT_MORE, "a|[b\n]!" },
                { "a\nb\n", EVENT_LINES, "a|b|" },
                { "a\nb", EVENT_ALL, "a|b|" },
                { "Error: x\n    at f\n    at g\nnext\n", EVENT_MORE, "Error: x\n    at f\n    at g|[next\n]!" },
                { "Error: x\n    at f\nCa", EVENT_MORE, "[Error: x\n    at f\nCa]!" },
                { "Error: x\n    at f\nCa", EVENT_LINES, "Error: x\n    at f|[Ca]" },
                { "Error: x\n    at f\nCat\n", EVENT_LINES, "Error: x\n    at f|Cat|" },
                { "E\n\tat f\nCaused by: y\n\t... 3 more\nz\n", EVENT_LINES, "E\n\tat f\nCaused by: y\n\t... 3 more|z|" },
                { "log\nTraceback (most\n  File\n    x\nValueError: 1\nnext\n", EVENT_LINES, "log\nTraceback (most\n  File\n    x\nValueError: 1|next|" },
                { "Traceback (most\n  File\nValueError\n\nnext\n", EVENT_LINES, "Traceback (most\n  File\nValueError||next|" },
                { "a\n\nb\n", EVENT_LINES, "a||b|" },
                { "a\n", EVENT_MORE, "[a\n]!" },
                { "", EVENT_ALL, "" },
                { "0123456789abcdefghijklmnopqrstuvwxyz\n", EVENT_LINES, "0123456789abcdefghij+|klmnopqrstuvwxyz|" },
                { "0123456789\n  456\n  012345\n  end\n", EVENT_LINES, "0123456789\n  456|  012345\n  end|" }, /* an event of more than 20 */
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char got[200] = "";

                cut_up(cases[i].text, i < 14 ? 1000 : 20, cases[i].end, got);
                assert_string_equal(got, cases[i].events);
        }
}

/* ---- through the sink ---- */

static Sink *sink_make(const Place *p) {
        SinkOptions o = { .path = p->path, .limits = { .max_size = 20000, .keep = 100, .uid = -1, .gid = -1 } };
        Sink *s = NULL;

        assert_int_equal(sink_new(&o, &s), 0);
        return s;
}

/* Whatever the chunks, the file is the same, apart from what a pause separates. */
static void test_chunks(void **state) {
        static const char text[] = "one\nError: x\n    at f\n    at g\nCaused by: y\n    at h\n{\"a\":1}\nlast";
        static const char *const messages[] = { "one", "Error: x\n    at f\n    at g\nCaused by: y\n    at h", NULL, "last" };
        LineFormat f = { .format = LOG_FORMAT_JSON, .multiline = true };
        Place *p = *state;

        for (size_t size = 1; size < sizeof(text); size++) {
                Sink *s = sink_make(p);
                _cleanup_free_ char *data = NULL;
                SinkStream out;
                char *line;

                (void) unlink(p->path);
                assert_int_equal(sink_stream_init(&out, 0, &web, &f), 0);
                for (size_t at = 0; at < strlen(text); at += size)
                        assert_int_equal(sink_write(s, &out, text + at, MIN(size, strlen(text) - at), T0), 0);
                assert_int_equal(sink_end(s, &out, T0), 0);
                sink_stream_done(&out);
                sink_free(s);
                data = line = file_number(p->path, 0, NULL);
                for (size_t i = 0; i < ARRAY_SIZE(messages); i++, line = strchr(line, '\n') + 1) {
                        char back[200];

                        assert_int_equal(strncmp(line, HEAD, strlen(HEAD)), 0);
                        if (!messages[i]) {
                                assert_int_equal(strncmp(line + strlen(HEAD), ",\"json\":{\"a\":1}}\n", 17), 0);
                                continue;
                        }
                        assert_int_equal(message_back(line, back), strlen(messages[i]));
                        assert_memory_equal(back, messages[i], strlen(messages[i]));
                }
                assert_string_equal(line, "");
        }
}

/* What waits for a continuation is written by a flush, and an unfinished line is not. */
static void test_flush(void **state) {
        LineFormat f = { .format = LOG_FORMAT_JSON, .multiline = true };
        Place *p = *state;
        Sink *s = sink_make(p);
        SinkStream out;

        assert_int_equal(sink_stream_init(&out, 0, &web, &f), 0);
        assert_int_equal(sink_write(s, &out, "half", 4, T0), 0);
        assert_false(out.pending);
        assert_int_equal(sink_write(s, &out, " done\n", 6, T0), 0);
        assert_true(out.pending);
        assert_int_equal(access(p->path, F_OK), -1);
        assert_int_equal(sink_flush(s, &out, T0), 0);
        assert_false(out.pending);
        assert_int_equal(access(p->path, F_OK), 0);
        assert_int_equal(sink_write(s, &out, "a\nb", 3, T0), 0);
        assert_false(out.pending); /* b begins, so a is over */
        sink_stream_done(&out);
        sink_free(s);
}

/* Noise in random chunks through rotations: every line of every file is an object, and the bytes come back. */
static void test_noise(void **state) {
        LineFormat f = { .format = LOG_FORMAT_JSON };
        _cleanup_buffer_ Buffer chain = {}, back = {};
        char noise[300000], piece[JSON_MESSAGE_MAX];
        Place *p = *state;
        Sink *s = sink_make(p);
        SinkStream out;
        char *line, *end;

        srand(test_seed());
        for (size_t i = 0; i < sizeof(noise); i++)
                noise[i] = (char) (i < 100000 ? rand() : rand() % 128);
        memset(noise + 150000, 'x', 60000); /* longer than fits one object */
        noise[150000] = '\n';
        assert_int_equal(sink_stream_init(&out, 0, &web, &f), 0);
        for (size_t at = 0, n; at < sizeof(noise); at += n) {
                n = MIN((size_t) (1 + rand() % 30000), sizeof(noise) - at);
                assert_int_equal(sink_write(s, &out, noise + at, n, T0), 0);
        }
        assert_int_equal(sink_end(s, &out, T0), 0);
        sink_stream_done(&out);
        sink_free(s);
        file_chain(p->path, 100, &chain);
        for (line = chain.data; line < chain.data + chain.size; line = end + 1) {
                bool partial;

                end = memchr(line, '\n', chain.size - (size_t) (line - chain.data));
                *end = '\0';
                assert_true(json_object_valid(line, (size_t) (end - line)));
                partial = strstr(line, "\"partial\":true,") != NULL;
                if (strstr(line, ",\"priority\":"))
                        assert_int_equal(buffer_printf(&back, "<%c>", strstr(line, ",\"priority\":")[12]), 0);
                assert_int_equal(buffer_append(&back, piece, message_back(line, piece)), 0);
                if (!partial)
                        assert_int_equal(buffer_append(&back, "\n", 1), 0);
        }
        assert_true(back.size == sizeof(noise) || (back.size == sizeof(noise) + 1 && noise[sizeof(noise) - 1] != '\n'));
        assert_memory_equal(back.data, noise, sizeof(noise));
}

/* ---- text of merged files ---- */

static void test_merged_text(void **state) {
        LineFormat f = { .format = LOG_FORMAT_TEXT, .merged = true };
        _cleanup_free_ char *data = NULL;
        Place *p = *state;
        Sink *s = sink_make(p);
        SinkStream err;
        LogRecord r;

        assert_int_equal(sink_stream_init(&err, 1, &web, &f), 0);
        assert_int_equal(sink_write(s, &err, "hello\n", 6, T0), 0);
        sink_stream_done(&err);
        sink_free(s);
        data = file_number(p->path, 0, NULL);
        assert_string_equal(data, STAMP " err@3 hello\n");
        line_parse(data, strlen(data) - 1, &r);
        assert_int_equal(r.instance, 3);
        assert_int_equal(r.stream, 1);
        assert_int_equal(r.realtime, T0);
        assert_int_equal(r.size, 5);
        line_parse(STAMP " out@1023+ x", strlen(STAMP " out@1023+ x"), &r);
        assert_int_equal(r.instance, 1023);
        assert_true(r.partial);
        line_parse(STAMP " out@ x", strlen(STAMP " out@ x"), &r);
        assert_int_equal(r.realtime, 0);
        line_parse(STAMP " out x", strlen(STAMP " out x"), &r);
        assert_int_equal(r.instance, -1);
        line_parse(STAMP " out@99999999999 x", strlen(STAMP " out@99999999999 x"), &r);
        assert_int_equal(r.realtime, 0);
}

#define PLACE_TEST(f) cmocka_unit_test_setup_teardown(f, place_open, place_close)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),  cmocka_unit_test(test_validator), cmocka_unit_test(test_any_bytes),
                cmocka_unit_test(test_events), PLACE_TEST(test_chunks),          PLACE_TEST(test_flush),
                PLACE_TEST(test_noise),        PLACE_TEST(test_merged_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
