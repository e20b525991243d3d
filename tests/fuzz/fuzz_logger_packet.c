/* Any bytes as a packet from the keeper: what is accepted is safe to use as it is. */
#include "logger/log_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
        if (!holds)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        LogPacket p;
        const LogOpen *o = &p.open;

        require(log_open_check(data, size, 1) < 0);
        if (log_open_check(data, size, 2) < 0)
                return 0;
        require(size == sizeof(p));
        memcpy(&p, data, sizeof(p));
        require(memchr(o->path, '\0', sizeof(o->path)));
        require(o->path[0] == '/' && o->path[strlen(o->path) - 1] != '/' && !strstr(o->path, "/../"));
        require(o->run != 0 && o->format <= 2 && o->rotate <= 4 && o->compress <= 2 && o->uid >= -1 && o->gid >= -1);
        require(o->root_size < strlen(o->path));
        return 0;
}
