/* What becomes of the bytes of a connection: each arrives, once, in order; ends and errors are passed on. */
#include "rig.inc.h"

static uint64_t seed;

static uint64_t draw(void) {
        seed ^= seed >> 12;
        seed ^= seed << 25;
        seed ^= seed >> 27;
        return seed * 0x2545f4914f6cdd1dULL;
}

static void test_half_close_by_the_client(void **state) {
        Rig r = rig_inet();
        int client = client_new(&r), server = take(&r, 0);

        pass(client, server, "question");
        assert_return_code(shutdown(client, SHUT_WR), errno);
        expect_end(server);
        pass(server, client, "answer");
        fd_close(server);
        expect_end(client);
        fd_close(client);
        rig_end(&r);
}

static void test_half_close_by_the_server(void **state) {
        Rig r = rig_inet();
        int client = client_new(&r), server = take(&r, 0);

        pass(server, client, "greeting");
        assert_return_code(shutdown(server, SHUT_WR), errno);
        expect_end(client);
        pass(client, server, "and more of it");
        fd_close(client);
        expect_end(server);
        fd_close(server);
        rig_end(&r);
}

static void test_resets(void **state) {
        Rig r = rig_inet();
        int client = client_new(&r), server = take(&r, 0);

        pass(client, server, "x");
        reset(client);
        expect_reset(server);
        fd_close(server);
        client = client_new(&r);
        server = take(&r, 1);
        pass(client, server, "x");
        reset(server);
        expect_reset(client);
        fd_close(client);
        wait_open(&r, 0);
        rig_end(&r);
}

/* It answers and closes without reading what the client still sends: the answer arrives. */
static void test_server_that_does_not_read(void **state) {
        Rig r = rig_inet();
        int client = client_new(&r), server = take(&r, 0);
        char block[65536] = {};

        assert_return_code(shutdown(server, SHUT_RD), errno);
        pass(client, server, "");
        assert_int_equal(write(server, "no", 2), 2);
        fd_close(server);
        expect(client, "no");
        while (send(client, block, sizeof(block), MSG_NOSIGNAL) > 0)
                ;
        fd_close(client);
        wait_open(&r, 0);
        rig_end(&r);
}

/* One direction under way: numbers the bytes so that one lost, doubled or moved is found. */
typedef struct Stream { int from, to; uint64_t size, sent, got; unsigned step; bool ended; } Stream;

static unsigned char byte_at(uint64_t i) {
        return (unsigned char) ((i * 0x9e3779b97f4a7c15ULL) >> 56);
}

static void stream_send(Stream *s) {
        unsigned char block[65536];
        size_t n = MIN((uint64_t) (1 + draw() % s->step), s->size - s->sent);
        ssize_t m;

        for (size_t i = 0; i < n; i++)
                block[i] = byte_at(s->sent + i);
        m = n > 0 ? send(s->from, block, n, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        assert_true(m >= 0 || errno == EAGAIN);
        s->sent += (uint64_t) MAX(m, 0);
        if (s->sent == s->size)
                assert_return_code(shutdown(s->from, SHUT_WR), errno);
}

static void stream_receive(Stream *s) {
        unsigned char block[65536];
        ssize_t m = recv(s->to, block, 1 + draw() % s->step, MSG_DONTWAIT);

        assert_true(m >= 0 || errno == EAGAIN);
        for (ssize_t i = 0; i < m; i++)
                assert_int_equal(block[i], byte_at(s->got + (uint64_t) i));
        s->got += (uint64_t) MAX(m, 0);
        if (m == 0) {
                assert_int_equal(s->got, s->size);
                s->ended = true;
        }
}

static void run_streams(Stream *streams, size_t n) {
        struct pollfd p[2 * 64];

        for (size_t left = n; left > 0;) {
                left = 0;
                for (size_t i = 0; i < n; i++) {
                        Stream *s = streams + i;

                        p[2 * i] = (struct pollfd) { .fd = s->sent < s->size ? s->from : -1, .events = POLLOUT };
                        p[2 * i + 1] = (struct pollfd) { .fd = s->ended ? -1 : s->to, .events = POLLIN };
                        left += !s->ended;
                }
                if (left == 0)
                        return;
                assert_true(poll(p, 2 * n, PATIENCE) > 0);
                for (size_t i = 0; i < n; i++) {
                        if (p[2 * i].revents)
                                stream_send(streams + i);
                        if (p[2 * i + 1].revents && draw() % 4) /* a slow reader now and then */
                                stream_receive(streams + i);
                }
        }
}

/* Many connections of all sizes at once, both ways, in pieces of any size. */
static void streams_through(int (*front)(void), int (*back)(void)) {
        Rig r = rig_new(front, back, BALANCE_LEAST_CONNECTIONS);
        Stream streams[32];

        rig_start(&r, 0);
        for (unsigned i = 0; i < 3; i++)
                tell_back(&r, i, BACK_ACTIVE);
        for (unsigned i = 0; i < 32; i += 2) {
                int client = client_new(&r), server = take_any(&r, NULL);
                unsigned step = i % 8 == 0 ? 65536 : 1 + (unsigned) (draw() % 20000);
                uint64_t size = i % 8 == 0 ? 4 * 1048576 : 1 + draw() % (256 * (uint64_t) step);

                streams[i] = (Stream) { .from = client, .to = server, .size = MIN(size, 4194304u), .step = step };
                streams[i + 1] = (Stream) { .from = server, .to = client, .size = 1 + draw() % MIN(size, 2097152u), .step = step };
        }
        run_streams(streams, 32);
        for (unsigned i = 0; i < 32; i++)
                fd_close(streams[i].from);
        wait_open(&r, 0);
        rig_end(&r);
}

static void test_streams_inet(void **state) {
        streams_through(listen_inet, listen_inet);
}

static void test_streams_unix(void **state) {
        streams_through(listen_unix, listen_unix);
        streams_through(listen_inet, listen_unix);
}

/* A client that does not read keeps nobody else from reading, and what is held for it is little. */
static void test_slow_client(void **state) {
        Rig r = rig_inet();
        int slow = client_new(&r), its = take(&r, 0), client = client_new(&r), server = take(&r, 1);
        char block[65536] = {};
        ssize_t n;

        assert_return_code(fd_nonblock(its, true), errno);
        for (struct pollfd p = { .fd = its, .events = POLLOUT }; poll(&p, 1, 200) > 0;)
                if ((n = send(its, block, sizeof(block), MSG_NOSIGNAL)) < 0)
                        break;
        for (unsigned i = 0; i < 100; i++) {
                pass(client, server, "ping");
                pass(server, client, "pong");
        }
        fd_close(slow);
        fd_close(its);
        fd_close(client);
        fd_close(server);
        wait_open(&r, 0);
        rig_end(&r);
}

static void test_proxy_protocol_v1(void **state) {
        Rig r = rig_new(listen_inet, listen_inet, BALANCE_ROUND_ROBIN);
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        char line[128];
        int client, server;

        r.told.proxy = PROXY_V1;
        rig_start(&r, 0);
        tell_back(&r, 0, BACK_ACTIVE);
        client = client_new(&r);
        server = take(&r, 0);
        assert_return_code(getsockname(client, (struct sockaddr *) &from, &size), errno);
        snprintf(line, sizeof(line), "PROXY TCP4 127.0.0.1 127.0.0.1 %u %u\r\n", ntohs(from.sin_port), ntohs(((struct sockaddr_in *) &r.address)->sin_port));
        expect(server, line); /* before the client has said anything */
        pass(client, server, "hello");
        fd_close(client);
        fd_close(server);
        rig_end(&r);
}

static void test_proxy_protocol_v2_of_a_unix_socket(void **state) {
        static const char header[] = "\r\n\r\n\0\r\nQUIT\n\x21\x00\x00\x00";
        Rig r = rig_new(listen_unix, listen_inet, BALANCE_ROUND_ROBIN);
        char got[16];
        int client, server;

        r.told.proxy = PROXY_V2;
        rig_start(&r, 0);
        tell_back(&r, 0, BACK_ACTIVE);
        client = client_new(&r);
        server = take(&r, 0);
        assert_int_equal(recv(server, got, sizeof(got), MSG_WAITALL), sizeof(got));
        assert_memory_equal(got, header, sizeof(got));
        pass(client, server, "hello");
        fd_close(client);
        fd_close(server);
        rig_end(&r);
}

/* Any order of coming, speaking, closing and resetting, while backs come and go: nothing is left in the end, and the balancer lives. */
static void random_back(Rig *r) {
        unsigned i = (unsigned) (draw() % BACKS);

        if (draw() % 4 == 0)
                tell_back_gone(r, i);
        else
                tell_back_weighted(r, i, (BackState) (draw() % _BACK_STATE_MAX), 1 + (uint32_t) (draw() % 5));
}

static void random_end(int *fd, char *block, size_t size) {
        if (draw() % 3 == 0)
                (void) send(*fd, block, draw() % size, MSG_DONTWAIT | MSG_NOSIGNAL);
        else if (draw() % 2)
                (void) recv(*fd, block, size, MSG_DONTWAIT);
        else if (draw() % 2)
                (void) shutdown(*fd, draw() % 2 ? SHUT_WR : SHUT_RD);
        else {
                if (draw() % 2)
                        reset(*fd);
                else
                        fd_close(*fd);
                *fd = -EBADF;
        }
}

static void test_anything(void **state) {
        Rig r = rig_new(listen_inet, listen_inet, BALANCE_RANDOM);
        static char block[200000];
        int ends[128];

        r.told.wait_timeout = 100 * USEC_PER_MSEC;
        rig_start(&r, 0);
        memset(ends, -1, sizeof(ends));
        for (unsigned i = 0; i < 6000; i++) {
                int *end = ends + draw() % ARRAY_SIZE(ends), back = r.backs[draw() % BACKS];

                if (draw() % 20 == 0)
                        random_back(&r);
                if (*end >= 0)
                        random_end(end, block, sizeof(block));
                else if (poll(&(struct pollfd) { .fd = back, .events = POLLIN }, 1, 0) > 0)
                        *end = accept4(back, NULL, NULL, SOCK_CLOEXEC);
                else
                        *end = client_new(&r);
                if (i % 256 == 0)
                        settle(&r);
        }
        for (unsigned i = 0; i < ARRAY_SIZE(ends); i++)
                fd_close(ends[i]);
        for (unsigned i = 0; i < BACKS; i++) {
                tell_back_gone(&r, i);
                r.backs[i] = fd_close(r.backs[i]); /* with all that waits there */
        }
        wait_open(&r, 0);
        rig_end(&r);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_half_close_by_the_client), cmocka_unit_test(test_half_close_by_the_server), cmocka_unit_test(test_resets),
                cmocka_unit_test(test_server_that_does_not_read), cmocka_unit_test(test_streams_inet), cmocka_unit_test(test_streams_unix),
                cmocka_unit_test(test_slow_client), cmocka_unit_test(test_proxy_protocol_v1), cmocka_unit_test(test_proxy_protocol_v2_of_a_unix_socket),
                cmocka_unit_test(test_anything),
        };
        const char *given = getenv("KINGLY_SEED");

        seed = (given ? strtoull(given, NULL, 0) : now_usec(CLOCK_REALTIME) * 2654435761ULL) | 1;
        printf("KINGLY_SEED=%" PRIu64 "\n", seed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
