/* A balancer in a process of its own, and its manager, clients and backs in this one. Waits are on descriptors, each with a deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "balance/balance_wire.h"
#include "balance/balancer.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/span.h"

#define PATIENCE 60000                  /* ms */
#define BACKS 4

typedef union Packet {
        BalanceHeader h;
        BalanceHello hello;
        BalanceCounts counts;
        BalanceTrouble trouble;
        BalanceMissed missed;
        BalanceBackName name;
        BalanceSerial serial;
        char bytes[BALANCE_WIRE_MAX];
} Packet;

typedef struct Rig {
        pid_t pid;
        int wire;
        int front;                     /* the listening socket that clients connect to */
        struct sockaddr_storage address;
        socklen_t address_size;
        int backs[BACKS];              /* listening sockets; ids are 1, 2 … */
        BalanceFront told;
} Rig;

_unused_ static void wait_for(int fd, short events) {
        struct pollfd p = { .fd = fd, .events = events };

        assert_int_equal(poll(&p, 1, PATIENCE), 1);
}

/* Refuses until it listens, and nobody else can have its port. */
_unused_ static int bind_inet(void) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_return_code(bind(fd, (struct sockaddr *) &a, sizeof(a)), errno);
        return fd;
}

_unused_ static int listen_inet(void) {
        int fd = bind_inet();

        assert_return_code(listen(fd, 512), errno);
        return fd;
}

/* Autobind: an abstract name of the kernel's choice (unix(7)). */
_unused_ static int listen_unix(void) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_return_code(bind(fd, (struct sockaddr *) &a, sizeof(sa_family_t)), errno);
        assert_return_code(listen(fd, 512), errno);
        return fd;
}

_unused_ static void tell(Rig *r, const void *packet, size_t size, int fd) {
        wait_for(r->wire, POLLOUT);
        assert_int_equal(fd_send(r->wire, packet, size, &fd, fd >= 0), 0);
}

_unused_ static void tell_header(Rig *r, uint32_t type) {
        tell(r, &(BalanceHeader) { type, sizeof(BalanceHeader) }, sizeof(BalanceHeader), -1);
}

_unused_ static void hello(Rig *r) {
        tell(r, &(BalanceHello) { .h = { BALANCE_HELLO, sizeof(BalanceHello) }, .version = BALANCE_WIRE_VERSION }, sizeof(BalanceHello), -1);
}

_unused_ static void tell_front(Rig *r) {
        tell(r, &r->told, sizeof(r->told), r->front);
}

_unused_ static void tell_back_weighted(Rig *r, unsigned i, BackState state, uint32_t weight) {
        BalanceBackState p = { .h = { BALANCE_BACK, sizeof(p) }, .back = i + 1, .front = 1, .state = state, .weight = weight };
        socklen_t size = sizeof(p.address);

        assert_return_code(getsockname(r->backs[i], (struct sockaddr *) &p.address, &size), errno);
        p.address_size = size;
        tell(r, &p, sizeof(p), -1);
}

_unused_ static void tell_back(Rig *r, unsigned i, BackState state) {
        tell_back_weighted(r, i, state, 1);
}

_unused_ static void tell_back_gone(Rig *r, unsigned i) {
        tell(r, &(BalanceBackName) { .h = { BALANCE_BACK_GONE, sizeof(BalanceBackName) }, .back = i + 1, .front = 1 }, sizeof(BalanceBackName), -1);
}

/* The next packet of this type; others are passed over. */
_unused_ static Packet hear(Rig *r, uint32_t type) {
        Packet p;

        for (;;) {
                size_t n_fds = 0;
                ssize_t n;

                wait_for(r->wire, POLLIN);
                n = fd_recv(r->wire, &p, sizeof(p), NULL, &n_fds);
                assert_true(n > 0);
                assert_int_equal(balance_wire_check(&p, (size_t) n, 0), 0);
                if (p.h.type == type)
                        return p;
        }
}

/* COUNTS of one back, or of the front (0). */
_unused_ static BalanceCounts counts(Rig *r, uint64_t back) {
        static uint32_t serial;
        BalanceCounts found = {};
        bool seen = false;

        tell(r, &(BalanceSerial) { .h = { BALANCE_ASK, sizeof(BalanceSerial) }, .serial = ++serial }, sizeof(BalanceSerial), -1);
        for (;;) {
                Packet p;
                size_t n_fds = 0;

                wait_for(r->wire, POLLIN);
                assert_true(fd_recv(r->wire, &p, sizeof(p), NULL, &n_fds) > 0);
                if (p.h.type == BALANCE_COUNTS && p.counts.back == back) {
                        found = p.counts;
                        seen = true;
                }
                if (p.h.type == BALANCE_COUNTS_END && p.serial.serial == serial)
                        break;
        }
        assert_true(seen);
        return found;
}

/* Until it has heard all that was told. */
_unused_ static void settle(Rig *r) {
        (void) counts(r, 0);
}

/* Asks until the front has so many connections. */
_unused_ static void wait_open(Rig *r, uint32_t open) {
        for (usec_t until = now_usec(CLOCK_MONOTONIC) + PATIENCE * USEC_PER_MSEC; counts(r, 0).open != open;) {
                assert_true(now_usec(CLOCK_MONOTONIC) < until);
                (void) usleep(1000);
        }
}

_unused_ static void rig_start(Rig *r, rlim_t nofile) {
        int pair[2];

        assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), errno);
        (void) fflush(NULL);
        r->pid = fork();
        if (r->pid == 0) {
                struct rlimit limit;

                if (nofile > 0 && getrlimit(RLIMIT_NOFILE, &limit) >= 0) {
                        limit.rlim_cur = nofile;
                        (void) setrlimit(RLIMIT_NOFILE, &limit);
                }
                fd_close(pair[0]);
                fd_close(r->front);
                for (unsigned i = 0; i < BACKS; i++)
                        fd_close(r->backs[i]);
                log_open("balancer", LOG_CRIT);
                exit(balancer_run(pair[1]) < 0 ? 1 : 0);
        }
        assert_true(r->pid > 0);
        fd_close(pair[1]);
        r->wire = pair[0];
        hello(r);
        assert_int_equal(hear(r, BALANCE_HELLO).hello.pid, r->pid);
        tell_front(r);
}

_unused_ static Rig rig_new(int (*front)(void), int (*back)(void), BalanceStrategy strategy) {
        Rig r = { .front = front(), .address_size = sizeof(r.address), .told = { .h = { BALANCE_FRONT, sizeof(BalanceFront) }, .front = 1, .strategy = strategy,
                  .retries = 3, .connect_timeout = 20 * USEC_PER_SEC, .name = "test" } };

        assert_return_code(getsockname(r.front, (struct sockaddr *) &r.address, &r.address_size), errno);
        for (unsigned i = 0; i < BACKS; i++)
                r.backs[i] = back();
        return r;
}

/* With two backs. */
_unused_ static Rig rig_inet(void) {
        Rig r = rig_new(listen_inet, listen_inet, BALANCE_ROUND_ROBIN);

        rig_start(&r, 0);
        tell_back(&r, 0, BACK_ACTIVE);
        tell_back(&r, 1, BACK_ACTIVE);
        settle(&r);
        return r;
}

_unused_ static void rig_end(Rig *r) {
        int status;

        fd_close(r->wire);
        assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
        assert_int_equal(status, 0);
        fd_close(r->front);
        for (unsigned i = 0; i < BACKS; i++)
                fd_close(r->backs[i]);
}

_unused_ static int client_new(const Rig *r) {
        int fd = socket(r->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_return_code(connect(fd, (const struct sockaddr *) &r->address, r->address_size), errno);
        return fd;
}

_unused_ static int take(const Rig *r, unsigned i) {
        int fd;

        wait_for(r->backs[i], POLLIN);
        fd = accept4(r->backs[i], NULL, NULL, SOCK_CLOEXEC);
        assert_true(fd >= 0);
        return fd;
}

/* Whichever back has it; *ret_back (may be NULL) is its index. */
_unused_ static int take_any(const Rig *r, unsigned *ret_back) {
        struct pollfd p[BACKS];

        for (unsigned i = 0; i < BACKS; i++)
                p[i] = (struct pollfd) { .fd = r->backs[i], .events = POLLIN };
        assert_true(poll(p, BACKS, PATIENCE) > 0);
        for (unsigned i = 0; i < BACKS; i++)
                if (p[i].revents & POLLIN) {
                        if (ret_back)
                                *ret_back = i;
                        return take(r, i);
                }
        fail();
        return -EBADF;
}

_unused_ static void expect(int fd, const char *text) {
        char buffer[512];
        size_t n = strlen(text), got = 0;

        while (got < n) {
                ssize_t m;

                wait_for(fd, POLLIN);
                m = read(fd, buffer + got, n - got);
                assert_true(m > 0);
                got += (size_t) m;
        }
        assert_memory_equal(buffer, text, n);
}

_unused_ static void pass(int from, int to, const char *text) {
        assert_int_equal(write(from, text, strlen(text)), strlen(text));
        expect(to, text);
}

_unused_ static void expect_end(int fd) {
        char c;

        wait_for(fd, POLLIN);
        assert_int_equal(read(fd, &c, 1), 0);
}

_unused_ static void expect_reset(int fd) {
        char c;

        wait_for(fd, POLLIN);
        assert_int_equal(read(fd, &c, 1), -1);
        assert_int_equal(errno, ECONNRESET);
}

_unused_ static void reset(int fd) {
        (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger) { .l_onoff = 1 }, sizeof(struct linger));
        fd_close(fd);
}
