/* The loop. One number is the next deadline of all: when it has passed everything is looked at, which happens as often as the shortest of them lasts, however
 * many connections there are; and with nothing to wait for there is no deadline and no wake-up. */
#include "balance/state.h"

#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "base/fd.h"
#include "base/log.h"
#include "balance/worker.h"

#define EVENTS_A_TURN 256
#define PIPES_MAX 1024

usec_t balancer_now(Balancer *b) {
        if (b->now == 0)
                b->now = now_usec(CLOCK_MONOTONIC);
        return b->now;
}

void balancer_due(Balancer *b, usec_t when) {
        b->due = MIN(b->due, when);
}

/* xorshift64*: for spreading, not for secrets. */
uint64_t balancer_random(Balancer *b) {
        b->random ^= b->random >> 12;
        b->random ^= b->random << 25;
        b->random ^= b->random >> 27;
        return b->random * 0x2545f4914f6cdd1dULL;
}

void balancer_leave(Balancer *b, usec_t at) {
        b->leaving = true;
        b->leave_at = MIN(b->leave_at, at);
        balancer_due(b, b->leave_at);
        for (size_t i = b->n_fronts; i-- > 0;)
                front_gone(b->fronts[i]);
        workers_leave(b);
}

void balancer_missed(Balancer *b, int error) {
        b->missed = -error;
        if (b->missed_at > 0)
                return;
        b->missed_pause = b->missed_pause > 0 ? MIN(2 * b->missed_pause, MISSED_MAX) : MISSED_FIRST;
        b->missed_at = usec_add(balancer_now(b), b->missed_pause);
        balancer_due(b, b->missed_at);
}

static void expire_missed(Balancer *b) {
        if (b->missed_at == 0)
                return;
        if (b->missed_at > balancer_now(b)) {
                balancer_due(b, b->missed_at);
                return;
        }
        b->missed_at = 0;
        say_later(b);
}

static void expire(Balancer *b) {
        if (b->due > balancer_now(b))
                return;
        b->due = b->leaving ? b->leave_at : USEC_INFINITY;
        expire_missed(b);
        for (size_t i = b->n_fronts; i-- > 0;)
                front_expire(b->fronts[i]);
        workers_expire(b);
}

static void settle(Balancer *b) {
        if (b->full && b->open < b->open_max) {
                b->full = false;
                for (size_t i = 0; i < b->n_fronts; i++)
                        front_dirty(b->fronts[i]);
        }
        if (!b->dirty)
                return;
        b->dirty = false;
        for (size_t i = b->n_fronts; i-- > 0;)
                if (b->fronts[i]->dirty)
                        front_settle(b->fronts[i]);
}

/* Each of those that wait for a further turn now; who wants one more has it after the others. */
static void take_turns(Balancer *b) {
        Connection *last = TAILQ_LAST(&b->again, ConnectionQueue), *c;
        bool more = last != NULL;

        while (more && (c = TAILQ_FIRST(&b->again))) {
                more = c != last;
                TAILQ_REMOVE(&b->again, c, turn);
                c->again = false;
                if (c->state == CONNECTION_OPEN)
                        (void) relay(c);
        }
}

static int turn(Balancer *b) {
        bool busy = b->dirty || !TAILQ_EMPTY(&b->again) || (!b->wire_full && (b->say_due || b->asking));
        usec_t now = busy || b->due == USEC_INFINITY ? 0 : now_usec(CLOCK_MONOTONIC);
        int r;

        b->now = 0;
        r = poller_wait(&b->poller, busy ? 0 : b->due == USEC_INFINITY ? USEC_INFINITY : b->due > now ? b->due - now : 0);
        take_turns(b);
        if (b->due != USEC_INFINITY)
                expire(b);
        settle(b);
        say_pending(b);
        return r;
}

static uint32_t descriptors(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > UINT32_MAX)
                return 1 << 20;
        return (uint32_t) limit.rlim_cur;
}

static int balancer_init(Balancer *b, int wire) {
        uint32_t n = descriptors();
        int r;

        b->poller.fd = -EBADF;
        b->wire = (PollSource) { .fd = wire, .ready = hear_ready };
        b->due = b->leave_at = USEC_INFINITY;
        b->open_max = n > 2 * FDS_RESERVED ? (n - FDS_RESERVED) / 2 : FDS_RESERVED / 2;
        b->pipes_max = MIN(n / 16, (uint32_t) PIPES_MAX);
        TAILQ_INIT(&b->again);
        if (getrandom(&b->random, sizeof(b->random), GRND_NONBLOCK) != sizeof(b->random))
                b->random = now_usec(CLOCK_REALTIME);
        b->random |= 1; /* never 0 */
        (void) signal(SIGPIPE, SIG_IGN); /* splice(2) has no flag against it */
        r = poller_init(&b->poller, EVENTS_A_TURN);
        if (r >= 0)
                r = fd_nonblock(wire, true);
        return r < 0 ? r : poller_add(&b->poller, &b->wire, EPOLLIN);
}

static void cut_all(Balancer *b) {
        while (b->n_fronts > 0) {
                Front *f = b->fronts[b->n_fronts - 1];

                front_hold(f);
                front_gone(f);
                while (f->n_backs > 0)
                        back_cut(f->backs[0]);
                front_release(f);
        }
}

static Balancer *balancer_free(Balancer *b) {
        if (!b)
                return NULL;
        cut_all(b);
        workers_free(b);
        free(b->fronts);
        pipes_done(b);
        say_done(b);
        fd_close(b->wire.fd);
        poller_done(&b->poller);
        free(b);
        return NULL;
}
DEFINE_CLEANUP(Balancer *, balancer_free);

int balancer_run(int wire) {
        _cleanup_(balancer_freep) Balancer *b = calloc(1, sizeof(*b));
        int r;

        if (!b) {
                fd_close(wire);
                return -ENOMEM;
        }
        r = balancer_init(b, wire);
        while (r >= 0 && !(b->leaving && ((b->open == 0 && !workers_busy(b)) || b->leave_at <= balancer_now(b))))
                r = turn(b);
        return r;
}
