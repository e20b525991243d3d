/* Preloaded into Kingly's programs: counts their calls by kind, and makes the one that the test armed fail, come
 * back short, come late, or kill the process. Owns nothing but its view of the board, a file that the test and all processes map (KINGLY_FAULT_BOARD;
 * without it every call goes straight through). Must stay true: a call that is not the armed one is passed on unchanged; what happens here
 * allocates nothing and leaves errno alone.
 *
 * Allocations are failed in the plain build only: under sanitizers malloc(3) is theirs (FAULT_NO_MALLOC). Those of json-c itself are left
 * alone: its parser uses the name that it could not copy (0.16, json_tokener_parse_ex). Calls inside libc, such as the open(2) of fopen(3), go by
 * unseen. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define TRACE_MAX 16

/* The order of both lists is known to tests/fault/board.py. CHILD: between clone(2) and execve(2) of a service or a helper. */
enum { KINGD, MANAGER, LOGGER, KINGCTL, CHILD, BALANCER, PROBE, PROGRAMS };
enum {
        OPEN, READ, WRITE, SEND, RECV, SYNC, RENAME, UNLINK, MKDIR, TRUNCATE, STAT, SOCKET, ACCEPT, CONNECT, BIND, PIPE, EPOLL, WAIT_EVENTS, TIMER,
        INOTIFY, DUPLICATE, LOCK, MEMORY, MAP, CLONE, PIDFD, PIDFD_SIGNAL, WAIT_CHILD, EXECUTE, KINDS
};

typedef struct Board {
        uint64_t counts[PROGRAMS][KINDS];
        /* written by the test */
        int32_t program, kind;          /* -1: nothing is armed */
        uint64_t nth, times;            /* the nth call, from 1, and so many from it on */
        int32_t error;                  /* errno; or ACT_* */
        /* written by the process that it hits */
        uint32_t fired;
        int32_t pid;
        uint32_t depth;
        uint64_t trace[TRACE_MAX];      /* return addresses; those inside the program are relative to its beginning, others 0 */
} Board;

enum { ACT_SHORT = -1, ACT_KILL = -2, ACT_LATE = -3 };

static Board *board;
static int program = -1;
static pid_t program_pid;
static bool busy;

typedef struct Image { uintptr_t begin, end; } Image;
static Image own, json;

static bool inside(const Image *i, const void *p) {
        return (uintptr_t) p >= i->begin && (uintptr_t) p < i->end;
}

static int find_images(struct dl_phdr_info *info, size_t size, void *data) {
        Image *i = own.end == 0 ? &own : strstr(info->dlpi_name, "libjson-c") ? &json : NULL; /* the first is the program itself */

        if (!i)
                return 0;
        i->begin = info->dlpi_addr;
        for (size_t k = 0; k < info->dlpi_phnum; k++)
                if (info->dlpi_phdr[k].p_type == PT_LOAD && i->begin + info->dlpi_phdr[k].p_vaddr + info->dlpi_phdr[k].p_memsz > i->end)
                        i->end = i->begin + info->dlpi_phdr[k].p_vaddr + info->dlpi_phdr[k].p_memsz;
        return 0;
}

static int which_program(void) {
        static const char *const names[] = {
                [KINGD] = "kingd", [MANAGER] = "kingd-manager", [LOGGER] = "kingd-logger", [KINGCTL] = "kingctl",
                [CHILD] = "", [BALANCER] = "kingd-balancer", [PROBE] = "kingd-probe",
        };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(program_invocation_short_name, names[i]) == 0)
                        return (int) i;
        return -1;
}

__attribute__((constructor)) static void take_board(void) {
        const char *path = getenv("KINGLY_FAULT_BOARD");
        void *first[1], *map;
        int fd;

        program = which_program();
        if (!path || program < 0)
                return;
        (void) backtrace(first, 1); /* loads what it needs now, not in the middle of an allocation */
        (void) dl_iterate_phdr(find_images, NULL);
        fd = (int) syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
        if (fd < 0)
                return;
        map = mmap(NULL, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        (void) close(fd);
        if (map == MAP_FAILED)
                return;
        program_pid = getpid();
        board = map;
}

/* False: this one is spared. */
static bool record(Board *b, int kind) {
        void *frames[TRACE_MAX];
        int n = backtrace(frames, TRACE_MAX);

        for (int i = 0; i < n && kind == MEMORY; i++)
                if (inside(&json, frames[i]))
                        return false;
        if (__atomic_add_fetch(&b->fired, 1, __ATOMIC_SEQ_CST) > 1)
                return true;
        b->pid = getpid();
        b->depth = n > 0 ? (uint32_t) n : 0;
        for (int i = 0; i < n; i++)
                b->trace[i] = inside(&own, frames[i]) ? (uintptr_t) frames[i] - own.begin : 0;
        return true;
}

typedef enum Fate { GO_ON, FAIL, CUT } Fate;

/* As long as nobody takes it for one that hangs. */
static void come_late(void) {
        (void) syscall(SYS_nanosleep, &(struct timespec) { .tv_sec = 1, .tv_nsec = 500000000 }, NULL);
}

/* Counts one call and says what becomes of it; FAIL sets errno. */
static Fate fate(int kind) {
        Board *b = board;
        bool hit;
        uint64_t n;
        int who;

        if (!b || busy)
                return GO_ON;
        who = program == KINGD && getpid() != program_pid ? CHILD : program;
        n = __atomic_add_fetch(&b->counts[who][kind], 1, __ATOMIC_SEQ_CST);
        if (who != b->program || kind != b->kind || n < b->nth || n - b->nth >= b->times)
                return GO_ON;
        busy = true;
        hit = record(b, kind);
        busy = false;
        if (!hit)
                return GO_ON;
        if (b->error == ACT_KILL)
                (void) syscall(SYS_tgkill, getpid(), gettid(), SIGKILL); /* which no filter of system calls here forbids */
        if (b->error == ACT_LATE) {
                come_late();
                return GO_ON;
        }
        if (b->error == ACT_SHORT)
                return CUT;
        errno = b->error;
        return FAIL;
}

#define NEXT(name) \
        static __typeof__(name) *next; \
        if (!next) \
                next = (__typeof__(name) *) dlsym(RTLD_NEXT, #name)

/* The kind, what failing looks like, the call. */
#define WRAP(kind, type, failure, name, parameters, arguments) \
        EXPORT type name parameters { \
                NEXT(name); \
                return fate(kind) == FAIL ? (failure) : next arguments; \
        }

/* One whose size is an argument that may be cut in half, but not to nothing. */
#define WRAP_SIZED(kind, name, parameters, size, arguments) \
        EXPORT ssize_t name parameters { \
                Fate f = fate(kind); \
                NEXT(name); \
                if (f == CUT && size > 1) \
                        size /= 2; \
                return f == FAIL ? -1 : next arguments; \
        }

/* ---- files ---- */

static mode_t mode_of(int flags, va_list ap) {
        return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

#define WRAP_OPEN(name) \
        EXPORT int name(const char *path, int flags, ...) { \
                va_list ap; \
                mode_t mode; \
                NEXT(name); \
                va_start(ap, flags); \
                mode = mode_of(flags, ap); \
                va_end(ap); \
                return fate(OPEN) == FAIL ? -1 : next(path, flags, mode); \
        }
#define WRAP_OPENAT(name) \
        EXPORT int name(int dir, const char *path, int flags, ...) { \
                va_list ap; \
                mode_t mode; \
                NEXT(name); \
                va_start(ap, flags); \
                mode = mode_of(flags, ap); \
                va_end(ap); \
                return fate(OPEN) == FAIL ? -1 : next(dir, path, flags, mode); \
        }
WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)

WRAP_SIZED(READ, read, (int fd, void *p, size_t n), n, (fd, p, n))
WRAP_SIZED(READ, pread, (int fd, void *p, size_t n, off_t at), n, (fd, p, n, at))
WRAP_SIZED(READ, pread64, (int fd, void *p, size_t n, off64_t at), n, (fd, p, n, at))
WRAP_SIZED(WRITE, write, (int fd, const void *p, size_t n), n, (fd, p, n))
WRAP_SIZED(WRITE, pwrite, (int fd, const void *p, size_t n, off_t at), n, (fd, p, n, at))
WRAP_SIZED(WRITE, pwrite64, (int fd, const void *p, size_t n, off64_t at), n, (fd, p, n, at))

/* Cut: all but the last element, or half of the only one. */
EXPORT ssize_t writev(int fd, const struct iovec *v, int n) {
        Fate f = fate(WRITE);
        NEXT(writev);

        if (f == CUT && n == 1)
                return write(fd, v[0].iov_base, v[0].iov_len > 1 ? v[0].iov_len / 2 : v[0].iov_len);
        return f == FAIL ? -1 : next(fd, v, f == CUT ? n - 1 : n);
}

WRAP(SYNC, int, -1, fsync, (int fd), (fd))
WRAP(SYNC, int, -1, fdatasync, (int fd), (fd))
WRAP(RENAME, int, -1, rename, (const char *a, const char *b), (a, b))
WRAP(RENAME, int, -1, renameat, (int d, const char *a, int e, const char *b), (d, a, e, b))
WRAP(RENAME, int, -1, link, (const char *a, const char *b), (a, b))
WRAP(UNLINK, int, -1, unlink, (const char *path), (path))
WRAP(UNLINK, int, -1, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
WRAP(UNLINK, int, -1, rmdir, (const char *path), (path))
WRAP(MKDIR, int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(MKDIR, int, -1, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode))
WRAP(TRUNCATE, int, -1, ftruncate, (int fd, off_t n), (fd, n))
WRAP(TRUNCATE, int, -1, ftruncate64, (int fd, off64_t n), (fd, n))
WRAP(TRUNCATE, int, -1, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))
WRAP(STAT, int, -1, stat, (const char *path, struct stat *s), (path, s))
WRAP(STAT, int, -1, lstat, (const char *path, struct stat *s), (path, s))
WRAP(STAT, int, -1, fstat, (int fd, struct stat *s), (fd, s))
WRAP(STAT, int, -1, fstatat, (int dir, const char *path, struct stat *s, int flags), (dir, path, s, flags))
WRAP(STAT, ssize_t, -1, readlink, (const char *path, char *p, size_t n), (path, p, n))

/* ---- sockets and pipes ---- */

WRAP_SIZED(SEND, send, (int fd, const void *p, size_t n, int flags), n, (fd, p, n, flags))
WRAP(SEND, ssize_t, -1, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
WRAP_SIZED(RECV, recv, (int fd, void *p, size_t n, int flags), n, (fd, p, n, flags))
WRAP(RECV, ssize_t, -1, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
WRAP(SOCKET, int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(SOCKET, int, -1, socketpair, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds))
WRAP(ACCEPT, int, -1, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags))
WRAP(CONNECT, int, -1, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(BIND, int, -1, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(BIND, int, -1, listen, (int fd, int n), (fd, n))
WRAP(BIND, int, -1, setsockopt, (int fd, int level, int name, const void *p, socklen_t n), (fd, level, name, p, n))
WRAP(BIND, int, -1, getsockopt, (int fd, int level, int name, void *p, socklen_t *n), (fd, level, name, p, n))
WRAP(PIPE, int, -1, pipe2, (int fds[2], int flags), (fds, flags))
WRAP(PIPE, int, -1, dup2, (int a, int b), (a, b))
WRAP(PIPE, int, -1, dup3, (int a, int b, int flags), (a, b, flags))

/* ---- events ---- */

/* Only taking one in allocates something. */
EXPORT int epoll_ctl(int fd, int op, int other, struct epoll_event *e) {
        NEXT(epoll_ctl);

        return op == EPOLL_CTL_ADD && fate(EPOLL) == FAIL ? -1 : next(fd, op, other, e);
}

WRAP(EPOLL, int, -1, epoll_create1, (int flags), (flags))
WRAP(WAIT_EVENTS, int, -1, epoll_wait, (int fd, struct epoll_event *e, int n, int timeout), (fd, e, n, timeout))
WRAP(WAIT_EVENTS, int, -1, epoll_pwait2, (int fd, struct epoll_event *e, int n, const struct timespec *t, const sigset_t *s), (fd, e, n, t, s))
WRAP(WAIT_EVENTS, int, -1, poll, (struct pollfd *p, nfds_t n, int timeout), (p, n, timeout))
WRAP(WAIT_EVENTS, int, -1, ppoll, (struct pollfd *p, nfds_t n, const struct timespec *t, const sigset_t *s), (p, n, t, s))
WRAP(TIMER, int, -1, timerfd_create, (int clock, int flags), (clock, flags))
WRAP(TIMER, int, -1, timerfd_settime, (int fd, int flags, const struct itimerspec *t, struct itimerspec *old), (fd, flags, t, old))
WRAP(TIMER, int, -1, signalfd, (int fd, const sigset_t *s, int flags), (fd, s, flags))
WRAP(TIMER, int, -1, eventfd, (unsigned n, int flags), (n, flags))
WRAP(INOTIFY, int, -1, inotify_init1, (int flags), (flags))
WRAP(INOTIFY, int, -1, inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask))

/* Of fcntl(2) only what can fail on a good descriptor: a copy of it, a lock. Giving one back does not, and SQLite relies on that. */
static Fate fate_of_fcntl(int command, const void *argument) {
        if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
                return fate(DUPLICATE);
        if (command != F_SETLK && command != F_SETLKW && command != F_OFD_SETLK && command != F_OFD_SETLKW)
                return GO_ON;
        return ((const struct flock *) argument)->l_type == F_UNLCK ? GO_ON : fate(LOCK);
}

#define WRAP_FCNTL(name) \
        EXPORT int name(int fd, int command, ...) { \
                va_list ap; \
                void *argument; \
                NEXT(name); \
                va_start(ap, command); \
                argument = va_arg(ap, void *); /* an int arrives in the same register */ \
                va_end(ap); \
                return fate_of_fcntl(command, argument) == FAIL ? -1 : next(fd, command, argument); \
        }
WRAP_FCNTL(fcntl)
WRAP_FCNTL(fcntl64)
WRAP(LOCK, int, -1, flock, (int fd, int how), (fd, how))

/* ---- processes ---- */

WRAP(WAIT_CHILD, pid_t, -1, wait4, (pid_t pid, int *status, int flags, struct rusage *u), (pid, status, flags, u))
WRAP(EXECUTE, int, -1, execve, (const char *path, char *const argv[], char *const env[]), (path, argv, env))
WRAP(EXECUTE, int, -1, execv, (const char *path, char *const argv[]), (path, argv))
WRAP(EXECUTE, int, -1, execvp, (const char *path, char *const argv[]), (path, argv))
WRAP(EXECUTE, int, -1, execvpe, (const char *path, char *const argv[], char *const env[]), (path, argv, env))
WRAP(CLONE, pid_t, -1, fork, (void), ())

/* What has no wrapper in libc, or none everywhere. */
EXPORT long syscall(long number, ...) {
        static const struct {
                long number;
                int kind;
        } known[] = { { SYS_clone3, CLONE }, { SYS_pidfd_open, PIDFD }, { SYS_pidfd_send_signal, PIDFD_SIGNAL } };
        long a[6];
        va_list ap;
        NEXT(syscall);

        va_start(ap, number);
        for (size_t i = 0; i < 6; i++)
                a[i] = va_arg(ap, long);
        va_end(ap);
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (known[i].number == number && fate(known[i].kind) == FAIL)
                        return -1;
        return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- memory ---- */

WRAP(MAP, void *, MAP_FAILED, mmap, (void *p, size_t n, int prot, int flags, int fd, off_t at), (p, n, prot, flags, fd, at))
WRAP(MAP, void *, MAP_FAILED, mmap64, (void *p, size_t n, int prot, int flags, int fd, off64_t at), (p, n, prot, flags, fd, at))

#ifndef FAULT_NO_MALLOC
/* glibc's own names: dlsym(3) allocates. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t m);
void *__libc_realloc(void *p, size_t n);

EXPORT void *malloc(size_t n) {
        return fate(MEMORY) == FAIL ? NULL : __libc_malloc(n);
}
EXPORT void *calloc(size_t n, size_t m) {
        return fate(MEMORY) == FAIL ? NULL : __libc_calloc(n, m);
}
EXPORT void *realloc(void *p, size_t n) {
        return fate(MEMORY) == FAIL ? NULL : __libc_realloc(p, n);
}
#endif
