/* What a program of Node finds in its environment, by which it shares its ports. Sources: lib/child_process.js and lib/internal/cluster/child.js of Node;
 * NODE_OPTIONS in Node's "Command-line API". */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/strv.h"
#include "base/text.h"
#include "manager/balance/cluster.h"
#include "manager/life/instance.h"
#include "manager/places.h"
#include "manager/spawn/spawn_env.h"

#define DRAIN_HOOK "node-drain.cjs"     /* contrib/node/drain.cjs */
#define SOCKETS_HOOK "node-sockets.cjs" /* contrib/node/sockets.cjs */

/* NODE_OPTIONS behind what the service says of its own. A program that cannot read the file would not start: it goes without, which is said. */
static int load_hook(const char *name, const Identity *id, char ***env) {
        _cleanup_free_ char *path = NULL, *options = NULL;
        const char *given = strv_env_get(*env, "NODE_OPTIONS");
        int r = places_file(name, R_OK, &path);

        if (r == -ENOMEM)
                return r;
        if (r < 0 || !cluster_readable(path, id) || strpbrk(path, "\"\\")) {
                log_warning("a program of Node starts without %s, which is not here, or which its user cannot read", name);
                return 0;
        }
        options = text_printf("%s%s--require \"%s\"", given ?: "", given && *given ? " " : "", path);
        return options ? strv_env_set(env, "NODE_OPTIONS", options) : -ENOMEM;
}

/* Workers are counted from 1. */
static int be_worker(const Instance *i, const Identity *id, size_t number, char ***env) {
        char text[24];
        int r;

        snprintf(text, sizeof text, "%zu", number);
        r = strv_env_set(env, "NODE_CHANNEL_FD", text);
        if (r >= 0)
                r = strv_env_set(env, "NODE_CHANNEL_SERIALIZATION_MODE", "json");
        snprintf(text, sizeof text, "%u", i->index + 1);
        if (r >= 0)
                r = strv_env_set(env, "NODE_UNIQUE_ID", text);
        return r < 0 || !i->service->spec->cluster.drain ? r : load_hook(DRAIN_HOOK, id, env);
}

/* "3=127.0.0.1:3000", "4=/run/web.sock": a line for each socket that a server can listen on. */
static int list_sockets(const SocketList *l, char **ret) {
        _cleanup_buffer_ Buffer b = {};
        int32_t numbers[SOCKETS_MAX];
        int r = socket_numbers(l, numbers);

        for (size_t k = 0; k < l->n && r >= 0; k++) {
                char text[SOCKET_TEXT_MAX];
                SocketAddress a;

                if (numbers[k] >= SOCKET_FIRST_FD && socket_address_parse(l->items[k].listen, &a, NULL) >= 0 && socket_type_accepts(socket_type(l->items + k, &a)))
                        r = buffer_printf(&b, "%s%" PRIi32 "=%s", b.size > 0 ? "\n" : "", numbers[k], socket_address_format(&a, text));
        }
        *ret = TAKE_PTR(b.data);
        return r;
}

static int find_sockets(const ServiceSpec *s, const Identity *id, char ***env) {
        _cleanup_free_ char *list = NULL;
        int r = list_sockets(&s->sockets, &list);

        if (r >= 0)
                r = strv_env_set(env, "KINGLY_SOCKETS", list ?: "");
        if (r >= 0 && s->ready_by == READY_LISTEN)
                r = strv_env_set(env, "KINGLY_READY", "listen");
        return r < 0 ? r : load_hook(SOCKETS_HOOK, id, env);
}

int cluster_environment(const Instance *i, const Identity *id, size_t number, char ***env) {
        switch (i->service->spec->cluster.by) {
        case CLUSTER_NODE: return be_worker(i, id, number, env);
        case CLUSTER_SOCKETS: return find_sockets(i->service->spec, id, env);
        default: return 0;
        }
}
