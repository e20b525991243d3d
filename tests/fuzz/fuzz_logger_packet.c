/* Any bytes as a packet from the keeper: what is accepted is safe to use as it is. */
#include "logger/log_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
        if (!holds)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        LogOpen o;

        require(log_open_check(data, size, 1) < 0);
        if (log_open_check(data, size, 2) < 0)
                return 0;
        require(size == sizeof(o));
        memcpy(&o, data, sizeof(o));
        require(memchr(o.path, '\0', sizeof(o.path)));
        require(o.path[0] == '/' && o.path[strlen(o.path) - 1] != '/' && !strstr(o.path, "/../"));
        require(o.run != 0 && o.format <= 1 && o.uid >= -1 && o.gid >= -1);
        return 0;
}
