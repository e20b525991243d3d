/* The logger's real loop in a process of its own, over the real socket: many runs, floods, death and succession, a full disk, the end. The
 * test plays the keeper. Everything is awaited by descriptors or by the logger's answers, with a deadline. */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"
#include "logger/log_wire.h"
#include "logger/logger.h"
#include "logger/notes.h"
#include "logger/reader.h"
#include "model/spec.h"
#include "place.inc.h"

#define DEADLINE_MSEC 60000

/* Writing goes through here, so that a disk can be slow: the logger's first writes of a whole chunk to a file take a while. */
static unsigned slow_writes;

ssize_t write(int fd, const void *p, size_t n) {
        struct stat st;

        if (slow_writes > 0 && n > 10000 && fstat(fd, &st) >= 0 && S_ISREG(st.st_mode)) {
                slow_writes--;
                (void) usleep(150000);
        }
        return syscall(SYS_write, fd, p, n);
}

/* For a logger whose clock stands still no write takes long, however long the machine keeps it waiting. */
static bool timeless;

int clock_gettime(clockid_t id, struct timespec *ret) {
        if (!timeless || id != CLOCK_MONOTONIC)
                return (int) syscall(SYS_clock_gettime, id, ret);
        *ret = (struct timespec) { .tv_sec = 1000 };
        return 0;
}

/* The memory file that one logger after the other gets; -EBADF: none. */
static int notes = -EBADF;

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

                (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
                /* Only its own end of anything, as after an exec. */
                dup2(said[1], STDERR_FILENO);
                notes = notes < 0 ? notes : fcntl(notes, F_DUPFD, 100);
                dup2(pair[1], LOG_WIRE_FD);
                if (notes >= 0)
                        dup2(notes, LOG_NOTES_FD);
                (void) close_range(LOG_NOTES_FD + (notes >= 0), ~0U, 0);
                (void) setrlimit(RLIMIT_FSIZE, &l);
                log_open("kingd-logger", LOG_INFO);
                if (notes >= 0)
                        assert_int_equal(notes_open(LOG_NOTES_FD), 0);
                (void) raise_nofile(NULL);
                exit(logger_run(LOG_WIRE_FD, UINT64_MAX) < 0 ? 1 : 0);
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
        LogPacket p = { .pid = 4711, .open = { .version = LOG_WIRE_VERSION, .format = (uint8_t) format, .run = s->run, .max_size = max_size,
                                               .keep = keep, .uid = -1, .gid = -1 } };

        strcpy(p.open.path, path);
        assert_int_equal(fd_send(k->sock, &p, sizeof(p), s->read, 2), 0);
}

static void service_submit_open(const Keeper *k, const Service *s, const char *path, LogOpen o) {
        LogPacket p = { .pid = 4711, .open = o };

        p.open.version = LOG_WIRE_VERSION;
        p.open.run = s->run;
        p.open.uid = p.open.gid = -1;
        strcpy(p.open.path, path);
        assert_int_equal(fd_send(k->sock, &p, sizeof(p), s->read, 2), 0);
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

static uint64_t wait_answer(const Keeper *k, LogAnswerKind kind) {
        LogAnswer c;

        wait_readable(k->sock);
        assert_int_equal(recv(k->sock, &c, sizeof(c), 0), sizeof(c));
        assert_int_equal(c.kind, kind);
        return c.run;
}

static uint64_t wait_closed(const Keeper *k) {
        return wait_answer(k, LOG_ENDED);
}

/* From its answer on, what comes goes to files of new. */
static void reopen(const Keeper *k) {
        assert_int_equal(kill(k->pid, SIGHUP), 0);
        assert_int_equal(wait_answer(k, LOG_REOPENED), 0);
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
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
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

#define SUCCESSIONS 60

static size_t unread(int fd) {
        int n = 0;

        assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
        return (size_t) n;
}

/* Numbered words until `want` bytes are in or the pipe is full; remembers what went in. */
static void push(int fd, size_t want, Buffer *pushed) {
        static unsigned number;

        while (want > 0) {
                char text[64];
                int n = snprintf(text, sizeof(text), "word %u%c", number, number % 5 ? ' ' : '\n');

                number++;
                if (write(fd, text, (size_t) n) < 0)
                        return;
                assert_int_equal(buffer_append(pushed, text, (size_t) n), 0);
                want -= MIN(want, (size_t) n);
        }
}

/* The messages of lines in the text or json format, or the bytes as they are. */
static void messages(uint8_t format, const Buffer *chain, Buffer *ret) {
        for (const char *p = chain->data, *end; chain->size > 0 && format != LOG_FORMAT_RAW && (end = strchr(p, '\n')); p = end + 1) {
                const char *from = format == LOG_FORMAT_JSON ? memmem(p, (size_t) (end - p), "\"message\":\"", 11) + 11 : p + 32;

                assert_int_equal(buffer_append(ret, from, (size_t) (end - from) - (format == LOG_FORMAT_JSON ? 2 : 0)), 0);
                assert_int_equal(buffer_append(ret, "\n", 1), 0);
        }
        if (format == LOG_FORMAT_RAW)
                assert_int_equal(buffer_append(ret, chain->data, chain->size), 0);
}

/* Killed at any moment, with the same pipes and notes handed to the next one: every byte is written, and none twice. */
static void check_succession(const Place *p, uint8_t format, bool multiline) {
        LogOpen open = { .format = format, .max_size = 20000, .keep = 900, .multiline = multiline };
        Service s = service_make(1);
        _cleanup_buffer_ Buffer expected = {}, chain = {}, text = {};
        Keeper k;

        notes = memfd_create("notes", MFD_CLOEXEC);
        assert_true(notes >= 0);
        assert_int_equal(fd_nonblock(s.write[0], true), 0);
        for (unsigned i = 0; i < SUCCESSIONS; i++) {
                k = logger_start(RLIM_INFINITY);
                service_submit_open(&k, &s, p->path, open);
                for (int turns = rand() % 60; turns >= 0; turns--) {
                        push(s.write[0], (size_t) rand() % 3000, &expected);
                        if (rand() % 2)
                                sched_yield();
                }
                logger_kill(&k);
        }
        k = logger_start(RLIM_INFINITY);
        service_submit_open(&k, &s, p->path, open);
        while (unread(s.read[0]) > 0)
                (void) usleep(1000);
        assert_int_equal(fd_write_all(s.write[0], "\n", 1), 0);
        assert_int_equal(buffer_append(&expected, "\n", 1), 0);
        service_end(&s);
        assert_int_equal(wait_closed(&k), 1);
        file_chain(p->path, 1000, &chain);
        messages(format, &chain, &text);
        assert_int_equal(text.size, expected.size);
        assert_memory_equal(text.data, expected.data, text.size);
        service_done(&s);
        logger_finish(&k);
        notes = fd_close(notes);
}

static void test_succession_raw(void **state) {
        srand(test_seed());
        check_succession(*state, LOG_FORMAT_RAW, false);
}

static void test_succession_text(void **state) {
        srand(test_seed());
        check_succession(*state, LOG_FORMAT_TEXT, false);
}

static void test_succession_json(void **state) {
        srand(test_seed());
        check_succession(*state, LOG_FORMAT_JSON, false);
}

/* Each line waits for the next. */
static void test_succession_events(void **state) {
        srand(test_seed());
        check_succession(*state, LOG_FORMAT_JSON, true);
}

/* The keeper goes, the service does not: what is in the pipe and the line that has no end yet are written, then the logger ends. */
static void test_drain(void **state) {
        Place *p = *state;
        Service s = service_make(1);
        _cleanup_free_ char *data = NULL;
        _cleanup_buffer_ Buffer text = {}, expected = {};
        Keeper k;
        size_t n;

        for (unsigned i = 0; i < 3000; i++)
                assert_int_equal(buffer_printf(&expected, "out line %u\n", i), 0);
        for (unsigned i = 0; i < 3000; i++)
                assert_true(dprintf(s.write[0], "line %u\n", i) > 0);
        assert_int_equal(fd_write_all(s.write[0], "unfinished", 10), 0);
        assert_int_equal(buffer_append(&expected, "out+ unfinished\n", 16), 0);
        k = logger_start(RLIM_INFINITY);
        service_submit(&k, &s, p->path, 0, 0, 1);
        logger_finish(&k);
        data = file_number(p->path, 0, &n);
        assert_non_null(data);
        strip_stamps(data, n, &text);
        assert_string_equal(text.data, expected.data);
        service_done(&s);
}

static void make_room(const Keeper *k, rlim_t n) {
        struct rlimit l = { .rlim_cur = n, .rlim_max = RLIM_INFINITY };

        assert_int_equal(prlimit(k->pid, RLIMIT_FSIZE, &l, NULL), 0);
}

/* A full disk: the service waits, others go on, nothing is lost; SIGHUP tries again at once. */
static void test_full_disk(void **state) {
        Keeper k = logger_start(2000);
        Service full = service_make(1), other = service_make(2);
        _cleanup_buffer_ Buffer chain = {}, text = {}, expected = {};
        Place *p = *state;
        char path[256];
        pid_t writer;
        int status;

        snprintf(path, sizeof(path), "%s/other.log", p->dir);
        service_submit(&k, &full, p->path, 0, 0, 1);
        for (unsigned i = 0; i < 20000; i++)
                assert_int_equal(buffer_printf(&expected, "out line %u\n", i), 0);
        writer = fork();
        if (writer == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                service_end(&other);
                for (unsigned i = 0; i < 20000; i++)
                        if (dprintf(full.write[0], "line %u\n", i) < 0)
                                _exit(1);
                _exit(0);
        }
        wait_said(&k, "cannot write");
        service_submit(&k, &other, path, 0, 0, 1);
        assert_true(dprintf(other.write[0], "unharmed\n") > 0);
        service_end(&other);
        assert_int_equal(wait_closed(&k), 2);
        reopen(&k); /* still full: changes nothing */
        make_room(&k, RLIM_INFINITY);
        reopen(&k);
        wait_said(&k, "is written again");
        service_end(&full);
        assert_int_equal(wait_closed(&k), 1);
        assert_int_equal(waitpid(writer, &status, 0), writer);
        assert_int_equal(status, 0);
        file_chain(p->path, 0, &chain);
        strip_stamps(chain.data, chain.size, &text);
        assert_int_equal(text.size, expected.size);
        assert_memory_equal(text.data, expected.data, text.size);
        service_done(&full);
        service_done(&other);
        logger_finish(&k);
}

/* The same without the signal, and with the end of the service while it is full: the timer brings it all home. */
static void test_full_disk_timer(void **state) {
        Keeper k = logger_start(10);
        Service s = service_make(1);
        _cleanup_buffer_ Buffer chain = {}, text = {};
        Place *p = *state;

        service_submit(&k, &s, p->path, 0, 0, 1);
        assert_int_equal(fd_write_all(s.write[0], "no end", 6), 0);
        assert_int_equal(fd_write_all(s.write[1], "one\n", 4), 0);
        service_end(&s);
        wait_said(&k, "cannot write");
        make_room(&k, RLIM_INFINITY);
        assert_int_equal(wait_closed(&k), 1);
        file_chain(p->path, 0, &chain);
        strip_stamps(chain.data, chain.size, &text);
        assert_true(streq(text.data, "out no end\nerr one\n") || streq(text.data, "err one\nout no end\n"));
        service_done(&s);
        logger_finish(&k);
}

/* Full until the end: told how much is lost, and it still ends. */
static void test_full_at_the_end(void **state) {
        Keeper k = logger_start(10);
        Service s = service_make(1);
        Place *p = *state;

        service_submit(&k, &s, p->path, 0, 0, 1);
        assert_int_equal(fd_write_all(s.write[0], "sad\n", 4), 0);
        wait_said(&k, "cannot write");
        assert_int_equal(fd_write_all(s.write[0], "but kept in the pipe\n", 21), 0);
        k.sock = fd_close(k.sock);
        wait_said(&k, "4 bytes of output");
        logger_finish(&k);
        assert_int_equal(unread(s.read[0]), 21);
        service_done(&s);
}

static void test_reopen(void **state) {
        Keeper k = logger_start(RLIM_INFINITY);
        Service s = service_make(1), first = service_make(2);
        _cleanup_free_ char *before = NULL, *after = NULL;
        Place *p = *state;
        char moved[256];
        size_t n;

        snprintf(moved, sizeof(moved), "%s.moved", p->path);
        service_submit(&k, &s, p->path, 1, 0, 1);
        service_submit(&k, &first, p->path, 1, 0, 1);
        assert_int_equal(fd_write_all(first.write[0], "one\n", 4), 0);
        service_end(&first);
        assert_int_equal(wait_closed(&k), 2);
        assert_int_equal(rename(p->path, moved), 0);
        reopen(&k);
        assert_int_equal(fd_write_all(s.write[0], "two\n", 4), 0);
        service_end(&s);
        assert_int_equal(wait_closed(&k), 1);
        before = file_number(moved, 0, &n);
        after = file_number(p->path, 0, &n);
        assert_string_equal(before, "one\n");
        assert_string_equal(after, "two\n");
        service_done(&first);
        service_done(&s);
        logger_finish(&k);
}

/* Out of descriptors: nothing of the run is read, the keeper hears of it, and the next try takes it up. */
static void test_no_descriptors(void **state) {
        const char *path = ((Place *) *state)->path;
        Keeper k = logger_start(RLIM_INFINITY);
        _cleanup_free_ char *data = NULL;
        Service first = service_make(1), second = service_make(2);
        struct rlimit none = { .rlim_cur = LOG_WIRE_FD + 1 }, was;

        service_submit(&k, &first, path, 0, 0, 5);
        service_end(&first);
        assert_int_equal(wait_closed(&k), 1); /* so it is set up */
        assert_int_equal(prlimit(k.pid, RLIMIT_NOFILE, NULL, &was), 0);
        none.rlim_max = was.rlim_max;
        assert_int_equal(prlimit(k.pid, RLIMIT_NOFILE, &none, NULL), 0);
        service_submit(&k, &second, path, 0, 0, 5);
        assert_int_equal(wait_answer(&k, LOG_REFUSED), 2);
        service_submit(&k, &second, path, 0, 0, 5);
        assert_int_equal(wait_answer(&k, LOG_REFUSED), 2);
        wait_said(&k, "cannot take up the output");
        assert_int_equal(prlimit(k.pid, RLIMIT_NOFILE, &was, NULL), 0);
        assert_int_equal(write(second.write[0], "late\n", 5), 5);
        service_submit(&k, &second, path, 0, 0, 5);
        service_end(&second);
        assert_int_equal(wait_closed(&k), 2);
        wait_said(&k, "taken up again");
        data = file_number(path, 0, NULL);
        assert_non_null(strstr(data, "out late\n"));
        service_done(&first);
        service_done(&second);
        logger_finish(&k);
}

static bool is_closed_elsewhere(int write_end) {
        struct pollfd p = { .fd = write_end, .events = 0 };

        return poll(&p, 1, DEADLINE_MSEC) == 1 && (p.revents & POLLERR);
}

/* ---- what may be dropped ---- */

typedef struct Kept {
        unsigned lines, dropped, notes;
        unsigned last;
} Kept;

/* Lines are numbered and in order, each whole; what is missing between them is what the notes count. */
static Kept check_numbered(const char *data, const char *reason) {
        Kept k = {};

        for (const char *line = data, *end; (end = strchr(line, '\n')); line = end + 1) {
                const char *message = line + 32;
                unsigned n;

                if (sscanf(message, "kingly: %u line", &n) == 1) {
                        assert_non_null(memmem(line, (size_t) (end - line), reason, strlen(reason)));
                        k.dropped += n;
                        k.notes++;
                } else if (sscanf(message, "number %u .........|", &n) == 1 && end[-1] == '|') {
                        assert_true(k.lines == 0 || n > k.last);
                        k.last = n;
                        k.lines++;
                } /* else half a line, whose end was counted */
        }
        return k;
}

static void write_numbered(const Service *s, unsigned from, unsigned to) {
        for (unsigned i = from; i < to; i++)
                assert_true(dprintf(s->write[0], "number %u .........|\n", i) > 0);
}

/* The disk is full, and the service does not wait: it writes many times what a pipe holds. Then there is room again. */
static void check_drop(const Place *p, uint8_t when_full) {
        Service s = service_make(1);
        _cleanup_free_ char *data = NULL;
        Keeper k;
        Kept kept;

        timeless = true; /* only that it is full is a reason */
        k = logger_start(2000);
        timeless = false;
        service_submit_open(&k, &s, p->path, (LogOpen) { .when_full = when_full });
        write_numbered(&s, 0, 50000);
        wait_said(&k, "output of its service is dropped");
        write_numbered(&s, 50000, 60000);
        make_room(&k, RLIM_INFINITY);
        reopen(&k);
        wait_said(&k, "is written again");
        write_numbered(&s, 60000, 60010);
        service_end(&s);
        assert_int_equal(wait_closed(&k), 1);
        service_done(&s);
        logger_finish(&k);
        data = file_number(p->path, 0, NULL);
        kept = check_numbered(data, "the file could not be written");
        assert_int_equal(kept.notes, 1);
        assert_int_equal(kept.last, 60009);
        assert_true(kept.dropped > 40000);
        assert_int_equal(kept.lines + kept.dropped, 60010);
        (void) unlink(p->path);
}

static void test_drop_newest(void **state) {
        check_drop(*state, LOG_FULL_DROP_NEWEST);
}

static void test_drop_oldest(void **state) {
        check_drop(*state, LOG_FULL_DROP_OLDEST);
}

/* A write takes a long time now and then; the service goes on. */
static void test_slow_disk(void **state) {
        Service s = service_make(1);
        _cleanup_free_ char *data = NULL;
        Place *p = *state;
        Keeper k;
        Kept kept;

        slow_writes = 3;
        k = logger_start(RLIM_INFINITY);
        slow_writes = 0;
        service_submit_open(&k, &s, p->path, (LogOpen) { .when_full = LOG_FULL_DROP_OLDEST });
        write_numbered(&s, 0, 60000);
        service_end(&s);
        assert_int_equal(wait_closed(&k), 1);
        service_done(&s);
        logger_finish(&k);
        data = file_number(p->path, 0, NULL);
        kept = check_numbered(data, "the disk is slower than the service");
        assert_int_equal(kept.lines + kept.dropped, 60000);
        assert_int_equal(kept.last, 59999);
}

/* A flood beyond the rate: as many lines as are allowed, and one that says how many were not, also when nothing comes after it. */
static void test_rate(void **state) {
        Keeper k = logger_start(RLIM_INFINITY);
        Service s = service_make(1);
        _cleanup_free_ char *data = NULL;
        Place *p = *state;
        unsigned n = 0;
        Kept kept;

        service_submit_open(&k, &s, p->path, (LogOpen) { .rate = 10, .burst = 100 });
        do { /* the flood goes on until the second note */
                write_numbered(&s, n, n + 100);
                n += 100;
                free(data);
                data = file_number(p->path, 0, NULL);
        } while (!data || !strstr(data, "kingly: ") || !strstr(strstr(data, "kingly: ") + 1, "kingly: "));
        write_numbered(&s, n, n + 5000);
        n += 5000;
        do { /* then nothing comes after it */
                free(data);
                (void) usleep(10000);
                data = file_number(p->path, 0, NULL);
        } while (!strstr(strstr(strstr(data, "kingly: ") + 1, "kingly: ") + 1, "kingly: "));
        service_end(&s);
        assert_int_equal(wait_closed(&k), 1);
        service_done(&s);
        logger_finish(&k);
        free(data);
        data = file_number(p->path, 0, NULL);
        kept = check_numbered(data, "more than 10 lines a second");
        assert_true(kept.lines >= 100 && kept.lines < n);
        assert_true(kept.notes >= 3);
        assert_int_equal(kept.lines + kept.dropped, n);
}

/* Whatever comes over the socket, the descriptors are closed and the next packet is served. */
static void test_bad_packets(void **state) {
        Keeper k = logger_start(RLIM_INFINITY);
        Place *p = *state;
        LogPacket good = { .open = { .version = LOG_WIRE_VERSION, .run = 9, .keep = 1, .uid = -1, .gid = -1 } };
        Service s;

        strcpy(good.open.path, p->path);
        for (unsigned i = 0; i < 18; i++) {
                size_t size = sizeof(good), n_fds = 2;
                LogPacket packet = good;
                LogOpen *o = &packet.open;
                char big[sizeof(packet) + 1] = {};

                s = service_make(9);
                switch (i) {
                case 0: o->version--; break;
                case 1: o->format = 3; break;
                case 2: o->run = 0; break;
                case 3: o->path[0] = 'x'; break;
                case 4: strcpy(o->path, "/tmp/../etc/x.log"); break;
                case 5: memset(o->path, '/', sizeof(o->path)); break;
                case 6: strcpy(o->path, "/tmp/"); break;
                case 7: o->uid = -2; break;
                case 8: size--; break;
                case 9: size = sizeof(big); break;
                case 10: n_fds = 1; break;
                case 11: strcpy(o->path, "/.."); break;
                case 12: packet.pid = -1; break;
                case 13: o->rotate = 5; break;
                case 14: o->compress = 3; break;
                case 15: o->root_size = sizeof(o->path); break;
                case 16: o->when_full = 3; break;
                case 17: o->multiline = 2; break;
                }
                memcpy(big, &packet, sizeof(packet));
                assert_int_equal(fd_send(k.sock, big, size, s.read, n_fds), 0);
                s.read[0] = fd_close(s.read[0]);
                assert_true(is_closed_elsewhere(s.write[0])); /* EPIPE for the writer: nobody has the read end any more */
                service_done(&s);
        }
        s = service_make(9);
        service_submit(&k, &s, p->path, 0, 0, 1);
        service_submit(&k, &s, p->path, 0, 0, 1); /* the same once more is ignored */
        assert_true(dprintf(s.write[0], "fine\n") > 0);
        service_end(&s);
        assert_int_equal(wait_closed(&k), 9);
        service_done(&s);
        logger_finish(&k);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_run, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_many_runs, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_flood, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_succession_raw, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_succession_text, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_succession_json, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_succession_events, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_drain, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_full_disk, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_full_disk_timer, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_full_at_the_end, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_reopen, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_no_descriptors, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_drop_newest, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_drop_oldest, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_slow_disk, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_rate, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_bad_packets, place_open, place_close),
        };

        (void) signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
