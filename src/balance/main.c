/* kingd-balancer: spreads the connections of one service's sockets over its instances. Started by kingd for the manager, which talks to it over descriptor
 * BALANCE_WIRE_FD. */
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "balance/balance_wire.h"
#include "balance/balancer.h"
#include "base/fd.h"
#include "base/log.h"

#define EXIT_USAGE 2

static bool is_wire(int fd) {
        socklen_t size = sizeof(int);
        int type;

        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) >= 0 && type == SOCK_SEQPACKET;
}

/* By name; for root alone, whom nothing here needs. */
static int become(const char *name) {
        const struct passwd *user = getpwnam(name);

        if (!user) {
                log_error("there is no user %s", name);
                return -ENOENT;
        }
        if (getuid() == user->pw_uid && geteuid() == user->pw_uid)
                return 0;
        if (setgroups(0, NULL) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 || setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
                return log_errno(LOG_ERR, -errno, "cannot become user %s", name);
        return 0;
}

static int usage(void) {
        log_error("this program is started by kingd; the options are --version and --user NAME");
        return EXIT_USAGE;
}

int main(int argc, char **argv) {
        int r;

        (void) prctl(PR_SET_NAME, "kingd-balancer"); /* who executes a descriptor gives us its number as a name */
        log_open("kingd-balancer", LOG_INFO);
        if (argc == 2 && streq(argv[1], "--version")) {
                printf("kingd-balancer %s\n", KINGLY_VERSION);
                return EXIT_SUCCESS;
        }
        if ((argc != 1 && !(argc == 3 && streq(argv[1], "--user"))) || !is_wire(BALANCE_WIRE_FD))
                return usage();
        (void) fcntl(BALANCE_WIRE_FD, F_SETFD, FD_CLOEXEC);
        (void) umask(0077);
        (void) chdir("/"); /* keeps no file system from being unmounted */
        (void) signal(SIGPIPE, SIG_IGN);
        r = raise_nofile(NULL);
        if (r < 0)
                log_errno(LOG_WARNING, r, "cannot raise the limit of open files, ignoring");
        if (argc == 3 && become(argv[2]) < 0)
                return EXIT_FAILURE;
        (void) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifndef __SANITIZE_ADDRESS__ /* which opens files at its end */
        r = confine();
        if (r < 0)
                log_errno(LOG_DEBUG, r, "no filter of system calls");
#endif
        r = balancer_run(BALANCE_WIRE_FD);
        return r < 0 ? log_errno(LOG_ERR, r, "cannot go on"), EXIT_FAILURE : EXIT_SUCCESS;
}
