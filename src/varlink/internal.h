/* What the files of the server share; nobody outside includes it. */
#pragma once

#include <sys/socket.h>

#include "varlink/frame.h"
#include "varlink/server.h"

typedef struct Connection Connection;
typedef struct Listener Listener;
typedef struct User User;

#define VARLINK_LARGE (64 * 1024) /* of messages: their trees take ten times as much, and that is given back to the system when a call ends */
#define RESERVE_MAX 16 /* descriptors kept back for when there are no more: to let an operator in, and for what is done for them */

struct VarlinkServer {
        VarlinkServerOptions options;
        Listener *listeners;
        Connection *connections;
        size_t n_connections;
        User *users;            /* that are neither root nor the owner, and have connections */
        int reserve[RESERVE_MAX];
        size_t n_reserve;
};

/* One client. `failed`: to be closed at the next chance. `eof`: it will send no more. `deaf`: it will read no more. */
struct Connection {
        VarlinkServer *server;
        Connection *next, *previous;
        int fd;
        uid_t uid;
        gid_t gid;
        pid_t pid;
        User *user;           /* NULL: root's or the owner's */
        int permission;
        sd_event_source *io, *deadline;
        FrameReader input;
        ByteQueue output;
        size_t handled;       /* bytes of messages in and out since memory was given back */
        usec_t active;        /* CLOCK_MONOTONIC: last seen to do anything */
        VarlinkCall *pending; /* holds one reference */
        bool eof, deaf, failed, congested, unserved, deadline_armed;
};

struct VarlinkCall {
        unsigned refs;
        Connection *connection; /* NULL once answered or the client is gone */
        uid_t uid;
        pid_t pid;
        bool more, oneway;
        void (*drained)(VarlinkCall *c, void *userdata);
        void (*gone)(VarlinkCall *c, void *userdata);
        void *userdata;
};

/* connection.c */
int connection_new(VarlinkServer *s, int fd, Connection **ret); /* takes fd on success; -EUSERS: refused, and told so */
int connection_peer(int fd, struct ucred *ret);
Connection *connection_free(Connection *c);                     /* tells the pending call that the client is gone */
int connection_write(Connection *c, json_object *message);      /* queues; 0, -ENOMEM, -ENOTCONN */
void connection_thrift(Connection *c);                          /* gives memory back, if there was much to handle */
void connection_flush(Connection *c);                           /* sends what the socket takes; never frees */
void connection_update(Connection *c);                          /* asks the loop for what the state needs */

/* limits.c */
bool limits_trusted(uid_t uid);                            /* root and the server's own user */
const char *limits_admit(VarlinkServer *s, uid_t uid);     /* NULL, or of what there is too much; may close an idle connection for a trusted user */
bool limits_evict(VarlinkServer *s);                       /* closes the connection that can be spared first; false: none can */
bool limits_output(const Connection *c);                   /* the user's share of unsent output is not exceeded */
void limits_refuse(const VarlinkServer *s, int fd, const char *why); /* says it on a connection that is not taken; fd stays the caller's */
void reserve_fill(VarlinkServer *s, int fd);               /* with copies of fd, as far as they are to be had */
void reserve_release(VarlinkServer *s);

/* share.c */
#define SHARE_SLACK (10 * USEC_PER_MSEC)    /* a debt that is paid while nothing is asked; more has to be waited for */
int share_join(VarlinkServer *s, Connection *c); /* its user becomes known; 0, -ENOMEM */
void share_leave(Connection *c);
bool share_waits(Connection *c);            /* not its turn: it hears no more until its user has paid for what it had */
bool share_turn_over(const Connection *c);  /* it has had enough since `active` */
void share_spend(Connection *c);            /* counts the time since `active` */

/* call.c */
VarlinkCall *call_new(Connection *c, bool more, bool oneway);
void call_client_gone(VarlinkCall *c);

/* service.c */
int service_handle(Connection *c, const char *message, size_t n); /* one message; negative: the connection must be closed */
