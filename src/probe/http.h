/* One HTTP/1.1 request and its answer. Source: RFC 9110, RFC 9112. Pure: bytes in, bytes out. */
#pragma once

#include "base/text.h"
#include "model/spec.h"

#define HTTP_HEAD_MAX (16 * 1024)      /* bytes before the body, interim answers included */
#define HTTP_BODY_MAX (16 * 1024)      /* of the body that are looked at */
#define HTTP_EXCERPT 256               /* of a body that nothing is looked for in */
#define HTTP_LINE_MAX 256              /* of a header line; the rest of it is passed over */

/* The whole request, "Connection: close" in it. `host` is what Host says. 0 or -ENOMEM. */
int http_request(Buffer *b, const ProbeSpec *p, const char *host);

typedef struct HttpResponse HttpResponse;
HttpResponse *http_response_new(const ProbeSpec *p);       /* p is borrowed; NULL on OOM */
HttpResponse *http_response_free(HttpResponse *r);
DEFINE_CLEANUP(HttpResponse *, http_response_free);
/* The next bytes: 1 when enough has been read to judge, 0 for more please, -EBADMSG when this is no HTTP, -EMSGSIZE when its head is too long. */
int http_response_feed(HttpResponse *r, const char *bytes, size_t n);
/* The other side has closed: 1, or -EPIPE when it did so too early. */
int http_response_end(HttpResponse *r);
/* What the answer means, in words into `text` (of size bytes). Only when enough has been read. */
bool http_response_judge(const HttpResponse *r, char *text, size_t size);
