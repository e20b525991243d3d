/* Who gets in when there is little room, and how much a user may make us keep. What must stay true: no user locks another out; for root
 * and the owner an idle connection is closed, or the stream that has been quiet longest, which its client can take up again; whoever is refused
 * is told why. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "varlink/internal.h"

#define QUIET_USEC USEC_PER_SEC /* before it may be taken to do nothing */

bool limits_trusted(uid_t uid) {
        return uid == 0 || uid == geteuid();
}

/* A quarter of the descriptors that we may have at most: what is done for clients and services needs the others. */
static size_t connections_max(void) {
        struct rlimit l;

        return getrlimit(RLIMIT_NOFILE, &l) < 0 ? VARLINK_CONNECTIONS_MAX : MIN(l.rlim_cur / 4, (rlim_t) VARLINK_CONNECTIONS_MAX);
}

/* The one that has been quiet longest, of those with nothing under way or of those that follow a stream. */
static Connection *quietest(const VarlinkServer *s, bool streams) {
        usec_t now = now_usec(CLOCK_MONOTONIC);
        Connection *found = NULL;

        for (Connection *c = s->connections; c; c = c->next) {
                bool idle = !c->pending && !c->unserved && byte_queue_size(&c->output) == 0;

                if ((streams ? c->pending && c->pending->more : idle) && now >= usec_add(c->active, QUIET_USEC) &&
                    (!found || c->active < found->active))
                        found = c;
        }
        return found;
}

bool limits_evict(VarlinkServer *s) {
        Connection *c = quietest(s, false) ?: quietest(s, true);

        connection_free(c);
        return c;
}

const char *limits_admit(VarlinkServer *s, uid_t uid) {
        size_t same = 0, others = 0, max = connections_max();

        if (s->n_connections >= max && (!limits_trusted(uid) || !limits_evict(s)))
                return "too many connections";
        if (limits_trusted(uid))
                return NULL;
        for (Connection *c = s->connections; c; c = c->next) {
                same += c->uid == uid;
                others += !limits_trusted(c->uid);
        }
        return same >= MIN(max / 4, (size_t) VARLINK_CONNECTIONS_PER_UID) ? "too many connections of this user"
                : others >= max / 4 * 3                                  ? "too many connections"
                                                                         : NULL;
}

bool limits_output(const Connection *c) {
        size_t unsent = 0;

        if (limits_trusted(c->uid) || byte_queue_size(&c->output) <= VARLINK_OUTPUT_HIGH)
                return true;
        for (const Connection *o = c->server->connections; o; o = o->next)
                unsent += o->uid == c->uid ? byte_queue_size(&o->output) : 0;
        return unsent <= VARLINK_OUTPUT_PER_UID;
}

void limits_refuse(const VarlinkServer *s, int fd, const char *why) {
        char text[256];
        int n = snprintf(text, sizeof(text), "{\"error\":\"%s.%s\",\"parameters\":{\"message\":\"kingd has %s\",\"hint\":\"try again later\"}}",
                         s->options.interface->name, KL_E_BUSY, why);

        (void) send(fd, text, (size_t) n + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- descriptors ---- */

void reserve_fill(VarlinkServer *s, int fd) {
        while (s->n_reserve < RESERVE_MAX) {
                int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

                if (copy < 0)
                        return;
                s->reserve[s->n_reserve++] = copy;
        }
}

void reserve_release(VarlinkServer *s) {
        while (s->n_reserve > 0)
                fd_close(s->reserve[--s->n_reserve]);
}
