/* What a worker of Node's cluster module and its primary say to each other on the IPC channel: lines of JSON, one message each, a descriptor with some.
 * The primary is we. Documented nowhere but in Node's own lib/internal/cluster/{child,primary,round_robin_handle,shared_handle}.js and
 * lib/internal/child_process.js; the same in Node 16 to 26, against whose even majors it is tested (tests/scenario/test_cluster.py).
 *
 * Pure, but for the name of an interface in an address such as fe80::1%eth0. */
#pragma once

#include <sys/socket.h>

#include "base/macro.h"

#define NODE_LINE_MAX 8192             /* bytes; what is longer is of the application's own and passed over */
#define NODE_DATA_MAX 1024             /* of what a server hands to its siblings by the primary: the session ticket keys of TLS, 120 bytes or so */
#define NODE_KEY_MAX 16                /* of a socket, with its NUL: the number of its front */
#define NODE_OUT_MAX 2048              /* the longest message that we make, with its NUL */

typedef enum NodeAct {
        NODE_NOTHING,                  /* of the application's own, or none of our business */
        NODE_WORD,                     /* a string: process.send('ready') */
        NODE_QUERY,                    /* a server wants to listen */
        NODE_CLOSED,                   /* a server was closed */
        NODE_LEAVING,                  /* worker.disconnect() was called: it closes all, then the channel. Waits for an answer */
        NODE_ACCEPTED,                 /* the answer to a connection */
        NODE_GOT, NODE_LOST,           /* a descriptor of ours arrived, or did not */
        NODE_HANDLE,                   /* a descriptor that nobody asked for. The worker says nothing more until it is acknowledged */
        NODE_UNKNOWN,                  /* an act of the cluster protocol that is not known here */
} NodeAct;

typedef struct NodeQuery {
        struct sockaddr_storage address;
        uint32_t address_size;
        int type;                      /* SOCK_STREAM or SOCK_DGRAM */
        bool v6only;
        uint32_t backlog;              /* 0: none said */
        uint32_t index;                /* of port 0: the how many-th of this worker; the same ones of all workers share a port */
        int error;                     /* positive errno: cannot be done, whatever is open */
        char data[NODE_DATA_MAX];      /* JSON */
} NodeQuery;

typedef struct NodeMessage {
        NodeAct act;
        uint64_t seq;                  /* by which it wants to be answered */
        uint64_t ack;                  /* ACCEPTED: whose answer this is */
        bool accepted;
        uint32_t front;                /* CLOSED: by our key; 0: none of ours */
        char word[256];                /* WORD: shorter ones only. UNKNOWN: its act */
        NodeQuery query;
} NodeMessage;

/* One line, without its newline. Never fails: what is malformed is NODE_NOTHING. */
void node_message_parse(const char *line, size_t n, NodeMessage *ret);

/* Each makes a line, newline included, in out; returns its size, which is 0 when it would be longer than NODE_OUT_MAX. */
typedef char NodeOut[NODE_OUT_MAX];

/* The answer to a query. error: positive errno, or 0; `sockname` (may be NULL) is where it listens. shared: the socket itself goes along. data: JSON. */
size_t node_message_reply(NodeOut out, uint64_t ack, uint64_t seq, uint32_t front, int error, const struct sockaddr_storage *sockname, bool shared, const char *data);
/* A connection goes along. */
size_t node_message_connection(NodeOut out, uint64_t seq, uint32_t front);
/* It shall close its servers, let its connections end, and then the channel. */
size_t node_message_disconnect(NodeOut out, uint64_t seq);
size_t node_message_acknowledge(NodeOut out, uint64_t ack, uint64_t seq);
/* Answers NODE_HANDLE. */
size_t node_message_got(NodeOut out);
/* Said before the disconnect, to the hook that ends kept-alive connections with their next answer (contrib/node/drain.cjs); passed over without it. */
size_t node_message_drain(NodeOut out);
