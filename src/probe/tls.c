/* Must stay true: every end has its words in the text. */
#include "probe/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "probe/address.h"
#include "probe/http.h"

#define ANSWER_MAX (64 * 1024)         /* bytes that are read of one answer */

typedef struct Ask {
        const ProbeSpec *spec;
        char *text;
        size_t size;
        int fd;
        SSL_CTX *context;
        SSL *ssl;
        HttpResponse *response;
} Ask;

static void ask_done(Ask *a) {
        SSL_free(a->ssl);
        SSL_CTX_free(a->context);
        http_response_free(a->response);
        fd_close(a->fd);
}

static int fault(Ask *a, const char *text) {
        snprintf(a->text, a->size, "%s", text);
        return -EPROTO;
}

static int fault_errno(Ask *a, const char *what, int error) {
        if (error == ECONNREFUSED)
                return fault(a, "connection refused");
        snprintf(a->text, a->size, "%s: %s", what, strerror(error));
        return -error;
}

/* What OpenSSL has to say, or else errno. */
static int fault_ssl(Ask *a, const char *what) {
        unsigned long code = ERR_peek_last_error();
        const char *reason = code ? ERR_reason_error_string(code) : NULL;
        long verified = a->ssl ? SSL_get_verify_result(a->ssl) : X509_V_OK;

        if (verified != X509_V_OK)
                reason = X509_verify_cert_error_string(verified);
        snprintf(a->text, a->size, "%s%s: %s", what, verified != X509_V_OK ? ": its certificate is not valid" : "",
                 reason ?: errno > 0 ? strerror(errno) : "the connection was closed");
        return -EPROTO;
}

/* The name that it is asked by: that of the header Host, without the port; else NULL. */
static char *name_of(const ProbeSpec *p) {
        STRV_FOREACH(h, p->http.headers)
                if (strncasecmp(*h, "Host:", 5) == 0) {
                        const char *name = *h + 5 + strspn(*h + 5, " \t");

                        return strndup(name, strcspn(name, ": \t"));
                }
        return NULL;
}

static bool is_address(const char *name) {
        unsigned char address[sizeof(struct in6_addr)];

        return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* ---- the connection ---- */

static int join(Ask *a) {
        ProbeAddress address;
        socklen_t n = probe_address(&address, a->spec, NULL);

        a->fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (a->fd < 0)
                return fault_errno(a, "cannot make a socket", errno);
        return connect(a->fd, &address.any, n) < 0 ? fault_errno(a, "cannot connect", errno) : 0;
}

/* Any certificate will do unless it is to be verified, then for the name, or else for the address. */
static int trust(Ask *a, const char *name) {
        const ProbeSpec *p = a->spec;
        const char *who = name ?: p->http.host && !streq(p->http.host, "localhost") ? p->http.host : "127.0.0.1";

        if (!p->http.verify)
                return 0;
        if (!(p->http.ca ? SSL_CTX_load_verify_locations(a->context, p->http.ca, NULL) : SSL_CTX_set_default_verify_paths(a->context))) {
                snprintf(a->text, a->size, "http.ca: %s: %s", p->http.ca ?: "the system's", ERR_reason_error_string(ERR_peek_last_error()) ?: "cannot be read");
                return -EINVAL;
        }
        SSL_CTX_set_verify(a->context, SSL_VERIFY_PEER, NULL);
        if (!(is_address(who) ? X509_VERIFY_PARAM_set1_ip_asc(SSL_CTX_get0_param(a->context), who) : X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(a->context), who, 0)))
                return fault_ssl(a, "cannot verify");
        return 0;
}

static int shake_hands(Ask *a) {
        _cleanup_free_ char *name = name_of(a->spec);
        int r;

        a->context = SSL_CTX_new(TLS_client_method());
        if (!a->context)
                return fault_ssl(a, "no TLS");
        r = trust(a, name);
        if (r < 0)
                return r;
        a->ssl = SSL_new(a->context);
        /* A server that serves several names has to be told which (RFC 6066, 3); addresses are no such name. */
        if (!a->ssl || SSL_set_fd(a->ssl, a->fd) != 1 || (name && !is_address(name) && SSL_set_tlsext_host_name(a->ssl, name) != 1))
                return fault_ssl(a, "no TLS");
        errno = 0;
        return SSL_connect(a->ssl) == 1 ? 0 : fault_ssl(a, "no TLS connection");
}

/* ---- request and answer ---- */

static int request(Ask *a) {
        char authority[PROBE_AUTHORITY_MAX];
        _cleanup_buffer_ Buffer b = {};

        probe_authority(a->spec, authority);
        a->response = http_response_new(a->spec);
        if (!a->response || http_request(&b, a->spec, authority) < 0)
                return fault_errno(a, "cannot ask", ENOMEM);
        errno = 0;
        return SSL_write(a->ssl, b.data, (int) b.size) > 0 ? 0 : fault_ssl(a, "cannot ask");
}

/* Many servers close without TLS's own word for it: what was sized is whole all the same, and the rest is only looked at. */
static int answer(Ask *a) {
        char bytes[4096];
        size_t total = 0;
        int r = 0;

        while (r == 0 && total < ANSWER_MAX) {
                int n = SSL_read(a->ssl, bytes, sizeof bytes);

                if (n <= 0)
                        return http_response_end(a->response) > 0 ? 0 : fault(a, "the connection was closed in the middle of the answer");
                total += (size_t) n;
                r = http_response_feed(a->response, bytes, (size_t) n);
        }
        if (r == 0 || r == -EMSGSIZE)
                return fault(a, "its answer is too long");
        return r < 0 ? fault(a, "what answers there does not speak HTTP") : 0;
}

bool tls_ask(const ProbeSpec *p, char *text, size_t size) {
        _cleanup_(ask_done) Ask a = { .spec = p, .text = text, .size = size, .fd = -EBADF };

        if (join(&a) < 0 || shake_hands(&a) < 0 || request(&a) < 0 || answer(&a) < 0)
                return false;
        return http_response_judge(a.response, text, size);
}
