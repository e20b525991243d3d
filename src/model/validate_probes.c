/* Rules for probes: what one asks, and what its answers may mean. */
#include <arpa/inet.h>

#include "base/text.h"
#include "model/validate.h"

static const char *const keys[] = {
        [PROBE_STARTUP] = "probes.startup", [PROBE_READINESS] = "probes.readiness", [PROBE_LIVENESS] = "probes.liveness",
};

static unsigned ways(const ProbeSpec *p) {
        return (p->exec != NULL) + (p->http.port > 0) + (p->tcp.port > 0) + (p->unix_path != NULL) + (p->grpc.port > 0);
}

/* Names would have to be asked of a server, whose own failure is not the service's. */
static bool host_valid(const char *host) {
        unsigned char address[sizeof(struct in6_addr)];

        return !host || streq(host, "localhost") || inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static bool request_target_valid(const char *path) {
        if (!path)
                return true;
        for (const char *c = path; *c; c++)
                if ((unsigned char) *c <= ' ' || *c == 0x7f)
                        return false;
        return *path == '/' || *path == '*';
}

static int check_hosts(const ProbeSpec *p, const char *key, const char **ret_key, KlError *reterr) {
        const char *const hosts[] = { p->http.host, p->tcp.host, p->grpc.host };

        for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
                if (!host_valid(hosts[i])) {
                        (void) FAULT(key, "%s: host: \"%s\" is neither an IP address nor localhost", key, hosts[i]);
                        kl_error_hint(reterr, "exec can run a program that resolves names, such as curl");
                        return -EINVAL;
                }
        return 0;
}

static int check_what(const ProbeSpec *p, const char *key, const char **ret_key, KlError *reterr) {
        unsigned n = ways(p);

        if (n == 0 && (p->http.path || p->http.host || p->http.headers || p->http.body || p->tcp.host || p->grpc.host || p->grpc.service))
                return FAULT(key, "%s: port: missing", key);
        if (n != 1)
                return FAULT(key, "%s: expected one of exec, http, tcp, unix or grpc, not %s", key, n == 0 ? "none" : "several of them");
        if (!request_target_valid(p->http.path))
                return FAULT(key, "%s: http.path: \"%s\" does not begin with / or holds a blank; write %%20 for it", key, p->http.path);
        if (p->http.scheme != SCHEME_HTTPS && (p->http.verify || p->http.ca))
                return FAULT(key, "%s: http.%s: only with http.scheme: https", key, p->http.ca ? "ca" : "verify");
        if (p->http.ca && !p->http.verify)
                return FAULT(key, "%s: http.ca: only with http.verify: true", key);
        if (p->http.ca && *p->http.ca != '/')
                return FAULT(key, "%s: http.ca: \"%s\" is not an absolute path", key, p->http.ca);
        if (p->unix_path && *p->unix_path != '/')
                return FAULT(key, "%s: unix: \"%s\" is not an absolute path", key, p->unix_path);
        if (p->unix_path && strlen(p->unix_path) > 107)
                return FAULT(key, "%s: unix: longer than the 107 bytes that a socket's path may have", key);
        return check_hosts(p, key, ret_key, reterr);
}

static int check_probe(const ServiceSpec *s, ProbeKind kind, const char **ret_key, KlError *reterr) {
        const ProbeSpec *p = s->probes[kind];
        const char *key = keys[kind];

        if (!p)
                return 0;
        if (s->type == SERVICE_ONESHOT)
                return FAULT(key, "%s: a oneshot does its work and ends; only a simple service can be probed", key);
        if (kind != PROBE_READINESS && p->success != 1)
                return FAULT(key, "%s: success: only a readiness probe can ask for more than 1", key);
        if (kind == PROBE_READINESS && p->grace != USEC_INFINITY)
                return FAULT(key, "%s: grace: a readiness probe stops nothing", key);
        return check_what(p, key, ret_key, reterr);
}

int check_probes(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        for (ProbeKind kind = 0; kind < _PROBE_KIND_MAX; kind++) {
                int r = check_probe(s, kind, ret_key, reterr);

                if (r < 0)
                        return r;
        }
        if (s->ready_by == READY_PROBE && !s->probes[PROBE_STARTUP] && !s->probes[PROBE_READINESS])
                return FAULT("ready.by", "ready.by: probe needs probes.startup or probes.readiness");
        return 0;
}
