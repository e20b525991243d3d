/* What the files of sockets share: sockets.c has the list and closes, sockets_pass.c opens, demand.c looks whether anybody connects. */
#pragma once

#include "manager/sockets/socket_open.h"
#include "manager/sockets/sockets.h"

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

#define SOCKET_HELD_SIZE 64
/* Under which the keeper holds it. */
void socket_held_name(const Service *s, const SocketSpec *spec, unsigned instance, char ret[SOCKET_HELD_SIZE]);
OpenSocket *socket_find_open(const Service *s, const SocketSpec *spec, unsigned instance);
/* Takes fd on success. 0 or -ENOMEM. */
int socket_add_open(Service *s, const SocketSpec *spec, unsigned instance, int fd, OpenSocket **ret);
/* For good. `silence`: nobody is to be heard by it from now on, whoever else still has it open: the keeper until it has read our word, or a process
 * of the service that is about to end. */
void socket_close_one(Service *s, size_t k, bool silence);
/* Feeds EV_DEMAND to who waits for it when somebody connects. 0 or -errno. */
int demand_watch(Service *s, OpenSocket *o);
/* Stops watching what nobody waits for; begins or ends the looks for idle_timeout. */
void demand_attend(Service *s);
