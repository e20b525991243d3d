/* Where the scope of a run is, and whose. All daemons of one systemd choose their names alike (kingly-SERVICE-INSTANCE-GENERATION.scope): one
 * that finds its name taken takes another, and a name that was ours may be another's as soon as our scope has gone. So a name proves nothing.
 * What does is an extended attribute of the scope's cgroup, which is as old as the scope and goes with it: the invocation id of the run.
 *
 * What must stay true: the mark is set before the main process executes; a scope with another mark, or that only its name speaks for, is never
 * taken up. One without a mark (of an earlier version, or where the kernel takes none: user attributes of cgroups came with 5.7) is ours where
 * the main process lives in it and the name fits. */
#include <dirent.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "isolate/scope.h"

/* ---- whose ---- */

static const char mark_name[] = "user.kingly.invocation_id";

typedef enum Mark { MARK_NONE, MARK_OURS, MARK_ANOTHERS } Mark;

static Mark mark_is(const ScopeCell *c, const char *value, ssize_t size) {
        if (size < 0)
                return errno == ERANGE ? MARK_ANOTHERS : MARK_NONE;
        return (size_t) size == strlen(c->invocation) && memcmp(value, c->invocation, (size_t) size) == 0 ? MARK_OURS : MARK_ANOTHERS;
}

static Mark mark_of_directory(const ScopeCell *c, const char *directory) {
        char value[64];

        return mark_is(c, value, getxattr(directory, mark_name, value, sizeof(value)));
}

static Mark mark_of_cell(const ScopeCell *c) {
        char value[64];

        return mark_is(c, value, fgetxattr(c->cell.dir_fd, mark_name, value, sizeof(value)));
}

int scope_claim(ScopeCell *c, bool unmarked) {
        Mark mark;

        if (unmarked && fsetxattr(c->cell.dir_fd, mark_name, c->invocation, strlen(c->invocation), XATTR_CREATE) >= 0)
                return 0;
        mark = mark_of_cell(c);
        if (mark == MARK_OURS)
                return 0;
        if (mark == MARK_NONE && unmarked) {
                log_debug("%s cannot be marked as ours, ignoring", c->cell.cgroup);
                return 0;
        }
        cgroup_cell_close(&c->cell);
        return -ENOENT;
}

/* ---- where a process is ---- */

/* The place of a scope in the path of a cgroup: `unit`, or with NULL any of a daemon of ours. A process may have moved on to a cgroup inside of
 * its scope. *ret_n: the length of its name. */
static char *find_scope(char *path, const char *unit, size_t *ret_n) {
        static const char tail[] = ".scope";

        for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
                size_t n = strcspn(p + 1, "/");

                *ret_n = n;
                if (unit ? strlen(unit) == n && strncmp(p + 1, unit, n) == 0
                         : startswith(p + 1, "kingly-") && n > strlen(tail) && strncmp(p + 1 + n - strlen(tail), tail, strlen(tail)) == 0)
                        return p + 1;
        }
        return NULL;
}

int scope_directory_of(const ScopeCell *c, pid_t pid, char **ret) {
        _cleanup_free_ char *path = NULL, *directory = NULL;
        char *unit;
        size_t n;
        int r;

        r = process_cgroup(pid, &path);
        if (r < 0)
                return r == -ENOENT ? -ESRCH : r;
        unit = find_scope(path, c->cell.where, &n);
        if (!unit)
                return -ENOENT;
        unit[n] = '\0';
        directory = text_printf("%s%s", c->cell.isolate->mount, path);
        if (!directory)
                return -ENOMEM;
        /* A daemon that is itself in a scope of that name has its children begin there. */
        if (mark_of_directory(c, directory) == MARK_ANOTHERS)
                return -ENOENT;
        *ret = TAKE_PTR(directory);
        return 0;
}

int scope_locate(const Isolate *i, pid_t pid, const char *invocation_id, char **ret) {
        _cleanup_free_ char *path = NULL;
        char *unit;
        size_t n;
        int r;

        r = process_cgroup(pid, &path);
        if (r < 0)
                return r;
        unit = find_scope(path, NULL, &n);
        if (!unit)
                return -ENOENT;
        *ret = strndup(unit, n);
        return *ret ? 0 : -ENOMEM;
}

/* ---- the scope of a run that went on without us ---- */

/* Its number may be another's by now. -errno where it is not to be known for want of memory or descriptors. */
static int main_known(const Cell *cell) {
        ProcessStat stat;
        int r = cell->main.pid > 0 && cell->main.start_time != 0 ? process_stat(cell->main.pid, &stat) : -ESRCH;

        return r >= 0 ? stat.start_time == cell->main.start_time : error_is_want(r) ? r : 0;
}

/* Where the main process lives, unless that is another's: it may wait at its gate where its keeper lives, or have moved itself elsewhere. */
static int find_by_main(ScopeCell *c, const CellName *name, char **ret_unit) {
        _cleanup_free_ char *path = NULL, *directory = NULL, *copy = NULL;
        char *unit, *slice;
        size_t n;
        int r;

        r = process_cgroup(c->cell.main.pid, &path);
        if (r < 0)
                return r == -ESRCH ? -ENOENT : r;
        unit = find_scope(path, NULL, &n);
        if (!unit)
                return -ENOENT;
        unit[n] = '\0';
        directory = text_printf("%s%s", c->cell.isolate->mount, path);
        copy = strdup(unit);
        if (!directory || !copy)
                return -ENOMEM;
        unit[-1] = '\0';
        slice = strrchr(path, '/');
        r = scope_open(c, directory, slice && cell_name_is_unit(name, copy, slice + 1));
        if (r >= 0)
                *ret_unit = TAKE_PTR(copy);
        return r;
}

static void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

static bool may_be_ours(const ScopeCell *c, const CellName *name, const struct dirent *e) {
        const char *service = startswith(e->d_name, "kingly-");

        return service && startswith(service, name->service) && cell_name_is_unit(name, e->d_name, c->slice);
}

/* Among all of the slice: the name that the books have may be one that was taken. */
static int find_by_mark(ScopeCell *c, const CellName *name, char **ret_unit) {
        const char *base = SCOPE_ISOLATE(c)->base;
        _cleanup_free_ char *slice = streq(c->slice, "kingly.slice") ? text_printf("%s/kingly.slice", base)
                : text_printf("%s/kingly.slice/%s", base, c->slice);
        _cleanup_(closedirp) DIR *d = slice ? opendir(slice) : NULL;
        int r = -ENOENT;

        if (!d)
                return slice ? -errno : -ENOMEM;
        for (struct dirent *e; r == -ENOENT && (e = readdir(d));) {
                _cleanup_free_ char *directory = NULL;

                if (!may_be_ours(c, name, e))
                        continue;
                directory = path_join(slice, e->d_name);
                r = directory ? scope_open(c, directory, false) : -ENOMEM;
                if (r >= 0) {
                        *ret_unit = strdup(e->d_name);
                        r = *ret_unit ? 0 : -ENOMEM;
                }
        }
        return r;
}

int scope_find(ScopeCell *c, const CellName *name, char **ret_unit) {
        int r = main_known(&c->cell);

        if (r >= 0)
                r = r > 0 ? find_by_main(c, name, ret_unit) : -ENOENT;
        return r == -ENOENT ? find_by_mark(c, name, ret_unit) : r;
}
