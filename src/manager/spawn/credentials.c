/* Must stay true: a secret passes from file to file within the kernel, never through our memory; what is readable is complete; only the user of the
 * service (and root) can enter the directory of an instance; what we remove is only ever what stands in directories of our own.
 *
 * BASE/NAMESPACE/INVOCATION/CREDENTIAL. BASE and what is below it is made when the first one is needed. A manager that dies leaves them in place for
 * what lives on; the next one finds them by their names. The invocation id, and not the instance, names them, because of a rolling reload there are two. */
#include "manager/spawn/credentials.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/text.h"
#include "manager/life/service.h"
#include "manager/spawn/spawn.h"
#include "model/credential.h"

/* ---- the place ---- */

/* The type of the file system that a path is on; 0: not known. */
static long filesystem(const char *path) {
        struct statfs fs;

        return statfs(path, &fs) < 0 ? 0 : (long) fs.f_type;
}

static bool in_memory(const char *path) {
        long type = filesystem(path);

        return type == TMPFS_MAGIC || type == RAMFS_MAGIC;
}

int credentials_init(Manager *m) {
        bool shm = !in_memory(m->places.runtime) && in_memory("/dev/shm") && access("/dev/shm", W_OK) >= 0;

        m->credentials = shm ? text_printf("/dev/shm/kingly-%u-%s", (unsigned) geteuid(), m->places.id) : path_join(m->places.runtime, "credentials");
        return m->credentials ? 0 : -ENOMEM;
}

/* The directory that the base is in. */
static char *base_parent(const Manager *m) {
        return strndup(m->credentials, (size_t) (strrchr(m->credentials, '/') - m->credentials));
}

char *credentials_report(const Manager *m, bool *ret_ok) {
        _cleanup_free_ char *parent = base_parent(m);

        *ret_ok = parent && in_memory(parent);
        if (!parent)
                return NULL;
        if (!*ret_ok)
                return text_printf("on a disk: %s", m->credentials);
        return text_printf("in memory: %s (%s)", m->credentials, filesystem(parent) == RAMFS_MAGIC ? "ramfs" : "tmpfs, which may be swapped out");
}

#define NAME_SIZE 33

static const char *name_of(const Instance *i, char buf[NAME_SIZE]) {
        hex_encode(buf, i->invocation, sizeof i->invocation);
        return buf;
}

char *credentials_path(const Instance *i) {
        char name[NAME_SIZE];

        return text_printf("%s/%s/%s", i->service->manager->credentials, i->service->spec->ns, name_of(i, name));
}

/* A directory of ours that others may pass through: what lies in it has names that say nothing. at: where, or AT_FDCWD with a path. */
static int open_directory(int at, const char *name, bool make, int *ret) {
        _cleanup_fd_ int fd = -EBADF;
        struct stat st;

        if (make && mkdirat(at, name, 0711) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        /* In /dev/shm anybody could have been before us. */
        if (st.st_uid != geteuid())
                return -EPERM;
        if (make && (st.st_mode & 07777) != 0711 && fchmod(fd, 0711) < 0)
                return -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

static int open_namespace(const Manager *m, const char *ns, bool make, int *ret) {
        _cleanup_fd_ int base = -EBADF;
        int r = open_directory(AT_FDCWD, m->credentials, make, &base);

        return r < 0 ? r : open_directory(base, ns, make, ret);
}

/* Files only: a service that puts a directory into its own has that remain. */
static int remove_directory(int at, const char *name) {
        _cleanup_fd_ int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct dirent *e;
        DIR *d;

        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        (void) fchmod(fd, 0700);
        d = fdopendir(fd);
        if (!d)
                return -errno;
        TAKE_FD(fd);
        while ((e = readdir(d)))
                if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
                        (void) unlinkat(dirfd(d), e->d_name, 0);
        closedir(d);
        return unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

/* ---- one credential ---- */

/* For file systems that cannot hand over pages; nothing of it stays behind. */
static ssize_t copy_some(int to, int from) {
        char buffer[4096];
        ssize_t n = read(from, buffer, sizeof buffer);

        if (n > 0 && fd_write_all(to, buffer, (size_t) n) < 0)
                n = -1;
        explicit_bzero(buffer, sizeof buffer);
        return n;
}

static int copy_content(int to, int from, size_t *room) {
        for (;;) {
                ssize_t n = sendfile(to, from, NULL, *room + 1);

                if (n < 0 && (errno == EINVAL || errno == ENOSYS))
                        n = copy_some(to, from);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                if ((size_t) n > *room)
                        return -EFBIG;
                *room -= (size_t) n;
        }
}

static int open_source(const char *path) {
        _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -ENODEV;
}

static int fill(int to, const Credential *c, size_t *room) {
        size_t n = c->text ? strlen(c->text) : 0;
        _cleanup_fd_ int from = -EBADF;

        if (c->text) {
                if (n > *room)
                        return -EFBIG;
                *room -= n;
                return fd_write_all(to, c->text, n);
        }
        from = open_source(c->file);
        return from < 0 ? from : copy_content(to, from, room);
}

static int give_to(int fd, const Identity *id, mode_t mode) {
        if (id->set && fchown(fd, id->uid, id->gid) < 0)
                return -errno;
        return fchmod(fd, mode) < 0 ? -errno : 0;
}

static int write_one(int directory, const Credential *c, const Identity *id, size_t *room) {
        _cleanup_free_ char *name = strndup(c->name, c->n_name);
        _cleanup_fd_ int fd = -EBADF;
        int r;

        if (!name)
                return -ENOMEM;
        fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = fill(fd, c, room);
        if (r == -ENOENT && c->optional)
                return unlinkat(directory, name, 0) < 0 ? -errno : 0;
        return r < 0 ? r : give_to(fd, id, 0400);
}

/* What to do about it, where that is not said by the fault itself; NULL: nothing. */
static const char *hint_for(int error) {
        static const struct {
                int error;
                const char *hint;
        } hints[] = {
                { -ENOENT, "create it, or write -PATH if the file may be missing" },
                { -EACCES, "kingd must be able to read it; the service itself need not" },
                { -EFBIG, "all credentials of a service together have at most 1 MiB" },
                { -ENODEV, "a credential is a regular file" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
                if (hints[i].error == error)
                        return hints[i].hint;
        return NULL;
}

static int say(const Credential *c, int error, KlError *reterr) {
        const char *why = error == -ENODEV ? "not a regular file" : error == -EFBIG ? "too large" : strerror(-error), *hint = hint_for(error);

        (void) kl_error_set(reterr, error, KL_E_INVALID, "credentials.%.*s: %s%s%s", (int) c->n_name, c->name, c->file ?: "", c->file ? ": " : "", why);
        if (hint)
                kl_error_hint(reterr, "%s", hint);
        return error;
}

/* ---- those of an instance ---- */

static int write_all(int directory, char *const *entries, const Identity *id, KlError *reterr) {
        size_t room = CREDENTIALS_SIZE_MAX;
        int r;

        STRV_FOREACH(entry, entries) {
                Credential c;

                if (!credential_split(*entry, &c))
                        continue;
                r = write_one(directory, &c, id, &room);
                if (r < 0)
                        return say(&c, r, reterr);
        }
        r = give_to(directory, id, 0500);
        return r < 0 ? kl_error_set(reterr, r, KL_E_FAILED, "credentials: cannot give their directory to the service's user: %s", strerror(-r)) : 0;
}

static int make(Instance *i, const Identity *id, KlError *reterr) {
        const ServiceSpec *s = i->service->spec;
        _cleanup_fd_ int ns = -EBADF, directory = -EBADF;
        char name[NAME_SIZE];
        int r;

        name_of(i, name);
        r = open_namespace(i->service->manager, s->ns, true, &ns);
        if (r >= 0)
                r = remove_directory(ns, name);
        if (r >= 0 && mkdirat(ns, name, 0700) < 0)
                r = -errno;
        if (r >= 0 && (directory = openat(ns, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
                r = -errno;
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "credentials: cannot make a directory in %s: %s", i->service->manager->credentials, strerror(-r));
        return write_all(directory, s->credentials, id, reterr);
}

static void drop(Instance *i) {
        const ServiceSpec *s = i->service->spec;
        _cleanup_fd_ int ns = -EBADF, base = -EBADF;
        char name[NAME_SIZE];
        int r;

        i->credentials = i->credentials_fresh = false;
        name_of(i, name);
        r = open_directory(AT_FDCWD, i->service->manager->credentials, false, &base);
        if (r >= 0)
                r = open_directory(base, s->ns, false, &ns);
        if (r >= 0)
                r = remove_directory(ns, name);
        if (r < 0 && r != -ENOENT)
                log_errno(LOG_WARNING, r, "%s: its credentials cannot be removed", i->service->key);
        if (base >= 0)
                (void) unlinkat(base, s->ns, AT_REMOVEDIR); /* when it was the last */
}

int credentials_give(Instance *i, const Identity *id, KlError *reterr) {
        int r;

        if (!i->service->spec->credentials || i->credentials_fresh)
                return 0;
        r = spawn_invoke(i);
        if (r < 0)
                return r;
        r = make(i, id, reterr);
        i->credentials = i->credentials_fresh = r >= 0;
        if (r < 0)
                drop(i);
        return r;
}

void credentials_forget(Instance *i) {
        if (i->credentials)
                drop(i);
}

void credentials_run_over(Instance *i) {
        i->credentials_fresh = i->invoked = false;
}

/* Where nothing lives and nothing is on its way to. */
static bool at_rest(const Lifecycle *l) {
        switch (l->state) {
        case LC_STOPPED: case LC_EXITED: case LC_FAILED: case LC_WAIT_BACKOFF: case LC_WAIT_DEPS: case LC_WAIT_DEMAND:
                return true;
        default:
                return false;
        }
}

int credentials_lend(Instance *i, const Identity *id, KlError *reterr) {
        if (at_rest(&i->lc))
                return 0;
        return i->credentials && i->lc.state != LC_PRE_START ? 0 : credentials_give(i, id, reterr);
}

void credentials_attend(Instance *i) {
        if (i->credentials && at_rest(&i->lc))
                drop(i);
}

/* ---- what was left ---- */

static Instance *find_invocation(Manager *m, const char *ns, const uint8_t invocation[16]) {
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; streq(m->order[k]->spec->ns, ns) && n < m->order[k]->n_instances; n++)
                        if (memcmp(m->order[k]->instances[n]->invocation, invocation, 16) == 0)
                                return m->order[k]->instances[n];
        return NULL;
}

/* What lives goes on with its own. */
static bool take_up(Manager *m, const char *ns, const char *name) {
        uint8_t invocation[16];
        Instance *i = hex_decode(name, invocation, sizeof invocation) ? find_invocation(m, ns, invocation) : NULL;

        if (!i || at_rest(&i->lc) || !i->run)
                return false;
        i->credentials = i->credentials_fresh = i->invoked = true;
        return true;
}

/* NULL: there is none, or it cannot be read. */
static DIR *list_directory(int base, const char *name) {
        _cleanup_fd_ int fd = -EBADF;
        DIR *d;

        if (open_directory(base, name, false, &fd) < 0)
                return NULL;
        d = fdopendir(fd);
        if (d)
                TAKE_FD(fd);
        return d;
}

static void sweep_namespace(Manager *m, int base, const char *ns) {
        DIR *d = list_directory(base, ns);
        struct dirent *e;

        if (!d)
                return;
        while ((e = readdir(d)))
                if (!streq(e->d_name, ".") && !streq(e->d_name, "..") && !take_up(m, ns, e->d_name))
                        (void) remove_directory(dirfd(d), e->d_name);
        closedir(d);
        (void) unlinkat(base, ns, AT_REMOVEDIR);
}

void credentials_sweep(Manager *m) {
        DIR *d = list_directory(AT_FDCWD, m->credentials);
        struct dirent *e;

        if (!d)
                return;
        while ((e = readdir(d)))
                if (name_valid(e->d_name))
                        sweep_namespace(m, dirfd(d), e->d_name);
        closedir(d);
}

void credentials_done(Manager *m) {
        if (m->credentials)
                (void) rmdir(m->credentials); /* unless somebody lives on with some */
        free(m->credentials);
}
