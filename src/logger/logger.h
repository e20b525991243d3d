/* The loop of kingd-logger. */
#pragma once

/* Serves the keeper at the other end of `socket` (SOCK_SEQPACKET, packets of log_wire.h; owned) until it closes it, then writes what the
 * pipes still hold. 0 or -errno; logs what goes wrong. */
int logger_run(int socket);
