/* One call of grpc.health.v1.Health/Check over HTTP/2 without TLS: just as much of HTTP/2 as that takes. The answer's headers are not decoded; a
 * message that says SERVING is a success, whatever else is none. Sources: RFC 9113, RFC 7541, "gRPC over HTTP2", "gRPC Health Checking Protocol".
 * Pure: bytes in, bytes out. */
#pragma once

#include "base/text.h"
#include "model/spec.h"

/* The client's preface, its settings and the whole call. 0 or -ENOMEM. */
int grpc_request(Buffer *b, const ProbeSpec *p, const char *authority);

#define GRPC_MESSAGE_MAX 64            /* a HealthCheckResponse is a number; of anything longer the beginning is looked at */
#define GRPC_ANSWER_MAX (64 * 1024)    /* bytes in all */

typedef struct GrpcResponse {
        uint8_t header[9], message[5 + GRPC_MESSAGE_MAX];
        size_t n_header, n_message, total;
        uint32_t left;                 /* of this frame's payload */
        uint32_t skip;                 /* padding at its end */
        bool padded;                   /* its first byte, the length of the padding, is to come */
        bool begun;                    /* the first frame was the settings that it must be */
        bool acknowledge;              /* the caller is to send GRPC_SETTINGS_ACK and clear this */
        const char *fault;             /* why it has failed, or NULL */
} GrpcResponse;

extern const uint8_t grpc_settings_ack[9];
/* 1 when enough has been read to judge, 0 for more please, -EBADMSG when this is no HTTP/2. */
int grpc_response_feed(GrpcResponse *r, const uint8_t *bytes, size_t n);
bool grpc_response_judge(const GrpcResponse *r, char *text, size_t size);
