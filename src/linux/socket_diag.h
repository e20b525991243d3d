/* Sockets of TCP by what the kernel itself finds (sock_diag(7)). */
#pragma once

#include "base/macro.h"

/* Whether a process has a socket of `family` (AF_INET or AF_INET6) open that is bound to this local port and in one of `states`, bits of TCP_ESTABLISHED
 * and so on. 1 or 0; or -errno, as where the kernel has no sock_diag or a filter of system calls forbids it. */
int socket_diag_any(int family, unsigned port, unsigned states);
