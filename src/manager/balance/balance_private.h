/* What the files of balancing share. */
#pragma once

#include "balance/balance_wire.h"
#include "manager/balance/balance.h"

/* A private socket of a run. */
typedef struct Back {
        uint32_t front;
        socklen_t size;
        struct sockaddr_storage address;
} Back;

struct Backs {
        size_t n;
        Back items[];
};

/* What the other end has been told, so that only changes are said. */
typedef struct SaidBack {
        BalanceBackState state;
        bool drained;                  /* answered */
        bool seen;                     /* within one statement */
} SaidBack;
typedef struct SaidFront { BalanceFront front; bool seen; } SaidFront;

struct BalanceLink {
        Instance *instance;            /* of the balancer */
        uint64_t run;
        int fd;
        sd_event_source *source;
        bool hello_said, stated;       /* of the first statement on this wire by this manager */
        bool blocked;                  /* it takes no more for now */
        bool leaving;
        SaidFront *fronts;
        SaidBack *backs;
        size_t n_fronts, n_backs;
        BalanceCounts *counts, *coming;    /* of the last answer; of the one under way */
        size_t n_counts, n_coming;
        uint32_t asked, answered;      /* serials */
};

/* The next wire of a balancer that lives, from *at on, which begins with 0; NULL at the end. */
BalanceLink *balance_next_link(const Service *balancer, size_t *at);
/* Replaces it where it runs another program than is installed. */
void balancer_renew(Service *balancer);
/* The service whose connections it spreads, or NULL: it is gone. */
Service *balance_target(const Instance *balancer);
/* What it was told of a back, or NULL. */
SaidBack *balance_said_back(BalanceLink *l, uint32_t front, uint64_t back);
/* Says what has changed since the last time, as far as the wire takes it. */
void balance_link_state(BalanceLink *l);
/* Now, whatever else there is to say. */
void balance_link_front_gone(BalanceLink *l, uint32_t front);
/* What a worker wanted to listen on: a front (with its serial) and its socket, or a positive errno. */
void balance_link_answer(BalanceLink *l, uint32_t serial, int error, const BalanceFront *f, int fd);
int balance_link_ask(BalanceLink *l);          /* for figures; balance_refreshed() follows. 0 or -errno */
/* Something that was said has been answered, or whoever would answer is gone: who waits for it goes on. */
void balance_drained(Service *s);
const BalanceCounts *balance_link_counts(const BalanceLink *w, uint32_t front, uint64_t back);   /* NULL: not known */
typedef struct FrontWalk { size_t socket, cluster; } FrontWalk;
/* What the service wants its balancer to know. *at begins with 0; false at the end. */
bool balance_next_front(const Service *s, FrontWalk *at, BalanceFront *ret, int *ret_fd);
typedef struct BackWalk { size_t instance, back, channel; } BackWalk;
bool balance_next_back(const Service *s, BackWalk *at, BalanceBackState *ret, int *ret_fd);
