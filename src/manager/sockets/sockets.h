/* The sockets of services: opened before the first start, held by the keeper over our death, passed to each start, closed when nothing of the
 * service lives or waits any more. */
#pragma once

#include "manager/spawn/spawn_env.h"

/* What one start is given. */
typedef struct SocketsPassed {
        int listen[SOCKETS_MAX];       /* borrowed, from descriptor 3 on */
        size_t n;
        int input;                     /* borrowed: to be standard input, or -EBADF */
        int own[SOCKETS_MAX];          /* private sockets, which end with the struct: sockets_passed_done() */
        size_t n_own;
        char *names;                   /* of listen[], as LISTEN_FDNAMES has them; NULL when there are none. Owned */
} SocketsPassed;
void sockets_passed_done(SocketsPassed *p);

/* Opens what is not open yet, and the private sockets of the run where a balancer stands before the service. 0, or -errno with reterr. */
int sockets_pass(Instance *i, const Identity *id, SocketsPassed *ret, KlError *reterr);
/* After the spec changed: closes what it does not name any more. */
void sockets_update(Service *s);
/* After an instance changed: closes what nobody waits behind, and watches those that somebody may connect to, or be done with. */
void sockets_attend(Instance *i);
/* On demand: opens what is not open yet and watches it; EV_DEMAND follows when somebody connects. 0, or -errno with reterr. */
int sockets_await(Instance *i, KlError *reterr);
/* Takes from the keeper what it holds for the service. 0, or -errno: the keeper still holds the rest. */
int sockets_adopt(Service *s);
/* All services and runs are known: what the keeper holds for others is closed, and what nobody waits behind. */
void sockets_adopted(Manager *m);
/* Our ends only: the keeper's stay for the next manager. */
Sockets *sockets_free(Sockets *s);
/* What the balancer knows a socket by: the same for every manager. Never 0. */
uint32_t sockets_front(const Service *s, const SocketSpec *spec);
/* The public socket while it is open, borrowed, or -ENOENT. */
int sockets_open_fd(const Service *s, const SocketSpec *spec);
/* Array of {listen, type, name, open} for describe; NULL for a service without. */
json_object *sockets_json(const Service *s);
