/* Any bytes as the answer to a gRPC health check, in pieces of the size that the first byte says. However it is cut, the outcome is the same. */
#include "probe/grpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_answer(const uint8_t *bytes, size_t n, size_t piece, char text[256]) {
        GrpcResponse r = {};
        int done = 0;

        for (size_t at = 0; at < n && done == 0; at += piece)
                done = grpc_response_feed(&r, bytes + at, MIN(piece, n - at));
        return done < 0 ? done : grpc_response_judge(&r, text, 256);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char whole[256] = "", pieces[256] = "";

        /* Beyond the bound the pieces decide where it is met. */
        if (size < 1 || size > GRPC_ANSWER_MAX)
                return 0;
        if (read_answer(data + 1, size - 1, SIZE_MAX / 2, whole) != read_answer(data + 1, size - 1, (size_t) data[0] + 1, pieces) ||
            strcmp(whole, pieces) != 0)
                abort();
        return 0;
}
