/* How much of the loop's time the clients of others get. What must stay true: all users but root and the owner together have a quarter of it, in
 * equal parts among those who ask, whatever they send and on however many connections; who uses less than his part never waits, and nobody long
 * enough to meet the deadline of a message; no turn outlasts a message that takes longer by itself. */
#include "varlink/internal.h"

#define DEBT_MAX (5 * USEC_PER_SEC)
#define TURN     (2 * USEC_PER_MSEC)    /* then what is left of a connection's messages waits for its next one */

struct User {
        VarlinkServer *server;
        User *next;
        uid_t uid;
        size_t n_connections;
        usec_t until;                   /* CLOCK_MONOTONIC: then what it used is no more than its part */
        sd_event_source *timer;         /* its connections wait for that; NULL: none does */
};

static User *find(const VarlinkServer *s, uid_t uid) {
        User *u = s->users;

        while (u && u->uid != uid)
                u = u->next;
        return u;
}

int share_join(VarlinkServer *s, Connection *c) {
        User *u;

        if (limits_trusted(c->uid))
                return 0;
        u = find(s, c->uid);
        if (!u) {
                u = malloc(sizeof(*u));
                if (!u)
                        return -ENOMEM;
                *u = (User) { .server = s, .next = s->users, .uid = c->uid };
                s->users = u;
        }
        u->n_connections++;
        c->user = u;
        return 0;
}

void share_leave(Connection *c) {
        User *u = TAKE_PTR(c->user), **p;

        if (!u || --u->n_connections > 0)
                return;
        for (p = &u->server->users; *p != u; p = &(*p)->next)
                ;
        *p = u->next;
        sd_event_source_disable_unref(u->timer);
        free(u);
}

static int on_paid(sd_event_source *source, uint64_t usec, void *userdata) {
        User *u = userdata;

        u->timer = sd_event_source_disable_unref(u->timer);
        for (Connection *c = u->server->connections; c; c = c->next)
                if (c->user == u)
                        (void) sd_event_source_set_enabled(c->io, SD_EVENT_ON);
        return 0;
}

bool share_waits(Connection *c) {
        User *u = c->user;
        int r = 0;

        if (!u || u->until <= usec_add(now_usec(CLOCK_MONOTONIC), SHARE_SLACK))
                return false;
        if (!u->timer)
                r = sd_event_add_time(u->server->options.event, &u->timer, CLOCK_MONOTONIC, u->until, USEC_PER_MSEC, on_paid, u);
        return r >= 0 && sd_event_source_set_enabled(c->io, SD_EVENT_OFF) >= 0;
}

bool share_turn_over(const Connection *c) {
        return c->user && now_usec(CLOCK_MONOTONIC) >= usec_add(c->active, TURN);
}

/* Among how many what others get is divided now. */
static size_t users_asking(const Connection *c, usec_t now) {
        size_t n = 1;

        for (const User *u = c->server->users; u; u = u->next)
                n += u != c->user && u->until > now;
        return n;
}

void share_spend(Connection *c) {
        User *u = c->user;
        usec_t now, from;

        if (!u)
                return;
        now = now_usec(CLOCK_MONOTONIC);
        from = MAX(u->until, now);
        u->until = MIN(from + (now - c->active) * (4 * users_asking(c, now) - 1), now + DEBT_MAX);
}
