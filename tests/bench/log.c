/* How fast output passes through kingd-logger, against cat(1) into a file of the same file system and against other loggers where they are
 * installed; what a thousand idle services cost it, and a hundred that flood.
 *   log LOGGER DIR [MEBIBYTES [SECONDS]]
 * prints one line a measurement. Lines are 100 bytes, numbered, written in chunks of 64 KiB into a pipe; times are of the wall clock, the best of
 * three. CPU is that of the reader alone. The flood lasts SECONDS (10); rotated files bound the disk it takes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "logger/log_wire.h"

#define ROUNDS 3
#define LINE 100
#define DIGITS 10
#define LINES_A_MEBIBYTE (1048576 / LINE)
#define SERVICES 1000
#define FLOODERS 100

static void die(const char *what) {
        perror(what);
        exit(EXIT_FAILURE);
}

static double now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* Whole lines, as many as fit into 64 KiB, each with its number in front. */
static size_t fill_lines(char *buffer, unsigned long *number) {
        size_t n = 65536 / LINE * LINE;

        for (char *p = buffer; p < buffer + n; p += LINE) {
                unsigned long v = (*number)++;

                for (char *d = p + DIGITS; d-- > p; v /= 10)
                        *d = (char) ('0' + v % 10);
        }
        return n;
}

static void write_lines(int fd, size_t mebibytes) {
        static char buffer[65536];
        unsigned long number = 0;

        for (size_t i = 0; i < sizeof(buffer); i++)
                buffer[i] = i % LINE == LINE - 1 ? '\n' : (char) ('a' + i % LINE % 26);
        while (number < mebibytes * LINES_A_MEBIBYTE) {
                size_t n = fill_lines(buffer, &number);

                for (size_t at = 0; at < n;) {
                        ssize_t k = write(fd, buffer + at, n - at);

                        if (k < 0)
                                die("write");
                        at += (size_t) k;
                }
        }
}

/* How many of the numbers from 0 on are not in the file, or not in order. In front of each line may stand what its format wants. */
static unsigned long count_lost(const char *path, size_t mebibytes) {
        unsigned long wanted = mebibytes * LINES_A_MEBIBYTE, next = 0, lost = 0;
        FILE *f = fopen(path, "re");
        char *line = NULL;
        size_t room = 0;

        if (!f)
                die(path);
        while (getline(&line, &room, f) > 0) {
                const char *message = strstr(line, "klmnopqrstuvwxyzabcdef"); /* what follows the digits of any line */
                char digits[DIGITS + 1] = {};
                unsigned long v;

                if (message)
                        memcpy(digits, message - DIGITS, DIGITS);
                v = strtoul(digits, NULL, 10);
                lost += !message || v != next;
                next = v + 1;
        }
        free(line);
        fclose(f);
        return lost + (next < wanted ? wanted - next : 0);
}

static pid_t start(char *const *argv, int as_fd, int fd, int output) {
        pid_t pid = fork();

        if (pid < 0)
                die("fork");
        if (pid > 0)
                return pid;
        dup2(fd, as_fd);
        if (output >= 0)
                dup2(output, STDOUT_FILENO);
        (void) close_range((unsigned) (as_fd < 3 ? 3 : as_fd + 1), ~0U, 0);
        if (as_fd == LOG_WIRE_FD && memfd_create("notes", 0) != LOG_NOTES_FD)
                die("memfd_create");
        execvp(argv[0], argv);
        die(argv[0]);
        return -1;
}

static double seconds(const struct timeval *t) {
        return (double) t->tv_sec + (double) t->tv_usec / 1e6;
}

/* CPU seconds of the child. */
static double finish(pid_t pid) {
        struct rusage used;
        int status;

        if (wait4(pid, &status, 0, &used) < 0 || status != 0) {
                fprintf(stderr, "a child failed: status %d\n", status);
                exit(EXIT_FAILURE);
        }
        return seconds(&used.ru_utime) + seconds(&used.ru_stime);
}

typedef struct Figure { double wall, cpu; } Figure;

static Figure better(Figure a, Figure b) {
        return a.wall == 0 || b.wall < a.wall ? b : a;
}

/* A program that reads its standard input; `path`: where its output goes, or NULL. */
static Figure bench_filter(char *const *argv, const char *path, size_t mebibytes) {
        int p[2], out = -1;
        double begin;
        Figure f;
        pid_t pid;

        if (path)
                out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        if ((path && out < 0) || pipe2(p, O_CLOEXEC) < 0)
                die(argv[0]);
        pid = start(argv, STDIN_FILENO, p[0], out);
        close(p[0]);
        if (out >= 0)
                close(out);
        begin = now();
        write_lines(p[1], mebibytes);
        close(p[1]);
        f.cpu = finish(pid);
        f.wall = now() - begin;
        return f;
}

static void send_open(int sock, uint64_t run, const char *path, unsigned format, uint64_t max_size, const int fds[2]) {
        LogPacket o = { .open = { .version = LOG_WIRE_VERSION, .format = (uint8_t) format, .run = run,
                                  .max_size = max_size, .keep = 1, .compress = max_size ? 1 : 0, .uid = -1, .gid = -1 } };
        union {
                struct cmsghdr align;
                char data[CMSG_SPACE(2 * sizeof(int))];
        } control = {};
        struct iovec iov = { .iov_base = &o, .iov_len = sizeof(o) };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.data, .msg_controllen = sizeof(control.data) };
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);

        snprintf(o.open.path, sizeof(o.open.path), "%s", path);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(2 * sizeof(int));
        memcpy(CMSG_DATA(c), fds, 2 * sizeof(int));
        if (sendmsg(sock, &m, 0) < 0)
                die("sendmsg");
}

static pid_t start_logger(const char *logger, int *ret_sock) {
        int pair[2];
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                die("socketpair");
        pid = start((char *[]) { (char *) logger, NULL }, LOG_WIRE_FD, pair[1], -1);
        close(pair[1]);
        *ret_sock = pair[0];
        return pid;
}

static Figure bench_logger(const char *logger, const char *path, unsigned format, size_t mebibytes) {
        int sock, out[2], err[2];
        LogAnswer closed;
        double begin;
        Figure f;
        pid_t pid;

        (void) unlink(path);
        pid = start_logger(logger, &sock);
        if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
                die("pipe");
        send_open(sock, 1, path, format, 0, (int[]) { out[0], err[0] });
        close(out[0]);
        close(err[0]);
        close(err[1]);
        begin = now();
        write_lines(out[1], mebibytes);
        close(out[1]);
        if (recv(sock, &closed, sizeof(closed), 0) != sizeof(closed))
                die("recv");
        f.wall = now() - begin;
        close(sock);
        f.cpu = finish(pid);
        return f;
}

static long proc_number(pid_t pid, const char *file, const char *key) {
        char path[64], line[256];
        long value = 0;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
        f = fopen(path, "re");
        if (!f)
                die(path);
        while (fgets(line, sizeof(line), f))
                if (strncmp(line, key, strlen(key)) == 0)
                        value += strtol(line + strlen(key), NULL, 10);
        fclose(f);
        return value;
}

/* Every service writes one line; then nothing happens for a second. */
static void bench_idle(const char *logger, const char *dir) {
        static int writers[SERVICES][2];
        char path[512];
        long before;
        pid_t pid;
        int sock;

        pid = start_logger(logger, &sock);
        for (unsigned i = 0; i < SERVICES; i++) {
                int out[2], err[2];

                if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
                        die("pipe");
                snprintf(path, sizeof(path), "%s/idle/service-number-%u-0.log", dir, i);
                send_open(sock, i + 1, path, 0, 0, (int[]) { out[0], err[0] });
                close(out[0]);
                close(err[0]);
                writers[i][0] = out[1];
                writers[i][1] = err[1];
                if (write(out[1], "a line\n", 7) != 7)
                        die("write");
        }
        while (stat(path, &(struct stat) {}) < 0)
                usleep(1000);
        before = proc_number(pid, "status", "voluntary_ctxt_switches:");
        sleep(1);
        printf("%-44s %ld KiB private dirty, %ld wake-ups in a second, %ld descriptors' room\n", "1,000 idle services",
               proc_number(pid, "smaps_rollup", "Private_Dirty:"), proc_number(pid, "status", "voluntary_ctxt_switches:") - before,
               proc_number(pid, "status", "FDSize:"));
        for (unsigned i = 0; i < SERVICES; i++) {
                close(writers[i][0]);
                close(writers[i][1]);
        }
        for (unsigned i = 0; i < SERVICES; i++)
                if (recv(sock, &(LogAnswer) {}, sizeof(LogAnswer), 0) != sizeof(LogAnswer))
                        die("recv");
        close(sock);
        (void) finish(pid);
}

/* Services that all flood at once, through rotation and compression: what the logger takes meanwhile. */
static void bench_flood(const char *logger, const char *dir, unsigned seconds_long) {
        pid_t pid, writers[FLOODERS];
        long pss = 0, last = 0;
        char path[512];
        int sock;

        pid = start_logger(logger, &sock);
        for (unsigned i = 0; i < FLOODERS; i++) {
                int out[2], err[2];

                if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
                        die("pipe");
                snprintf(path, sizeof(path), "%s/flood/%u.log", dir, i);
                send_open(sock, i + 1, path, i % 3, 10 << 20, (int[]) { out[0], err[0] });
                writers[i] = fork();
                if (writers[i] == 0) {
                        (void) close_range(3, (unsigned) out[1] - 1, 0);
                        write_lines(out[1], 1 << 20);
                        _exit(0);
                }
                close(out[0]);
                close(out[1]);
                close(err[0]);
                close(err[1]);
        }
        for (unsigned i = 0; i < seconds_long; i++) {
                sleep(1);
                last = proc_number(pid, "smaps_rollup", "Pss:");
                pss = last > pss ? last : pss;
        }
        printf("%-44s %ld KiB PSS at most in %u s, %ld at the end\n", "100 services that flood", pss, seconds_long, last);
        for (unsigned i = 0; i < FLOODERS; i++) {
                kill(writers[i], SIGKILL);
                (void) waitpid(writers[i], NULL, 0);
        }
        for (unsigned i = 0; i < FLOODERS; i++)
                if (recv(sock, &(LogAnswer) {}, sizeof(LogAnswer), 0) != sizeof(LogAnswer))
                        die("recv");
        close(sock);
        (void) finish(pid);
}

static void print(const char *what, Figure f, Figure cat, size_t mebibytes) {
        printf("%-44s %6.0f MiB/s, %.2f of cat, %.2f CPU s/GiB", what, (double) mebibytes / f.wall, cat.wall / f.wall,
               f.cpu * 1024 / (double) mebibytes);
}

typedef struct Format {
        const char *name;
        unsigned number;
        Figure best;
        unsigned long lost;
} Format;

/* In turn, so that what else the machine does meets all of them. */
static Figure bench_formats(const char *logger, const char *path, size_t mebibytes) {
        Format formats[] = { { .name = "kingd-logger, raw", .number = 1 }, { .name = "kingd-logger, text", .number = 0 },
                             { .name = "kingd-logger, json", .number = 2 } };
        Figure cat = {};

        for (unsigned i = 0; i < ROUNDS; i++) {
                cat = better(cat, bench_filter((char *[]) { "cat", NULL }, path, mebibytes));
                for (Format *f = formats; f < formats + 3; f++) {
                        f->best = better(f->best, bench_logger(logger, path, f->number, mebibytes));
                        f->lost += count_lost(path, mebibytes);
                }
        }
        (void) unlink(path);
        print("cat > file", cat, cat, mebibytes);
        putchar('\n');
        for (Format *f = formats; f < formats + 3; f++) {
                print(f->name, f->best, cat, mebibytes);
                printf(", %lu lines lost\n", f->lost);
        }
        return cat;
}

/* Others, as far as they are installed. They rotate, so that what they keep says nothing. */
static void bench_others(const char *dir, size_t mebibytes, Figure cat) {
        char logs[512], *others[][5] = {
                { "s6-log", "n2", "s100000000", logs, NULL },
                { "svlogd", logs, NULL },
                { "multilog", "s16777215", "n2", logs, NULL },
        };

        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
                char command[600];

                snprintf(command, sizeof(command), "command -v %s >/dev/null", others[i][0]);
                if (system(command) != 0)
                        continue;
                snprintf(logs, sizeof(logs), "%s/%s", dir, others[i][0]);
                (void) mkdir(logs, 0700);
                print(others[i][0], bench_filter(others[i], NULL, mebibytes), cat, mebibytes);
                putchar('\n');
        }
}

int main(int argc, char **argv) {
        size_t mebibytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 1024;
        char path[512];
        Figure cat;

        if (argc < 3) {
                fprintf(stderr, "usage: log LOGGER DIR [MEBIBYTES [SECONDS]]\n");
                return 2;
        }
        (void) signal(SIGPIPE, SIG_IGN);
        snprintf(path, sizeof(path), "%s/bench.log", argv[2]);
        cat = bench_formats(argv[1], path, mebibytes);
        bench_others(argv[2], mebibytes / 4, (Figure) { cat.wall / 4, cat.cpu / 4 });
        bench_idle(argv[1], argv[2]);
        bench_flood(argv[1], argv[2], argc > 4 ? (unsigned) strtoul(argv[4], NULL, 10) : 10);
        return 0;
}
