/* What the balancer can no longer do, and that it can do the rest. In a child: a filter is for good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "balance/balancer.h"

static int confined(void) {
        int pair[2];
        char c = 0;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || confine() < 0)
                return 1;
        if (open("/dev/null", O_RDONLY) >= 0 || errno != EPERM)
                return 2;
        if (kill(getpid(), 0) >= 0 || errno != EPERM)
                return 3;
        if (fork() >= 0 || errno != EPERM)
                return 4;
        if (execl("/bin/true", "true", NULL) >= 0 || errno != EPERM)
                return 5;
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || write(pair[0], "x", 1) != 1 || read(pair[1], &c, 1) != 1 || c != 'x')
                return 6;
        return 0;
}

static void test_confined(void **state) {
        int status;
        pid_t pid = fork();

        if (pid == 0)
                _exit(confined());
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_confined) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
