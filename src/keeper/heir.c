/* Must stay true: no decision and no timer but one; nothing is closed that the keeper has not told it to; an unexpected end of the keeper is the
 * only thing that makes it act, since a keeper that wants to end kills its heir first. */
#include "keeper/heir.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/map.h"
#include "base/span.h"
#include "keeper/heirlooms.h"
#include "linux/process.h"
#include "linux/thrift.h"

/* A keeper that dies at once, again and again, must not become a load. */
#define SHORT_LIFE (5 * USEC_PER_SEC)
#define PAUSE_NSEC 500000000
#define PIPES 2

/* Names are short and there may be thousands: what belongs together stands under one. */
typedef struct Item {
        int fds[PIPES];               /* -EBADF: not there */
        char name[];
} Item;

static Item *item_free(Item *item) {
        for (int n = 0; item && n < PIPES; n++)
                fd_close(item->fds[n]);
        free(item);
        return NULL;
}

static void drop(Map *items, const char *name) {
        item_free(map_remove(items, name));
}

static void put(Map *items, const char *name, const int *fds, int n_fds) {
        Item *item = malloc(sizeof(Item) + strlen(name) + 1);

        drop(items, name);
        if (!item) {
                log_error("out of memory: %s would not survive the keeper", name);
                for (int n = 0; n < n_fds; n++)
                        fd_close(fds[n]);
                return;
        }
        for (int n = 0; n < PIPES; n++)
                item->fds[n] = n < n_fds ? fds[n] : -EBADF;
        strcpy(item->name, name);
        if (map_put(items, item->name, item) >= 0)
                return;
        log_error("out of memory: %s would not survive the keeper", name);
        item_free(item);
}

/* Each pipe of a run has a name of its own where descriptors are passed on. */
static void pipe_name(char *ret, size_t size, const char *run, int n) {
        snprintf(ret, size, "%s-%i", run, n);
}

static int pack(Map *items) {
        _cleanup_free_ Held *list = calloc(map_size(items) * PIPES + 1, sizeof(Held));
        size_t i = 0, n = 0;
        void *v;

        if (!list)
                return -ENOMEM;
        while (map_next(items, &i, &v)) {
                const Item *item = v;
                bool pipes = item->fds[1] >= 0;

                for (int k = 0; k < (pipes ? PIPES : 1); k++) {
                        list[n].fd = item->fds[k];
                        if (pipes)
                                pipe_name(list[n++].name, sizeof(list->name), item->name, k);
                        else
                                snprintf(list[n++].name, sizeof(list->name), "%s", item->name);
                }
        }
        return heirlooms_pack(list, n);
}

/* Takes up what this program held before it was another (renew()). */
static int unpack(Map *items) {
        _cleanup_free_ Held *list = NULL;
        size_t n = 0;
        int r = heirlooms_from_environment(&list, &n);

        for (size_t i = 0; i < n && r >= 0; i++)
                put(items, list[i].name, &list[i].fd, 1);
        return MIN(r, 0);
}

/* The keeper is of another program by now, and wants an heir of the same. In our place, so that there is no moment without one; comes back when that
 * cannot be: the old program is as good as before. */
static void renew(Map *items, int program, char **argv) {
        int r = pack(items);

        if (r >= 0) {
                process_give_way(false);
                (void) execveat(program, "", argv, environ, AT_EMPTY_PATH);
                r = -errno;
                process_give_way(true);
        }
        heirlooms_keep(NULL, 0);
        log_errno(LOG_WARNING, r, "cannot execute the keeper's program as its heir");
}

/* Both pipes of a run; those that were passed on to us have names of their own. */
static void drop_pipes(Map *items, const char *run) {
        drop(items, run);
        for (int n = 0; n < PIPES; n++) {
                char name[sizeof(((WireHold *) NULL)->name) + 12];

                pipe_name(name, sizeof(name), run, n);
                drop(items, name);
        }
}

static void hold_pipes(Map *items, const char *run, const int *fds) {
        drop_pipes(items, run);
        put(items, run, fds, PIPES);
}

/* The descriptors are taken by whatever was asked for, or closed. */
static void obey(Map *items, const WireHold *p, const int *fds, size_t n_fds, char **argv) {
        if (p->h.type == WIRE_HOLD && streq(p->name, HEIRLOOM_SELF)) {
                renew(items, fds[0], argv);
                fd_close(fds[0]);
        } else if (p->h.type == WIRE_HOLD)
                put(items, p->name, fds, 1);
        else if (p->h.type == WIRE_HOLD_PIPES)
                hold_pipes(items, p->name, fds);
        else if (p->h.type == WIRE_DROP)
                drop(items, p->name);
        else if (p->h.type == WIRE_DROP_PIPES)
                drop_pipes(items, p->name);
        else
                for (size_t i = 0; i < n_fds; i++)
                        fd_close(fds[i]);
}

/* False: the keeper is gone. */
static bool hear(Map *items, char **argv) {
        WireHold p;
        int fds[PIPES];
        size_t n_fds = PIPES;
        ssize_t n = fd_recv(WIRE_FD, &p, sizeof(p), fds, &n_fds);

        if (n == -EMSGSIZE || n == -EINTR)
                return true;
        if (n <= 0)
                return false;
        if (wire_check(&p, (size_t) n, n_fds) >= 0)
                obey(items, &p, fds, n_fds, argv);
        else
                for (size_t i = 0; i < n_fds; i++)
                        fd_close(fds[i]);
        return true;
}

int heir_run(char **argv) {
        usec_t started = now_usec(CLOCK_MONOTONIC);
        Map *items = map_new_string();
        int r;

        if (!items || unpack(items) < 0)
                return EXIT_FAILURE;
        thrift_give_back();
        process_give_way(true); /* what it is told comes just before and after a child is born: those have the processor first */
        while (hear(items, argv))
                ;
        process_give_way(false);
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
