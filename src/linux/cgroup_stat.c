/* Reading the figures of a group. All of it runs for every row of every list, so paths and contents live on the stack, without stdio; only
 * io.stat, whose size grows with the number of disks, is allocated. */
#include <fcntl.h>
#include <limits.h>

#include "base/fd.h"
#include "linux/cgroup.h"

#define STAT_SIZE_MAX 8192 /* memory.stat, the longest of the keyed files, has about 2 KiB */

/* A file of the group into buf; bytes or -errno. */
static ssize_t read_group_file(const char *dir, const char *file, char *buf, size_t size) {
        size_t n = strlen(dir), m = strlen(file);
        char path[PATH_MAX];

        if (n + m + 2 > sizeof(path))
                return -ENAMETOOLONG;
        memcpy(path, dir, n);
        path[n] = '/';
        memcpy(path + n + 1, file, m + 1);
        return read_file_into(AT_FDCWD, path, buf, size);
}

/* A decimal number that ends a line, or "max". */
static int read_number(const char *s, uint64_t *ret) {
        uint64_t v = 0;

        if (startswith(s, "max")) {
                *ret = UINT64_MAX;
                return 0;
        }
        if (*s < '0' || *s > '9')
                return -EIO;
        for (; *s >= '0' && *s <= '9'; s++)
                v = v * 10 + (uint64_t) (*s - '0');
        *ret = v;
        return 0;
}

int cgroup_read_u64(const char *dir, const char *file, uint64_t *ret) {
        char text[64];
        ssize_t n;

        n = read_group_file(dir, file, text, sizeof(text));
        return n < 0 ? (int) n : read_number(text, ret);
}

int cgroup_read_key(const char *dir, const char *file, const char *key, uint64_t *ret) {
        char text[STAT_SIZE_MAX];
        size_t length = strlen(key);
        ssize_t n;

        n = read_group_file(dir, file, text, sizeof(text));
        if (n < 0)
                return (int) n;
        for (const char *line = text; *line;) {
                if (strncmp(line, key, length) == 0 && line[length] == ' ')
                        return read_number(line + length + 1, ret);
                line = strchrnul(line, '\n');
                line += *line == '\n';
        }
        return -ENODATA;
}

int cgroup_populated(const char *dir) {
        uint64_t populated;
        int r;

        r = cgroup_read_key(dir, "cgroup.events", "populated", &populated);
        if (r == -ENOENT || r == -ENODEV)
                return 0;
        return r < 0 ? r : populated != 0;
}

int cgroup_read_io(const char *dir, uint64_t *ret_read, uint64_t *ret_written) {
        _cleanup_free_ char *path = path_join(dir, "io.stat"), *text = NULL;
        uint64_t in = 0, out = 0, v;
        int r;

        if (!path)
                return -ENOMEM;
        r = read_file_at(AT_FDCWD, path, 1U << 20, &text, NULL);
        if (r < 0)
                return r;
        for (char *rest = text, *word; (word = strsep(&rest, " \n"));) {
                const char *read = startswith(word, "rbytes="), *written = startswith(word, "wbytes=");

                if (read && read_number(read, &v) >= 0)
                        in += v;
                if (written && read_number(written, &v) >= 0)
                        out += v;
        }
        *ret_read = in;
        *ret_written = out;
        return 0;
}

int psi_some_avg10(const char *dir, const char *file, uint32_t *ret) {
        char text[256];
        const char *p;
        uint64_t whole;
        ssize_t n;

        n = read_group_file(dir, file, text, sizeof(text));
        if (n == -EOPNOTSUPP) /* compiled in, switched off at boot */
                return -ENOENT;
        if (n < 0)
                return (int) n;
        p = startswith(text, "some avg10=");
        if (!p || read_number(p, &whole) < 0)
                return -EIO;
        p = strchr(p, '.');
        /* Always two places: "0.00" … "100.00". */
        if (!p || p[1] < '0' || p[1] > '9' || p[2] < '0' || p[2] > '9')
                return -EIO;
        *ret = (uint32_t) (whole * 100 + (uint64_t) ((p[1] - '0') * 10 + (p[2] - '0')));
        return 0;
}
