/* What makes a packet from the keeper's socket acceptable. The bytes were composed by the manager, so nothing in them is trusted: after
 * this check the path is known to be terminated, absolute and free of surprises. */
#include "logger/log_wire.h"

#include "base/text.h"
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

/* As the wire has them: 1 + HookKind. */
static const char *const tags[_HOOK_MAX] = { "pre_start", "post_start", "pre_stop", "post_stop", "on_exit", "on_failure", "reload" };

uint8_t log_tag(const char *name) {
        for (uint8_t k = 0; k < ARRAY_SIZE(tags); k++)
                if (streq(tags[k], name))
                        return k + 1;
        return 0;
}

const char *log_tag_name(uint8_t tag) {
        return tag >= 1 && tag <= ARRAY_SIZE(tags) ? tags[tag - 1] : NULL;
}

int log_open_check(const void *packet, size_t size, size_t n_fds) {
        LogPacket p;
        const LogOpen *o = &p.open;

        if (size != sizeof(p) || n_fds != 2)
                return -EBADMSG;
        memcpy(&p, packet, sizeof(p)); /* the packet need not be aligned */
        if (o->version != LOG_WIRE_VERSION || o->run == 0 || p.pid < 0 || o->uid < -1 || o->gid < -1)
                return -EBADMSG;
        if (o->format >= _LOG_FORMAT_MAX || o->rotate >= _LOG_ROTATE_MAX || o->compress >= _LOG_COMPRESS_MAX || o->when_full >= _LOG_FULL_MAX ||
            o->merge > 1 || o->multiline > 1 || o->tag > ARRAY_SIZE(tags))
                return -EBADMSG;
        if (!path_acceptable(o->path))
                return -EBADMSG;
        return o->root_size == 0 || (o->root_size < strlen(o->path) && o->path[o->root_size] == '/') ? 0 : -EBADMSG;
}

/* What is no name is not taken: it goes into lines as it is. */
static void take_name(char to[static LOG_NAME_MAX], const char *p, size_t n) {
        if (n >= LOG_NAME_MAX)
                n = 0;
        memcpy(to, p, n);
        to[n] = '\0';
        if (!name_valid(to))
                strcpy(to, "unknown");
}

void log_open_names(const LogOpen *o, char service[static LOG_NAME_MAX], char ns[static LOG_NAME_MAX]) {
        const char *base = strrchr(o->path, '/') + 1, *end = base + strlen(base);
        size_t directory = (size_t) (base - o->path) - 1, root = o->root_size ?: directory;

        if (end - base > 4 && streq(end - 4, ".log"))
                end -= 4;
        if (!o->merge) {
                const char *dot = memrchr(base, '.', (size_t) (end - base));

                end = dot && dot > base ? dot : end;
        }
        take_name(service, base, (size_t) (end - base));
        if (directory > root)
                take_name(ns, o->path + root + 1, directory - root - 1);
        else
                strcpy(ns, "default");
}
