/* The ground that kind `cgroup` builds on. Owns BASE/kingly-HOME and nothing else.
 *
 * What must stay true: of the processes in BASE only the daemon's own are ever moved (a cgroup with processes in it cannot enable controllers
 * for its children), never those of another; a directory that has processes is never removed; below a unit that systemd has not delegated
 * nothing is enabled, because systemd is the single writer there (systemd, CGROUP_DELEGATION). */
#include "isolate/cgroup_base.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"

#define WANTED ((unsigned) (CGROUP_CPU | CGROUP_MEMORY | CGROUP_IO | CGROUP_PIDS))

/* ---- directories ---- */

static void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

/* Calls `f`, if there is one, for every subdirectory whose name begins with `prefix`, and counts those that are there afterwards. */
static size_t each_directory(const char *dir, const char *prefix, void (*f)(const char *path)) {
        _cleanup_(closedirp) DIR *d = opendir(dir);
        size_t n = 0;

        for (struct dirent *e; d && (e = readdir(d));) {
                _cleanup_free_ char *path = NULL;

                if (e->d_type != DT_DIR || e->d_name[0] == '.' || !startswith(e->d_name, prefix))
                        continue;
                path = path_join(dir, e->d_name);
                if (path && f)
                        f(path);
                n += !path || access(path, F_OK) >= 0;
        }
        return n;
}

/* A service may have made cgroups of its own in its cell: while anything lives there, not even the empty ones are touched. */
static void remove_if_empty(const char *cell) {
        if (cgroup_populated(cell) == 0)
                (void) cgroup_remove(cell);
}

static void remove_empty_namespace(const char *dir) {
        (void) each_directory(dir, "", remove_if_empty);
        (void) rmdir(dir);
}

/* The processes in exactly this directory. */
static int direct_procs(const char *dir, PidSet *ret) {
        _cleanup_free_ char *path = path_join(dir, "cgroup.procs"), *text = NULL;
        int r;

        if (!path)
                return -ENOMEM;
        r = read_file_at(AT_FDCWD, path, 16 * 1024 * 1024, &text, NULL);
        if (r < 0)
                return r;
        for (char *p = text, *end; *p; p = end) {
                long pid = strtol(p, &end, 10);

                if (end == p)
                        break;
                r = pidset_add(ret, (pid_t) pid, 0);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- opening ---- */

/* Our own cgroup as a directory. After an earlier life that moved us to ROOT/supervisor, the one above ROOT. */
static int base_find(CgroupBase *b) {
        _cleanup_free_ char *path = NULL, *name = NULL, *suffix = NULL;
        size_t n, m;
        int r;

        r = process_cgroup(getpid(), &path);
        if (r < 0)
                return r;
        if (startswith(path, "/.."))
                return -EXDEV; /* outside of our cgroup namespace */
        name = text_printf("kingly-%s", b->isolate->home_id);
        suffix = name ? text_printf("/%s/supervisor", name) : NULL;
        if (!suffix)
                return -ENOMEM;
        n = strlen(path);
        m = strlen(suffix);
        if (n >= m && streq(path + n - m, suffix)) {
                b->supervisor = text_printf("%s%s", b->isolate->mount, path);
                if (!b->supervisor)
                        return -ENOMEM;
                path[n - m] = '\0';
        }
        b->base = text_printf("%s%s", b->isolate->mount, streq(path, "/") ? "" : path);
        b->root = b->base ? path_join(b->base, name) : NULL;
        return b->root ? 0 : -ENOMEM;
}

int cgroup_base_open(CgroupBase *b, Isolate *i, KlError *reterr) {
        int r;

        b->isolate = i;
        if (!i->mount)
                return kl_error_set(reterr, -ENOENT, KL_E_FAILED, "no cgroup v2 is mounted");
        r = base_find(b);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot tell our own cgroup: %s", strerror(-r));
        r = cgroup_make(b->root);
        if (r == -EEXIST)
                r = access(b->root, W_OK) < 0 ? -errno : 0;
        if (r < 0)
                return kl_error_set(reterr, r, r == -EACCES || r == -EPERM ? KL_E_PERMISSION : KL_E_FAILED, "cannot make a cgroup in %s: %s", b->base,
                                    strerror(-r));
        (void) each_directory(b->root, "ns-", remove_empty_namespace);
        return 0;
}

/* ---- controllers ---- */

/* Is `pid` one of the daemon's own: ourselves, the keeper, or another of its programs? */
static bool process_is_ours(const Isolate *i, pid_t pid) {
        ProcessStat stat;

        if (pid == getpid() || pid == i->options.keeper)
                return true;
        return process_stat(pid, &stat) >= 0 && stat.ppid == i->options.keeper && startswith(stat.comm, "kingd");
}

/* Makes sure that no process lives in BASE itself: moves our own to ROOT/supervisor. 0; 1 and *ret_why when somebody else lives there too. */
static int base_vacate(CgroupBase *b, char **ret_why) {
        _cleanup_pidset_ PidSet procs = {};
        int r;

        r = direct_procs(b->base, &procs);
        if (r < 0 || procs.n == 0)
                return r;
        for (size_t k = 0; k < procs.n; k++) {
                if (process_is_ours(b->isolate, procs.items[k].pid))
                        continue;
                *ret_why = text_printf("process %d, which is not ours, lives there too", (int) procs.items[k].pid);
                return *ret_why ? 1 : -ENOMEM;
        }
        if (!b->supervisor)
                b->supervisor = path_join(b->root, "supervisor");
        r = b->supervisor ? cgroup_make(b->supervisor) : -ENOMEM;
        if (r < 0 && r != -EEXIST)
                return r;
        for (size_t k = 0; k < procs.n; k++) {
                r = cgroup_attach(b->supervisor, procs.items[k].pid);
                if (r < 0 && r != -ESRCH)
                        return r;
        }
        return 0;
}

static bool marked_delegated(const char *dir) {
        static const char *const names[] = { "user.delegate", "trusted.delegate" };
        char v;

        for (size_t k = 0; k < ARRAY_SIZE(names); k++)
                if (getxattr(dir, names[k], &v, 1) == 1 && v == '1')
                        return true;
        return false;
}

/* 1 where we may enable controllers. systemd marks what it has delegated, and everything below; without a running systemd, what we can
 * write is ours. */
static int base_delegated(const CgroupBase *b) {
        _cleanup_free_ char *dir = NULL;
        size_t least = strlen(b->isolate->mount);

        if (access("/run/systemd/system", F_OK) < 0)
                return 1;
        dir = strdup(b->base);
        if (!dir)
                return -ENOMEM;
        while (strlen(dir) > least) {
                if (marked_delegated(dir))
                        return 1;
                *strrchr(dir, '/') = '\0';
        }
        return 0;
}

/* Enables what BASE has for ROOT. Returns the mask in force; *ret_why says why something that is available is not.
 *
 * Not even tried while processes live in BASE: the kernel would refuse "memory" and "io", but take "cpu" and "pids" and make the cgroups below
 * threaded ones, which no process can enter. Only the root of the hierarchy, which has no cgroup.type, may have both. */
static int base_enable_below(CgroupBase *b, unsigned available, char **ret_why) {
        _cleanup_free_ char *type = path_join(b->base, "cgroup.type");
        int now, r;

        if (!type)
                return -ENOMEM;
        r = base_delegated(b);
        if (r < 0)
                return r;
        if (r == 0) {
                *ret_why = strdup("systemd has not delegated this cgroup (Delegate=yes)");
                return *ret_why ? 0 : -ENOMEM;
        }
        if (access(type, F_OK) >= 0) {
                r = base_vacate(b, ret_why);
                if (r < 0 && r != -ENOMEM)
                        *ret_why = text_printf("we cannot move out of the way: %s", strerror(-r));
                if (r != 0)
                        return *ret_why ? 0 : -ENOMEM;
        }
        now = cgroup_enable(b->base, available);
        if (now < 0)
                *ret_why = text_printf("cannot enable it: %s", strerror(-now));
        else if (available & ~(unsigned) now)
                *ret_why = strdup("the kernel refuses to enable it for the cgroups below");
        return MAX(now, 0);
}

static int base_deny(CgroupBase *b, unsigned refused, const char *why) {
        _cleanup_free_ char *line = NULL;
        int r;

        if (refused == 0)
                return 0;
        line = text_printf("controller of cgroup %s not in force: %s", b->base, why ? why : "the cgroups below do not get it");
        if (!line)
                return -ENOMEM;
        r = support_deny(b->isolate, refused, line);
        return r < 0 ? r : isolate_note(b->isolate, "%s", line);
}

/* Files differ from kernel to kernel (no swap, no block throttling): a cgroup as deep as a cell's parent tells which there are. */
static int base_probe_files(CgroupBase *b) {
        _cleanup_free_ char *probe = path_join(b->root, "probe");
        int r;

        if (!probe)
                return -ENOMEM;
        r = cgroup_make(probe);
        if (r < 0 && r != -EEXIST)
                return r;
        r = support_from_files(b->isolate, probe, b->isolate->controllers);
        (void) cgroup_remove(probe);
        return r;
}

/* 0 when processes can live below ROOT, -EOPNOTSUPP when it is part of a threaded subtree. */
static int base_domain(const CgroupBase *b) {
        _cleanup_free_ char *path = path_join(b->root, "cgroup.type");
        char type[32];
        ssize_t n;

        if (!path)
                return -ENOMEM;
        n = read_file_into(AT_FDCWD, path, type, sizeof(type));
        if (n < 0)
                return (int) n;
        return streq(type, "domain\n") ? 0 : -EOPNOTSUPP;
}

int cgroup_base_enable(CgroupBase *b) {
        _cleanup_free_ char *why = NULL;
        unsigned available, in_base;
        int r;

        r = cgroup_controllers(b->base, "cgroup.controllers");
        if (r < 0)
                return r;
        available = (unsigned) r & WANTED;
        r = available ? base_enable_below(b, available, &why) : 0;
        if (r < 0)
                return r;
        in_base = (unsigned) r & available;
        r = in_base ? cgroup_enable(b->root, in_base) : 0;
        if (r < 0)
                return r;
        b->isolate->controllers = (unsigned) r & in_base;

        /* Somebody else may have made our surroundings threaded. */
        r = base_domain(b);
        if (r < 0)
                return r;
        r = base_deny(b, available & ~b->isolate->controllers, why);
        if (r < 0)
                return r;
        r = support_from_controllers(b->isolate, b->base, available);
        return r < 0 ? r : base_probe_files(b);
}

/* ---- closing ---- */

/* Back from ROOT/supervisor to BASE, which takes processes only while it has no controller enabled for its children. */
static void base_move_back(CgroupBase *b) {
        static const char *const off[] = { "-cpu", "-memory", "-io", "-pids" };
        _cleanup_pidset_ PidSet procs = {};

        for (size_t k = 0; k < ARRAY_SIZE(off); k++) {
                (void) cgroup_write(b->root, "cgroup.subtree_control", off[k]);
                (void) cgroup_write(b->base, "cgroup.subtree_control", off[k]);
        }
        (void) direct_procs(b->supervisor, &procs);
        for (size_t k = 0; k < procs.n; k++)
                if (cgroup_attach(b->base, procs.items[k].pid) < 0)
                        log_debug("cannot move process %d back to %s, ignoring", (int) procs.items[k].pid, b->base);
        (void) rmdir(b->supervisor);
}

void cgroup_base_done(CgroupBase *b) {
        if (b->root) {
                size_t left = each_directory(b->root, "ns-", remove_empty_namespace);

                if (b->supervisor && left == 0)
                        base_move_back(b);
                (void) rmdir(b->root);
        }
        free(b->supervisor);
        free(b->root);
        free(b->base);
        *b = (CgroupBase) {};
}
