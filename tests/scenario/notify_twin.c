/* The sender of test_notify_twin.py: the same program, with the same words, under systemd and under Kingly. First argument: a directory, whose file "script"
 * has an operation a line, "what:argument"; behind the last one it waits until all it has said was read, makes the file "done", and lives on until SIGTERM.
 * Whoever is of interest writes its pid into a file there. Texts: \n is a newline, \0 a NUL, \xHH a byte, %c the pid of the last child. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int directory, last_fd = -1, hang_end = -1;
static pid_t last_child;
static char on_hup[4096];

static void die(const char *what) {
        perror(what);
        _exit(111);
}

static void mark(const char *name) {
        char partial[128], text[32];
        int fd;

        snprintf(partial, sizeof partial, ".%s", name);
        fd = openat(directory, partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0 || dprintf(fd, "%d\n%s\n", getpid(), getenv("NOTIFY_SOCKET") ?: "") < 0)
                die(name);
        close(fd);
        snprintf(text, sizeof text, "%s", name);
        if (renameat(directory, partial, directory, text) < 0)
                die(name);
}

static int connected(void) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        const char *path = getenv("NOTIFY_SOCKET");
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        size_t n = path ? strlen(path) : 0;

        if (n == 0)
                _exit(112);
        memcpy(a.sun_path, path, n < sizeof a.sun_path ? n : sizeof a.sun_path - 1);
        if (*path == '@')
                a.sun_path[0] = 0;
        if (connect(fd, (struct sockaddr *) &a, (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n)) < 0)
                die("connect");
        return fd;
}

static void send_with(const char *text, size_t n, int passed) {
        union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int))]; } control = {};
        struct iovec iov = { .iov_base = (void *) text, .iov_len = n };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
        int fd = connected();

        if (passed >= 0) {
                m.msg_control = &control;
                m.msg_controllen = sizeof control;
                control.h = (struct cmsghdr) { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
                memcpy(CMSG_DATA(&control.h), &passed, sizeof passed);
        }
        while (sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
                if (errno != EINTR)
                        die("sendmsg");
        close(fd);
}

static size_t unescape(const char *from, char *to, size_t size) {
        size_t n = 0;

        while (*from && n + 16 < size) {
                if (from[0] == '\\' && from[1] == 'x') {
                        char hex[3] = { from[2], from[3], 0 };
                        to[n++] = (char) strtol(hex, NULL, 16);
                        from += 4;
                } else if (from[0] == '\\') {
                        to[n++] = from[1] == 'n' ? '\n' : from[1] == '0' ? 0 : from[1];
                        from += 2;
                } else if (from[0] == '%' && from[1] == 'c') {
                        n += (size_t) snprintf(to + n, size - n, "%d", last_child);
                        from += 2;
                } else
                        to[n++] = *from++;
        }
        return n;
}

static void say(const char *text, int fd) {
        char buffer[8192];

        send_with(buffer, unescape(text, buffer, sizeof buffer), fd);
}

/* Until all that was said before has been read: the other end of the pipe is closed then. */
static void barrier(void) {
        struct pollfd p;
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                die("pipe");
        send_with("BARRIER=1", strlen("BARRIER=1"), ends[1]);
        close(ends[1]);
        p = (struct pollfd) { .fd = ends[0] };
        while (poll(&p, 1, -1) < 0 && errno == EINTR)
                ;
        close(ends[0]);
}

static void on_signal(int sig) {
        if (sig == SIGTERM)
                _exit(0);
        say(on_hup, -1);
        barrier();
        mark("hup");
}

static void rest(void) {
        for (;;)
                pause();
}

static void nap(long ms) {
        struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

        while (nanosleep(&t, &t) < 0 && errno == EINTR)
                ;
}

/* ---- operations ---- */

static void op_say(const char *a) {
        say(a, -1);
}

static void op_long(const char *a) {
        static char text[8192];
        size_t n = unescape(a, text, sizeof text);

        memset(text + n, 'x', 5000 - n);
        send_with(text, 5000, -1);
}

/* A child that says something and lives on; the parent goes on when that has been read. */
static void op_child(const char *a) {
        int ends[2];
        char byte;

        if (pipe2(ends, O_CLOEXEC) < 0)
                die("pipe");
        last_child = fork();
        if (last_child == 0) {
                close(ends[0]);
                mark("child");
                if (*a) {
                        say(a, -1);
                        barrier();
                }
                close(ends[1]);
                rest();
        }
        close(ends[1]);
        (void) !read(ends[0], &byte, 1);
        close(ends[0]);
}

/* The script goes on in a child; the parent says so and ends, or stays. */
static void op_hand_over(const char *a) {
        pid_t self = getpid();

        last_child = fork();
        if (last_child == 0) {
                mark("child");
                while (*a && getppid() == self)      /* until nobody is above us */
                        nap(10);
                return;
        }
        say("MAINPID=%c", -1);
        barrier();
        if (*a)
                _exit(0);
        rest();
}

static void op_store(const char *a) {
        char text[512];

        last_fd = memfd_create("twin", MFD_CLOEXEC);
        snprintf(text, sizeof text, "FDSTORE=1\\n%.400s", a);
        say(text, last_fd);
}

static void op_again(const char *a) {
        char text[512];

        snprintf(text, sizeof text, "FDSTORE=1\\n%.400s", a);
        say(text, last_fd);
}

static void op_pipe(const char *a) {
        char text[512];
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                die("pipe");
        hang_end = ends[1];
        snprintf(text, sizeof text, "FDSTORE=1\\n%.400s", a);
        say(text, ends[0]);
        close(ends[0]);
}

static void op_hang_up(const char *a) {
        barrier();
        close(hang_end);
}

static void op_barrier(const char *a) {
        barrier();
}

static void op_sleep(const char *a) {
        nap(atol(a));
}

static void op_exit(const char *a) {
        barrier();
        mark("done");
        _exit(atoi(a));
}

static void op_kill(const char *a) {
        barrier();
        mark("done");
        kill(getpid(), atoi(a));
}

static void op_hup(const char *a) {
        snprintf(on_hup, sizeof on_hup, "%s", a);
}

static void op_mark(const char *a) {
        mark(a);
}

static void op_pings(const char *a) {
        mark("done");
        for (;;) {
                say("WATCHDOG=1", -1);
                nap(atol(a));
        }
}

/* A first start stores one descriptor under each name and ends; the next says how many names it was given, and how many descriptors. */
static void op_given_or_store(const char *a) {
        const char *names = getenv("LISTEN_FDNAMES");
        char text[512], *word, *rest_of = strdup(a);
        int n = 1;

        while (!names && (word = strsep(&rest_of, " "))) {
                snprintf(text, sizeof text, "FDNAME=%.200s", word);
                op_store(text);
        }
        barrier();
        if (!names)
                _exit(1);
        for (const char *p = names; *p; p++)
                n += *p == ':';
        snprintf(text, sizeof text, "STATUS=given %d names, %s descriptors", n, getenv("LISTEN_FDS") ?: "no");
        say(text, -1);
}

static const struct { const char *name; void (*perform)(const char *argument); } operations[] = {
        { "say", op_say },           { "long", op_long },       { "child", op_child },     { "hand-over", op_hand_over }, { "store", op_store },
        { "again", op_again },       { "pipe", op_pipe },       { "hang-up", op_hang_up }, { "barrier", op_barrier },     { "sleep", op_sleep },
        { "exit", op_exit },         { "kill", op_kill },       { "hup", op_hup },         { "mark", op_mark },           { "pings", op_pings },
        { "given-or-store", op_given_or_store },
};

static void perform(char *line) {
        char *argument = line + strcspn(line, ":");

        if (*argument)
                *argument++ = 0;
        for (size_t k = 0; k < sizeof operations / sizeof *operations; k++)
                if (strcmp(operations[k].name, line) == 0) {
                        operations[k].perform(argument);
                        return;
                }
        fprintf(stderr, "no such operation: %s\n", line);
        _exit(113);
}

int main(int argc, char **argv) {
        char line[4096];
        FILE *script;
        int fd;

        directory = argc == 2 ? open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
        fd = directory < 0 ? -1 : openat(directory, "script", O_RDONLY | O_CLOEXEC);
        script = fd < 0 ? NULL : fdopen(fd, "r");
        if (!script)
                die("script");
        signal(SIGTERM, on_signal);
        signal(SIGHUP, on_signal);
        mark("main");
        while (fgets(line, sizeof line, script)) {
                line[strcspn(line, "\n")] = 0;
                perform(line);
        }
        barrier();
        mark("done");
        rest();
}
