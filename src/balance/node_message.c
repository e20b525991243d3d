/* Must stay true: numbers and texts of a worker are used only after they were found to be of their kind and in their range. */
#include "balance/node_message.h"

#include <arpa/inet.h>
#include <json-c/json.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/un.h>

/* ---- what a worker says ---- */

#define DEPTH_MAX 16
#define FLAG_V6ONLY 1                  /* UV_TCP_IPV6ONLY and UV_UDP_IPV6ONLY of libuv's uv.h */
#define BACKLOG_MAX 65535

static const char *text_of(json_object *o, const char *key) {
        json_object *v = json_object_object_get(o, key);

        return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

static int64_t number_of(json_object *o, const char *key, int64_t fallback) {
        json_object *v = json_object_object_get(o, key);

        return json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : fallback;
}

/* "1.2.3.4", "::1", "fe80::1%eth0", or nothing: all addresses. */
static int set_ip(NodeQuery *q, const char *host, uint16_t port, bool v6) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *) &q->address;
        struct sockaddr_in *four = (struct sockaddr_in *) &q->address;
        char plain[INET6_ADDRSTRLEN + 1];
        size_t n = host ? strcspn(host, "%") : 0;

        q->address_size = v6 ? sizeof(*six) : sizeof(*four);
        if (v6)
                *six = (struct sockaddr_in6) { .sin6_family = AF_INET6, .sin6_port = htons(port) };
        else
                *four = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(port) };
        if (!host)
                return 0;
        if (n >= sizeof(plain))
                return EINVAL;
        memcpy(plain, host, n);
        plain[n] = '\0';
        if (v6 && host[n] == '%' && (six->sin6_scope_id = if_nametoindex(host + n + 1)) == 0)
                return EINVAL;
        return inet_pton(v6 ? AF_INET6 : AF_INET, plain, v6 ? (void *) &six->sin6_addr : &four->sin_addr) == 1 ? 0 : EINVAL;
}

/* The path is absolute, but for an abstract one, which begins with a NUL. */
static int set_path(NodeQuery *q, json_object *o) {
        struct sockaddr_un *un = (struct sockaddr_un *) &q->address;
        json_object *v = json_object_object_get(o, "address");
        const char *path = json_object_get_string(v);
        size_t n = json_object_is_type(v, json_type_string) ? (size_t) json_object_get_string_len(v) : 0;

        if (n < 2 || memchr(path + 1, '\0', n - 1))
                return EINVAL;
        if (n >= sizeof(un->sun_path))
                return ENAMETOOLONG;
        *un = (struct sockaddr_un) { .sun_family = AF_UNIX };
        memcpy(un->sun_path, path, n);
        q->address_size = (uint32_t) (offsetof(struct sockaddr_un, sun_path) + n + (path[0] != '\0'));
        return 0;
}

/* addressType is 4 or 6 of TCP, "udp4" or "udp6", -1 of a path. A TCP server that names no address says 4 and means all of both kinds (lib/net.js). */
static int set_address(NodeQuery *q, json_object *o) {
        const char *kind = text_of(o, "addressType"), *host = text_of(o, "address");
        int64_t port = number_of(o, "port", -1), family = number_of(o, "addressType", 0);
        bool udp = kind && (streq(kind, "udp4") || streq(kind, "udp6"));

        if (number_of(o, "fd", -1) >= 0)
                return ENOTSUP;
        if (port < 0)
                return udp ? EINVAL : set_path(q, o);
        if (port > UINT16_MAX || (!udp && family != 4 && family != 6))
                return EINVAL;
        if (udp)
                q->type = SOCK_DGRAM;
        return set_ip(q, host, (uint16_t) port, udp ? streq(kind, "udp6") : !host || family == 6);
}

/* Back to JSON, for siblings; what is longer than it ever was is left out. */
static void set_data(NodeQuery *q, json_object *o) {
        json_object *data = json_object_object_get(o, "data");
        const char *text = data ? json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN) : NULL;

        snprintf(q->data, sizeof(q->data), "%s", text && strlen(text) < sizeof(q->data) ? text : "null");
}

static void on_query(json_object *o, NodeMessage *ret) {
        NodeQuery *q = &ret->query;
        int64_t backlog = number_of(o, "backlog", 0), index = number_of(o, "index", 0);

        *q = (NodeQuery) { .type = SOCK_STREAM, .backlog = backlog > 0 ? (uint32_t) MIN(backlog, BACKLOG_MAX) : 0 };
        q->v6only = (number_of(o, "flags", 0) & FLAG_V6ONLY) != 0;
        q->index = index > 0 && index < UINT32_MAX ? (uint32_t) index : 0;
        q->error = set_address(q, o);
        set_data(q, o);
}

static void on_close(json_object *o, NodeMessage *ret) {
        const char *key = text_of(o, "key");
        char *end = NULL;
        unsigned long n = key && *key >= '0' && *key <= '9' ? strtoul(key, &end, 10) : 0;

        ret->front = end && *end == '\0' && n <= UINT32_MAX ? (uint32_t) n : 0;
}

typedef struct Act { const char *name; NodeAct act; void (*read)(json_object *o, NodeMessage *ret); } Act;

static const Act acts[] = {
        { "queryServer", NODE_QUERY, on_query },
        { "listening", NODE_NOTHING, NULL },   /* follows from our answer */
        { "close", NODE_CLOSED, on_close },
        { "exitedAfterDisconnect", NODE_LEAVING, NULL },
        { "online", NODE_NOTHING, NULL },
};

static void read_cluster(json_object *o, NodeMessage *ret) {
        const char *name = text_of(o, "act");
        int64_t ack = number_of(o, "ack", -1), seq = number_of(o, "seq", -1);

        ret->seq = seq >= 0 ? (uint64_t) seq : 0;
        if (ack >= 0 && !name) {
                ret->act = NODE_ACCEPTED;
                ret->ack = (uint64_t) ack;
                ret->accepted = json_object_get_boolean(json_object_object_get(o, "accepted"));
                return;
        }
        for (size_t i = 0; name && i < ARRAY_SIZE(acts); i++)
                if (streq(acts[i].name, name)) {
                        ret->act = acts[i].act;
                        if (acts[i].read)
                                acts[i].read(o, ret);
                        return;
                }
        ret->act = NODE_UNKNOWN;
        snprintf(ret->word, sizeof(ret->word), "%s", name ?: "");
}

static void read_object(json_object *o, NodeMessage *ret) {
        const char *cmd = text_of(o, "cmd");

        if (!cmd)
                return;
        if (streq(cmd, "NODE_CLUSTER"))
                read_cluster(o, ret);
        else if (streq(cmd, "NODE_HANDLE"))
                ret->act = NODE_HANDLE;
        else if (streq(cmd, "NODE_HANDLE_ACK"))
                ret->act = NODE_GOT;
        else if (streq(cmd, "NODE_HANDLE_NACK"))
                ret->act = NODE_LOST;
}

/* Cheap, for an application may say much of its own: only what may concern us is taken apart. */
static bool concerns(const char *line, size_t n) {
        return n > 1 && ((line[0] == '"' && n < 256) || (line[0] == '{' && memmem(line, n, "NODE_", strlen("NODE_"))));
}

void node_message_parse(const char *line, size_t n, NodeMessage *ret) {
        json_tokener *tokener;
        json_object *o;

        *ret = (NodeMessage) { .act = NODE_NOTHING };
        if (n > NODE_LINE_MAX || !concerns(line, n) || !(tokener = json_tokener_new_ex(DEPTH_MAX)))
                return;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
        o = json_tokener_parse_ex(tokener, line, (int) n);
        if (o && json_tokener_get_parse_end(tokener) == n && json_object_is_type(o, json_type_object))
                read_object(o, ret);
        else if (o && json_object_is_type(o, json_type_string) && json_object_get_string_len(o) < (int) sizeof(ret->word)) {
                ret->act = NODE_WORD;
                snprintf(ret->word, sizeof(ret->word), "%s", json_object_get_string(o));
        }
        json_object_put(o);
        json_tokener_free(tokener);
}

/* ---- what we say ---- */

static size_t made(int n) {
        return n > 0 && n < NODE_OUT_MAX ? (size_t) n : 0;
}

/* ,"sockname":{…} as getsockname of libuv's handles has it; nothing for what is no TCP. */
static void format_sockname(const struct sockaddr_storage *a, char out[128]) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *) a;
        const struct sockaddr_in *four = (const struct sockaddr_in *) a;
        bool v6 = a && a->ss_family == AF_INET6;
        char host[INET6_ADDRSTRLEN] = "";

        out[0] = '\0';
        if (!a || (!v6 && a->ss_family != AF_INET))
                return;
        (void) inet_ntop(a->ss_family, v6 ? (const void *) &six->sin6_addr : &four->sin_addr, host, sizeof(host));
        snprintf(out, 128, ",\"sockname\":{\"address\":\"%s\",\"family\":\"IPv%c\",\"port\":%u}", host, v6 ? '6' : '4',
                 (unsigned) ntohs(v6 ? six->sin6_port : four->sin_port));
}

/* uv_tcp_t, uv_pipe_t or uv_udp_t is made of a descriptor by its kind, so the names only have to be ones that hand it on as it is. */
static size_t wrapped(NodeOut out, const char *type, const char *inner) {
        return made(snprintf(out, NODE_OUT_MAX, "{\"cmd\":\"NODE_HANDLE\",\"type\":\"%s\",\"msg\":%s}\n", type, inner));
}

size_t node_message_reply(NodeOut out, uint64_t ack, uint64_t seq, uint32_t front, int error, const struct sockaddr_storage *sockname, bool shared, const char *data) {
        char inner[NODE_OUT_MAX - 128], name[128], number[16] = "null";
        int n;

        format_sockname(error || shared ? NULL : sockname, name);
        if (error)
                snprintf(number, sizeof(number), "%d", -error);
        else if (shared)
                snprintf(number, sizeof(number), "0");
        n = snprintf(inner, sizeof(inner), "{\"cmd\":\"NODE_CLUSTER\",\"errno\":%s,\"key\":\"%" PRIu32 "\",\"ack\":%" PRIu64 ",\"data\":%s%s,\"seq\":%" PRIu64 "}",
                     number, front, ack, *data ? data : "null", name, seq);
        if (n < 0 || n >= (int) sizeof(inner))
                return 0;
        return shared && !error ? wrapped(out, "dgram.Native", inner) : made(snprintf(out, NODE_OUT_MAX, "%s\n", inner));
}

size_t node_message_connection(NodeOut out, uint64_t seq, uint32_t front) {
        return made(snprintf(out, NODE_OUT_MAX,
                             "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{\"cmd\":\"NODE_CLUSTER\",\"act\":\"newconn\",\"key\":\"%" PRIu32
                             "\",\"seq\":%" PRIu64 "}}\n", front, seq));
}

size_t node_message_disconnect(NodeOut out, uint64_t seq) {
        return made(snprintf(out, NODE_OUT_MAX, "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"disconnect\",\"seq\":%" PRIu64 "}\n", seq));
}

size_t node_message_acknowledge(NodeOut out, uint64_t ack, uint64_t seq) {
        return made(snprintf(out, NODE_OUT_MAX, "{\"cmd\":\"NODE_CLUSTER\",\"ack\":%" PRIu64 ",\"seq\":%" PRIu64 "}\n", ack, seq));
}

size_t node_message_got(NodeOut out) {
        return made(snprintf(out, NODE_OUT_MAX, "{\"cmd\":\"NODE_HANDLE_ACK\"}\n"));
}

size_t node_message_drain(NodeOut out) {
        return made(snprintf(out, NODE_OUT_MAX, "{\"cmd\":\"NODE_KINGLY\",\"act\":\"drain\"}\n"));
}
