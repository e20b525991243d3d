/* The bytes of a call, and what a server may answer to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "probe/grpc.h"

#define BYTES(...) (const uint8_t[]) { __VA_ARGS__ }, sizeof((const uint8_t[]) { __VA_ARGS__ })
#define SETTINGS 0, 0, 0, 4, 0, 0, 0, 0, 0
#define HEADERS 0, 0, 2, 1, 4, 0, 0, 0, 1, 0x88, 0x5f
#define SAYS(status) 0, 0, 7, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 8, (status)

static void test_request(void **state) {
        static const uint8_t begin[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\x54\1\4\0\0\0\1\x83\x86\x04\x1c/grpc.health.v1.Health/Check\x01\x03" "h:1"
                                       "\x0f\x10\x10" "application/grpc\x0f\x2b\x0ckingly-probe\x00\x02te\x08trailers\0\0\x0a\0\1\0\0\0\1\0\0\0\0\5\x0a\3abc";
        ProbeSpec p = { .grpc = { .port = 1, .service = (char *) "abc" } };
        _cleanup_buffer_ Buffer b = {};

        assert_int_equal(grpc_request(&b, &p, "h:1"), 0);
        assert_int_equal(b.size, sizeof begin - 1);
        assert_memory_equal(b.data, begin, b.size);
}

/* A name longer than one byte of length tells. */
static void test_long_name(void **state) {
        char name[1025] = "";
        ProbeSpec p = { .grpc = { .port = 1, .service = name } };
        _cleanup_buffer_ Buffer b = {};

        memset(name, 'x', 1024);
        assert_int_equal(grpc_request(&b, &p, "h:1"), 0);
        assert_memory_equal(b.data + b.size - 1024 - 8, "\0\0\0\4\3\x0a\x80\x08x", 9);
}

static bool answer(const uint8_t *bytes, size_t n, size_t piece, char text[256]) {
        GrpcResponse r = {};
        int done = 0;

        for (size_t at = 0; at < n && done == 0; at += piece)
                done = grpc_response_feed(&r, bytes + at, MIN(piece, n - at));
        assert_true(n < 9 || bytes[3] != 4 || bytes[4] != 0 || r.acknowledge);
        if (done < 0) {
                snprintf(text, 256, "%d", done);
                return false;
        }
        return grpc_response_judge(&r, text, 256);
}

static void expect(const uint8_t *bytes, size_t n, const char *text, bool passed) {
        for (size_t piece = 1; piece <= n + 1; piece++) {
                char said[256];

                assert_int_equal(answer(bytes, n, piece, said), passed);
                assert_string_equal(said, text);
        }
}

static void test_answers(void **state) {
        expect(BYTES(SETTINGS, HEADERS, SAYS(1)), "gRPC: SERVING", true);
        expect(BYTES(SETTINGS, HEADERS, SAYS(2)), "gRPC: NOT_SERVING", false);
        expect(BYTES(SETTINGS, HEADERS, SAYS(3)), "gRPC: SERVICE_UNKNOWN", false);
        expect(BYTES(SETTINGS, HEADERS, SAYS(100)), "gRPC: a status that is not known", false);
        expect(BYTES(SETTINGS, HEADERS, 0, 0, 5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0), "gRPC: UNKNOWN", false);
        /* in two frames, with padding, with a frame of another stream and one of a kind that is not known between */
        expect(BYTES(SETTINGS, 0, 0, 1, 0, 0, 0, 0, 0, 3, 9, 0, 0, 1, 200, 0, 0, 0, 0, 0, 7, 0, 0, 3, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 9, 0, 8, 0, 0, 0, 1, 4, 0, 2, 8, 1, 0, 0, 0, 0),
               "gRPC: SERVING", true);
        expect(BYTES(SETTINGS, 0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88), "gRPC: an error instead of a status: no such service, or no health service", false);
        expect(BYTES(SETTINGS, 0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7), "gRPC: the server broke off the call", false);
        expect(BYTES(SETTINGS, 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), "gRPC: the server goes away", false);
        expect(BYTES(SETTINGS), "gRPC: the connection ended before the answer", false);
        expect(BYTES(SETTINGS, 0, 64, 1, 0, 0, 0, 0, 0, 1), "-74", false);
        expect(BYTES(HEADERS), "-74", false);
        expect((const uint8_t *) "HTTP/1.1 400 Bad Request", 24, "-74", false);
}

static void test_without_end(void **state) {
        static const uint8_t ping[] = { 0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 };
        GrpcResponse r = {};
        int done = grpc_response_feed(&r, BYTES(SETTINGS));

        for (unsigned i = 0; i < 100000 && done == 0; i++)
                done = grpc_response_feed(&r, ping, sizeof ping);
        assert_int_equal(done, -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_request), cmocka_unit_test(test_long_name), cmocka_unit_test(test_answers), cmocka_unit_test(test_without_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
