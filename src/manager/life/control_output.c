/* The last words of a quiet control process. */
#include <fcntl.h>

#include "base/fd.h"
#include "manager/life/control_private.h"

#define READ_MAX 65536                     /* bytes a turn, and after its end */

static void keep_tail(Control *c, const char *p, size_t n) {
        size_t max = sizeof c->tail, keep;

        if (n >= max) {
                memcpy(c->tail, p + n - max, max);
                c->used = max;
                return;
        }
        keep = MIN(c->used, max - n);
        memmove(c->tail, c->tail + c->used - keep, keep);
        memcpy(c->tail + keep, p, n);
        c->used = keep + n;
}

bool control_read_output(Control *c) {
        char buffer[4096];
        size_t total = 0;

        while (total < READ_MAX) {
                ssize_t n = read(c->read, buffer, sizeof buffer);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno != EAGAIN;
                if (n == 0)
                        return true;
                keep_tail(c, buffer, (size_t) n);
                total += (size_t) n;
        }
        return false;
}

static int on_output(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Control *c = userdata;

        if (control_read_output(c))
                c->output = sd_event_source_disable_unref(c->output);
        return 0;
}

int control_open_output(Control *c, sd_event *event) {
        int pair[2], r;

        if (pipe2(pair, O_CLOEXEC) < 0)
                return -errno;
        c->read = pair[0];
        c->write = pair[1];
        r = fd_nonblock(c->read, true);
        if (r >= 0)
                r = sd_event_add_io(event, &c->output, c->read, EPOLLIN, on_output, c);
        return r < 0 ? r : sd_event_source_set_priority(c->output, PRIORITY_API);
}
