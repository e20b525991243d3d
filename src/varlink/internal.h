/* What the files of the server share; nobody outside includes it. */
#pragma once

#include "varlink/frame.h"
#include "varlink/server.h"

typedef struct Connection Connection;
typedef struct Listener Listener;

struct VarlinkServer {
        VarlinkServerOptions options;
        Listener *listeners;
        Connection *connections;
        size_t n_connections;
};

/* One client. `failed`: to be closed at the next chance. `eof`: it will send no more. `deaf`: it will read no more. */
struct Connection {
        VarlinkServer *server;
        Connection *next, *previous;
        int fd;
        uid_t uid;
        gid_t gid;
        pid_t pid;
        int permission;
        sd_event_source *io, *deadline;
        FrameReader input;
        ByteQueue output;
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
int connection_new(VarlinkServer *s, int fd, Connection **ret); /* takes fd on success; -EUSERS */
Connection *connection_free(Connection *c);                     /* tells the pending call that the client is gone */
int connection_write(Connection *c, json_object *message);      /* queues; 0, -ENOMEM, -ENOTCONN */
void connection_flush(Connection *c);                           /* sends what the socket takes; never frees */
void connection_update(Connection *c);                          /* asks the loop for what the state needs */

/* call.c */
VarlinkCall *call_new(Connection *c, bool more, bool oneway);
void call_client_gone(VarlinkCall *c);

/* service.c */
int service_handle(Connection *c, const char *message, size_t n); /* one message; negative: the connection must be closed */
