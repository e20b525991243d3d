/* The protocol between manager and balancer (kingd-balancer): fixed binary messages, one per SOCK_SEQPACKET packet, descriptors by SCM_RIGHTS.
 *
 * Same machine, same build or its neighbour: host byte order, natural alignment, a version in HELLO. Each side checks every packet before use
 * (balance_wire_check()); an unknown type is ignored, a malformed packet is asked for again (balancer: MISSED) or fails the wire (manager).
 *
 * The manager states how things shall be, and may state it all again at any time: the same id replaces. A new manager on an old wire, and one that was
 * told MISSED, says HELLO, each FRONT and BACK, then STATED: what was not stated by then is gone. The balancer never waits for the manager: what does not
 * fit the wire is kept (DRAINED, TROUBLE, CLOSED, MISSED: one each) or dropped (SAID, beyond BALANCE_WORDS_MAX), and ASK tells the whole state at any time.
 * It goes on balancing while nobody listens. When all copies of the other end are closed, it accepts nothing more, lets what is open end, and ends itself.
 *
 * A front is a listening socket. A back is where its connections go: an ADDRESS to connect to, or a CHANNEL, the IPC channel of a Node process, to which
 * they are handed by the cluster protocol. Back ids are the manager's; with kind ADDRESS the pair (front, back) names one, so an instance may be known by the
 * same id in several fronts. A CHANNEL is stated once with front 0 and the descriptor, and once for each front it belongs to without one. */
#pragma once

#include <sys/socket.h>

#include "base/macro.h"
#include "model/balance.h"

#define BALANCE_WIRE_VERSION 1
#define BALANCE_WIRE_FD 3              /* the balancer finds its end of the pair here */
#define BALANCE_WIRE_MAX 1024          /* bytes a packet; each is smaller */
#define BALANCE_FRONTS_MAX 256
#define BALANCE_BACKS_MAX 4096         /* (front, back) pairs and channels together */
#define BALANCE_TEXT_MAX 256           /* with its NUL */
#define BALANCE_NAME_MAX 64            /* with its NUL */
#define BALANCE_WORDS_MAX 256          /* SAID and LISTEN that wait for room on the wire */
#define BALANCE_RETRIES_MAX 16

typedef enum BalanceType {
        /* manager → balancer */
        BALANCE_HELLO = 1,             /* BalanceHello; answered by HELLO. What follows is a statement, up to STATED */
        BALANCE_FRONT,                 /* BalanceFront + 1 fd, the listening socket; the same one may come again */
        BALANCE_FRONT_GONE,            /* BalanceFrontGone: accepts no more there and closes the socket; what is open goes on */
        BALANCE_BACK,                  /* BalanceBackState + 1 fd for a CHANNEL with front 0 */
        BALANCE_BACK_GONE,             /* BalanceBackName: its process has ended. What is open on it ends as the kernel says, when its last words are delivered. Front 0: in
                                        * all fronts, and the channel is closed */
        BALANCE_STATED,                /* BalanceHeader: fronts not stated since HELLO are gone, backs not stated are DRAINING */
        BALANCE_ASK,                   /* BalanceSerial: answered by COUNTS… and COUNTS_END */
        BALANCE_LISTEN_REFUSED,        /* BalanceRefused: the answer to a LISTEN that is not answered by a FRONT of its serial */
        BALANCE_LEAVE,                 /* BalanceLeave: another takes its place: close the listening sockets, let what is open end, end */
        /* balancer → manager. HELLO is the answer to HELLO, and said to nobody else */
        BALANCE_COUNTS = 64,           /* BalanceCounts: one for each front (back 0) and each (front, back) */
        BALANCE_COUNTS_END,            /* BalanceSerial */
        BALANCE_DRAINED,               /* BalanceBackName: said for each BACK stated as DRAINING, once: when nothing is open on it, or what its `settles` says, which may be at once */
        BALANCE_TROUBLE,               /* BalanceTrouble: at the edge into and out of it */
        BALANCE_LISTEN,                /* BalanceListen: a Node process wants to listen; answered by FRONT with its serial, or LISTEN_REFUSED */
        BALANCE_SAID,                  /* BalanceSaid: a word on a channel that is none of the cluster protocol, such as "ready" */
        BALANCE_CLOSED,                /* BalanceBackName: the channel's other end is closed (front 0), or its server on that front */
        BALANCE_MISSED,                /* BalanceMissed: something that was stated could not be taken in; answered by HELLO and a whole statement */
        BALANCE_STRANGE,               /* BalanceSaid: an act of the cluster protocol that is not known here; the first of each channel */
} BalanceType;

typedef struct BalanceHeader { uint32_t type, size; } BalanceHeader;    /* size: of the whole packet, must equal what was received */

typedef struct BalanceHello {
        BalanceHeader h;
        uint32_t version;
        int32_t pid;                   /* filled by the balancer */
        char program[32];              /* version of the program */
} BalanceHello;

/* What is put before the bytes of a connection: the PROXY protocol of haproxy (proxy-protocol.txt), sections 2.1 and 2.2. */
typedef enum ProxyProtocol { PROXY_NONE, PROXY_V1, PROXY_V2, _PROXY_PROTOCOL_MAX } ProxyProtocol;

enum {
        FRONT_KEEPALIVE = 1 << 0,      /* SO_KEEPALIVE on both sides of each TCP connection */
        FRONT_SHARED = 1 << 1,         /* nothing is accepted: the socket itself is handed to the channels that ask for it (UDP of Node) */
        FRONT_KNOWN = (1 << 2) - 1,
};

typedef struct BalanceFront {
        BalanceHeader h;
        uint32_t front;                /* never 0 */
        uint32_t serial;               /* of the LISTEN that this answers; 0: of none */
        uint32_t strategy;             /* BalanceStrategy, not KERNEL */
        uint32_t affinity;             /* BalanceAffinity */
        uint32_t proxy;                /* ProxyProtocol; of no account to channels */
        uint32_t retries;              /* other backs tried after a refusal or timeout, at most BALANCE_RETRIES_MAX */
        uint32_t max_connections;      /* open at a time; more wait in the queue of the socket. 0: as many as there are descriptors for */
        uint32_t flags;                /* FRONT_… */
        uint64_t connect_timeout;      /* microseconds for one try, not 0 */
        uint64_t wait_timeout;         /* so long (microseconds) connections wait when no back is ACTIVE; then they are closed. 0: for ever */
        char name[BALANCE_NAME_MAX];   /* for messages */
} BalanceFront;

typedef struct BalanceFrontGone { BalanceHeader h; uint32_t front, pad; } BalanceFrontGone;

typedef enum BackKind { BACK_ADDRESS, BACK_CHANNEL, _BACK_KIND_MAX } BackKind;

typedef struct BalanceBackState {
        BalanceHeader h;
        uint64_t back;                 /* never 0 */
        uint32_t front;                /* that it belongs to; 0: the channel itself, with its descriptor */
        uint32_t kind;                 /* BackKind */
        uint32_t state;                /* BackState; of a channel's front 0 it is of no account */
        uint32_t weight;               /* 1 … BALANCE_WEIGHT_MAX */
        uint64_t affinity;             /* what AFFINITY_SOURCE knows it by (an instance keeps its clients over a reload by it); 0: its id */
        uint32_t address_size;         /* of ADDRESS: AF_INET, AF_INET6 or AF_UNIX; else 0 */
        uint32_t settles;              /* DRAINED when each connection has had its first bytes from the back, which knows by then that it has it; 0: when none is open */
        struct sockaddr_storage address;
} BalanceBackState;

typedef struct BalanceBackName { BalanceHeader h; uint64_t back; uint32_t front, pad; } BalanceBackName;
typedef struct BalanceSerial { BalanceHeader h; uint32_t serial, pad; } BalanceSerial;
typedef struct BalanceRefused { BalanceHeader h; uint32_t serial; int32_t error; } BalanceRefused;      /* positive errno */
typedef struct BalanceLeave { BalanceHeader h; uint64_t within; } BalanceLeave;  /* microseconds; what is open then is cut. 0: never */
typedef struct BalanceSaid { BalanceHeader h; uint64_t back; char text[BALANCE_TEXT_MAX]; } BalanceSaid;

typedef struct BalanceCounts {
        BalanceHeader h;
        uint64_t back;                 /* 0: of the front itself */
        uint32_t front;
        uint32_t state;                /* BackState */
        uint32_t open;                 /* connections now */
        int32_t trouble;               /* positive errno while it is in trouble, else 0 */
        uint64_t total;                /* since it was first stated: connections made */
        uint64_t failed;               /* tries that failed; of a front: clients that no back took */
        uint64_t bytes_in, bytes_out;  /* from clients, to clients; 0 of a channel */
} BalanceCounts;

typedef struct BalanceTrouble {
        BalanceHeader h;
        uint64_t back;                 /* 0: the front itself: EMFILE, ENFILE, ENOMEM: nothing is accepted for a while */
        uint32_t front;
        int32_t error;                 /* positive errno: ECONNREFUSED, ETIMEDOUT …; 0: it is over */
} BalanceTrouble;

typedef struct BalanceMissed { BalanceHeader h; int32_t error; uint32_t pad; } BalanceMissed;    /* positive errno */

typedef struct BalanceListen {
        BalanceHeader h;
        uint64_t back;
        uint32_t serial;               /* never 0 */
        int32_t backlog;               /* 0: none said */
        uint32_t type;                 /* SOCK_STREAM or SOCK_DGRAM */
        uint32_t flags;                /* LISTEN_V6ONLY */
        uint32_t address_size;         /* port 0: any that is free */
        uint32_t index;                /* and then how many such ones this worker asked for before: those with one number share a port */
        struct sockaddr_storage address;
} BalanceListen;
enum { LISTEN_V6ONLY = 1 << 0, LISTEN_KNOWN = (1 << 1) - 1 };

const char *balance_type_name(uint32_t type);

/* Whether `size` bytes hold an address of AF_INET, AF_INET6 or AF_UNIX (with a name). */
bool balance_address_valid(const struct sockaddr_storage *address, uint32_t size);

/* Checks every length and number of a received packet (aligned for uint64_t) against `size` bytes, from either side. 0 or -EBADMSG. Texts are known to be
 * terminated after it. An unknown type passes when its header is honest: the receiver ignores it and closes what came along. */
int balance_wire_check(const void *packet, size_t size, size_t n_fds);
