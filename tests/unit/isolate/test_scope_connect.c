/* Where systemd is reached: a user's manager is played at the socket of its name in a directory of the test's own, and a bus beside it. Both
 * only listen: which of the two was called is the question. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/text.h"
#include "isolate/scope.h"

#define NOBODY 65534

static ScopeIsolate si;
static char directory[] = "/tmp/test-connect.XXXXXX";
static char systemd_path[64], socket_path[80], bus_path[64];

static int listen_at(const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        assert_true(fd >= 0);
        snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        (void) unlink(path);
        assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(listen(fd, 8), 0);
        return fd;
}

static void disconnect(void) {
        si.bus = sd_bus_close_unref(si.bus);
}

static void expect(bool direct) {
        assert_int_equal(scope_connect(&si), 0);
        assert_int_equal(si.direct, direct);
        assert_string_equal(scope_connection_name(&si), direct ? "user manager's socket" : "user bus");
        disconnect();
}

static void test_socket_before_bus(void **state) {
        _cleanup_fd_ int manager = listen_at(socket_path), caller = -EBADF;

        expect(true);
        caller = accept4(manager, NULL, NULL, SOCK_CLOEXEC);
        assert_true(caller >= 0);
}

static void test_bus_without_socket(void **state) {
        expect(false);
        assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
        expect(false);
}

static void test_socket_that_was_no_good(void **state) {
        _cleanup_fd_ int manager = listen_at(socket_path);

        si.bus_only = true;
        expect(false);
}

/* systemd executes itself anew: nobody listens for a while. */
static void test_socket_comes_back(void **state) {
        int manager = listen_at(socket_path);

        expect(true);
        close(manager);
        for (si.attempt = 0; si.attempt < 7; si.attempt++)
                assert_int_equal(scope_connect(&si), -ECONNREFUSED);
        manager = listen_at(socket_path);
        expect(true);
        close(manager);
        expect(false);                 /* it has taken too long */
        si.attempt = 0;
        manager = listen_at(socket_path);
        expect(true);                  /* as soon as the bus breaks */
        close(manager);
}

static void test_stranger_at_the_socket(void **state) {
        int pair[2], manager;
        char byte = 0;
        pid_t pid;

        if (geteuid() != 0)
                skip();
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        manager = listen_at(socket_path);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                alarm(60);
                if (setuid(NOBODY) < 0 || listen(manager, 8) < 0 || write(pair[1], "x", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        assert_int_equal(read(pair[0], &byte, 1), 1);
        expect(false);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        close(pair[0]);
        close(pair[1]);
        close(manager);
}

static void test_system_bus_that_is_named(void **state) {
        _cleanup_free_ char *address = text_printf("unix:path=%s", bus_path);

        si.isolate.options.user = false;
        assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
        assert_int_equal(scope_connect(&si), 0);
        assert_false(si.direct);
        assert_string_equal(scope_connection_name(&si), "system bus");
        disconnect();
        assert_int_equal(unsetenv("DBUS_SYSTEM_BUS_ADDRESS"), 0);
}

static int bus_fd;

static int open_world(void **state) {
        _cleanup_free_ char *address = text_printf("unix:path=%s", bus_path);

        si = (ScopeIsolate) { .isolate.options.user = true };
        assert_int_equal(setenv("XDG_RUNTIME_DIR", directory, 1), 0);
        assert_int_equal(setenv("DBUS_SESSION_BUS_ADDRESS", address, 1), 0);
        (void) unlink(socket_path);
        bus_fd = listen_at(bus_path);
        return 0;
}

static int close_world(void **state) {
        disconnect();
        close(bus_fd);
        return 0;
}

static int make_directory(void **state) {
        if (!mkdtemp(directory))
                return -1;
        snprintf(systemd_path, sizeof(systemd_path), "%s/systemd", directory);
        snprintf(socket_path, sizeof(socket_path), "%s/private", systemd_path);
        snprintf(bus_path, sizeof(bus_path), "%s/bus", directory);
        return mkdir(systemd_path, 0755);
}

static int remove_directory(void **state) {
        (void) unlink(socket_path);
        (void) unlink(bus_path);
        return rmdir(systemd_path) < 0 || rmdir(directory) < 0 ? -1 : 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_socket_before_bus), TEST(test_bus_without_socket), TEST(test_socket_that_was_no_good), TEST(test_socket_comes_back),
                TEST(test_stranger_at_the_socket), TEST(test_system_bus_that_is_named),
        };

        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
