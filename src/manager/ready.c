/* The read end belongs to its event source, which outlives neither newline nor end of file, and to the keeper, so that a service whose manager
 * dies is heard by the next instead of getting SIGPIPE; the instance is found again by run, so a stale pipe of an earlier run says nothing. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "manager/instance.h"
#include "manager/link.h"
#include "manager/ready.h"

#define HELD_PREFIX "ready-"
#define HELD_NAME HELD_PREFIX "%016" PRIx64
#define HELD_SIZE 64

typedef struct ReadyPipe {
        Manager *manager;
        uint64_t run;
} ReadyPipe;

static void drop(Manager *m, uint64_t run) {
        char name[HELD_SIZE];

        snprintf(name, sizeof name, HELD_NAME, run);
        (void) link_drop(m->link, name);
}

static int on_ready_fd(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        ReadyPipe *p = userdata;
        char buffer[256];
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

/* Takes the read end on success. */
static int watch(Instance *i, int fd) {
        ReadyPipe *p = malloc(sizeof(ReadyPipe));
        sd_event_source *s;
        int r;

        if (!p)
                return -ENOMEM;
        *p = (ReadyPipe) { .manager = i->service->manager, .run = i->run };
        r = sd_event_add_io(p->manager->event, &s, fd, EPOLLIN, on_ready_fd, p);
        if (r < 0) {
                free(p);
                return r;
        }
        (void) sd_event_source_set_destroy_callback(s, free);
        (void) sd_event_source_set_io_fd_own(s, true);
        (void) sd_event_source_set_priority(s, PRIORITY_NOTIFY);
        (void) sd_event_source_set_floating(s, true);
        sd_event_source_unref(s);
        return 0;
}

int ready_pipe(Instance *i, int *ret_write) {
        _cleanup_fd_ int read_end = -EBADF, write_end = -EBADF;
        char name[HELD_SIZE];
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        read_end = fds[0];
        write_end = fds[1];
        (void) fd_nonblock(read_end, true);
        snprintf(name, sizeof name, HELD_NAME, i->run);
        r = link_hold(i->service->manager->link, name, read_end);
        if (r >= 0)
                r = watch(i, read_end);
        if (r < 0)
                return r;
        TAKE_FD(read_end);
        *ret_write = TAKE_FD(write_end);
        return 0;
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
