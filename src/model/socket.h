/* A listening socket as a file writes it: where it listens, and what kind it is. Pure: addresses are numbers or paths, no name is looked up. */
#pragma once

#include "base/error.h"
#include "base/macro.h"
#include "base/span.h"

typedef enum SocketType { SOCKET_AUTO, SOCKET_TCP, SOCKET_UDP, SOCKET_STREAM, SOCKET_DATAGRAM, SOCKET_SEQPACKET, _SOCKET_TYPE_MAX } SocketType;

#define SOCKETS_MAX 32                 /* of one service: they pass with its other descriptors in one packet */
#define SOCKET_FD_UNSET INT32_MIN      /* in the order of the list, from 3 */
#define SOCKET_FIRST_FD 3

/* One entry of `sockets:`. */
typedef struct SocketSpec {
        char *listen;                  /* as written */
        char *name;                    /* in LISTEN_FDNAMES; NULL: the service's name */
        int type;                      /* SocketType; SOCKET_AUTO: after the address */
        int balance;                   /* among the instances; 0: the kernel, by the one socket they share or with reuseport */
        int affinity;                  /* BalanceAffinity; with a balance of ours */
        int proxy_protocol;            /* 0: none; 1, 2: the header of that version goes before the bytes of each connection */
        char *weights;                 /* "3,1": of instance 0, 1, …; those beyond it have 1. NULL: 1 each */
        usec_t connect_timeout;        /* of one try to reach an instance */
        uint32_t max_connections;      /* that the balancer has open at a time; 0: any number */
        char *user, *group;            /* of the file of a unix socket, by name or number; NULL: those the service runs as */
        uint32_t mode;                 /* of that file */
        uint32_t backlog;              /* connections that wait to be accepted */
        int32_t fd;                    /* number the service finds it at, 0 or from 3; SOCKET_FD_UNSET */
        bool reuseport;                /* SO_REUSEPORT, and a socket of its own for each instance */
        bool keepalive, nodelay, freebind;
} SocketSpec;

typedef struct SocketList { SocketSpec *items; size_t n; } SocketList;

typedef enum SocketFamily {
        SOCKET_ANY,                    /* a port alone: every address, IPv6 and IPv4 */
        SOCKET_INET, SOCKET_INET6, SOCKET_PATH, SOCKET_ABSTRACT,
} SocketFamily;

#define SOCKET_TEXT_MAX 160            /* of an address as text, NUL included; sun_path has 108 */

typedef struct SocketAddress {
        SocketFamily family;
        uint16_t port;                 /* 1…65535; 0: a unix socket */
        uint8_t ip[16];                /* network order; four bytes of SOCKET_INET */
        char host[48];                 /* canonical (inet_ntop(3)); "" for SOCKET_ANY and unix sockets */
        char scope[16];                /* "eth0" of fe80::1%eth0, or "" */
        char path[108];                /* SOCKET_PATH: absolute; SOCKET_ABSTRACT: without the @; no NUL inside */
} SocketAddress;

/* "127.0.0.1:8080", "[::1]:8080", "8080", ":8080", "*:8080", "localhost:8080" (127.0.0.1), "/run/x.sock", "@abstract". 0, or -EINVAL with what is
 * wrong in *ret_why (static; may be NULL). */
int socket_address_parse(const char *text, SocketAddress *ret, const char **ret_why);
/* As it would be written, canonical, into buf. */
const char *socket_address_format(const SocketAddress *a, char buf[SOCKET_TEXT_MAX]);
/* What one connects to from this machine: 127.0.0.1 and ::1 for the addresses that mean all. "" for unix sockets. */
const char *socket_connect_host(const SocketAddress *a);
static inline bool socket_is_unix(const SocketAddress *a) { return a->family == SOCKET_PATH || a->family == SOCKET_ABSTRACT; }
bool socket_loopback(const SocketAddress *a);

/* What it is, where the file leaves it to the address. */
SocketType socket_type(const SocketSpec *s, const SocketAddress *a);
static inline bool socket_type_accepts(SocketType t) { return t == SOCKET_TCP || t == SOCKET_STREAM || t == SOCKET_SEQPACKET; }
/* Its connections are spread by a balancer (balanced.h), and each instance has a private socket in its place. */
static inline bool socket_balanced(const SocketSpec *s) { return s->balance != 0; }
#define SOCKET_WEIGHT_MAX 1000
bool socket_weights_valid(const char *text);   /* "3,1"; NULL is */
/* Of an instance among the others: 1 … SOCKET_WEIGHT_MAX. */
uint32_t socket_weight(const SocketSpec *s, unsigned instance);
const char *socket_type_name(SocketType t);   /* "tcp" "udp" "unix-stream" "unix-datagram" "seqpacket" */
/* The name in LISTEN_FDNAMES. */
static inline const char *socket_name(const SocketSpec *s, const char *service) { return s->name ?: service; }

/* Which socket it is: entries of equal identity are the same open socket, whatever else is changed about them. */
bool socket_same(const SocketSpec *a, const SocketSpec *b);
/* Whether the kernel would refuse the one while the other is open. */
bool socket_conflict(const SocketSpec *a, const SocketSpec *b);
bool socket_equal(const SocketSpec *a, const SocketSpec *b);   /* in everything */
void socket_init(SocketSpec *s);                               /* all defaults */
void socket_done(SocketSpec *s);
int socket_copy(SocketSpec *to, const SocketSpec *from);       /* 0 or -ENOMEM, then `to` owns nothing */
void socket_list_done(SocketList *l);
/* The descriptor that each entry of the list gets: numbers[l->n], chosen ones first, the others in their order at what is free from 3. -EINVAL when
 * one is chosen twice or there is a gap. */
int socket_numbers(const SocketList *l, int32_t numbers[]);
/* The entry that is to be standard input (fd: 0), or -1. */
ssize_t socket_stdin(const SocketList *l);
/* What the rules of one entry, and of them together, say. 0, or -EINVAL with reterr. */
int socket_list_validate(const SocketList *l, KlError *reterr);
