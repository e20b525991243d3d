/* The verbs that act on services the daemon knows: stop, restart, delete, and start by name. */
#include "base/strv.h"
#include "kingctl/control.h"
#include "kingctl/settle.h"
#include "kingctl/verbs.h"

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

int verb_delete(Ctl *ctl, char **args) {
        return act(ctl, "Delete", args, CONNECT_ONLY, "deleted");
}
