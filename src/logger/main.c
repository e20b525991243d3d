/* kingd-logger: copies the output of services into rotated files. Started by kingd, which talks to it over descriptor LOG_WIRE_FD. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/span.h"
#include "logger/log_wire.h"
#include "logger/logger.h"
#include "logger/notes.h"

#define EXIT_USAGE 2

static bool is_keeper_socket(int fd) {
        socklen_t size = sizeof(int);
        int type;

        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) >= 0 && type == SOCK_SEQPACKET;
}

/* KINGLY_LOG_QUOTA: bytes of all logs together, as parse_size() reads them. kingd hands it on from --log-quota or its environment. */
static uint64_t quota_from_environment(void) {
        const char *text = getenv("KINGLY_LOG_QUOTA");
        uint64_t quota;

        if (!text || !*text)
                return UINT64_MAX;
        if (parse_size(text, &quota) < 0) {
                log_warning("KINGLY_LOG_QUOTA=%s is no size such as 512M or 2G: logs are not bounded together", text);
                return UINT64_MAX;
        }
        return quota;
}

/* A logger whose keeper died may still be at work on the pipes that this one will get: it must be gone first. The lock belongs to a description
 * of our own and ends with us. */
static void take_turn(void) {
        char path[32];
        int fd, r;

        snprintf(path, sizeof(path), "/proc/self/fd/%i", LOG_NOTES_FD);
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return;
        do
                r = flock(fd, LOCK_EX);
        while (r < 0 && errno == EINTR);
}

int main(int argc, char **argv) {
        int r;

        (void) prctl(PR_SET_NAME, "kingd-logger"); /* the keeper executes a descriptor, whose number would be our name */
        log_open("kingd-logger", LOG_INFO);
        if (argc == 2 && streq(argv[1], "--version")) {
                printf("kingd-logger %s\n", KINGLY_VERSION);
                return EXIT_SUCCESS;
        }
        if (argc > 1 || !is_keeper_socket(LOG_WIRE_FD)) {
                log_error("this program is started by kingd; the only option is --version");
                return EXIT_USAGE;
        }
        (void) fcntl(LOG_WIRE_FD, F_SETFD, FD_CLOEXEC);
        take_turn();
        (void) umask(0027);
        (void) chdir("/"); /* keeps no file system from being unmounted */
        r = raise_nofile(NULL);
        if (r < 0)
                log_errno(LOG_WARNING, r, "cannot raise the limit of open files, ignoring");
        (void) signal(SIGXFSZ, SIG_IGN);
        r = notes_open(LOG_NOTES_FD);
        if (r < 0)
                log_errno(LOG_WARNING, r, "no notes for the next logger: a kill loses what it interrupts");
        return logger_run(LOG_WIRE_FD, quota_from_environment()) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
