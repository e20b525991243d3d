/* Fronts: accepting while somebody can take what comes. While no back can, connections stay in the queue of the socket, where they wait as they would for a
 * server that is about to start; only when that has lasted for the front's wait_timeout are they taken and closed. */
#include "balance/state.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"

Front *front_find(const Balancer *b, uint32_t id) {
        for (size_t i = 0; i < b->n_fronts; i++)
                if (b->fronts[i]->told.front == id)
                        return b->fronts[i];
        return NULL;
}

void front_dirty(Front *f) {
        f->dirty = f->balancer->dirty = true;
}

static bool dry_for_long(const Front *f) {
        return f->dry_since > 0 && f->told.wait_timeout > 0 && usec_add(f->dry_since, f->told.wait_timeout) <= balancer_now(f->balancer);
}

static bool room(Front *f) {
        Balancer *b = f->balancer;

        if (b->open >= b->open_max) {
                b->full = true;
                return false;
        }
        return f->told.max_connections == 0 || f->open < f->told.max_connections;
}

static bool accepts(Front *f) {
        if (f->gone || f->balancer->leaving || f->listener.fd < 0 || (f->told.flags & FRONT_SHARED) || f->paused_until > 0 || !room(f))
                return false;
        return f->dry_since == 0 || dry_for_long(f);
}

void front_trouble(Front *f, int error) {
        Balancer *b = f->balancer;

        f->trouble_due = f->trouble_due || f->trouble == 0;
        f->trouble = -error;
        f->paused_until = usec_add(balancer_now(b), ACCEPT_PAUSE);
        balancer_due(b, f->paused_until);
        say_later(b);
        front_dirty(f);
}

void front_well(Front *f) {
        if (!f->trouble)
                return;
        f->trouble = 0;
        f->trouble_due = true;
        say_later(f->balancer);
}

/* Whether there may be more. */
static bool accept_one(Front *f) {
        struct sockaddr_storage peer = {};
        socklen_t size = sizeof(peer);
        int fd = accept4(f->listener.fd, (struct sockaddr *) &peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
                if (is_want(errno))
                        front_trouble(f, -errno);
                return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
        }
        if (connection_new(f, fd, &peer) < 0)
                front_trouble(f, -ENOMEM);
        return true;
}

static void listener_ready(PollSource *s, uint32_t events) {
        Front *f = (Front *) ((char *) s - offsetof(Front, listener));

        /* Who can take it is asked anew for each: one may be all that a back has room for. */
        for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
                if (f->dirty)
                        f->dry_since = front_eligible(f) ? 0 : f->dry_since ?: balancer_now(f->balancer);
                if (!accepts(f) || !accept_one(f))
                        break;
        }
        front_dirty(f);
}

static void watch_dryness(Front *f) {
        Balancer *b = f->balancer;

        if (front_eligible(f))
                f->dry_since = 0;
        else if (f->dry_since == 0)
                f->dry_since = balancer_now(b);
        if (f->dry_since > 0 && f->told.wait_timeout > 0 && !dry_for_long(f))
                balancer_due(b, usec_add(f->dry_since, f->told.wait_timeout));
}

void front_settle(Front *f) {
        Balancer *b = f->balancer;
        Connection *c;

        f->dirty = false;
        while (f->paused_until == 0 && front_eligible(f) && (c = TAILQ_FIRST(&f->waiting)))
                connection_dispatch(c);
        watch_dryness(f);
        if (accepts(f) == f->listener.added)
                return;
        if (f->listener.added)
                poller_remove(&b->poller, &f->listener);
        else if (poller_add(&b->poller, &f->listener, EPOLLIN) < 0)
                front_trouble(f, -ENOMEM);
}

void front_expire(Front *f) {
        Balancer *b = f->balancer;
        usec_t now = balancer_now(b);
        Connection *c;

        front_hold(f);
        if (f->paused_until > 0 && f->paused_until <= now)
                f->paused_until = 0;
        while ((c = TAILQ_FIRST(&f->connecting)) && c->deadline <= now)
                connection_timed_out(c);
        while ((c = TAILQ_FIRST(&f->waiting)) && c->deadline <= now)
                connection_fail(c);
        balancer_due(b, f->paused_until ?: USEC_INFINITY);
        if ((c = TAILQ_FIRST(&f->connecting)))
                balancer_due(b, c->deadline);
        if ((c = TAILQ_FIRST(&f->waiting)))
                balancer_due(b, c->deadline);
        for (size_t i = 0; i < f->n_backs; i++)
                if (f->backs[i]->out_until > now)
                        balancer_due(b, f->backs[i]->out_until);
        front_dirty(f);
        front_release(f);
}

static int front_new(Balancer *b, uint32_t id, Front **ret) {
        Front **fronts, *f;

        if (b->n_fronts >= BALANCE_FRONTS_MAX)
                return -ENOSPC;
        fronts = reallocarray(b->fronts, b->n_fronts + 1, sizeof(*fronts));
        if (!fronts)
                return -ENOMEM;
        b->fronts = fronts;
        f = calloc(1, sizeof(*f));
        if (!f)
                return -ENOMEM;
        f->balancer = b;
        f->told.front = id;
        f->listener = (PollSource) { .fd = -EBADF, .priority = 1, .ready = listener_ready };
        TAILQ_INIT(&f->connecting);
        TAILQ_INIT(&f->waiting);
        b->fronts[b->n_fronts++] = f;
        *ret = f;
        return 0;
}

/* What connections inherit from the socket they come through need not be said for each (tcp(7), on Linux). */
static void prepare(int fd, int family, uint32_t flags) {
        int on = 1, keepalive = (flags & FRONT_KEEPALIVE) != 0;

        (void) fd_nonblock(fd, true);
        if (family == AF_UNIX)
                return;
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keepalive, sizeof(keepalive));
}

static int examine(int fd, int *ret_family, ino_t *ret_inode) {
        int listening = 0, family = 0;
        socklen_t size = sizeof(int);
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0)
                return -errno;
        *ret_family = family;
        *ret_inode = st.st_ino;
        return listening ? 0 : -EINVAL;
}

static void listener_close(Front *f) {
        poller_remove(&f->balancer->poller, &f->listener);
        f->listener.fd = fd_close(f->listener.fd);
        f->inode = 0;
}

int front_state(Balancer *b, const BalanceFront *told, int *fd) {
        Front *f = front_find(b, told->front);
        ino_t inode = 0;
        int family = AF_UNSPEC, r;

        r = (told->flags & FRONT_SHARED) ? 0 : examine(*fd, &family, &inode);
        if (r >= 0 && !f)
                r = front_new(b, told->front, &f);
        if (r < 0)
                return r;
        if (f->listener.fd < 0 || f->inode != inode || inode == 0) {
                listener_close(f);
                f->listener.fd = TAKE_FD(*fd);
                f->inode = inode;
                f->family = family;
        }
        f->told = *told;
        f->gone = false;
        f->stated = true;
        if (!(told->flags & FRONT_SHARED))
                prepare(f->listener.fd, family, told->flags);
        front_dirty(f);
        return 0;
}

void front_put(Front *f) {
        Balancer *b = f->balancer;
        size_t i = 0;

        if (!f->gone || f->open > 0 || f->holds > 0)
                return;
        while (b->fronts[i] != f)
                i++;
        memmove(b->fronts + i, b->fronts + i + 1, (b->n_fronts - i - 1) * sizeof(*b->fronts));
        b->n_fronts--;
        front_free(f);
}

void front_hold(Front *f) {
        f->holds++;
}

void front_release(Front *f) {
        f->holds--;
        front_put(f);
}

void front_free(Front *f) {
        listener_close(f);
        f->holds++; /* by its backs, for one */
        while (f->n_backs > 0)
                back_cut(f->backs[0]);
        free(f->backs);
        free(f->lots);
        free(f->node_data);
        free(f);
}

void front_gone(Front *f) {
        Connection *c;

        front_hold(f);
        f->gone = true;
        listener_close(f);
        while ((c = TAILQ_FIRST(&f->waiting)))
                connection_fail(c);
        front_release(f);
}
