/* Owns the following of streams. What must stay true: what has arrived is on the terminal before the next wait, and SIGINT or SIGTERM ends
 * the program at once and as a success, wherever it waits: for the daemon, or for a full pipe. */
#include <signal.h>
#include <stdio.h>

#include "kingctl/logs.h"
#include "kingctl/reply.h"

static const char *reset = "";

/* Everything that was complete has been flushed; what is being written may be cut, as that of any program that is interrupted. */
static void on_signal(int sig) {
        (void) !write(STDOUT_FILENO, reset, strlen(reset));
        _exit(EXIT_SUCCESS);
}

static void catch_signals(const Ctl *ctl) {
        struct sigaction a = { .sa_handler = on_signal };

        reset = colour_end(ctl->colour);
        sigemptyset(&a.sa_mask);
        (void) sigaction(SIGINT, &a, NULL);
        (void) sigaction(SIGTERM, &a, NULL);
}

int follow_stream(Ctl *ctl, const char *method, json_object *parameters, const char *field,
                  void (*print)(json_object *entry, void *userdata), void *userdata) {
        usec_t deadline = ctl_deadline(ctl);
        int r;

        catch_signals(ctl);
        r = ctl_more(ctl, method, parameters);
        if (r < 0)
                return r;
        do {
                _cleanup_json_ json_object *reply = NULL;
                json_object *l;

                do
                        r = ctl_next(ctl, deadline, &reply);
                while (r == -EINTR);
                if (r < 0)
                        return r;
                l = field_array(reply, field);
                for (size_t i = 0; i < array_length(l); i++)
                        print(json_object_array_get_idx(l, i), userdata);
                if (fflush(stdout) != 0)
                        return kl_error_set(&ctl->error, -errno, KL_E_FAILED, "output: %s", strerror(errno));
        } while (r > 0);
        return 0;
}
