/* Must stay true: only this process renames and removes numbered files, and it has one thread, so that a number holds still between looking
 * it up by inode and renaming to it; the child writes to nothing but the temporary file that was opened for it. */
#include "logger/archiver.h"

#include <fcntl.h>
#include <stdio.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "linux/process.h"
#include "logger/compress.h"

struct ArchiveJob {
        TAILQ_ENTRY(ArchiveJob) next;
        char *path;
        uint32_t keep;
        ChainForm form;
        struct stat source;           /* of the file at work */
};

static void start(Archiver *a);

static void job_drop(Archiver *a, ArchiveJob *j) {
        TAILQ_REMOVE(&a->jobs, j, next);
        free(j->path);
        free(j);
}

/* ---- the child ---- */

/* Nothing that others wait for: idle for the processor and for the disk (ioprio_set(2)), and it dies with us. */
static void be_humble(pid_t parent) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(EXIT_FAILURE);
        (void) prctl(PR_SET_NAME, "kingd-archive");
        (void) sched_setscheduler(0, SCHED_IDLE, &(struct sched_param) {});
        (void) syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
}

/* The others are read ends of pipes: as long as somebody has one, its writer would wait for us instead of being told. */
static void close_others(int in, int out) {
        int low = MIN(in, out), high = MAX(in, out);

        (void) close_range(STDERR_FILENO + 1, (unsigned) low - 1, 0);
        if (high - low > 1)
                (void) close_range((unsigned) low + 1, (unsigned) high - 1, 0);
        (void) close_range((unsigned) high + 1, ~0U, 0);
}

/* The exit status is the error number. */
static _Noreturn void compress(const ArchiveJob *j, pid_t parent, int in, int out) {
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, j->source.st_mtim };
        int r;

        be_humble(parent);
        if (in > STDERR_FILENO && out > STDERR_FILENO)
                close_others(in, out);
        r = compress_copy(in, out, j->form);
        if (r >= 0 && (futimens(out, times) < 0 || fsync(out) < 0))
                r = -errno;
        _exit(r < 0 ? -r : EXIT_SUCCESS);
}

/* ---- its work ---- */

/* Opens the newest file that is not compressed; what has both forms is settled on the way. -ENOENT: nothing left to do. */
static int open_source(ArchiveJob *j) {
        for (uint32_t i = 1; i <= j->keep; i++) {
                ChainName name;
                int fd, form = chain_find(j->path, i, NULL);

                if (form < 0 || chain_name(name, j->path, i, CHAIN_PLAIN) < 0)
                        continue;
                if (form != CHAIN_PLAIN) {
                        (void) unlink(name);
                        continue;
                }
                fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
                if (fd >= 0 && fstat(fd, &j->source) >= 0 && S_ISREG(j->source.st_mode))
                        return fd;
                fd_close(fd);
        }
        return -ENOENT;
}

/* Readable for whoever could read the source. */
static int open_temporary(const ArchiveJob *j) {
        _cleanup_fd_ int fd = -EBADF;
        ChainName name;
        int r;

        r = chain_temporary(name, j->path, j->form);
        if (r < 0)
                return r;
        (void) unlink(name); /* of a child that was stopped */
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        if (fchown(fd, j->source.st_uid, j->source.st_gid) < 0 || fchmod(fd, j->source.st_mode & 0777) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int run(Archiver *a, ArchiveJob *j) {
        _cleanup_fd_ int in = -EBADF, out = -EBADF;
        pid_t parent = getpid(), pid;

        in = open_source(j);
        if (in < 0)
                return in;
        out = open_temporary(j);
        if (out < 0)
                return out;
        pid = process_clone(-EBADF, &a->child.fd);
        if (pid == 0)
                compress(j, parent, in, out);
        if (pid < 0)
                return pid;
        a->pid = pid;
        return poller_add(a->poller, &a->child, EPOLLIN); /* -EBADF from a kernel without pidfds, too */
}

/* Only now it is known what number the file has. Gone: rotation has removed it meanwhile. */
static int settle(const ArchiveJob *j) {
        ChainName temporary, plain, done;
        struct stat st;
        int r;

        r = chain_temporary(temporary, j->path, j->form);
        for (uint32_t i = 1; r >= 0 && i <= j->keep; i++) {
                r = chain_name(plain, j->path, i, CHAIN_PLAIN);
                if (r < 0 || lstat(plain, &st) < 0 || st.st_ino != j->source.st_ino || st.st_dev != j->source.st_dev)
                        continue;
                r = chain_name(done, j->path, i, j->form);
                if (r >= 0)
                        r = rename(temporary, done) < 0 || unlink(plain) < 0 ? -errno : 0;
                return r;
        }
        (void) unlink(temporary);
        return r;
}

/* Waits for the child, which has ended or is about to. 0 or -errno. */
static int reap(Archiver *a) {
        int status = 0;
        pid_t pid;

        if (a->child.added)
                poller_remove(a->poller, &a->child);
        a->child.fd = fd_close(a->child.fd);
        do
                pid = waitpid(a->pid, &status, 0);
        while (pid < 0 && errno == EINTR);
        a->pid = 0;
        return pid < 0 || !WIFEXITED(status) ? -ECHILD : -WEXITSTATUS(status);
}

static void discard(Archiver *a) {
        const ArchiveJob *j = TAILQ_FIRST(&a->jobs);
        ChainName name;

        (void) kill(a->pid, SIGKILL); /* not reaped yet, so the number is still its own */
        (void) reap(a);
        if (j && chain_temporary(name, j->path, j->form) >= 0)
                (void) unlink(name);
}

static void child_ended(PollSource *s, uint32_t events) {
        Archiver *a = (Archiver *) ((char *) s - offsetof(Archiver, child));
        ArchiveJob *j = TAILQ_FIRST(&a->jobs);
        ChainName name;
        int r;

        r = reap(a);
        if (r >= 0)
                r = settle(j);
        else if (chain_temporary(name, j->path, j->form) >= 0)
                (void) unlink(name);
        if (r < 0) {
                log_errno(LOG_WARNING, r, "cannot compress what was put aside of %s, leaving it as it is until the next rotation", j->path);
                job_drop(a, j);
        }
        start(a);
}

/* The next file of the first job, or of the one after it when there is none left. */
static void start(Archiver *a) {
        ArchiveJob *j;
        int r;

        while ((j = TAILQ_FIRST(&a->jobs))) {
                r = run(a, j);
                if (r >= 0)
                        return;
                if (a->pid > 0)
                        discard(a);
                if (r != -ENOENT)
                        log_errno(LOG_WARNING, r, "cannot compress what was put aside of %s", j->path);
                job_drop(a, j);
        }
}

/* ---- outside ---- */

void archiver_init(Archiver *a, Poller *p) {
        *a = (Archiver) { .poller = p, .child = { .fd = -EBADF, .priority = 2, .ready = child_ended } };
        TAILQ_INIT(&a->jobs);
}

void archiver_done(Archiver *a) {
        ArchiveJob *j;

        if (a->pid > 0)
                discard(a);
        while ((j = TAILQ_FIRST(&a->jobs)))
                job_drop(a, j);
}

void archiver_add(Archiver *a, const char *path, uint32_t keep, ChainForm form) {
        ArchiveJob *j;

        TAILQ_FOREACH(j, &a->jobs, next)
                if (streq(j->path, path)) {
                        j->keep = MAX(j->keep, keep); /* it takes what is newest when its turn comes */
                        return;
                }
        j = calloc(1, sizeof(*j));
        if (j)
                j->path = strdup(path);
        if (!j || !j->path) {
                free(j);
                log_warning("out of memory: what was put aside of %s is compressed after its next rotation", path);
                return;
        }
        j->keep = keep;
        j->form = form;
        TAILQ_INSERT_TAIL(&a->jobs, j, next);
        if (a->pid == 0)
                start(a);
}
