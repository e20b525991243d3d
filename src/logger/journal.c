/* The journal as sink: a stream socket that a service gets as its standard output, so that its lines go to journald without passing
 * through us.
 *
 * The protocol is that of sd_journal_stream_fd(3), spoken here so that connecting has a deadline: a journald that hangs with a full
 * backlog must not hang us. Seven lines open the stream: identifier, unit (only believed from PID 1, so empty), priority, whether "<N>"
 * prefixes are read, and whether to forward to syslog, kmsg and console. */
#include "logger/journal.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>

#include "base/fd.h"
#include "logger/journal_state.h"

#define CONNECT_TIMEOUT_USEC (100 * 1000)
#define SEND_BUFFER (8 * 1024 * 1024) /* the kernel gives less where net.core.wmem_max says so */
#define IDENTIFIER_MAX 255

/* Whoever is stopped and goes on has been interrupted: that is no answer. */
static int connect_undisturbed(int fd, const struct sockaddr_un *a) {
        int r;

        do
                r = connect(fd, (const struct sockaddr *) a, sizeof(*a));
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return errno == EAGAIN ? -ETIMEDOUT : -errno;
        return 0;
}

int journal_connect(const char *path, int *ret_fd) {
        struct timeval limit = { .tv_usec = CONNECT_TIMEOUT_USEC }, none = {};
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        _cleanup_fd_ int fd = -EBADF;
        int r;

        if (strlen(path) >= sizeof(a.sun_path))
                return -ENAMETOOLONG;
        strcpy(a.sun_path, path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        /* For AF_UNIX the send timeout bounds the wait for room in the listener's backlog; a non-blocking connect could not be waited for
         * at all. */
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
                return -errno;
        r = connect_undisturbed(fd, &a);
        if (r < 0)
                return r;
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none)) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static bool identifier_valid(const char *s) {
        return *s && strlen(s) <= IDENTIFIER_MAX && !strchr(s, '\n');
}

int journal_stream_at(const char *path, const char *identifier, int priority, int *ret_fd) {
        char header[IDENTIFIER_MAX + 32];
        _cleanup_fd_ int fd = -EBADF;
        int size = SEND_BUFFER, n, r;

        if (!identifier_valid(identifier) || priority < 0 || priority > LOG_DEBUG)
                return -EINVAL;
        r = journal_connect(path, &fd);
        if (r < 0)
                return r;
        if (shutdown(fd, SHUT_RD) < 0)
                return -errno;
        (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        n = snprintf(header, sizeof(header), "%s\n\n%i\n1\n0\n0\n0\n", identifier, priority);
        r = fd_write_all(fd, header, (size_t) n); /* into an empty socket buffer: does not wait */
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

bool journal_available(void) {
        _cleanup_fd_ int fd = -EBADF;

        return journal_connect(JOURNAL_STREAM_PATH, &fd) >= 0;
}

int journal_stream(const char *identifier, int priority, int *ret_fd) {
        return journal_stream_at(JOURNAL_STREAM_PATH, identifier, priority, ret_fd);
}
