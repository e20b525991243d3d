/* Must stay true: a socket is known by what was asked for, hashed, so that every worker, every manager and every balancer calls it the same; what is open here
 * the keeper holds too; a socket is open as long as a worker serves it, or something of the service lives that may serve it again. */
#include "manager/balance/cluster.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "manager/balance/balance.h"
#include "manager/events.h"
#include "manager/life/instance.h"
#include "manager/link.h"

#define CHANNEL_PREFIX "chan-"
#define FRONT_PREFIX "node-"
#define HELD_SIZE 64
#define WAIT_TIMEOUT 0                 /* who comes while no worker is ready waits as long as he likes, as in the queue of a socket */

typedef struct ClusterFront {
        uint32_t id;
        int fd;
        char listen[128];
        char *path;                    /* of a unix socket's file; else NULL */
        ino_t inode;
} ClusterFront;

struct Cluster { size_t n; ClusterFront fronts[CLUSTER_FRONTS_MAX]; };

/* ours: the balancer has one of its own. fronts: those that the run listens on. */
struct ClusterChannel {
        int fd;
        size_t n;
        struct { uint32_t front, serial; } served[CLUSTER_FRONTS_MAX];         /* serial: of the question; 0: that is not known any more */
};

static uint64_t mix(uint64_t h, const void *p, size_t n) {
        for (const uint8_t *c = p; c < (const uint8_t *) p + n; c++)
                h = (h ^ *c) * UINT64_C(0x100000001b3);
        return h;
}

#define HASH_BASE UINT64_C(0xcbf29ce484222325)

static uint32_t folded(uint64_t h) {
        return (uint32_t) (h ^ (h >> 32)) ?: 1;
}

/* The same port by two ways of asking would be two sockets, of which the kernel refuses the second. */
static uint32_t front_id(const BalanceListen *p) {
        uint32_t what[3] = { p->type, p->flags, cluster_any_port(p) ? p->index : 0 };
        uint64_t h = mix(HASH_BASE, &p->address, p->address_size);

        return folded(mix(h, what, sizeof what));
}

static void front_name(const Service *s, uint32_t id, char ret[HELD_SIZE]) {
        snprintf(ret, HELD_SIZE, FRONT_PREFIX "%016" PRIx64 "-%08" PRIx32, mix(HASH_BASE, s->key, strlen(s->key)), id);
}

static void channel_name(const Instance *i, char ret[HELD_SIZE]) {
        snprintf(ret, HELD_SIZE, CHANNEL_PREFIX "%016" PRIx64, i->run);
}

static ClusterFront *find_front(const Service *s, uint32_t id) {
        for (size_t k = 0; s->cluster && k < s->cluster->n; k++)
                if (s->cluster->fronts[k].id == id)
                        return s->cluster->fronts + k;
        return NULL;
}

static bool serves(const Instance *i, uint32_t front) {
        for (size_t k = 0; i->channel && k < i->channel->n; k++)
                if (i->channel->served[k].front == front)
                        return true;
        return false;
}

static bool asked_before(const ClusterChannel *c, uint32_t front, uint32_t serial) {
        for (size_t k = 0; k < c->n; k++)
                if (c->served[k].front == front)
                        return c->served[k].serial == serial || c->served[k].serial == 0;
        return false;
}

/* ---- sockets ---- */

static void note_file(ClusterFront *f) {
        struct sockaddr_un un = {};
        socklen_t size = sizeof un - 1;
        struct stat st;

        if (getsockname(f->fd, (struct sockaddr *) &un, &size) < 0 || un.sun_family != AF_UNIX || un.sun_path[0] == '\0')
                return;
        f->path = strdup(un.sun_path);
        f->inode = f->path && lstat(f->path, &st) >= 0 ? st.st_ino : 0;
}

static bool file_is_ours(const ClusterFront *f) {
        struct stat st;

        return f->path && f->inode != 0 && lstat(f->path, &st) >= 0 && S_ISSOCK(st.st_mode) && st.st_ino == f->inode;
}

/* Takes fd on success. */
static int add_front(Service *s, uint32_t id, int fd, ClusterFront **ret) {
        struct sockaddr_storage a = {};
        socklen_t size = sizeof a;
        ClusterFront *f;
        int v6only = 0;

        if (!s->cluster && !(s->cluster = calloc(1, sizeof(Cluster))))
                return -ENOMEM;
        if (s->cluster->n == CLUSTER_FRONTS_MAX)
                return -ENOSPC;
        f = s->cluster->fronts + s->cluster->n++;
        *f = (ClusterFront) { .id = id, .fd = fd };
        if (getsockname(fd, (struct sockaddr *) &a, &size) >= 0) {
                (void) getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &(socklen_t) { sizeof v6only });
                (void) cluster_address_text(&a, size, v6only, f->listen);
        }
        note_file(f);
        *ret = f;
        return 0;
}

/* In the order of socket_close_one(), for its reason. */
static void close_front(Service *s, ClusterFront *f) {
        char name[HELD_SIZE];

        balance_socket_gone(s, f->id);
        if (file_is_ours(f))
                (void) unlink(f->path);
        front_name(s, f->id, name);
        (void) link_drop(s->manager->link, name);
        (void) shutdown(f->fd, SHUT_RDWR);
        fd_close(f->fd);
        free(f->path);
        *f = s->cluster->fronts[--s->cluster->n];
}

static bool is_served(const Service *s, uint32_t front) {
        for (size_t k = 0; k < s->n_instances; k++)
                if (serves(s->instances[k], front))
                        return true;
        return false;
}

static bool all_up(const Service *s) {
        for (size_t k = 0; k < s->n_instances; k++)
                if (!lifecycle_ready(&s->instances[k]->lc, s->spec) && !s->instances[k]->retired && !instance_down(s->instances[k]))
                        return false;
        return true;
}

void cluster_attend(Instance *i) {
        Service *s = i->service;
        bool all;

        if (!s->cluster)
                return;
        all = service_settled(s);
        for (size_t k = s->cluster->n; k > 0; k--)
                if (all || (!is_served(s, s->cluster->fronts[k - 1].id) && all_up(s)))
                        close_front(s, s->cluster->fronts + k - 1);
}

Cluster *cluster_free(Cluster *c) {
        for (size_t k = 0; c && k < c->n; k++) {
                fd_close(c->fronts[k].fd);
                free(c->fronts[k].path);
        }
        free(c);
        return NULL;
}

/* ---- channels ---- */

/* Takes fd on success. */
static int attach(Instance *i, int fd) {
        ClusterChannel *c = calloc(1, sizeof *c);

        if (!c)
                return -ENOMEM;
        c->fd = fd;
        i->channel = cluster_channel_free(i->channel);
        i->channel = c;
        return 0;
}

int cluster_channel(Instance *i, int *ret_theirs) {
        char name[HELD_SIZE];
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        channel_name(i, name);
        r = link_hold(i->service->manager->link, name, pair[0]);
        if (r >= 0)
                r = attach(i, pair[0]);
        if (r < 0) {
                fd_close(pair[0]);
                fd_close(pair[1]);
                return r;
        }
        *ret_theirs = pair[1];
        return 0;
}

void cluster_over(Instance *i) {
        char name[HELD_SIZE];

        if (!i->channel)
                return;
        channel_name(i, name);
        (void) link_drop(i->service->manager->link, name);
        i->channel = cluster_channel_free(i->channel);
}

ClusterChannel *cluster_channel_free(ClusterChannel *c) {
        if (c)
                fd_close(c->fd);
        free(c);
        return NULL;
}

/* ---- after a manager's death ---- */

int cluster_adopt(Service *s) {
        char prefix[HELD_SIZE];
        const char *name;
        ClusterFront *f;
        int r = 0;

        if (s->spec->cluster.by != CLUSTER_NODE)
                return 0;
        front_name(s, 0, prefix);
        *(strrchr(prefix, '-') + 1) = '\0';
        for (size_t at = 0; r >= 0 && (name = link_held_next(s->manager->link, prefix, &at));) {
                uint32_t id = (uint32_t) strtoul(name + strlen(prefix), NULL, 16);
                int fd = link_take_held(s->manager->link, name);

                r = fd < 0 ? 0 : add_front(s, id, fd, &f);
                if (r < 0)
                        fd_close(fd);
        }
        return MIN(r, 0);
}

/* Which of them the run serves is not written down; one that it does not serve it hands back. */
int cluster_adopt_channel(Instance *i) {
        const Service *s = i->service;
        char name[HELD_SIZE];
        int fd, r;

        if (s->spec->cluster.by != CLUSTER_NODE)
                return 0;
        channel_name(i, name);
        fd = link_take_held(s->manager->link, name);
        r = fd < 0 ? 0 : attach(i, fd);
        if (r < 0) {
                fd_close(fd);
                return r;
        }
        for (size_t k = 0; i->channel && s->cluster && k < s->cluster->n; k++)
                i->channel->served[i->channel->n++].front = s->cluster->fronts[k].id;
        return 0;
}

void cluster_adopted(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; n < m->order[k]->n_instances; n++)
                        cluster_attend(m->order[k]->instances[n]);
        link_drop_untaken(m->link, FRONT_PREFIX);
        link_drop_untaken(m->link, CHANNEL_PREFIX);
}

/* ---- what the balancer is told ---- */

static bool is_shared(const Service *s, int fd) {
        int listening = 0;
        socklen_t size = sizeof listening;

        return s->spec->cluster.balance == BALANCE_KERNEL || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 || !listening;
}

static void describe_front(const Service *s, const ClusterFront *f, BalanceFront *ret) {
        int strategy = s->spec->cluster.balance;

        *ret = (BalanceFront) { .h = { BALANCE_FRONT, sizeof *ret }, .front = f->id, .strategy = (uint32_t) (strategy ?: BALANCE_ROUND_ROBIN),
                                .affinity = (uint32_t) s->spec->cluster.affinity, .retries = BALANCE_RETRIES_MAX, .connect_timeout = USEC_PER_SEC,
                                .wait_timeout = WAIT_TIMEOUT, .flags = is_shared(s, f->fd) ? FRONT_SHARED : 0 };
        snprintf(ret->name, sizeof ret->name, "%.63s", f->listen);
}

bool cluster_next_front(const Service *s, size_t *at, BalanceFront *ret, int *ret_fd) {
        if (!s->cluster || *at >= s->cluster->n)
                return false;
        describe_front(s, s->cluster->fronts + *at, ret);
        *ret_fd = s->cluster->fronts[(*at)++].fd;
        return true;
}

/* First the channel, then the fronts that the run serves. */
bool cluster_next_back(const Instance *i, size_t *at, BackState state, BalanceBackState *ret, int *ret_fd) {
        const ClusterChannel *c = i->channel;

        for (*ret_fd = -EBADF; c && i->run && *at <= c->n; (*at)++) {
                uint32_t front = *at > 0 ? c->served[*at - 1].front : 0;

                if (front && !find_front(i->service, front))
                        continue;
                *ret = (BalanceBackState) { .h = { BALANCE_BACK, sizeof *ret }, .back = i->run, .front = front, .kind = BACK_CHANNEL,
                                            .state = front ? state : BACK_ACTIVE, .weight = 1, .affinity = i->index + 1 };
                if (!front)
                        *ret_fd = c->fd;
                (*at)++;
                return true;
        }
        return false;
}

/* ---- what workers say ---- */

static int open_front(Instance *i, const BalanceListen *p, ClusterFront **ret) {
        _cleanup_error_ KlError e = {};
        Service *s = i->service;
        char name[HELD_SIZE];
        int fd = cluster_open(p, s->spec, &e), r = fd;

        if (r >= 0) {
                front_name(s, front_id(p), name);
                r = link_hold(s->manager->link, name, fd);
        }
        if (r >= 0)
                r = add_front(s, front_id(p), fd, ret);
        if (r >= 0)
                return 0;
        fd_close(fd);
        event_emit(s->manager, i, NULL, EVENT_BALANCE_TROUBLE, "%s", e.message ?: strerror(-r));
        return r == -ENOENT ? -EACCES : r; /* of a path: so it hears it from libuv (src/unix/pipe.c) */
}

int cluster_listen(Instance *i, const BalanceListen *p, BalanceFront *ret, int *ret_fd) {
        ClusterFront *f = find_front(i->service, front_id(p));
        int r = 0;

        if (!i->channel)
                return ENOTCONN;
        if (i->channel->n == CLUSTER_FRONTS_MAX)
                return ENOBUFS;
        /* Somebody removed the file of the socket. */
        if (f && f->path && !file_is_ours(f)) {
                close_front(i->service, f);
                f = NULL;
        } else if (f && serves(i, f->id) && !asked_before(i->channel, f->id, p->serial))
                return EADDRINUSE;
        if (!f)
                r = open_front(i, p, &f);
        if (r < 0)
                return -r;
        if (!serves(i, f->id)) {
                i->channel->served[i->channel->n].front = f->id;
                i->channel->served[i->channel->n++].serial = p->serial;
        }
        describe_front(i->service, f, ret);
        ret->serial = p->serial;
        *ret_fd = f->fd;
        return 0;
}

void cluster_said(Instance *i, const char *word) {
        if (streq(word, "ready") && i->service->spec->ready_by == READY_IPC)
                instance_ready(i);
}

void cluster_strange(Instance *i, const char *act) {
        _cleanup_free_ char *text = text_escape(act, strlen(act));

        event_emit(i->service->manager, i, NULL, EVENT_BALANCE_TROUBLE, "its Node speaks a cluster protocol that is not known here (\"%s\"), and may wait for its ports "
                   "in vain; `cluster: {by: sockets}` does without that protocol", text ?: "");
}

void cluster_closed(Instance *i, uint32_t front) {
        ClusterChannel *c = i->channel;

        for (size_t k = c ? c->n : 0; k-- > 0;)
                if (front == 0 || c->served[k].front == front)
                        c->served[k] = c->served[--c->n];
        cluster_attend(i);
}
