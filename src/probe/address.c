#include "probe/address.h"

#include <arpa/inet.h>
#include <stdio.h>

static socklen_t address_ip(ProbeAddress *a, const char *host, uint32_t port) {
        if (host && inet_pton(AF_INET6, host, &a->in6.sin6_addr) == 1) {
                a->in6.sin6_family = AF_INET6;
                a->in6.sin6_port = htons((uint16_t) port);
                return sizeof a->in6;
        }
        a->in.sin_family = AF_INET;
        a->in.sin_port = htons((uint16_t) port);
        if (!host || inet_pton(AF_INET, host, &a->in.sin_addr) != 1)
                a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof a->in;
}

static const char *host_of(const ProbeSpec *p, uint32_t *ret_port) {
        ProbeBy by = probe_spec_by(p);

        *ret_port = by == PROBE_HTTP ? p->http.port : by == PROBE_TCP ? p->tcp.port : p->grpc.port;
        return by == PROBE_HTTP ? p->http.host : by == PROBE_TCP ? p->tcp.host : p->grpc.host;
}

socklen_t probe_address(ProbeAddress *a, const ProbeSpec *p, const ProbeTarget *at) {
        const char *host;
        uint32_t port;

        *a = (ProbeAddress) {};
        if (at && at->size > 0 && at->size <= sizeof *a) {
                memcpy(a, &at->address, at->size);
                return at->size;
        }
        if (p->unix_path) {
                a->un.sun_family = AF_UNIX;
                if (strlen(p->unix_path) >= sizeof a->un.sun_path)
                        return 0;
                strcpy(a->un.sun_path, p->unix_path);
                return sizeof a->un;
        }
        host = host_of(p, &port);
        return address_ip(a, host, port);
}

void probe_authority(const ProbeSpec *p, char text[PROBE_AUTHORITY_MAX]) {
        uint32_t port;
        const char *host = host_of(p, &port) ?: "127.0.0.1";

        snprintf(text, PROBE_AUTHORITY_MAX, strchr(host, ':') ? "[%s]:%" PRIu32 : "%s:%" PRIu32, host, port);
}
