/* What nobody can do without: floor start N PROGRAM ARG makes two pipes and spawns the program, N times, then reads the pipes until told to end;
 * floor respawn PROGRAM ARG spawns it again whenever it ends. Both end with their standard input. */
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static pid_t start(char *argv[], int out, int err) {
        posix_spawn_file_actions_t actions;
        pid_t pid = -1;

        posix_spawn_file_actions_init(&actions);
        if (out >= 0) {
                posix_spawn_file_actions_adddup2(&actions, out, 1);
                posix_spawn_file_actions_adddup2(&actions, err, 2);
        }
        if (posix_spawn(&pid, argv[0], &actions, NULL, argv, environ) != 0)
                exit(1);
        posix_spawn_file_actions_destroy(&actions);
        return pid;
}

static void until_told(void) {
        char c;

        while (read(0, &c, 1) > 0)
                ;
}

static int start_many(int n, char *argv[]) {
        pid_t *pids = calloc(n, sizeof(pid_t));

        for (int k = 0; k < n; k++) {
                int out[2], err[2];

                if (pipe2(out, 02000000) < 0 || pipe2(err, 02000000) < 0)
                        return 1;
                pids[k] = start(argv, out[1], err[1]);
                close(out[1]);
                close(err[1]);
        }
        until_told();
        for (int k = 0; k < n; k++)
                kill(pids[k], SIGKILL);
        return 0;
}

static int respawn(char *argv[]) {
        for (;;) {
                struct pollfd told = { .fd = 0, .events = POLLIN };
                pid_t pid = start(argv, -1, -1);

                waitpid(pid, NULL, 0);
                if (poll(&told, 1, 0) > 0)
                        return 0;
        }
}

int main(int argc, char *argv[]) {
        struct rlimit files;

        getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        if (argc > 3 && strcmp(argv[1], "start") == 0)
                return start_many(atoi(argv[2]), argv + 3);
        if (argc > 2 && strcmp(argv[1], "respawn") == 0)
                return respawn(argv + 2);
        fprintf(stderr, "usage: floor start N PROGRAM ARG | respawn PROGRAM ARG\n");
        return 2;
}
