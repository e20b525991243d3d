/* The table of an entry of `sockets`, and lists of them as a type of key. A key of an entry is described here and nowhere else. */
#include "base/text.h"
#include "model/key_types.h"

static const char *const types[] = { "auto", "tcp", "udp", "unix-stream", "unix-datagram", "seqpacket", NULL };
/* In the order of BalanceStrategy, BalanceAffinity (balance.h). */
static const char *const balances[] = { "kernel", "round-robin", "random", "least-connections", NULL };
static const char *const affinities[] = { "none", "source", NULL };
static const char *const proxies[] = { "none", "v1", "v2", NULL };

#define FIELD(f) .offset = offsetof(SocketSpec, f)

const SpecKey socket_keys[] = {
        { "sockets.listen", KEY_STRING, FIELD(listen),
          .help = "Where it listens: an address and a port, a port alone for every address of IPv4 and IPv6, a path, or @NAME for an abstract unix "
                  "socket. An IPv6 address stands in brackets; [::] is every address of IPv6 alone. Names of hosts are not looked up, but localhost "
                  "is 127.0.0.1. A path that begins with ./ or ../ is relative to the file.",
          .example = "127.0.0.1:8080" },
        { "sockets.name", KEY_STRING, FIELD(name),
          .help = "Its name in LISTEN_FDNAMES. Without it: the name of the service.",
          .example = "http" },
        { "sockets.type", KEY_ENUM, FIELD(type), types, .fallback = "auto",
          .help = "What kind it is. auto: tcp for an address with a port, unix-stream for a path or an abstract name.",
          .example = "udp" },
        { "sockets.mode", KEY_OCTAL, FIELD(mode), .max = 0777, .fallback = "0660",
          .help = "Access mode of the file of a unix socket: who may write to it may connect.",
          .example = "\"0666\"" },
        { "sockets.owner", KEY_NAME, FIELD(user),
          .help = "Owner of the file of a unix socket. Without it: the user that the service runs as.",
          .example = "www-data" },
        { "sockets.group", KEY_NAME, FIELD(group),
          .help = "Group of the file of a unix socket. Without it: the group that the service runs as.",
          .example = "www-data" },
        { "sockets.backlog", KEY_UINT32, FIELD(backlog), .min = 1, .max = INT32_MAX, .fallback = "4096",
          .help = "How many connections may wait to be accepted; net.core.somaxconn bounds it.",
          .example = "128" },
        { "sockets.fd", KEY_INT32, FIELD(fd), .max = SOCKETS_MAX + SOCKET_FIRST_FD - 1,
          .help = "The number of the descriptor that the service finds it at: 0 for programs that expect it as their standard input, as FastCGI ones "
                  "do, or a number from 3. Without it, in the order of the list.",
          .example = "0" },
        { "sockets.balance", KEY_ENUM, FIELD(balance), balances, .fallback = "kernel",
          .help = "Who spreads connections over the instances. kernel: whichever instance accepts first takes the connection; with reuseport, a hash "
                  "of the client's address decides. round-robin (in turns), random and least-connections (whoever has the fewest open): a "
                  "program of Kingly's own, a service called NAME-balancer, accepts them and passes their bytes on; each instance finds a "
                  "private socket in the place of this one, and is given connections only while it is ready.",
          .example = "round-robin" },
        { "sockets.weights", KEY_WEIGHTS, FIELD(weights),
          .help = "What each instance gets in proportion to the others, from 1 to 1000, that of instance 0 first. Instances beyond the list have 1. "
                  "Needs a balance other than kernel, as the next four keys do.",
          .example = "[3, 1]" },
        { "sockets.affinity", KEY_ENUM, FIELD(affinity), affinities, .fallback = "none",
          .help = "source: connections from one address go to one instance for as long as it is ready. When an instance goes, only its own "
                  "clients move.",
          .example = "source" },
        { "sockets.proxy_protocol", KEY_ENUM, FIELD(proxy_protocol), proxies, .fallback = "none",
          .help = "Put a header of the PROXY protocol, version 1 or 2, before the bytes of each connection, so that the service learns the address "
                  "of its client. The service must expect it.",
          .example = "v2" },
        { "sockets.connect_timeout", KEY_SPAN, FIELD(connect_timeout), .min = (int64_t) USEC_PER_MSEC, .max = (int64_t) USEC_PER_HOUR, .fallback = "5s",
          .help = "How long one try to reach an instance may take before another one is tried.",
          .example = "1s" },
        { "sockets.max_connections", KEY_UINT32, FIELD(max_connections), .max = 1000000, .fallback = "0",
          .help = "How many connections the balancer has open at a time; more wait in the queue of the socket. 0: as many as it has descriptors for, "
                  "two for each.",
          .example = "10000" },
        { "sockets.reuseport", KEY_BOOL, FIELD(reuseport), .fallback = "false",
          .help = "A socket of its own for each instance, on the same address (SO_REUSEPORT), instead of one that they share.",
          .example = "true" },
        { "sockets.keepalive", KEY_BOOL, FIELD(keepalive), .fallback = "false",
          .help = "Look after quiet connections: SO_KEEPALIVE on those that are accepted from it. tcp only.",
          .example = "true" },
        { "sockets.nodelay", KEY_BOOL, FIELD(nodelay), .fallback = "false",
          .help = "Send small writes at once: TCP_NODELAY on those that are accepted from it. tcp only.",
          .example = "true" },
        { "sockets.freebind", KEY_BOOL, FIELD(freebind), .fallback = "false",
          .help = "Listen also on an address that this machine does not have yet (IP_FREEBIND).",
          .example = "true" },
        {},
};

void socket_init(SocketSpec *s) {
        *s = (SocketSpec) { .fd = SOCKET_FD_UNSET };
        for (const SpecKey *k = socket_keys; k->path; k++)
                if (k->fallback)
                        (void) entry_scalar_parse(k, s, k->fallback, NULL); /* only texts allocate, and those start empty */
}

/* "3, 1" as "3,1". */
int key_weights_parse(const SpecKey *k, void *field, const char *text) {
        char **to = field, *copy = malloc(strlen(text) + 1), *at = copy;

        if (!copy)
                return -ENOMEM;
        for (const char *p = text; *p; p++)
                if (*p != ' ')
                        *at++ = *p;
        *at = '\0';
        if (*copy && !socket_weights_valid(copy)) {
                free(copy);
                return -EINVAL;
        }
        free(*to);
        *to = *copy ? copy : NULL;
        if (!*to)
                free(copy);
        return 0;
}

/* ---- lists of them ---- */

bool key_sockets_equal(const void *a, const void *b) {
        const SocketList *x = a, *y = b;

        if (x->n != y->n)
                return false;
        for (size_t i = 0; i < x->n; i++)
                if (!socket_equal(x->items + i, y->items + i))
                        return false;
        return true;
}

void key_sockets_done(void *field) {
        socket_list_done(field);
}

int key_sockets_copy(void *to, const void *from) {
        const SocketList *l = from;
        SocketList copy = {};

        if (l->n > 0 && !(copy.items = calloc(l->n, sizeof(SocketSpec))))
                return -ENOMEM;
        for (; copy.n < l->n; copy.n++)
                if (socket_copy(copy.items + copy.n, l->items + copy.n) < 0) {
                        socket_list_done(&copy);
                        return -ENOMEM;
                }
        *(SocketList *) to = copy;
        return 0;
}

/* " (backlog: 5, reuseport: true)": what is not as it would be by itself. */
static int show_rest(Buffer *b, const SocketSpec *s) {
        size_t said = 0;
        int r = 0;

        for (const SpecKey *k = socket_keys + 1; k->path && r >= 0; k++) {
                _cleanup_free_ char *text = NULL;

                if (entry_key_is_default(k, s))
                        continue;
                r = entry_scalar_format(k, s, &text);
                if (r >= 0)
                        r = buffer_printf(b, "%s%s: %s", said++ == 0 ? " (" : ", ", strchr(k->path, '.') + 1, text);
        }
        return r < 0 || said == 0 ? r : buffer_append(b, ")", 1);
}

char *key_sockets_show(const SpecKey *k, const void *s) {
        const SocketList *l = key_field(k, s);
        _cleanup_buffer_ Buffer b = {};

        for (size_t i = 0; i < l->n; i++)
                if (buffer_printf(&b, "%s%s", i > 0 ? ", " : "", l->items[i].listen) < 0 || show_rest(&b, l->items + i) < 0)
                        return NULL;
        return TAKE_PTR(b.data);
}
