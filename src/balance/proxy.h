/* The header of the PROXY protocol, as a sender: haproxy's doc/proxy-protocol.txt, version 1 (2.1) and version 2 (2.2). */
#pragma once

#include "balance/balance_wire.h"

#define PROXY_HEADER_MAX 107           /* of version 1, with room for the longest addresses; version 2 needs 52 */

/* For a connection from `from` to `to` (both AF_INET or AF_INET6, else "UNKNOWN"/UNSPEC is said, as the protocol has it for what it cannot name). IPv6
 * addresses that both stand for IPv4 ones are said as those. Returns the bytes written into `ret`; 0 for PROXY_NONE. */
size_t proxy_header(ProxyProtocol version, const struct sockaddr_storage *from, const struct sockaddr_storage *to, char ret[static PROXY_HEADER_MAX + 1]);
