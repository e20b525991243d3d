/* Our end belongs to its event source, which outlives neither newline (of a pipe) nor end of file, and to the keeper, so that a service whose manager
 * dies is heard by the next instead of getting SIGPIPE; the instance is found again by run, so a stale pipe of an earlier run says nothing. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "manager/health/ready.h"
#include "manager/life/instance.h"
#include "manager/link.h"

#define HELD_PREFIX "ready-"
#define HELD_NAME HELD_PREFIX "%016" PRIx64
#define HELD_SIZE 64

typedef struct ReadyPipe {
        Manager *manager;
        uint64_t run;
        int matched;           /* characters of WORD that this line began with; -1: it is another line */
} ReadyPipe;

/* Reads of one service in an interval: who writes without end waits for the next, and nobody for him. */
#define HEARD_INTERVAL (100 * USEC_PER_MSEC)
#define HEARD_MAX 20

/* What process.send('ready') writes: one line of JSON a message. */
#define WORD "\"ready\"\n"

bool ready_by_pipe(const ServiceSpec *s) {
        return s->ready_by == READY_FD || (s->ready_by == READY_LISTEN && s->cluster.by == CLUSTER_SOCKETS);
}

static void drop(Manager *m, uint64_t run) {
        char name[HELD_SIZE];

        snprintf(name, sizeof name, HELD_NAME, run);
        (void) link_drop(m->link, name);
}

static int on_ready_fd(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        ReadyPipe *p = userdata;
        char buffer[4096];
        ssize_t n = read(fd, buffer, sizeof buffer);
        bool said = n > 0 && memchr(buffer, '\n', n);
        Instance *i = map_get(p->manager->runs, &p->run);

        if (n < 0 && errno == EAGAIN)
                return 0;
        if (said && i)
                instance_ready(i);
        if (said || n <= 0) {
                drop(p->manager, p->run);
                /* floating: the loop holds the only reference, given up here */
                (void) sd_event_source_set_floating(s, false);
        }
        return 0;
}

static bool hears_word(ReadyPipe *p, const char *s, size_t n) {
        bool heard = false;

        for (const char *c = s; c < s + n; c++) {
                bool fits = p->matched >= 0 && *c == WORD[p->matched];

                heard = heard || (fits && *c == '\n');
                p->matched = *c == '\n' ? 0 : fits ? p->matched + 1 : -1;
        }
        return heard;
}

/* Read on as long as the service lives: what it says to the parent that it thinks it has must not pile up in it. */
static int on_channel(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        ReadyPipe *p = userdata;
        char buffer[4096];
        ssize_t n = read(fd, buffer, sizeof buffer);
        Instance *i = map_get(p->manager->runs, &p->run);

        if (n < 0 && errno == EAGAIN)
                return 0;
        if (n > 0 && hears_word(p, buffer, (size_t) n) && i)
                instance_ready(i);
        if (n <= 0) {
                drop(p->manager, p->run);
                (void) sd_event_source_set_floating(s, false);
        }
        return 0;
}

/* Takes our end on success. A channel may be chatty: that must not be in the way of what counts; but what is there is read before somebody's time is up. */
static int watch(Instance *i, int fd) {
        bool channel = i->service->spec->ready_by == READY_IPC;
        ReadyPipe *p = malloc(sizeof(ReadyPipe));
        sd_event_source *s;
        int r;

        if (!p)
                return -ENOMEM;
        *p = (ReadyPipe) { .manager = i->service->manager, .run = i->run };
        r = sd_event_add_io(p->manager->event, &s, fd, EPOLLIN, channel ? on_channel : on_ready_fd, p);
        if (r < 0) {
                free(p);
                return r;
        }
        (void) sd_event_source_set_destroy_callback(s, free);
        (void) sd_event_source_set_io_fd_own(s, true);
        (void) sd_event_source_set_priority(s, channel ? PRIORITY_HEARD : PRIORITY_NOTIFY);
        (void) sd_event_source_set_ratelimit(s, HEARD_INTERVAL, HEARD_MAX);
        (void) sd_event_source_set_floating(s, true);
        sd_event_source_unref(s);
        return 0;
}

/* Both ends are taken in every case. */
static int begin(Instance *i, const int fds[2], int *ret_theirs) {
        _cleanup_fd_ int ours = fds[0], theirs = fds[1];
        char name[HELD_SIZE];
        int r;

        (void) fd_nonblock(ours, true);
        snprintf(name, sizeof name, HELD_NAME, i->run);
        r = link_hold(i->service->manager->link, name, ours);
        if (r >= 0)
                r = watch(i, ours);
        if (r < 0)
                return r;
        TAKE_FD(ours);
        *ret_theirs = TAKE_FD(theirs);
        return 0;
}

int ready_pipe(Instance *i, int *ret_write) {
        int fds[2];

        return pipe2(fds, O_CLOEXEC) < 0 ? -errno : begin(i, fds, ret_write);
}

int ready_channel(Instance *i, int *ret_theirs) {
        int fds[2];

        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : begin(i, fds, ret_theirs);
}

void ready_adopt(Instance *i) {
        char name[HELD_SIZE];
        int fd;

        snprintf(name, sizeof name, HELD_NAME, i->run);
        fd = link_take_held(i->service->manager->link, name);
        if (fd >= 0 && watch(i, fd) < 0)
                fd_close(fd);
}

void ready_adopted(Manager *m) {
        link_drop_untaken(m->link, HELD_PREFIX);
}
