/* Must stay true: a message of ours goes into the channel whole or not at all (unix(7) sends so few bytes in one buffer), so that a balancer which takes it
 * up after another's death begins at a line; lines of the worker are read with read(2), to which descriptors that come along are closed by the kernel. */
#include "balance/node_channel.h"

#include "base/fd.h"
#include "base/span.h"

#define READS_A_TURN 4
/* Answers of one worker are told from another's by its channel, and from those of a balancer before this one by where the count begins. */
#define FIRST_SEQ(now) ((now) & UINT64_C(0xffffffffffff))

static NodeChannel *channel_of(PollSource *s) {
        return (NodeChannel *) ((char *) s - offsetof(NodeChannel, source));
}

/* ---- what is on its way ---- */

static NodePending take(NodeChannel *c, size_t k) {
        NodePending p = c->pending[k];

        memmove(c->pending + k, c->pending + k + 1, (c->n_pending - k - 1) * sizeof(*c->pending));
        c->n_pending--;
        return p;
}

static void refuse(NodeChannel *c, size_t k) {
        NodePending p = take(c, k);

        c->owner->refused(c, p.front, p.fd);
}

static void on_accepted(NodeChannel *c, const NodeMessage *m) {
        for (size_t k = 0; k < c->n_pending; k++)
                if (c->pending[k].seq == m->ack) {
                        NodePending p = take(c, k);

                        if (!m->accepted) {
                                c->owner->refused(c, p.front, p.fd);
                                return;
                        }
                        fd_close(p.fd);
                        c->owner->accepted(c, p.front);
                        return;
                }
}

/* Descriptors arrive in the order they were sent, and are told of in it. */
static void on_delivery(NodeChannel *c, const NodeMessage *m) {
        for (size_t k = 0; k < c->n_pending; k++)
                if (!c->pending[k].delivered) {
                        if (m->act == NODE_LOST)
                                refuse(c, k);
                        else
                                c->pending[k].delivered = true;
                        return;
                }
}

/* It was sent, so that the worker has it or has it in its queue; the one who could have told us was another balancer. */
usec_t node_channel_expire(NodeChannel *c, usec_t now) {
        while (c->n_pending > 0 && c->pending[0].forget_at <= now) {
                NodePending p = take(c, 0);

                fd_close(p.fd);
                c->owner->accepted(c, p.front);
        }
        return c->n_pending > 0 ? c->pending[0].forget_at : USEC_INFINITY;
}

/* ---- writing ---- */

static void attend(NodeChannel *c) {
        (void) poller_modify(c->poller, &c->source, EPOLLIN | (c->n_out > 0 ? (uint32_t) EPOLLOUT : 0));
}

/* A text without a descriptor may wait. */
static int send_text(NodeChannel *c, const char *text, size_t n) {
        int r = c->n_out > 0 ? -EAGAIN : fd_send(c->source.fd, text, n, NULL, 0);

        if (n == 0)
                return -EMSGSIZE;
        if (r != -EAGAIN)
                return r;
        if (n > sizeof(c->out) - c->n_out)
                return -ENOBUFS;
        memcpy(c->out + c->n_out, text, n);
        c->n_out += n;
        attend(c);
        return 0;
}

static void flush(NodeChannel *c) {
        while (c->n_out > 0) {
                const char *newline = memchr(c->out, '\n', c->n_out);
                size_t n = newline ? (size_t) (newline - c->out) + 1 : c->n_out;

                if (fd_send(c->source.fd, c->out, n, NULL, 0) == -EAGAIN)
                        return;
                c->n_out -= n;
                memmove(c->out, c->out + n, c->n_out);
        }
        attend(c);
}

bool node_channel_has_room(const NodeChannel *c) {
        return !c->leaving && !c->is_gone && c->n_pending < NODE_PENDING_MAX && c->n_out == 0;
}

int node_channel_give(NodeChannel *c, uint32_t front, int fd) {
        NodeOut out;
        size_t n = node_message_connection(out, c->seq, front);
        int r = node_channel_has_room(c) ? fd_send(c->source.fd, out, n, &fd, 1) : -EAGAIN;

        if (r >= 0)
                c->pending[c->n_pending++] = (NodePending) { .seq = c->seq++, .front = front, .fd = fd,
                                                              .forget_at = usec_add(now_usec(CLOCK_MONOTONIC), NODE_PENDING_TIME) };
        /* Too many descriptors of this user are on their way, or too little memory: a matter of the moment. */
        return fd_send_later(r) ? -EAGAIN : r;
}

int node_channel_reply(NodeChannel *c, uint64_t ack, uint32_t front, int error, const struct sockaddr_storage *sockname, int shared, const char *data) {
        NodeOut out;
        size_t n = node_message_reply(out, ack, c->seq++, front, error, sockname, shared >= 0, data);

        return shared >= 0 && !error ? fd_send(c->source.fd, out, n, &shared, 1) : send_text(c, out, n);
}

int node_channel_drain(NodeChannel *c) {
        NodeOut out;

        return send_text(c, out, node_message_drain(out));
}

int node_channel_disconnect(NodeChannel *c) {
        NodeOut out;

        if (c->leaving)
                return 0;
        c->leaving = true;
        return send_text(c, out, node_message_disconnect(out, c->seq++));
}

/* ---- reading ---- */

static void on_query(NodeChannel *c, const NodeMessage *m) {
        c->owner->query(c, m->seq, &m->query);
}

static void on_closed(NodeChannel *c, const NodeMessage *m) {
        if (m->front != 0)
                c->owner->closed(c, m->front);
}

static void on_leaving(NodeChannel *c, const NodeMessage *m) {
        NodeOut out;

        c->leaving = true;
        (void) send_text(c, out, node_message_acknowledge(out, m->seq, c->seq++));
}

static void on_word(NodeChannel *c, const NodeMessage *m) {
        c->owner->word(c, m->word);
}

static void on_handle(NodeChannel *c, const NodeMessage *m) {
        NodeOut out;

        (void) send_text(c, out, node_message_got(out));
}

static void on_unknown(NodeChannel *c, const NodeMessage *m) {
        if (!c->strange)
                c->owner->strange(c, m->word);
        c->strange = true;
}

static void hear(NodeChannel *c, const char *line, size_t n) {
        static void (*const handlers[])(NodeChannel *, const NodeMessage *) = {
                [NODE_WORD] = on_word, [NODE_QUERY] = on_query, [NODE_CLOSED] = on_closed,
                [NODE_LEAVING] = on_leaving, [NODE_ACCEPTED] = on_accepted, [NODE_GOT] = on_delivery, [NODE_LOST] = on_delivery,
                [NODE_HANDLE] = on_handle, [NODE_UNKNOWN] = on_unknown,
        };
        NodeMessage m;

        node_message_parse(line, n, &m);
        if (handlers[m.act])
                handlers[m.act](c, &m);
}

/* Lines that are whole; the rest stays, unless it is longer than any that concerns us. */
static void hear_lines(NodeChannel *c) {
        char *from = c->line, *newline;

        while ((newline = memchr(from, '\n', (size_t) (c->line + c->n_line - from)))) {
                if (!c->skips)
                        hear(c, from, (size_t) (newline - from));
                c->skips = false;
                from = newline + 1;
        }
        c->n_line -= (size_t) (from - c->line);
        memmove(c->line, from, c->n_line);
        if (c->n_line == sizeof(c->line)) {
                c->skips = true;
                c->n_line = 0;
        }
}

static void gone(NodeChannel *c) {
        c->is_gone = true;
        poller_remove(c->poller, &c->source);
        while (c->n_pending > 0)
                refuse(c, 0);
        c->owner->gone(c);
}

static void on_ready(PollSource *s, uint32_t events) {
        NodeChannel *c = channel_of(s);

        if ((events & EPOLLOUT) && c->n_out > 0)
                flush(c);
        for (unsigned k = 0; k < READS_A_TURN; k++) {
                ssize_t n = read(s->fd, c->line + c->n_line, sizeof(c->line) - c->n_line);

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n <= 0) {
                        gone(c);
                        return;
                }
                c->n_line += (size_t) n;
                hear_lines(c);
        }
}

int node_channel_new(Poller *poller, const NodeOwner *owner, void *userdata, uint64_t back, int fd, NodeChannel **ret) {
        NodeChannel *c = calloc(1, sizeof(*c));
        int r = c ? fd_nonblock(fd, true) : -ENOMEM;

        if (r >= 0) {
                c->source = (PollSource) { .fd = fd, .ready = on_ready };
                c->poller = poller;
                c->owner = owner;
                c->userdata = userdata;
                c->back = back;
                c->seq = FIRST_SEQ(now_usec(CLOCK_MONOTONIC));
                r = poller_add(poller, &c->source, EPOLLIN);
        }
        if (r < 0) {
                free(c);
                return r;
        }
        *ret = c;
        return 0;
}

NodeChannel *node_channel_free(NodeChannel *c) {
        if (!c)
                return NULL;
        if (!c->is_gone)
                poller_remove(c->poller, &c->source);
        for (size_t k = 0; k < c->n_pending; k++)
                fd_close(c->pending[k].fd);
        fd_close(c->source.fd);
        free(c);
        return NULL;
}
