/* Bytes both ways. Small amounts are read and written through one buffer that all connections share; what fills it goes on by splice(2) through a pipe.
 * Must stay true: nothing is read of a side while something waits to be written to the other, so a slow reader slows its writer and nobody else, and what is
 * held of one connection is bounded by the buffer or a pipe. An end is passed on as an end (shutdown(2)), an error as a reset.
 *
 * The sockets are in epoll once, for edges. A read that brings less than asked for has emptied the socket (epoll(7)); if an end was announced it is read
 * until that comes. */
#include "balance/state.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/fd.h"

#define BULK_MIN (8 * 1024)            /* splice(2) that brings less is not worth a pipe */

enum { STUCK = 0, GO_ON = 1 };         /* of a step; negative: an error of the side that is read, or a want; for that of the side written see cut() */

void flow_done(Balancer *b, Flow *f) {
        free(f->kept);
        f->kept = NULL;
        pipe_give(b, f->pipe);
        f->pipe = NULL;
}

void relay_ready(Side *s, uint32_t events) {
        if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                s->readable = true;
        if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                s->ended = true;
        if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
                s->writable = true;
}

int relay_watch(Connection *c, Side *s, bool out) {
        Poller *p = &c->front->balancer->poller;
        uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET;

        s->watched_out = s->watched_out || out;
        events |= s->watched_out ? EPOLLOUT : 0;
        return s->source.added ? poller_modify(p, &s->source, events) : poller_add(p, &s->source, events);
}

void relay_again(Connection *c) {
        if (c->again)
                return;
        c->again = true;
        TAILQ_INSERT_TAIL(&c->front->balancer->again, c, turn);
}

/* A side takes no more for now. One that is not in epoll yet tells it when it is. */
static int blocked(Connection *c, Side *s) {
        s->writable = false;
        if (s->watched_out)
                return STUCK;
        s->watched_out = true;
        return s->source.added ? relay_watch(c, s, true) : STUCK;
}

/* The side that is written to takes nothing any more. What it still has to say is heard to its end. */
static int cut(Connection *c, Flow *f, Side *to) {
        flow_done(c->front->balancer, f);
        f->done = true;
        to->readable = to->ended = true;
        relay_again(c);
        return STUCK;
}

static int write_failed(Connection *c, Flow *f, Side *to, int error) {
        if (error == EAGAIN)
                return blocked(c, to);
        if (error == EINTR) {
                relay_again(c);
                return STUCK;
        }
        return is_want(error) ? -error : cut(c, f, to);
}

static int flush_kept(Connection *c, Flow *f, Side *to) {
        ssize_t n = send(to->source.fd, f->kept + f->kept_at, f->kept_size - f->kept_at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0)
                return write_failed(c, f, to, errno);
        f->kept_at += (uint32_t) n;
        if (f->kept_at < f->kept_size)
                return blocked(c, to);
        free(TAKE_PTR(f->kept));
        return GO_ON;
}

static int flush_pipe(Connection *c, Flow *f, Side *to) {
        while (f->pipe->fill > 0) {
                ssize_t n = splice(f->pipe->ends[0], NULL, to->source.fd, NULL, f->pipe->fill, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

                if (n <= 0)
                        return n < 0 ? write_failed(c, f, to, errno) : cut(c, f, to);
                f->pipe->fill -= (size_t) n;
        }
        return GO_ON;
}

static int flush(Connection *c, Flow *f, Side *to) {
        int r = GO_ON;

        if (!to->writable && (f->kept || f->pipe))
                return STUCK;
        if (f->kept)
                r = flush_kept(c, f, to);
        return r == GO_ON && f->pipe ? flush_pipe(c, f, to) : r;
}

static int read_failed(Flow *f, Side *from, ssize_t n) {
        if (n == 0) {
                f->eof = true;
                return GO_ON;
        }
        if (errno == EINTR)
                return GO_ON;
        if (errno != EAGAIN)
                return -errno;
        from->readable = false;
        return STUCK;
}

static int keep(Flow *f, const char *p, size_t n) {
        f->kept = malloc(n);
        if (!f->kept)
                return -ENOMEM;
        memcpy(f->kept, p, n);
        f->kept_at = 0;
        f->kept_size = (uint32_t) n;
        return 0;
}

/* At once; what is not taken is kept. */
static int pass_on(Connection *c, Flow *f, Side *to, const char *p, size_t n) {
        ssize_t m = send(to->source.fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        int error = m < 0 ? errno : EAGAIN, r;

        if (m == (ssize_t) n)
                return GO_ON;
        if (error != EAGAIN && error != EINTR)
                return write_failed(c, f, to, error);
        r = keep(f, p + MAX(m, 0), n - (size_t) MAX(m, 0));
        return r < 0 ? r : write_failed(c, f, to, error);
}

static int take_small(Connection *c, Flow *f, Side *from, Side *to, uint64_t *count) {
        Balancer *b = c->front->balancer;
        ssize_t n = recv(from->source.fd, b->buffer, sizeof(b->buffer), MSG_DONTWAIT);

        if (n <= 0)
                return read_failed(f, from, n);
        *count += (uint64_t) n;
        f->bulk = (size_t) n == sizeof(b->buffer);
        if (!f->bulk && !from->ended)
                from->readable = false;
        return pass_on(c, f, to, b->buffer, (size_t) n);
}

static int take_bulk(Connection *c, Flow *f, Side *from, Side *to, uint64_t *count) {
        Balancer *b = c->front->balancer;
        ssize_t n;

        if (!f->pipe)
                f->pipe = pipe_take(b);
        if (!f->pipe)
                return take_small(c, f, from, to, count);
        n = splice(from->source.fd, NULL, f->pipe->ends[1], NULL, RELAY_TURN, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0 && errno == EINVAL) { /* a kind of socket that cannot */
                f->bulk = false;
                return take_small(c, f, from, to, count);
        }
        if (n <= 0)
                return read_failed(f, from, n);
        *count += (uint64_t) n;
        f->pipe->fill = (size_t) n;
        f->bulk = n >= BULK_MIN;
        return GO_ON;
}

/* All that came has been passed on. Who ends last need not be told: its socket is closed next. */
static void end(Flow *f, const Flow *other, Side *to) {
        f->done = true;
        if (!other->done)
                (void) shutdown(to->source.fd, SHUT_WR);
}

static int pump(Connection *c, Flow *f, const Flow *other, Side *from, Side *to, uint64_t *count) {
        uint64_t until = *count + RELAY_TURN;
        int r = GO_ON;

        while (r == GO_ON && !f->done) {
                r = flush(c, f, to);
                if (r != GO_ON)
                        break;
                if (f->eof)
                        end(f, other, to);
                else if (!from->readable || !to->writable)
                        r = STUCK;
                else if (*count >= until) {
                        relay_again(c);
                        r = STUCK;
                } else
                        r = (f->bulk ? take_bulk : take_small)(c, f, from, to, count);
        }
        if (f->pipe && f->pipe->fill == 0) {
                pipe_give(c->front->balancer, f->pipe);
                f->pipe = NULL;
        }
        return MIN(r, 0);
}

static void answered(Connection *c) {
        c->answered = true;
        back_check(c->back);
}

bool relay(Connection *c) {
        uint64_t before = c->back->bytes_out;
        int r = pump(c, &c->in, &c->out, &c->client, &c->server, &c->back->bytes_in);

        if (r >= 0)
                r = pump(c, &c->out, &c->in, &c->server, &c->client, &c->back->bytes_out);
        if (!c->answered && c->back->bytes_out != before)
                answered(c);
        if (r >= 0 && !(c->in.done && c->out.done))
                return true;
        if (is_want(-r))
                connection_fail(c);
        else
                connection_close(c, r < 0);
        return false;
}
