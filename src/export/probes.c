/* Probes elsewhere. Kubernetes has all of them; Compose and Podman have one health check, a command within the container, which is made of the probe
 * that says most about readiness; systemd has none. */
#include <stdio.h>

#include "base/strv.h"
#include "export/exporter.h"

static const ProbeSpec *probe_of(const Exporter *x, const SpecKey *k, ProbeKind *ret_kind) {
        for (ProbeKind kind = 0; kind < _PROBE_KIND_MAX; kind++)
                if (streq(k->path + strlen("probes."), probe_kind_name(kind))) {
                        *ret_kind = kind;
                        return x->spec->probes[kind];
                }
        return NULL;
}

/* The keys of the probe that are in the list and not at their default have no counterpart. */
static int note_keys(Exporter *x, const SpecKey *k, const ProbeSpec *p, const char *const *keys) {
        int r = 0;

        for (; *keys && r >= 0; keys++)
                if (!spec_key_is_default(spec_probe_key_find(*keys), p))
                        r = export_note(x, "%s.%s has no counterpart", k->path, *keys);
        return r;
}

/* Whole seconds, at least one. */
static int64_t seconds(usec_t t) {
        return (int64_t) MAX((t + USEC_PER_SEC - 1) / USEC_PER_SEC, (usec_t) 1);
}

/* ---- Kubernetes ---- */

static int set_headers(json_object *o, char *const *headers) {
        int r = 0;

        for (; headers && *headers && r >= 0; headers++) {
                json_object *h = json_object_new_object();
                const char *colon = strchr(*headers, ':');

                r = export_set(h, "name", json_object_new_string_len(*headers, (int) (colon - *headers)));
                if (r >= 0)
                        r = export_set_text(h, "value", colon + 2);
                if (r >= 0)
                        r = export_push(o, "httpGet.httpHeaders", h);
                else
                        json_object_put(h);
        }
        return r;
}

static int set_host_and_port(json_object *o, const char *action, const char *host, uint32_t port) {
        _cleanup_free_ char *at = text_printf("%s.port", action), *where = text_printf("%s.host", action);
        int r = at && where ? export_set(o, at, json_object_new_int64(port)) : -ENOMEM;

        return r < 0 || !host ? r : export_set_text(o, where, host);
}

static int set_action(json_object *o, const ProbeSpec *p) {
        int r;

        switch (probe_spec_by(p)) {
        case PROBE_EXEC:
                return export_set(o, "exec.command", export_strv(p->exec));
        case PROBE_HTTP:
                r = export_set_text(o, "httpGet.path", p->http.path ?: "/");
                if (r >= 0 && p->http.scheme == SCHEME_HTTPS)
                        r = export_set_text(o, "httpGet.scheme", "HTTPS");
                if (r >= 0)
                        r = set_host_and_port(o, "httpGet", p->http.host, p->http.port);
                return r < 0 ? r : set_headers(o, p->http.headers);
        case PROBE_TCP:
                return set_host_and_port(o, "tcpSocket", p->tcp.host, p->tcp.port);
        default:
                r = export_set(o, "grpc.port", json_object_new_int64(p->grpc.port));
                return r < 0 || !p->grpc.service ? r : export_set_text(o, "grpc.service", p->grpc.service);
        }
}

static int set_timing(json_object *o, const ProbeSpec *p) {
        int r = 0;

        if (p->initial_delay > 0)
                r = export_set(o, "initialDelaySeconds", json_object_new_int64(seconds(p->initial_delay)));
        if (r >= 0)
                r = export_set(o, "periodSeconds", json_object_new_int64(seconds(p->period)));
        if (r >= 0)
                r = export_set(o, "timeoutSeconds", json_object_new_int64(seconds(p->timeout)));
        if (r >= 0 && p->success > 1)
                r = export_set(o, "successThreshold", json_object_new_int64(p->success));
        if (r >= 0)
                r = export_set(o, "failureThreshold", json_object_new_int64(p->failure));
        if (r >= 0 && p->grace != USEC_INFINITY)
                r = export_set(o, "terminationGracePeriodSeconds", json_object_new_int64(seconds(p->grace)));
        return r;
}

int export_probe_kubernetes(Exporter *x, const SpecKey *k) {
        static const char *const unknown[] = { "http.method", "http.verify", "http.ca", "http.codes", "http.body", "grpc.host", NULL };
        json_object *o;
        ProbeKind kind;
        const ProbeSpec *p = probe_of(x, k, &kind);
        _cleanup_free_ char *path = text_printf("%sProbe", probe_kind_name(kind));
        int r;

        if (probe_spec_by(p) == PROBE_UNIX)
                return export_note(x, "%s: unix has no counterpart: let a command in the image connect", k->path);
        o = json_object_new_object();
        r = path ? export_set(x->container, path, o) : (json_object_put(o), -ENOMEM);
        if (r < 0 || (r = set_action(o, p)) < 0 || (r = set_timing(o, p)) < 0)
                return r;
        if (probe_spec_by(p) != PROBE_EXEC && !p->http.host && !p->tcp.host &&
            (r = export_note(x, "%s: it is asked at the address of the pod, not at 127.0.0.1: the service must listen there", k->path)) < 0)
                return r;
        return note_keys(x, k, p, unknown);
}

/* ---- one health check ---- */

static bool chosen(const Exporter *x, ProbeKind kind) {
        ProbeSpec *const *p = x->spec->probes;

        return kind == (p[PROBE_READINESS] ? PROBE_READINESS : p[PROBE_LIVENESS] ? PROBE_LIVENESS : PROBE_STARTUP);
}

/* How curl treats the certificate. */
static int tls_words(const ProbeSpec *p, char ***words) {
        if (p->http.scheme != SCHEME_HTTPS)
                return 0;
        if (!p->http.verify)
                return strv_append(words, "-k");
        return !p->http.ca ? 0 : strv_append(words, "--cacert") < 0 ? -ENOMEM : strv_append(words, p->http.ca);
}

static int http_words(const ProbeSpec *p, char ***words) {
        static const char *const methods[] = { [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST", [HTTP_OPTIONS] = "OPTIONS" };
        const char *host = p->http.host ?: "127.0.0.1", *scheme = p->http.scheme == SCHEME_HTTPS ? "https" : "http";
        int r;

        if ((r = strv_append(words, "curl")) < 0 || (r = strv_append(words, "-fsS")) < 0 || (r = strv_append(words, "-o")) < 0 ||
            (r = strv_append(words, "/dev/null")) < 0 || (r = tls_words(p, words)) < 0)
                return r;
        if (p->http.method != HTTP_GET && ((r = strv_append(words, p->http.method == HTTP_HEAD ? "--head" : "-X")) < 0 ||
                                           (p->http.method != HTTP_HEAD && (r = strv_append(words, methods[p->http.method])) < 0)))
                return r;
        for (char *const *h = p->http.headers; h && *h && r >= 0; h++)
                r = strv_append(words, "-H") < 0 ? -ENOMEM : strv_append(words, *h);
        return r < 0 ? r : strv_consume(words, text_printf(strchr(host, ':') ? "%s://[%s]:%u%s" : "%s://%s:%u%s", scheme, host, p->http.port, p->http.path ?: "/"));
}

/* The probe as a command; *ret_needs is the program that the image must have for it, or NULL. */
static int health_words(const ProbeSpec *p, char ***words, const char **ret_needs) {
        _cleanup_free_ char *port = NULL;
        int r;

        *ret_needs = NULL;
        switch (probe_spec_by(p)) {
        case PROBE_EXEC:
                *words = strv_copy(p->exec);
                return *words ? 0 : -ENOMEM;
        case PROBE_HTTP:
                *ret_needs = "curl";
                return http_words(p, words);
        case PROBE_GRPC:
                *ret_needs = "grpc_health_probe";
                r = strv_append(words, "grpc_health_probe");
                if (r >= 0)
                        r = strv_consume(words, text_printf("-addr=%s:%u", p->grpc.host ?: "127.0.0.1", p->grpc.port));
                return r < 0 || !p->grpc.service ? r : strv_consume(words, text_printf("-service=%s", p->grpc.service));
        default:
                *ret_needs = "nc";
                port = text_printf("%u", p->tcp.port);
                if (!port || (r = strv_append(words, "nc")) < 0 || (r = strv_append(words, p->unix_path ? "-zU" : "-z")) < 0)
                        return -ENOMEM;
                r = strv_append(words, p->unix_path ?: p->tcp.host ?: "127.0.0.1");
                return r < 0 || p->unix_path ? r : strv_append(words, port);
        }
}

/* 1 and the words, 0 when another probe of the service is the health check, which is noted. */
static int health_check(Exporter *x, const SpecKey *k, const ProbeSpec **ret, char ***words) {
        static const char *const unknown[] = { "http.codes", "http.body", "success", "grace", NULL };
        const char *needs;
        ProbeKind kind;
        int r;

        *ret = probe_of(x, k, &kind);
        if (!chosen(x, kind))
                return export_note(x, "%s: there is one health check there, and another probe is it", k->path);
        if ((r = health_words(*ret, words, &needs)) < 0 || (r = note_keys(x, k, *ret, unknown)) < 0)
                return r;
        if (needs && (r = export_note(x, "%s: the image must have %s", k->path, needs)) < 0)
                return r;
        return 1;
}

/* How long failures do not count: what a startup probe would have given. */
static usec_t start_period(const Exporter *x, const ProbeSpec *p) {
        const ProbeSpec *startup = x->spec->probes[PROBE_STARTUP];

        return startup ? startup->initial_delay + startup->period * startup->failure : p->initial_delay;
}

int export_probe_compose(Exporter *x, const SpecKey *k) {
        _cleanup_strv_ char **words = NULL;
        const ProbeSpec *p;
        char buf[FORMAT_MAX];
        int r = health_check(x, k, &p, &words);

        if (r <= 0)
                return r;
        r = export_push(x->document, "healthcheck.test", json_object_new_string("CMD"));
        for (char **w = words; w && *w && r >= 0; w++) {
                _cleanup_free_ char *word = export_escape_compose(*w);

                r = word ? export_push(x->document, "healthcheck.test", json_object_new_string(word)) : -ENOMEM;
        }
        if (r < 0 || (r = export_set_text(x->document, "healthcheck.interval", format_span(buf, p->period, true))) < 0 ||
            (r = export_set_text(x->document, "healthcheck.timeout", format_span(buf, p->timeout, true))) < 0 ||
            (r = export_set(x->document, "healthcheck.retries", json_object_new_int64(p->failure))) < 0)
                return r;
        return start_period(x, p) == 0 ? 0 : export_set_text(x->document, "healthcheck.start_period", format_span(buf, start_period(x, p), true));
}

/* A list in JSON, as podman takes it for words; % and $ mean something to systemd. */
static int unit_json(Exporter *x, const char *name, char *const *words) {
        json_object *list = export_strv(words);
        const char *text = list ? json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;
        Buffer *b = &x->sections[SECTION_CONTAINER];
        int r = text ? buffer_printf(b, "%s=", name) : -ENOMEM;

        for (const char *c = text; r >= 0 && *c; c++)
                r = buffer_append(b, (char[]) { *c, *c }, *c == '%' || *c == '$' ? 2 : 1);
        json_object_put(list);
        return r < 0 ? r : buffer_append(b, "\n", 1);
}

int export_probe_quadlet(Exporter *x, const SpecKey *k) {
        _cleanup_strv_ char **words = NULL;
        Buffer *b = &x->sections[SECTION_CONTAINER];
        const ProbeSpec *p;
        char buf[FORMAT_MAX];
        int r = health_check(x, k, &p, &words);

        if (r <= 0)
                return r;
        if ((r = unit_json(x, "HealthCmd", words)) < 0 || (r = buffer_printf(b, "HealthInterval=%s\n", format_span(buf, p->period, true))) < 0 ||
            (r = buffer_printf(b, "HealthTimeout=%s\n", format_span(buf, p->timeout, true))) < 0 || (r = buffer_printf(b, "HealthRetries=%u\n", p->failure)) < 0)
                return r;
        if (start_period(x, p) > 0 && (r = buffer_printf(b, "HealthStartPeriod=%s\n", format_span(buf, start_period(x, p), true))) < 0)
                return r;
        /* Killed, it is started again by Restart=. */
        return p == x->spec->probes[PROBE_LIVENESS] ? buffer_printf(b, "HealthOnFailure=kill\n") : 0;
}

int export_probe_systemd(Exporter *x, const SpecKey *k) {
        return export_note(x, "%s has no counterpart: systemd asks nobody; let the service say so by sd_notify and WatchdogSec=", k->path);
}
