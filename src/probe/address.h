/* Where a probe asks. Pure: addresses are numbers or paths, no name is looked up. */
#pragma once

#include <netinet/in.h>
#include <sys/un.h>

#include "model/spec.h"

typedef union ProbeAddress {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
} ProbeAddress;

#define PROBE_AUTHORITY_MAX 64

/* Where it is asked instead of where the spec says, if size is not 0: a service behind a balancer is reached at its private socket. */
typedef struct ProbeTarget { socklen_t size; struct sockaddr_storage address; } ProbeTarget;

/* The size of the address; at may be NULL. 0 for what is no address, which the rules of the spec do not let through. Not for exec. */
socklen_t probe_address(ProbeAddress *a, const ProbeSpec *p, const ProbeTarget *at);
/* "127.0.0.1:8080", "[::1]:80", as Host and :authority have it. Of http, tcp and grpc. */
void probe_authority(const ProbeSpec *p, char text[PROBE_AUTHORITY_MAX]);
