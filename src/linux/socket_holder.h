/* Who has a socket bound, for messages: /proc/net (proc_pid_net(5)) names the socket, /proc/PID/fd who has it open. Nothing here is fast. */
#pragma once

#include <sys/socket.h>

#include "base/macro.h"

/* A process that has a listening (or, of datagrams, a bound) socket of this type (SOCK_STREAM …) on the port of `a`, or at its path or abstract
 * name. -ENOENT: there is none that we are allowed to see. `self` and its like are no answer: pids that `skip` (may be NULL) is true for. */
int socket_holder(int type, const struct sockaddr *a, socklen_t size, bool (*skip)(void *userdata, pid_t pid), void *userdata, pid_t *ret);

/* The connections that are open now (established, or being ended by one side) on this local port, by /proc/net/tcp and tcp6; those of a unix
 * socket at its path or abstract name. The number, or -errno. */
int64_t socket_connections(const struct sockaddr *a, socklen_t size);
