/* Starts and restarts the manager and the logger. Must stay true: each start gets a pair of its own, so nothing of a dead one's conversation is
 * ever read by the next; the helpers live in sessions of their own, so that a key typed at the keeper's terminal reaches only the keeper. */
#include "keeper/helpers.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/span.h"
#include "linux/process.h"

#define RESTART_DELAY_MIN (100 * USEC_PER_MSEC)
#define RESTART_DELAY_MAX (5 * USEC_PER_SEC)
#define LONG_LIFE USEC_PER_SEC
#define RETRY_DELAY (100 * USEC_PER_MSEC)
#define SEND_BUFFER (8 * 1024 * 1024)

static int path_beside_us(char *ret, size_t size, const char *name) {
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        char *slash;

        if (n < 0)
                return -errno;
        self[n] = '\0'; /* with " (deleted)" behind the name after an upgrade: only the directory counts */
        slash = strrchr(self, '/');
        if (!slash)
                return -ENOENT;
        *slash = '\0';
        return (size_t) snprintf(ret, size, "%s/%s", self, name) < size ? 0 : -ENAMETOOLONG;
}

static int find_program(Helper *h, const char *name, const char *path) {
        int r;

        if (path)
                return (size_t) snprintf(h->path, sizeof(h->path), "%s", path) < sizeof(h->path) ? 0 : -ENAMETOOLONG;
        r = path_beside_us(h->path, sizeof(h->path), name);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r >= 0 && access(h->path, X_OK) >= 0)
                return 0;
        snprintf(h->path, sizeof(h->path), "%s/%s", KINGLY_LIBEXECDIR, name);
        return access(h->path, X_OK) < 0 ? -errno : 0;
}

int helper_init(Helper *h, const char *name, const char *path) {
        int r;

        *h = (Helper) { .name = name, .program = -EBADF, .wire.fd = -EBADF, .extra = -EBADF, .restart_at = USEC_INFINITY, .retry_at = USEC_INFINITY };
        r = find_program(h, name, path);
        if (r >= 0)
                helper_program(h, open(h->path, O_PATH | O_CLOEXEC));
        return r;
}

void helper_program(Helper *h, int program) {
        if (program < 0)
                return;
        fd_close(h->program);
        h->program = program;
}

void helper_done(Helper *h) {
        h->program = fd_close(h->program);
}

/* One way for a burst of ten thousand messages without a round trip. The other end needs it too: the largest packet must fit. */
static void enlarge_buffer(int fd) {
        int size = SEND_BUFFER;

        if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
                (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int make_pair(int *ret_ours, int *ret_theirs) {
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        r = fd_nonblock(pair[0], true);
        if (r < 0) {
                fd_close(pair[0]);
                fd_close(pair[1]);
                return r;
        }
        enlarge_buffer(pair[0]);
        enlarge_buffer(pair[1]);
        *ret_ours = pair[0];
        *ret_theirs = pair[1];
        return 0;
}

/* The wire becomes `to`, the extra descriptor the next one; what lies above is closed by execve(2). */
static int arrange(int wire, int extra, int to) {
        int above = extra >= 0 ? fcntl(extra, F_DUPFD_CLOEXEC, to + 2) : -EBADF;

        if ((extra >= 0 && above < 0) || (wire == to ? fcntl(wire, F_SETFD, 0) < 0 : dup2(wire, to) < 0) ||
            (above >= 0 && dup2(above, to + 1) < 0))
                return -errno;
        return close_range((unsigned) to + (above >= 0 ? 2 : 1), ~0U, CLOSE_RANGE_CLOEXEC) < 0 && errno != ENOSYS ? -errno : 0;
}

/* In the child. What names our pid in the environment must name the helper's instead. */
static _Noreturn void execute(const Helper *h, char *const *given, int wire, int fd_in_child, const ChildDefaults *d) {
        char *alone[] = { (char *) h->path, NULL }, **argv = given ? (char **) given : alone;
        WireFailed failed = { .h = { WIRE_FAILED, sizeof(failed) }, .stage = STAGE_EXEC };
        char pid[16];
        int program;

        child_reset_signals(d);
        (void) setsid();
        /* One whose keeper dies before this takes effect sees the end of its wire. */
        if (h->mortal)
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        program = h->program >= 0 ? fcntl(h->program, F_DUPFD_CLOEXEC, fd_in_child + 2) : -EBADF; /* out of the way of the numbers it will see */
        if (arrange(wire, h->extra, fd_in_child) < 0) {
                log_errno(LOG_ERR, errno, "cannot arrange the descriptors of %s", h->name);
                _exit(EXIT_FAILURE);
        }
        snprintf(pid, sizeof(pid), "%i", getpid());
        if (getenv("WATCHDOG_PID"))
                (void) setenv("WATCHDOG_PID", pid, true);
        argv[0] = (char *) h->path;
        /* By its path what is a script, whose interpreter could not open it, and where the call is unknown or forbidden. */
        (void) execveat(program, "", argv, environ, AT_EMPTY_PATH);
        (void) execv(h->path, argv);
        failed.error = errno;
        if (h->curious)
                (void) fd_send(fd_in_child, &failed, sizeof(failed), NULL, 0);
        else
                log_errno(LOG_ERR, failed.error, "cannot execute %s", h->path);
        _exit(127);
}

/* At once, so that nobody waits for more than a start; more and more seldom when it does not live on. */
static void schedule(Helper *h) {
        usec_t now = now_usec(CLOCK_MONOTONIC);
        unsigned doublings;

        if (h->started > 0 && now - h->started >= LONG_LIFE)
                h->failures = 0;
        doublings = MIN(h->failures, 16u);
        h->restart_at = doublings > 0 ? usec_add(now, MIN(RESTART_DELAY_MIN << (doublings - 1), RESTART_DELAY_MAX)) : now;
        h->failures++;
}

int helper_start(Helper *h, Poller *p, char *const *argv, int fd_in_child, const ChildDefaults *d) {
        _cleanup_fd_ int theirs = -EBADF;
        pid_t pid;
        int r;

        h->restart_at = USEC_INFINITY;
        h->started = now_usec(CLOCK_MONOTONIC);
        r = make_pair(&h->wire.fd, &theirs);
        if (r >= 0)
                r = poller_add(p, &h->wire, EPOLLIN);
        pid = r >= 0 ? process_clone(-EBADF, NULL) : r;
        if (pid == 0)
                execute(h, argv, theirs, fd_in_child, d);
        if (pid < 0) {
                helper_close(h, p);
                schedule(h);
                return log_errno(LOG_ERR, pid, "cannot start %s", h->name);
        }
        h->pid = pid;
        h->starts++;
        log_debug("started %s as process %i", h->name, pid);
        return 0;
}

static void log_end(const Helper *h, pid_t pid, int status) {
        if (WIFSIGNALED(status))
                log_error("%s (process %i) was killed by %s%s", h->name, pid, signal_name(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped" : "");
        else
                log_error("%s (process %i) ended with status %i", h->name, pid, WEXITSTATUS(status));
}

void helper_ended(Helper *h, Poller *p, pid_t pid, int status) {
        log_end(h, pid, status);
        helper_close(h, p);
        schedule(h);
}

void helper_close(Helper *h, Poller *p) {
        poller_remove(p, &h->wire);
        h->wire.fd = fd_close(h->wire.fd);
        h->full = h->deaf = false;
        h->retry_at = USEC_INFINITY;
}

void helper_broken(Helper *h, Poller *p) {
        helper_close(h, p);
        if (h->pid > 0)
                (void) kill(h->pid, SIGKILL); /* not reaped yet, so the number is still its own */
}

static void update_interest(Helper *h, Poller *p) {
        bool out = h->full && h->retry_at == USEC_INFINITY;

        if (h->wire.fd >= 0)
                (void) poller_modify(p, &h->wire, (h->deaf ? 0 : EPOLLIN) | (out ? EPOLLOUT : 0));
}

static void pause_sending(Helper *h, Poller *p, usec_t until) {
        h->full = true;
        h->retry_at = until;
        update_interest(h, p);
}

void helper_pause(Helper *h, Poller *p) {
        pause_sending(h, p, usec_add(now_usec(CLOCK_MONOTONIC), RETRY_DELAY));
}

int helper_send(Helper *h, Poller *p, const void *packet, size_t size, const int *fds, size_t n_fds) {
        int r;

        if (h->wire.fd < 0)
                return -ENOTCONN;
        if (h->full)
                return -EAGAIN;
        r = fd_send(h->wire.fd, packet, size, fds, n_fds);
        if (r == -EAGAIN)
                pause_sending(h, p, USEC_INFINITY);
        else if (fd_send_later(r))
                helper_pause(h, p);
        return fd_send_later(r) ? -EAGAIN : r;
}

void helper_writable(Helper *h, Poller *p) {
        if (!h->full)
                return;
        h->full = false;
        h->retry_at = USEC_INFINITY;
        update_interest(h, p);
}

void helper_listen(Helper *h, Poller *p, bool on) {
        if (h->deaf == !on)
                return;
        h->deaf = !on;
        update_interest(h, p);
}
