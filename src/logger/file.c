/* The file below a sink. Must stay true: `size` and `line_open` describe the open descriptor whenever fd >= 0; nobody else appends, and if
 * somebody does (or truncates), log_file_ready() learns it within a second.
 *
 * The directory may belong to a service's user, so a name is never followed through a symbolic link, only regular files are written, and
 * only a file that was created here is given away. */
#include "logger/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "logger/rotate.h"

#define FILE_MODE 0640
#define DIRECTORY_MODE 0750
#define ROTATE_RETRY USEC_PER_MINUTE   /* of what is due by age or calendar */

int log_file_init(LogFile *f, const char *path) {
        *f = (LogFile) { .path = strdup(path), .fd = -EBADF, .due = USEC_INFINITY, .limits = { .uid = -1, .gid = -1 } };
        return f->path ? 0 : -ENOMEM;
}

void log_file_done(LogFile *f) {
        log_file_close(f);
        free(f->path);
        *f = (LogFile) { .fd = -EBADF };
}

static usec_t due_after(const LogFile *f, usec_t begun) {
        return MIN(usec_add(begun, f->limits.max_age), log_rotate_next(f->limits.rotate, begun));
}

void log_file_limits(LogFile *f, const LogLimits *l) {
        f->limits = *l;
        f->limits.max_size = f->rotate_at = l->max_size ?: UINT64_MAX;
        f->limits.max_total = l->max_total ?: UINT64_MAX;
        f->limits.max_age = l->max_age ?: USEC_INFINITY;
        f->due = f->begun ? due_after(f, f->begun) : USEC_INFINITY;
}

void log_file_close(LogFile *f) {
        f->fd = fd_close(f->fd);
}

/* When its first byte was written, or soon before; where the file system does not tell, when its last was. */
static usec_t birth(const LogFile *f, const struct stat *st) {
        struct statx x;

        if (statx(f->fd, "", AT_EMPTY_PATH, STATX_BTIME, &x) >= 0 && (x.stx_mask & STATX_BTIME))
                return (usec_t) x.stx_btime.tv_sec * USEC_PER_SEC + x.stx_btime.tv_nsec / 1000;
        return (usec_t) st->st_mtim.tv_sec * USEC_PER_SEC + (usec_t) st->st_mtim.tv_nsec / 1000;
}

static void begin(LogFile *f, usec_t begun) {
        f->begun = begun;
        f->due = due_after(f, begun);
}

/* Takes over what fstat(2) says. A line that was open before counts from here. */
static int adopt(LogFile *f, const struct stat *st) {
        char last = '\n';

        if (st->st_size > 0 && pread(f->fd, &last, 1, st->st_size - 1) < 0)
                return -errno;
        if (st->st_size == 0)
                f->due = USEC_INFINITY;
        else if (f->begun == 0 || f->dev != st->st_dev || f->ino != st->st_ino)
                begin(f, birth(f, st));
        f->dev = st->st_dev;
        f->ino = st->st_ino;
        f->size = f->line_start = (uint64_t) st->st_size;
        f->line_open = last != '\n';
        f->rotate_at = f->limits.max_size;
        return 0;
}

static int create(LogFile *f) {
        _cleanup_fd_ int fd = -EBADF;
        char *slash = strrchr(f->path, '/');
        int r = 0;

        fd = open(f->path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
        if (fd < 0 && errno == ENOENT && slash > f->path) {
                *slash = '\0';
                r = mkdir_parents(f->path, DIRECTORY_MODE);
                *slash = '/';
                if (r < 0)
                        return r;
                fd = open(f->path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
        }
        if (fd < 0)
                return -errno;
        if ((f->limits.uid >= 0 || f->limits.gid >= 0) && fchown(fd, (uid_t) f->limits.uid, (gid_t) f->limits.gid) < 0) {
                r = -errno;
                (void) unlink(f->path); /* else the next attempt would take it as it is */
                return r;
        }
        return TAKE_FD(fd);
}

static int open_file(LogFile *f) {
        _cleanup_fd_ int fd = -EBADF;
        struct stat st;
        int r;

        fd = open(f->path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0) {
                fd = errno == ENOENT ? create(f) : -errno;
                if (fd < 0)
                        return fd;
        }
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EOPNOTSUPP;
        f->fd = TAKE_FD(fd);
        r = adopt(f, &st);
        if (r < 0)
                log_file_close(f);
        return r;
}

/* Closes a file that is no longer the one of its name; takes note of one that was emptied. */
static void compare(LogFile *f) {
        struct stat st;

        if (lstat(f->path, &st) < 0 || st.st_dev != f->dev || st.st_ino != f->ino) {
                log_file_close(f);
                return;
        }
        if ((uint64_t) st.st_size != f->size && adopt(f, &st) < 0)
                log_file_close(f);
}

int log_file_ready(LogFile *f, usec_t realtime) {
        bool due = realtime < f->checked || realtime - f->checked >= USEC_PER_SEC;

        if (due && f->fd >= 0)
                compare(f);
        if (due)
                f->checked = realtime;
        f->now = realtime;
        return f->fd >= 0 ? 0 : open_file(f);
}

static ssize_t write_some(int fd, const char *p, size_t n) {
        ssize_t k;

        do
                k = write(fd, p, n);
        while (k < 0 && errno == EINTR);
        return k < 0 ? -errno : k == 0 ? -EIO : k;
}

int log_file_append(LogFile *f, const char *p, size_t n, size_t *ret_written) {
        size_t written = 0;
        const char *newline;
        ssize_t k = 0;

        while (written < n && (k = write_some(f->fd, p + written, n - written)) > 0)
                written += (size_t) k;
        if (written > 0) {
                if (f->size == 0)
                        begin(f, f->now);
                newline = memrchr(p, '\n', written);
                if (newline)
                        f->line_start = f->size + (size_t) (newline - p) + 1;
                else if (!f->line_open)
                        f->line_start = f->size;
                f->line_open = p[written - 1] != '\n';
                f->size += written;
        }
        *ret_written = written;
        return k < 0 ? (int) k : 0;
}

void log_file_take_back(LogFile *f, size_t n) {
        /* Where that cannot be (an append-only file), line_open stays set and the next line starts with a newline. */
        if (n == 0 || ftruncate(f->fd, (off_t) (f->size - n)) < 0)
                return;
        f->size -= n;
        f->line_open = false;
}

/* The file that is written may grow to max_size, so that much of max_total is not there for those put aside. */
static uint64_t total_aside(const LogLimits *l) {
        if (l->max_total == UINT64_MAX)
                return UINT64_MAX;
        return l->max_total - MIN(l->max_size, l->max_total);
}

static int put_aside(const LogFile *f) {
        if (f->limits.keep == 0)
                return ftruncate(f->fd, 0) < 0 ? -errno : 0;
        return log_rotate(f->path, f->limits.keep, total_aside(&f->limits));
}

int log_file_rotate(LogFile *f, usec_t realtime) {
        int r = put_aside(f);

        if (r < 0) {
                f->rotate_error = r;
                f->rotate_at = f->size + f->limits.max_size;
                f->due = f->due == USEC_INFINITY ? USEC_INFINITY : realtime + ROTATE_RETRY;
                return 0;
        }
        f->rotated = true;
        f->begun = 0;
        f->due = USEC_INFINITY;
        if (f->limits.keep == 0) {
                f->size = f->line_start = 0;
                f->line_open = false;
                f->rotate_at = f->limits.max_size;
                return 0;
        }
        log_file_close(f);
        return log_file_ready(f, realtime);
}
