/* Must stay true: what is passed on is close-on-exec again as soon as it has arrived; a list that makes no sense is as good as none. */
#include "keeper/heirlooms.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/span.h"

#define PACKED "KINGLY_HEIRLOOMS"
#define UNPACK_TRIES 50
#define UNPACK_PAUSE_NSEC 20000000

int heirlooms_pack(const Held *items, size_t n) {
        int fd = memfd_create("kingly-heirlooms", 0), r;
        char text[16];

        if (fd < 0)
                return -errno;
        r = fd_write_all(fd, items, n * sizeof(Held));
        for (size_t i = 0; i < n && r >= 0; i++)
                if (fcntl(items[i].fd, F_SETFD, 0) < 0)
                        r = -errno;
        snprintf(text, sizeof(text), "%i", fd);
        if (r >= 0 && setenv(PACKED, text, true) < 0)
                r = -errno;
        if (r < 0)
                fd_close(fd);
        return r;
}

void heirlooms_keep(const Held *items, size_t n) {
        const char *packed = getenv(PACKED);
        uint64_t fd;

        for (size_t i = 0; i < n; i++)
                (void) fcntl(items[i].fd, F_SETFD, FD_CLOEXEC);
        if (packed && parse_u64(packed, &fd) >= 0 && fd < INT32_MAX)
                fd_close((int) fd);
        (void) unsetenv(PACKED);
}

/* What another program wrote: a byte that is neither is no bool yet. */
static bool is_item(const Held *item) {
        return item->fd > STDERR_FILENO && memchr(item->name, '\0', sizeof(item->name)) && *(const uint8_t *) &item->stored <= 1;
}

static int unpack_once(int fd, Held **ret, size_t *ret_n) {
        struct stat st;
        Held *items;
        size_t n;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size % sizeof(Held) != 0)
                return -EBADMSG;
        n = (size_t) st.st_size / sizeof(Held);
        items = malloc((size_t) st.st_size + 1);
        if (!items)
                return -ENOMEM;
        r = fd_pread_all(fd, items, (size_t) st.st_size, 0);
        if (r < 0) {
                free(items);
                return r;
        }
        *ret_n = 0;
        for (size_t i = 0; i < n; i++)
                if (is_item(items + i) && fcntl(items[i].fd, F_SETFD, FD_CLOEXEC) >= 0)
                        items[(*ret_n)++] = items[i];
        *ret = items;
        return 0;
}

/* Everything hangs on it, and a shortage may be over in a moment. */
static int unpack(int fd, Held **ret, size_t *ret_n) {
        int r = unpack_once(fd, ret, ret_n);

        for (unsigned i = 0; i < UNPACK_TRIES && r < 0 && r != -EBADMSG; i++) {
                (void) nanosleep(&(struct timespec) { .tv_nsec = UNPACK_PAUSE_NSEC }, NULL);
                r = unpack_once(fd, ret, ret_n);
        }
        return r;
}

/* Cuts the next name off a list separated by colons. */
static void next_name(const char **list, int fd, char *ret, size_t size) {
        size_t n = *list ? strcspn(*list, ":") : 0;

        if (n > 0 && n < size)
                snprintf(ret, size, "%.*s", (int) n, *list);
        else
                snprintf(ret, size, "fd%i", fd);
        if (*list)
                *list = (*list)[n] ? *list + n + 1 : NULL;
}

static uint64_t passed(void) {
        const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
        uint64_t for_pid, n;

        if (!pid || !count || parse_u64(pid, &for_pid) < 0 || for_pid != (uint64_t) getpid() || parse_u64(count, &n) < 0)
                return 0;
        return MIN(n, (uint64_t) INT32_MAX - 3);
}

static int from_systemd(Held **ret, size_t *ret_n) {
        const char *names = getenv("LISTEN_FDNAMES");
        uint64_t left = passed();
        size_t most = 0;
        Held *items;

        while (most < left && fcntl((int) most + 3, F_SETFD, FD_CLOEXEC) >= 0)
                most++;
        items = calloc(most + 1, sizeof(Held));
        if (!items)
                return -ENOMEM;
        for (size_t i = 0; i < most; i++) {
                items[i].fd = (int) i + 3;
                items[i].stored = true;
                next_name(&names, items[i].fd, items[i].name, sizeof(items[i].name));
        }
        *ret = items;
        *ret_n = most;
        return 0;
}

int heirlooms_from_environment(Held **ret, size_t *ret_n) {
        const char *packed = getenv(PACKED);
        uint64_t fd;
        int r;

        if (packed && parse_u64(packed, &fd) >= 0 && fd < INT32_MAX) {
                r = unpack((int) fd, ret, ret_n);
                fd_close((int) fd);
                if (r < 0)
                        log_errno(LOG_ERR, r, "cannot read what another keeper left");
                *ret = r < 0 ? NULL : *ret;
                *ret_n = r < 0 ? 0 : *ret_n;
                r = 1;
        } else
                r = from_systemd(ret, ret_n);
        (void) unsetenv(PACKED);
        (void) unsetenv("LISTEN_PID");
        (void) unsetenv("LISTEN_FDS");
        (void) unsetenv("LISTEN_FDNAMES");
        return r;
}
