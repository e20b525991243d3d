/* The wait before an attempt. Computed in 1/65536 of a microsecond: a factor of 1.01 must make even the shortest delay grow, and by so much that
 * the loop is short for any number of attempts. */
#include "model/backoff.h"

#include "base/macro.h"

#define FRACTION_BITS 16

usec_t backoff_delay(usec_t delay, uint32_t factor_percent, usec_t max_delay, uint32_t jitter_percent, uint32_t attempt, uint32_t random) {
        unsigned __int128 wait = (unsigned __int128) delay << FRACTION_BITS, most = (unsigned __int128) max_delay << FRACTION_BITS, span;

        if (delay == 0)
                return 0;
        /* At most about 6000 rounds (1% growth over 87 bits); wait stays below 2^80 × 2^32. */
        for (uint32_t i = 1; i < attempt && factor_percent > 100 && wait < most; i++)
                wait = wait * factor_percent / 100;
        wait = MIN(wait, most) >> FRACTION_BITS;

        /* From wait - span to wait + span, evenly. */
        span = wait * MIN(jitter_percent, 100U) / 100;
        wait = wait - span + (2 * span * random) / UINT32_MAX;
        return wait > USEC_INFINITY ? USEC_INFINITY : (usec_t) wait;
}
