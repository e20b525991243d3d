/* On demand: who connects to a socket starts its service, and a service to which nobody is connected any more stops. Nothing is accepted here: the
 * connection waits in the socket for the service. Must stay true: a socket is watched only while something waits for it, because what nobody
 * accepts stays readable. */
#include <poll.h>

#include "base/log.h"
#include "linux/socket_holder.h"
#include "manager/events.h"
#include "manager/life/instance.h"
#include "manager/sockets/sockets_private.h"

static bool waits(const Service *s, const OpenSocket *o) {
        for (size_t k = 0; k < s->n_instances; k++)
                if (s->instances[k]->lc.state == LC_WAIT_DEMAND && (!o->spec.reuseport || o->instance == s->instances[k]->index))
                        return true;
        return false;
}

static const OpenSocket *find_socket(const Service *s, int fd) {
        for (size_t k = 0; s->sockets && k < s->sockets->n; k++)
                if (s->sockets->items[k].fd == fd)
                        return s->sockets->items + k;
        return NULL;
}

/* What follows may close sockets and open others: nothing of theirs is used after the first event. */
static int on_demand(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Service *s = userdata;
        const OpenSocket *o = find_socket(s, fd);
        bool own = o && o->spec.reuseport;
        unsigned instance = o ? o->instance : 0;

        for (size_t k = 0; k < s->n_instances; k++) {
                Instance *i = s->instances[k];

                if (i->lc.state != LC_WAIT_DEMAND || (own && i->index != instance))
                        continue;
                event_emit(s->manager, i, NULL, EVENT_DEMAND, "somebody connects: starting it");
                instance_set_status(i, NULL);
                instance_event(i, EV_DEMAND);
        }
        return 0;
}

int demand_watch(Service *s, OpenSocket *o) {
        int r;

        if (o->source)
                return 0;
        r = sd_event_add_io(s->manager->event, &o->source, o->fd, EPOLLIN, on_demand, s);
        return r < 0 ? r : sd_event_source_set_priority(o->source, PRIORITY_TIMER);
}

/* ---- idle ---- */

#define LOOKS 8                                /* in one idle_timeout */
#define LOOK_PAUSE 20                          /* times what a look took */

static usec_t period(const Service *s) {
        return MAX(s->spec->idle_timeout / LOOKS, USEC_PER_SEC);
}

/* What cannot be known counts as a connection. */
static bool connected(const OpenSocket *o) {
        struct pollfd p = { .fd = o->fd, .events = POLLIN };
        struct sockaddr_storage name = {};
        SocketAddress a;
        socklen_t size;

        if (poll(&p, 1, 0) != 0 || socket_address_parse(o->spec.listen, &a, NULL) < 0)
                return true;
        return socket_sockaddr(&a, false, &name, &size) < 0 || socket_connected((const struct sockaddr *) (const void *) &name, size) != 0;
}

/* One that is on its way up has somebody to serve. */
static bool busy(const Service *s) {
        for (size_t k = 0; k < s->n_instances; k++)
                if (s->instances[k]->lc.state == LC_PLACING || s->instances[k]->lc.state == LC_STARTING || s->instances[k]->lc.state == LC_RELOADING)
                        return true;
        for (size_t k = 0; k < s->sockets->n; k++)
                if (connected(s->sockets->items + k))
                        return true;
        return false;
}

static bool any_runs(const Service *s) {
        for (size_t k = 0; k < s->n_instances; k++)
                if (s->instances[k]->lc.state == LC_RUNNING)
                        return true;
        return false;
}

static void stop_idle(Service *s) {
        char span[FORMAT_MAX];

        format_span(span, s->spec->idle_timeout, false);
        for (size_t k = 0; k < s->n_instances; k++)
                if (s->instances[k]->lc.state == LC_RUNNING) {
                        event_emit(s->manager, s->instances[k], NULL, EVENT_IDLE, "nobody was connected for %s: stopping it", span);
                        instance_event(s->instances[k], EV_RESTART);
                }
}

/* A look that takes long, as one at very many connections of others may, is paid for with a longer pause: nobody else is to wait for it all the time. */
static int on_look(sd_event_source *source, uint64_t usec, void *userdata) {
        Service *s = userdata;
        usec_t begun = now_usec(CLOCK_MONOTONIC), now;
        bool is_busy = busy(s);

        now = now_usec(CLOCK_MONOTONIC);
        if (is_busy)
                s->sockets->busy = now;
        (void) sd_event_source_set_time(source, usec_add(now, MAX(period(s), LOOK_PAUSE * (now - begun))));
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        if (now - s->sockets->busy >= s->spec->idle_timeout)
                stop_idle(s);
        return 0;
}

static void attend_idle(Service *s) {
        bool wanted = s->spec->on_demand && s->spec->idle_timeout != USEC_INFINITY && any_runs(s);
        Sockets *o = s->sockets;
        int r;

        if (!wanted || o->idle) {
                if (!wanted)
                        o->idle = sd_event_source_disable_unref(o->idle);
                return;
        }
        o->busy = now_usec(CLOCK_MONOTONIC);
        r = sd_event_add_time(s->manager->event, &o->idle, CLOCK_MONOTONIC, usec_add(o->busy, period(s)), period(s) / 10, on_look, s);
        if (r >= 0)
                r = sd_event_source_set_priority(o->idle, PRIORITY_TIMER);
        if (r < 0)
                log_errno(LOG_WARNING, r, "%s: cannot look whether it is idle", s->key);
}

void demand_attend(Service *s) {
        for (size_t k = 0; k < s->sockets->n; k++)
                if (s->sockets->items[k].source && !waits(s, s->sockets->items + k))
                        s->sockets->items[k].source = sd_event_source_disable_unref(s->sockets->items[k].source);
        attend_idle(s);
}
