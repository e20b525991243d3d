/* What the measurement of kingd-balancer needs beside a load generator (see the script of this name):
 *   balancer serve MILLISECONDS…               one HTTP server per word, each a process on a port of its own that is printed; a request takes so long and
 *                                              the others wait meanwhile. At the end of stdin each prints how many connections and requests it had.
 *   balancer drive PROGRAM STRATEGY PORT…      is the manager of a kingd-balancer: prints its pid and the port that it takes connections on. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "balance/balance_wire.h"

#define SERVERS_MAX 16
#define BODY_MAX (4 * 1048576)

static void die(const char *what) {
        perror(what);
        exit(EXIT_FAILURE);
}

static int listen_on_loopback(int *ret_port) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(a);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

        if (fd < 0 || bind(fd, (struct sockaddr *) &a, size) < 0 || listen(fd, 4096) < 0 || getsockname(fd, (struct sockaddr *) &a, &size) < 0)
                die("listen");
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        *ret_port = ntohs(a.sin_port);
        return fd;
}

/* ---- the servers ---- */
static unsigned long connections, requests;
static char body[BODY_MAX + 128];
static size_t small_size, last_size, large_size;
static char small[128], last[128];

static void prepare_answers(void) {
        small_size = (size_t) snprintf(small, sizeof(small), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        last_size = (size_t) snprintf(last, sizeof(last), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        large_size = (size_t) snprintf(body, 128, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BODY_MAX) + BODY_MAX;
}

static void send_all(int fd, const char *p, size_t n) {
        while (n > 0) {
                ssize_t m = send(fd, p, n, MSG_NOSIGNAL);

                if (m < 0 && errno == EAGAIN)
                        (void) poll(&(struct pollfd) { .fd = fd, .events = POLLOUT }, 1, 1000);
                else if (m <= 0)
                        return;
                else {
                        p += m;
                        n -= (size_t) m;
                }
        }
}

/* Whole requests come in one piece here: they are small and the clients wait for each answer. */
static void answer(int fd, unsigned milliseconds) {
        char request[8192];
        bool end;
        ssize_t n = recv(fd, request, sizeof(request) - 1, 0);

        if (n < 0 && errno == EAGAIN)
                return;
        if (n <= 0) {
                close(fd);
                return;
        }
        request[n] = '\0';
        requests++;
        end = strstr(request, "Connection: close");
        if (milliseconds > 0)
                (void) usleep(milliseconds * 1000);
        if (strncmp(request, "GET /large", 10) == 0)
                send_all(fd, body, large_size);
        else
                send_all(fd, end ? last : small, end ? last_size : small_size);
        if (end)
                close(fd);
}

static void serve(int listener, int end, unsigned milliseconds) {
        struct epoll_event batch[256], e = { .events = EPOLLIN };
        int poller = epoll_create1(0), n;

        (void) fcntl(listener, F_SETFL, O_NONBLOCK);
        e.data.fd = listener;
        (void) epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
        e.data.fd = end;
        (void) epoll_ctl(poller, EPOLL_CTL_ADD, end, &e);
        while ((n = epoll_wait(poller, batch, 256, -1)) >= 0 || errno == EINTR)
                for (int i = 0; i < n; i++) {
                        int fd = batch[i].data.fd;

                        if (fd == end)
                                return;
                        if (fd != listener) {
                                answer(fd, milliseconds);
                                continue;
                        }
                        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                                connections++;
                                e.data.fd = fd;
                                (void) epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
                        }
                }
}

static int serve_all(int n, char **milliseconds) {
        int end[2], port;

        prepare_answers();
        if (pipe(end) < 0)
                die("pipe");
        for (int i = 0; i < n && i < SERVERS_MAX; i++) {
                int fd = listen_on_loopback(&port);

                printf("%i\n", port);
                (void) fflush(stdout);
                if (fork() == 0) {
                        close(end[1]);
                        serve(fd, end[0], (unsigned) atoi(milliseconds[i]));
                        printf("%i %lu %lu\n", i, connections, requests);
                        exit(EXIT_SUCCESS);
                }
                close(fd);
        }
        while (getchar() != EOF)
                ;
        close(end[1]);
        while (wait(NULL) > 0)
                ;
        return EXIT_SUCCESS;
}

/* ---- the manager ---- */
static void tell(int wire, const void *packet, size_t size, int fd) {
        struct iovec iov = { (void *) packet, size };
        union { struct cmsghdr h; char room[CMSG_SPACE(sizeof(int))]; } control = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = fd >= 0 ? &control : NULL, .msg_controllen = fd >= 0 ? sizeof(control) : 0 };

        memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
        if (sendmsg(wire, &m, 0) < 0)
                die("wire");
}

static pid_t start(const char *program, int *ret_wire) {
        int pair[2];
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                die("socketpair");
        pid = fork();
        if (pid == 0) {
                int fd = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);

                if (dup2(fd, BALANCE_WIRE_FD) < 0)
                        die("dup2");
                execl(program, program, (char *) NULL);
                die(program);
        }
        close(pair[1]);
        *ret_wire = pair[0];
        return pid;
}

static void state(int wire, int listener, BalanceStrategy strategy, int n, char **ports) {
        BalanceHello hello = { .h = { BALANCE_HELLO, sizeof(hello) }, .version = BALANCE_WIRE_VERSION };
        BalanceFront front = { .h = { BALANCE_FRONT, sizeof(front) }, .front = 1, .strategy = strategy, .retries = 3, .connect_timeout = 5000000, .name = "bench" };
        BalanceHeader stated = { BALANCE_STATED, sizeof(stated) };

        tell(wire, &hello, sizeof(hello), -1);
        tell(wire, &front, sizeof(front), listener);
        for (int i = 0; i < n; i++) {
                BalanceBackState back = { .h = { BALANCE_BACK, sizeof(back) }, .back = (uint64_t) i + 1, .front = 1, .weight = 1 };
                struct sockaddr_in *a = (struct sockaddr_in *) &back.address;

                *a = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons((uint16_t) atoi(ports[i])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
                back.address_size = sizeof(*a);
                tell(wire, &back, sizeof(back), -1);
        }
        tell(wire, &stated, sizeof(stated), -1);
}

static int drive(const char *program, const char *strategy, int n, char **ports) {
        int wire, port, listener = listen_on_loopback(&port), number;
        pid_t pid = start(program, &wire);

        number = strcmp(strategy, "least-connections") == 0 ? BALANCE_LEAST_CONNECTIONS : BALANCE_ROUND_ROBIN;
        state(wire, listener, (BalanceStrategy) number, n, ports);
        printf("%i %i\n", pid, port);
        (void) fflush(stdout);
        while (getchar() != EOF)
                ;
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
        return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) >= 0) {
                limit.rlim_cur = limit.rlim_max;
                (void) setrlimit(RLIMIT_NOFILE, &limit);
        }
        if (argc > 2 && strcmp(argv[1], "serve") == 0)
                return serve_all(argc - 2, argv + 2);
        if (argc > 4 && strcmp(argv[1], "drive") == 0)
                return drive(argv[2], argv[3], argc - 4, argv + 4);
        fprintf(stderr, "usage: balancer serve MILLISECONDS… | balancer drive PROGRAM STRATEGY PORT…\n");
        return 2;
}
