/* The protocol's checks: each kind in its honest form, and with one thing wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "balance/balance_wire.h"

static BalanceFront front(void) {
        return (BalanceFront) { .h = { BALANCE_FRONT, sizeof(BalanceFront) }, .front = 1, .strategy = BALANCE_RANDOM, .connect_timeout = 1, .name = "web" };
}

static BalanceBackState back(void) {
        BalanceBackState p = { .h = { BALANCE_BACK, sizeof(p) }, .back = 7, .front = 1, .weight = 1, .address_size = sizeof(struct sockaddr_in) };

        p.address.ss_family = AF_INET;
        return p;
}

static BalanceListen ask(void) {
        BalanceListen p = { .h = { BALANCE_LISTEN, sizeof(p) }, .back = 7, .serial = 1, .type = SOCK_STREAM, .address_size = sizeof(struct sockaddr_in6) };

        p.address.ss_family = AF_INET6;
        return p;
}

#define refused(p, n_fds, change) ({ typeof(p) _p = (p); change; assert_int_equal(balance_wire_check(&_p, sizeof(_p), n_fds), -EBADMSG); })

static void test_front(void **state) {
        BalanceFront p = front();

        assert_int_equal(balance_wire_check(&p, sizeof(p), 1), 0);
        refused(p, 0, (void) 0);
        refused(p, 1, _p.front = 0);
        refused(p, 1, _p.strategy = BALANCE_KERNEL);
        refused(p, 1, _p.strategy = _BALANCE_STRATEGY_MAX);
        refused(p, 1, _p.affinity = _BALANCE_AFFINITY_MAX);
        refused(p, 1, _p.proxy = 3);
        refused(p, 1, _p.retries = BALANCE_RETRIES_MAX + 1);
        refused(p, 1, _p.flags = FRONT_KNOWN + 1);
        refused(p, 1, _p.connect_timeout = 0);
        refused(p, 1, memset(_p.name, 'x', sizeof(_p.name)));
        refused(p, 1, _p.h.size--);
        assert_int_equal(balance_wire_check(&p, sizeof(p) - 8, 1), -EBADMSG);
}

static void test_back(void **state) {
        BalanceBackState p = back(), channel = back();

        assert_int_equal(balance_wire_check(&p, sizeof(p), 0), 0);
        refused(p, 1, (void) 0);
        refused(p, 0, _p.back = 0);
        refused(p, 0, _p.front = 0);
        refused(p, 0, _p.state = _BACK_STATE_MAX);
        refused(p, 0, _p.weight = 0);
        refused(p, 0, _p.weight = BALANCE_WEIGHT_MAX + 1);
        refused(p, 0, _p.kind = _BACK_KIND_MAX);
        refused(p, 0, _p.address_size = sizeof(struct sockaddr_in) - 1);
        refused(p, 0, _p.address.ss_family = AF_INET6);
        refused(p, 0, _p.address_size = UINT32_MAX);
        refused(p, 0, _p.address.ss_family = AF_NETLINK);
        channel.kind = BACK_CHANNEL;
        channel.address_size = 0;
        assert_int_equal(balance_wire_check(&channel, sizeof(channel), 0), 0);
        refused(channel, 1, (void) 0);
        channel.front = 0;
        assert_int_equal(balance_wire_check(&channel, sizeof(channel), 1), 0);
        refused(channel, 0, (void) 0);
        refused(channel, 1, _p.address_size = 16);
}

static void test_unix_address(void **state) {
        BalanceBackState p = back();
        struct sockaddr_un *a = (struct sockaddr_un *) &p.address;

        a->sun_family = AF_UNIX;
        strcpy(a->sun_path, "/x");
        p.address_size = offsetof(struct sockaddr_un, sun_path) + 3;
        assert_int_equal(balance_wire_check(&p, sizeof(p), 0), 0);
        refused(p, 0, _p.address_size = offsetof(struct sockaddr_un, sun_path));
        refused(p, 0, _p.address_size = sizeof(struct sockaddr_un) + 1);
}

static void test_listen_and_words(void **state) {
        BalanceListen p = ask();
        BalanceSaid said = { .h = { BALANCE_SAID, sizeof(said) }, .back = 1, .text = "ready" };
        BalanceTrouble trouble = { .h = { BALANCE_TROUBLE, sizeof(trouble) }, .front = 1 };
        BalanceRefused no = { .h = { BALANCE_LISTEN_REFUSED, sizeof(no) }, .serial = 1, .error = EADDRINUSE };
        BalanceMissed missed = { .h = { BALANCE_MISSED, sizeof(missed) }, .error = ENOMEM };

        assert_int_equal(balance_wire_check(&p, sizeof(p), 0), 0);
        refused(p, 0, _p.serial = 0);
        refused(p, 0, _p.type = SOCK_RAW);
        refused(p, 0, _p.backlog = -1);
        refused(p, 0, _p.flags = LISTEN_KNOWN + 1);
        refused(p, 0, _p.address_size = 3);
        assert_int_equal(balance_wire_check(&said, sizeof(said), 0), 0);
        said.h.type = BALANCE_STRANGE;
        assert_int_equal(balance_wire_check(&said, sizeof(said), 0), 0);
        refused(said, 0, _p.back = 0);
        said.h.type = BALANCE_SAID;
        refused(said, 0, memset(_p.text, 'x', sizeof(_p.text)));
        assert_int_equal(balance_wire_check(&trouble, sizeof(trouble), 0), 0);
        refused(trouble, 0, _p.error = -1);
        assert_int_equal(balance_wire_check(&no, sizeof(no), 0), 0);
        refused(no, 0, _p.error = 0);
        assert_int_equal(balance_wire_check(&missed, sizeof(missed), 0), 0);
        refused(missed, 0, _p.error = 0);
        refused(missed, 1, (void) 0);
}

static void test_headers(void **state) {
        BalanceHeader h = { 9999, sizeof(h) };

        assert_int_equal(balance_wire_check(&h, sizeof(h), 1), 0); /* for the receiver to ignore */
        assert_int_equal(balance_wire_check(&h, sizeof(h) - 1, 0), -EBADMSG);
        h.size = 4;
        assert_int_equal(balance_wire_check(&h, sizeof(h), 0), -EBADMSG);
        assert_string_equal(balance_type_name(BALANCE_DRAINED), "DRAINED");
        assert_string_equal(balance_type_name(9999), "unknown packet");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_front), cmocka_unit_test(test_back), cmocka_unit_test(test_unix_address),
                cmocka_unit_test(test_listen_and_words), cmocka_unit_test(test_headers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
