/* Any bytes as a compressed file: reading and skipping end, in every segment, and the reader comes to the end of such a log. */
#include <stdio.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "logger/unpack.h"

#define CONTENT_MAX (4 * 1024 * 1024)  /* a bomb may be long: it is its length that is bounded here */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_on(Unpack *u) {
        char buffer[4096];
        ssize_t n;

        do {
                size_t sum = 0;

                while ((n = unpack_read(u, buffer, sizeof(buffer))) > 0 && sum < CONTENT_MAX)
                        sum += (size_t) n;
        } while (n == -EBADMSG && unpack_skip(u) >= 0);
}

static void read_form(int fd, ChainForm form) {
        Unpack *u = NULL;

        if (unpack_open(fd, form, &u) < 0)
                return;
        read_on(u);
        for (size_t k = unpack_segments(u); k > 0; k -= MIN(k, (size_t) 7)) {
                if (unpack_go(u, k - 1) < 0 || unpack_offset(u) != unpack_segment_offset(u, k - 1))
                        abort();
                read_on(u);
        }
        unpack_free(u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        int fd = memfd_create("archive", MFD_CLOEXEC);

        if (fd < 0 || fd_write_all(fd, data, size) < 0)
                abort();
        read_form(fd, CHAIN_ZSTD);
        read_form(fd, CHAIN_GZIP);
        fd_close(fd);
        return 0;
}
