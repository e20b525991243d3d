/* Any bytes as a packet between manager and balancer: what balance_wire_check() lets through must be readable to its last byte. The first byte is the number
 * of descriptors. */
#include "balance/balance_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t walk(const void *packet) {
        const BalanceFront *front = packet;
        const BalanceBackState *back = packet;
        const BalanceListen *listen = packet;
        const BalanceSaid *said = packet;
        const BalanceHello *hello = packet;

        switch (front->h.type) {
        case BALANCE_FRONT:
                return strlen(front->name) + strlen(balance_strategy_name((BalanceStrategy) front->strategy));
        case BALANCE_BACK:
                return strlen(back_state_name((BackState) back->state)) + back->address.ss_family + 1000 / back->weight;
        case BALANCE_LISTEN:
                return listen->address.ss_family;
        case BALANCE_SAID:
        case BALANCE_STRANGE:
                return strlen(said->text);
        case BALANCE_HELLO:
                return strlen(hello->program);
        default:
                return strlen(balance_type_name(front->h.type));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint64_t sum;
        void *packet;

        if (size < 1)
                return 0;
        packet = malloc(size - 1 ?: 1); /* of the exact size behind the first byte, aligned as the receivers' buffers are */
        if (!packet)
                return 0;
        memcpy(packet, data + 1, size - 1);
        if (balance_wire_check(packet, size - 1, data[0]) >= 0) {
                sum = walk(packet);
                __asm__ volatile("" : : "r"(sum)); /* or the compiler would drop the walk */
        }
        free(packet);
        return 0;
}
