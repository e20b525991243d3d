/* Whether a port has connections: those of others, those that nobody has accepted, and those that are over do not count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "linux/socket_diag.h"
#include "linux/socket_holder.h"

#define OPEN (1U << TCP_ESTABLISHED | 1U << TCP_CLOSE_WAIT)

typedef struct Door {
        struct sockaddr_storage name;
        socklen_t size;
        unsigned port;
        int fd;
} Door;

/* On loopback; fd -1 where this machine has no such family. */
static Door door_open(int family) {
        Door d = { .size = sizeof d.name, .fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0) };
        struct sockaddr_in *v4 = (void *) &d.name;
        struct sockaddr_in6 *v6 = (void *) &d.name;

        d.name.ss_family = (sa_family_t) family;
        if (family == AF_INET)
                v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        else
                v6->sin6_addr = in6addr_loopback;
        if (d.fd < 0 || bind(d.fd, (void *) &d.name, family == AF_INET ? sizeof *v4 : sizeof *v6) < 0 || listen(d.fd, 5) < 0) {
                d.fd = fd_close(d.fd);
                return d;
        }
        assert_return_code(getsockname(d.fd, (void *) &d.name, &d.size), errno);
        d.port = ntohs(family == AF_INET ? v4->sin_port : v6->sin6_port);
        return d;
}

static int knock(const Door *d) {
        int fd = socket(d->name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_return_code(fd, errno);
        assert_return_code(connect(fd, (const void *) &d->name, d->size), errno);
        return fd;
}

static void connections_of(int family) {
        Door d = door_open(family), other = door_open(family);
        int client, server, elsewhere;

        if (d.fd < 0 || socket_diag_any(family, d.port, OPEN) < 0) {
                print_message("skipped: no sock_diag for this family here\n");
                fd_close(d.fd), fd_close(other.fd);
                return;
        }
        elsewhere = knock(&other);
        client = knock(&d);
        assert_int_equal(socket_diag_any(family, d.port, OPEN), 0);
        server = accept4(d.fd, NULL, NULL, SOCK_CLOEXEC);
        assert_return_code(server, errno);
        assert_int_equal(socket_diag_any(family, d.port, OPEN), 1);
        assert_int_equal(socket_diag_any(family, d.port, 1U << TCP_CLOSE_WAIT), 0);
        assert_int_equal(socket_connected((const void *) &d.name, d.size), 1);
        fd_close(client);
        assert_int_equal(socket_connected((const void *) &d.name, d.size), 1); /* its other side is open yet */
        fd_close(server);
        assert_int_equal(socket_diag_any(family, d.port, OPEN), 0);
        assert_int_equal(socket_connected((const void *) &d.name, d.size), 0);
        fd_close(d.fd), fd_close(other.fd), fd_close(elsewhere);
}

static void of_ipv4(void **state) {
        connections_of(AF_INET);
}

static void of_ipv6(void **state) {
        connections_of(AF_INET6);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(of_ipv4), cmocka_unit_test(of_ipv6) };

        return cmocka_run_group_tests_name("linux/socket_diag", tests, NULL, NULL);
}
