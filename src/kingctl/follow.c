/* Owns the reading of streams: when the connection is lost, the next one goes on behind what was printed last. What must stay true: what has
 * arrived is on the terminal before the next wait, and SIGINT, SIGTERM or a reader that went away ends the program at once and as a success,
 * wherever it waits: for the daemon, or for a full pipe. */
#include <signal.h>
#include <stdio.h>

#include "kingctl/logs.h"
#include "kingctl/output.h"
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
        (void) sigaction(SIGPIPE, &a, NULL);
}

/* ---- the place behind what was printed last ---- */

/* The cursor of each origin. */
static int remember_entry(json_object *place, json_object *entry) {
        const char *cursor = field_text(entry, "cursor");
        _cleanup_free_ char *origin = strndup(cursor, strcspn(cursor, ","));

        if (!origin)
                return -ENOMEM;
        return *cursor ? json_add_string(place, origin, cursor) : 0;
}

/* The cursors as the parameter `after`; NULL on OOM. */
static json_object *cursors_of(json_object *place) {
        json_object *after = json_object_new_array();

        json_object_object_foreach(place, origin, cursor) {
                (void) origin;
                if (after && json_object_array_add(after, json_object_get(cursor)) < 0) {
                        json_object_put(cursor);
                        json_object_put(after);
                        return NULL;
                }
        }
        return after;
}

/* An origin that has said nothing yet begins where we began: all that it has written since then is new. As long as nothing was printed at
 * all, the lines from before are due still. */
static int resume_logs(json_object *parameters, json_object *place, usec_t begun) {
        int r;

        if (json_object_object_length(place) == 0 && field_number(parameters, "lines", 1) > 0)
                return 0;
        r = json_add(parameters, "after", cursors_of(place));
        if (r < 0 || json_object_object_get_ex(parameters, "since_usec", NULL))
                return r;
        json_object_object_del(parameters, "lines");
        return json_add(parameters, "since_usec", json_object_new_uint64(begun));
}

static int remember_event(json_object *place, json_object *entry) {
        return json_add(place, "last", json_object_new_int64(field_number(entry, "id", 0)));
}

static int resume_events(json_object *parameters, json_object *place, usec_t begun) {
        int64_t last = field_number(place, "last", -1);
        int r;

        if (last < 0)
                return 0;
        r = json_add(parameters, "after", json_object_new_int64(last));
        return r < 0 ? r : json_add(parameters, "limit", json_object_new_int64(INT32_MAX));
}

static const struct Kind {
        const char *method, *field;
        int (*remember)(json_object *place, json_object *entry);
        int (*resume)(json_object *parameters, json_object *place, usec_t begun);
} kinds[] = {
        [FOLLOW_LOGS] = { "Logs", "entries", remember_entry, resume_logs },
        [FOLLOW_EVENTS] = { "Events", "events", remember_event, resume_events },
};

/* Cursors that the user gave are places as well. */
static json_object *first_place(json_object *parameters) {
        _cleanup_json_ json_object *place = json_object_new_object();
        json_object *after = field_array(parameters, "after");

        for (size_t i = 0; place && i < array_length(after); i++) {
                const char *cursor = json_object_get_string(json_object_array_get_idx(after, i));
                _cleanup_free_ char *origin = strndup(cursor, strcspn(cursor, ","));

                if (!origin || json_add_string(place, origin, cursor) < 0)
                        return NULL;
        }
        return TAKE_PTR(place);
}

/* ---- the stream ---- */

typedef struct Follow {
        Ctl *ctl;
        const struct Kind *kind;
        json_object *parameters, *place;
        const FollowView *view;
        usec_t deadline, begun;
} Follow;

static int take_reply(Follow *f, json_object *reply) {
        json_object *l = field_array(reply, f->kind->field), *last = NULL;
        int r = 0;

        if (f->view->reply)
                f->view->reply(f->view->userdata, reply);
        for (size_t i = 0; i < array_length(l) && r >= 0; i++) {
                f->view->entry(f->view->userdata, json_object_array_get_idx(l, i));
                r = f->kind->remember(f->place, json_object_array_get_idx(l, i));
        }
        if (r >= 0 && json_object_object_get_ex(reply, "last", &last))
                r = json_add(f->place, "last", json_object_get(last));
        if (r < 0)
                return ctl_oom(f->ctl);
        return fflush(stdout) == 0 ? 0 : kl_error_set(&f->ctl->error, -errno, KL_E_FAILED, "output: %s", strerror(errno));
}

static int read_stream(Follow *f) {
        int r = ctl_more(f->ctl, f->kind->method, json_object_get(f->parameters)), e;

        while (r >= 0) {
                _cleanup_json_ json_object *reply = NULL;

                do
                        r = ctl_next(f->ctl, f->deadline, &reply);
                while (r == -EINTR);
                if (r < 0)
                        return r;
                e = take_reply(f, reply);
                if (e < 0 || r == 0)
                        return e;
        }
        return r;
}

static int resume(Follow *f) {
        if (f->kind->resume(f->parameters, f->place, f->begun) < 0)
                return ctl_oom(f->ctl);
        if (isatty(STDERR_FILENO) && !f->ctl->options.quiet) {
                print_coloured(stderr, f->ctl->colour_error, COLOUR_DIM, "kingctl: the daemon was replaced, going on");
                fputc('\n', stderr);
        }
        return 0;
}

int follow_stream(Ctl *ctl, FollowKind kind, json_object *parameters, const FollowView *view, json_object **ret_after) {
        _cleanup_json_ json_object *p = parameters, *place = first_place(parameters);
        Follow f = { .ctl = ctl, .kind = kinds + kind, .parameters = p, .place = place, .view = view, .deadline = ctl_deadline(ctl),
                     .begun = now_usec(CLOCK_REALTIME) };
        int r;

        if (!place)
                return ctl_oom(ctl);
        catch_signals(ctl);
        while ((r = read_stream(&f)) < 0) {
                r = ctl_again(ctl, f.kind->method, r);
                if (r >= 0)
                        r = resume(&f);
                if (r < 0)
                        return r;
        }
        if (ret_after && !(*ret_after = cursors_of(place)))
                return ctl_oom(ctl);
        return 0;
}
