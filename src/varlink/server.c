/* Owns the listening sockets and the list of connections. What must stay true: a refused or failing accept never makes the loop spin, and
 * the number of connections stays within the limits of server.h. */
#include <poll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "varlink/internal.h"

#define ACCEPT_BATCH 128      /* between two all who are in have a turn: with a crowd of them, who waits at the door waits for few of those */
#define ACCEPT_RETRY USEC_PER_SEC

struct Listener {
        VarlinkServer *server;
        Listener *next;
        int fd;
        usec_t until;       /* CLOCK_MONOTONIC: as that of a user in share.c, of all who come and are not trusted */
        sd_event_source *io, *retry;
};

static Listener *listener_free(Listener *l) {
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->io);
        sd_event_source_disable_unref(l->retry);
        fd_close(l->fd);
        free(l);
        return NULL;
}
DEFINE_CLEANUP(Listener *, listener_free);

int varlink_server_new(const VarlinkServerOptions *o, VarlinkServer **ret) {
        VarlinkServer *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->options = *o;
        sd_event_ref(s->options.event);
        *ret = s;
        return 0;
}

VarlinkServer *varlink_server_free(VarlinkServer *s) {
        if (!s)
                return NULL;
        s->options.quiet = NULL;
        while (s->listeners) {
                Listener *l = s->listeners;

                s->listeners = l->next;
                listener_free(l);
        }
        while (s->connections) {
                connection_flush(s->connections);
                connection_free(s->connections);
        }
        reserve_release(s);
        sd_event_unref(s->options.event);
        free(s);
        return NULL;
}

size_t varlink_server_connections(const VarlinkServer *s) {
        return s->n_connections;
}

/* *ret_trusted: of root or the owner. */
static int adopt(VarlinkServer *s, int fd, bool *ret_trusted) {
        Connection *c;
        int r;

        r = fd_nonblock(fd, true);
        if (r >= 0)
                r = connection_new(s, fd, &c);
        *ret_trusted = r >= 0 && !c->user;
        if (r < 0)
                return r;
        connection_update(c);
        return 0;
}

int varlink_server_adopt(VarlinkServer *s, int fd) {
        bool trusted;

        return adopt(s, fd, &trusted);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        Listener *l = userdata;

        return sd_event_source_set_enabled(l->io, SD_EVENT_ON);
}

static int listener_pause(Listener *l, usec_t usec) {
        VarlinkServer *s = l->server;
        int r;

        l->retry = sd_event_source_disable_unref(l->retry);
        r = sd_event_add_time_relative(s->options.event, &l->retry, CLOCK_MONOTONIC, usec, 0, on_retry, l);
        if (r < 0)
                return 0;
        (void) sd_event_source_set_priority(l->retry, s->options.priority);
        (void) sd_event_source_set_enabled(l->io, SD_EVENT_OFF);
        return 0;
}

/* Others who come and go without end get a quarter of the time at most. Ours, not the machine's: everybody waits here, and where the processor is scarce
 * nobody is to wait for that as well. */
static int listener_rest(Listener *l, usec_t begun) {
        usec_t now = now_usec(CLOCK_MONOTONIC);

        l->until = usec_add(MAX(l->until, now), 3 * (now_usec(CLOCK_THREAD_CPUTIME_ID) - begun));
        return l->until <= usec_add(now, SHARE_SLACK) ? 0 : listener_pause(l, l->until - now);
}

/* accept4(2) says that descriptors are short before it looks whether anybody waits. */
static bool somebody_waits(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        return poll(&p, 1, 0) > 0;
}

/* No descriptor is left: an idle client's is taken for the new one, else the reserve lets in root and the owner, who may want to stop something,
 * and what is done for them; others are refused. */
static int accept_scarce(Listener *l) {
        VarlinkServer *s = l->server;
        _cleanup_fd_ int client = -EBADF;
        struct ucred peer;

        if (!somebody_waits(l->fd)) {
                errno = EAGAIN;
                return -1;
        }
        if (limits_evict(s))
                return accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        reserve_release(s);
        client = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0 || (connection_peer(client, &peer) >= 0 && limits_trusted(peer.uid)))
                return TAKE_FD(client);
        limits_refuse(s, client, "no more file descriptors");
        client = fd_close(client);
        reserve_fill(s, l->fd);
        errno = ECONNABORTED;
        return -1;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        usec_t begun = now_usec(CLOCK_THREAD_CPUTIME_ID);
        Listener *l = userdata;
        bool strangers = false;

        reserve_fill(l->server, fd);
        for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
                _cleanup_fd_ int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                bool trusted;

                if (client < 0 && (errno == EMFILE || errno == ENFILE))
                        client = accept_scarce(l);
                if (client < 0 && (errno == EINTR || errno == ECONNABORTED))
                        continue;
                /* Out of descriptors or memory: who waits keeps the socket readable, so only a pause keeps the loop from spinning. */
                if (client < 0 && errno != EAGAIN)
                        return listener_pause(l, ACCEPT_RETRY);
                if (client < 0)
                        break;
                if (adopt(l->server, client, &trusted) >= 0)
                        TAKE_FD(client);
                strangers = strangers || !trusted;
        }
        return strangers ? listener_rest(l, begun) : 0;
}

int varlink_server_listen(VarlinkServer *s, int fd) {
        _cleanup_(listener_freep) Listener *l = calloc(1, sizeof(*l));
        int r;

        if (!l)
                return -ENOMEM;
        l->server = s;
        l->fd = -EBADF;
        r = fd_nonblock(fd, true);
        if (r < 0)
                return r;
        r = sd_event_add_io(s->options.event, &l->io, fd, EPOLLIN, on_accept, l);
        if (r < 0)
                return r;
        r = sd_event_source_set_priority(l->io, s->options.priority);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(l->io, "varlink-accept");
        reserve_fill(s, fd);
        l->fd = fd;
        l->next = s->listeners;
        s->listeners = TAKE_PTR(l);
        return 0;
}
