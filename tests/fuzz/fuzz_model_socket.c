/* A listen address: what is taken has a canonical form that is taken again, and means the same. */
#include <stdlib.h>
#include <string.h>

#include "model/socket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char text[512], first[SOCKET_TEXT_MAX], again[SOCKET_TEXT_MAX];
        SocketAddress a, b;

        if (size >= sizeof(text) || memchr(data, '\0', size))
                return 0;
        if (size > 0)
                memcpy(text, data, size);
        text[size] = '\0';
        if (socket_address_parse(text, &a, NULL) < 0)
                return 0;
        (void) socket_connect_host(&a);
        if (socket_address_parse(socket_address_format(&a, first), &b, NULL) < 0 || strcmp(first, socket_address_format(&b, again)) != 0)
                abort();
        return 0;
}
