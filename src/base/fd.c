/* Descriptors, whole files, paths and descriptor passing. Nothing here leaves a descriptor open without O_CLOEXEC or behind an error;
 * functions that take a caller's buffer neither allocate nor use stdio, because the lists of the supervisor read thousands of small kernel
 * files. */
#include "base/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

int fd_close(int fd) {
        int saved = errno;

        /* Linux frees the descriptor even when close(2) reports EINTR: trying again could close somebody else's. */
        if (fd >= 0)
                (void) close(fd);
        errno = saved;
        return -EBADF;
}

int fd_nonblock(int fd, bool on) {
        int flags = fcntl(fd, F_GETFL), wanted;

        if (flags < 0)
                return -errno;
        wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
        if (wanted != flags && fcntl(fd, F_SETFL, wanted) < 0)
                return -errno;
        return 0;
}

int fd_dup(int fd) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

        return copy < 0 ? -errno : copy;
}

int fd_write_all(int fd, const void *p, size_t n) {
        const char *at = p;

        while (n > 0) {
                ssize_t k = write(fd, at, n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                at += k;
                n -= (size_t) k;
        }
        return 0;
}

int fd_pread_all(int fd, void *p, size_t n, off_t at) {
        for (char *to = p; n > 0;) {
                ssize_t k = pread(fd, to, n, at);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return k < 0 ? -errno : -ENODATA;
                to += k;
                at += k;
                n -= (size_t) k;
        }
        return 0;
}

static ssize_t read_once(int fd, void *buf, size_t size) {
        ssize_t k;

        do
                k = read(fd, buf, size);
        while (k < 0 && errno == EINTR);
        return k < 0 ? -errno : k;
}

/* Files may be named by strangers, so they are opened without blocking: a FIFO nobody writes to must not stop a daemon. A pipe that
 * somebody does write to (`apply -f <(generate)`) is waited for, but not for ever. */
#define READ_PATIENCE_MSEC 10000

static ssize_t read_patiently(int fd, void *buf, size_t size) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t k = read_once(fd, buf, size);

        if (k != -EAGAIN)
                return k;
        if (poll(&p, 1, READ_PATIENCE_MSEC) == 0)
                return -ETIMEDOUT;
        return read_once(fd, buf, size);
}

int read_file_at(int dirfd, const char *path, size_t limit, char **ret, size_t *ret_size) {
        _cleanup_free_ char *data = NULL;
        size_t used = 0, allocated = 0;
        _cleanup_fd_ int fd = -EBADF;

        fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        for (;;) {
                ssize_t k;

                if (allocated - used < 2) {
                        char *grown = realloc(data, allocated ? allocated * 2 : 4096);

                        if (!grown)
                                return -ENOMEM;
                        data = grown;
                        allocated = allocated ? allocated * 2 : 4096;
                }
                k = read_patiently(fd, data + used, allocated - used - 1);
                if (k < 0)
                        return (int) k;
                if (k == 0)
                        break;
                used += (size_t) k;
                if (used > limit)
                        return -EFBIG;
        }
        data[used] = '\0';
        *ret = TAKE_PTR(data);
        if (ret_size)
                *ret_size = used;
        return 0;
}

ssize_t read_file_into(int dirfd, const char *path, char *buf, size_t size) {
        _cleanup_fd_ int fd = -EBADF;
        size_t used = 0;
        ssize_t k;

        fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        do {
                /* The kernel's sequence files may return less than they have, so only an empty read is the end. */
                k = used < size ? read_once(fd, buf + used, size - used) : -ENOBUFS;
                if (k < 0)
                        return k;
                used += (size_t) k;
        } while (k > 0);
        buf[used] = '\0';
        return (ssize_t) used;
}

int write_file_at(int dirfd, const char *path, const char *text) {
        _cleanup_fd_ int fd = -EBADF;
        size_t n = strlen(text);
        ssize_t k;

        fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        do
                k = write(fd, text, n);
        while (k < 0 && errno == EINTR);
        if (k < 0)
                return -errno;
        return (size_t) k == n ? 0 : -EIO;
}

static int sync_directory_of(const char *path) {
        _cleanup_free_ char *dir = NULL;
        const char *slash = strrchr(path, '/');
        _cleanup_fd_ int fd = -EBADF;

        dir = slash ? strndup(path, (size_t) MAX(slash - path, (ptrdiff_t) 1)) : strdup(".");
        if (!dir)
                return -ENOMEM;
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return fsync(fd) < 0 ? -errno : 0;
}

static int fill_and_sync(int fd, const void *p, size_t n, mode_t mode) {
        int r = fd_write_all(fd, p, n);

        if (r < 0)
                return r;
        return fchmod(fd, mode) < 0 || fsync(fd) < 0 ? -errno : 0;
}

int write_file_atomic(const char *path, const void *p, size_t n, mode_t mode) {
        _cleanup_free_ char *temporary = NULL;
        _cleanup_fd_ int fd = -EBADF;
        int r;

        if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
                return -ENOMEM;
        fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = fill_and_sync(fd, p, n, mode);
        if (r >= 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlink(temporary);
                return r;
        }
        return sync_directory_of(path);
}

static int mkdir_one(const char *path, mode_t mode) {
        struct stat st;

        if (mkdir(path, mode) >= 0)
                return 0;
        if (errno != EEXIST) {
                int r = -errno;

                /* EROFS and EACCES are reported even for a directory that is there. */
                return stat(path, &st) >= 0 && S_ISDIR(st.st_mode) ? 0 : r;
        }
        if (stat(path, &st) < 0)
                return -errno;
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int mkdir_parents(const char *path, mode_t mode) {
        _cleanup_free_ char *part = strdup(path);
        int r;

        if (!part)
                return -ENOMEM;
        for (char *slash = strchr(part + (*part == '/'), '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                r = mkdir_one(part, mode);
                if (r < 0)
                        return r;
                *slash = '/';
        }
        return mkdir_one(part, mode);
}

char *path_join(const char *a, const char *b) {
        size_t n = strlen(a);
        char *joined;

        if (*b == '/' || n == 0)
                return strdup(b);
        return asprintf(&joined, "%s%s%s", a, a[n - 1] == '/' ? "" : "/", b) < 0 ? NULL : joined;
}

/* Removes empty and "." components and lets ".." take the one before it, in place; the path is absolute. */
static void normalise(char *path) {
        char *out = path;

        for (char *p = path, *end; *p; p = end) {
                size_t n;

                while (*p == '/')
                        p++;
                end = strchrnul(p, '/');
                n = (size_t) (end - p);
                if (n == 0 || (n == 1 && *p == '.'))
                        continue;
                if (n == 2 && p[0] == '.' && p[1] == '.') {
                        while (out > path && *--out != '/')
                                ;
                        continue;
                }
                *out++ = '/';
                memmove(out, p, n);
                out += n;
        }
        if (out == path)
                *out++ = '/';
        *out = '\0';
}

char *path_absolute(const char *path, const char *cwd) {
        char here[PATH_MAX], *joined;

        if (!cwd && *path != '/') {
                if (!getcwd(here, sizeof(here)))
                        return NULL;
                cwd = here;
        }
        joined = path_join(cwd ?: "/", path);
        if (joined)
                normalise(joined);
        return joined;
}

int raise_nofile(uint64_t *ret_old_soft) {
        struct rlimit l;
        uint64_t old;

        if (getrlimit(RLIMIT_NOFILE, &l) < 0)
                return -errno;
        old = l.rlim_cur;
        l.rlim_cur = l.rlim_max;
        if (old != l.rlim_max && setrlimit(RLIMIT_NOFILE, &l) < 0)
                return -errno;
        if (ret_old_soft)
                *ret_old_soft = old;
        return 0;
}

/* SCM_MAX_FD of the kernel: no message carries more. The room behind is for credentials, should the socket have SO_PASSCRED. */
#define MESSAGE_FDS_MAX 253
typedef union ControlBuffer {
        struct cmsghdr align;
        char data[CMSG_SPACE(MESSAGE_FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
} ControlBuffer;

bool fd_send_later(int r) {
        return r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM || r == -ETOOMANYREFS;
}

int fd_send(int sock, const void *p, size_t n, const int *fds, size_t n_fds) {
        struct iovec iov = { .iov_base = (void *) p, .iov_len = n };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
        ControlBuffer control;
        ssize_t k;

        if (n_fds > MESSAGE_FDS_MAX)
                return -EMSGSIZE;
        if (n_fds > 0) {
                struct cmsghdr *c;

                m.msg_control = control.data;
                m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                memset(control.data, 0, m.msg_controllen);
                c = CMSG_FIRSTHDR(&m);
                *c = (struct cmsghdr) { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n_fds * sizeof(int)) };
                memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
        }
        do
                k = sendmsg(sock, &m, MSG_NOSIGNAL);
        while (k < 0 && errno == EINTR);
        if (k < 0)
                return -errno;
        return (size_t) k == n ? 0 : -EIO;
}

/* Gives the first `room` descriptors of one control message to the caller and closes the others; returns how many there were. */
static size_t take_fds(struct cmsghdr *c, int *fds, size_t room) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        for (size_t i = 0; i < n; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                if (i < room)
                        fds[i] = fd;
                else
                        fd_close(fd);
        }
        return n;
}

ssize_t fd_recv(int sock, void *p, size_t n, int *fds, size_t *n_fds) {
        size_t room = n_fds ? *n_fds : 0, got = 0;
        ControlBuffer control;
        struct iovec iov = { .iov_base = p, .iov_len = n };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.data, .msg_controllen = sizeof(control.data) };
        ssize_t k;

        if (n_fds)
                *n_fds = 0;
        do
                k = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
        while (k < 0 && errno == EINTR);
        if (k < 0)
                return -errno;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                        got += take_fds(c, fds + MIN(got, room), room - MIN(got, room));
        if (got > room || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
                for (size_t i = 0; i < MIN(got, room); i++)
                        fds[i] = fd_close(fds[i]);
                return -EMSGSIZE;
        }
        if (n_fds)
                *n_fds = got;
        return k;
}
