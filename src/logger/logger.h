/* The loop of kingd-logger. */
#pragma once

#include "base/macro.h"

/* Serves the keeper at the other end of `socket` (SOCK_SEQPACKET, packets of log_wire.h; owned) until it closes it, then writes what the
 * pipes still hold. `quota`: bytes of all logs together, UINT64_MAX for no bound. 0 or -errno; logs what goes wrong. */
int logger_run(int socket, uint64_t quota);
