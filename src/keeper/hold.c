/* Owns the descriptors that the manager wants to find again after its death, and those that systemd gave the keeper at its start: the manager
 * learns of both in the same way. */
#include "keeper/hold.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/span.h"

static Held *find(Hold *h, const char *name) {
        for (size_t i = 0; i < HOLD_MAX; i++)
                if (streq(h->slots[i].name, name))
                        return h->slots + i;
        return NULL;
}

int hold_put(Hold *h, const char *name, int fd) {
        Held *held = find(h, name);

        if (held)
                fd_close(held->fd);
        else
                held = find(h, "");
        if (!held) {
                fd_close(fd);
                return -ENOSPC;
        }
        snprintf(held->name, sizeof(held->name), "%s", name);
        held->fd = fd;
        return 0;
}

int hold_get(const Hold *h, const char *name) {
        for (size_t i = 0; i < HOLD_MAX; i++)
                if (streq(h->slots[i].name, name))
                        return h->slots[i].fd;
        return -ENOENT;
}

void hold_drop(Hold *h, const char *name) {
        Held *held = find(h, name);

        if (!held || *name == '\0')
                return;
        fd_close(held->fd);
        *held = (Held) { .fd = -EBADF };
}

void hold_done(Hold *h) {
        for (size_t i = 0; i < HOLD_MAX; i++)
                if (h->slots[i].name[0])
                        hold_drop(h, h->slots[i].name);
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

static void make_unique(Hold *h, char *name, size_t size) {
        size_t at = MIN(strlen(name), size - sizeof("#4294967295"));

        for (unsigned i = 2; find(h, name); i++)
                snprintf(name + at, size - at, "#%u", i);
}

void hold_adopt(Hold *h) {
        const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
        uint64_t for_pid, n;

        if (pid && count && parse_u64(pid, &for_pid) >= 0 && for_pid == (uint64_t) getpid() && parse_u64(count, &n) >= 0)
                for (int fd = 3; n > 0 && fd < INT32_MAX; n--, fd++) {
                        char name[64];
                        int r;

                        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                                break;
                        next_name(&names, fd, name, sizeof(name));
                        make_unique(h, name, sizeof(name));
                        r = hold_put(h, name, fd);
                        if (r < 0)
                                log_errno(LOG_WARNING, r, "cannot hold the descriptor \"%s\" that was passed to us", name);
                }
        (void) unsetenv("LISTEN_PID");
        (void) unsetenv("LISTEN_FDS");
        (void) unsetenv("LISTEN_FDNAMES");
}
