#include "base/strv.h"
#include "probe/http.h"

static const char *const methods[] = { [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST", [HTTP_OPTIONS] = "OPTIONS" };

static bool given(char *const *headers, const char *name) {
        size_t n = strlen(name);

        STRV_FOREACH(h, headers)
                if (strncasecmp(*h, name, n) == 0 && (*h)[n] == ':')
                        return true;
        return false;
}

static int header(Buffer *b, const ProbeSpec *p, const char *name, const char *value) {
        return given(p->http.headers, name) ? 0 : buffer_printf(b, "%s: %s\r\n", name, value);
}

int http_request(Buffer *b, const ProbeSpec *p, const char *host) {
        int r;

        r = buffer_printf(b, "%s %s HTTP/1.1\r\n", methods[p->http.method], p->http.path ?: "/");
        if (r < 0 || (r = header(b, p, "Host", host)) < 0 || (r = header(b, p, "User-Agent", "kingly-probe")) < 0 || (r = header(b, p, "Accept", "*/*")) < 0 ||
            (r = header(b, p, "Connection", "close")) < 0 || (p->http.method == HTTP_POST && (r = header(b, p, "Content-Length", "0")) < 0))
                return r;
        for (char *const *h = p->http.headers; h && *h && r >= 0; h++)
                r = buffer_printf(b, "%s\r\n", *h);
        return r < 0 ? r : buffer_append(b, "\r\n", 2);
}
