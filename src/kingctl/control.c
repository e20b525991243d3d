/* The verbs that act on services the daemon knows: start by name, stop, restart, delete, scale, signal, send, reset. */
#include "base/strv.h"
#include "base/text.h"
#include "kingctl/control.h"
#include "kingctl/settle.h"
#include "kingctl/verbs.h"

/* {"selectors", "namespace", name: value}; NULL on OOM. value NULL: left out. */
static json_object *with_text(json_object *parameters, const char *name, const char *value) {
        if (parameters && value && json_add_string(parameters, name, value) < 0) {
                json_object_put(parameters);
                return NULL;
        }
        return parameters;
}

static int act(Ctl *ctl, const char *method, char **args, ConnectMode mode, const char *done) {
        Settle s = { .ctl = ctl, .done = done };
        int r;

        r = ctl_connect(ctl, mode);
        return r < 0 ? r : settle_call(&s, method, ctl_selectors(ctl, args, false));
}

int start_names(Ctl *ctl, char **names) {
        return act(ctl, "Start", names, CONNECT_START, NULL);
}

int verb_stop(Ctl *ctl, char **args) {
        return act(ctl, "Stop", args, CONNECT_ONLY, NULL);
}

int verb_restart(Ctl *ctl, char **args) {
        return act(ctl, "Restart", args, CONNECT_START, NULL);
}

int verb_reload(Ctl *ctl, char **args) {
        Settle s = { .ctl = ctl, .done = ctl->options.cancel ? "cancelled" : "reloaded" };
        json_object *parameters = ctl_selectors(ctl, args, false);
        int r = ctl_connect(ctl, CONNECT_ONLY);

        if (r >= 0 && parameters && json_add(parameters, "cancel", json_object_new_boolean(ctl->options.cancel)) < 0)
                r = ctl_oom(ctl);
        if (r >= 0)
                return settle_call(&s, "Reload", parameters);
        json_object_put(parameters);
        return r;
}

int verb_delete(Ctl *ctl, char **args) {
        return act(ctl, "Delete", args, CONNECT_ONLY, "deleted");
}

/* The last operand is how many. */
int verb_scale(Ctl *ctl, char **args) {
        size_t n = strv_length(args);
        Settle s = { .ctl = ctl };
        const char *to = args[n - 1];
        json_object *parameters;
        int r;

        args[n - 1] = NULL;
        parameters = with_text(ctl_selectors(ctl, args, false), "instances", to);
        args[n - 1] = (char *) to;
        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r >= 0)
                return settle_call(&s, "Scale", parameters);
        json_object_put(parameters);
        return r;
}

int verb_signal(Ctl *ctl, char **args) {
        _cleanup_free_ char *done = text_printf("%s sent", args[0]);
        Settle s = { .ctl = ctl, .done = done };
        int r = ctl_connect(ctl, CONNECT_ONLY);

        if (r < 0)
                return r;
        return settle_call(&s, "Signal", with_text(with_text(ctl_selectors(ctl, args + 1, false), "signal", args[0]), "scope", ctl->options.scope));
}

/* The last operand is the line. */
int verb_send(Ctl *ctl, char **args) {
        size_t n = strv_length(args);
        Settle s = { .ctl = ctl, .done = "sent" };
        const char *text = args[n - 1];
        json_object *parameters;
        int r;

        args[n - 1] = NULL;
        parameters = with_text(ctl_selectors(ctl, args, false), "text", text);
        args[n - 1] = (char *) text;
        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r >= 0)
                return settle_call(&s, "Send", parameters);
        json_object_put(parameters);
        return r;
}

int verb_reset(Ctl *ctl, char **args) {
        return act(ctl, "Reset", args, CONNECT_ONLY, NULL);
}
