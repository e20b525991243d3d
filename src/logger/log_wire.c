/* What makes a packet from the keeper's socket acceptable. The bytes were composed by the manager, so nothing in them is trusted: after
 * this check the path is known to be terminated, absolute and free of surprises. */
#include "logger/log_wire.h"

static bool path_acceptable(const char *path) {
        size_t n = strnlen(path, LOG_WIRE_PATH_MAX);

        if (n == LOG_WIRE_PATH_MAX || n < 2 || path[0] != '/' || path[n - 1] == '/')
                return false;
        for (const char *p = path; p; p = strchr(p + 1, '/'))
                if (startswith(p, "/../") || streq(p, "/..") || streq(p, "/."))
                        return false;
        return true;
}

int log_open_check(const void *packet, size_t size, size_t n_fds) {
        LogOpen o;

        if (size != sizeof(o) || n_fds != 2)
                return -EBADMSG;
        memcpy(&o, packet, sizeof(o)); /* the packet need not be aligned */
        if (o.version != LOG_WIRE_VERSION || o.format > 1 || o.run == 0 || o.uid < -1 || o.gid < -1)
                return -EBADMSG;
        return path_acceptable(o.path) ? 0 : -EBADMSG;
}
