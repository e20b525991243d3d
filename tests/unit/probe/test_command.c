/* A probe goes to kingd-probe as words and comes back the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/strv.h"
#include "probe/command.h"

static ProbeSpec *some(void) {
        ProbeSpec *p = NULL;

        assert_int_equal(probe_spec_new(&p), 0);
        p->http.port = 8443;
        p->http.scheme = SCHEME_HTTPS;
        return p;
}

static ProbeSpec *there_and_back(const ProbeSpec *p, char ***ret_argv) {
        _cleanup_strv_ char **env = NULL;
        ProbeSpec *back = NULL;

        assert_int_equal(probe_command(p, NULL, "/x/kingd-probe", ret_argv, &env), 0);
        assert_string_equal((*ret_argv)[0], "/x/kingd-probe");
        assert_int_equal(probe_command_parse(*ret_argv + 1, strv_env_get(env, PROBE_HEADERS_ENV), &back, NULL), 0);
        for (const SpecKey *k = spec_probe_keys; k->path; k++)
                if (!spec_key_equal(k, p, back))
                        fail_msg("%s", k->path);
        return back;
}

static void test_plain(void **state) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = some(), *back = NULL;
        _cleanup_strv_ char **argv = NULL;

        back = there_and_back(p, &argv);
        assert_int_equal(strv_length(argv), 3);
        assert_string_equal(argv[1], "http.port=8443");
        assert_string_equal(argv[2], "http.scheme=https");
}

static void test_everything(void **state) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = some(), *back = NULL;
        _cleanup_strv_ char **argv = NULL;

        p->http.host = strdup("::1");
        p->http.path = strdup("/health?a=b&c= d");
        p->http.method = HTTP_HEAD;
        p->http.verify = true;
        p->http.ca = strdup("/etc/a b.pem");
        p->http.body = strdup("a=b c");
        p->http.codes = (CodeList) { .items = calloc(2, sizeof(int32_t)), .n = 2 };
        p->http.codes.items[0] = 200;
        p->http.codes.items[1] = 599;
        assert_int_equal(strv_append(&p->http.headers, "Host: shop.example:443"), 0);
        assert_int_equal(strv_append(&p->http.headers, "Authorization: Bearer secret"), 0);
        back = there_and_back(p, &argv);
        STRV_FOREACH(a, argv)
                assert_null(strstr(*a, "secret"));
}

/* Behind a balancer: at the private socket, whatever the spec says. */
static void test_elsewhere(void **state) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = some(), *back = NULL;
        _cleanup_strv_ char **argv = NULL, **env = NULL;
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(1234), .sin6_addr = in6addr_loopback };
        ProbeTarget at = { .size = sizeof in6 };

        memcpy(&at.address, &in6, sizeof in6);
        p->http.host = strdup("127.0.0.1");
        assert_int_equal(probe_command(p, &at, "x", &argv, &env), 0);
        assert_int_equal(probe_command_parse(argv + 1, "", &back, NULL), 0);
        assert_string_equal(back->http.host, "::1");
        assert_int_equal(back->http.port, 1234);
        assert_null(back->http.headers);
}

static void test_refused(void **state) {
        static const struct { const char *word, *message; } cases[] = {
                { "http.path=/", "http.port: missing" },
                { "port", "port: expected KEY=VALUE with a key of an http probe, such as http.port=8443" },
                { "tcp.port=1", "tcp.port=1: expected KEY=VALUE with a key of an http probe, such as http.port=8443" },
                { "http.headers=a", "http.headers=a: expected KEY=VALUE with a key of an http probe, such as http.port=8443" },
                { "http.codes=99", "http.codes: expected a status from 100 to 599, not \"99\"" },
                { "http.codes=", "http.codes: expected a status from 100 to 599, not \"\"" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char *argv[] = { (char *) cases[i].word, NULL };
                _cleanup_error_ KlError e = {};
                ProbeSpec *p = NULL;

                assert_int_equal(probe_command_parse(argv, NULL, &p, &e), -EINVAL);
                assert_string_equal(e.message, cases[i].message);
                assert_null(p);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_everything),
                cmocka_unit_test(test_elsewhere),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
