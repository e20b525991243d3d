/* Must stay true: only files of our own scopes are touched, and journald never sees half of one. */
#include "logger/journal_fields.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/text.h"

#define PREFIX "log-extra-fields:"

static bool path_of(char *ret, const char *directory, const char *prefix, const char *unit) {
        return (size_t) snprintf(ret, PATH_MAX, "%s/%s%s", directory, prefix, unit) < PATH_MAX;
}

/* Each field behind its length in 64 bits, little endian. */
static int compose(Buffer *b, const char *const *fields) {
        for (; *fields; fields++) {
                uint64_t size = htole64(strlen(*fields));
                int r = buffer_append(b, &size, sizeof(size));

                if (r >= 0)
                        r = buffer_append(b, *fields, strlen(*fields));
                if (r < 0)
                        return r;
        }
        return 0;
}

int journal_fields_write(const char *directory, const char *unit, const char *const *fields) {
        char path[PATH_MAX], draft[PATH_MAX];
        _cleanup_buffer_ Buffer b = {};
        _cleanup_fd_ int fd = -EBADF;
        int r = compose(&b, fields);

        if (r < 0)
                return r;
        if (!path_of(path, directory, PREFIX, unit) || !path_of(draft, directory, ".#" PREFIX, unit))
                return -ENAMETOOLONG;
        fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);
        if (fd < 0)
                return -errno;
        r = fd_write_all(fd, b.data, b.size);
        if (r >= 0 && rename(draft, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(draft);
        return r;
}

void journal_fields_remove(const char *directory, const char *unit) {
        char path[PATH_MAX];

        if (path_of(path, directory, PREFIX, unit))
                (void) unlink(path);
}

/* PID 1 keeps a link with the invocation of each unit that is active. */
static bool active(const char *directory, const char *unit) {
        char path[PATH_MAX];

        return !path_of(path, directory, "invocation:", unit) || faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

void journal_fields_sweep(const char *directory) {
        DIR *d = opendir(directory);
        struct dirent *e;

        while (d && (e = readdir(d))) {
                const char *unit = startswith(e->d_name, PREFIX), *dot = unit ? strrchr(unit, '.') : NULL;

                if (unit && startswith(unit, "kingly-") && streq(dot, ".scope") && !active(directory, unit))
                        journal_fields_remove(directory, unit);
        }
        if (d)
                closedir(d);
}
