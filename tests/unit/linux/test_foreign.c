/* Descriptors of others: which are the same, which close at once, and that closing the others does not wait for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"
#include "linux/foreign.h"

static void test_same(void **state) {
        _cleanup_fd_ int a = open("/dev/null", O_RDONLY | O_CLOEXEC), b = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = fd_dup(a);

        assert_true(a >= 0 && b >= 0 && copy >= 0);
        assert_true(fd_same(a, a));
        assert_true(fd_same(a, copy));
        assert_false(fd_same(a, b));
        assert_false(fd_same(a, -1));
}

static void test_closes_at_once(void **state) {
        int pipes[2], sockets[2];
        _cleanup_fd_ int event = eventfd(0, EFD_CLOEXEC), memory = memfd_create("state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        _cleanup_fd_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC), proc = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
        assert_true(fd_closes_at_once(pipes[0]));
        assert_true(fd_closes_at_once(sockets[0]));
        assert_true(fd_closes_at_once(event));
        assert_true(fd_closes_at_once(memory));
        assert_true(fd_closes_at_once(null));
        assert_true(fd_closes_at_once(proc));
        for (int i = 0; i < 2; i++) {
                fd_close(pipes[i]);
                fd_close(sockets[i]);
        }
        assert_false(fd_closes_at_once(-1));
}

static void test_linger(void **state) {
        _cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct linger l = { .l_onoff = 1, .l_linger = 3600 };
        socklen_t size = sizeof l;

        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l), 0);
        fd_end_linger(fd);
        assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &size), 0);
        assert_int_equal(l.l_onoff, 0);
}

/* A pipe is closed at once; a file of a mount that stands in no list of ours, by another process, in our table too. */
static void test_elsewhere(void **state) {
        _cleanup_fd_ int tree = open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        int why = tree < 0 ? errno : 0, pipes[2], file, tries = 0;

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        fd_close_elsewhere(pipes[0]);
        assert_int_equal(fcntl(pipes[0], F_GETFD), -1);
        fd_close_elsewhere(pipes[1]);
        fd_close_elsewhere(-1);
        /* Only root can make such a mount, and valgrind does not know the call. */
        if (tree < 0) {
                assert_true(why == EPERM || why == ENOSYS);
                return;
        }
        file = openat(tree, "self/stat", O_RDONLY | O_CLOEXEC);
        assert_true(file >= 0);
        assert_false(fd_closes_at_once(file));
        fd_close_elsewhere(file);
        while (fcntl(file, F_GETFD) >= 0 && tries++ < 6000)
                (void) nanosleep(&(struct timespec) { .tv_nsec = 10000000 }, NULL);
        assert_int_equal(fcntl(file, F_GETFD), -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_same),
                cmocka_unit_test(test_closes_at_once),
                cmocka_unit_test(test_linger),
                cmocka_unit_test(test_elsewhere),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
