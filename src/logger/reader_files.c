/* The chain of files: PATH is the newest, PATH.1 the one before, and so on, each of the older ones maybe compressed (PATH.2.zst). Must stay
 * true: files are told apart by device and inode, since their names move while they are read, and by their first line once they were
 * compressed; an answer that a rotation may have overtaken is checked and asked for again. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "logger/reader_state.h"

#define ATTEMPTS 8                    /* a rotation takes microseconds: that many in a row do not happen */

void log_file_at_done(LogFileAt *f) {
        f->fd = fd_close(f->fd);
}

/* The number that a directory entry has in the chain, or -EINVAL. */
static int64_t number_of(const LogReader *r, const char *entry) {
        ChainForm form;

        return startswith(entry, r->name) ? chain_number(entry, strlen(r->name), &form) : -EINVAL;
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
        *ret_n = 0;
        for (size_t i = 0; i < n; i++)
                if (i == 0 || list[i] != list[i - 1])
                        list[(*ret_n)++] = list[i];
        *ret = TAKE_PTR(list);
        return 0;
}

/* The complete form first, see chain.h. */
static int try_forms(const LogReader *r, uint32_t number, LogFileAt *ret) {
        int form = number == 0 ? CHAIN_PLAIN : _CHAIN_FORM_MAX - 1, q = -ENOENT;

        for (; q == -ENOENT && form >= 0; form--) {
                _cleanup_fd_ int fd = -EBADF;
                ChainName name;
                struct stat st;

                q = chain_name(name, r->path, number, (ChainForm) form);
                if (q < 0)
                        return q;
                fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
                if (fd < 0 || fstat(fd, &st) < 0)
                        q = -errno;
                else if (!S_ISREG(st.st_mode))
                        q = -EOPNOTSUPP;
                else
                        *ret = (LogFileAt) { .fd = TAKE_FD(fd), .form = (ChainForm) form };
        }
        return q;
}

/* A second time, for one that was compressed between the two looks. */
int reader_open_number(const LogReader *r, uint32_t number, LogFileAt *ret) {
        int q = try_forms(r, number, ret);

        return q == -ENOENT && number > 0 ? try_forms(r, number, ret) : q;
}

/* In an archive everything before the offset is passed over, from the beginning of the segment it is in. */
static int take_archive(LogReader *r, uint64_t offset) {
        size_t segment = 0;
        int q;

        q = unpack_open(r->file.fd, r->file.form, &r->archive);
        if (q < 0)
                return q;
        if (offset > 0)
                while (unpack_segment_offset(r->archive, segment + 1) <= offset)
                        segment++;
        q = unpack_go(r->archive, segment);
        if (q < 0)
                return q;
        r->offset = unpack_offset(r->archive);
        r->goal = offset;
        return 0;
}

int reader_take(LogReader *r, LogFileAt file, uint64_t offset) {
        struct stat st;

        if (fstat(file.fd, &st) < 0) {
                int q = -errno;

                fd_close(file.fd);
                return q;
        }
        r->archive = unpack_free(r->archive);
        fd_close(r->file.fd);
        r->file = file;
        r->dev = st.st_dev;
        r->ino = st.st_ino;
        r->offset = offset;
        r->start = r->end = r->searched = 0;
        r->mark = r->goal = r->skip_lines = 0;
        r->cut = false;
        return file.form == CHAIN_PLAIN ? 0 : take_archive(r, offset);
}

static bool has_number(const LogReader *r, uint32_t number, ChainForm form) {
        ChainName name;
        struct stat st;

        return chain_name(name, r->path, number, form) >= 0 && stat(name, &st) >= 0 && st.st_dev == r->dev && st.st_ino == r->ino;
}

bool reader_is_newest(const LogReader *r) {
        return has_number(r, 0, CHAIN_PLAIN);
}

/* Under its inode, or compressed since. */
static bool number_is_ours(const LogReader *r, uint32_t number) {
        _cleanup_file_at_ LogFileAt f = LOG_FILE_NONE;

        if (has_number(r, number, r->file.form))
                return true;
        return r->file.form == CHAIN_PLAIN && number > 0 && r->mark != 0 && reader_open_number(r, number, &f) >= 0 &&
                f.form != CHAIN_PLAIN && reader_mark(&f) == r->mark;
}

/* The file at hand is number `ours`: opens the next newer one. 1, 0 none, -EAGAIN a rotation came in between. */
static int open_newer(const LogReader *r, uint32_t ours, LogFileAt *ret) {
        _cleanup_file_at_ LogFileAt f = LOG_FILE_NONE;
        uint32_t number = ours;
        int q = -ENOENT;

        while (number > 0 && q == -ENOENT)
                q = reader_open_number(r, --number, &f);
        if (q < 0)
                return q == -ENOENT ? 0 : q;
        /* Renaming starts with the oldest: if ours has not moved and the gap between is still one, nothing newer than ours has moved
         * either. */
        for (uint32_t i = number + 1; i < ours; i++)
                if (chain_find(r->path, i, NULL) >= 0)
                        return -EAGAIN;
        if (!number_is_ours(r, ours))
                return -EAGAIN;
        *ret = log_file_at_take(&f);
        return 1;
}

static bool is_later(const struct stat *a, const struct stat *b) {
        return a->st_mtim.tv_sec > b->st_mtim.tv_sec || (a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec >= b->st_mtim.tv_nsec);
}

/* The file at hand has no name any more: rotated away or removed. The oldest that was written to after it goes on. What is no log is passed over; what
 * cannot be opened now is not, its lines would be missing. */
static int open_later(const LogReader *r, const uint32_t *list, size_t n, LogFileAt *ret) {
        struct stat ours, st;
        int q;

        if (fstat(r->file.fd, &ours) < 0)
                return -errno;
        for (size_t i = 0; i < n; i++) {
                _cleanup_file_at_ LogFileAt f = LOG_FILE_NONE;

                q = reader_open_number(r, list[i], &f);
                if (q == -ENOENT || q == -EOPNOTSUPP)
                        continue;
                if (q < 0 || fstat(f.fd, &st) < 0)
                        return q < 0 ? q : -errno;
                if (!is_later(&st, &ours))
                        continue;
                *ret = log_file_at_take(&f);
                return 1;
        }
        return 0;
}

static int try_following(const LogReader *r, LogFileAt *ret) {
        _cleanup_free_ uint32_t *list = NULL;
        size_t n;
        int q;

        q = reader_list(r, &list, &n);
        if (q < 0)
                return q;
        for (size_t i = n; i > 0; i--)
                if (number_is_ours(r, list[i - 1]))
                        return open_newer(r, list[i - 1], ret);
        return open_later(r, list, n, ret);
}

int reader_following(const LogReader *r, LogFileAt *ret) {
        int q = -EAGAIN;

        for (unsigned i = 0; i < ATTEMPTS && q == -EAGAIN; i++)
                q = try_following(r, ret);
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
                LogFileAt f;

                q = reader_open_number(r, list[i], &f);
                if (q == -ENOENT)
                        continue;
                if (q >= 0)
                        q = reader_take(r, f, 0);
                return q < 0 ? q : 1;
        }
        return 0;
}
