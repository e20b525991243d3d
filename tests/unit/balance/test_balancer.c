/* Where connections go, and what the manager hears of them. */
#include "rig.inc.h"

static void test_in_turns(void **state) {
        Rig r = rig_inet();
        int clients[6], servers[6];

        for (unsigned i = 0; i < 6; i++) {
                clients[i] = client_new(&r);
                servers[i] = take(&r, i % 2);
                pass(clients[i], servers[i], "hello");
                pass(servers[i], clients[i], "good day");
        }
        assert_int_equal(counts(&r, 0).open, 6);
        assert_int_equal(counts(&r, 1).open, 3);
        assert_int_equal(counts(&r, 2).total, 3);
        assert_int_equal(counts(&r, 2).bytes_in, 15);
        assert_int_equal(counts(&r, 0).bytes_out, 48);
        for (unsigned i = 0; i < 6; i++) {
                fd_close(clients[i]);
                expect_end(servers[i]);
                fd_close(servers[i]);
        }
        wait_open(&r, 0);
        rig_end(&r);
}

static void test_least_connections_by_weight(void **state) {
        Rig r = rig_new(listen_inet, listen_inet, BALANCE_LEAST_CONNECTIONS);
        unsigned seen[BACKS] = {};
        int fds[24];

        rig_start(&r, 0);
        tell_back_weighted(&r, 0, BACK_ACTIVE, 3);
        tell_back_weighted(&r, 1, BACK_ACTIVE, 1);
        for (unsigned i = 0; i < 12; i++) {
                unsigned at;

                fds[2 * i] = client_new(&r);
                fds[2 * i + 1] = take_any(&r, &at);
                seen[at]++;
        }
        assert_int_equal(seen[0], 9);
        assert_int_equal(seen[1], 3);
        for (unsigned i = 0; i < 24; i++)
                fd_close(fds[i]);
        rig_end(&r);
}

static void test_affinity(void **state) {
        Rig r = rig_new(listen_inet, listen_inet, BALANCE_ROUND_ROBIN);
        unsigned first, at;

        r.told.affinity = AFFINITY_SOURCE;
        rig_start(&r, 0);
        for (unsigned i = 0; i < BACKS; i++)
                tell_back(&r, i, BACK_ACTIVE);
        for (unsigned i = 0; i < 8; i++) {
                int client = client_new(&r), server = take_any(&r, &at);

                if (i == 0)
                        first = at;
                assert_int_equal(at, first);
                fd_close(client);
                fd_close(server);
        }
        rig_end(&r);
}

/* Who refuses is passed over, said to be in trouble, tried again, and said to be well again. */
static void test_refusal(void **state) {
        Rig r = rig_new(listen_inet, bind_inet, BALANCE_ROUND_ROBIN);
        int fds[8], fd;
        Packet p;

        assert_return_code(listen(r.backs[1], 8), errno);
        rig_start(&r, 0);
        tell_back(&r, 0, BACK_ACTIVE);
        tell_back(&r, 1, BACK_ACTIVE);
        settle(&r);
        for (unsigned i = 0; i < 4; i++) {
                fds[2 * i] = client_new(&r);
                fds[2 * i + 1] = take(&r, 1);
        }
        p = hear(&r, BALANCE_TROUBLE);
        assert_int_equal(p.trouble.back, 1);
        assert_int_equal(p.trouble.front, 1);
        assert_int_equal(p.trouble.error, ECONNREFUSED);
        assert_true(counts(&r, 1).failed >= 1);
        assert_int_equal(counts(&r, 1).trouble, ECONNREFUSED);
        assert_return_code(listen(r.backs[0], 8), errno);
        tell_back(&r, 1, BACK_DOWN); /* so that the first must be tried */
        fd = client_new(&r);
        fd_close(take(&r, 0));
        p = hear(&r, BALANCE_TROUBLE);
        assert_int_equal(p.trouble.back, 1);
        assert_int_equal(p.trouble.error, 0);
        fd_close(fd);
        for (unsigned i = 0; i < 8; i++)
                fd_close(fds[i]);
        rig_end(&r);
}

/* The only one that is there refuses at first: the client waits, and has its answer. */
static void test_the_only_one_restarts(void **state) {
        Rig r = rig_new(listen_inet, listen_unix, BALANCE_RANDOM);
        struct sockaddr_un a;
        socklen_t size = sizeof(a);
        int client, server;

        assert_return_code(getsockname(r.backs[0], (struct sockaddr *) &a, &size), errno);
        rig_start(&r, 0);
        tell_back(&r, 0, BACK_ACTIVE);
        fd_close(r.backs[0]);
        client = client_new(&r);
        assert_int_equal(hear(&r, BALANCE_TROUBLE).trouble.error, ECONNREFUSED);
        r.backs[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(bind(r.backs[0], (struct sockaddr *) &a, size), errno);
        assert_return_code(listen(r.backs[0], 8), errno);
        server = take(&r, 0);
        pass(client, server, "still here");
        fd_close(client);
        fd_close(server);
        rig_end(&r);
}

static void test_nobody_is_there_yet(void **state) {
        Rig r = rig_new(listen_inet, listen_inet, BALANCE_ROUND_ROBIN);
        int clients[3];

        rig_start(&r, 0);
        tell_back(&r, 0, BACK_DOWN);
        for (unsigned i = 0; i < 3; i++) {
                clients[i] = client_new(&r);
                assert_int_equal(write(clients[i], "x", 1), 1);
        }
        assert_int_equal(counts(&r, 0).open, 0); /* they wait in the queue of the socket */
        tell_back(&r, 0, BACK_ACTIVE);
        for (unsigned i = 0; i < 3; i++) {
                int server = take(&r, 0);

                expect(server, "x");
                fd_close(server);
                fd_close(clients[i]);
        }
        rig_end(&r);
}

static void test_nobody_comes(void **state) {
        Rig r = rig_new(listen_inet, listen_inet, BALANCE_ROUND_ROBIN);
        int client;

        r.told.wait_timeout = 50 * USEC_PER_MSEC;
        rig_start(&r, 0);
        client = client_new(&r);
        expect_reset(client);
        assert_int_equal(counts(&r, 0).failed, 1);
        fd_close(client);
        rig_end(&r);
}

static void test_draining(void **state) {
        Rig r = rig_inet();
        int client = client_new(&r), server = take(&r, 0), other;
        Packet p;

        tell_back(&r, 0, BACK_DRAINING);
        settle(&r);
        for (unsigned i = 0; i < 4; i++) {
                int c = client_new(&r);

                fd_close(take(&r, 1));
                fd_close(c);
        }
        pass(client, server, "goes on");
        assert_int_equal(counts(&r, 1).state, BACK_DRAINING);
        assert_int_equal(counts(&r, 1).open, 1);
        fd_close(client);
        fd_close(server);
        p = hear(&r, BALANCE_DRAINED);
        assert_int_equal(p.name.back, 1);
        assert_int_equal(p.name.front, 1);
        wait_open(&r, 0);
        tell_back(&r, 1, BACK_DRAINING); /* has none: said at once */
        assert_int_equal(hear(&r, BALANCE_DRAINED).name.back, 2);
        tell_back(&r, 2, BACK_ACTIVE);
        other = client_new(&r);
        fd_close(take(&r, 2));
        fd_close(other);
        rig_end(&r);
}

static void test_back_gone(void **state) {
        Rig r = rig_inet();
        int a = client_new(&r), on_a = take(&r, 0), b = client_new(&r), on_b = take(&r, 1);

        pass(a, on_a, "taken"); /* or it would be given to another */
        tell_back_gone(&r, 0);
        pass(on_a, a, "its last words"); /* which may come after the news of its end */
        pass(b, on_b, "untouched");
        fd_close(on_a);
        expect_end(a);
        fd_close(a);
        a = client_new(&r);
        on_a = take(&r, 1);
        pass(a, on_a, "elsewhere");
        fd_close(a);
        fd_close(b);
        fd_close(on_a);
        fd_close(on_b);
        rig_end(&r);
}

static void test_front_gone(void **state) {
        Rig r = rig_inet();
        int client = client_new(&r), server = take(&r, 0), next;

        tell(&r, &(BalanceFrontGone) { .h = { BALANCE_FRONT_GONE, sizeof(BalanceFrontGone) }, .front = 1 }, sizeof(BalanceFrontGone), -1);
        settle(&r);
        pass(client, server, "goes on");
        next = client_new(&r);
        assert_int_equal(counts(&r, 0).open, 1);
        tell_front(&r); /* and is back, with the backs it had */
        fd_close(take(&r, 1));
        fd_close(next);
        fd_close(client);
        fd_close(server);
        rig_end(&r);
}

/* What a new manager does not state any more is gone, and drains. */
static void test_stated_anew(void **state) {
        Rig r = rig_inet();
        int client = client_new(&r), server = take(&r, 0), next;

        hello(&r);
        (void) hear(&r, BALANCE_HELLO);
        tell_front(&r);
        tell_back(&r, 1, BACK_ACTIVE);
        tell_back(&r, 2, BACK_ACTIVE);
        tell_header(&r, BALANCE_STATED);
        settle(&r);
        pass(client, server, "goes on");
        for (unsigned i = 0; i < 4; i++) {
                unsigned at;

                next = client_new(&r);
                fd_close(take_any(&r, &at));
                assert_int_not_equal(at, 0);
                fd_close(next);
        }
        fd_close(client);
        fd_close(server);
        hello(&r);
        tell_header(&r, BALANCE_STATED);
        wait_for(r.wire, POLLIN);
        rig_end(&r);
}

static void test_max_connections(void **state) {
        Rig r = rig_inet();
        int clients[3], servers[3];

        r.told.max_connections = 2;
        tell_front(&r);
        settle(&r);
        for (unsigned i = 0; i < 3; i++)
                clients[i] = client_new(&r);
        servers[0] = take(&r, 0);
        servers[1] = take(&r, 1);
        assert_int_equal(counts(&r, 0).open, 2);
        assert_int_equal(counts(&r, 0).total, 2);
        fd_close(clients[0]);
        fd_close(servers[0]);
        servers[2] = take(&r, 0);
        pass(clients[2], servers[2], "its turn");
        for (unsigned i = 1; i < 3; i++) {
                fd_close(clients[i]);
                fd_close(servers[i]);
        }
        rig_end(&r);
}

/* More clients than descriptors: those who do not fit wait in the queue, and all are served in the end. */
static void test_too_few_descriptors(void **state) {
        Rig r = rig_new(listen_inet, listen_inet, BALANCE_ROUND_ROBIN);
        int clients[60];

        rig_start(&r, 128);
        tell_back(&r, 0, BACK_ACTIVE);
        settle(&r);
        for (unsigned i = 0; i < 60; i++)
                clients[i] = client_new(&r);
        for (unsigned i = 0; i < 60; i++) {
                int server = take(&r, 0);

                assert_in_range(counts(&r, 0).open, 0, 32);
                fd_close(server);
                expect_end(clients[i]);
                fd_close(clients[i]);
        }
        rig_end(&r);
}

static void limit_descriptors(const Rig *r, rlim_t n) {
        struct rlimit limit;

        assert_return_code(prlimit(r->pid, RLIMIT_NOFILE, NULL, &limit), errno);
        limit.rlim_cur = n;
        assert_return_code(prlimit(r->pid, RLIMIT_NOFILE, &limit, NULL), errno);
}

/* There are none left, against all reckoning: it says so, waits, and goes on. */
static void test_no_descriptors(void **state) {
        Rig r = rig_inet();
        struct rlimit before;
        int clients[40];
        Packet p;

        assert_return_code(prlimit(r.pid, RLIMIT_NOFILE, NULL, &before), errno);
        limit_descriptors(&r, 32);
        for (unsigned i = 0; i < 40; i++)
                clients[i] = client_new(&r);
        p = hear(&r, BALANCE_TROUBLE);
        assert_int_equal(p.trouble.back, 0);
        assert_int_equal(p.trouble.error, EMFILE);
        limit_descriptors(&r, before.rlim_cur);
        for (unsigned i = 0; i < 40; i++) {
                int server = take_any(&r, NULL);

                fd_close(server);
        }
        for (unsigned i = 0; i < 40; i++) {
                expect_end(clients[i]);
                fd_close(clients[i]);
        }
        assert_int_equal(counts(&r, 0).trouble, 0);
        assert_int_equal(counts(&r, 0).failed, 0);
        rig_end(&r);
}

/* What does not fit in is asked for, again and again until it does. */
static void test_missed(void **state) {
        Rig r = rig_inet();
        struct rlimit before;
        int client;

        settle(&r);
        assert_return_code(prlimit(r.pid, RLIMIT_NOFILE, NULL, &before), errno);
        limit_descriptors(&r, 4);
        for (unsigned i = 0; i < 2; i++) {
                tell_front(&r);
                assert_int_equal(hear(&r, BALANCE_MISSED).missed.error, EMFILE);
        }
        limit_descriptors(&r, before.rlim_cur);
        hello(&r);
        tell_front(&r);
        tell_back(&r, 0, BACK_ACTIVE);
        tell_back(&r, 1, BACK_ACTIVE);
        tell_header(&r, BALANCE_STATED);
        client = client_new(&r);
        fd_close(take_any(&r, NULL));
        fd_close(client);
        rig_end(&r);
}

/* A new manager does not know that it was told already. */
static void test_drained_is_said_anew(void **state) {
        Rig r = rig_inet();

        for (unsigned i = 0; i < 2; i++) {
                tell_back(&r, 0, BACK_DRAINING);
                assert_int_equal(hear(&r, BALANCE_DRAINED).name.back, 1);
                hello(&r);
                tell_front(&r);
        }
        rig_end(&r);
}

static void test_the_manager_dies(void **state) {
        Rig r = rig_inet();
        int client = client_new(&r), server = take(&r, 0), status;

        fd_close(r.wire);
        r.wire = -EBADF;
        pass(client, server, "goes on");
        pass(server, client, "to its end");
        assert_int_equal(waitpid(r.pid, &status, WNOHANG), 0);
        fd_close(client);
        fd_close(server);
        rig_end(&r);
}

static void test_leave(void **state) {
        Rig r = rig_inet();
        int client = client_new(&r), server = take(&r, 0);

        tell(&r, &(BalanceLeave) { .h = { BALANCE_LEAVE, sizeof(BalanceLeave) }, .within = 50 * USEC_PER_MSEC }, sizeof(BalanceLeave), -1);
        expect_reset(client);
        expect_reset(server);
        fd_close(client);
        fd_close(server);
        rig_end(&r);
}

/* Nobody reads the wire: what it holds is full soon. It balances on, and says in the end what it could not. */
static void test_nobody_listens(void **state) {
        Rig r = rig_inet();
        int client, server;

        for (unsigned i = 0; i < 2000; i++)
                tell(&r, &(BalanceSerial) { .h = { BALANCE_ASK, sizeof(BalanceSerial) }, .serial = 100000 + i }, sizeof(BalanceSerial), -1);
        client = client_new(&r);
        server = take(&r, 0);
        pass(client, server, "hello");
        tell_back(&r, 1, BACK_DRAINING);
        assert_int_equal(hear(&r, BALANCE_DRAINED).name.back, 2);
        fd_close(client);
        fd_close(server);
        rig_end(&r);
}

static void test_malformed(void **state) {
        Rig r = rig_inet();
        BalanceFront bad = r.told;

        bad.strategy = 99;
        tell(&r, &bad, sizeof(bad), r.front);
        tell(&r, "x", 1, -1);
        tell(&r, &bad, 20, r.front);
        tell(&r, &(BalanceHeader) { 9999, sizeof(BalanceHeader) }, sizeof(BalanceHeader), r.front);
        bad = r.told;
        bad.front = 2;
        tell(&r, &bad, sizeof(bad), r.wire); /* no listening socket */
        assert_int_equal(counts(&r, 0).open, 0);
        rig_end(&r);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_in_turns), cmocka_unit_test(test_least_connections_by_weight), cmocka_unit_test(test_affinity),
                cmocka_unit_test(test_refusal), cmocka_unit_test(test_the_only_one_restarts), cmocka_unit_test(test_nobody_is_there_yet),
                cmocka_unit_test(test_nobody_comes), cmocka_unit_test(test_draining), cmocka_unit_test(test_back_gone),
                cmocka_unit_test(test_front_gone), cmocka_unit_test(test_stated_anew), cmocka_unit_test(test_max_connections),
                cmocka_unit_test(test_too_few_descriptors), cmocka_unit_test(test_no_descriptors), cmocka_unit_test(test_the_manager_dies), cmocka_unit_test(test_leave),
                cmocka_unit_test(test_nobody_listens), cmocka_unit_test(test_malformed),
                cmocka_unit_test(test_missed), cmocka_unit_test(test_drained_is_said_anew),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
