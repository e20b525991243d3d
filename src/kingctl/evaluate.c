/* Configuration that is a program: the user's own node runs it and says what it exports. Its output is not ours (a module may print what it
 * likes): the answer comes over a descriptor of its own. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/text.h"
#include "config/config.h"
#include "kingctl/control.h"

#define EVALUATE_TIMEOUT (30 * USEC_PER_SEC)
#define ANSWER_FD        3

/* import() takes CommonJS and modules alike; a function is called, a promise awaited. */
static const char script[] =
        "const fs = require('fs'), url = require('url');"
        "(async () => {"
        " let m = await import(url.pathToFileURL(process.argv[1]));"
        " m = m.default ?? m;"
        " if (typeof m === 'function') m = await m();"
        " fs.writeFileSync(3, JSON.stringify(await m) ?? 'null');"
        " process.exit(0);"
        "})().catch(e => { console.error(e && e.stack || e); process.exit(1); });";

/* answer becomes the program's descriptor `as`; what else it writes goes to our standard error. */
static int spawn(char *const *argv, int answer, int as, pid_t *ret) {
        posix_spawn_file_actions_t actions;
        int r = posix_spawn_file_actions_init(&actions);

        if (r != 0)
                return -r;
        r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, answer, as);
        if (r == 0)
                r = posix_spawnp(ret, argv[0], &actions, NULL, argv, environ);
        (void) posix_spawn_file_actions_destroy(&actions);
        return -r;
}

/* Until the end of file, the deadline, or CONFIG_FILE_MAX. */
static int read_answer(int fd, Buffer *b) {
        usec_t deadline = usec_add(now_usec(CLOCK_MONOTONIC), EVALUATE_TIMEOUT);
        char chunk[16 * 1024];

        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                usec_t now = now_usec(CLOCK_MONOTONIC);
                ssize_t n;

                if (now >= deadline)
                        return -ETIMEDOUT;
                if (poll(&p, 1, (int) ((deadline - now) / USEC_PER_MSEC) + 1) <= 0)
                        continue;
                n = read(fd, chunk, sizeof chunk);
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return -errno;
                if (n == 0)
                        return 0;
                if (n > 0 && buffer_append(b, chunk, (size_t) n) < 0)
                        return -ENOMEM;
                if (b->size > CONFIG_FILE_MAX)
                        return -EFBIG;
        }
}

/* What a program writes to its descriptor `as`, with a NUL behind it. */
static int answer_of(char *const *argv, int as, Buffer *b) {
        int pipe[2], status = 0, r;
        pid_t pid;

        if (pipe2(pipe, O_CLOEXEC) < 0)
                return -errno;
        r = spawn(argv, pipe[1], as, &pid);
        close(pipe[1]);
        if (r >= 0) {
                r = read_answer(pipe[0], b);
                if (r < 0)
                        (void) kill(pid, SIGKILL);
                while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                        ;
        }
        close(pipe[0]);
        if (r < 0)
                return r;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || b->size == 0)
                return -EBADMSG;
        return buffer_append(b, "", 1);
}

int evaluate_with_node(const char *path, char **ret, size_t *ret_n) {
        _cleanup_free_ char *absolute = path_absolute(path, NULL);
        char *argv[] = { (char *) "node", (char *) "-e", (char *) script, absolute, NULL };
        _cleanup_buffer_ Buffer b = {};
        int r = absolute ? answer_of(argv, ANSWER_FD, &b) : -ENOMEM;

        if (r < 0)
                return r;
        *ret_n = b.size - 1;
        *ret = TAKE_PTR(b.data);
        return 0;
}

char *node_version(void) {
        char *argv[] = { (char *) "node", (char *) "--version", NULL };
        _cleanup_buffer_ Buffer b = {};

        if (answer_of(argv, STDOUT_FILENO, &b) < 0 || b.data[0] != 'v')
                return NULL;
        return strndup(b.data + 1, strcspn(b.data + 1, "\n"));
}
