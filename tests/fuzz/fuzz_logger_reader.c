/* Any bytes as a log file: every way of reading it ends, and every line of it comes back. */
#include <stdio.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "logger/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
        if (!holds)
                abort();
}

/* Everything from here to the end; at most one record a byte, or the reader does not move. */
static size_t read_all(LogReader *r, size_t size) {
        size_t n = 0, sum = 0;
        LogRecord record;
        int q;

        while ((q = log_reader_next(r, &record)) == 1) {
                volatile char last = record.size > 0 ? record.message[record.size - 1] : '\0';

                (void) last;
                sum += record.size;
                require(++n <= size);
        }
        require(q == 0 && sum <= size);
        (void) log_reader_rest(r, &record);
        return n;
}

static void read_format(const char *path, const uint8_t *data, size_t size, int format) {
        LogReader *r = NULL;
        usec_t since = 0;
        size_t all;

        require(log_reader_open(path, format, &r) == 0);
        all = read_all(r, size);
        for (uint64_t lines = 0; lines < 4; lines++) {
                require(log_reader_seek_tail(r, lines) == 0);
                /* Long lines make several records. */
                require(size > 65536 || read_all(r, size) == MIN((size_t) lines, all));
        }
        memcpy(&since, data, MIN(size, sizeof(since)));
        require(log_reader_seek_time(r, since % UINT64_C(4000000000000000)) == 0);
        require(read_all(r, size) <= all);
        log_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        int fd = memfd_create("log", MFD_CLOEXEC);
        char path[64];

        require(fd >= 0 && fd_write_all(fd, data, size) == 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%i", fd);
        read_format(path, data, size, 0);
        read_format(path, data, size, 1);
        fd_close(fd);
        return 0;
}
