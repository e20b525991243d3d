/* Who has a socket bound, for messages: /proc/net (proc_pid_net(5)) names the socket, /proc/PID/fd who has it open. Nothing here is fast. */
#pragma once

#include <sys/socket.h>

#include "base/macro.h"

/* A process that has a listening (or, of datagrams, a bound) socket of this type (SOCK_STREAM …) on the port of `a`, or at its path or abstract
 * name. -ENOENT: there is none that we are allowed to see. `self` and its like are no answer: pids that `skip` (may be NULL) is true for. */
int socket_holder(int type, const struct sockaddr *a, socklen_t size, bool (*skip)(void *userdata, pid_t pid), void *userdata, pid_t *ret);

/* Whether connections are open now (established, or being ended by one side) on this local port, or of a unix socket at its path or abstract name: 1 or
 * 0, or -errno. Those of TCP are asked of sock_diag(7), and only where there is none read of /proc/net, which has those of all others too. */
int socket_connected(const struct sockaddr *a, socklen_t size);
