/* The tree of cgroup v2: where it is mounted, making, filling, emptying and removing groups. Works only at and below the directory it is
 * given, and takes a directory that vanished for what it is: an empty one. */
#include "linux/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/text.h"
#include "linux/process.h"

/* Far beyond what systemd or a person nests; only somebody who wants to exhaust our stack goes deeper. */
#define CGROUP_DEPTH_MAX 64
#define CGROUP_PROCS_SIZE_MAX (16U << 20)

/* Undoes the octal escapes of /proc/self/mountinfo (blank, tab, newline, backslash) in place. */
static void mountinfo_unescape(char *s) {
        char *out = s;

        for (; *s; s++) {
                bool escaped = s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7';

                *out++ = escaped ? (char) ((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0')) : *s;
                s += escaped ? 3 : 0;
        }
        *out = '\0';
}

/* The mount point in a line of mountinfo (5th field), or NULL unless its file system is cgroup2. The line is cut up. */
static char *cgroup2_mount_point(char *line) {
        char *type = strstr(line, " - "), *point = NULL;

        if (!type || !startswith(type, " - cgroup2 "))
                return NULL;
        for (unsigned field = 1; field <= 5 && (field == 1 || line); field++)
                point = strsep(&line, " ");
        if (point)
                mountinfo_unescape(point);
        return point;
}

int cgroup_mount(char **ret) {
        /* Tools mount more of them elsewhere; these two are systemd's. */
        static const char *const usual[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };
        _cleanup_free_ char *text = NULL, *best = NULL;
        size_t best_rank = 0;
        int r;

        r = read_file_at(AT_FDCWD, "/proc/self/mountinfo", 16U << 20, &text, NULL);
        if (r < 0)
                return r;
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
                const char *point = cgroup2_mount_point(line);
                size_t rank = 1;

                for (size_t i = 0; point && i < ARRAY_SIZE(usual); i++)
                        rank = streq(point, usual[i]) ? i + 2 : rank;
                if (!point || rank <= best_rank)
                        continue;
                free(best);
                best = strdup(point);
                if (!best)
                        return -ENOMEM;
                best_rank = rank;
        }
        if (!best)
                return -ENOENT;
        *ret = TAKE_PTR(best);
        return 0;
}

static const struct {
        const char *name, *enable;
        CgroupController bit;
} controllers[] = {
        { "cpu", "+cpu", CGROUP_CPU },    { "memory", "+memory", CGROUP_MEMORY }, { "io", "+io", CGROUP_IO },
        { "pids", "+pids", CGROUP_PIDS }, { "cpuset", "+cpuset", CGROUP_CPUSET },
};

int cgroup_controllers(const char *dir, const char *file) {
        _cleanup_free_ char *path = path_join(dir, file);
        char text[512];
        int mask = 0;
        ssize_t n;

        if (!path)
                return -ENOMEM;
        n = read_file_into(AT_FDCWD, path, text, sizeof(text));
        if (n < 0)
                return (int) n;
        for (char *rest = text, *word; (word = strsep(&rest, " \n"));)
                for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
                        if (streq(word, controllers[i].name))
                                mask |= (int) controllers[i].bit;
        return mask;
}

int cgroup_enable(const char *dir, unsigned mask) {
        for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
                if (mask & controllers[i].bit)
                        (void) cgroup_write(dir, "cgroup.subtree_control", controllers[i].enable);
        return cgroup_controllers(dir, "cgroup.subtree_control");
}

int cgroup_make(const char *dir) {
        return mkdir(dir, 0755) < 0 ? -errno : 0;
}

int cgroup_open(const char *dir) {
        int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int cgroup_write(const char *dir, const char *file, const char *value) {
        _cleanup_free_ char *path = path_join(dir, file);

        return path ? write_file_at(AT_FDCWD, path, value) : -ENOMEM;
}

int cgroup_attach(const char *dir, pid_t pid) {
        _cleanup_free_ char *text = text_printf("%i", pid);

        return text ? cgroup_write(dir, "cgroup.procs", text) : -ENOMEM;
}

/* Whether an error only says that the group went away while we looked. */
static bool vanished(int r) {
        return r == -ENOENT || r == -ENODEV;
}

static void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

typedef int (*CgroupVisit)(int parent_fd, const char *name, void *userdata);

/* Visits the groups right below `name` and then `name` itself, deepest first. */
static int cgroup_walk(int parent_fd, const char *name, unsigned depth, CgroupVisit visit, void *userdata) {
        _cleanup_(closedirp) DIR *d = NULL;
        struct dirent *e;
        int fd, r;

        if (depth > CGROUP_DEPTH_MAX)
                return -ELOOP;
        fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth > 0 ? O_NOFOLLOW : 0));
        if (fd < 0)
                return -errno;
        d = fdopendir(fd);
        if (!d) {
                r = -errno;
                fd_close(fd);
                return r;
        }
        while ((e = readdir(d))) {
                if (e->d_type != DT_DIR || streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                r = cgroup_walk(fd, e->d_name, depth + 1, visit, userdata);
                if (r < 0 && !vanished(r))
                        return r;
        }
        return visit(parent_fd, name, userdata);
}

static int visit_remove(int parent_fd, const char *name, void *userdata) {
        return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int cgroup_remove(const char *dir) {
        int r;

        if (rmdir(dir) >= 0 || errno == ENOENT)
                return 0;
        if (errno != EBUSY && errno != ENOTEMPTY)
                return -errno;
        r = cgroup_walk(AT_FDCWD, dir, 0, visit_remove, NULL);
        return vanished(r) ? 0 : r == -ENOTEMPTY ? -EBUSY : r;
}

typedef struct PidArray {
        pid_t *pids;
        size_t n;
} PidArray;

static void pid_array_done(PidArray *a) {
        free(a->pids);
}

static int pid_array_add_lines(PidArray *a, const char *text) {
        size_t lines = 0;
        pid_t *grown;

        for (const char *p = text; *p; p++)
                lines += *p == '\n';
        if (lines == 0)
                return 0;
        grown = reallocarray(a->pids, a->n + lines, sizeof(pid_t));
        if (!grown)
                return -ENOMEM;
        a->pids = grown;
        for (const char *p = text; *p && lines > 0; lines--) {
                char *end;
                long pid = strtol(p, &end, 10);

                if (pid > 0) /* 0: it lives outside our pid namespace */
                        a->pids[a->n++] = (pid_t) pid;
                p = end + (*end == '\n');
        }
        return 0;
}

static int visit_procs(int parent_fd, const char *name, void *userdata) {
        _cleanup_free_ char *path = path_join(name, "cgroup.procs"), *text = NULL;
        int r;

        if (!path)
                return -ENOMEM;
        r = read_file_at(parent_fd, path, CGROUP_PROCS_SIZE_MAX, &text, NULL);
        if (r == -EOPNOTSUPP) /* a threaded group: its processes are listed at the root of its domain */
                return 0;
        return r < 0 ? r : pid_array_add_lines(userdata, text);
}

int cgroup_procs(const char *dir, pid_t **ret, size_t *ret_n) {
        _cleanup_(pid_array_done) PidArray a = {};
        int r;

        r = cgroup_walk(AT_FDCWD, dir, 0, visit_procs, &a);
        if (r < 0)
                return r;
        *ret_n = a.n;
        *ret = TAKE_PTR(a.pids);
        return 0;
}

static bool pid_array_has(const PidArray *a, pid_t pid) {
        for (size_t i = 0; i < a->n; i++)
                if (a->pids[i] == pid)
                        return true;
        return false;
}

static int cgroup_has(const char *dir, pid_t pid) {
        _cleanup_(pid_array_done) PidArray now = {};
        int r;

        r = cgroup_procs(dir, &now.pids, &now.n);
        return r < 0 ? r : pid_array_has(&now, pid);
}

/* The number came from a list, and may have got a new owner since: the reference is taken first, and signalled only if the group lists the
 * number still, which then can only mean the one we hold. */
static int kill_member(const char *dir, pid_t pid) {
        _cleanup_pidref_ PidRef p = PIDREF_NULL;
        int r;

        r = pidref_open(pid, 0, &p);
        if (r >= 0)
                r = cgroup_has(dir, pid);
        if (r > 0)
                r = pidref_signal(&p, SIGKILL);
        return r == -ESRCH ? 0 : r;
}

#define KILL_PASSES_MAX 100

/* SIGKILL for those that the last pass did not see; *ret_new counts them. */
static int kill_pass(const char *dir, const PidArray *last, const PidArray *now, size_t *ret_new) {
        int r = 0;

        *ret_new = 0;
        for (size_t i = 0; i < now->n && r >= 0; i++) {
                if (pid_array_has(last, now->pids[i]))
                        continue;
                r = kill_member(dir, now->pids[i]);
                (*ret_new)++;
        }
        return r;
}

static int kill_each(const char *dir) {
        _cleanup_(pid_array_done) PidArray last = {};
        size_t n_new = 1;
        int r;

        for (unsigned pass = 0; pass < KILL_PASSES_MAX && n_new > 0; pass++) {
                PidArray now = {};

                r = cgroup_procs(dir, &now.pids, &now.n);
                if (r >= 0)
                        r = kill_pass(dir, &last, &now, &n_new);
                pid_array_done(&last);
                last = now;
                if (r < 0)
                        return vanished(r) ? 0 : r;
        }
        return n_new > 0 ? -EAGAIN : 0;
}

int cgroup_kill(const char *dir) {
        int r, thaw;

        r = cgroup_write(dir, "cgroup.kill", "1");
        /* Older kernels have no such file, and a delegated group's own files may belong to root: then by hand. */
        if (r != -ENOENT && r != -EACCES && r != -EPERM)
                return r == -ENODEV ? 0 : r;
        /* Frozen, they cannot fork faster than we read. A frozen process of cgroup v2 still dies of SIGKILL. */
        thaw = cgroup_write(dir, "cgroup.freeze", "1");
        r = kill_each(dir);
        if (thaw >= 0)
                (void) cgroup_write(dir, "cgroup.freeze", "0");
        return r;
}
