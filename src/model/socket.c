/* Entries of `sockets:`: what they are, which are the same, and what may stand together. */
#include "model/socket.h"

#include <stdio.h>

#include "base/text.h"

const char *socket_type_name(SocketType t) {
        static const char *const names[_SOCKET_TYPE_MAX] = { "auto", "tcp", "udp", "unix-stream", "unix-datagram", "seqpacket" };

        return names[t];
}

SocketType socket_type(const SocketSpec *s, const SocketAddress *a) {
        if (s->type != SOCKET_AUTO)
                return s->type;
        return socket_is_unix(a) ? SOCKET_STREAM : SOCKET_TCP;
}

/* What only bind(2) can do. Everything else is done to the open socket. */
bool socket_same(const SocketSpec *a, const SocketSpec *b) {
        SocketAddress x, y;
        char buf[2][SOCKET_TEXT_MAX];

        if (socket_address_parse(a->listen, &x, NULL) < 0 || socket_address_parse(b->listen, &y, NULL) < 0)
                return streq(a->listen, b->listen);
        return socket_type(a, &x) == socket_type(b, &y) && a->reuseport == b->reuseport && a->freebind == b->freebind &&
               streq(socket_address_format(&x, buf[0]), socket_address_format(&y, buf[1]));
}

static bool every_address(const SocketAddress *a) {
        return a->family == SOCKET_ANY || streq(a->host, "0.0.0.0") || streq(a->host, "::");
}

bool socket_conflict(const SocketSpec *a, const SocketSpec *b) {
        SocketAddress x, y;

        if (socket_address_parse(a->listen, &x, NULL) < 0 || socket_address_parse(b->listen, &y, NULL) < 0)
                return false;
        if (socket_is_unix(&x) || socket_is_unix(&y))
                return x.family == y.family && streq(x.path, y.path);
        if (socket_type(a, &x) != socket_type(b, &y) || x.port != y.port || (a->reuseport && b->reuseport))
                return false;
        if (x.family != y.family && x.family != SOCKET_ANY && y.family != SOCKET_ANY)
                return false;
        return every_address(&x) || every_address(&y) || (streq(x.host, y.host) && streq(x.scope, y.scope));
}

bool socket_equal(const SocketSpec *a, const SocketSpec *b) {
        return streq(a->listen, b->listen) && streq(a->name, b->name) && a->type == b->type && a->balance == b->balance &&
               a->affinity == b->affinity && a->proxy_protocol == b->proxy_protocol && streq(a->weights, b->weights) &&
               a->connect_timeout == b->connect_timeout && a->max_connections == b->max_connections &&
               streq(a->user, b->user) && streq(a->group, b->group) && a->mode == b->mode && a->backlog == b->backlog && a->fd == b->fd &&
               a->reuseport == b->reuseport && a->keepalive == b->keepalive && a->nodelay == b->nodelay && a->freebind == b->freebind;
}

/* The number that `text` begins with; 0: none that would do. *ret_rest is what follows. */
static uint32_t weight_at(const char *text, const char **ret_rest) {
        size_t n = strspn(text, "0123456789");
        uint32_t v = 0;

        for (size_t i = 0; i < n && v <= SOCKET_WEIGHT_MAX; i++)
                v = v * 10 + (uint32_t) (text[i] - '0');
        *ret_rest = text + n;
        return v > SOCKET_WEIGHT_MAX ? 0 : v;
}

bool socket_weights_valid(const char *text) {
        do {
                if (text && weight_at(text, &text) == 0)
                        return false;
        } while (text && *text++ == ',');
        return !text || text[-1] == '\0';
}

uint32_t socket_weight(const SocketSpec *s, unsigned instance) {
        const char *text = s->weights;

        while (text && instance-- > 0)
                text = (text = strchr(text, ',')) ? text + 1 : NULL;
        return text ? MAX(weight_at(text, &text), 1u) : 1;
}

void socket_done(SocketSpec *s) {
        free(s->listen);
        free(s->name);
        free(s->user);
        free(s->group);
        free(s->weights);
        *s = (SocketSpec) {};
}

static int copy_text(char **to, const char *from) {
        *to = from ? strdup(from) : NULL;
        return from && !*to ? -ENOMEM : 0;
}

int socket_copy(SocketSpec *to, const SocketSpec *from) {
        *to = *from;
        to->listen = to->name = to->user = to->group = to->weights = NULL;
        if (copy_text(&to->listen, from->listen) >= 0 && copy_text(&to->name, from->name) >= 0 && copy_text(&to->user, from->user) >= 0 &&
            copy_text(&to->group, from->group) >= 0 && copy_text(&to->weights, from->weights) >= 0)
                return 0;
        socket_done(to);
        return -ENOMEM;
}

void socket_list_done(SocketList *l) {
        for (size_t i = 0; i < l->n; i++)
                socket_done(l->items + i);
        free(l->items);
        *l = (SocketList) {};
}

int socket_numbers(const SocketList *l, int32_t numbers[]) {
        bool taken[SOCKETS_MAX + SOCKET_FIRST_FD] = {};
        int32_t n_listen = SOCKET_FIRST_FD, next = SOCKET_FIRST_FD;

        for (size_t i = 0; i < l->n; i++)
                n_listen += l->items[i].fd != 0;
        for (size_t i = 0; i < l->n; i++) {
                int32_t fd = numbers[i] = l->items[i].fd;

                if (fd == SOCKET_FD_UNSET)
                        continue;
                if (fd < 0 || (fd > 0 && fd < SOCKET_FIRST_FD) || fd >= n_listen || taken[fd])
                        return -EINVAL;
                taken[fd] = true;
        }
        for (size_t i = 0; i < l->n; i++) {
                while (numbers[i] == SOCKET_FD_UNSET && taken[next])
                        next++;
                if (numbers[i] == SOCKET_FD_UNSET)
                        numbers[i] = next++;
        }
        return 0;
}

ssize_t socket_stdin(const SocketList *l) {
        for (size_t i = 0; i < l->n; i++)
                if (l->items[i].fd == 0)
                        return (ssize_t) i;
        return -1;
}

/* ---- what may stand together ---- */

#define FAULT(...) kl_error_set(reterr, -EINVAL, KL_E_INVALID, __VA_ARGS__)

static int validate_type(const SocketSpec *s, const SocketAddress *a, KlError *reterr) {
        SocketType t = socket_type(s, a);
        bool local = t >= SOCKET_STREAM;

        if (local != socket_is_unix(a))
                return FAULT("sockets.type: %s does not go with the address %s", socket_type_name(t), s->listen);
        if (s->reuseport && local)
                return FAULT("sockets.reuseport: only tcp and udp have it, not %s", s->listen);
        if (s->freebind && local)
                return FAULT("sockets.freebind: only tcp and udp have it, not %s", s->listen);
        if ((s->nodelay || s->keepalive) && t != SOCKET_TCP)
                return FAULT("sockets.%s: only tcp has it, not %s", s->nodelay ? "nodelay" : "keepalive", s->listen);
        if ((s->user || s->group) && a->family != SOCKET_PATH)
                return FAULT("sockets.%s: only a unix socket with a path has one, not %s", s->user ? "owner" : "group", s->listen);
        return 0;
}

/* What only a balancer does. */
static const char *balancers_key(const SocketSpec *s) {
        return s->affinity         ? "affinity"
               : s->proxy_protocol ? "proxy_protocol"
               : s->weights        ? "weights"
               : s->max_connections ? "max_connections"
                                    : NULL;
}

static int validate_balance(const SocketSpec *s, SocketType t, KlError *reterr) {
        const char *key = balancers_key(s);

        if (!socket_balanced(s)) {
                if (!key)
                        return 0;
                (void) FAULT("sockets.%s: the kernel, which spreads the connections of %s, has no such thing", key, s->listen);
                kl_error_hint(reterr, "add balance: round-robin, random or least-connections");
                return -EINVAL;
        }
        if (t != SOCKET_TCP && t != SOCKET_STREAM)
                return FAULT("sockets.balance: only connections of tcp and unix-stream can be spread, not %s", socket_type_name(t));
        if (s->reuseport)
                return FAULT("sockets.reuseport: with balance, one balancer listens on %s; leave one of them out", s->listen);
        return 0;
}

static int validate_entry(const SocketSpec *s, KlError *reterr) {
        const char *why = NULL;
        SocketAddress a;
        int r;

        if (!s->listen)
                return FAULT("sockets.listen: missing; every socket needs an address such as 127.0.0.1:8080 or /run/web.sock");
        if (socket_address_parse(s->listen, &a, &why) < 0)
                return FAULT("sockets.listen: \"%s\": %s", s->listen, why);
        if (s->name && !name_valid(s->name))
                return FAULT("sockets.name: \"%s\" is not a valid name", s->name);
        if ((r = validate_type(s, &a, reterr)) < 0)
                return r;
        return validate_balance(s, socket_type(s, &a), reterr);
}

int socket_list_validate(const SocketList *l, KlError *reterr) {
        int32_t numbers[SOCKETS_MAX];
        int r;

        if (l->n > SOCKETS_MAX)
                return FAULT("sockets: more than %d", SOCKETS_MAX);
        for (size_t i = 0; i < l->n; i++) {
                r = validate_entry(l->items + i, reterr);
                if (r < 0)
                        return r;
                for (size_t k = 0; k < i; k++)
                        if (socket_same(l->items + k, l->items + i))
                                return FAULT("sockets: %s is listened on twice", l->items[i].listen);
        }
        r = socket_numbers(l, numbers);
        if (r < 0)
                (void) FAULT("sockets.fd: the numbers must be different, 0, or from 3 on without a gap");
        return r;
}
