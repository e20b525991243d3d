/* flood MEBIBYTES STAMP: so much to standard output, in numbered lines of 100 bytes and writes of 64 KiB. Before the first of them STAMP gets the
 * monotonic time, in nanoseconds; then it stays, as a service does. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LINE 100
#define DIGITS 10

static void stamp(const char *path) {
        FILE *f = fopen(path, "w");
        struct timespec t;

        if (!f)
                exit(1);
        clock_gettime(CLOCK_MONOTONIC, &t);
        fprintf(f, "%lld\n", (long long) t.tv_sec * 1000000000 + t.tv_nsec);
        fclose(f);
}

static void number_lines(char *buffer, size_t size, unsigned long *next) {
        for (char *line = buffer; line < buffer + size; line += LINE) {
                unsigned long v = (*next)++;

                for (char *d = line + DIGITS; d-- > line; v /= 10)
                        *d = (char) ('0' + v % 10);
        }
}

int main(int argc, char **argv) {
        static char buffer[65536 / LINE * LINE];
        unsigned long next = 0, wanted = argc == 3 ? strtoul(argv[1], NULL, 10) * (1048576 / LINE) : 0;

        if (wanted == 0)
                return 2;
        for (size_t i = 0; i < sizeof(buffer); i++)
                buffer[i] = i % LINE == LINE - 1 ? '\n' : (char) ('a' + i % LINE % 26);
        stamp(argv[2]);
        while (next < wanted) {
                number_lines(buffer, sizeof(buffer), &next);
                for (size_t at = 0; at < sizeof(buffer);) {
                        ssize_t n = write(STDOUT_FILENO, buffer + at, sizeof(buffer) - at);

                        if (n < 0)
                                return 1;
                        at += (size_t) n;
                }
        }
        for (;;)
                pause();
}
