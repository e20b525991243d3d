/* Owns one client: its socket, what it sent and what it has yet to read. Level-triggered state, one settling point: every event ends in
 * connection_settle, the only place where the loop closes a connection, so that a handler may answer from anywhere without losing the
 * ground under its feet. What must stay true: nothing is read while a call is pending or too much is unsent, and a client that stopped half
 * way through a message, or never reads a finished reply, meets a deadline. A paused stream does not: a person may be reading it. */
#include <malloc.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "varlink/internal.h"

int connection_peer(int fd, struct ucred *ret) {
        socklen_t n = sizeof(*ret);

        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &n) < 0 ? -errno : 0;
}

static void connection_link(Connection *c, VarlinkServer *s) {
        c->server = s;
        c->next = s->connections;
        if (c->next)
                c->next->previous = c;
        s->connections = c;
        s->n_connections++;
}

static void connection_unlink(Connection *c) {
        if (!c->server)
                return;
        if (c->next)
                c->next->previous = c->previous;
        if (c->previous)
                c->previous->next = c->next;
        else
                c->server->connections = c->next;
        c->server->n_connections--;
        c->server = NULL;
}

/* What a large message took lies between what stays, so free(3) alone gives little of it back (malloc_trim(3) does, from the middle as well). */
void connection_thrift(Connection *c) {
        if (c->handled < VARLINK_LARGE)
                return;
        c->handled = 0;
        (void) malloc_trim(0);
}

Connection *connection_free(Connection *c) {
        VarlinkServer *s;
        VarlinkCall *call;

        if (!c)
                return NULL;
        s = c->server;
        share_leave(c);
        connection_unlink(c);
        call = TAKE_PTR(c->pending);
        if (call)
                call_client_gone(call);
        varlink_call_unref(call);
        sd_event_source_disable_unref(c->io);
        sd_event_source_disable_unref(c->deadline);
        fd_close(c->fd);
        frame_reader_done(&c->input);
        byte_queue_done(&c->output);
        connection_thrift(c);
        free(c);
        if (s && s->n_connections == 0 && s->options.quiet)
                s->options.quiet(s->options.userdata);
        return NULL;
}
DEFINE_CLEANUP(Connection *, connection_free);

/* A client that shut its reading side makes every send fail for ever: what waits for it is dropped. It may still have calls on the way. */
void connection_flush(Connection *c) {
        while (byte_queue_size(&c->output) > 0 && !c->deaf && !c->failed) {
                ssize_t n = byte_queue_send(&c->output, c->fd);

                if (n == -EAGAIN)
                        return;
                if (n == -EPIPE || n == -ECONNRESET)
                        c->deaf = true;
                else if (n < 0)
                        c->failed = true;
                else
                        c->deadline_armed = false; /* progress: the deadline begins anew */
        }
        if (c->deaf)
                byte_queue_done(&c->output);
}

int connection_write(Connection *c, json_object *message) {
        int r;

        if (c->failed || c->deaf)
                return -ENOTCONN;
        c->handled -= byte_queue_size(&c->output);
        r = byte_queue_append_message(&c->output, message, VARLINK_REPLY_MAX);
        c->handled += byte_queue_size(&c->output);
        if (r < 0 || byte_queue_size(&c->output) > VARLINK_OUTPUT_MAX || !limits_output(c))
                c->failed = true;
        if (byte_queue_size(&c->output) > VARLINK_OUTPUT_HIGH)
                c->congested = true;
        connection_update(c);
        return r == -ENOMEM ? r : c->failed ? -ENOTCONN : 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        connection_free(userdata);
        return 0;
}

static bool input_waits(const Connection *c) {
        return byte_queue_size(&c->input.bytes) > 0 && !c->unserved;
}

static int update_deadline(Connection *c) {
        bool wanted = !c->pending && (byte_queue_size(&c->output) > 0 || input_waits(c));
        int r;

        if (!wanted || c->deadline_armed) {
                if (!wanted && c->deadline)
                        (void) sd_event_source_set_enabled(c->deadline, SD_EVENT_OFF);
                c->deadline_armed = wanted;
                return 0;
        }
        if (!c->deadline) {
                r = sd_event_add_time_relative(c->server->options.event, &c->deadline, CLOCK_MONOTONIC, VARLINK_MESSAGE_TIMEOUT,
                                               USEC_PER_SEC, on_deadline, c);
                if (r < 0)
                        return r;
                (void) sd_event_source_set_priority(c->deadline, c->server->options.priority);
        } else {
                r = sd_event_source_set_time_relative(c->deadline, VARLINK_MESSAGE_TIMEOUT);
                if (r >= 0)
                        r = sd_event_source_set_enabled(c->deadline, SD_EVENT_ONESHOT);
                if (r < 0)
                        return r;
        }
        c->deadline_armed = true;
        return 0;
}

static bool may_read(const Connection *c) {
        return !c->eof && !c->failed && !c->pending && !c->unserved && byte_queue_size(&c->output) <= VARLINK_OUTPUT_HIGH;
}

/* EPOLLOUT also serves as the wake-up for what can go on without the client: a socket that can be written reports it at once, and one that
 * cannot has back-pressure to respect anyway. */
void connection_update(Connection *c) {
        uint32_t events = 0;

        if (may_read(c))
                events |= EPOLLIN;
        if (byte_queue_size(&c->output) > 0 || c->failed || (!c->pending && (c->unserved || c->eof)) || (c->pending && c->deaf))
                events |= EPOLLOUT;
        /* Neither fails but for lack of memory, and then the client is what can be spared: closing the socket for both directions is
         * reported to us as EPOLLHUP whatever events were asked for. */
        if (sd_event_source_set_io_events(c->io, events) < 0 || update_deadline(c) < 0) {
                c->failed = true;
                (void) shutdown(c->fd, SHUT_RDWR);
        }
}

static void connection_read(Connection *c) {
        ssize_t n = frame_reader_fill(&c->input, c->fd);

        if (n == 0)
                c->eof = true;
        else if (n < 0 && n != -EAGAIN)
                c->failed = true;
}

/* Hands out complete messages, one call at a time. */
static void connection_serve(Connection *c) {
        const char *message;
        size_t n;
        int r;

        c->unserved = false;
        while (!c->failed && (r = frame_reader_peek(&c->input, &message, &n)) != 0) {
                if (r < 0) {
                        c->failed = true;
                        return;
                }
                if (c->pending || byte_queue_size(&c->output) > VARLINK_OUTPUT_HIGH) {
                        c->unserved = true;
                        return;
                }
                c->deadline_armed = false;
                c->handled += n;
                if (service_handle(c, message, n) < 0)
                        c->failed = true;
                frame_reader_drop(&c->input, n);
                if (share_turn_over(c)) {
                        c->unserved = true;
                        return;
                }
        }
}

static void connection_drained(Connection *c) {
        VarlinkCall *call;

        if (!c->congested || byte_queue_size(&c->output) >= VARLINK_OUTPUT_HIGH / 2)
                return;
        c->congested = false;
        if (!c->pending || !c->pending->drained)
                return;
        call = varlink_call_ref(c->pending);
        call->drained(call, call->userdata);
        varlink_call_unref(call);
}

static void connection_settle(Connection *c) {
        bool idle = !c->pending && !c->unserved && byte_queue_size(&c->output) == 0;

        if (c->failed || (c->deaf && c->pending) || (c->eof && idle)) {
                connection_free(c);
                return;
        }
        connection_update(c);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Connection *c = userdata;

        if (share_waits(c))
                return 0;
        c->active = now_usec(CLOCK_MONOTONIC);
        if (revents & (EPOLLHUP | EPOLLERR))
                c->deaf = true;
        connection_flush(c);
        if (may_read(c) && (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                connection_read(c);
        connection_serve(c);
        connection_flush(c);
        /* Last: what went out until now may have been all, and then nobody would ask again. */
        connection_drained(c);
        share_spend(c);
        connection_settle(c);
        return 0;
}

int connection_new(VarlinkServer *s, int fd, Connection **ret) {
        _cleanup_(connection_freep) Connection *c = calloc(1, sizeof(*c));
        const char *refusal = NULL;
        struct ucred peer = {};
        int r;

        if (!c)
                return -ENOMEM;
        c->fd = fd;
        r = connection_peer(fd, &peer);
        if (r >= 0 && (refusal = limits_admit(s, peer.uid))) {
                limits_refuse(s, fd, refusal);
                r = -EUSERS;
        }
        c->uid = peer.uid;
        if (r >= 0)
                r = share_join(s, c);
        if (r >= 0)
                r = sd_event_add_io(s->options.event, &c->io, fd, 0, on_io, c);
        if (r >= 0)
                r = sd_event_source_set_priority(c->io, s->options.priority);
        if (r < 0) {
                c->fd = -EBADF; /* still the caller's */
                return r;
        }
        (void) sd_event_source_set_description(c->io, "varlink-connection");
        c->gid = peer.gid;
        c->pid = peer.pid;
        c->active = now_usec(CLOCK_MONOTONIC);
        c->permission = s->options.permission ? s->options.permission(s->options.userdata, c->uid, c->gid, c->pid) : 2;
        c->input.max = c->permission >= 2 ? VARLINK_MESSAGE_MAX : VARLINK_LOOKER_MESSAGE_MAX;
        connection_link(c, s);
        *ret = TAKE_PTR(c);
        return 0;
}
