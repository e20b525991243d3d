/* The PROXY protocol's headers, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "balance/proxy.h"

static struct sockaddr_storage inet(const char *host, uint16_t port) {
        struct sockaddr_storage s = {};
        struct sockaddr_in *a = (struct sockaddr_in *) &s;

        *a = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(port) };
        assert_int_equal(inet_pton(AF_INET, host, &a->sin_addr), 1);
        return s;
}

static struct sockaddr_storage inet6(const char *host, uint16_t port) {
        struct sockaddr_storage s = {};
        struct sockaddr_in6 *a = (struct sockaddr_in6 *) &s;

        *a = (struct sockaddr_in6) { .sin6_family = AF_INET6, .sin6_port = htons(port) };
        assert_int_equal(inet_pton(AF_INET6, host, &a->sin6_addr), 1);
        return s;
}

static void expect(ProxyProtocol version, struct sockaddr_storage from, struct sockaddr_storage to, const char *bytes, size_t size) {
        char got[PROXY_HEADER_MAX + 1];

        assert_int_equal(proxy_header(version, &from, &to, got), size);
        assert_memory_equal(got, bytes, size);
}
#define expect_text(version, from, to, text) expect(version, from, to, text, sizeof(text) - 1)

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n\x21"

static void test_v1(void **state) {
        expect_text(PROXY_V1, inet("192.168.0.1", 56324), inet("192.168.0.11", 443), "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
        expect_text(PROXY_V1, inet6("2001:db8::1", 1), inet6("::1", 65535), "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n");
        expect_text(PROXY_V1, inet6("::ffff:10.0.0.1", 5), inet6("::ffff:10.0.0.2", 6), "PROXY TCP4 10.0.0.1 10.0.0.2 5 6\r\n");
}

/* "worst case" of the protocol's text: 104 characters of TCP6, 107 with room for UNKNOWN. */
static void test_v1_longest(void **state) {
        const char *host = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        struct sockaddr_storage a = inet6(host, 65535);
        char got[PROXY_HEADER_MAX + 1];

        assert_int_equal(proxy_header(PROXY_V1, &a, &a, got), 104);
}

static void test_v2(void **state) {
        expect_text(PROXY_V2, inet("1.2.3.4", 0x0102), inet("5.6.7.8", 0x0304), SIGNATURE "\x11\0\x0c\1\2\3\4\5\6\7\x8\1\2\3\4");
        expect_text(PROXY_V2, inet6("2001:db8::1", 80), inet6("::1", 443),
                    SIGNATURE "\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\x50\1\xbb");
        expect_text(PROXY_V2, inet6("::ffff:10.0.0.1", 5), inet6("::ffff:10.0.0.2", 6), SIGNATURE "\x11\0\x0c\x0a\0\0\1\x0a\0\0\2\0\5\0\6");
}

static void test_what_cannot_be_named(void **state) {
        struct sockaddr_storage local = { .ss_family = AF_UNIX }, none = {};

        expect_text(PROXY_V1, local, local, "PROXY UNKNOWN\r\n");
        expect_text(PROXY_V2, local, local, SIGNATURE "\0\0\0");
        expect_text(PROXY_V1, none, inet("1.2.3.4", 1), "PROXY UNKNOWN\r\n");
        expect(PROXY_NONE, local, local, "", 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_v1), cmocka_unit_test(test_v1_longest), cmocka_unit_test(test_v2), cmocka_unit_test(test_what_cannot_be_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
