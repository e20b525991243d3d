/* The read end belongs to its event source, which outlives neither newline nor end of file; the instance is found again by run, so a
 * stale pipe of an earlier run says nothing. */
#include <fcntl.h>

#include "base/fd.h"
#include "manager/instance.h"
#include "manager/ready.h"

typedef struct ReadyPipe {
        Manager *manager;
        uint64_t run;
} ReadyPipe;


static int on_ready_fd(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        ReadyPipe *p = userdata;
        char buffer[256];
        ssize_t n = read(fd, buffer, sizeof buffer);
        bool said = n > 0 && memchr(buffer, '\n', n);
        Instance *i = map_get(p->manager->runs, &p->run);

        if (n < 0 && errno == EAGAIN)
                return 0;
        if (said && i && i->lc.state == LC_PLACING)
                i->early_ready = true;
        else if (said && i)
                instance_event(i, EV_READY);
        if (said || n <= 0)
                /* floating: the loop holds the only reference, given up here */
                (void) sd_event_source_set_floating(s, false);
        return 0;
}

int ready_pipe(Instance *i, int *ret_write) {
        _cleanup_fd_ int read_end = -EBADF, write_end = -EBADF;
        ReadyPipe *p = NULL;
        sd_event_source *s;
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        read_end = fds[0];
        write_end = fds[1];
        (void) fd_nonblock(read_end, true);
        p = malloc(sizeof(ReadyPipe));
        if (!p)
                return -ENOMEM;
        *p = (ReadyPipe) { .manager = i->service->manager, .run = i->run };
        r = sd_event_add_io(p->manager->event, &s, read_end, EPOLLIN, on_ready_fd, p);
        if (r < 0) {
                free(p);
                return r;
        }
        (void) sd_event_source_set_destroy_callback(s, free);
        (void) sd_event_source_set_io_fd_own(s, true);
        (void) sd_event_source_set_priority(s, PRIORITY_NOTIFY);
        (void) sd_event_source_set_floating(s, true);
        sd_event_source_unref(s);
        TAKE_FD(read_end);
        *ret_write = TAKE_FD(write_end);
        return 0;
}
