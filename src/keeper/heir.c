/* Must stay true: no decision and no timer but one; nothing is closed that the keeper has not told it to; an unexpected end of the keeper is the
 * only thing that makes it act, since a keeper that wants to end kills its heir first. */
#include "keeper/heir.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/map.h"
#include "base/span.h"
#include "keeper/heirlooms.h"
#include "linux/thrift.h"

/* A keeper that dies at once, again and again, must not become a load. */
#define SHORT_LIFE (5 * USEC_PER_SEC)
#define PAUSE_NSEC 500000000

/* Names are short and there may be thousands. */
typedef struct Item {
        int fd;
        char name[];
} Item;

static void drop(Map *items, const char *name) {
        Item *item = map_remove(items, name);

        if (item)
                fd_close(item->fd);
        free(item);
}

static void put(Map *items, const char *name, int fd) {
        Item *item = malloc(sizeof(Item) + strlen(name) + 1);

        drop(items, name);
        if (item) {
                item->fd = fd;
                strcpy(item->name, name);
        }
        if (item && map_put(items, item->name, item) >= 0)
                return;
        log_error("out of memory: %s would not survive the keeper", name);
        fd_close(fd);
        free(item);
}

/* False: the keeper is gone. */
static bool hear(Map *items) {
        WireHold p;
        size_t n_fds = 1;
        int fd = -EBADF;
        ssize_t n = fd_recv(WIRE_FD, &p, sizeof(p), &fd, &n_fds);

        if (n == -EMSGSIZE || n == -EINTR)
                return true;
        if (n <= 0)
                return false;
        if (wire_check(&p, (size_t) n, n_fds) < 0) {
                if (n_fds > 0)
                        fd_close(fd);
        } else if (p.h.type == WIRE_HOLD)
                put(items, p.name, fd);
        else if (p.h.type == WIRE_DROP)
                drop(items, p.name);
        return true;
}

static int pack(Map *items) {
        _cleanup_free_ Held *list = calloc(map_size(items) + 1, sizeof(Held));
        size_t i = 0, n = 0;
        void *v;

        if (!list)
                return -ENOMEM;
        while (map_next(items, &i, &v)) {
                const Item *item = v;

                list[n].fd = item->fd;
                snprintf(list[n++].name, sizeof(list->name), "%s", item->name);
        }
        return heirlooms_pack(list, n);
}

int heir_run(char **argv) {
        usec_t started = now_usec(CLOCK_MONOTONIC);
        Map *items = map_new_string();
        int r;

        if (!items)
                return EXIT_FAILURE;
        thrift_give_back();
        while (hear(items))
                ;
        log_error("the keeper is gone: taking its place, services run on");
        if (now_usec(CLOCK_MONOTONIC) - started < SHORT_LIFE)
                (void) nanosleep(&(struct timespec) { .tv_nsec = PAUSE_NSEC }, NULL);
        fd_close(WIRE_FD);
        r = pack(items);
        if (r < 0)
                log_errno(LOG_ERR, r, "cannot pass on what the keeper left");
        argv[1] = argv[0];
        /* Not by its path: whatever stands there by now may be of another version. */
        (void) execv("/proc/self/exe", argv + 1);
        log_errno(LOG_ERR, -errno, "cannot become the keeper");
        return EXIT_FAILURE;
}
