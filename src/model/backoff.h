/* How long to wait before the next attempt. Pure. */
#pragma once

#include "base/span.h"

/* delay × factor^(attempt-1), capped at max_delay, then ± jitter percent of itself drawn from `random` (all 32 bits used). attempt counts from
 * 1; factor in percent (200 doubles). delay 0 gives 0. Never above max_delay × (100 + jitter)/100, never overflows. */
usec_t backoff_delay(usec_t delay, uint32_t factor_percent, usec_t max_delay, uint32_t jitter_percent, uint32_t attempt, uint32_t random);
