/* The journal's stream against a listener that plays journald; and, where one listens, against the real one and back through the reader. */
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>

#include "logger/journal.h"
#include "logger/journal_state.h"
#include "place.inc.h"

#define DEADLINE_MSEC 30000

static int listen_at(const char *path, int backlog) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_true(strlen(path) < sizeof(a.sun_path));
        strcpy(a.sun_path, path);
        assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(listen(fd, backlog), 0);
        return fd;
}

static void test_stream(void **state) {
        static const char expected[] = "shop-api\n\n6\n1\n0\n0\n0\nhello\n<3>bad\n";
        Place *p = *state;
        int listener = listen_at(p->path, 8), fd = -EBADF, peer;
        char text[256] = "";
        size_t n = 0;
        ssize_t k;

        assert_int_equal(journal_stream_at(p->path, "shop-api", LOG_INFO, &fd), 0);
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0); /* a service expects its stdout to block */
        assert_int_equal(fd_write_all(fd, "hello\n<3>bad\n", 13), 0);
        close(fd);
        peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(peer >= 0);
        while ((k = read(peer, text + n, sizeof(text) - 1 - n)) > 0)
                n += (size_t) k;
        assert_string_equal(text, expected);
        close(peer);
        close(listener);
}

static unsigned interrupts;

static void on_alarm(int sig) {
        if (--interrupts == 0)
                (void) setitimer(ITIMER_REAL, &(struct itimerval) {}, NULL);
}

/* Until there is no more room; the last one waits for some, and is interrupted. */
static int fill(const char *path, int *queued, int max, int *ret) {
        struct itimerval often = { .it_value = { .tv_usec = 20000 }, .it_interval = { .tv_usec = 20000 } };
        int n = 0;

        assert_int_equal(sigaction(SIGALRM, &(struct sigaction) { .sa_handler = on_alarm }, NULL), 0);
        interrupts = 10;
        assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
        while (n < max && (*ret = journal_stream_at(path, "x", LOG_INFO, &queued[n])) == 0)
                n++;
        return n;
}

static void test_refused(void **state) {
        Place *p = *state;
        char longest[300];
        int fd = -EBADF, queued[16], listener, r = 0, n;
        usec_t begin;

        memset(longest, 'x', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        assert_int_equal(journal_stream_at(p->path, "x", LOG_INFO, &fd), -ENOENT);
        assert_int_equal(journal_stream_at(p->path, "", LOG_INFO, &fd), -EINVAL);
        assert_int_equal(journal_stream_at(p->path, "two\nlines", LOG_INFO, &fd), -EINVAL);
        assert_int_equal(journal_stream_at(p->path, longest, LOG_INFO, &fd), -EINVAL);
        assert_int_equal(journal_stream_at(p->path, "x", 8, &fd), -EINVAL);
        assert_int_equal(journal_stream_at(longest, "x", LOG_INFO, &fd), -ENAMETOOLONG);
        listener = listen_at(p->path, 0); /* it never accepts: the backlog fills, and then we do not wait for ever */
        begin = now_usec(CLOCK_MONOTONIC);
        n = fill(p->path, queued, ARRAY_SIZE(queued), &r);
        assert_int_equal(r, -ETIMEDOUT);
        assert_true(now_usec(CLOCK_MONOTONIC) - begin < 60 * USEC_PER_SEC);
        while (n > 0)
                close(queued[--n]);
        close(listener);
        assert_int_equal(journal_stream_at(p->path, "x", LOG_INFO, &fd), -ECONNREFUSED);
        assert_int_equal(fd, -EBADF);
}

/* Waits for an entry that the identifier wrote. */
static void expect_entry(JournalReader *r, const char *message, int priority, int stream) {
        struct pollfd p = { .fd = journal_reader_watch_fd(r), .events = POLLIN };
        usec_t end = now_usec(CLOCK_MONOTONIC) + DEADLINE_MSEC * USEC_PER_MSEC;
        JournalRecord record = {};
        int q;

        assert_true(p.fd >= 0);
        while ((q = journal_reader_next(r, &record)) == 0) {
                assert_true(now_usec(CLOCK_MONOTONIC) < end);
                (void) poll(&p, 1, 1000);
                assert_int_equal(journal_reader_changed(r), 0);
        }
        assert_int_equal(q, 1);
        assert_int_equal(record.size, strlen(message));
        assert_memory_equal(record.message, message, record.size);
        assert_int_equal(record.priority, priority);
        assert_int_equal(record.stream, stream);
        assert_int_equal(record.pid, getpid());
        assert_true(record.realtime > 0);
        assert_non_null(record.unit);
}

static void test_real_journal(void **state) {
        char identifier[64];
        JournalReader *r = NULL;
        JournalRecord record;
        int fd = -EBADF;
        usec_t middle;

        if (!journal_available()) {
                assert_int_equal(journal_stream("kingly-test", LOG_INFO, &fd), -ENOENT);
                return;
        }
        snprintf(identifier, sizeof(identifier), "kingly-test-%i-%u", getpid(), (unsigned) now_usec(CLOCK_REALTIME));
        assert_int_equal(journal_reader_open(identifier, false, &r), 0);
        assert_int_equal(journal_reader_seek_tail(r, 10), 0);
        assert_int_equal(journal_reader_next(r, &record), 0);
        assert_int_equal(journal_stream(identifier, LOG_INFO, &fd), 0);
        assert_int_equal(fd_write_all(fd, "one\n<3>two\n", 11), 0);
        expect_entry(r, "one", LOG_INFO, 0);
        expect_entry(r, "two", LOG_ERR, 1);
        assert_int_equal(journal_reader_next(r, &record), 0);
        middle = now_usec(CLOCK_REALTIME);
        assert_int_equal(fd_write_all(fd, "three\n", 6), 0);
        expect_entry(r, "three", LOG_INFO, 0);
        assert_int_equal(journal_reader_seek_tail(r, 2), 0);
        expect_entry(r, "two", LOG_ERR, 1);
        expect_entry(r, "three", LOG_INFO, 0);
        assert_int_equal(journal_reader_seek_tail(r, 100), 0);
        expect_entry(r, "one", LOG_INFO, 0);
        assert_int_equal(journal_reader_seek_time(r, middle), 0);
        expect_entry(r, "three", LOG_INFO, 0);
        assert_int_equal(journal_reader_seek_tail(r, 0), 0);
        assert_int_equal(journal_reader_next(r, &record), 0);
        assert_int_equal(fd_write_all(fd, "four\n", 5), 0);
        expect_entry(r, "four", LOG_INFO, 0);
        close(fd);
        journal_reader_free(r);
}

/* Without a journal there are no entries, and that is all. */
static void test_reader_alone(void **state) {
        JournalReader *r = NULL;
        JournalRecord record;

        assert_int_equal(journal_reader_open("", false, &r), -EINVAL);
        assert_int_equal(journal_reader_open("kingly-no-such-identifier", true, &r), 0);
        assert_int_equal(journal_reader_seek_tail(r, 10), 0);
        assert_int_equal(journal_reader_next(r, &record), 0);
        assert_int_equal(journal_reader_seek_time(r, 1), 0);
        assert_int_equal(journal_reader_next(r, &record), 0);
        assert_true(journal_reader_watch_fd(r) >= 0);
        assert_int_equal(journal_reader_changed(r), 0);
        assert_null(journal_reader_free(r));
        assert_null(journal_reader_free(NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_stream, place_open, place_close),
                cmocka_unit_test_setup_teardown(test_refused, place_open, place_close),
                cmocka_unit_test(test_real_journal),
                cmocka_unit_test(test_reader_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
