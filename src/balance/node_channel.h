/* One worker of Node's cluster module: the IPC channel to it, what it said that is not dealt with yet, and the connections that it was given and has not
 * taken yet. A connection is closed here only when the worker has said that it took it; until then it can be given to another. */
#pragma once

#include "balance/node_message.h"
#include "base/span.h"
#include "linux/poller.h"

/* Connections on their way to a worker. Node's own primary sends one and waits; a few keep a worker busy without a queue of its own to grow. */
#define NODE_PENDING_MAX 4
/* A worker that is busy for so long may have more; what it has got it keeps. */
#define NODE_PENDING_TIME (10 * USEC_PER_SEC)

typedef struct NodeChannel NodeChannel;

/* What comes of what it says. None may free the channel but gone(), after which nothing of it is touched. */
typedef struct NodeOwner {
        void (*query)(NodeChannel *c, uint64_t seq, const NodeQuery *q);       /* to be answered by node_channel_reply() */
        void (*closed)(NodeChannel *c, uint32_t front);        /* it serves this front no more */
        void (*word)(NodeChannel *c, const char *word);
        void (*accepted)(NodeChannel *c, uint32_t front);      /* there is room for another */
        void (*refused)(NodeChannel *c, uint32_t front, int fd);       /* takes fd: another is to have it */
        void (*strange)(NodeChannel *c, const char *act);      /* said once: it speaks another protocol than we do */
        void (*gone)(NodeChannel *c);  /* closed by the other end; whoever owns it frees it. Connections on their way were refused before */
} NodeOwner;

typedef struct NodePending {
        uint64_t seq;
        uint32_t front;
        int fd;                        /* -EBADF: free */
        bool delivered;                /* the descriptor arrived */
        usec_t forget_at;
} NodePending;

struct NodeChannel {
        PollSource source;             /* .fd is the channel, owned */
        Poller *poller;
        const NodeOwner *owner;
        void *userdata;
        uint64_t back;                 /* whose it is, for the owner */
        uint64_t seq;                  /* of our next message */
        NodePending pending[NODE_PENDING_MAX];         /* in the order they were sent */
        size_t n_pending;
        bool skips;                    /* inside a line that is too long */
        bool strange;                  /* said so */
        bool leaving;                  /* was told to disconnect, or said that it does */
        bool is_gone;
        size_t n_line;
        char line[NODE_LINE_MAX];
        size_t n_out;                  /* what did not fit the channel, without descriptors */
        char out[4 * NODE_OUT_MAX];
};

/* Takes fd on success. -ENOMEM and what epoll_ctl(2) says. */
int node_channel_new(Poller *poller, const NodeOwner *owner, void *userdata, uint64_t back, int fd, NodeChannel **ret);
/* Closes the channel: a worker that was not told to disconnect ends at once. Connections on their way are closed as well. */
NodeChannel *node_channel_free(NodeChannel *c);

bool node_channel_has_room(const NodeChannel *c);
/* Whether a connection is on its way to it. */
static inline bool node_channel_busy(const NodeChannel *c) { return c->n_pending > 0; }
/* Lets go of those whose answer must have been lost. When it is to be called again, CLOCK_MONOTONIC; USEC_INFINITY: not at all. */
usec_t node_channel_expire(NodeChannel *c, usec_t now);
/* Gives it a connection of a front. Takes fd with 0; -EAGAIN: it has no room; else -errno: it is gone or as good as. */
int node_channel_give(NodeChannel *c, uint32_t front, int fd);
/* Answers a query. shared: the socket itself (borrowed), or -1. */
int node_channel_reply(NodeChannel *c, uint64_t ack, uint32_t front, int error, const struct sockaddr_storage *sockname, int shared, const char *data);
/* The hook of ours that a worker may have loaded ends kept-alive connections from now on. */
int node_channel_drain(NodeChannel *c);
/* It closes its servers, lets what it has end, closes the channel: gone() follows. */
int node_channel_disconnect(NodeChannel *c);
