/* Must stay true: nothing here asks the file system of a descriptor, not even its attributes, because the answer may never come: what a descriptor is
 * tells /proc, and flags of its open file. */
#include "linux/foreign.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/span.h"

bool fd_same(int a, int b) {
        pid_t self = getpid();

        return a == b || syscall(SYS_kcmp, self, self, KCMP_FILE, (unsigned long) a, (unsigned long) b) == 0;
}

static const char *const local_types[] = {
        "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "bcachefs", "zfs", "overlay", "tmpfs", "ramfs", "squashfs", "erofs", "devtmpfs", "devpts",
        "proc", "sysfs", "cgroup2", "hugetlbfs", "mqueue",
};

/* "29 1 8:1 / /srv rw,relatime shared:1 - ext4 …" of proc_pid_mountinfo(5). The line is cut up. */
static bool is_local_mount(char *line, uint64_t mount) {
        char *type = strstr(line, " - ");
        uint64_t id;

        line[strcspn(line, " ")] = '\0';
        if (!type || parse_u64(line, &id) < 0 || id != mount)
                return false;
        type += 3;
        type[strcspn(type, " ")] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(local_types); i++)
                if (streq(type, local_types[i]))
                        return true;
        return false;
}

/* The mount that it was opened on, as /proc/self/fdinfo tells. 0 or -errno. */
static int mount_of(int fd, uint64_t *ret) {
        char path[64], text[4096], *at;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%i", fd);
        n = read_file_into(AT_FDCWD, path, text, sizeof(text));
        at = n < 0 ? NULL : strstr(text, "mnt_id:\t");
        if (!at)
                return n < 0 ? (int) n : -ENODATA;
        at += strlen("mnt_id:\t");
        at[strcspn(at, "\n")] = '\0';
        return parse_u64(at, ret);
}

/* A mount of another namespace is not in our list: nobody here vouches for it. */
static bool is_local_file(int fd) {
        _cleanup_free_ char *text = NULL;
        uint64_t mount;

        if (mount_of(fd, &mount) < 0 || read_file_at(AT_FDCWD, "/proc/self/mountinfo", 16U << 20, &text, NULL) < 0)
                return false;
        for (char *line = text, *next; line && *line; line = next) {
                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                if (is_local_mount(line, mount))
                        return true;
        }
        return false;
}

bool fd_closes_at_once(int fd) {
        char path[64], to[16];

        snprintf(path, sizeof(path), "/proc/self/fd/%i", fd);
        if (readlink(path, to, sizeof(to)) <= 0)
                return false;
        /* "socket:[17]", "anon_inode:[eventfd]"; a memory file is "/memfd:NAME (deleted)", and nothing but memory can be sealed. */
        return *to != '/' || fcntl(fd, F_GET_SEALS) >= 0 || is_local_file(fd);
}

void fd_end_linger(int fd) {
        static const struct linger none;

        (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

void fd_close_elsewhere(int fd) {
        if (fd < 0)
                return;
        fd_end_linger(fd);
        if (fd_closes_at_once(fd)) {
                fd_close(fd);
                return;
        }
        /* As fork(2), but what it closes is closed here as well. A sibling, so that whoever reaps us reaps it. */
        if (syscall(SYS_clone, CLONE_FILES | CLONE_PARENT, NULL, NULL, NULL, NULL) == 0) {
                (void) syscall(SYS_close, fd);
                _exit(EXIT_SUCCESS);
        }
}
