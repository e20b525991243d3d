/* Backs of kind CHANNEL: workers of Node's cluster. A worker stands behind all the fronts that its program listens on. */
#pragma once

#include "balance/node_channel.h"
#include "balance/state.h"

#define WORKER_ASKED_MAX 16            /* queries of one worker that the manager has not answered yet */
#define WORKER_LINGER (500 * USEC_PER_MSEC)/* so long its clients may come once more before it is told to close */
#define WORKER_ASK_AGAIN (2 * USEC_PER_SEC)    /* the manager that was asked may have died meanwhile */

/* Takes *fd when it is a new one. -ENOSPC, -ENOMEM. */
int worker_state(Balancer *b, const BalanceBackState *told, int *fd);
/* After back_state() for a front of a channel. */
void worker_attach(Balancer *b, Back *k);
void worker_gone(Balancer *b, uint64_t id);            /* by the manager's word: the channel is closed */
void workers_forget_unstated(Balancer *b);
void workers_unstate(Balancer *b);                     /* from here on they are stated anew */
/* A front is open that was asked for: the answer to the query of that serial. */
void worker_listens(Balancer *b, uint32_t serial, const Front *f);
void worker_refused(Balancer *b, uint32_t serial, int error);

bool worker_has_room(const Worker *w);
/* Hands the connection over and frees it: 0. -EAGAIN: there is no room; else it is as good as gone. */
int worker_give(Worker *w, Connection *c);
/* Its clients are asked to leave, then it is told to close its servers; the back counts as drained when it has closed the channel. */
void worker_drain(Worker *w);

void workers_expire(Balancer *b);
/* Another balancer takes their channels: they are closed here when what is on its way has arrived. */
void workers_leave(Balancer *b);
bool workers_busy(const Balancer *b);
void workers_free(Balancer *b);
