/* Any bytes as a line of a Node process: what is made of it must be terminated, and an address valid for its size. */
#include "balance/balance_wire.h"
#include "balance/node_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const NodeMessage *m) {
        NodeOut out;

        if (strnlen(m->word, sizeof(m->word)) == sizeof(m->word) || strnlen(m->query.data, NODE_DATA_MAX) == NODE_DATA_MAX)
                abort();
        if (m->act == NODE_QUERY && m->query.error == 0 && !balance_address_valid(&m->query.address, m->query.address_size))
                abort();
        if (m->act == NODE_QUERY && node_message_reply(out, m->seq, 1, 1, 0, &m->query.address, m->query.type == SOCK_DGRAM, m->query.data) > sizeof(out))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *line = malloc(size ?: 1); /* of the exact size: no NUL behind it */
        NodeMessage m;

        if (!line)
                return 0;
        memcpy(line, data, size);
        node_message_parse(line, size, &m);
        check(&m);
        free(line);
        return 0;
}
