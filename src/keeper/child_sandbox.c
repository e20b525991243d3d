/* The sandbox of a child: namespaces, what it sees of the file system, what it may ask of the kernel. Carried out as the manager wrote it down; all
 * that is decided here is the order. Sources: user_namespaces(7), mount_setattr(2), move_mount in Documentation/filesystems/mount_api.rst,
 * Documentation/userspace-api/landlock.rst, seccomp(2).
 *
 * Must stay true: a namespace is new before anything in it is changed, and what is mounted in it goes nowhere else (slave); what has failed is said
 * with its number, and nothing is executed then. */
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "keeper/child.h"

/* ---- namespaces ---- */

/* The user stays who he is, and nobody else exists in it. */
static int map_user(uid_t uid, gid_t gid) {
        char text[48];
        int r;

        r = write_file_at(AT_FDCWD, "/proc/self/setgroups", "deny");
        if (r < 0)
                return r;
        snprintf(text, sizeof(text), "%u %u 1", uid, uid);
        r = write_file_at(AT_FDCWD, "/proc/self/uid_map", text);
        if (r < 0)
                return r;
        snprintf(text, sizeof(text), "%u %u 1", gid, gid);
        return write_file_at(AT_FDCWD, "/proc/self/gid_map", text);
}

int child_namespaces(ChildSetup *c) {
        static const struct { uint32_t flag; int namespace; } table[] = {
                { SPAWN_NEW_MOUNTS, CLONE_NEWNS }, { SPAWN_NEW_NETWORK, CLONE_NEWNET }, { SPAWN_NEW_USER, CLONE_NEWUSER },
        };
        uid_t uid = geteuid();
        gid_t gid = getegid();
        int flags = 0, r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                if (c->spawn->flags & table[i].flag)
                        flags |= table[i].namespace;
        if (unshare(flags) < 0)
                return -errno;
        if (flags & CLONE_NEWUSER)
                r = map_user(uid, gid);
        if (r >= 0 && (flags & CLONE_NEWNS) && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return -errno;
        return r;
}

int child_network(ChildSetup *c) {
        struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
        _cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0) /* a kernel without IPv4 has no loopback to bring up */
                return errno == EAFNOSUPPORT ? 0 : -errno;
        return ioctl(fd, SIOCSIFFLAGS, &loopback) < 0 ? -errno : 0;
}

/* ---- mounts ---- */

/* A copy of what is there now, with all that is mounted below it, which is nowhere yet. */
static int take_hold(const char *path) {
        int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

        return fd < 0 ? -errno : fd;
}

static int put(int tree, const char *path) {
        return move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) < 0 ? -errno : 0;
}

static int restrict_mount(int fd, const char *path, unsigned how, uint64_t attributes) {
        struct mount_attr a = { .attr_set = attributes };

        return mount_setattr(fd, path, how, &a, sizeof(a)) < 0 ? -errno : 0;
}

/* A tmpfs of its own, which is nowhere yet. */
static int new_tmpfs(const char *mode, uint64_t attributes) {
        _cleanup_fd_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
        int fd;

        if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", mode, 0) < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned) attributes);
        return fd < 0 ? -errno : fd;
}

/* Something to mount on, of the same kind as what is to be mounted there, with the directories above it. */
static int make_point(int tree, const char *path) {
        static char buffer[PATH_MAX];
        struct stat st;
        int fd;

        if (fstat(tree, &st) < 0)
                return -errno;
        snprintf(buffer, sizeof(buffer), "%s", path);
        for (char *slash = strchr(buffer + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(buffer, 0755) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        if (S_ISDIR(st.st_mode))
                return mkdir(buffer, 0755) < 0 && errno != EEXIST ? -errno : 0;
        fd = open(buffer, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
        if (fd < 0)
                return -errno;
        fd_close(fd);
        return 0;
}

static int put_back(int tree, const char *path) {
        int r = put(tree, path);

        if (r != -ENOENT)
                return r;
        r = make_point(tree, path);
        return r < 0 ? r : put(tree, path);
}

static int make_system_read_only(const char *path) {
        return restrict_mount(AT_FDCWD, path, AT_RECURSIVE, MOUNT_ATTR_RDONLY);
}

/* One may pass through, to what is put back below it, and sees nothing else. */
#define NOTHING (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static int hide(const char *path) {
        _cleanup_fd_ int tree = -EBADF;
        struct stat st;

        if (stat(path, &st) < 0)
                return -errno;
        tree = S_ISDIR(st.st_mode) ? new_tmpfs("0111", NOTHING) : take_hold("/dev/null");
        return tree < 0 ? tree : put(tree, path);
}

static int give_private(const char *path) {
        _cleanup_fd_ int tree = new_tmpfs("01777", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);

        return tree < 0 ? tree : put(tree, path);
}

/* Those that every program may expect; the optional ones where the machine has them. */
static const struct { const char *path; bool optional; } devices[] = {
        { "/dev/null", false }, { "/dev/zero", false }, { "/dev/full", false },  { "/dev/random", false },   { "/dev/urandom", false }, { "/dev/tty", true },
        { "/dev/pts", true },   { "/dev/shm", true },   { "/dev/mqueue", true }, { "/dev/hugepages", true }, { "/dev/log", true },
};
static const struct { const char *target, *path; } links[] = {
        { "/proc/self/fd", "/dev/fd" }, { "/proc/self/fd/0", "/dev/stdin" }, { "/proc/self/fd/1", "/dev/stdout" },
        { "/proc/self/fd/2", "/dev/stderr" }, { "pts/ptmx", "/dev/ptmx" },
};

static int give_devices(const char *path) {
        _cleanup_fd_ int tree = new_tmpfs("0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        int nodes[ARRAY_SIZE(devices)], r = tree;

        for (size_t i = 0; i < ARRAY_SIZE(devices) && r >= 0; i++) {
                nodes[i] = take_hold(devices[i].path);
                r = nodes[i] == -ENOENT && devices[i].optional ? 0 : MIN(nodes[i], 0);
        }
        if (r >= 0)
                r = put(tree, path);
        for (size_t i = 0; i < ARRAY_SIZE(devices) && r >= 0; i++)
                r = nodes[i] < 0 ? 0 : put_back(nodes[i], devices[i].path);
        for (size_t i = 0; i < ARRAY_SIZE(links) && r >= 0; i++)
                r = symlink(links[i].target, links[i].path) < 0 ? -errno : 0;
        return r; /* close-on-exec: nobody needs the rest of them closed before */
}

static const struct { char letter; int (*apply)(const char *path); } changes[] = {
        { MOUNT_SYSTEM, make_system_read_only }, { MOUNT_HIDDEN, hide }, { MOUNT_PRIVATE, give_private }, { MOUNT_DEVICES, give_devices },
};

static int held[WIRE_MOUNTS_MAX];

static bool is_held(char letter) {
        return letter == MOUNT_WRITABLE || letter == MOUNT_READ_ONLY;
}

static int change(uint32_t i, char letter, const char *path) {
        if (is_held(letter))
                return held[i] < 0 ? held[i] : put_back(held[i], path);
        for (size_t k = 0; k < ARRAY_SIZE(changes); k++)
                if (changes[k].letter == letter)
                        return changes[k].apply(path);
        return -EBADMSG;
}

/* A directory that was made empty is closed when everything below it is where it belongs. */
static int seal(uint32_t i, char letter, const char *path) {
        struct stat st;

        if (letter != MOUNT_HIDDEN && letter != MOUNT_DEVICES)
                return 0;
        if (stat(path, &st) < 0)
                return -errno;
        return S_ISDIR(st.st_mode) ? restrict_mount(AT_FDCWD, path, 0, MOUNT_ATTR_RDONLY) : 0;
}

static const char *first_mount(const ChildSetup *c) {
        const char *p = wire_spawn_strings(c->spawn);

        for (int i = 0; i < 3; i++)
                p = wire_next_string(p);
        return p;
}

static int hold_on(uint32_t i, char letter, const char *path) {
        held[i] = is_held(letter) ? take_hold(path) : 0;
        if (held[i] < 0 || letter != MOUNT_READ_ONLY)
                return MIN(held[i], 0);
        return restrict_mount(held[i], "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY);
}

int child_mounts(ChildSetup *c) {
        static int (*const passes[])(uint32_t i, char letter, const char *path) = { hold_on, change, seal };

        for (size_t pass = 0; pass < ARRAY_SIZE(passes); pass++) {
                const char *p = first_mount(c);

                for (uint32_t i = 0; i < c->spawn->n_mounts; i++, p = wire_next_string(p)) {
                        char letter = (char) (*p | 0x20);
                        int r = passes[pass](i, letter, p + 1);

                        if (r < 0 && !(r == -ENOENT && *p != letter)) {
                                c->detail = i + 1;
                                return r;
                        }
                }
        }
        return 0;
}

int child_drop_devices(ChildSetup *c) {
        static const cap_value_t caps[] = { CAP_MKNOD, CAP_SYS_RAWIO };

        for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
                if (cap_get_bound(caps[i]) > 0 && cap_drop_bound(caps[i]) < 0)
                        return errno == EPERM && geteuid() != 0 ? 0 : -errno; /* who is not root has neither */
        return 0;
}

/* ---- what it may ask for ---- */

int child_ruleset(ChildSetup *c) {
        return syscall(SYS_landlock_restrict_self, c->own[OWN_RULESET], 0) < 0 ? -errno : 0;
}

int child_filter(ChildSetup *c) {
        static struct sock_filter program[BPF_MAXINSNS];
        ssize_t n = pread(c->own[OWN_FILTER], program, sizeof(program), 0);
        struct sock_fprog p = { .filter = program };

        if (n <= 0 || (size_t) n % sizeof(program[0]) != 0)
                return n < 0 ? -errno : -EBADMSG;
        p.len = (unsigned short) ((size_t) n / sizeof(program[0]));
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) < 0 ? -errno : 0;
}
