/* Waking up who follows a log. Two watches: on the directory for names that come and go, on the file at hand for appends; not one for
 * both, since a directory holds the logs of many services and each follower would wake for all. Must stay true: a missing directory is
 * waited for at the nearest one above it that exists, so that following may start before the first line was ever written. */
#include <stdio.h>
#include <sys/inotify.h>

#include "base/fd.h"
#include "logger/reader_state.h"

#define NAME_EVENTS (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

void reader_watch_init(LogReader *r) {
        r->inotify_fd = -EBADF;
        r->file_watch = r->directory_watch = -1;
}

void reader_watch_done(LogReader *r) {
        r->inotify_fd = fd_close(r->inotify_fd);
}

static void drop(LogReader *r, int *watch) {
        if (*watch >= 0)
                (void) inotify_rm_watch(r->inotify_fd, *watch);
        *watch = -1;
}

/* Cuts the last component off, in place: "a/b" → "a" → ".", "/a" → "/" → false. */
static bool go_up(char *path) {
        char *slash = strrchr(path, '/');

        if (streq(path, "/") || streq(path, "."))
                return false;
        if (!slash)
                strcpy(path, ".");
        else if (slash == path)
                path[1] = '\0';
        else
                *slash = '\0';
        return true;
}

/* Watches the directory of the file, or the nearest one above. */
static int watch_directory(LogReader *r) {
        char dir[PATH_MAX];
        bool exact = true;
        int watch = -1;

        if (strlen(r->path) >= sizeof(dir) - 1)
                return -ENAMETOOLONG;
        strcpy(dir, r->path);
        while (watch < 0 && go_up(dir)) {
                watch = inotify_add_watch(r->inotify_fd, dir, NAME_EVENTS);
                if (watch < 0 && errno != ENOENT)
                        return -errno;
                exact = exact && watch >= 0;
        }
        if (watch < 0)
                return -ENOENT;
        if (r->directory_watch != watch)
                drop(r, &r->directory_watch);
        r->directory_watch = watch;
        r->directory_exact = exact;
        return 0;
}

static void watch_file(LogReader *r) {
        char path[32];
        int watch;

        if (r->file.fd < 0)
                return;
        /* By its descriptor: the name may stand for another file by now. The kernel gives the same number for the same file. */
        snprintf(path, sizeof(path), "/proc/self/fd/%i", r->file.fd);
        watch = inotify_add_watch(r->inotify_fd, path, IN_MODIFY);
        if (watch < 0)
                watch = inotify_add_watch(r->inotify_fd, r->path, IN_MODIFY);
        if (r->file_watch != watch)
                drop(r, &r->file_watch);
        r->file_watch = watch;
}

/* A directory that was made while we looked above it gave no event for what it already holds: look until nothing new turns up. */
static int watch_all(LogReader *r) {
        int before, q;

        do {
                before = r->directory_watch;
                q = watch_directory(r);
                if (q < 0)
                        return q;
        } while (!r->directory_exact && r->directory_watch != before);
        watch_file(r);
        return 0;
}

int log_reader_watch_fd(LogReader *r) {
        int q;

        if (r->inotify_fd >= 0)
                return r->inotify_fd;
        r->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (r->inotify_fd < 0)
                return -errno;
        q = watch_all(r);
        if (q < 0) {
                reader_watch_done(r);
                return q;
        }
        return r->inotify_fd;
}

/* True: a directory went away, or one came below the one that is watched. */
static bool read_events(LogReader *r) {
        _Alignas(struct inotify_event) char buffer[4096];
        bool moved = !r->directory_exact;
        ssize_t n;

        while ((n = read(r->inotify_fd, buffer, sizeof(buffer))) > 0)
                for (char *p = buffer; p < buffer + n;) {
                        const struct inotify_event *e = (const struct inotify_event *) p;

                        moved |= (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) && e->wd == r->directory_watch;
                        p += sizeof(*e) + e->len;
                }
        return moved;
}

void reader_watch_drain(LogReader *r) {
        if (r->inotify_fd < 0)
                return;
        if (read_events(r))
                (void) watch_all(r);
        else
                watch_file(r);
}
