/* A reader that is given bytes as they come. What must stay true: whatever comes, what is kept is bounded, and the end of the head, of the body or of
 * patience with the head is found. */
#include <stdio.h>

#include "base/span.h"
#include "probe/http.h"

typedef enum State { STATUS_LINE, HEADERS, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILERS, COMPLETE } State;

struct HttpResponse {
        const ProbeSpec *spec;
        State state;
        int status;
        bool chunked, sized;
        uint64_t left;                 /* of the body, or of this chunk */
        size_t head;                   /* bytes before the body, framing of chunks included */
        char reason[64];
        char line[HTTP_LINE_MAX];
        size_t n_line;                 /* may be more than fits */
        size_t n_body, body_max;
        char body[];
};

HttpResponse *http_response_new(const ProbeSpec *p) {
        size_t max = p->http.body ? HTTP_BODY_MAX : HTTP_EXCERPT;
        HttpResponse *r = malloc(sizeof(HttpResponse) + max);

        if (r)
                *r = (HttpResponse) { .spec = p, .body_max = max };
        return r;
}

HttpResponse *http_response_free(HttpResponse *r) {
        free(r);
        return NULL;
}

static void keep_body(HttpResponse *r, const char *bytes, size_t n) {
        n = MIN(n, r->body_max - r->n_body);
        memcpy(r->body + r->n_body, bytes, n);
        r->n_body += n;
}

/* ---- the head ---- */

static bool status_good(const HttpResponse *r) {
        const CodeList *codes = &r->spec->http.codes;

        for (size_t i = 0; i < codes->n; i++)
                if (codes->items[i] == r->status)
                        return true;
        return codes->n == 0 && r->status >= 200 && r->status < 400;
}

/* "HTTP/1.1 200 OK" */
static int status_line(HttpResponse *r) {
        const char *rest = startswith(r->line, "HTTP/1.");

        if (!rest || rest[0] < '0' || rest[0] > '9' || rest[1] != ' ')
                return -EBADMSG;
        rest += 2;
        for (size_t i = 0; i < 3; i++)
                if (rest[i] < '0' || rest[i] > '9')
                        return -EBADMSG;
        if (rest[0] == '0' || (rest[3] != ' ' && rest[3] != '\0'))
                return -EBADMSG;
        r->status = (rest[0] - '0') * 100 + (rest[1] - '0') * 10 + (rest[2] - '0');
        snprintf(r->reason, sizeof r->reason, "%s", rest[3] ? rest + 4 : "");
        r->state = HEADERS;
        return 0;
}

/* The value of a header of this name, without blanks in front; NULL for another header. */
static const char *value_of(const char *line, const char *name) {
        size_t n = strlen(name);

        return strncasecmp(line, name, n) == 0 && line[n] == ':' ? line + n + 1 + strspn(line + n + 1, " \t") : NULL;
}

static int header_line(HttpResponse *r) {
        const char *length = value_of(r->line, "Content-Length"), *coding = value_of(r->line, "Transfer-Encoding");

        if (coding)
                r->chunked = strcasestr(coding, "chunked") != NULL;
        if (!length)
                return 0;
        r->sized = true;
        return parse_u64(length, &r->left) < 0 ? -EBADMSG : 0;
}

/* Interim answers (100, 103) come before the one that is meant. */
static int head_end(HttpResponse *r) {
        bool bodiless = r->spec->http.method == HTTP_HEAD || r->status == 204 || r->status == 304;

        if (r->status < 200 && r->status != 101) {
                r->state = STATUS_LINE;
                r->chunked = r->sized = false;
                return 0;
        }
        /* A body that is not asked for is shown, its first bytes, when the status is bad. */
        if (bodiless || (!r->spec->http.body && status_good(r)) || (r->sized && !r->chunked && r->left == 0))
                r->state = COMPLETE;
        else
                r->state = r->chunked ? CHUNK_SIZE : BODY;
        return 0;
}

static int chunk_size(HttpResponse *r) {
        char *end;

        if (!strchr("0123456789abcdefABCDEF", r->line[0]) || r->line[0] == '\0')
                return -EBADMSG;
        errno = 0;
        r->left = strtoull(r->line, &end, 16);
        if (errno != 0 || (*end && !strchr("; \t", *end)))
                return -EBADMSG;
        r->state = r->left > 0 ? CHUNK : TRAILERS;
        return 0;
}

static int line_complete(HttpResponse *r) {
        bool empty = r->line[0] == '\0';

        switch (r->state) {
        case STATUS_LINE:
                return status_line(r);
        case HEADERS:
                return empty ? head_end(r) : header_line(r);
        case CHUNK_SIZE:
                return chunk_size(r);
        case CHUNK_END:
                r->state = CHUNK_SIZE;
                return empty ? 0 : -EBADMSG;
        default:
                if (empty)
                        r->state = COMPLETE;
                return 0;
        }
}

/* One byte of a line. */
static int line_byte(HttpResponse *r, char c) {
        size_t n = MIN(r->n_line, sizeof r->line - 1);

        if (++r->head > HTTP_HEAD_MAX)
                return -EMSGSIZE;
        if (c != '\n') {
                if (r->n_line < sizeof r->line - 1)
                        r->line[r->n_line] = c;
                r->n_line++;
                return 0;
        }
        if (n > 0 && r->line[n - 1] == '\r')
                n--;
        r->line[n] = '\0';
        r->n_line = 0;
        return line_complete(r);
}

/* ---- the body ---- */

static size_t body_bytes(HttpResponse *r, const char *bytes, size_t n) {
        if (r->state == CHUNK || r->sized)
                n = (size_t) MIN((uint64_t) n, r->left);
        keep_body(r, bytes, n);
        r->left -= r->state == CHUNK || r->sized ? n : 0;
        if (r->n_body == r->body_max || (!r->spec->http.body && r->n_body > 0) || (r->state == BODY && r->sized && r->left == 0))
                r->state = COMPLETE;
        else if (r->state == CHUNK && r->left == 0)
                r->state = CHUNK_END;
        return n;
}

int http_response_feed(HttpResponse *r, const char *bytes, size_t n) {
        int error = 0;

        for (size_t i = 0; i < n && r->state != COMPLETE && error >= 0;) {
                if (r->state == BODY || r->state == CHUNK) {
                        i += body_bytes(r, bytes + i, n - i);
                        continue;
                }
                error = line_byte(r, bytes[i++]);
        }
        return error < 0 ? error : r->state == COMPLETE;
}

int http_response_end(HttpResponse *r) {
        if (r->state == COMPLETE || (r->state == BODY && !r->sized))
                return 1;
        return -EPIPE;
}

/* ---- judgement ---- */

/* The first line of the body, made safe for a terminal. */
static void add_excerpt(const HttpResponse *r, char *text, size_t size) {
        _cleanup_free_ char *shown = NULL;
        size_t n = 0;

        while (n < r->n_body && n < 100 && r->body[n] != '\n' && r->body[n] != '\r')
                n++;
        shown = n > 0 ? text_escape(r->body, n) : NULL;
        if (shown)
                snprintf(text + strlen(text), size - strlen(text), ": %s", shown);
}

bool http_response_judge(const HttpResponse *r, char *text, size_t size) {
        const char *wanted = r->spec->http.body;
        _cleanup_free_ char *reason = text_escape(r->reason, strlen(r->reason));

        snprintf(text, size, "HTTP %d%s%s", r->status, reason && *reason ? " " : "", reason ?: "");
        if (!status_good(r)) {
                add_excerpt(r, text, size);
                return false;
        }
        if (!wanted || memmem(r->body, r->n_body, wanted, strlen(wanted)))
                return true;
        snprintf(text + strlen(text), size - strlen(text), ", but its body does not hold \"%.80s\"", wanted);
        return false;
}
