/* Descriptors and files. Everything opened here is O_CLOEXEC from birth. */
#pragma once

#include "base/macro.h"

int fd_close(int fd);   /* closes if >= 0, keeps errno, returns -EBADF: `fd = fd_close(fd)` */
static inline void fd_closep(int *fd) {
        *fd = fd_close(*fd);
}
#define _cleanup_fd_ _cleanup_(fd_closep)

int fd_nonblock(int fd, bool on);
int fd_dup(int fd);                       /* F_DUPFD_CLOEXEC, >= 3 */
int fd_write_all(int fd, const void *p, size_t n); /* blocking loop; 0 or -errno */
int fd_pread_all(int fd, void *p, size_t n, off_t at);      /* 0, -errno, or -ENODATA: the file ends before */

/* Reads a whole file relative to dirfd (AT_FDCWD allowed). At most `limit` bytes: -EFBIG beyond. The result has a NUL behind it that
 * ret_size (may be NULL) does not count. Works on /proc and cgroup files whose st_size lies. */
int read_file_at(int dirfd, const char *path, size_t limit, char **ret, size_t *ret_size);
/* Reads into a caller's buffer, NUL-terminated; returns bytes or -errno; -ENOBUFS if it does not fit. No allocation. */
ssize_t read_file_into(int dirfd, const char *path, char *buf, size_t size);
/* One write(2) to an existing file, as cgroup files want it. */
int write_file_at(int dirfd, const char *path, const char *text);
/* Durable replacement: temporary file beside it, fsync, rename, fsync of the directory. */
int write_file_atomic(const char *path, const void *p, size_t n, mode_t mode);

int mkdir_parents(const char *path, mode_t mode);   /* like mkdir -p; 0 if it is there */
char *path_join(const char *a, const char *b);      /* b if absolute, else a/b; NULL on OOM */
char *path_absolute(const char *path, const char *cwd); /* lexically normalised; cwd NULL: getcwd */

/* Raises the soft RLIMIT_NOFILE to the hard one; returns the old soft limit through ret (may be NULL), for children to get back. */
int raise_nofile(uint64_t *ret_old_soft);

/* Sends/receives one message with descriptors over AF_UNIX. fd_send: 0, -EAGAIN, or -errno; the caller keeps its descriptors.
 * fd_recv: bytes (0 at end of file) or -errno; received descriptors are CLOEXEC and belong to the caller, *n_fds is in: room, out: got.
 * A truncated payload or control message gives -EMSGSIZE, and every descriptor received is closed. */
int fd_send(int sock, const void *p, size_t n, const int *fds, size_t n_fds);
/* Whether its result says "not now, but later": full; or too many descriptors in flight or no memory for the moment (unix(7)), of which no event tells when
 * they are over. */
bool fd_send_later(int r);
ssize_t fd_recv(int sock, void *p, size_t n, int *fds, size_t *n_fds);
