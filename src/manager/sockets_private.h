/* What the files of sockets share: sockets.c opens and closes, demand.c looks whether anybody connects. */
#pragma once

#include "manager/socket_open.h"
#include "manager/sockets.h"

typedef struct OpenSocket {
        SocketSpec spec;               /* as it is open */
        unsigned instance;             /* whose it is, with reuseport; else 0 */
        int fd;
        SocketFile file;
        sd_event_source *source;       /* while somebody is waited for */
} OpenSocket;

struct Sockets {
        OpenSocket *items;
        size_t n;
        sd_event_source *idle;         /* the next look whether anybody is connected; NULL: never */
        usec_t busy;                   /* CLOCK_MONOTONIC: somebody was, or something was on its way up */
};

/* Feeds EV_DEMAND to who waits for it when somebody connects. 0 or -errno. */
int demand_watch(Service *s, OpenSocket *o);
/* Stops watching what nobody waits for; begins or ends the looks for idle_timeout. */
void demand_attend(Service *s);
