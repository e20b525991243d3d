/* Private sockets: what each instance of a balanced service finds in the place of the public one. Must stay true: no copy of one outlives the service's own,
 * so that its death refuses whoever would connect, instead of letting him wait for nobody; what the keeper holds under its name is the address alone. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "manager/balance/balance_private.h"
#include "manager/link.h"
#include "manager/sockets/sockets.h"

#define HELD_PREFIX "back-"
#define HELD_SIZE 64

/* "back-RUN-FRONT-PORT"; port 0: a unix socket, whose path follows from the rest. */
static void held_name(const Instance *i, uint32_t front, unsigned port, char ret[HELD_SIZE]) {
        snprintf(ret, HELD_SIZE, HELD_PREFIX "%016" PRIx64 "-%08" PRIx32 "-%u", i->run, front, port);
}

static int unix_path(const Instance *i, uint32_t front, struct sockaddr_un *ret) {
        size_t n;

        *ret = (struct sockaddr_un) { .sun_family = AF_UNIX };
        n = (size_t) snprintf(ret->sun_path, sizeof ret->sun_path, "%s/balance/%016" PRIx64 "-%08" PRIx32, i->service->manager->places.runtime, i->run, front);
        return n < sizeof ret->sun_path ? 0 : -ENAMETOOLONG;
}

static unsigned port_of(const Back *b) {
        return b->address.ss_family == AF_INET    ? ntohs(((const struct sockaddr_in *) &b->address)->sin_port)
               : b->address.ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *) &b->address)->sin6_port)
                                                  : 0;
}

static void set_loopback(Back *b, bool ipv6, uint16_t port) {
        memset(&b->address, 0, sizeof b->address);
        if (ipv6) {
                *(struct sockaddr_in6 *) &b->address = (struct sockaddr_in6) { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback };
                b->size = sizeof(struct sockaddr_in6);
        } else {
                *(struct sockaddr_in *) &b->address = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
                b->size = sizeof(struct sockaddr_in);
        }
}

static int set_unix(const Instance *i, Back *b) {
        memset(&b->address, 0, sizeof b->address);
        b->size = sizeof(struct sockaddr_un);
        return unix_path(i, b->front, (struct sockaddr_un *) &b->address);
}

static int add(Instance *i, const Back *b) {
        size_t n = i->backs ? i->backs->n : 0;
        Backs *list = realloc(i->backs, sizeof(Backs) + (n + 1) * sizeof(Back));

        if (!list)
                return -ENOMEM;
        i->backs = list;
        list->items[n] = *b;
        list->n = n + 1;
        return 0;
}

/* ---- opening ---- */

static int set_option(int fd, int level, int option) {
        int on = 1;

        return setsockopt(fd, level, option, &on, sizeof on) < 0 ? -errno : 0;
}

/* Whoever accepts from it finds what it would find on the public one. */
static int prepare(int fd, const Back *b, const SocketSpec *spec) {
        int r = 0;

        if (b->address.ss_family == AF_UNIX)
                return 0;
        if (spec->keepalive)
                r = set_option(fd, SOL_SOCKET, SO_KEEPALIVE);
        return r >= 0 && spec->nodelay ? set_option(fd, IPPROTO_TCP, TCP_NODELAY) : r;
}

static int bind_private(int fd, Back *b) {
        mode_t mask = umask(0177); /* the balancer's user alone may connect; the service has it open */
        int r = bind(fd, (const struct sockaddr *) &b->address, b->size) < 0 ? -errno : 0;

        umask(mask);
        if (r >= 0 && b->address.ss_family != AF_UNIX && getsockname(fd, (struct sockaddr *) &b->address, &b->size) < 0)
                r = -errno;
        return r;
}

static int open_back(Back *b, const SocketSpec *spec) {
        _cleanup_fd_ int fd = socket(b->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int r = fd < 0 ? -errno : prepare(fd, b, spec);

        if (r >= 0)
                r = bind_private(fd, b);
        if (r >= 0 && listen(fd, (int) spec->backlog) < 0)
                r = -errno;
        return r < 0 ? r : TAKE_FD(fd);
}

/* Something must be held under the name: an empty file, since the address is in the name. */
static int hold_address(Instance *i, const Back *b) {
        _cleanup_fd_ int fd = memfd_create("kingly-back", MFD_CLOEXEC);
        char name[HELD_SIZE];

        if (fd < 0)
                return -errno;
        held_name(i, b->front, port_of(b), name);
        return link_hold(i->service->manager->link, name, fd);
}

static int make_directory(const Instance *i) {
        _cleanup_free_ char *path = path_join(i->service->manager->places.runtime, "balance");

        if (!path)
                return -ENOMEM;
        return mkdir(path, 0711) < 0 && errno != EEXIST ? -errno : 0;
}

/* A file belongs to who connects: the user of the balancer. */
static int give_file(const Instance *i, const Back *b) {
        const Service *balancer = balancer_of(i->service);
        ServiceSpec user = {};
        Identity id;
        int r;

        if (b->address.ss_family != AF_UNIX || !balancer)
                return 0;
        user.user = balancer->spec->user ?: (char *) balancer_user(balancer->spec);
        user.group = balancer->spec->group;
        r = identity_resolve(&user, &id, NULL);
        if (r >= 0 && id.set && chown(((const struct sockaddr_un *) &b->address)->sun_path, id.uid, id.gid) < 0)
                r = -errno;
        return r;
}

/* An entry that listens on a path or a name gets a file, one that listens on a port gets another port. */
static int open_for(Instance *i, const SocketSpec *spec, Back *b) {
        SocketAddress a;
        int r = socket_address_parse(spec->listen, &a, NULL);

        if (r < 0)
                return r;
        if (!socket_is_unix(&a))
                set_loopback(b, a.family == SOCKET_INET6, 0);
        else if ((r = make_directory(i)) < 0 || (r = set_unix(i, b)) < 0)
                return r;
        return open_back(b, spec);
}

int backs_open(Instance *i, const SocketSpec *spec, uint32_t front, int *ret_fd, KlError *reterr) {
        _cleanup_fd_ int fd = -EBADF;
        Back b = { .front = front };
        int r = fd = open_for(i, spec, &b);

        if (r >= 0)
                r = give_file(i, &b);
        if (r >= 0)
                r = hold_address(i, &b);
        if (r >= 0)
                r = add(i, &b);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot make a private socket for %s: %s", spec->listen, strerror(-r));
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* ---- finding and closing ---- */

static int find(Instance *i, const SocketSpec *spec, uint32_t front) {
        Back b = { .front = front };
        char name[HELD_SIZE];
        const char *port;
        SocketAddress a;
        uint64_t n;
        int r = socket_address_parse(spec->listen, &a, NULL);

        snprintf(name, sizeof name, HELD_PREFIX "%016" PRIx64 "-%08" PRIx32 "-", i->run, front);
        port = link_held_suffix(i->service->manager->link, name);
        if (r < 0 || !port || parse_u64(port, &n) < 0 || n > UINT16_MAX)
                return -ENOENT;
        if (!socket_is_unix(&a))
                set_loopback(&b, a.family == SOCKET_INET6, (uint16_t) n);
        else if ((r = set_unix(i, &b)) < 0)
                return r;
        held_name(i, front, (unsigned) n, name);
        fd_close(link_take_held(i->service->manager->link, name));
        return add(i, &b);
}

void backs_adopt(Instance *i) {
        const SocketList *l = &i->service->spec->sockets;

        for (size_t k = 0; k < l->n; k++)
                if (socket_balanced(l->items + k) && find(i, l->items + k, sockets_front(i->service, l->items + k)) < 0)
                        log_warning("%s[%u]: its private socket for %s is not known: it gets no connections until it is restarted", i->service->key,
                                    i->index, l->items[k].listen);
}

/* A probe of a port without a host is one of this machine. */
static bool probes_it(const ProbeSpec *p, const SocketAddress *a) {
        ProbeBy by = probe_spec_by(p);
        uint32_t port = by == PROBE_HTTP ? p->http.port : by == PROBE_TCP ? p->tcp.port : by == PROBE_GRPC ? p->grpc.port : 0;
        const char *host = by == PROBE_HTTP ? p->http.host : by == PROBE_TCP ? p->tcp.host : by == PROBE_GRPC ? p->grpc.host : NULL;

        if (by == PROBE_UNIX)
                return a->family == SOCKET_PATH && streq(a->path, p->unix_path);
        return port != 0 && port == a->port && (a->family == SOCKET_ANY || streq(host ?: "127.0.0.1", socket_connect_host(a)));
}

socklen_t backs_probed(const Instance *i, const ProbeSpec *p, struct sockaddr_storage *ret) {
        const SocketList *l = &i->service->spec->sockets;
        SocketAddress a;

        for (size_t k = 0; i->backs && k < l->n; k++) {
                if (!socket_balanced(l->items + k) || socket_address_parse(l->items[k].listen, &a, NULL) < 0 || !probes_it(p, &a))
                        continue;
                for (size_t n = 0; n < i->backs->n; n++)
                        if (i->backs->items[n].front == sockets_front(i->service, l->items + k)) {
                                *ret = i->backs->items[n].address;
                                return i->backs->items[n].size;
                        }
        }
        return 0;
}

void backs_close(Instance *i) {
        char name[HELD_SIZE];

        for (size_t k = 0; i->backs && k < i->backs->n; k++) {
                const Back *b = i->backs->items + k;

                held_name(i, b->front, port_of(b), name);
                (void) link_drop(i->service->manager->link, name);
                if (b->address.ss_family == AF_UNIX)
                        (void) unlink(((const struct sockaddr_un *) &b->address)->sun_path);
        }
        backs_free(i);
}

void backs_free(Instance *i) {
        free(i->backs);
        i->backs = NULL;
}
