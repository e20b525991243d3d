/* Must stay true: a reader that does not read keeps nobody waiting: our end does not block, and a line that has no room is refused as a whole, which
 * pipe(7) promises of anything up to PIPE_BUF bytes. */
#include "manager/api/input.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "base/text.h"
#include "manager/link.h"

#define HELD_PREFIX "stdin-"
#define HELD_SIZE 64

static const char *held_name(const Instance *i, char ret[HELD_SIZE]) {
        snprintf(ret, HELD_SIZE, HELD_PREFIX "%016" PRIx64, i->run);
        return ret;
}

int input_open(Instance *i, int *ret_read) {
        char name[HELD_SIZE];
        int pair[2], r;

        if (pipe2(pair, O_CLOEXEC) < 0)
                return -errno;
        fd_close(i->input.write);
        i->input.write = pair[1];
        r = fd_nonblock(pair[1], true);
        if (r >= 0)
                r = link_hold(i->service->manager->link, held_name(i, name), pair[1]);
        if (r < 0) {
                fd_close(pair[0]);
                i->input.write = fd_close(i->input.write);
                return r;
        }
        *ret_read = pair[0];
        return 0;
}

static bool has_pipe(const Instance *i) {
        return i->input.write >= 0 && !i->service->spec->collects;
}

void input_close(Instance *i) {
        char name[HELD_SIZE];

        if (!has_pipe(i))
                return;
        i->input.write = fd_close(i->input.write);
        (void) link_drop(i->service->manager->link, held_name(i, name));
}

void input_adopt(Instance *i) {
        char name[HELD_SIZE];

        if (!i->service->spec->collects)
                i->input.write = link_take_held(i->service->manager->link, held_name(i, name));
        i->input.write = i->input.write < 0 ? -EBADF : i->input.write;
}

void input_adopted(Manager *m) {
        link_drop_untaken(m->link, HELD_PREFIX);
}

/* ---- send ---- */

static char *why_refused(int error) {
        switch (error) {
        case EAGAIN:
                return strdup("does not read its standard input: the pipe is full");
        case EPIPE:
                return strdup("has closed its standard input");
        default:
                return text_printf("cannot be written to: %s", strerror(error));
        }
}

int input_send(Instance *i, const char *text, char **ret_error) {
        struct iovec line[] = { { (void *) (uintptr_t) text, strlen(text) }, { (void *) (uintptr_t) "\n", 1 } };

        if (!lifecycle_alive(&i->lc)) {
                *ret_error = strdup("is not running");
                return -ESRCH;
        }
        if (!has_pipe(i)) {
                *ret_error = strdup("has no standard input: set `stdin: pipe` in its file");
                return -EBADF;
        }
        if (line[0].iov_len + 1 > PIPE_BUF) {
                *ret_error = text_printf("takes lines of at most %d bytes", PIPE_BUF - 1);
                return -EMSGSIZE;
        }
        if (writev(i->input.write, line, ARRAY_SIZE(line)) >= 0)
                return 0;
        *ret_error = why_refused(errno);
        return -EIO;
}
