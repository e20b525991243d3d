/* A connection's way: accepted, given to a back, connected, relayed, closed. Must stay true: until the back has taken it nothing of the client was read, so
 * that it can go to any other; every connection that is WAITING or CONNECTING has a deadline, or a client that can end it. */
#include "balance/state.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "balance/proxy.h"
#include "balance/worker.h"
#include "base/fd.h"

#define SIDE_NONE ((Side) { .source = { .fd = -EBADF, .priority = 1 } })

static void client_ready(PollSource *s, uint32_t events) {
        Connection *c = (Connection *) ((char *) s - offsetof(Connection, client.source));

        relay_ready(&c->client, events);
        if (c->state == CONNECTION_OPEN)
                (void) relay(c);
        else if (events & (EPOLLERR | EPOLLHUP)) /* nobody is there any more to whom an answer could go */
                connection_close(c, true);
}

static void opened(Connection *c);
static void connect_failed(Connection *c, int error);

static void server_ready(PollSource *s, uint32_t events) {
        Connection *c = (Connection *) ((char *) s - offsetof(Connection, server.source));
        socklen_t size = sizeof(int);
        int error = 0;

        relay_ready(&c->server, events);
        if (c->state == CONNECTION_OPEN) {
                (void) relay(c);
                return;
        }
        if (events & (EPOLLERR | EPOLLHUP))
                (void) getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error)
                connect_failed(c, -error);
        else if (events & (EPOLLOUT | EPOLLIN | EPOLLHUP))
                opened(c);
}

static void side_close(Poller *p, Side *s, bool reset) {
        if (s->source.fd < 0)
                return;
        if (reset)
                (void) setsockopt(s->source.fd, SOL_SOCKET, SO_LINGER, &(struct linger) { .l_onoff = 1 }, sizeof(struct linger));
        poller_forget(p, &s->source);
        *s = SIDE_NONE;
}

/* out of the lists of its state and of its back's */
static void leave_state(Connection *c) {
        if (c->state == CONNECTION_WAITING && c->deadline > 0)
                TAILQ_REMOVE(&c->front->waiting, c, queue);
        else if (c->state == CONNECTION_CONNECTING)
                TAILQ_REMOVE(&c->front->connecting, c, queue);
}

static void leave_back(Connection *c) {
        Back *k = TAKE_PTR(c->back);

        if (!k)
                return;
        if (c->state == CONNECTION_CONNECTING)
                k->trying = false;
        TAILQ_REMOVE(&k->connections, c, siblings);
        k->front->lots[k->at].open--;
        front_dirty(k->front);
        back_check(k);
}

void connection_detach(Connection *c) {
        leave_state(c);
        leave_back(c);
        side_close(&c->front->balancer->poller, &c->server, false);
        c->state = CONNECTION_WAITING;
        c->deadline = 0; /* in no list */
}

void connection_close(Connection *c, bool reset) {
        Front *f = c->front;
        Balancer *b = f->balancer;

        leave_state(c);
        leave_back(c);
        if (c->again)
                TAILQ_REMOVE(&b->again, c, turn);
        side_close(&b->poller, &c->client, reset);
        side_close(&b->poller, &c->server, reset);
        flow_done(b, &c->in);
        flow_done(b, &c->out);
        f->open--;
        b->open--;
        free(c);
        front_dirty(f);
        front_put(f);
}

void connection_fail(Connection *c) {
        c->front->failed++;
        connection_close(c, true);
}

static uint64_t source_of(const struct sockaddr_storage *peer) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *) peer;

        if (peer->ss_family == AF_INET)
                return balance_hash(&((const struct sockaddr_in *) peer)->sin_addr, 4);
        if (peer->ss_family != AF_INET6)
                return 0;
        return IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) ? balance_hash(six->sin6_addr.s6_addr + 12, 4) : balance_hash(&six->sin6_addr, 16);
}

int connection_new(Front *f, int fd, const struct sockaddr_storage *peer) {
        Connection *c = calloc(1, sizeof(*c));

        if (!c) {
                fd_close(fd);
                return -ENOMEM;
        }
        c->front = f;
        c->client = c->server = SIDE_NONE;
        c->client.source.fd = fd;
        c->client.source.ready = client_ready;
        c->arrived = balancer_now(f->balancer);
        c->source = f->told.affinity == AFFINITY_SOURCE ? source_of(peer) : 0;
        f->open++;
        f->total++;
        f->balancer->open++;
        connection_dispatch(c);
        return 0;
}

/* It has no back now; and had none of those that it was told to try at once. */
static void wait_for_back(Connection *c) {
        Front *f = c->front;
        usec_t until = f->told.wait_timeout > 0 ? usec_add(c->arrived, f->told.wait_timeout) : USEC_INFINITY;

        if (f->gone || until <= balancer_now(f->balancer) || (!c->client.source.added && relay_watch(c, &c->client, false) < 0)) {
                connection_fail(c);
                return;
        }
        c->tries = 0;
        c->deadline = until;
        TAILQ_INSERT_TAIL(&f->waiting, c, queue);
        balancer_due(f->balancer, until);
        front_dirty(f);
}

static void prepare(int fd, const Back *k) {
        int on = 1;

        if (k->address.ss_family == AF_UNIX)
                return;
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (k->front->told.flags & FRONT_KEEPALIVE)
                (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void join_back(Connection *c, Back *k) {
        c->back = k;
        TAILQ_INSERT_TAIL(&k->connections, c, siblings);
        k->front->lots[k->at].open++;
        k->trying = k->failures > 0;
        if (k->trying)
                front_dirty(k->front);
}

static void start_connecting(Connection *c) {
        Front *f = c->front;

        c->state = CONNECTION_CONNECTING;
        c->deadline = usec_add(balancer_now(f->balancer), f->told.connect_timeout);
        TAILQ_INSERT_TAIL(&f->connecting, c, queue);
        balancer_due(f->balancer, c->deadline);
}

/* 0: it is connected, or will be, or belongs to a worker now and is freed here. The descriptor's failures are not the back's. */
static int try_back(Connection *c, Back *k, bool *ret_ours) {
        _cleanup_fd_ int fd = -EBADF;
        bool connected;
        int r;

        *ret_ours = false;
        if (k->kind == BACK_CHANNEL)
                return worker_give(k->worker, c);
        fd = socket(k->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        *ret_ours = fd < 0;
        if (fd < 0)
                return -errno;
        prepare(fd, k);
        r = connect(fd, (const struct sockaddr *) &k->address, k->address_size) < 0 ? -errno : 0;
        if (r < 0 && r != -EINPROGRESS)
                return r;
        c->server = SIDE_NONE;
        c->server.source.fd = fd;
        c->server.source.ready = server_ready;
        *ret_ours = true;
        connected = r == 0;
        r = relay_watch(c, &c->server, true);
        if (r < 0) {
                c->server = SIDE_NONE;
                return r;
        }
        (void) TAKE_FD(fd);
        join_back(c, k);
        start_connecting(c);
        if (connected)
                opened(c);
        return 0;
}

/* Whether it went to some back, or is gone with it. */
static bool find_back(Connection *c, Front *f) {
        for (; c->tries <= f->told.retries; c->tries++) {
                int at = front_pick(f, c->source), r;
                bool ours;

                if (at < 0)
                        break;
                r = try_back(c, f->backs[at], &ours);
                if (r == 0) {
                        front_well(f);
                        return true;
                }
                if (ours) {
                        front_trouble(f, r);
                        break;
                }
                back_failed(f->backs[at], r);
        }
        return false;
}

void connection_dispatch(Connection *c) {
        Front *f = c->front;

        leave_state(c);
        c->state = CONNECTION_WAITING;
        c->deadline = 0;
        front_hold(f);
        if (!find_back(c, f))
                wait_for_back(c);
        front_release(f);
}

static void connect_failed(Connection *c, int error) {
        Back *k = c->back;

        back_failed(k, error);
        connection_detach(c);
        c->tries++;
        connection_dispatch(c);
}

void connection_timed_out(Connection *c) {
        connect_failed(c, -ETIMEDOUT);
}

/* Said before all else, and kept until it is written. */
static int greet(Connection *c) {
        struct sockaddr_storage from = {}, to = {};
        socklen_t from_size = sizeof(from), to_size = sizeof(to);
        char header[PROXY_HEADER_MAX + 1];
        size_t n;

        if (c->front->told.proxy == PROXY_NONE)
                return 0;
        (void) getpeername(c->client.source.fd, (struct sockaddr *) &from, &from_size);
        (void) getsockname(c->client.source.fd, (struct sockaddr *) &to, &to_size);
        n = proxy_header((ProxyProtocol) c->front->told.proxy, &from, &to, header);
        c->in.kept = malloc(n);
        if (!c->in.kept)
                return -ENOMEM;
        memcpy(c->in.kept, header, n);
        c->in.kept_size = (uint32_t) n;
        return 0;
}

static void opened(Connection *c) {
        TAILQ_REMOVE(&c->front->connecting, c, queue);
        c->state = CONNECTION_OPEN;
        c->back->total++;
        c->back->trying = false;
        back_worked(c->back);
        c->client.readable = c->client.writable = c->server.writable = true;
        if (greet(c) < 0) {
                connection_fail(c);
                return;
        }
        /* The client is told of after its first bytes went: what it had sent by then is no event any more. */
        if (relay(c) && !c->client.source.added && relay_watch(c, &c->client, false) < 0)
                connection_fail(c);
}
