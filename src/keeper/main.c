/* kingd: the options that are the keeper's own, and the way into the background. Every other option is the manager's, which gets them all. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "keeper/candidate.h"
#include "keeper/heir.h"
#include "keeper/keeper.h"

static int arg_ready_fd = -EBADF;

static int help(void) {
        puts("kingd [--daemonize] [--no-heir] [OPTION]…\n"
             "\n"
             "The keeper of Kingly: parent of all services, starts kingd-manager, which decides about them.\n"
             "\n"
             "  --daemonize  go to the background; ends when the daemon is ready\n"
             "  --no-heir    if it is killed, nobody takes its place: for whatever starts it again by itself\n"
             "  --help       show this\n"
             "  --version    show the version\n"
             "\n"
             "All options are handed on to kingd-manager; see kingd(8) for its own.");
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int version(void) {
        puts("kingd " KINGLY_VERSION);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Whoever waits for the end of our stderr (ssh, a shell's substitution) must not wait for the daemon's; a file may go on filling. */
static void leave_stderr(void) {
        _cleanup_fd_ int null = -EBADF;
        struct stat st;

        if (fstat(STDERR_FILENO, &st) >= 0 && S_ISREG(st.st_mode))
                return;
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null >= 0)
                (void) dup2(null, STDERR_FILENO);
}

static void tell_parent(int status) {
        uint8_t byte = (uint8_t) status;

        (void) fd_write_all(arg_ready_fd, &byte, sizeof(byte));
        arg_ready_fd = fd_close(arg_ready_fd);
        leave_stderr();
}

/* The status that the daemon told us, or failure when it ended without a word. */
static int await_daemon(int fd) {
        uint8_t status;
        ssize_t n;

        do
                n = read(fd, &status, sizeof(status));
        while (n < 0 && errno == EINTR);
        return n == sizeof(status) ? status : EXIT_FAILURE;
}

/* In the parent: never comes back. In the daemon: a session of its own, stdin and stdout nowhere, the working directory kept, because the files
 * that the options name are relative to it. */
static int daemonize(void) {
        _cleanup_fd_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        int report[2];
        pid_t pid;

        if (null < 0 || pipe2(report, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid > 0) {
                fd_close(report[1]);
                _exit(await_daemon(report[0]));
        }
        fd_close(report[0]);
        arg_ready_fd = report[1];
        if (setsid() < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
                return -errno;
        return 0;
}

static const struct {
        const char *option;
        int (*print)(void);
} printers[] = {
        { "--help", help },
        { "-h", help },
        { "--version", version },
};

int main(int argc, char **argv) {
        KeeperOptions options = { .argv = argc > 0 ? argv : NULL };
        bool background = false, heir = true;
        int r;

        log_open("kingd", LOG_INFO);
        (void) prctl(PR_SET_NAME, "kingd"); /* an heir executes /proc/self/exe */
        if (argc > 1 && streq(argv[1], "--heir"))
                return heir_run(argv);
        if (argc > 1 && streq(argv[1], "--check-upgrade"))
                return candidate_run();
        for (int i = 1; i < argc && !streq(argv[i], "--"); i++) {
                for (size_t n = 0; n < ARRAY_SIZE(printers); n++)
                        if (streq(argv[i], printers[n].option))
                                return printers[n].print();
                background = background || streq(argv[i], "--daemonize");
                heir = heir && !streq(argv[i], "--no-heir");
        }
        options.heir = heir;
        if (background && !getenv("KINGLY_HEIRLOOMS")) {
                r = daemonize();
                if (r < 0)
                        return log_errno(LOG_ERR, r, "cannot go to the background"), EXIT_FAILURE;
                options.ready = tell_parent;
        }
        return keeper_run(&options);
}
