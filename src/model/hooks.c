/* The commands of a service besides its main one, by kind. */
#include "model/spec.h"

const char *hook_name(HookKind k) {
        static const char *const names[_HOOK_MAX] = {
                [HOOK_PRE_START] = "pre_start", [HOOK_POST_START] = "post_start", [HOOK_PRE_STOP] = "pre_stop", [HOOK_POST_STOP] = "post_stop",
                [HOOK_ON_EXIT] = "on_exit",     [HOOK_ON_FAILURE] = "on_failure", [HOOK_RELOAD] = "reload",
        };

        return names[k];
}

char *const *spec_hook(const ServiceSpec *s, HookKind k) {
        if (k == HOOK_RELOAD)
                return s->reload.by == RELOAD_BY_COMMAND ? s->reload.command : NULL;
        return s->hooks.command[k];
}

usec_t spec_hook_timeout(const ServiceSpec *s, HookKind k) {
        return k == HOOK_RELOAD ? s->reload.timeout : s->hooks.timeout;
}
