/* The chain of files: PATH is the newest, PATH.1 the one before, and so on. Must stay true: files are told apart by device and inode,
 * since their names move while they are read; an answer that a rotation may have overtaken is checked and asked for again. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "logger/reader_state.h"

#define ATTEMPTS 8                    /* a rotation takes microseconds: that many in a row do not happen */

static int name_of(const LogReader *r, uint32_t number, char to[static PATH_MAX]) {
        int n = number == 0 ? snprintf(to, PATH_MAX, "%s", r->path) : snprintf(to, PATH_MAX, "%s.%" PRIu32, r->path, number);

        return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* The number that a directory entry has in the chain, or -1. */
static int64_t number_of(const LogReader *r, const char *entry) {
        const char *p = startswith(entry, r->name);
        uint64_t number;

        if (!p)
                return -1;
        if (*p == '\0')
                return 0;
        if (p[0] != '.' || p[1] == '0' || strlen(p) > 10 || parse_u64(p + 1, &number) < 0)
                return -1;
        return (int64_t) number;
}

static int descending(const void *a, const void *b) {
        const uint32_t *x = a, *y = b;

        return (*x < *y) - (*x > *y);
}

static DIR *open_directory(const LogReader *r) {
        char dir[PATH_MAX];
        size_t n = (size_t) (r->name - r->path);

        if (n == 0)
                return opendir(".");
        if (n >= sizeof(dir)) {
                errno = ENAMETOOLONG;
                return NULL;
        }
        memcpy(dir, r->path, n);
        dir[n] = '\0';
        return opendir(dir);
}

int reader_list(const LogReader *r, uint32_t **ret, size_t *ret_n) {
        _cleanup_free_ uint32_t *list = NULL;
        size_t n = 0, allocated = 0;
        struct dirent *e;
        DIR *d;

        d = open_directory(r);
        if (!d && errno != ENOENT)
                return -errno;
        while (d && (e = readdir(d))) {
                int64_t number = number_of(r, e->d_name);

                if (number < 0)
                        continue;
                if (n == allocated) {
                        uint32_t *grown = reallocarray(list, allocated * 2 + 8, sizeof(*list));

                        if (!grown) {
                                closedir(d);
                                return -ENOMEM;
                        }
                        list = grown;
                        allocated = allocated * 2 + 8;
                }
                list[n++] = (uint32_t) number;
        }
        if (d)
                closedir(d);
        if (n > 0)
                qsort(list, n, sizeof(*list), descending);
        *ret = TAKE_PTR(list);
        *ret_n = n;
        return 0;
}

int reader_open_number(const LogReader *r, uint32_t number) {
        _cleanup_fd_ int fd = -EBADF;
        char name[PATH_MAX];
        struct stat st;
        int q;

        q = name_of(r, number, name);
        if (q < 0)
                return q;
        fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -EOPNOTSUPP;
}

int reader_take(LogReader *r, int fd, uint64_t offset) {
        struct stat st;

        if (fstat(fd, &st) < 0) {
                int q = -errno;

                fd_close(fd);
                return q;
        }
        fd_close(r->fd);
        r->fd = fd;
        r->dev = st.st_dev;
        r->ino = st.st_ino;
        r->offset = offset;
        r->start = r->end = r->searched = 0;
        r->mark = 0;
        r->cut = false;
        return 0;
}

static bool number_is_ours(const LogReader *r, uint32_t number) {
        char name[PATH_MAX];
        struct stat st;

        return name_of(r, number, name) >= 0 && stat(name, &st) >= 0 && st.st_dev == r->dev && st.st_ino == r->ino;
}

bool reader_is_newest(const LogReader *r) {
        return number_is_ours(r, 0);
}

static bool exists(const LogReader *r, uint32_t number) {
        char name[PATH_MAX];
        struct stat st;

        return name_of(r, number, name) >= 0 && lstat(name, &st) >= 0;
}

/* The file at hand is number `ours`: opens the next newer one. 1, 0 none, -EAGAIN a rotation came in between. */
static int open_newer(const LogReader *r, uint32_t ours, int *ret_fd) {
        _cleanup_fd_ int fd = -ENOENT;
        uint32_t number = ours;

        while (number > 0 && fd == -ENOENT)
                fd = reader_open_number(r, --number);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        /* Renaming starts with the oldest: if ours has not moved and the gap between is still one, nothing newer than ours has moved
         * either. */
        for (uint32_t i = number + 1; i < ours; i++)
                if (exists(r, i))
                        return -EAGAIN;
        if (!number_is_ours(r, ours))
                return -EAGAIN;
        *ret_fd = TAKE_FD(fd);
        return 1;
}

/* The file at hand has no name any more: rotated away or removed. The oldest that was written to after it goes on. */
static int open_later(const LogReader *r, const uint32_t *list, size_t n, int *ret_fd) {
        struct stat ours, st;

        if (fstat(r->fd, &ours) < 0)
                return -errno;
        for (size_t i = 0; i < n; i++) {
                _cleanup_fd_ int fd = reader_open_number(r, list[i]);

                if (fd < 0 || fstat(fd, &st) < 0)
                        continue;
                if (st.st_mtim.tv_sec > ours.st_mtim.tv_sec ||
                    (st.st_mtim.tv_sec == ours.st_mtim.tv_sec && st.st_mtim.tv_nsec >= ours.st_mtim.tv_nsec)) {
                        *ret_fd = TAKE_FD(fd);
                        return 1;
                }
        }
        return 0;
}

static int try_following(const LogReader *r, int *ret_fd) {
        _cleanup_free_ uint32_t *list = NULL;
        size_t n;
        int q;

        q = reader_list(r, &list, &n);
        if (q < 0)
                return q;
        for (size_t i = 0; i < n; i++)
                if (number_is_ours(r, list[i]))
                        return open_newer(r, list[i], ret_fd);
        return open_later(r, list, n, ret_fd);
}

int reader_following(const LogReader *r, int *ret_fd) {
        int q = -EAGAIN;

        for (unsigned i = 0; i < ATTEMPTS && q == -EAGAIN; i++)
                q = try_following(r, ret_fd);
        return q == -EAGAIN ? 0 : q;
}

int reader_take_oldest(LogReader *r) {
        _cleanup_free_ uint32_t *list = NULL;
        size_t n;
        int q;

        q = reader_list(r, &list, &n);
        if (q < 0)
                return q;
        for (size_t i = 0; i < n; i++) {
                int fd = reader_open_number(r, list[i]);

                if (fd == -ENOENT)
                        continue;
                if (fd < 0)
                        return fd;
                q = reader_take(r, fd, 0);
                return q < 0 ? q : 1;
        }
        return 0;
}
