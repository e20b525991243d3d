/* A bare epoll loop for the programs that must stay smaller than sd_event would make them (keeper, logger, balancer): no allocation after start,
 * no dependency but libc. Sources are embedded in their owners and called back level-triggered; a source may be removed from any callback.
 */
#pragma once

#include <sys/epoll.h>

#include "base/macro.h"
#include "base/span.h"

typedef struct PollSource PollSource;
struct PollSource {
        int fd;
        int priority;            /* lower runs first within one wake-up */
        void (*ready)(PollSource *s, uint32_t events); /* EPOLLIN | EPOLLOUT | EPOLLHUP … */
        bool added;              /* kept by the poller */
};

typedef struct Poller {
        int fd;
        bool stop; /* for the owner's loop; set by a callback, what is left of this wake-up is not delivered (and not lost: levels) */
        struct epoll_event *batch;
        size_t batch_size, batch_used;
} Poller;

int poller_init(Poller *p, size_t batch_size);
void poller_done(Poller *p);
int poller_add(Poller *p, PollSource *s, uint32_t events);
/* Also takes what is no longer wanted out of events that wait for delivery in this wake-up. */
int poller_modify(Poller *p, PollSource *s, uint32_t events);
/* Always EPOLL_CTL_DEL, and forgets an event of this wake-up that has not been delivered yet. */
void poller_remove(Poller *p, PollSource *s);
/* Closes the descriptor of a source, which nobody else has a copy of: the kernel then takes it out of epoll by itself. */
void poller_forget(Poller *p, PollSource *s);
/* Waits at most `timeout` (USEC_INFINITY: for ever) and delivers what is ready, by priority. 0 or -errno. A signal ends
 * the wait early, with 0: the owner counts its deadlines anew anyway. Not to be called from a callback. */
int poller_wait(Poller *p, usec_t timeout);
