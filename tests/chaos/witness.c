/* witness DIR EVERY_MSEC LINES STATUS [BYTES]: a service that writes down itself what became of it, so that a test has the truth to compare with
 * Kingly's word. DIR/SERVICE.INSTANCE gets, each in one write(2) to a file opened with O_APPEND:
 *
 *      start PID RUN BEGAN     RUN: the last 8 digits of INVOCATION_ID; BEGAN: clock ticks from boot to the birth of this process
 *      double PID RUN          another process of this instance lives: the one thing that must never happen
 *      line RUN N              after "RUN N" went to standard output, by itself
 *      broken RUN N errno      standard output is gone
 *      term RUN N | exit RUN N SIGTERM came | all LINES are written; the last words
 *
 * A line goes out every EVERY_MSEC; after LINES (0: never) it exits with STATUS. BYTES pads each line. Must stay true: what DIR says was
 * written, was written before. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <poll.h>
#include <unistd.h>

static int truth = -1;

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...) {
        char text[128];
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        if (write(truth, text, (size_t) n) != n)
                _exit(99);
}

static unsigned long began(void) {
        unsigned long ticks = 0;
        char text[1024], *p;
        int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, text, sizeof(text) - 1);

        (void) close(fd);
        text[n > 0 ? n : 0] = '\0';
        p = strrchr(text, ')');
        for (int field = 3; p && field <= 22; field++)
                p = strchr(p + 1, ' ');
        if (p)
                ticks = strtoul(p, NULL, 10);
        return ticks;
}

/* Held until the process is gone, by the kernel's own count. */
static void lock_instance(const char *path, const char *run) {
        char name[PATH_MAX + 8];
        int fd;

        snprintf(name, sizeof(name), "%s.lock", path);
        fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0)
                _exit(98);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                tell("double %d %s\n", getpid(), run);
}

static int write_line(const char *run, unsigned long n, size_t pad) {
        char text[8192];
        size_t size = (size_t) snprintf(text, sizeof(text), "%s %lu ", run, n);

        while (size < pad && size < sizeof(text) - 1)
                text[size++] = '.';
        text[size++] = '\n';
        for (const char *p = text; size > 0;) {
                ssize_t k = write(STDOUT_FILENO, p, size);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                p += k;
                size -= (size_t) k;
        }
        return 0;
}

static int stop_signals(void) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        (void) signal(SIGPIPE, SIG_IGN);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        return signalfd(-1, &set, SFD_CLOEXEC);
}

int main(int argc, char *argv[]) {
        const char *service = getenv("KINGLY_SERVICE"), *instance = getenv("KINGLY_INSTANCE"), *invocation = getenv("INVOCATION_ID");
        char path[PATH_MAX], run[9];
        struct pollfd stop;
        unsigned long lines, n = 0;
        int every, r;

        if (argc < 5 || !service || !instance || !invocation)
                return 2;
        every = atoi(argv[2]);
        lines = strtoul(argv[3], NULL, 10);
        snprintf(run, sizeof(run), "%s", invocation + (strlen(invocation) > 8 ? strlen(invocation) - 8 : 0));
        snprintf(path, sizeof(path), "%s/%s.%s", argv[1], service, instance);
        truth = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (truth < 0)
                return 98;
        stop = (struct pollfd) { .fd = stop_signals(), .events = POLLIN };
        lock_instance(path, run);
        tell("start %d %s %lu\n", getpid(), run, began());
        for (;;) {
                r = write_line(run, ++n, argc > 5 ? strtoul(argv[5], NULL, 10) : 0);
                if (r < 0)
                        tell("broken %s %lu %d\n", run, n, -r);
                else
                        tell("line %s %lu\n", run, n);
                if (n == lines) {
                        tell("exit %s %lu\n", run, n);
                        return atoi(argv[4]);
                }
                if (poll(&stop, 1, r < 0 ? 1000 : every) > 0) {
                        tell("term %s %lu\n", run, n);
                        return 0;
                }
        }
}
