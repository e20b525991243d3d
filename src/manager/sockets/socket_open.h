/* One listening socket: opened, changed in what can be changed, closed with its file. Everything by number or path: nothing is looked up, nothing
 * blocks. */
#pragma once

#include "manager/spawn/spawn_env.h"

/* Opens and listens. The file of a unix socket has the owner and mode that the entry says (else those of `id`); its missing parents are made
 * (mode 0755), and a file that a dead socket left there is removed. The descriptor, or -errno with reterr, which names who has the address already
 * where that can be known. */
int socket_open(const SocketSpec *s, const Identity *id, KlError *reterr);
/* What may differ between entries that are the same socket: backlog, keepalive, nodelay, owner, group, mode. 0 or -errno with reterr. */
int socket_tune(int fd, const SocketSpec *s, const Identity *id, KlError *reterr);
/* Which file stands at the path of a unix socket: of one that was just opened or is known to be open, its own. All zeros for others. 0 or -errno. */
typedef struct SocketFile { dev_t device; ino_t inode; } SocketFile;
int socket_file(const SocketSpec *s, SocketFile *ret);
/* Removes it, if it still is that one. */
void socket_unlink(const SocketSpec *s, const SocketFile *file);
/* The sockaddr that it is bound to. */
int socket_sockaddr(const SocketAddress *a, bool ipv6, void *ret, socklen_t *ret_size);
