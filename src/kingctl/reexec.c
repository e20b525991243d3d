/* The verb reexec. The daemon's answer comes from the manager that is there when all is over: each one before it ends, and its connection with it,
 * which is no fault. Whose answer it is tells the serial of the upgrade. */
#include <stdio.h>

#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/verbs.h"

/* Who asks for how long is told in time: the candidate is asked, those who leave are waited for, and the way back takes as long again. */
#define OVERHEAD_USEC (60 * USEC_PER_SEC)
#define WITHIN_USEC (60 * USEC_PER_SEC)

static int64_t last_serial(json_object *status) {
        json_object *upgrade = field_object(status, "upgrade");

        return upgrade ? field_number(upgrade, "serial", 0) : 0;
}

static json_object *parameters_of(const Ctl *ctl, bool begun, int64_t serial) {
        json_object *p = json_object_new_object();
        int r = 0;

        if (p && begun)
                r = json_add(p, "after", json_object_new_int64(serial));
        else if (p && ctl->options.within > 0)
                r = json_add(p, "within_usec", json_object_new_uint64(ctl->options.within));
        if (r < 0) {
                json_object_put(p);
                return NULL;
        }
        return p;
}

/* Asks, or asks what came of it; 0 and the answer. */
static int ask(Ctl *ctl, bool begun, int64_t serial, usec_t deadline, json_object **ret) {
        json_object *p = parameters_of(ctl, begun, serial);
        int r;

        if (!p)
                return ctl_oom(ctl);
        r = ctl_more(ctl, "Reexec", p);
        while (r >= 0) {
                r = ctl_next(ctl, deadline, ret);
                if (r != -EINTR)
                        return MIN(r, 0);
        }
        return r;
}

static int print_outcome(Ctl *ctl, json_object *reply) {
        const char *outcome = field_text(reply, "outcome"), *message = field_text(reply, "message");
        bool done = streq(outcome, "upgraded");
        int r;

        if (ctl->options.output != OUTPUT_TABLE)
                print_json(ctl->options.output, reply);
        else if (done && !ctl->options.quiet) {
                print_text(stdout, message);
                putchar('\n');
        }
        if (done)
                return 0;
        r = kl_error_set(&ctl->error, -ECANCELED, KL_E_FAILED, "reexec: %s", message);
        kl_error_hint(&ctl->error, streq(outcome, "refused") ? "nothing was touched; services run on" : "services run on; the daemon's own log says more");
        return r;
}

int verb_reexec(Ctl *ctl, char **args) {
        usec_t within = ctl->options.within > 0 ? ctl->options.within : WITHIN_USEC, deadline = ctl_deadline(ctl);
        _cleanup_json_ json_object *status = NULL, *reply = NULL;
        bool begun = false;
        int64_t serial;
        int r;

        if (deadline == USEC_INFINITY)
                deadline = usec_add(now_usec(CLOCK_MONOTONIC), 2 * within + OVERHEAD_USEC);
        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r >= 0)
                r = ctl_call(ctl, "Status", NULL, &status);
        if (r < 0)
                return r;
        serial = last_serial(status);
        while ((r = ask(ctl, begun, serial, deadline, &reply)) < 0) {
                /* Only what comes of it is asked for again. */
                r = ctl_again(ctl, "Status", r);
                if (r < 0)
                        return r;
                begun = true;
        }
        return print_outcome(ctl, reply);
}
