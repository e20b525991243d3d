/* The verbs about the daemon itself: ping, version, doctor, shutdown. */
#include <poll.h>
#include <stdio.h>

#include "linux/process.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/verbs.h"

int verb_ping(Ctl *ctl, char **args) {
        _cleanup_json_ json_object *reply = NULL;
        usec_t begun = now_usec(CLOCK_MONOTONIC);
        int r;

        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r >= 0)
                r = ctl_call(ctl, "Ping", NULL, &reply);
        if (r >= 0 && !ctl->options.quiet)
                printf("kingd answers (%.1f ms)\n", (double) (now_usec(CLOCK_MONOTONIC) - begun) / USEC_PER_MSEC);
        return MIN(r, 0);
}

static int print_versions(Ctl *ctl, json_object *status) {
        _cleanup_json_ json_object *o = json_object_new_object();

        if (json_add_string(o, "kingctl", KINGLY_VERSION) < 0 || json_object_object_add(o, "kingd", NULL) < 0 ||
            (status && json_add_string(o, "kingd", field_text(status, "version")) < 0))
                return ctl_oom(ctl);
        print_json(ctl->options.output, o);
        return 0;
}

/* That no daemon runs is an answer here, not an error. */
int verb_version(Ctl *ctl, char **args) {
        _cleanup_json_ json_object *status = NULL;
        int r;

        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r >= 0)
                r = ctl_call(ctl, "Status", NULL, &status);
        if (r < 0 && !streq(ctl->error.id, KL_E_NO_DAEMON))
                return r;
        if (ctl->options.output != OUTPUT_TABLE)
                return print_versions(ctl, status);
        puts("kingctl " KINGLY_VERSION);
        if (status) {
                fputs("kingd ", stdout);
                print_text(stdout, field_text(status, "version"));
                printf(" (pid %" PRIi64 ")\n", field_number(status, "pid", 0));
        } else
                puts("kingd: not running");
        return 0;
}

static bool same_answer(json_object *a, json_object *b) {
        return field_bool(a, "ok") == field_bool(b, "ok") && streq(field_text(a, "message"), field_text(b, "message"));
}

/* Checks with one answer are one line; the i-th prints nothing if an earlier one spoke for it. */
static void print_check(const Ctl *ctl, json_object *checks, size_t i) {
        json_object *check = json_object_array_get_idx(checks, i);
        const char *hint = field_text(check, "hint");
        bool ok = field_bool(check, "ok");
        Paragraph p = { .f = stdout, .width = terminal_width(stdout), .indent = 4, .colour = ctl->colour };

        for (size_t k = 0; k < i; k++)
                if (same_answer(json_object_array_get_idx(checks, k), check))
                        return;
        paragraph_add(&p, ok ? COLOUR_GREEN : COLOUR_RED, ok ? "ok" : "no");
        paragraph_add(&p, COLOUR_NONE, "  ");
        paragraph_add(&p, COLOUR_BOLD, field_text(check, "name"));
        for (size_t k = i + 1; k < array_length(checks); k++) {
                if (!same_answer(json_object_array_get_idx(checks, k), check))
                        continue;
                paragraph_add(&p, COLOUR_NONE, ", ");
                paragraph_add(&p, COLOUR_BOLD, field_text(json_object_array_get_idx(checks, k), "name"));
        }
        paragraph_add(&p, COLOUR_NONE, ": ");
        paragraph_add(&p, COLOUR_NONE, field_text(check, "message"));
        paragraph_break(&p, *hint);
        if (*hint) {
                paragraph_add(&p, COLOUR_DIM, hint);
                paragraph_break(&p, false);
        }
}

int verb_doctor(Ctl *ctl, char **args) {
        _cleanup_json_ json_object *reply = NULL;
        json_object *checks;
        int r;

        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r >= 0)
                r = ctl_call(ctl, "Doctor", NULL, &reply);
        if (r < 0)
                return r;
        checks = field_array(reply, "checks");
        if (ctl->options.output != OUTPUT_TABLE && checks) {
                print_json(ctl->options.output, checks);
                return 0;
        }
        for (size_t i = 0; i < array_length(checks); i++)
                print_check(ctl, checks, i);
        return 0;
}

/* The keeper ends a moment after its manager has answered; until then its place is taken and the next daemon could not begin. */
#define KEEPER_END_USEC (10 * USEC_PER_SEC)

static void await_end(PidRef *keeper) {
        struct pollfd p = { .fd = keeper->fd, .events = POLLIN };

        if (keeper->fd >= 0)
                (void) poll(&p, 1, (int) (KEEPER_END_USEC / USEC_PER_MSEC));
}

/* Stopping every service may take as long as their stop timeouts: no deadline but the person's. */
int verb_shutdown(Ctl *ctl, char **args) {
        _cleanup_pidref_ PidRef keeper = PIDREF_NULL;
        _cleanup_json_ json_object *status = NULL;
        usec_t deadline = ctl_deadline(ctl);
        int r;

        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r >= 0)
                r = ctl_call(ctl, "Status", NULL, &status);
        if (r >= 0) {
                (void) pidref_open((pid_t) field_number(status, "pid", 0), 0, &keeper);
                r = ctl_more(ctl, "Shutdown", NULL);
        }
        if (r < 0)
                return r;
        do {
                _cleanup_json_ json_object *reply = NULL;

                r = ctl_next(ctl, deadline, &reply);
        } while (r > 0 || r == -EINTR);
        if (r >= 0)
                await_end(&keeper);
        if (r >= 0 && !ctl->options.quiet)
                puts("kingd ended; its services are stopped");
        return r;
}
