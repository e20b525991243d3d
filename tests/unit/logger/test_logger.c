/* The logger's real loop in a process of its own, over the real socket: many runs, floods, death and succession, a full disk, the end. The test
 * plays the keeper. Everything is awaited by descriptors or by the logger's answers, with a deadline. */
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/log.h"
#include "logger/log_wire.h"
#include "logger/logger.h"
#include "logger/reader.h"
#include "place.inc.h"

#define DEADLINE_MSEC 60000

typedef struct Keeper {
        pid_t pid;
        int sock;
        int said;                /* what the logger prints on stderr */
} Keeper;

/* fsize: RLIMIT_FSIZE of the logger, a disk that is full at that size of a file. */
static Keeper logger_start(rlim_t fsize) {
        int pair[2], said[2];
        Keeper k;

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(pipe2(said, O_CLOEXEC), 0);
        k.pid = fork();
        assert_true(k.pid >= 0);
        if (k.pid == 0) {
                struct rlimit l = { .rlim_cur = fsize, .rlim_max = RLIM_INFINITY };

                /* Only its own end of anything, as after an exec. */
                dup2(said[1], STDERR_FILENO);
                dup2(pair[1], LOG_WIRE_FD);
                (void) close_range(LOG_WIRE_FD + 1, ~0U, 0);
                (void) setrlimit(RLIMIT_FSIZE, &l);
                log_open("kingd-logger", LOG_INFO);
                (void) raise_nofile(NULL);
                exit(logger_run(LOG_WIRE_FD) < 0 ? 1 : 0);
        }
        close(pair[1]);
        close(said[1]);
        k.sock = pair[0];
        k.said = said[0];
        return k;
}

static void wait_readable(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        assert_int_equal(poll(&p, 1, DEADLINE_MSEC), 1);
}

/* Waits until the logger prints something that holds `text`. */
static void wait_said(const Keeper *k, const char *text) {
        _cleanup_buffer_ Buffer b = {};

        while (b.size == 0 || !strstr(b.data, text)) {
                char piece[512];
                ssize_t n;

                wait_readable(k->said);
                n = read(k->said, piece, sizeof(piece));
                assert_true(n > 0);
                assert_int_equal(buffer_append(&b, piece, (size_t) n), 0);
        }
}

static void logger_finish(Keeper *k) {
        struct pollfd p = { .fd = k->said };
        int status;

        k->sock = fd_close(k->sock);
        assert_true(poll(&p, 1, DEADLINE_MSEC) == 1); /* hung up: it has ended */
        assert_int_equal(waitpid(k->pid, &status, 0), k->pid);
        close(k->said);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void logger_kill(Keeper *k) {
        assert_int_equal(kill(k->pid, SIGKILL), 0);
        assert_int_equal(waitpid(k->pid, NULL, 0), k->pid);
        close(k->sock);
        close(k->said);
}

typedef struct Service {
        uint64_t run;
        int read[2], write[2];
} Service;

static Service service_make(uint64_t run) {
        Service s = { .run = run };

        for (unsigned i = 0; i < 2; i++) {
                int p[2];

                assert_int_equal(pipe2(p, O_CLOEXEC), 0);
                s.read[i] = p[0];
                s.write[i] = p[1];
        }
        return s;
}

static void service_submit(const Keeper *k, const Service *s, const char *path, uint32_t format, uint64_t max_size, uint32_t keep) {
        LogOpen o = { .version = LOG_WIRE_VERSION, .format = format, .run = s->run, .max_size = max_size, .keep = keep, .uid = -1, .gid = -1 };

        strcpy(o.path, path);
        assert_int_equal(fd_send(k->sock, &o, sizeof(o), s->read, 2), 0);
}

static void service_end(Service *s) {
        for (unsigned i = 0; i < 2; i++)
                s->write[i] = fd_close(s->write[i]);
}

static void service_done(Service *s) {
        service_end(s);
        for (unsigned i = 0; i < 2; i++)
                s->read[i] = fd_close(s->read[i]);
}

static uint64_t wait_closed(const Keeper *k) {
        LogClosed c;

        wait_readable(k->sock);
        assert_int_equal(recv(k->sock, &c, sizeof(c), 0), sizeof(c));
        return c.run;
}

static void test_run(void **state) {
        Place *p = *state;
        Keeper k = logger_start(RLIM_INFINITY);
        Service s = service_make(7), next = service_make(8);
        _cleanup_free_ char *data = NULL;
        _cleanup_buffer_ Buffer text = {};
        size_t n;

        service_submit(&k, &s, p->path, 0, 0, 3);
        service_submit(&k, &next, p->path, 0, 0, 3);
        assert_int_equal(fd_write_all(s.write[0], "hello\nwor", 9), 0);
        assert_int_equal(fd_write_all(next.write[1], "next", 4), 0);
        s.write[0] = fd_close(s.write[0]);
        s.write[1] = fd_close(s.write[1]);
        assert_int_equal(wait_closed(&k), 7);
        service_end(&next);
        assert_int_equal(wait_closed(&k), 8);
        data = file_number(p->path, 0, &n); /* whoever hears of the end finds everything in the file */
        strip_stamps(data, n, &text);
        assert_string_equal(text.data, "out hello\nout wor\nerr next\n");
        service_done(&s);
        service_done(&next);
        logger_finish(&k);
}

#define RUNS 1000

/* More runs than files are kept open, each with its own words on both pipes, in two waves. */
static void test_many_runs(void **state) {
        static Service services[RUNS];
        Keeper k = logger_start(RLIM_INFINITY);
        Place *p = *state;
        uint64_t sum = 0;
        char path[256];

        assert_int_equal(raise_nofile(NULL), 0);
        for (unsigned i = 0; i < RUNS; i++) {
                services[i] = service_make(i + 1);
                snprintf(path, sizeof(path), "%s/ns/s%u-0.log", p->dir, i);
                service_submit(&k, &services[i], path, 0, 1 << 20, 2);
                assert_true(dprintf(services[i].write[0], "first of %u\n", i) > 0);
        }
        for (unsigned i = 0; i < RUNS; i++) {
                assert_true(dprintf(services[i].write[1], "second of %u\n", i) > 0);
                service_end(&services[i]);
        }
        for (unsigned i = 0; i < RUNS; i++)
                sum += wait_closed(&k);
        assert_int_equal(sum, (uint64_t) RUNS * (RUNS + 1) / 2);
        for (unsigned i = 0; i < RUNS; i++) {
                _cleanup_free_ char *data = NULL;
                _cleanup_buffer_ Buffer text = {};
                char a[128], b[128];
                size_t n;

                service_done(&services[i]);
                snprintf(path, sizeof(path), "%s/ns/s%u-0.log", p->dir, i);
                data = file_number(path, 0, &n);
                assert_non_null(data);
                strip_stamps(data, n, &text);
                snprintf(a, sizeof(a), "out first of %u\nerr second of %u\n", i, i);
                snprintf(b, sizeof(b), "err second of %u\nout first of %u\n", i, i);
                assert_true(streq(text.data, a) || streq(text.data, b));
        }
        logger_finish(&k);
}

#define WRITERS 6
#define LINES 20000

/* A process that writes numbered lines as fast as it can, in writes that end anywhere. */
static pid_t flood(const Service *s, unsigned writer, unsigned seed) {
        pid_t pid = fork();
        Buffer b = {};

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        srand(seed + writer);
        for (unsigned i = 0; i < LINES; i++) {
                if (buffer_printf(&b, "writer %u line %u %.*s\n", writer, i, rand() % 40, "----------------------------------------") < 0)
                        _exit(1);
                if (rand() % 20 > 0 && i + 1 < LINES)
                        continue;
                if (fd_write_all(s->write[writer % 2], b.data, i + 1 < LINES ? b.size / 2 : b.size) < 0)
                        _exit(1);
                buffer_consume(&b, i + 1 < LINES ? b.size / 2 : b.size);
        }
        _exit(0);
}

/* Each writer has a pipe of its own; all of them go into one file that is rotated all the time. */
static void check_flood(const char *path, uint32_t format) {
        unsigned next[WRITERS] = {};
        LogReader *r = NULL;
        LogRecord record;

        assert_int_equal(log_reader_open(path, (int) format, &r), 0);
        while (log_reader_next(r, &record) == 1) {
                char text[64] = "";
                unsigned writer, line;

                memcpy(text, record.message, MIN(record.size, sizeof(text) - 1));
                assert_int_equal(sscanf(text, "writer %u line %u", &writer, &line), 2);
                assert_true(writer < WRITERS);
                assert_int_equal(line, next[writer]); /* none lost, none doubled, in order */
                next[writer]++;
        }
        for (unsigned i = 0; i < WRITERS; i++)
                assert_int_equal(next[i], LINES);
        log_reader_free(r);
}

static void test_flood(void **state) {
        unsigned seed = test_seed();
        Keeper k = logger_start(RLIM_INFINITY);
        Service services[WRITERS / 2];
        Place *p = *state;
        pid_t pids[WRITERS];

        for (unsigned i = 0; i < WRITERS / 2; i++) {
                services[i] = service_make(i + 1);
                service_submit(&k, &services[i], p->path, 0, 100000, 500);
        }
        for (unsigned i = 0; i < WRITERS; i++)
                pids[i] = flood(&services[i / 2], i, seed);
        for (unsigned i = 0; i < WRITERS / 2; i++)
                service_end(&services[i]);
        for (unsigned i = 0; i < WRITERS; i++) {
                int status;

                assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
                assert_int_equal(status, 0);
        }
        for (unsigned i = 0; i < WRITERS / 2; i++)
                (void) wait_closed(&k);
        check_flood(p->path, 0);
        for (unsigned i = 0; i < WRITERS / 2; i++)
                service_done(&services[i]);
        logger_finish(&k);
}

/* Killed while it waits: everything it read was written before, so the next one goes on without a gap. */
static void test_succession(void **state) {
        Keeper k = logger_start(RLIM_INFINITY);
        Service s = service_make(1);
        Place *p = *state;
        _cleanup_buffer_ Buffer expected = {}, chain = {};
        unsigned line = 0;

        for (unsigned i = 0; i < 20; i++) {
                struct stat st = {};

                service_submit(&k, &s, p->path, 1, 2000, 100);
                for (unsigned n = 0; n < 30; n++) {
                        char text[64];
                        int size = snprintf(text, sizeof(text), "line %u\n", line++);

                        assert_int_equal(fd_write_all(s.write[n % 2], text, (size_t) size), 0);
                        assert_int_equal(buffer_append(&expected, text, (size_t) size), 0);
                }
                /* Half of the rounds it dies right here, with the lines on any part of their way from its socket to its buffer. */
                if (i % 2)
                        while (poll(&(struct pollfd) { .fd = s.read[0], .events = POLLIN }, 1, 0) > 0 ||
                               poll(&(struct pollfd) { .fd = s.read[1], .events = POLLIN }, 1, 0) > 0 || stat(p->path, &st) < 0)
                                sched_yield();
                kill(k.pid, SIGSTOP);
                assert_int_equal(waitpid(k.pid, NULL, WUNTRACED), k.pid);
                /* Stopped between read and write it would have a chunk in hand: let it finish that, as any death but the hardest does. */
                if (poll(&(struct pollfd) { .fd = s.read[0], .events = POLLIN }, 1, 0) == 0) {
                        kill(k.pid, SIGCONT);
                        service_end(&s);
                        (void) wait_closed(&k);
                        logger_finish(&k);
                        service_done(&s);
                        s = service_make(i + 2);
                } else
                        logger_kill(&k);
                k = logger_start(RLIM_INFINITY);
        }
        service_submit(&k, &s, p->path, 1, 2000, 100);
        service_end(&s);
        (void) wait_closed(&k);
        file_chain(p->path, 100, &chain);
        assert_int_equal(chain.size, expected.size);
        service_done(&s);
        logger_finish(&k);
}

int main(void) { return 0; }
