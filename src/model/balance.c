/* Strategies. Each is one pass over the backs without memory of its own but the account of round-robin; so a back may come, go or change its weight
 * between any two picks. */
#include "model/balance.h"

static const char *const strategies[_BALANCE_STRATEGY_MAX] = {
        [BALANCE_KERNEL] = "kernel",
        [BALANCE_ROUND_ROBIN] = "round-robin",
        [BALANCE_RANDOM] = "random",
        [BALANCE_LEAST_CONNECTIONS] = "least-connections",
};
static const char *const states[_BACK_STATE_MAX] = { [BACK_ACTIVE] = "active", [BACK_DRAINING] = "draining", [BACK_DOWN] = "down" };

const char *balance_strategy_name(BalanceStrategy s) {
        return (unsigned) s < _BALANCE_STRATEGY_MAX ? strategies[s] : NULL;
}

int balance_strategy_from_name(const char *name) {
        for (int i = 0; i < _BALANCE_STRATEGY_MAX; i++)
                if (streq(strategies[i], name))
                        return i;
        return -EINVAL;
}

const char *back_state_name(BackState s) {
        return (unsigned) s < _BACK_STATE_MAX ? states[s] : NULL;
}

/* The finaliser of MurmurHash3 (public domain): each bit of the input turns half of those of the output. */
static uint64_t mix(uint64_t x) {
        x ^= x >> 33;
        x *= 0xff51afd7ed558ccdULL;
        x ^= x >> 33;
        x *= 0xc4ceb9fe1a85ec53ULL;
        return x ^ (x >> 33);
}

/* FNV-1a, mixed: its own last bytes would change little of the upper bits. */
uint64_t balance_hash(const void *p, size_t n) {
        const uint8_t *bytes = p;
        uint64_t h = 0xcbf29ce484222325ULL;

        for (size_t i = 0; i < n; i++)
                h = (h ^ bytes[i]) * 0x100000001b3ULL;
        return mix(h);
}

/* Smooth weighted round-robin: each eligible back is credited with its weight, the richest is taken and pays what all were given. Over a sum of weights
 * each has exactly its weight of turns, spread as evenly as can be. An account is bounded by the sum of weights, so that one who was away has no arrears. */
static int pick_round_robin(BalanceBack *backs, size_t n, uint64_t source, uint64_t random) {
        int64_t sum = 0;
        int best = -ENOENT;

        for (size_t i = 0; i < n; i++)
                if (backs[i].eligible) {
                        sum += backs[i].weight;
                        backs[i].turn += backs[i].weight;
                        if (best < 0 || backs[i].turn > backs[best].turn)
                                best = (int) i;
                }
        if (best >= 0) {
                backs[best].turn -= sum;
                backs[best].turn = MAX(backs[best].turn, -sum);
        }
        return best;
}

static int pick_random(BalanceBack *backs, size_t n, uint64_t source, uint64_t random) {
        uint64_t sum = 0, at;

        for (size_t i = 0; i < n; i++)
                sum += backs[i].eligible ? backs[i].weight : 0;
        if (sum == 0)
                return -ENOENT;
        at = (uint64_t) (((unsigned __int128) random * sum) >> 64);
        for (size_t i = 0; i < n; i++) {
                if (!backs[i].eligible)
                        continue;
                if (at < backs[i].weight)
                        return (int) i;
                at -= backs[i].weight;
        }
        return -ENOENT;
}

/* (open + 1) / weight, compared crosswise: what the load would be with this connection. Among equals one by chance (reservoir sampling), so that
 * idle backs share alike. */
static int pick_least(BalanceBack *backs, size_t n, uint64_t source, uint64_t random) {
        uint64_t equals = 0;
        int best = -ENOENT;

        for (size_t i = 0; i < n; i++) {
                uint64_t here, there;

                if (!backs[i].eligible)
                        continue;
                here = best < 0 ? 0 : ((uint64_t) backs[i].open + 1) * backs[best].weight;
                there = best < 0 ? 1 : ((uint64_t) backs[best].open + 1) * backs[i].weight;
                if (here < there) {
                        best = (int) i;
                        equals = 1;
                } else if (here == there) {
                        equals++;
                        if (mix(random + equals) % equals == 0)
                                best = (int) i;
                }
        }
        return best;
}

/* log2(x) in 1/65536ths for x ≥ 1, by squaring: the same on every machine, which a floating point library does not promise. */
static uint64_t log2_fixed(uint64_t x) {
        unsigned whole = 63 - (unsigned) __builtin_clzll(x);
        uint64_t m = whole > 31 ? x >> (whole - 31) : x << (31 - whole), result = (uint64_t) whole << 16;

        for (unsigned bit = 16; bit-- > 0;) {
                m = (m * m) >> 31;
                if (m >> 32) {
                        m >>= 1;
                        result |= 1ULL << bit;
                }
        }
        return result;
}

/* Rendezvous: each back draws a lot for this source, and the best wins; so when one leaves only its own clients move, and when one comes only those move
 * that go to it. With weights the lot is -log2(h) / weight, the least of which is won in proportion to the weights (an exponential race). */
static int pick_source(BalanceBack *backs, size_t n, uint64_t source, uint64_t random) {
        uint64_t best_lot = 0;
        int best = -ENOENT;

        for (size_t i = 0; i < n; i++) {
                uint64_t lot;

                if (!backs[i].eligible)
                        continue;
                lot = ((64ULL << 16) - log2_fixed(mix(source ^ mix(backs[i].id)) | 1)) * (1ULL << 32) / backs[i].weight;
                if (best < 0 || lot < best_lot || (lot == best_lot && backs[i].id < backs[best].id)) {
                        best = (int) i;
                        best_lot = lot;
                }
        }
        return best;
}

int balance_pick(BalanceBack *backs, size_t n, BalanceStrategy strategy, BalanceAffinity affinity, uint64_t source, uint64_t random) {
        static int (*const pick[_BALANCE_STRATEGY_MAX])(BalanceBack *, size_t, uint64_t, uint64_t) = {
                [BALANCE_ROUND_ROBIN] = pick_round_robin,
                [BALANCE_RANDOM] = pick_random,
                [BALANCE_LEAST_CONNECTIONS] = pick_least,
        };

        if (affinity == AFFINITY_SOURCE)
                return pick_source(backs, n, source, random);
        return pick[(unsigned) strategy < _BALANCE_STRATEGY_MAX && pick[strategy] ? strategy : BALANCE_ROUND_ROBIN](backs, n, source, random);
}
