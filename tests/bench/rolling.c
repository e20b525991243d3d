/* A small HTTP server of the kind that loses no request when it is replaced: sockets from LISTEN_FDS (sd_listen_fds(3)), ready by NOTIFY_SOCKET (sd_notify(3)).
 * SIGTERM: it listens no more, and each kept connection ends with its next answer (RFC 9112, 9.6). A request is what ends with an empty line. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS 65536
#define LISTENER 3

static struct { char head[2048]; size_t n; bool close, open; } *connections[CONNECTIONS];
static int loop, living;
static bool stopping;

static void watch(int fd) {
        (void) epoll_ctl(loop, EPOLL_CTL_ADD, fd, &(struct epoll_event) { .events = EPOLLIN, .data.fd = fd });
}

static void hang_up(int fd) {
        close(fd);
        connections[fd]->open = false;
        living--;
}

static void take(void) {
        int fd;

        while ((fd = accept4(LISTENER, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                if (fd >= CONNECTIONS || (!connections[fd] && !(connections[fd] = malloc(sizeof *connections[fd])))) {
                        close(fd);
                        continue;
                }
                connections[fd]->n = 0;
                connections[fd]->open = true;
                living++;
                watch(fd);
        }
}

static void answer(int fd) {
        bool last = stopping || memmem(connections[fd]->head, connections[fd]->n, "Connection: close", 17);
        char text[256], body[64];
        int n = snprintf(body, sizeof body, "%d %s", getpid(), getenv("KINGLY_INSTANCE") ?: "-");

        n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", n, last ? "Connection: close\r\n" : "", body);
        connections[fd]->n = 0;
        if (send(fd, text, (size_t) n, MSG_NOSIGNAL) != n || last)
                hang_up(fd);
}

static void hear(int fd) {
        ssize_t n = recv(fd, connections[fd]->head + connections[fd]->n, sizeof connections[fd]->head - connections[fd]->n, 0);

        if (n <= 0 && !(n < 0 && errno == EAGAIN)) {
                hang_up(fd);
                return;
        }
        if (n > 0)
                connections[fd]->n += (size_t) n;
        if (memmem(connections[fd]->head, connections[fd]->n, "\r\n\r\n", 4))
                answer(fd);
}

static void say_ready(void) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        const char *path = getenv("NOTIFY_SOCKET");
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (!path)
                return;
        strncpy(a.sun_path, path, sizeof a.sun_path - 1);
        if (*path == '@')
                a.sun_path[0] = '\0';
        (void) sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *) &a, (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(path)));
        close(fd);
}

int main(void) {
        struct epoll_event events[64];
        sigset_t set;
        int signals;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signals = signalfd(-1, &set, SFD_CLOEXEC);
        loop = epoll_create1(EPOLL_CLOEXEC);
        (void) fcntl(LISTENER, F_SETFL, O_NONBLOCK);
        watch(LISTENER);
        watch(signals);
        say_ready();
        while (!stopping || living > 0) {
                int n = epoll_wait(loop, events, 64, -1);

                for (int k = 0; k < n; k++) {
                        int fd = events[k].data.fd;

                        if (fd == signals && !stopping) {
                                stopping = true;
                                close(LISTENER);
                        } else if (fd == LISTENER && !stopping) {
                                take();
                        } else if (fd != LISTENER && fd != signals && connections[fd]->open) {
                                hear(fd);
                        }
                }
                if (stopping)
                        (void) epoll_ctl(loop, EPOLL_CTL_DEL, signals, NULL);
        }
        return 0;
}
