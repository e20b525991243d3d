/* What makes a packet from the keeper's socket acceptable. The bytes were composed by the manager, so nothing in them is trusted: after
 * this check the path is known to be terminated, absolute and free of surprises. */
#include "logger/log_wire.h"

#include "model/spec.h"

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
        LogPacket p;
        const LogOpen *o = &p.open;

        if (size != sizeof(p) || n_fds != 2)
                return -EBADMSG;
        memcpy(&p, packet, sizeof(p)); /* the packet need not be aligned */
        if (o->version != LOG_WIRE_VERSION || o->run == 0 || p.pid < 0 || o->uid < -1 || o->gid < -1)
                return -EBADMSG;
        if (o->format >= _LOG_FORMAT_MAX || o->rotate >= _LOG_ROTATE_MAX || o->compress >= _LOG_COMPRESS_MAX || o->merge > 1)
                return -EBADMSG;
        if (!path_acceptable(o->path))
                return -EBADMSG;
        return o->root_size == 0 || (o->root_size < strlen(o->path) && o->path[o->root_size] == '/') ? 0 : -EBADMSG;
}
