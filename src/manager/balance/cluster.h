/* cluster.by: node. The instances are workers of Node's cluster module: each has a channel (a pair of sockets) to its service's balancer, which is their
 * primary, and asks by it for the ports that its program listens on. Those are opened here, held by the keeper, and outlive every run, like the entries of
 * `sockets`. See balance/node_message.h. */
#pragma once

#include "balance/balance_wire.h"
#include "manager/spawn/spawn_env.h"

#define CLUSTER_FRONTS_MAX 64          /* of one service */

/* ---- cluster.c: channels and sockets ---- */

/* A channel for the run that is about to be asked for; ours is held by the keeper as well. *ret_theirs is the caller's. 0 or -errno. */
int cluster_channel(Instance *i, int *ret_theirs);
/* Finds again what the keeper holds: the channel of a run that is alive; the sockets of a service, before that. 0, or -errno: the keeper
 * still holds the rest. */
int cluster_adopt(Service *s);
int cluster_adopt_channel(Instance *i);
void cluster_adopted(Manager *m);
/* The run is over: its channel is closed everywhere. */
void cluster_over(Instance *i);
/* After an instance changed: closes the sockets that nobody serves or waits behind any more. */
void cluster_attend(Instance *i);
ClusterChannel *cluster_channel_free(ClusterChannel *c);       /* ours only */
Cluster *cluster_free(Cluster *c);                             /* ours only */

/* For the balancer's statement (balance_private.h): *at begins with 0; false at the end. Descriptors are borrowed. */
bool cluster_next_front(const Service *s, size_t *at, BalanceFront *ret, int *ret_fd);
bool cluster_next_back(const Instance *i, size_t *at, BackState state, BalanceBackState *ret, int *ret_fd);

/* What a worker says. The answer to LISTEN: 0 with the front, to be sent with its descriptor (borrowed), or a positive errno. */
int cluster_listen(Instance *i, const BalanceListen *p, BalanceFront *ret, int *ret_fd);
void cluster_said(Instance *i, const char *word);
/* It speaks a cluster protocol that is not known here. */
void cluster_strange(Instance *i, const char *act);
/* It serves the front no more; 0: it has closed its channel, and serves none. */
void cluster_closed(Instance *i, uint32_t front);

/* ---- cluster_env.c ---- */

/* node: what tells a program of Node that it is a worker, whose channel is descriptor `number`, and has it load cluster.drain's hook. sockets: what has it
 * find `sockets` by where they listen. Nothing without a cluster. 0 or -ENOMEM. */
int cluster_environment(const Instance *i, const Identity *id, size_t number, char ***env);

/* ---- cluster_open.c ---- */

/* Opens what a worker asks for, with the rights of its user: it gets no port and no file that it could not have opened itself. The descriptor, or -errno with
 * reterr, which says who has the address where that can be known. */
int cluster_open(const BalanceListen *p, const ServiceSpec *spec, KlError *reterr);
/* Whether a process of the service could read the file. */
bool cluster_readable(const char *path, const Identity *id);
/* Port 0. */
bool cluster_any_port(const BalanceListen *p);
/* "127.0.0.1:3000", "[::1]:3000", ":3000" (all addresses), a path, "@name". */
const char *cluster_address_text(const struct sockaddr_storage *a, uint32_t size, bool v6only, char buf[128]);
