/* How fast output passes through kingd-logger, against cat(1) into a file of the same file system, and what a thousand idle services cost
 * it.
 *   log LOGGER DIR [MEBIBYTES]
 * prints one line a measurement. Lines are 100 bytes, written in chunks of 64 KiB into a pipe; times are of the wall clock, the best of
 * three. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "logger/log_wire.h"

#define ROUNDS 3
#define SERVICES 1000

static void die(const char *what) {
        perror(what);
        exit(EXIT_FAILURE);
}

static double now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* Whole lines, as many as fit into 64 KiB. */
static size_t fill_lines(char *buffer) {
        size_t n = 65536 / 100 * 100;

        for (size_t i = 0; i < n; i++)
                buffer[i] = i % 100 == 99 ? '\n' : (char) ('a' + i % 26);
        return n;
}

static void write_lines(int fd, size_t mebibytes) {
        static char buffer[65536];
        size_t n = fill_lines(buffer);

        for (size_t left = mebibytes << 20; left > 0;) {
                ssize_t k = write(fd, buffer, n < left ? n : left);

                if (k < 0)
                        die("write");
                left -= (size_t) k;
        }
}

static pid_t start(const char *program, const char *argument, int as_fd, int fd, int output) {
        pid_t pid = fork();

        if (pid < 0)
                die("fork");
        if (pid > 0)
                return pid;
        dup2(fd, as_fd);
        if (output >= 0)
                dup2(output, STDOUT_FILENO);
        (void) close_range((unsigned) (as_fd < 3 ? 3 : as_fd + 1), ~0U, 0);
        execlp(program, program, argument, NULL);
        die(program);
        return -1;
}

static void finish(pid_t pid) {
        int status;

        if (waitpid(pid, &status, 0) < 0 || status != 0) {
                fprintf(stderr, "a child failed: status %d\n", status);
                exit(EXIT_FAILURE);
        }
}

static double bench_cat(const char *path, size_t mebibytes) {
        int p[2], out;
        double begin;
        pid_t pid;

        (void) unlink(path);
        out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        if (out < 0 || pipe2(p, O_CLOEXEC) < 0)
                die(path);
        pid = start("cat", NULL, STDIN_FILENO, p[0], out);
        close(p[0]);
        close(out);
        begin = now();
        write_lines(p[1], mebibytes);
        close(p[1]);
        finish(pid);
        return now() - begin;
}

static void send_open(int sock, uint64_t run, const char *path, unsigned format, const int fds[2]) {
        LogPacket o = { .open = { .version = LOG_WIRE_VERSION, .format = (uint8_t) format, .run = run, .keep = 1, .uid = -1, .gid = -1 } };
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
        pid = start(logger, NULL, LOG_WIRE_FD, pair[1], -1);
        close(pair[1]);
        *ret_sock = pair[0];
        return pid;
}

static double bench_logger(const char *logger, const char *path, unsigned format, size_t mebibytes) {
        int sock, out[2], err[2];
        LogAnswer closed;
        double begin, spent;
        pid_t pid;

        (void) unlink(path);
        pid = start_logger(logger, &sock);
        if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
                die("pipe");
        send_open(sock, 1, path, format, (int[]) { out[0], err[0] });
        close(out[0]);
        close(err[0]);
        close(err[1]);
        begin = now();
        write_lines(out[1], mebibytes);
        close(out[1]);
        if (recv(sock, &closed, sizeof(closed), 0) != sizeof(closed))
                die("recv");
        spent = now() - begin;
        close(sock);
        finish(pid);
        return spent;
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
                send_open(sock, i + 1, path, 0, (int[]) { out[0], err[0] });
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
        finish(pid);
}

static double best(double a, double b) {
        return a == 0 || b < a ? b : a;
}

int main(int argc, char **argv) {
        size_t mebibytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 1024;
        double cat = 0, raw = 0, text = 0;
        char path[512];

        if (argc < 3) {
                fprintf(stderr, "usage: log LOGGER DIR [MEBIBYTES]\n");
                return 2;
        }
        snprintf(path, sizeof(path), "%s/bench.log", argv[2]);
        for (unsigned i = 0; i < ROUNDS; i++) {
                cat = best(cat, bench_cat(path, mebibytes));
                raw = best(raw, bench_logger(argv[1], path, 1, mebibytes));
                text = best(text, bench_logger(argv[1], path, 0, mebibytes));
        }
        (void) unlink(path);
        printf("%-44s %6.0f MiB/s\n", "cat > file", (double) mebibytes / cat);
        printf("%-44s %6.0f MiB/s, %.2f of cat\n", "kingd-logger, raw", (double) mebibytes / raw, cat / raw);
        printf("%-44s %6.0f MiB/s, %.2f of cat, %.1f million lines/s\n", "kingd-logger, text", (double) mebibytes / text, cat / text,
               (double) mebibytes * 1048576 / 100 / text / 1e6);
        bench_idle(argv[1], argv[2]);
        return 0;
}
