/* The balancer inside: balancer.c is the loop and its deadlines, hear.c and say.c the manager's wire, front.c accepts, back.c knows who can take a
 * connection, connection.c brings the two together, relay.c moves the bytes. */
#pragma once

#include <sys/queue.h>

#include "balance/balance_wire.h"
#include "balance/balancer.h"
#include "base/span.h"
#include "linux/poller.h"

#define RELAY_BUFFER (32 * 1024)       /* bytes read at a time; what fills it is moved by splice(2) from then on */
#define RELAY_TURN (512 * 1024)        /* bytes of one direction before the other connections have their turn */
#define ACCEPTS_A_TURN 64
#define PIPES_IDLE 64                  /* kept for the next who needs one */
#define FDS_RESERVED 64
#define ACCEPT_PAUSE (100 * USEC_PER_MSEC)     /* after EMFILE and its like */
#define BUSY_PAUSE (5 * USEC_PER_MSEC)         /* until a unix socket whose queue was full is tried again */
#define TROUBLE_FIRST (100 * USEC_PER_MSEC)    /* a back that refuses is left out for so long, twice as long the next time … */
#define TROUBLE_MAX (5 * USEC_PER_SEC)
#define MISSED_FIRST (100 * USEC_PER_MSEC)     /* what could not be taken in is asked for again after so long, twice as long the next time … */
#define MISSED_MAX (60 * USEC_PER_SEC)
#define ORPHAN_MAX USEC_PER_HOUR       /* so long connections may go on when the wire is closed for good */

/* What the machine is short of (positive errno): no fault of who is spoken to, and over when it is over. */
static inline bool is_want(int error) {
        return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

typedef struct Balancer Balancer;
typedef struct Front Front;
typedef struct Back Back;
typedef struct Connection Connection;
typedef struct Pipe Pipe;
typedef struct Worker Worker;
typedef TAILQ_HEAD(ConnectionQueue, Connection) ConnectionQueue;

struct Back {
        Front *front;
        uint64_t id;
        BackKind kind;
        Worker *worker;                /* of a CHANNEL; NULL: gone */
        BackState state;
        struct sockaddr_storage address;
        socklen_t address_size;
        size_t at;                     /* in front->backs and front->lots */
        unsigned failures;             /* tries that failed in a row */
        int trouble;                   /* positive errno of the last of them; 0: none */
        usec_t out_until;              /* CLOCK_MONOTONIC: gets nothing before */
        bool trying;                   /* in trouble, and one connection finds out whether it is over */
        bool stated;                   /* since HELLO */
        bool settles;                  /* as told */
        bool drained;                  /* DRAINED was said, or is due, since it was told to drain */
        bool leftover;                 /* not stated any more: freed when nothing is open on it */
        bool drained_due, trouble_due; /* the manager is to be told */
        uint64_t total, failed, bytes_in, bytes_out;
        ConnectionQueue connections;   /* being made and open */
};

struct Front {
        Balancer *balancer;
        BalanceFront told;             /* as the manager said it last */
        PollSource listener;           /* -EBADF: gone, or shared */
        int family;
        ino_t inode;                   /* which socket it is */
        char *node_data;               /* what the servers of workers share (worker.c); owned */
        Back **backs;
        BalanceBack *lots;             /* of each back what the strategy sees; .open is kept there */
        size_t n_backs;
        uint32_t open;                 /* connections, those included that wait or are being made */
        ConnectionQueue connecting;    /* by deadline */
        ConnectionQueue waiting;       /* for a back, the oldest first */
        usec_t paused_until;           /* nothing is accepted before: too few descriptors, too little memory. 0: not paused */
        usec_t dry_since;              /* no back could take a connection since then; 0: one can */
        int trouble;
        bool gone, stated, dirty, trouble_due;
        unsigned holds;
        uint64_t total, failed;
};

/* One of a connection's two sockets. Edges are told by epoll; what they said is kept here until a call says otherwise. */
typedef struct Side {
        PollSource source;
        bool readable, writable;
        bool ended;                    /* there is an end or an error behind what can be read: read on until it comes */
        bool watched_out;              /* EPOLLOUT is told too */
} Side;

/* One direction. */
typedef struct Flow {
        char *kept;                    /* read, but not written yet; owned */
        uint32_t kept_at, kept_size;
        bool bulk;                     /* by splice(2) */
        bool eof;                      /* nothing more comes */
        bool done;                     /* and the other side has been told */
        Pipe *pipe;                    /* while it is moved by splice(2) */
} Flow;

typedef enum ConnectionState { CONNECTION_WAITING, CONNECTION_CONNECTING, CONNECTION_OPEN, CONNECTION_GIVEN } ConnectionState;

struct Connection {
        Side client, server;
        Flow in, out;                  /* client → server, server → client */
        Front *front;
        Back *back;                    /* NULL: WAITING */
        ConnectionState state;
        uint32_t tries;
        usec_t arrived, deadline;      /* CLOCK_MONOTONIC */
        uint64_t source;               /* balance_hash() of the client's address */
        bool answered;                 /* its first bytes from the back have come */
        bool again;                    /* in balancer->again */
        TAILQ_ENTRY(Connection) queue; /* of the front, by its state */
        TAILQ_ENTRY(Connection) siblings;      /* in back->connections */
        TAILQ_ENTRY(Connection) turn;  /* in balancer->again */
};

struct Pipe { int ends[2]; size_t fill; Pipe *next; };

struct Balancer {
        Poller poller;
        PollSource wire;               /* -EBADF when it is closed for good */
        bool wire_full;                /* EPOLLOUT is awaited */
        bool say_due;                  /* some front or back has something to say */
        bool leaving;                  /* accepts nothing more, ends with the last connection */
        bool dirty;                    /* some front has to be settled */
        bool full;                     /* a front does not accept because of open_max */
        usec_t now;                    /* balancer_now() of this wake-up, or 0 */
        usec_t due;                    /* nothing has a deadline before */
        usec_t leave_at;               /* what is open then is cut */
        int missed;                    /* positive errno: of what was stated something could not be taken in; 0: it is all here */
        usec_t missed_at, missed_pause;    /* then it is asked for, and not before the next such pause again; 0: has been */
        Front **fronts;
        size_t n_fronts, n_backs;
        Worker *workers;               /* backs that are channels: worker.c */
        size_t n_workers;
        uint32_t listen_serial;        /* of the last LISTEN */
        uint32_t open, open_max;
        uint64_t random;
        ConnectionQueue again;         /* had their turn and have more to do */
        Pipe *pipes;                   /* idle ones */
        size_t n_pipes, n_pipes_idle, pipes_max;
        bool asking;                   /* an ASK is being answered */
        uint32_t ask_serial;
        size_t ask_front, ask_back;    /* the next; back 0 is the front itself */
        char *words;                   /* BALANCE_WORDS_MAX packets that wait for room on the wire; NULL: none yet */
        size_t words_first, n_words;
        char buffer[RELAY_BUFFER];
};

/* balancer.c */
usec_t balancer_now(Balancer *b);                       /* CLOCK_MONOTONIC, asked once for each wake-up */
void balancer_due(Balancer *b, usec_t when);
uint64_t balancer_random(Balancer *b);
void balancer_leave(Balancer *b, usec_t at);
void balancer_missed(Balancer *b, int error);           /* something that the manager stated; negative errno */

/* hear.c: reads what the manager says. */
void hear_ready(PollSource *s, uint32_t events);

/* say.c: nothing here waits. Whoever has something to say sets its *_due and calls say_later(). */
void say_later(Balancer *b);
void say_pending(Balancer *b);                          /* all that is due, as far as the wire takes it */
void say_ask(Balancer *b, uint32_t serial);
void say_hello(Balancer *b);
/* A packet that is said once: kept in order when there is no room, -ENOBUFS beyond BALANCE_WORDS_MAX of them. */
int say_word(Balancer *b, const void *packet, size_t size);
void say_done(Balancer *b);

/* front.c */
Front *front_find(const Balancer *b, uint32_t id);
int front_state(Balancer *b, const BalanceFront *told, int *fd);       /* takes *fd. -ENOSPC, -ENOMEM, or what the socket is unfit by */
void front_gone(Front *f);
void front_free(Front *f);
void front_put(Front *f);                               /* frees it when it is gone and nothing is left of it */
void front_hold(Front *f);                              /* whoever uses it after ending connections of it keeps it by this */
void front_release(Front *f);
void front_dirty(Front *f);                             /* something changed that decides whether it accepts, or whether who waits can go on */
void front_settle(Front *f);
void front_trouble(Front *f, int error);                /* negative errno of want: accepts nothing for a while */
void front_well(Front *f);                              /* a connection went its way: whatever was wanting is there again */
void front_expire(Front *f);                            /* deadlines that have passed; tells the next by balancer_due() */

/* back.c */
Back *back_find(const Front *f, uint64_t id);
int back_state(Front *f, const BalanceBackState *told); /* -ENOSPC, -ENOMEM */
void back_gone(Back *k);                                /* what is being made goes elsewhere, what is open goes on to its end; then it is freed */
void back_cut(Back *k);                                 /* the same, but what is open is cut */
void back_drain(Back *k);
void back_check(Back *k);                               /* after a connection of it ended: drained? leftover? May free it */
void back_failed(Back *k, int error);                   /* negative errno of a try */
void back_worked(Back *k);
bool front_eligible(Front *f);                          /* whether any back could take a connection now */
int front_pick(Front *f, uint64_t source);              /* index of a back, or -ENOENT */

/* connection.c */
int connection_new(Front *f, int fd, const struct sockaddr_storage *peer);     /* takes fd. -ENOMEM */
void connection_dispatch(Connection *c);                /* to a back, or to those who wait; may free it */
void connection_close(Connection *c, bool reset);       /* frees it */
void connection_fail(Connection *c);                    /* no back took it, or something is wanting: counted, closed, freed */
void connection_timed_out(Connection *c);               /* CONNECTING; may free it */
void connection_detach(Connection *c);                  /* from its back, whose side is closed; for dispatch */

/* relay.c */
bool relay(Connection *c);                              /* moves what can be moved; false: it has ended and is freed */
void relay_again(Connection *c);                        /* a further turn, after the others */
void relay_ready(Side *s, uint32_t events);             /* keeps what epoll said */
int relay_watch(Connection *c, Side *s, bool out);      /* tells epoll of it */
void flow_done(Balancer *b, Flow *f);

/* pipe.c */
Pipe *pipe_take(Balancer *b);                           /* NULL: none to be had */
void pipe_give(Balancer *b, Pipe *p);                   /* NULL is ignored; closed when something is left inside */
void pipes_done(Balancer *b);
