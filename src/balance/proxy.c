/* Text for version 1, fixed binary fields in network order for version 2. */
#include "balance/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

typedef struct Ends { int family; uint8_t from[16], to[16]; uint16_t from_port, to_port; } Ends;       /* ports in network order */

static void ends_inet(Ends *e, const struct sockaddr_in *from, const struct sockaddr_in *to) {
        e->family = AF_INET;
        memcpy(e->from, &from->sin_addr, 4);
        memcpy(e->to, &to->sin_addr, 4);
        e->from_port = from->sin_port;
        e->to_port = to->sin_port;
}

static void ends_inet6(Ends *e, const struct sockaddr_in6 *from, const struct sockaddr_in6 *to) {
        bool mapped = IN6_IS_ADDR_V4MAPPED(&from->sin6_addr) && IN6_IS_ADDR_V4MAPPED(&to->sin6_addr);

        e->family = mapped ? AF_INET : AF_INET6;
        memcpy(e->from, from->sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
        memcpy(e->to, to->sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
        e->from_port = from->sin6_port;
        e->to_port = to->sin6_port;
}

static Ends ends_of(const struct sockaddr_storage *from, const struct sockaddr_storage *to) {
        Ends e = {};

        if (from->ss_family == AF_INET && to->ss_family == AF_INET)
                ends_inet(&e, (const struct sockaddr_in *) from, (const struct sockaddr_in *) to);
        else if (from->ss_family == AF_INET6 && to->ss_family == AF_INET6)
                ends_inet6(&e, (const struct sockaddr_in6 *) from, (const struct sockaddr_in6 *) to);
        return e;
}

static size_t header_v1(const Ends *e, char *ret) {
        char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

        if (!e->family)
                return (size_t) snprintf(ret, PROXY_HEADER_MAX + 1, "PROXY UNKNOWN\r\n");
        (void) inet_ntop(e->family, e->from, from, sizeof(from));
        (void) inet_ntop(e->family, e->to, to, sizeof(to));
        return (size_t) snprintf(ret, PROXY_HEADER_MAX + 1, "PROXY TCP%c %s %s %u %u\r\n", e->family == AF_INET ? '4' : '6', from, to,
                                 (unsigned) ntohs(e->from_port), (unsigned) ntohs(e->to_port));
}

static char *put(char *at, const void *p, size_t n) {
        memcpy(at, p, n);
        return at + n;
}

static size_t header_v2(const Ends *e, char *ret) {
        static const uint8_t signature[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21 /* version 2, PROXY */ };
        size_t n = e->family == AF_INET ? 4 : e->family == AF_INET6 ? 16 : 0;
        uint8_t kind = e->family == AF_INET ? 0x11 : e->family == AF_INET6 ? 0x21 : 0x00;
        uint16_t size = htons((uint16_t) (n > 0 ? 2 * n + 4 : 0));
        char *p = put(ret, signature, sizeof(signature));

        p = put(p, &kind, 1);
        p = put(p, &size, 2);
        if (n == 0)
                return (size_t) (p - ret);
        p = put(p, e->from, n);
        p = put(p, e->to, n);
        p = put(p, &e->from_port, 2);
        return (size_t) (put(p, &e->to_port, 2) - ret);
}

size_t proxy_header(ProxyProtocol version, const struct sockaddr_storage *from, const struct sockaddr_storage *to, char ret[static PROXY_HEADER_MAX + 1]) {
        Ends e = ends_of(from, to);

        switch (version) {
        case PROXY_V1: return header_v1(&e, ret);
        case PROXY_V2: return header_v2(&e, ret);
        default: return 0;
        }
}
