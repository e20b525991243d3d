/* Owns the keys within a probe and what can be done to a whole one. What must stay true: a probe is born with every default of the table, and its
 * keys are known nowhere else. */
#include "base/strv.h"
#include "base/text.h"
#include "model/key_types.h"

static const char *const methods[] = { "GET", "HEAD", "POST", "OPTIONS", NULL };
static const char *const schemes[] = { "http", "https", NULL };

#define FIELD(f) .offset = offsetof(ProbeSpec, f)
#define HOST_HELP "An IP address, or localhost; without it 127.0.0.1."
#define PORT .min = 1, .max = 65535

const SpecKey spec_probe_keys[] = {
        { "exec", KEY_WORDS, FIELD(exec),
          .help = "A command: it succeeds with status 0. It runs as the service does, with its user, directory and environment; when the timeout is over, "
                  "it and all that it has started are killed.",
          .example = "[pg_isready, -q]" },
        { "http.port", KEY_UINT32, FIELD(http.port), PORT,
          .help = "Port of an HTTP request that is to be answered. Redirections are not followed.",
          .example = "8080" },
        { "http.host", KEY_STRING, FIELD(http.host),
          .help = HOST_HELP " The header Host says the same unless it is set.",
          .example = "\"::1\"" },
        { "http.path", KEY_STRING, FIELD(http.path),
          .help = "What is asked for, with the query; without it /.",
          .example = "/health" },
        { "http.method", KEY_ENUM, FIELD(http.method), methods, .fallback = "GET",
          .help = "Method of the request; none has a body.",
          .example = "HEAD" },
        { "http.scheme", KEY_ENUM, FIELD(http.scheme), schemes, .fallback = "http",
          .help = "https: the same over TLS. A program of its own asks then, kingd-probe, as a command of exec would.",
          .example = "https" },
        { "http.verify", KEY_BOOL, FIELD(http.verify), .fallback = "false",
          .help = "With https: the certificate has to be valid, for the name in the header Host, or for the address that is asked where that is not set. Without it "
                  "any certificate will do: the probe asks whether the service works, not who it is.",
          .example = "true" },
        { "http.ca", KEY_PATH, FIELD(http.ca),
          .help = "PEM file of the authorities that http.verify trusts, instead of the system's; relative to the file.",
          .example = "/etc/ssl/shop.pem" },
        { "http.headers", KEY_HEADERS, FIELD(http.headers),
          .help = "Headers of the request beside Host, User-Agent, Accept and Connection, or instead of them.",
          .example = "{Host: shop.example}" },
        { "http.codes", KEY_CODES, FIELD(http.codes), .min = 100, .max = 599,
          .help = "The statuses that are a success; without it 200 to 399.",
          .example = "[200, 204]" },
        { "http.body", KEY_STRING, FIELD(http.body),
          .help = "Text that the first 16 KiB of the answer's body must hold as well.",
          .example = "\"ok\"" },
        { "tcp.port", KEY_UINT32, FIELD(tcp.port), PORT,
          .help = "Port that is to take a connection, which is closed at once.",
          .example = "5432" },
        { "tcp.host", KEY_STRING, FIELD(tcp.host),
          .help = HOST_HELP,
          .example = "10.0.0.2" },
        { "unix", KEY_PATH, FIELD(unix_path),
          .help = "Path of a Unix stream socket that is to take a connection; relative to the file.",
          .example = "/run/app.sock" },
        { "grpc.port", KEY_UINT32, FIELD(grpc.port), PORT,
          .help = "Port of a server of the gRPC Health Checking Protocol (grpc.health.v1.Health/Check, without TLS) that is to answer SERVING.",
          .example = "50051" },
        { "grpc.host", KEY_STRING, FIELD(grpc.host),
          .help = HOST_HELP,
          .example = "10.0.0.2" },
        { "grpc.service", KEY_STRING, FIELD(grpc.service),
          .help = "Name of the service within that server; without it the server as a whole.",
          .example = "shop.v1.Cart" },
        { "initial_delay", KEY_SPAN, FIELD(initial_delay), .max = (int64_t) USEC_PER_DAY, .fallback = "0",
          .help = "Wait before the first try, after the command executes or the startup probe has succeeded.",
          .example = "5s" },
        { "period", KEY_SPAN, FIELD(period), .min = 100 * (int64_t) USEC_PER_MSEC, .max = (int64_t) USEC_PER_DAY, .fallback = "10s",
          .help = "Time from one try to the next; one that takes longer delays the next. Until the first success it is tried more often, after 100 ms, "
                  "then twice as long each time, but only failures a period apart are counted.",
          .example = "1s" },
        { "timeout", KEY_SPAN, FIELD(timeout), .min = 1000, .max = (int64_t) USEC_PER_HOUR, .fallback = "1s",
          .help = "A try without an answer after this time has failed.",
          .example = "500ms" },
        { "success", KEY_UINT32, FIELD(success), .min = 1, .max = 1000, .fallback = "1",
          .help = "Successes in a row that make a failed readiness good again; the other probes know only one.",
          .example = "2" },
        { "failure", KEY_UINT32, FIELD(failure), .min = 1, .max = 1000000, .fallback = "3",
          .help = "Failures in a row after which the probe as a whole has failed.",
          .example = "30" },
        { "grace", KEY_SPAN, FIELD(grace), .fallback = "infinity",
          .help = "A service that a startup or liveness probe has found bad gets this long to stop, if that is shorter than stop.timeout.",
          .example = "1s" },
        {},
};

const char *probe_kind_name(ProbeKind kind) {
        static const char *const names[] = { [PROBE_STARTUP] = "startup", [PROBE_READINESS] = "readiness", [PROBE_LIVENESS] = "liveness" };

        return names[kind];
}

const char *probe_by_name(ProbeBy by) {
        static const char *const names[] = { "none", "exec", "http", "tcp", "unix", "grpc" };

        return names[by];
}

ProbeBy probe_spec_by(const ProbeSpec *p) {
        return p->exec ? PROBE_EXEC : p->http.port ? PROBE_HTTP : p->tcp.port ? PROBE_TCP : p->unix_path ? PROBE_UNIX :
               p->grpc.port ? PROBE_GRPC : PROBE_NONE;
}

ProbeSpec *probe_spec_free(ProbeSpec *p) {
        if (!p)
                return NULL;
        for (const SpecKey *k = spec_probe_keys; k->path; k++)
                if (key_ops[k->type].done)
                        key_ops[k->type].done(key_field(k, p));
        free(p);
        return NULL;
}

int probe_spec_new(ProbeSpec **ret) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = calloc(1, sizeof(ProbeSpec));
        int r;

        if (!p)
                return -ENOMEM;
        for (const SpecKey *k = spec_probe_keys; k->path; k++) {
                r = spec_key_reset(k, p);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(p);
        return 0;
}

int probe_spec_copy(const ProbeSpec *p, ProbeSpec **ret) {
        _cleanup_(probe_spec_freep) ProbeSpec *copy = NULL;
        int r = probe_spec_new(&copy);

        for (const SpecKey *k = spec_probe_keys; k->path && r >= 0; k++)
                r = spec_key_copy(k, copy, p);
        if (r >= 0)
                *ret = TAKE_PTR(copy);
        return r;
}

/* ---- a probe as the value of a key ---- */

bool key_probe_equal(const void *a, const void *b) {
        const ProbeSpec *x = *(ProbeSpec *const *) a, *y = *(ProbeSpec *const *) b;

        if (!x || !y)
                return x == y;
        for (const SpecKey *k = spec_probe_keys; k->path; k++)
                if (!spec_key_equal(k, x, y))
                        return false;
        return true;
}

int key_probe_copy(void *to, const void *from) {
        const ProbeSpec *p = *(ProbeSpec *const *) from;
        ProbeSpec *copy = NULL;

        if (p && probe_spec_copy(p, &copy) < 0)
                return -ENOMEM;
        *(ProbeSpec **) to = copy;
        return 0;
}

void key_probe_done(void *field) {
        probe_spec_free(*(ProbeSpec **) field);
}

/* "http.port: 8080, http.path: /health, period: 5s" */
char *key_probe_show(const SpecKey *key, const void *s) {
        const ProbeSpec *p = *(ProbeSpec *const *) key_field(key, s);
        _cleanup_buffer_ Buffer b = {};

        for (const SpecKey *k = spec_probe_keys; k->path; k++) {
                _cleanup_free_ char *text = NULL;

                if (spec_key_is_default(k, p))
                        continue;
                text = spec_key_format(k, p);
                if (!text || buffer_printf(&b, "%s%s: %s", b.size > 0 ? ", " : "", k->path, text) < 0)
                        return NULL;
        }
        return b.size > 0 ? TAKE_PTR(b.data) : strdup("nothing");
}
