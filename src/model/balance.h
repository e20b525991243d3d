/* To which of several backs a new connection goes: pure decisions, no clock, no system call. Randomness comes in as an argument.
 * What is decided here is carried out by kingd-balancer (src/balance). */
#pragma once

#include "base/macro.h"

typedef enum BalanceStrategy {
        BALANCE_KERNEL,                /* no balancer at all: one socket shared, or reuseport */
        BALANCE_ROUND_ROBIN,           /* in turns, smoothly by weight */
        BALANCE_RANDOM,                /* by chance, in proportion to the weights */
        BALANCE_LEAST_CONNECTIONS,     /* whoever has the fewest open ones for its weight */
        _BALANCE_STRATEGY_MAX
} BalanceStrategy;

typedef enum BalanceAffinity {
        AFFINITY_NONE,
        AFFINITY_SOURCE,               /* connections from one address go to one back while that is ACTIVE */
        _BALANCE_AFFINITY_MAX
} BalanceAffinity;

typedef enum BackState {
        BACK_ACTIVE,                   /* gets new connections */
        BACK_DRAINING,                 /* gets none; those it has go on to their end */
        BACK_DOWN,                     /* gets none for now; those it has go on */
        _BACK_STATE_MAX
} BackState;

#define BALANCE_WEIGHT_MAX 1000

const char *balance_strategy_name(BalanceStrategy s);   /* "kernel", "round-robin" …; NULL for a number that is none */
int balance_strategy_from_name(const char *name);       /* -EINVAL */
const char *back_state_name(BackState s);               /* "active", "draining", "down"; NULL for a number that is none */

/* What a strategy sees of a back. `id` is what affinity hashes: stable over restarts of everything, or clients move. */
typedef struct BalanceBack {
        uint64_t id;
        uint32_t weight;               /* 1 … BALANCE_WEIGHT_MAX */
        uint32_t open;                 /* connections it has, those being made included */
        int64_t turn;                  /* round-robin's account; 0 in the beginning, balance_pick() keeps it */
        bool eligible;                 /* ACTIVE, not in trouble, not tried for this connection before */
} BalanceBack;

/* The index of the back that gets a new connection, or -ENOENT when none is eligible. `random` is used by RANDOM, and by LEAST_CONNECTIONS between
 * equals: 64 evenly spread bits. `source` is a hash of the client's address (balance_hash()), of no account under AFFINITY_NONE. */
int balance_pick(BalanceBack *backs, size_t n, BalanceStrategy strategy, BalanceAffinity affinity, uint64_t source, uint64_t random);

/* Of bytes, such as those of an address without its port; the same on each machine and in each version. */
uint64_t balance_hash(const void *p, size_t n);
