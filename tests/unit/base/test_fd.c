/* fd.c and log.c: descriptors, files, paths, descriptor passing; each test in a private directory that is its working directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/span.h"
#include "base/text.h"

static char directory[] = "/tmp/kingly-test-fd.XXXXXX";

static int enter_directory(void **state) {
        return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int remove_directory(void **state) {
        return chdir("/") == 0 && rmdir(directory) == 0 ? 0 : -1; /* a test that leaves something behind fails here */
}

static size_t open_descriptors(void) {
        DIR *d = opendir("/proc/self/fd");
        size_t n = 0;

        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

static bool cloexec(int fd) {
        return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static void close_keeps_errno(void **state) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = fd_dup(fd);

        assert_true(copy >= 3 && cloexec(copy));
        assert_int_equal(fd_nonblock(copy, true), 0);
        assert_true(fcntl(copy, F_GETFL) & O_NONBLOCK);
        assert_int_equal(fd_nonblock(copy, false), 0);
        assert_false(fcntl(copy, F_GETFL) & O_NONBLOCK);
        errno = EAGAIN;
        assert_int_equal(fd_close(copy), -EBADF);
        assert_int_equal(fd_close(copy), -EBADF); /* closed already */
        assert_int_equal(fd_close(-1), -EBADF);
        assert_int_equal(errno, EAGAIN);
        assert_int_equal(fd_dup(copy), -EBADF);
        assert_int_equal(fd_nonblock(copy, true), -EBADF);
        fd_close(fd);
}

static void files_are_read_whole(void **state) {
        _cleanup_free_ char *text = NULL, *maps = NULL, *none = NULL;
        char big[10001], small[64];
        size_t size;

        memset(big, 'x', sizeof(big));
        big[5000] = '\0';
        assert_int_equal(write_file_atomic("f", big, sizeof(big), 0640), 0);
        assert_int_equal(read_file_at(AT_FDCWD, "f", sizeof(big), &text, &size), 0);
        assert_int_equal(size, sizeof(big));
        assert_memory_equal(text, big, sizeof(big));
        assert_int_equal(text[size], 0);
        assert_int_equal(read_file_at(AT_FDCWD, "f", sizeof(big) - 1, &none, NULL), -EFBIG);
        assert_null(none);
        assert_int_equal(read_file_into(AT_FDCWD, "f", small, sizeof(small)), -ENOBUFS);
        assert_int_equal(read_file_at(AT_FDCWD, "/proc/self/maps", 1 << 20, &maps, &size), 0); /* st_size is 0 */
        assert_true(size > 1000);
        assert_int_equal(read_file_at(AT_FDCWD, "absent", 10, &none, NULL), -ENOENT);
        assert_int_equal(read_file_at(AT_FDCWD, ".", 10, &none, NULL), -EISDIR);
        assert_int_equal(unlink("f"), 0);
}

static void small_files_into_buffers(void **state) {
        char buf[6];

        assert_int_equal(write_file_atomic("f", "12345", 5, 0600), 0);
        assert_int_equal(read_file_into(AT_FDCWD, "f", buf, sizeof(buf)), 5);
        assert_string_equal(buf, "12345");
        assert_int_equal(read_file_into(AT_FDCWD, "f", buf, 5), -ENOBUFS);
        assert_int_equal(write_file_at(AT_FDCWD, "f", "abcde"), 0);
        assert_int_equal(read_file_into(AT_FDCWD, "f", buf, sizeof(buf)), 5);
        assert_string_equal(buf, "abcde");
        assert_int_equal(write_file_at(AT_FDCWD, "absent", "x"), -ENOENT);
        assert_int_equal(access("absent", F_OK), -1);
        assert_int_equal(unlink("f"), 0);
}

/* A FIFO without a writer is empty, not a trap; one with a slow writer is read to its end. */
static void fifos_do_not_trap(void **state) {
        _cleanup_free_ char *empty = NULL, *text = NULL;
        size_t size;
        int hold[2];
        pid_t child;

        assert_int_equal(mkfifo("fifo", 0600), 0);
        assert_int_equal(read_file_at(AT_FDCWD, "fifo", 100, &empty, &size), 0);
        assert_int_equal(size, 0);

        assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
        child = fork();
        if (child == 0) {
                char path[64];

                snprintf(path, sizeof(path), "/proc/self/fd/%i", hold[1]);
                for (int i = 0; i < 100; i++)
                        if (write(hold[1], "piece ", 6) != 6 || sched_yield() < 0)
                                _exit(1);
                _exit(0);
        }
        close(hold[1]);
        {
                _cleanup_free_ char *path = text_printf("/proc/self/fd/%i", hold[0]);

                assert_int_equal(read_file_at(AT_FDCWD, path, 1000, &text, &size), 0);
        }
        assert_int_equal(size, 600);
        close(hold[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(unlink("fifo"), 0);
}

static void replacement_is_atomic(void **state) {
        _cleanup_free_ char *text = NULL;
        struct stat st;

        assert_int_equal(mkdir_parents("d/e", 0755), 0);
        assert_int_equal(write_file_atomic("d/e/f", "one", 3, 0600), 0);
        assert_int_equal(write_file_atomic("d/e/f", "two", 3, 0644), 0);
        assert_int_equal(stat("d/e/f", &st), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        assert_int_equal(read_file_at(AT_FDCWD, "d/e/f", 10, &text, NULL), 0);
        assert_string_equal(text, "two");
        /* A directory is in the way: an error, and no temporary file is left (rmdir below would fail). */
        assert_int_equal(mkdir("d/busy", 0755), 0);
        assert_int_equal(write_file_atomic("d/busy", "x", 1, 0600), -EISDIR);
        assert_int_equal(write_file_atomic("d/none/f", "x", 1, 0600), -ENOENT);
        assert_int_equal(unlink("d/e/f") | rmdir("d/e") | rmdir("d/busy") | rmdir("d"), 0);
}

static void directories_like_mkdir_p(void **state) {
        _cleanup_free_ char *absolute = path_join(directory, "a/b");

        assert_int_equal(mkdir_parents("a//b/c/", 0700), 0);
        assert_int_equal(mkdir_parents("a/b/c", 0700), 0);
        assert_int_equal(mkdir_parents(absolute, 0700), 0);
        assert_int_equal(mkdir_parents("/", 0700), 0);
        assert_int_equal(write_file_atomic("a/f", "", 0, 0600), 0);
        assert_int_equal(mkdir_parents("a/f", 0700), -ENOTDIR);
        assert_int_equal(mkdir_parents("a/f/g", 0700), -ENOTDIR);
        assert_int_equal(unlink("a/f") | rmdir("a/b/c") | rmdir("a/b") | rmdir("a"), 0);
}

static void paths(void **state) {
        static const struct {
                const char *path, *cwd, *absolute;
        } table[] = {
                { "a", "/x", "/x/a" },
                { "./a/../b", "/x/y/", "/x/y/b" },
                { "../..//../z", "/x", "/z" },
                { "/a/./b//c/", "/x", "/a/b/c" },
                { "..", "/x", "/" },
                { "/", NULL, "/" },
                { "", "/x", "/x" },
                { "...", "/", "/..." },
                { "/a/b/../../..", NULL, "/" },
                { "/abc/../d", NULL, "/d" },
        };
        _cleanup_free_ char *a = path_join("a", "b"), *b = path_join("a/", "b"), *c = path_join("a", "/b"), *d = path_join("", "b");
        _cleanup_free_ char *here = path_absolute("f", NULL), *wanted = path_join(directory, "f");

        assert_string_equal(a, "a/b");
        assert_string_equal(b, "a/b");
        assert_string_equal(c, "/b");
        assert_string_equal(d, "b");
        assert_string_equal(here, wanted);
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_free_ char *s = path_absolute(table[i].path, table[i].cwd);

                assert_string_equal(s, table[i].absolute);
        }
}

static void nofile_is_raised(void **state) {
        struct rlimit before, low, after;
        uint64_t old;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        low = (struct rlimit) { .rlim_cur = 64, .rlim_max = before.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        assert_int_equal(raise_nofile(&old), 0);
        assert_int_equal(old, 64);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
        assert_int_equal(after.rlim_cur, before.rlim_max);
        assert_int_equal(raise_nofile(NULL), 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void descriptors_travel(void **state) {
        size_t before = open_descriptors(), n = 4;
        int s[2], p[2], got[4];
        char buf[16];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s), 0);
        assert_int_equal(pipe2(p, O_CLOEXEC), 0);
        assert_int_equal(fd_send(s[0], "hello", 5, p, 2), 0);
        assert_int_equal(fd_recv(s[1], buf, sizeof(buf), got, &n), 5);
        assert_memory_equal(buf, "hello", 5);
        assert_int_equal(n, 2);
        assert_true(cloexec(got[0]) && cloexec(got[1]));
        assert_int_equal(write(got[1], "x", 1), 1);
        assert_int_equal(read(p[0], buf, 1), 1);
        for (size_t i = 0; i < 2; i++) {
                fd_close(got[i]);
                fd_close(p[i]);
        }

        assert_int_equal(fd_send(s[0], "bare", 4, NULL, 0), 0);
        n = 4;
        assert_int_equal(fd_recv(s[1], buf, sizeof(buf), got, &n), 4);
        assert_int_equal(n, 0);
        n = 4;
        assert_int_equal(fd_recv(s[1], buf, sizeof(buf), got, &n), -EAGAIN);
        assert_int_equal(n, 0);
        fd_close(s[0]);
        assert_int_equal(fd_recv(s[1], buf, sizeof(buf), NULL, NULL), 0);
        assert_int_equal(fd_send(s[1], "x", 1, NULL, 0), -EPIPE);
        fd_close(s[1]);
        assert_int_equal(open_descriptors(), before);
}

static void truncated_messages_leak_nothing(void **state) {
        size_t before = open_descriptors(), n;
        int s[2], many[253], got[8];
        char buf[4];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s), 0);
        for (size_t i = 0; i < ARRAY_SIZE(many); i++)
                many[i] = s[0];
        assert_int_equal(fd_send(s[0], "x", 1, many, 9), 0); /* one too many */
        n = 8;
        assert_int_equal(fd_recv(s[1], buf, sizeof(buf), got, &n), -EMSGSIZE);
        assert_int_equal(n, 0);
        assert_int_equal(fd_send(s[0], "too long", 8, many, 2), 0);
        n = 8;
        assert_int_equal(fd_recv(s[1], buf, sizeof(buf), got, &n), -EMSGSIZE);
        assert_int_equal(fd_send(s[0], "x", 1, many, 1), 0);
        assert_int_equal(fd_recv(s[1], buf, sizeof(buf), NULL, NULL), -EMSGSIZE);
        assert_int_equal(fd_send(s[0], "x", 1, many, ARRAY_SIZE(many)), 0);
        n = 8;
        assert_int_equal(fd_recv(s[1], buf, sizeof(buf), got, &n), -EMSGSIZE);
        assert_int_equal(fd_send(s[0], "x", 1, many, 254), -EMSGSIZE);
        fd_close(s[0]);
        fd_close(s[1]);
        assert_int_equal(open_descriptors(), before);
}

/* Runs `say` with stderr in a pipe and returns what came out. */
static char *captured(void (*say)(int stderr_fd)) {
        int saved = fd_dup(STDERR_FILENO), p[2];
        char *text = calloc(1, 8192);

        assert_int_equal(pipe2(p, O_CLOEXEC), 0);
        assert_int_equal(dup2(p[1], STDERR_FILENO), STDERR_FILENO);
        say(STDERR_FILENO);
        assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
        fd_close(p[1]);
        assert_true(read(p[0], text, 8191) >= 0);
        fd_close(p[0]);
        fd_close(saved);
        return text;
}

static void say_plain(int stderr_fd) {
        unsetenv("JOURNAL_STREAM");
        log_open("kingd", LOG_INFO);
        log_debug("not %s", "shown");
        errno = ENOENT;
        log_info("first\n\x1b[31m %m");
        assert_int_equal(errno, ENOENT);
        assert_int_equal(log_errno(LOG_ERR, -EACCES, "cannot open %s", "x"), -EACCES);
        assert_int_equal(errno, ENOENT);
}

static void log_lines_for_people(void **state) {
        _cleanup_free_ char *text = captured(say_plain);
        char *second = strchr(text, '\n') + 1;

        assert_non_null(strstr(text, "Z kingd: first  [31m No such file or directory\n"));
        assert_non_null(strstr(second, " kingd: error: cannot open x: Permission denied\n"));
        assert_null(strstr(text, "shown"));
        assert_string_equal(strchr(second, '\n'), "\n");
}

static void say_to_journal(int stderr_fd) {
        char value[64], long_text[5000] = {};
        struct stat st;

        fstat(stderr_fd, &st);
        snprintf(value, sizeof(value), "%ju:%ju", (uintmax_t) st.st_dev, (uintmax_t) st.st_ino);
        setenv("JOURNAL_STREAM", value, 1);
        log_open("kingd", LOG_DEBUG);
        assert_int_equal(log_level(), LOG_DEBUG);
        log_debug("shown");
        log_warning("careful");
        memset(long_text, 'y', sizeof(long_text) - 1);
        log_error("%s", long_text);
        snprintf(value, sizeof(value), "%ju:%ju", (uintmax_t) st.st_dev, (uintmax_t) st.st_ino + 1);
        setenv("JOURNAL_STREAM", value, 1);
        log_open("kingd", LOG_DEBUG);
        log_notice("elsewhere");
        unsetenv("JOURNAL_STREAM");
}

static void log_lines_for_the_journal(void **state) {
        _cleanup_free_ char *text = captured(say_to_journal);
        char *third;

        assert_ptr_equal(strstr(text, "<7>kingd: shown\n<4>kingd: careful\n<3>kingd: yyyy"), text);
        third = strstr(text, "<3>");
        assert_int_equal(strchr(third, '\n') - third, 2047); /* cut, still one line */
        assert_null(strstr(third, "<5>"));
        assert_non_null(strstr(third, "Z kingd: elsewhere\n"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(close_keeps_errno),
                cmocka_unit_test(files_are_read_whole),
                cmocka_unit_test(small_files_into_buffers),
                cmocka_unit_test(fifos_do_not_trap),
                cmocka_unit_test(replacement_is_atomic),
                cmocka_unit_test(directories_like_mkdir_p),
                cmocka_unit_test(paths),
                cmocka_unit_test(nofile_is_raised),
                cmocka_unit_test(descriptors_travel),
                cmocka_unit_test(truncated_messages_leak_nothing),
                cmocka_unit_test(log_lines_for_people),
                cmocka_unit_test(log_lines_for_the_journal),
        };

        return cmocka_run_group_tests(tests, enter_directory, remove_directory);
}
