/* The trivial service: appends the time of its first instruction to a file and waits. Static, so that its own start costs next to nothing. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char *argv[]) {
        struct timespec t;
        char line[64];
        int fd, n;

        clock_gettime(CLOCK_MONOTONIC, &t);
        fd = argc > 1 ? open(argv[1], O_WRONLY | O_APPEND | O_CREAT, 0644) : -1;
        n = snprintf(line, sizeof line, "%lld %d\n", (long long) t.tv_sec * 1000000000LL + t.tv_nsec, (int) getpid());
        if (fd < 0 || write(fd, line, n) != n)
                return 1;
        close(fd);
        for (;;)
                pause();
}
