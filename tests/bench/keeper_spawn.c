/* How much the keeper costs: starts COMMAND many times with pipes for its output, through a keeper with a manager and a logger, and in a bare loop of
 * pipe2(2) and posix_spawn(3) with two pipes each. Prints both times, in milliseconds for all, and their ratio.
 *   keeper_spawn [COMMAND [COUNT [ROUNDS]]] */
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/span.h"
#include "keeper/keeper.h"
#include "keeper/wire.h"
#include "logger/log_wire.h"

static const char *command;
static unsigned count, rounds;

static _Noreturn void die(const char *what) {
        perror(what);
        exit(EXIT_FAILURE);
}

/* ---- the manager's and the logger's parts ---- */

static uint64_t packet[WIRE_MAX / sizeof(uint64_t)];

static void send_packet(const void *p) {
        if (fd_send(WIRE_FD, p, ((const WireHeader *) p)->size, NULL, 0) < 0)
                die("send");
}

static void send_spawn(SpawnBuilder *b, uint64_t run) {
        static const uint8_t invocation[16];
        char *argv[] = { (char *) command, NULL };
        LogOpen log = { .version = LOG_WIRE_VERSION, .run = run, .path = "/bench" };
        const WireSpawn *s;
        size_t size;

        if (spawn_builder_init(b, run, invocation) < 0)
                die("builder");
        b->packet->flags = SPAWN_LOG_PIPES;
        spawn_builder_strings(b, command, "/", "bench", NULL, argv, NULL);
        spawn_builder_log(b, &log, sizeof(log));
        if (spawn_builder_finish(b, &s, &size) < 0)
                die("builder");
        send_packet(s);
}

/* The next EXITED, acknowledged. */
static void await_exit(void) {
        const WireExited *e = (const void *) packet;

        do
                if (fd_recv(WIRE_FD, packet, sizeof(packet), NULL, NULL) <= 0)
                        die("recv");
        while (e->h.type != WIRE_EXITED);
        send_packet(&(WireRun) { .h = { WIRE_ACK, sizeof(WireRun) }, .run = e->run });
}

#define WINDOW 64

static int manager_main(void) {
        WireHello hello = { .h = { WIRE_HELLO, sizeof(hello) }, .version = WIRE_VERSION };
        WireShutdown bye = { .h = { WIRE_SHUTDOWN, sizeof(bye) } };
        SpawnBuilder b = {};

        send_packet(&hello);
        for (unsigned round = 0; round < rounds; round++) {
                usec_t start = now_usec(CLOCK_MONOTONIC);

                for (unsigned i = 0; i < count; i++) {
                        if (i >= WINDOW)
                                await_exit();
                        send_spawn(&b, (uint64_t) round * count + i + 1);
                }
                for (unsigned i = 0; i < MIN(count, (unsigned) WINDOW); i++)
                        await_exit();
                dprintf(STDERR_FILENO, "%lu\n", (unsigned long) (now_usec(CLOCK_MONOTONIC) - start));
        }
        send_packet(&bye);
        return 0;
}

/* Reads nothing but the end: what a real logger does with each run at the least. */
static int logger_main(void) {
        for (;;) {
                LogPacket log;
                int fds[2];
                size_t n = 2;
                char byte;

                if (fd_recv(WIRE_FD, &log, sizeof(log), fds, &n) <= 0)
                        return 0;
                for (size_t i = 0; i < n; i++) {
                        while (read(fds[i], &byte, 1) > 0)
                                ;
                        fd_close(fds[i]);
                }
                if (fd_send(WIRE_FD, &(LogAnswer) { .run = log.open.run }, sizeof(LogAnswer), NULL, 0) < 0)
                        return 0;
        }
}

/* ---- the bare loop ---- */

static pid_t bare_start(int reads[2]) {
        char *argv[] = { (char *) command, NULL }, *env[] = { NULL };
        posix_spawn_file_actions_t actions;
        int out[2], err[2];
        pid_t pid;

        if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
                die("pipe2");
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
        if (posix_spawn(&pid, command, &actions, NULL, argv, env) != 0)
                die("posix_spawn");
        posix_spawn_file_actions_destroy(&actions);
        fd_close(out[1]);
        fd_close(err[1]);
        reads[0] = out[0];
        reads[1] = err[0];
        return pid;
}

static void bare_end(int reads[2]) {
        char byte;

        for (size_t i = 0; i < 2; i++) {
                while (read(reads[i], &byte, 1) > 0)
                        ;
                fd_close(reads[i]);
        }
        if (wait(NULL) < 0)
                die("wait");
}

static usec_t bare_round(void) {
        usec_t start = now_usec(CLOCK_MONOTONIC);
        int reads[WINDOW][2];

        for (unsigned i = 0; i < count; i++) {
                if (i >= WINDOW)
                        bare_end(reads[i % WINDOW]);
                (void) bare_start(reads[i % WINDOW]);
        }
        for (unsigned i = count; i < count + MIN(count, (unsigned) WINDOW); i++)
                bare_end(reads[i % WINDOW]);
        return now_usec(CLOCK_MONOTONIC) - start;
}

/* ---- */

/* The keeper's rounds, as its manager prints them. */
static usec_t best_of(FILE *f) {
        unsigned long best = ~0UL, t;

        while (fscanf(f, "%lu", &t) == 1)
                best = MIN(best, t);
        return best;
}

static usec_t keeper_best(char *const *given, const char *manager, const char *logger) {
        char *argv[] = { "kingd", given[0], given[1], given[2], NULL };
        KeeperOptions o = { .argv = argv, .manager = manager, .logger = logger };
        int report[2], status;
        usec_t best;
        pid_t pid;
        FILE *f;

        if (pipe2(report, O_CLOEXEC) < 0 || (pid = fork()) < 0)
                die("fork");
        if (pid == 0) {
                if (dup2(report[1], STDERR_FILENO) < 0)
                        die("dup2");
                log_open("kingd", LOG_EMERG);
                _exit(keeper_run(&o));
        }
        fd_close(report[1]);
        f = fdopen(report[0], "r");
        if (!f)
                die("fdopen");
        best = best_of(f);
        fclose(f);
        if (waitpid(pid, &status, 0) != pid || status != 0)
                die("the keeper failed");
        return best;
}

int main(int argc, char **argv) {
        const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
        char dir[] = "/tmp/kingly-bench-XXXXXX", manager[64], logger[64], self[4096] = "", text[2][16];
        usec_t bare = USEC_INFINITY, kept;

        if (streq(name, "kingd-logger"))
                return logger_main();
        command = argc > 1 ? argv[1] : "/bin/true";
        count = argc > 2 ? (unsigned) atoi(argv[2]) : 1000;
        rounds = argc > 3 ? (unsigned) atoi(argv[3]) : 5;
        if (streq(name, "kingd-manager"))
                return manager_main();
        if (!mkdtemp(dir) || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
                die("mkdtemp");
        snprintf(manager, sizeof(manager), "%s/kingd-manager", dir);
        snprintf(logger, sizeof(logger), "%s/kingd-logger", dir);
        if (symlink(self, manager) < 0 || symlink(self, logger) < 0)
                die("symlink");
        for (unsigned i = 0; i < rounds; i++)
                bare = MIN(bare, bare_round());
        snprintf(text[0], sizeof(text[0]), "%u", count);
        snprintf(text[1], sizeof(text[1]), "%u", rounds);
        kept = keeper_best((char *[]) { (char *) command, text[0], text[1] }, manager, logger);
        (void) unlink(manager);
        (void) unlink(logger);
        (void) rmdir(dir);
        printf("%u x %s: bare %.1f ms, keeper %.1f ms, ratio %.2f\n", count, command, (double) bare / 1000, (double) kept / 1000, (double) kept / (double) bare);
        return EXIT_SUCCESS;
}
