/* Composes one SPAWN for the manager in a buffer of the largest size a packet may have, so that nothing grows and a reused builder allocates
 * nothing. */
#include "keeper/wire.h"

int spawn_builder_init(SpawnBuilder *b, uint64_t run, const uint8_t invocation[16]) {
        if (!b->packet)
                b->packet = malloc(WIRE_MAX);
        if (!b->packet)
                return -ENOMEM;
        *b->packet = (WireSpawn) { .h.type = WIRE_SPAWN, .run = run };
        memcpy(b->packet->invocation, invocation, sizeof(b->packet->invocation));
        b->used = sizeof(WireSpawn);
        b->error = 0;
        return 0;
}

void spawn_builder_done(SpawnBuilder *b) {
        free(b->packet);
        *b = (SpawnBuilder) {};
}

static void append(SpawnBuilder *b, const void *p, size_t n) {
        if (b->error == 0 && n > WIRE_MAX - b->used)
                b->error = -E2BIG;
        if (b->error < 0)
                return;
        memcpy((char *) b->packet + b->used, p, n);
        b->used += n;
}

static void append_string(SpawnBuilder *b, const char *s) {
        append(b, s ?: "", s ? strlen(s) + 1 : 1);
}

static uint32_t append_array(SpawnBuilder *b, char *const *l) {
        uint32_t n = 0;

        for (; l && l[n] && b->error == 0; n++)
                append_string(b, l[n]);
        return n;
}

void spawn_builder_strings(SpawnBuilder *b, const char *file, const char *cwd, const char *label, char *const *mounts, char *const *argv, char *const *env) {
        append_string(b, file);
        append_string(b, cwd);
        append_string(b, label);
        b->packet->n_mounts = append_array(b, mounts);
        b->packet->n_argv = append_array(b, argv);
        b->packet->n_env = append_array(b, env);
        if (b->error == 0 && (b->packet->n_argv + b->packet->n_env > WIRE_STRINGS_MAX || b->packet->n_mounts > WIRE_MOUNTS_MAX))
                b->error = -E2BIG;
        b->packet->strings_size = (uint32_t) (b->used - sizeof(WireSpawn));
}

void spawn_builder_log(SpawnBuilder *b, const void *log, size_t n) {
        if (b->error == 0 && n > WIRE_LOG_MAX)
                b->error = -E2BIG;
        append(b, log, n);
        b->packet->log_size = b->error == 0 ? (uint32_t) n : 0;
}

int spawn_builder_finish(SpawnBuilder *b, const WireSpawn **ret, size_t *ret_size) {
        if (b->error < 0)
                return b->error;
        b->packet->h.size = (uint32_t) b->used;
        *ret = b->packet;
        *ret_size = b->used;
        return 0;
}
