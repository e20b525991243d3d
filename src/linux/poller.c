/* The epoll loop. The batch of one wake-up is the only state between the kernel and a callback: an entry whose source is NULL was taken
 * back, so a source that left the poller (and may be freed by now) is never touched again. Nothing allocates after poller_init(). */
#include "linux/poller.h"

#include <limits.h>

#include "base/fd.h"

int poller_init(Poller *p, size_t batch_size) {
        *p = (Poller) { .fd = -EBADF, .batch_size = batch_size };
        if (batch_size < 1 || batch_size > INT_MAX / sizeof(struct epoll_event))
                return -EINVAL;
        p->batch = calloc(batch_size, sizeof(struct epoll_event));
        if (!p->batch)
                return -ENOMEM;
        p->fd = epoll_create1(EPOLL_CLOEXEC);
        if (p->fd < 0) {
                int r = -errno;

                poller_done(p);
                return r;
        }
        return 0;
}

void poller_done(Poller *p) {
        p->fd = fd_close(p->fd);
        free(p->batch);
        *p = (Poller) { .fd = -EBADF };
}

static int control(Poller *p, int op, PollSource *s, uint32_t events) {
        struct epoll_event e = { .events = events, .data.ptr = s };

        return epoll_ctl(p->fd, op, s->fd, &e) < 0 ? -errno : 0;
}

int poller_add(Poller *p, PollSource *s, uint32_t events) {
        int r;

        r = control(p, EPOLL_CTL_ADD, s, events);
        if (r >= 0)
                s->added = true;
        return r;
}

/* Leaves of the undelivered events of a source only those in mask. */
static void batch_mask(Poller *p, const PollSource *s, uint32_t mask) {
        for (size_t i = 0; i < p->batch_used; i++) {
                struct epoll_event *e = &p->batch[i];

                if (e->data.ptr != s)
                        continue;
                e->events &= mask;
                if (e->events == 0)
                        e->data.ptr = NULL;
        }
}

int poller_modify(Poller *p, PollSource *s, uint32_t events) {
        int r;

        r = control(p, EPOLL_CTL_MOD, s, events);
        if (r >= 0)
                batch_mask(p, s, events | EPOLLERR | EPOLLHUP); /* these two cannot be declined */
        return r;
}

void poller_remove(Poller *p, PollSource *s) {
        if (!s->added)
                return;
        /* Closing the descriptor would not do: epoll watches the open file behind it, which a child may share. */
        (void) control(p, EPOLL_CTL_DEL, s, 0);
        s->added = false;
        batch_mask(p, s, 0);
}

void poller_forget(Poller *p, PollSource *s) {
        s->fd = fd_close(s->fd);
        if (s->added)
                batch_mask(p, s, 0);
        s->added = false;
}

static int priority_of(const struct epoll_event *e) {
        return ((const PollSource *) e->data.ptr)->priority;
}

/* Insertion sort: stable, in place, and a wake-up seldom brings more than a handful. */
static void batch_sort(struct epoll_event *batch, size_t n) {
        for (size_t i = 1; i < n; i++) {
                struct epoll_event e = batch[i];
                size_t j = i;

                for (; j > 0 && priority_of(&batch[j - 1]) > priority_of(&e); j--)
                        batch[j] = batch[j - 1];
                batch[j] = e;
        }
}

/* Rounded up: waking a little before a deadline would make the owner spin until it. */
static int to_msec(usec_t timeout) {
        usec_t msec = timeout / USEC_PER_MSEC + (timeout % USEC_PER_MSEC != 0);

        if (timeout == USEC_INFINITY)
                return -1;
        return msec > INT_MAX ? INT_MAX : (int) msec;
}

int poller_wait(Poller *p, usec_t timeout) {
        int n;

        n = epoll_wait(p->fd, p->batch, (int) p->batch_size, to_msec(timeout));
        if (n < 0)
                return errno == EINTR ? 0 : -errno;
        p->batch_used = (size_t) n;
        batch_sort(p->batch, p->batch_used);
        for (size_t i = 0; i < p->batch_used && !p->stop; i++) {
                struct epoll_event e = p->batch[i];
                PollSource *s = e.data.ptr;

                p->batch[i].data.ptr = NULL;
                if (s)
                        s->ready(s, e.events);
        }
        p->batch_used = 0;
        return 0;
}
