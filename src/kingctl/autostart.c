/* Owns the starting of a daemon when none runs: through systemd where it runs and has the unit, so that the daemon gets its cgroup, its
 * watchdog and its place in the journal; in the background otherwise. A private daemon (KINGLY_HOME, KINGLY_SOCKET, --socket) is nothing
 * systemd knows. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/strv.h"
#include "base/text.h"
#include "kingctl/ctl.h"
#include "linux/process.h"

#define START_TIMEOUT (60 * USEC_PER_SEC)

static bool is_private(const Options *o) {
        const char *home = getenv("KINGLY_HOME"), *socket = getenv("KINGLY_SOCKET");

        return o->socket || (home && *home) || (socket && *socket);
}

static bool unit_in_home(void) {
        const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
        _cleanup_free_ char *path = NULL;

        if (config && *config)
                path = text_printf("%s/systemd/user/kingd.service", config);
        else if (home)
                path = text_printf("%s/.config/systemd/user/kingd.service", home);
        return path && access(path, F_OK) >= 0;
}

bool daemon_has_unit(bool user) {
        static const char *const dirs[] = { "/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd" };

        if (access("/run/systemd/system", F_OK) < 0)
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
                char path[128];

                snprintf(path, sizeof(path), "%s/%s/kingd.service", dirs[i], user ? "user" : "system");
                if (access(path, F_OK) >= 0)
                        return true;
        }
        return user && unit_in_home();
}

/* Beside this program, as in a build tree or a private installation; NULL: to be found in PATH. */
static char *kingd_beside(void) {
        char self[4096];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        _cleanup_free_ char *path = NULL;
        char *slash;

        if (n <= 0)
                return NULL;
        self[n] = 0;
        slash = strrchr(self, '/');
        path = slash ? text_printf("%.*s/kingd", (int) (slash - self), self) : NULL;
        return path && access(path, X_OK) >= 0 ? TAKE_PTR(path) : NULL;
}

/* stdin and stdout are not the daemon's business; its complaints on stderr are ours to show. */
static int spawn(char *const *argv, char *const *env, pid_t *ret) {
        posix_spawn_file_actions_t actions;
        int r;

        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        if (r == 0)
                r = posix_spawnp(ret, argv[0], &actions, NULL, argv, env);
        (void) posix_spawn_file_actions_destroy(&actions);
        return -r;
}

/* Waits for a child; -ETIMEDOUT kills it. On success its wait status. */
static int wait_child(pid_t pid, usec_t timeout, int *ret_status) {
        _cleanup_pidref_ PidRef child = PIDREF_NULL;
        usec_t end = usec_add(now_usec(CLOCK_MONOTONIC), timeout);
        bool late = false;

        if (pidref_open(pid, 0, &child) >= 0 && child.fd >= 0)
                for (;;) {
                        struct pollfd p = { .fd = child.fd, .events = POLLIN };
                        usec_t now = now_usec(CLOCK_MONOTONIC);

                        late = now >= end;
                        if (late || poll(&p, 1, (int) ((end - now) / USEC_PER_MSEC) + 1) > 0)
                                break;
                }
        if (late)
                (void) kill(pid, SIGKILL); /* our own child, not reaped yet: the number is still its */
        while (waitpid(pid, ret_status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return late ? -ETIMEDOUT : 0;
}

static int run(char *const *argv, char *const *env, usec_t timeout, KlError *reterr) {
        int status = 0, r;
        pid_t pid;

        r = spawn(argv, env, &pid);
        if (r < 0) {
                kl_error_set(reterr, r, KL_E_NO_DAEMON, "%s: cannot start the daemon: %s", argv[0], strerror(-r));
                kl_error_hint(reterr, "is it installed? kingctl looks for kingd beside itself and in PATH");
                return r;
        }
        r = wait_child(pid, timeout, &status);
        if (r == -ETIMEDOUT)
                return kl_error_set(reterr, r, KL_E_TIMEOUT, "%s: the daemon is not ready in time", argv[0]);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_NO_DAEMON, "%s: %s", argv[0], strerror(-r));
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        if (WIFEXITED(status))
                return kl_error_set(reterr, -ECHILD, KL_E_NO_DAEMON, "%s: cannot start the daemon: exit status %d", argv[0],
                                    WEXITSTATUS(status));
        return kl_error_set(reterr, -ECHILD, KL_E_NO_DAEMON, "%s: cannot start the daemon: ended by %s", argv[0],
                            signal_name(WTERMSIG(status)));
}

static int start_in_background(const Options *o, usec_t timeout, KlError *reterr) {
        _cleanup_free_ char *beside = kingd_beside();
        _cleanup_strv_ char **env = strv_copy(environ);
        const char *argv[4] = { beside ? beside : "kingd", "--daemonize" };

        if (o->user || o->system)
                argv[2] = o->user ? "--user" : "--system";
        if (!env || (o->socket && strv_env_set(&env, "KINGLY_SOCKET", o->socket) < 0))
                return kl_error_set(reterr, -ENOMEM, KL_E_NO_MEMORY, "kingd: out of memory");
        return run((char *const *) argv, env, timeout, reterr);
}

int daemon_start(const Options *o, KlError *reterr) {
        usec_t timeout = o->timeout > 0 ? o->timeout : START_TIMEOUT;
        bool user = options_user(o);
        int r;

        if (is_private(o) || !daemon_has_unit(user))
                return start_in_background(o, timeout, reterr);
        r = run((char *const[]){ "systemctl", user ? "--user" : "--system", "start", "kingd.service", NULL }, environ, timeout, reterr);
        if (r < 0)
                kl_error_hint(reterr, "systemctl %sstatus kingd.service says why", user ? "--user " : "");
        return r;
}
