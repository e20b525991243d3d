/* The loop. */
#include "balance/state.h"

#include "base/fd.h"

#define EVENTS_A_TURN 256

int balancer_run(int wire) {
        Balancer b = { .wire = { .fd = wire, .ready = hear_ready } };
        int r;

        r = poller_init(&b.poller, EVENTS_A_TURN);
        if (r >= 0)
                r = fd_nonblock(wire, true);
        if (r >= 0)
                r = poller_add(&b.poller, &b.wire, EPOLLIN);
        while (r >= 0 && !b.leaving)
                r = poller_wait(&b.poller, USEC_INFINITY);
        fd_close(b.wire.fd);
        poller_done(&b.poller);
        return r;
}
