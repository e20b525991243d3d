#include <stdio.h>

#include "probe/grpc.h"

enum { FRAME_DATA = 0, FRAME_HEADERS = 1, FRAME_RST_STREAM = 3, FRAME_SETTINGS = 4, FRAME_GOAWAY = 7 };
enum { FLAG_ACK = 1, FLAG_END_STREAM = 1, FLAG_END_HEADERS = 4, FLAG_PADDED = 8 };
#define FRAME_MAX 16384                /* SETTINGS_MAX_FRAME_SIZE as we leave it */

const uint8_t grpc_settings_ack[9] = { 0, 0, 0, FRAME_SETTINGS, FLAG_ACK, 0, 0, 0, 0 };

/* ---- the call ---- */

static int frame(Buffer *b, uint8_t type, uint8_t flags, uint8_t stream, const void *payload, size_t n) {
        const uint8_t header[] = { (uint8_t) (n >> 16), (uint8_t) (n >> 8), (uint8_t) n, type, flags, 0, 0, 0, stream };
        int r = buffer_append(b, header, sizeof header);

        return r < 0 || n == 0 ? r : buffer_append(b, payload, n);
}

/* A literal header that goes into no table (RFC 7541, 6.2.2). Its name is a number of the static table, or a text for 0. All are short. */
static int literal(Buffer *b, uint8_t index, const char *name, const char *value) {
        const uint8_t number[] = { MIN(index, (uint8_t) 15), (uint8_t) (index - 15) }, n_name = (uint8_t) (name ? strlen(name) : 0),
                      n_value = (uint8_t) strlen(value);
        int r = buffer_append(b, number, index < 15 ? 1 : 2);

        if (r >= 0 && name)
                r = buffer_append(b, &n_name, 1) < 0 ? -ENOMEM : buffer_append(b, name, n_name);
        if (r >= 0)
                r = buffer_append(b, &n_value, 1);
        return r < 0 ? r : buffer_append(b, value, n_value);
}

/* POST and http are entries 3 and 6 of the static table; 4 is :path, 1 :authority, 31 content-type, 58 user-agent. */
static int headers(Buffer *b, const char *authority) {
        int r = buffer_append(b, "\x83\x86", 2);

        if (r < 0 || (r = literal(b, 4, NULL, "/grpc.health.v1.Health/Check")) < 0 || (r = literal(b, 1, NULL, authority)) < 0 ||
            (r = literal(b, 31, NULL, "application/grpc")) < 0 || (r = literal(b, 58, NULL, "kingly-probe")) < 0)
                return r;
        return literal(b, 0, "te", "trailers");
}

/* HealthCheckRequest { string service = 1; } behind gRPC's five bytes: not compressed, its length. */
static int message(Buffer *b, const char *service) {
        size_t n = service ? strlen(service) : 0, size = n == 0 ? 0 : n + (n > 127 ? 3 : 2);
        const uint8_t prefix[] = { 0, 0, 0, (uint8_t) (size >> 8), (uint8_t) size }, tag = 0x0a;
        const uint8_t length[] = { (uint8_t) (n > 127 ? n | 0x80 : n), (uint8_t) (n >> 7) };
        int r = buffer_append(b, prefix, sizeof prefix);

        if (r < 0 || n == 0)
                return r;
        if ((r = buffer_append(b, &tag, 1)) < 0 || (r = buffer_append(b, length, n > 127 ? 2 : 1)) < 0)
                return r;
        return buffer_append(b, service, n);
}

int grpc_request(Buffer *b, const ProbeSpec *p, const char *authority) {
        static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        _cleanup_buffer_ Buffer head = {}, body = {};
        int r;

        if ((r = headers(&head, authority)) < 0 || (r = message(&body, p->grpc.service)) < 0 ||
            (r = buffer_append(b, preface, sizeof preface - 1)) < 0 || (r = frame(b, FRAME_SETTINGS, 0, 0, NULL, 0)) < 0 ||
            (r = frame(b, FRAME_HEADERS, FLAG_END_HEADERS, 1, head.data, head.size)) < 0)
                return r;
        return frame(b, FRAME_DATA, FLAG_END_STREAM, 1, body.data, body.size);
}

/* ---- the answer ---- */

static uint32_t be32(const uint8_t *p) {
        return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static bool message_complete(const GrpcResponse *r) {
        return r->n_message >= 5 && r->n_message - 5 >= MIN(be32(r->message + 1), (uint32_t) GRPC_MESSAGE_MAX);
}

/* What a frame means by its header alone. */
static int frame_begins(GrpcResponse *r) {
        uint8_t type = r->header[3], flags = r->header[4];
        bool ours = (be32(r->header + 5) & 0x7fffffff) == 1;

        r->left = be32(r->header) >> 8;
        r->skip = 0;
        r->padded = type == FRAME_DATA && (flags & FLAG_PADDED);
        if (r->left > FRAME_MAX || (!r->begun && type != FRAME_SETTINGS))
                return -EBADMSG;
        r->begun = true;
        if (type == FRAME_SETTINGS && !(flags & FLAG_ACK))
                r->acknowledge = true;
        if (type == FRAME_GOAWAY)
                r->fault = "the server goes away";
        else if (type == FRAME_RST_STREAM && ours)
                r->fault = "the server broke off the call";
        else if (type == FRAME_HEADERS && ours && (flags & FLAG_END_STREAM) && !message_complete(r))
                r->fault = "an error instead of a status: no such service, or no health service";
        return r->fault != NULL;
}

static size_t payload(GrpcResponse *r, const uint8_t *bytes, size_t n) {
        size_t keep;

        if (r->padded) {
                r->padded = false;
                r->left--;
                r->skip = MIN(bytes[0], r->left);
                return 1;
        }
        n = MIN(n, (size_t) r->left);
        if (r->header[3] == FRAME_DATA && (be32(r->header + 5) & 0x7fffffff) == 1) {
                keep = r->left > r->skip ? r->left - r->skip : 0;
                keep = MIN(keep, n);
                keep = MIN(keep, sizeof r->message - r->n_message);
                memcpy(r->message + r->n_message, bytes, keep);
                r->n_message += keep;
        }
        r->left -= (uint32_t) n;
        return n;
}

int grpc_response_feed(GrpcResponse *r, const uint8_t *bytes, size_t n) {
        r->total += n;
        if (r->total > GRPC_ANSWER_MAX)
                return -EBADMSG;
        for (size_t i = 0; i < n;) {
                if (r->n_header < sizeof r->header) {
                        int done = 0;

                        r->header[r->n_header++] = bytes[i++];
                        if (r->n_header == sizeof r->header)
                                done = frame_begins(r);
                        if (done != 0)
                                return done;
                } else
                        i += payload(r, bytes + i, n - i);
                if (message_complete(r))
                        return 1;
                if (r->n_header == sizeof r->header && r->left == 0)
                        r->n_header = 0;
        }
        return 0;
}

/* HealthCheckResponse { ServingStatus status = 1; }, by the rules of protobuf's wire format. */
static uint64_t status_of(const uint8_t *p, size_t n) {
        if (n < 2 || p[0] != 0x08)
                return 0;
        return p[1] < 0x80 ? p[1] : UINT64_MAX;
}

bool grpc_response_judge(const GrpcResponse *r, char *text, size_t size) {
        static const char *const words[] = { "UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN" };
        uint64_t status;

        if (r->fault || !message_complete(r)) {
                snprintf(text, size, "gRPC: %s", r->fault ?: "the connection ended before the answer");
                return false;
        }
        status = r->message[0] == 0 ? status_of(r->message + 5, MIN((size_t) be32(r->message + 1), r->n_message - 5)) : UINT64_MAX;
        if (status < ARRAY_SIZE(words))
                snprintf(text, size, "gRPC: %s", words[status]);
        else
                snprintf(text, size, "gRPC: a status that is not known");
        return status == 1;
}
