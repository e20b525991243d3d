/* See tree.h. What must stay true: a path is known by the watch descriptor of its directory; a directory that moved away takes its watches (and
 * those below it) with it, and one that moved in is read anew, so that no path is ever stale. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/map.h"
#include "base/text.h"
#include "linux/tree.h"

#define WATCHED                                                                                                                                     \
        (IN_CREATE | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR |             \
         IN_DONT_FOLLOW | IN_EXCL_UNLINK)
#define EVENTS_SIZE (16 * 1024)

typedef struct Directory {
        uint64_t wd;
        char *path;                       /* relative to the root; "" is the root */
        LIST_ENTRY(Directory) all;
} Directory;

typedef struct Pending {
        char *path;
        bool fresh;                       /* came to be while we watched: what is in it is news */
        STAILQ_ENTRY(Pending) next;
} Pending;

struct Tree {
        char *root;                       /* directory */
        char *only;                       /* the one name in it that counts; NULL: all */
        TreeCallbacks callbacks;
        int fd;
        Map *by_wd;                       /* wd → Directory */
        LIST_HEAD(, Directory) all;
        size_t n;
        STAILQ_HEAD(, Pending) pending;
        bool gone;
};

static int queue(Tree *t, const char *path, bool fresh) {
        Pending *p = malloc(sizeof(Pending));

        if (!p)
                return -ENOMEM;
        *p = (Pending) { .path = strdup(path), .fresh = fresh };
        if (!p->path) {
                free(p);
                return -ENOMEM;
        }
        STAILQ_INSERT_TAIL(&t->pending, p, next);
        return 0;
}

static void pending_free(Pending *p) {
        free(p->path);
        free(p);
}

static void directory_free(Tree *t, Directory *d) {
        LIST_REMOVE(d, all);
        map_remove(t->by_wd, &d->wd);
        t->n--;
        free(d->path);
        free(d);
}

/* A file is watched through its directory: editors replace files rather than write them. */
static int take_root(Tree *t, const char *root) {
        const char *slash = strrchr(root, '/');
        struct stat st;

        if (stat(root, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return (t->root = strdup(root)) ? 0 : -ENOMEM;
        t->root = slash == root ? strdup("/") : slash ? strndup(root, (size_t) (slash - root)) : strdup(".");
        t->only = strdup(slash ? slash + 1 : root);
        return t->root && t->only ? 0 : -ENOMEM;
}

int tree_new(const char *root, const TreeCallbacks *callbacks, Tree **ret) {
        _cleanup_(tree_freep) Tree *t = calloc(1, sizeof(Tree));
        int r;

        if (!t)
                return -ENOMEM;
        *t = (Tree) { .callbacks = *callbacks, .fd = -EBADF, .by_wd = map_new_u64() };
        LIST_INIT(&t->all);
        STAILQ_INIT(&t->pending);
        r = t->by_wd ? take_root(t, root) : -ENOMEM;
        if (r < 0)
                return r;
        t->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (t->fd < 0)
                return -errno;
        r = queue(t, "", false);
        if (r >= 0)
                *ret = TAKE_PTR(t);
        return r;
}

Tree *tree_free(Tree *t) {
        Pending *p;

        if (!t)
                return NULL;
        while (!LIST_EMPTY(&t->all))
                directory_free(t, LIST_FIRST(&t->all));
        while ((p = STAILQ_FIRST(&t->pending))) {
                STAILQ_REMOVE_HEAD(&t->pending, next);
                pending_free(p);
        }
        map_free(t->by_wd);
        fd_close(t->fd);
        free(t->root);
        free(t->only);
        free(t);
        return NULL;
}

const char *tree_root(const Tree *t) {
        return t->root;
}

size_t tree_watches(const Tree *t) {
        return t->n;
}

int tree_fd(const Tree *t) {
        return t->fd;
}

static bool ignored(const Tree *t, const char *path, bool directory) {
        return (t->only && !streq(path, t->only)) || t->callbacks.ignore(t->callbacks.userdata, path, directory);
}

static char *join(const char *directory, const char *name) {
        return *directory ? text_printf("%s/%s", directory, name) : strdup(name);
}

/* ---- reading directories ---- */

/* The watch before the reading: what comes between the two is told twice rather than not at all. */
static int watch(Tree *t, const char *path) {
        _cleanup_free_ char *full = *path ? path_join(t->root, path) : strdup(t->root);
        Directory *d;
        int wd;

        if (!full)
                return -ENOMEM;
        wd = inotify_add_watch(t->fd, full, WATCHED);
        if (wd < 0)
                return -errno;
        d = map_get(t->by_wd, &(uint64_t) { (uint64_t) wd });
        if (d) {
                /* Known already, by the name it had: it moved within the tree. */
                free(d->path);
                return (d->path = strdup(path)) ? 0 : -ENOMEM;
        }
        d = calloc(1, sizeof(Directory));
        if (!d || !(d->path = strdup(path)) || map_put(t->by_wd, (d->wd = (uint64_t) wd, &d->wd), d) < 0) {
                if (d)
                        free(d->path);
                free(d);
                (void) inotify_rm_watch(t->fd, wd);
                return -ENOMEM;
        }
        LIST_INSERT_HEAD(&t->all, d, all);
        t->n++;
        return 0;
}

static bool is_directory(int fd, const struct dirent *e) {
        struct stat st;

        if (e->d_type != DT_UNKNOWN)
                return e->d_type == DT_DIR;
        return fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISDIR(st.st_mode);
}

static int take_entry(Tree *t, const Pending *p, int fd, const struct dirent *e) {
        bool directory = is_directory(fd, e);
        _cleanup_free_ char *path = NULL;

        if (streq(e->d_name, ".") || streq(e->d_name, "..") || (!directory && !p->fresh))
                return 0;
        path = join(p->path, e->d_name);
        if (!path)
                return -ENOMEM;
        if (ignored(t, path, directory))
                return 0;
        if (p->fresh)
                t->callbacks.changed(t->callbacks.userdata, path);
        return directory && !t->only ? queue(t, path, p->fresh) : 0;
}

static int read_directory(Tree *t, const Pending *p) {
        _cleanup_free_ char *full = *p->path ? path_join(t->root, p->path) : strdup(t->root);
        struct dirent *e;
        int r = 0;
        DIR *dir;

        if (!full)
                return -ENOMEM;
        dir = opendir(full);
        if (!dir)
                return -errno;
        while (r >= 0 && (e = readdir(dir)))
                r = take_entry(t, p, dirfd(dir), e);
        closedir(dir);
        return r;
}

static bool may_be_passed_over(int r) {
        return r == -ENOENT || r == -ENOTDIR || r == -EACCES || r == -ELOOP;
}

int tree_scan(Tree *t, unsigned budget) {
        int r = 0;

        while (r >= 0 && budget-- > 0 && !STAILQ_EMPTY(&t->pending)) {
                Pending *p = STAILQ_FIRST(&t->pending);

                STAILQ_REMOVE_HEAD(&t->pending, next);
                r = watch(t, p->path);
                if (r >= 0)
                        r = read_directory(t, p);
                if (may_be_passed_over(r))
                        r = 0;
                pending_free(p);
        }
        return r < 0 ? r : !STAILQ_EMPTY(&t->pending);
}

/* ---- events ---- */

static void forget_below(Tree *t, const char *path) {
        size_t n = strlen(path);

        for (Directory *d = LIST_FIRST(&t->all), *next; d; d = next) {
                next = LIST_NEXT(d, all);
                if (strncmp(d->path, path, n) == 0 && (d->path[n] == '/' || d->path[n] == '\0')) {
                        (void) inotify_rm_watch(t->fd, (int) d->wd);
                        directory_free(t, d);
                }
        }
}

static int take_named(Tree *t, const Directory *d, const struct inotify_event *e) {
        bool directory = e->mask & IN_ISDIR;
        _cleanup_free_ char *path = join(d->path, e->name);

        if (!path)
                return -ENOMEM;
        if (ignored(t, path, directory))
                return 0;
        if (directory && (e->mask & IN_MOVED_FROM))
                forget_below(t, path);
        t->callbacks.changed(t->callbacks.userdata, path);
        return directory && !t->only && (e->mask & (IN_CREATE | IN_MOVED_TO)) ? queue(t, path, true) : 0;
}

static int take_event(Tree *t, const struct inotify_event *e) {
        Directory *d;

        if (e->mask & IN_Q_OVERFLOW) {
                t->callbacks.changed(t->callbacks.userdata, "");
                return queue(t, "", false);
        }
        d = map_get(t->by_wd, &(uint64_t) { (uint64_t) e->wd });
        if (!d)
                return 0;
        if (e->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) {
                t->gone = t->gone || !*d->path;
                if (e->mask & IN_IGNORED)
                        directory_free(t, d);
                return 0;
        }
        return e->len > 0 ? take_named(t, d, e) : 0;
}

int tree_process(Tree *t) {
        _Alignas(struct inotify_event) char events[EVENTS_SIZE];
        ssize_t n = read(t->fd, events, sizeof events);
        int r = 0;

        if (n < 0 && errno != EAGAIN && errno != EINTR)
                return -errno;
        for (char *p = events; p < events + n && r >= 0; p += sizeof(struct inotify_event) + ((struct inotify_event *) (void *) p)->len)
                r = take_event(t, (struct inotify_event *) (void *) p);
        if (r < 0)
                return r;
        return t->gone ? -EIDRM : !STAILQ_EMPTY(&t->pending);
}
