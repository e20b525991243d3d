/* One HTTP request over TLS, by OpenSSL, which may block: for kingd-probe, whose time is limited by whoever started it. The manager never links it. */
#pragma once

#include "model/spec.h"

/* Whether it was a success; text says in words what was answered, or what went wrong: "HTTP 200 OK", "connection refused", "the certificate has expired".
 * Sources: ssl(7), SSL_set1_host(3), SSL_CTX_set_verify(3), RFC 6066 (server name), RFC 9110, 4.3.4 (what https verifies). */
bool tls_ask(const ProbeSpec *p, char *text, size_t size);
