/* The commands of a service besides its main one, by kind. */
#include "model/spec.h"

const char *hook_name(HookKind k) {
        static const char *const names[_HOOK_MAX] = {
                [HOOK_PRE_START] = "pre_start", [HOOK_POST_START] = "post_start", [HOOK_PRE_STOP] = "pre_stop", [HOOK_POST_STOP] = "post_stop",
                [HOOK_ON_EXIT] = "on_exit",     [HOOK_ON_FAILURE] = "on_failure", [HOOK_RELOAD] = "reload",
                [HOOK_DRAIN] = "drain",
        };

        return names[k];
}

char *const *spec_hook(const ServiceSpec *s, HookKind k) {
        if (k == HOOK_RELOAD)
                return s->reload.by == RELOAD_BY_COMMAND ? s->reload.command : NULL;
        return k == HOOK_DRAIN ? NULL : s->hooks.command[k];
}

bool spec_balanced(const ServiceSpec *s) {
        if (s->cluster.by == CLUSTER_NODE)
                return true;
        for (size_t i = 0; i < s->sockets.n; i++)
                if (socket_balanced(s->sockets.items + i))
                        return true;
        return false;
}

bool spec_has_hook(const ServiceSpec *s, HookKind k) {
        return k == HOOK_DRAIN ? spec_balanced(s) && s->reload.drain_timeout > 0 : spec_hook(s, k) != NULL;
}

usec_t spec_hook_timeout(const ServiceSpec *s, HookKind k) {
        return k == HOOK_RELOAD ? s->reload.timeout : k == HOOK_DRAIN ? s->reload.drain_timeout : s->hooks.timeout;
}
