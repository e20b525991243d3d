/* Any bytes as a packet: what wire_check() lets through must be walkable to its last byte. The first byte is the number of descriptors. */
#include "keeper/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t walk_spawn(const WireSpawn *s, size_t size, size_t n_fds) {
        const char *p = wire_spawn_strings(s), *log = wire_spawn_log(s);
        uint64_t sum = s->run;

        for (uint64_t i = 0; i < (uint64_t) s->n_mounts + s->n_argv + s->n_env + 3; i++, p = wire_next_string(p))
                sum += strlen(p) + (unsigned char) *p;
        for (uint32_t i = 0; i < s->n_groups; i++)
                sum += s->groups[i];
        for (uint32_t i = 0; i < s->n_rlimits; i++)
                sum += s->rlimits[i].resource + s->rlimits[i].soft;
        for (uint32_t i = 0; i < s->log_size; i++)
                sum += (unsigned char) log[i];
        if (p != log || log + s->log_size != (const char *) s + size || wire_spawn_fds(s) != n_fds || n_fds > WIRE_FDS_MAX ||
            s->n_argv + s->n_env > WIRE_STRINGS_MAX || s->n_argv == 0 || s->n_mounts > WIRE_MOUNTS_MAX)
                abort();
        return sum;
}

static uint64_t walk(const void *packet, size_t size, size_t n_fds) {
        const WireHeader *h = packet;
        const WireHold *hold = packet;

        switch (h->type) {
        case WIRE_SPAWN:
                return walk_spawn(packet, size, n_fds);
        case WIRE_HOLD:
        case WIRE_DROP:
        case WIRE_HELD:
                return strlen(hold->name);
        case WIRE_EXITED:
                return ((const WireExited *) packet)->exited_monotonic;
        case WIRE_FAILED:
                return strlen(wire_stage_name((SpawnStage) ((const WireFailed *) packet)->stage));
        default:
                return strlen(wire_type_name(h->type));
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
        if (wire_check(packet, size - 1, data[0]) >= 0) {
                sum = walk(packet, size - 1, data[0]);
                __asm__ volatile("" : : "r"(sum)); /* or the compiler would drop the walk */
        }
        free(packet);
        return 0;
}
