/* What a balancer is told. Must stay true: nothing here waits, and nothing is queued: what the wire does not take is stated again, from how things are by
 * then, when it takes more; what was said is remembered, so that each change is said once. */
#include <stdio.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "manager/balance/balance_private.h"

#define LEAVE_MARGIN (500 * USEC_PER_MSEC)     /* before the stop would be a matter of SIGKILL */

static bool send_packet(BalanceLink *l, const void *packet, size_t size, int fd) {
        int r;

        if (l->blocked || l->fd < 0)
                return false;
        r = fd_send(l->fd, packet, size, &fd, fd >= 0);
        if (r >= 0)
                return true;
        l->blocked = true;
        if (fd_send_later(r))
                (void) sd_event_source_set_io_events(l->source, EPOLLIN | EPOLLOUT);
        return false;
}

static bool say_hello(BalanceLink *l) {
        BalanceHello p = { .h = { BALANCE_HELLO, sizeof p }, .version = BALANCE_WIRE_VERSION, .pid = getpid() };

        snprintf(p.program, sizeof p.program, "%s", KINGLY_VERSION);
        l->hello_said = l->hello_said || send_packet(l, &p, sizeof p, -EBADF);
        return l->hello_said;
}

static SaidFront *find_front(BalanceLink *l, uint32_t front) {
        for (size_t k = 0; k < l->n_fronts; k++)
                if (l->fronts[k].front.front == front)
                        return l->fronts + k;
        return NULL;
}

SaidBack *balance_said_back(BalanceLink *l, uint32_t front, uint64_t back) {
        for (size_t k = 0; k < l->n_backs; k++)
                if (l->backs[k].state.front == front && l->backs[k].state.back == back)
                        return l->backs + k;
        return NULL;
}

static SaidFront *remember_front(BalanceLink *l, const BalanceFront *f) {
        SaidFront *said = find_front(l, f->front), *list;

        if (!said) {
                list = reallocarray(l->fronts, l->n_fronts + 1, sizeof(SaidFront));
                if (!list)
                        return NULL;
                l->fronts = list;
                said = list + l->n_fronts++;
        }
        *said = (SaidFront) { .front = *f, .seen = true };
        return said;
}

static bool say_front(BalanceLink *l, const BalanceFront *f, int fd) {
        SaidFront *said = find_front(l, f->front);

        if (!said || memcmp(&said->front, f, sizeof *f) != 0)
                return send_packet(l, f, sizeof *f, fd) && remember_front(l, f);
        said->seen = true;
        return true;
}

static bool say_back(BalanceLink *l, const BalanceBackState *b, int fd) {
        SaidBack *said = balance_said_back(l, b->front, b->back), *list;

        if (!said || memcmp(&said->state, b, sizeof *b) != 0) {
                list = said ? l->backs : reallocarray(l->backs, l->n_backs + 1, sizeof(SaidBack));
                if (!list)
                        return false;
                l->backs = list;
                if (!send_packet(l, b, sizeof *b, fd))
                        return false;
                said = said ?: list + l->n_backs++;
                *said = (SaidBack) { .state = *b };
        }
        said->seen = true;
        return true;
}

static bool say_front_gone(BalanceLink *l, size_t k) {
        BalanceFrontGone p = { .h = { BALANCE_FRONT_GONE, sizeof p }, .front = l->fronts[k].front.front };

        if (!send_packet(l, &p, sizeof p, -EBADF))
                return false;
        l->fronts[k] = l->fronts[--l->n_fronts];
        return true;
}

static bool say_back_gone(BalanceLink *l, size_t k) {
        BalanceBackName p = { .h = { BALANCE_BACK_GONE, sizeof p }, .back = l->backs[k].state.back, .front = l->backs[k].state.front };

        if (!send_packet(l, &p, sizeof p, -EBADF))
                return false;
        l->backs[k] = l->backs[--l->n_backs];
        return true;
}

void balance_link_front_gone(BalanceLink *l, uint32_t front) {
        for (size_t k = 0; k < l->n_fronts; k++)
                if (l->fronts[k].front.front == front) {
                        (void) say_front_gone(l, k);
                        return;
                }
}

static bool state_fronts(BalanceLink *l, const Service *s) {
        FrontWalk at = {};
        BalanceFront f;
        int fd;

        for (size_t k = 0; k < l->n_fronts; k++)
                l->fronts[k].seen = false;
        while (s && !l->leaving && balance_next_front(s, &at, &f, &fd))
                if (!say_front(l, &f, fd))
                        return false;
        return true;
}

static bool state_backs(BalanceLink *l, const Service *s) {
        BackWalk at = {};
        BalanceBackState b;
        int fd;

        for (size_t k = 0; k < l->n_backs; k++)
                l->backs[k].seen = false;
        while (s && balance_next_back(s, &at, &b, &fd))
                if (!(b.kind == BACK_CHANNEL && l->instance->surge) && !say_back(l, &b, fd))
                        return false;
        return true;
}

/* At once, before the front is stated: it is the answer to one worker, which the statement would not repeat. */
void balance_link_answer(BalanceLink *l, uint32_t serial, int error, const BalanceFront *f, int fd) {
        BalanceRefused p = { .h = { BALANCE_LISTEN_REFUSED, sizeof p }, .serial = serial, .error = error };
        BalanceFront plain = error ? (BalanceFront) {} : *f;

        if (error)
                (void) send_packet(l, &p, sizeof p, -EBADF);
        if (error || !send_packet(l, f, sizeof *f, fd))
                return;
        plain.serial = 0;
        (void) remember_front(l, &plain);
}

static bool state_gone(BalanceLink *l) {
        for (size_t k = l->n_fronts; k > 0; k--)
                if (!l->fronts[k - 1].seen && !say_front_gone(l, k - 1))
                        return false;
        for (size_t k = l->n_backs; k > 0; k--)
                if (!l->backs[k - 1].seen && !say_back_gone(l, k - 1))
                        return false;
        return true;
}

/* Backs first: a front that knows none would let its clients wait. */
void balance_link_state(BalanceLink *l) {
        const Service *s = balance_target(l->instance);
        BalanceHeader p = { BALANCE_STATED, sizeof p };

        /* Half a statement would take the other half from it. */
        if (!l->instance->service->manager->balance_known || l->fd < 0 || !say_hello(l) || !state_fronts(l, s) || !state_backs(l, s) || !state_gone(l))
                return;
        l->stated = l->stated || send_packet(l, &p, sizeof p, -EBADF);
}

int balance_link_ask(BalanceLink *l) {
        BalanceSerial p = { .h = { BALANCE_ASK, sizeof p }, .serial = l->asked + 1 };

        if (!l->stated || !send_packet(l, &p, sizeof p, -EBADF))
                return -EAGAIN;
        l->asked++;
        return 0;
}

bool balance_link_leave(Instance *balancer) {
        BalanceLeave p = { .h = { BALANCE_LEAVE, sizeof p } };
        BalanceLink *l = balancer->balance;
        usec_t from = now_usec(CLOCK_MONOTONIC) + LEAVE_MARGIN;

        if (!balancer->service->spec->balances || !l || !l->hello_said)
                return false;
        if (balancer->lc.deadline != USEC_INFINITY)
                p.within = balancer->lc.deadline > from ? balancer->lc.deadline - from : 1;
        l->leaving = true;
        if (!send_packet(l, &p, sizeof p, -EBADF))
                return false;
        /* The channels of workers are for one at a time. */
        for (size_t at = 0; (l = balance_next_link(balancer->service, &at));)
                balance_link_state(l);
        return true;
}
