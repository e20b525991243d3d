/* Requests, and answers that come whole, byte by byte, and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/strv.h"
#include "probe/http.h"

static ProbeSpec *spec(const char *body) {
        ProbeSpec *p;

        assert_int_equal(probe_spec_new(&p), 0);
        p->http.port = 80;
        p->http.body = body ? strdup(body) : NULL;
        return p;
}

static void test_request(void **state) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = spec(NULL);
        _cleanup_buffer_ Buffer b = {}, other = {};

        assert_int_equal(http_request(&b, p, "127.0.0.1:80"), 0);
        assert_string_equal(b.data, "GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\nUser-Agent: kingly-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n");
        p->http.method = HTTP_POST;
        p->http.path = strdup("/a?b=c");
        assert_int_equal(strv_append(&p->http.headers, "host: shop.example"), 0);
        assert_int_equal(strv_append(&p->http.headers, "X: 1"), 0);
        assert_int_equal(http_request(&other, p, "127.0.0.1:80"), 0);
        assert_string_equal(other.data, "POST /a?b=c HTTP/1.1\r\nUser-Agent: kingly-probe\r\nAccept: */*\r\nConnection: close\r\nContent-Length: 0\r\n"
                                        "host: shop.example\r\nX: 1\r\n\r\n");
}

/* Fed in pieces of a size, with the end of the connection after it where `closed`. The text, or the error as a number. */
static bool answer(const ProbeSpec *p, const char *bytes, size_t piece, bool closed, char text[256]) {
        _cleanup_(http_response_freep) HttpResponse *r = http_response_new(p);
        size_t size = strlen(bytes);
        int done = 0;

        assert_non_null(r);
        for (size_t at = 0; at < size && done == 0; at += piece)
                done = http_response_feed(r, bytes + at, MIN(piece, size - at));
        if (done == 0 && closed)
                done = http_response_end(r);
        if (done == 1)
                return http_response_judge(r, text, 256);
        snprintf(text, 256, "%d", done);
        return false;
}

static const struct { const char *body, *bytes, *text; bool passed; } answers[] = {
        { NULL, "HTTP/1.1 200 OK\r\n\r\n", "HTTP 200 OK", true },
        { NULL, "HTTP/1.0 204\r\nX: y\r\n\r\n", "HTTP 204", true },
        { NULL, "HTTP/1.1 302 Found\nLocation: /\n\n", "HTTP 302 Found", true },
        { NULL, "HTTP/1.1 404 Not \x1b Found\r\n\r\n", "HTTP 404 Not \\x1b Found", false },
        { NULL, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP 200 OK", true },
        { "ok", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n ok\nmore", "HTTP 200 OK", true },
        { "ok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nnook", "HTTP 200 OK, but its body does not hold \"ok\"", false },
        { "ok", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP 200 OK, but its body does not hold \"ok\"", false },
        { "hello world", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6;a=b\r\nhello \r\n5\r\nworld\r\n0\r\nTrailer: x\r\n\r\n", "HTTP 200 OK", true },
        { "hello", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX5\r\n", "-74", false },
        { "x", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "-74", false },
        { "x", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", "-74", false },
        { "end", "HTTP/1.1 200 OK\r\n\r\nuntil the end", "HTTP 200 OK", true },
        { "x", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxxx", "-32", false },
        { "x", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nxxx", "-74", false },
        { NULL, "SSH-2.0-OpenSSH_9.2\r\n", "-74", false },
        { NULL, "HTTP/2 200\r\n\r\n", "-74", false },
        { NULL, "HTTP/1.1 2x0 OK\r\n\r\n", "-74", false },
        { NULL, "HTTP/1.1 2000 OK\r\n\r\n", "-74", false },
        { NULL, "HTTP/1.1 099 OK\r\n\r\n", "-74", false },
        { NULL, "HTTP/1.1 200 OK\r\n", "-32", false },
        { NULL, "", "-32", false },
};

static void test_answers(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
                _cleanup_(probe_spec_freep) ProbeSpec *p = spec(answers[i].body);

                for (size_t piece = 1; piece < 40; piece++) {
                        char text[256];
                        bool passed = answer(p, answers[i].bytes, piece, true, text);

                        assert_string_equal(text, answers[i].text);
                        assert_int_equal(passed, answers[i].passed);
                }
        }
}

static void test_statuses_asked_for(void **state) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = spec(NULL);
        static int32_t codes[] = { 401, 204 };
        char text[256];

        p->http.codes = (CodeList) { codes, 2 };
        assert_true(answer(p, "HTTP/1.1 401 No\r\n\r\n", 100, false, text));
        assert_false(answer(p, "HTTP/1.1 200 OK\r\n\r\n", 100, false, text));
        p->http.codes = (CodeList) {};
}

/* What the body of a bad status begins with is shown, its first line only. */
static void test_excerpt(void **state) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = spec(NULL);
        char text[256];

        assert_false(answer(p, "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n1a\r\nno database\nat all", 1000, false, text));
        assert_string_equal(text, "HTTP 503 Busy: no database");
}

/* HEAD has no body, whatever the headers promise. */
static void test_head(void **state) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = spec("x");
        char text[256];

        p->http.method = HTTP_HEAD;
        assert_false(answer(p, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 100, false, text));
        assert_string_equal(text, "HTTP 200 OK, but its body does not hold \"x\"");
}

/* A head without end, one line or many, and a body without end. */
static void test_without_end(void **state) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = spec(NULL), *q = spec("never");
        _cleanup_(http_response_freep) HttpResponse *r = http_response_new(p), *s = http_response_new(p), *t = http_response_new(q);
        int done = 0;

        for (unsigned i = 0; i < 100000 && done == 0; i++)
                done = http_response_feed(r, "x", 1);
        assert_int_equal(done, -EMSGSIZE);
        assert_int_equal(http_response_feed(s, "HTTP/1.1 200 OK\r\n", 17), 0);
        for (unsigned i = done = 0; i < 100000 && done == 0; i++)
                done = http_response_feed(s, "a: b\r\n", 6);
        assert_int_equal(done, -EMSGSIZE);
        assert_int_equal(http_response_feed(t, "HTTP/1.1 200 OK\r\n\r\n", 19), 0);
        for (unsigned i = done = 0; i < 100000 && done == 0; i++)
                done = http_response_feed(t, "body body ", 10);
        assert_int_equal(done, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_request), cmocka_unit_test(test_answers), cmocka_unit_test(test_statuses_asked_for), cmocka_unit_test(test_excerpt),
                cmocka_unit_test(test_head),    cmocka_unit_test(test_without_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
