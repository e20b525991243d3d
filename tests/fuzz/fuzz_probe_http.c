/* Any bytes as the answer to an HTTP probe, in pieces of the size that the second byte says; the first chooses what is asked. However it is cut, the
 * outcome is the same. */
#include "probe/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_answer(const ProbeSpec *p, const char *bytes, size_t n, size_t piece, char text[256]) {
        _cleanup_(http_response_freep) HttpResponse *r = http_response_new(p);
        int done = 0;

        if (!r)
                return -ENOMEM;
        for (size_t at = 0; at < n && done == 0; at += piece)
                done = http_response_feed(r, bytes + at, MIN(piece, n - at));
        if (done == 0)
                done = http_response_end(r);
        if (done > 0)
                done += http_response_judge(r, text, 256);
        return done;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        ProbeSpec p = { .http = { .port = 1 } };
        char whole[256] = "", pieces[256] = "", body[] = "ok";
        int a, b;

        if (size < 2)
                return 0;
        p.http.body = data[0] & 1 ? body : NULL;
        p.http.method = data[0] & 2 ? HTTP_HEAD : HTTP_GET;
        a = read_answer(&p, (const char *) data + 2, size - 2, SIZE_MAX / 2, whole);
        b = read_answer(&p, (const char *) data + 2, size - 2, (size_t) data[1] + 1, pieces);
        /* An excerpt shows what came with the head, which the pieces decide. */
        if (a != b || (p.http.body && strcmp(whole, pieces) != 0))
                abort();
        return 0;
}
