/* Balanced sockets: their instances' private sockets, and what the balancer of a service (model/balanced.h) is told of them. */
#pragma once

#include <sys/socket.h>

#include "manager/life/service.h"
#include "manager/manager.h"

/* ---- balance.c: who is told what ---- */

Service *balancer_of(const Service *s);        /* or NULL */
/* An instance, or a socket, of the service has changed: its balancer is told. Does nothing for a service without one. */
void balance_attend(Service *s);
/* The public socket is about to be closed: nothing more is accepted there. */
void balance_socket_gone(Service *s, uint32_t front);
/* HOOK_DRAIN of the instance is to begin. True: nothing is open on it, as far as can be known; false: EV_HOOK_DONE follows. */
bool balance_drain(Instance *i);
/* All services and runs are known: the balancers that live are told everything anew, and replaced where their program has changed. */
void balance_adopted(Manager *m);
/* What the balancer said last: {service, pid, state, sockets: […]}; NULL for a service without one. */
json_object *balance_json(const Service *s);

/* The user that it becomes by itself, or NULL: the one that it is started as. */
const char *balancer_user(const ServiceSpec *s);
/* Its argv, with the option that says so. malloc'ed; 0 or -ENOMEM. */
int balancer_command(const ServiceSpec *s, char ***ret);
/* The file of the program: beside the manager's, or where it is installed. malloc'ed; 0 or -errno. */
int balancer_program(char **ret);

/* ---- balance_link.c: the wire to one balancer, an instance of a service that `balances` another ---- */

/* A new wire for the run that is about to be asked for; ours is held by the keeper as well. *ret_theirs is the caller's. 0 or -errno. */
int balance_link_make(Instance *balancer, int *ret_theirs);
/* Takes the wire of a run that was found alive from the keeper. */
void balance_link_adopt(Instance *balancer);
/* It is to stop. True: it was told to let what is open end, and ends then; false: it needs a signal. */
bool balance_link_leave(Instance *balancer);
/* Its process has ended, which may be known before its wire is seen to be closed: what it said last is heard now, and nothing more is waited for. Instances of
 * other services are fed. Nothing for an instance that is no balancer. */
void balance_link_ended(Instance *balancer);
/* The run is over: the keeper forgets the wire as well. */
void balance_link_over(Instance *balancer);
/* Ours only: the keeper's stays for the next manager. */
BalanceLink *balance_link_free(BalanceLink *l);

/* ---- balance_backs.c: private sockets ---- */

/* A listening socket in the place of the public one, for the run that is about to be asked for; *ret_fd is the caller's, and nobody else keeps one: when
 * the service is gone, so is the socket. Its address is held by the keeper. 0, or -errno with reterr. */
int backs_open(Instance *i, const SocketSpec *spec, uint32_t front, int *ret_fd, KlError *reterr);
/* Finds the addresses of a run that is alive. */
void backs_adopt(Instance *i);
/* Where to probe the instance when the probe asks for one of the sockets that a balancer listens on, which would lead to any instance: the size of the
 * address of its private socket, or 0. */
socklen_t backs_probed(const Instance *i, const ProbeSpec *p, struct sockaddr_storage *ret);
/* The run is over, or asked for anew. */
void backs_close(Instance *i);
void backs_free(Instance *i);                  /* ours only */

/* ---- balance_ask.c ---- */

/* Before a call is answered whose answer shows balancers: they are asked for their figures first. True: `answer` is called with the same
 * arguments when they have come, or have not come in time; false: there is nothing to wait for. s: those that are shown. */
bool balance_refresh(Manager *m, const Selection *s, VarlinkCall *call, json_object *parameters, VarlinkMethod answer);
void balance_refreshed(Manager *m);            /* a balancer has answered, or is gone */
void balance_refresh_done(Manager *m);
