/* A daemon made of prepared answers, and kingctl run against it in a process of its own with its output caught. */
#pragma once

#include <setjmp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/span.h"
#include "base/text.h"
#include "kingctl/ctl.h"
#include "kingctl/log_filter.h"

#define DEADLINE (30 * USEC_PER_SEC)

typedef struct Answer {
        const char *method;     /* short; NULL ends a list */
        const char *replies[8]; /* whole messages; the last one ends the call. "HANG": say nothing more. "CLOSE": close the connection */
} Answer;

typedef struct Run {
        int status;              /* exit status, or 128 + signal */
        char *out, *err, *calls; /* calls: what the daemon was asked, a message a line */
} Run;

static char dir[64];

static void run_done(Run *r) {
        free(r->out);
        free(r->err);
        free(r->calls);
}
#define _cleanup_run_ _cleanup_(run_done)

static char *in_dir(const char *name) {
        static char path[256][128];
        static unsigned i;

        i = (i + 1) % ARRAY_SIZE(path);
        snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
        return path[i];
}

static _unused_ void put_file(const char *name, const char *text, mode_t mode) {
        int fd = open(in_dir(name), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
        fchmod(fd, mode);
        close(fd);
}

static char *slurp(const char *name) {
        char *text = NULL;

        if (read_file_at(AT_FDCWD, in_dir(name), 1 << 20, &text, NULL) < 0)
                return strdup("");
        return text;
}

static bool answer_one(int fd, const Answer *answers, const char *message) {
        const char *method = strstr(message, "io.kingly.Manager.");

        method = method ? method + strlen("io.kingly.Manager.") : "";
        for (const Answer *a = answers; a->method; a++) {
                if (strncmp(method, a->method, strlen(a->method)) != 0 || method[strlen(a->method)] != '"')
                        continue;
                for (size_t i = 0; i < ARRAY_SIZE(a->replies) && a->replies[i]; i++) {
                        if (streq(a->replies[i], "HANG"))
                                pause();
                        if (streq(a->replies[i], "CLOSE"))
                                return false;
                        (void) fd_write_all(fd, a->replies[i], strlen(a->replies[i]) + 1);
                }
                return true;
        }
        return false;
}

static void serve(int listener, const Answer *answers) {
        int log = open(in_dir("calls"), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
        char *message = malloc(1 << 20);

        for (;;) {
                int fd = accept(listener, NULL, NULL);
                size_t n = 0;

                while (n < (1 << 20) - 1 && read(fd, message + n, 1) == 1) {
                        if (message[n++])
                                continue;
                        (void) !write(log, message, n - 1);
                        (void) !write(log, "\n", 1);
                        n = 0;
                        if (!answer_one(fd, answers, message))
                                break;
                }
                close(fd);
        }
}

static pid_t start_daemon(const Answer *answers) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pid_t pid;

        strncpy(a.sun_path, in_dir("sock"), sizeof(a.sun_path) - 1);
        unlink(a.sun_path);
        assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(listen(fd, 8), 0);
        pid = fork();
        if (pid == 0)
                serve(fd, answers);
        close(fd);
        return pid;
}

static void stop_child(pid_t pid) {
        if (pid <= 0)
                return;
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void child_main(char **words) {
        int out = open(in_dir("out"), O_CREAT | O_TRUNC | O_WRONLY, 0600), err = open(in_dir("err"), O_CREAT | O_TRUNC | O_WRONLY, 0600),
            n = 0;

        dup2(out, STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        close(out);
        close(err);
        while (words[n])
                n++;
        exit(kingctl_run(n, words));
}

/* The exit status of a child, with a deadline. */
static int status_of(pid_t pid) {
        usec_t end = now_usec(CLOCK_MONOTONIC) + DEADLINE;
        int status;

        while (waitpid(pid, &status, WNOHANG) == 0) {
                if (now_usec(CLOCK_MONOTONIC) > end) {
                        stop_child(pid);
                        fail_msg("kingctl hangs");
                }
                poll(NULL, 0, 1);
        }
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t spawn_kingctl(char **words) {
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid == 0)
                child_main(words);
        return pid;
}

/* Runs `kingctl WORDS`; answers NULL: nobody listens. */
static Run run_words(const Answer *answers, char **words) {
        pid_t daemon = 0;
        Run r = {};

        unlink(in_dir("sock"));
        unlink(in_dir("calls"));
        if (answers)
                daemon = start_daemon(answers);
        r.status = status_of(spawn_kingctl(words));
        stop_child(daemon);
        r.out = slurp("out");
        r.err = slurp("err");
        r.calls = slurp("calls");
        return r;
}
#define RUN(answers, ...) run_words(answers, (char *[]){ "kingctl", __VA_ARGS__, NULL })
#define ANSWERS(...)      ((const Answer[]){ __VA_ARGS__, {} })

static int group_setup(void **state) {
        strcpy(dir, "/tmp/kingly-kingctl-XXXXXX");
        assert_non_null(mkdtemp(dir));
        unsetenv("KINGLY_HOME");
        setenv("KINGLY_SOCKET", in_dir("sock"), 1);
        setenv("TZ", "UTC", 1);
        setenv("TERM", "xterm", 1);
        unsetenv("NO_COLOR");
        return 0;
}

static int group_teardown(void **state) {
        static const char *const names[] = { "sock", "out", "err", "calls", "a.yaml", "b.yaml", "run.sh", "plain.txt", "kingd" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                unlink(in_dir(names[i]));
        return rmdir(dir);
}

static _unused_ void contains(const char *text, const char *part) {
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in:\n%s", part, text);
}
