/* Addresses in every form, what goes together in a list of sockets, and the numbers of their descriptors. */
#include "unit.inc.h"

static void test_addresses(void **state) {
        static const struct { const char *text, *canonical, *host; SocketFamily family; uint16_t port; } good[] = {
                { "127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1", SOCKET_INET, 8080 },
                { "0.0.0.0:1", "0.0.0.0:1", "127.0.0.1", SOCKET_INET, 1 },
                { "localhost:65535", "127.0.0.1:65535", "127.0.0.1", SOCKET_INET, 65535 },
                { "8080", ":8080", "127.0.0.1", SOCKET_ANY, 8080 },
                { ":8080", ":8080", "127.0.0.1", SOCKET_ANY, 8080 },
                { "*:8080", ":8080", "127.0.0.1", SOCKET_ANY, 8080 },
                { "[::1]:80", "[::1]:80", "::1", SOCKET_INET6, 80 },
                { "[::]:80", "[::]:80", "::1", SOCKET_INET6, 80 },
                { "[2001:DB8:0::1]:80", "[2001:db8::1]:80", "2001:db8::1", SOCKET_INET6, 80 },
                { "[fe80::1%eth0]:80", "[fe80::1%eth0]:80", "fe80::1", SOCKET_INET6, 80 },
                { "/run/x.sock", "/run/x.sock", "", SOCKET_PATH, 0 },
                { "/run/x:80", "/run/x:80", "", SOCKET_PATH, 0 },
                { "@web", "@web", "", SOCKET_ABSTRACT, 0 },
        };
        static const char *const bad[] = { "", ":", ":0", "65536", ":65536", "-1", ":80 ", "x", "x:80", "example.org:80", "::1:80", "[::1]", "[::1:80",
                                           "::1]:80", "[]:80", "[::1%]:80", "[::1%a/b]:80", "[1.2.3.4]:80", "1.2.3:80", "1.2.3.4.5:80", "@", "/run/",
                                           "run/x.sock", "[fe80::1%averyveryverylongname]:80", "[:80", "]:80" };
        SocketAddress a;
        char buf[SOCKET_TEXT_MAX], longest[200];

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                assert_int_equal(socket_address_parse(good[i].text, &a, NULL), 0);
                assert_int_equal(a.family, good[i].family);
                assert_int_equal(a.port, good[i].port);
                assert_string_equal(socket_address_format(&a, buf), good[i].canonical);
                if (!socket_is_unix(&a))
                        assert_string_equal(socket_connect_host(&a), good[i].host);
                assert_int_equal(socket_address_parse(buf, &a, NULL), 0); /* canonical is a form, too */
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                const char *why = NULL;

                if (socket_address_parse(bad[i], &a, &why) != -EINVAL || !why)
                        fail_msg("\"%s\" is taken", bad[i]);
        }
        memset(longest, 'x', sizeof(longest));
        longest[0] = '/';
        longest[107] = '\0';
        assert_int_equal(socket_address_parse(longest, &a, NULL), 0);
        longest[107] = 'x';
        longest[108] = '\0';
        assert_int_equal(socket_address_parse(longest, &a, NULL), -EINVAL);
}

static SocketSpec entry(const char *listen) {
        SocketSpec s;

        socket_init(&s);
        s.listen = strdup(listen);
        assert_non_null(s.listen);
        return s;
}

static void test_same(void **state) {
        SocketSpec a = entry("localhost:80"), b = entry("127.0.0.1:80");

        assert_true(socket_same(&a, &b));
        assert_false(socket_equal(&a, &b));
        b.backlog = 1;
        b.type = SOCKET_TCP;
        assert_true(socket_same(&a, &b));
        b.reuseport = true;
        assert_false(socket_same(&a, &b));
        b.reuseport = false;
        b.type = SOCKET_UDP;
        assert_false(socket_same(&a, &b));
        socket_done(&a);
        socket_done(&b);
}

static void test_conflict(void **state) {
        static const struct { const char *a, *b; bool conflict; } cases[] = {
                { ":80", "127.0.0.1:80", true },  { "0.0.0.0:80", "127.0.0.1:80", true }, { "0.0.0.0:80", "[::]:80", false }, { ":80", "[::]:80", true },
                { "[::]:80", "[::1]:80", true },  { "127.0.0.1:80", "127.0.0.2:80", false }, { ":80", ":81", false }, { "/x", "/x", true },
                { "/x", "@/x", false },           { "@x", ":80", false },                 { "[fe80::1%a]:80", "[fe80::1%b]:80", false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                SocketSpec a = entry(cases[i].a), b = entry(cases[i].b);

                assert_int_equal(socket_conflict(&a, &b), cases[i].conflict);
                assert_int_equal(socket_conflict(&b, &a), cases[i].conflict);
                if (*cases[i].a == ':') {
                        b.type = SOCKET_UDP;
                        assert_false(socket_conflict(&a, &b));
                        b.type = SOCKET_TCP;
                        a.reuseport = b.reuseport = true;
                        assert_false(socket_conflict(&a, &b));
                }
                socket_done(&a);
                socket_done(&b);
        }
}

/* Text of the numbers, or NULL where they are refused. */
static const char *numbers(const int32_t *wanted, size_t n) {
        static char text[100];
        SocketSpec items[4];
        SocketList l = { .items = items, .n = n };
        int32_t got[4];

        for (size_t i = 0; i < n; i++) {
                items[i] = (SocketSpec) { .fd = wanted[i] };
        }
        if (socket_numbers(&l, got) < 0)
                return NULL;
        text[0] = '\0';
        for (size_t i = 0; i < n; i++)
                snprintf(text + strlen(text), 20, "%d ", got[i]);
        return text;
}

static void test_numbers(void **state) {
        enum { U = SOCKET_FD_UNSET };

        assert_string_equal(numbers((int32_t[]) { U, U, U }, 3), "3 4 5 ");
        assert_string_equal(numbers((int32_t[]) { U, 0, U }, 3), "3 0 4 ");
        assert_string_equal(numbers((int32_t[]) { U, 3, U }, 3), "4 3 5 ");
        assert_string_equal(numbers((int32_t[]) { 5, U, U }, 3), "5 3 4 ");
        assert_string_equal(numbers((int32_t[]) { 0 }, 1), "0 ");
        assert_null(numbers((int32_t[]) { 4 }, 1));
        assert_null(numbers((int32_t[]) { 0, 4 }, 2));
        assert_null(numbers((int32_t[]) { 3, 3 }, 2));
        assert_null(numbers((int32_t[]) { 0, 0 }, 2));
        assert_null(numbers((int32_t[]) { 1 }, 1));
        assert_null(numbers((int32_t[]) { 2, U }, 2));
        assert_null(numbers((int32_t[]) { -1 }, 1));
}

static void expect_fault(SocketSpec s, const char *expected) {
        _cleanup_error_ KlError e = {};
        SocketList l = { .items = &s, .n = 1 };

        assert_int_equal(socket_list_validate(&l, &e), expected ? -EINVAL : 0);
        if (expected && !strstr(e.message, expected))
                fail_msg("%s, expected: %s", e.message, expected);
        socket_done(&s);
}

#define WITH(listen_, ...) ({ SocketSpec s_ = entry(listen_); __VA_ARGS__; s_; })

static void test_rules(void **state) {
        expect_fault(WITH("127.0.0.1:80", s_.nodelay = s_.keepalive = s_.reuseport = s_.freebind = true), NULL);
        expect_fault(WITH("/run/x", s_.user = strdup("root"), s_.group = strdup("0"), s_.type = SOCKET_SEQPACKET), NULL);
        expect_fault(WITH("nobody:80"), "sockets.listen: \"nobody:80\": the host must be an address");
        expect_fault(WITH("/run/x", s_.type = SOCKET_TCP), "tcp does not go with the address /run/x");
        expect_fault(WITH(":80", s_.type = SOCKET_DATAGRAM), "unix-datagram does not go with");
        expect_fault(WITH("/run/x", s_.reuseport = true), "sockets.reuseport");
        expect_fault(WITH("/run/x", s_.nodelay = true), "sockets.nodelay");
        expect_fault(WITH(":80", s_.type = SOCKET_UDP, s_.keepalive = true), "sockets.keepalive");
        expect_fault(WITH(":80", s_.group = strdup("x")), "sockets.group");
        expect_fault(WITH("@x", s_.user = strdup("x")), "sockets.owner");
        expect_fault(WITH(":80", s_.name = strdup("a:b")), "sockets.name");
        expect_fault(WITH(":80", s_.fd = 7), "sockets.fd");
        expect_fault((SocketSpec) { .fd = SOCKET_FD_UNSET }, "sockets.listen: missing");
}

static void test_balance(void **state) {
        expect_fault(WITH(":80", s_.balance = 1, s_.affinity = 1, s_.proxy_protocol = 2, s_.weights = strdup("3,1")), NULL);
        expect_fault(WITH("/run/x", s_.balance = 3, s_.max_connections = 5), NULL);
        expect_fault(WITH("/run/x", s_.balance = 3, s_.type = SOCKET_SEQPACKET), "sockets.balance: only connections of tcp");
        expect_fault(WITH(":80", s_.balance = 1, s_.type = SOCKET_UDP), "sockets.balance: only connections of tcp");
        expect_fault(WITH(":80", s_.balance = 1, s_.reuseport = true), "sockets.reuseport: with balance");
        expect_fault(WITH(":80", s_.affinity = 1), "sockets.affinity: the kernel");
        expect_fault(WITH(":80", s_.proxy_protocol = 1), "sockets.proxy_protocol: the kernel");
        expect_fault(WITH(":80", s_.weights = strdup("1")), "sockets.weights: the kernel");
        expect_fault(WITH(":80", s_.max_connections = 1), "sockets.max_connections: the kernel");
}

static void test_weights(void **state) {
        static const char *const good[] = { "1", "3,1", "1000,1,20" }, *const bad[] = { "", "0", "1001", "3,", ",3", "3,,1", "3;1", "-1", "99999999999" };
        const SocketSpec s = { .weights = (char *) "30,2,1" }, none = {};

        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_true(socket_weights_valid(good[i]));
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (socket_weights_valid(bad[i]))
                        fail_msg("\"%s\" is taken", bad[i]);
        assert_true(socket_weights_valid(NULL));
        assert_int_equal(socket_weight(&s, 0), 30);
        assert_int_equal(socket_weight(&s, 1), 2);
        assert_int_equal(socket_weight(&s, 2), 1);
        assert_int_equal(socket_weight(&s, 3), 1);
        assert_int_equal(socket_weight(&none, 0), 1);
}

static void test_twice(void **state) {
        SocketSpec items[] = { entry(":80"), entry("*:80") };
        SocketList l = { .items = items, .n = 2 };
        _cleanup_error_ KlError e = {};

        assert_int_equal(socket_list_validate(&l, &e), -EINVAL);
        assert_non_null(strstr(e.message, "*:80 is listened on twice"));
        items[1].type = SOCKET_UDP;
        assert_int_equal(socket_list_validate(&l, &e), 0);
        socket_done(items);
        socket_done(items + 1);
}

static void test_shown(void **state) {
        _cleanup_(spec_freep) ServiceSpec *s = make_spec("n", "a"), *copy = NULL;
        _cleanup_free_ char *text = NULL;

        s->sockets = (SocketList) { .items = calloc(2, sizeof(SocketSpec)), .n = 2 };
        s->sockets.items[0] = entry(":80");
        s->sockets.items[1] = WITH("/run/x", s_.mode = 0600, s_.name = strdup("admin"));
        text = get_key(s, "sockets");
        assert_string_equal(text, ":80, /run/x (name: admin, mode: 0600)");
        assert_int_equal(spec_copy(s, &copy), 0);
        assert_true(spec_key_equal(spec_key_find("sockets"), s, copy));
        copy->sockets.items[1].mode = 0660;
        assert_false(spec_key_equal(spec_key_find("sockets"), s, copy));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_addresses), cmocka_unit_test(test_same), cmocka_unit_test(test_conflict),  cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_rules),     cmocka_unit_test(test_twice), cmocka_unit_test(test_balance), cmocka_unit_test(test_weights), cmocka_unit_test(test_shown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
