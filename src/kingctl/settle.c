/* Owns the wait of start, stop, restart, delete and apply: one line as each instance settles, then for each that failed the reason, what to
 * do and the end of its log. What must stay true: an instance is told of once, whether the daemon says it as it happens, in the end, or
 * both. */
#include <stdio.h>

#include "base/text.h"
#include "kingctl/logs.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/settle.h"

#define FAILURES_WITH_LOG 5
#define LOG_LINES         10
/* The end of a service is known at once, and its last words are a moment later in its log. */
#define LAST_WORDS_NSEC   50000000

static const char *result_error(json_object *result) {
        const char *e = field_text(result, "error");

        return *e ? e : NULL;
}

static void print_result(const Settle *s, json_object *result) {
        const char *error = result_error(result), *state = field_text(result, "state");
        usec_t t = now_usec(CLOCK_MONOTONIC) - s->begun;
        int64_t pid = field_number(result, "pid", 0);

        if (s->tell) {
                s->tell(s->userdata, result);
                return;
        }
        if (s->ctl->options.quiet || s->ctl->options.output != OUTPUT_TABLE)
                return;
        if (!error && s->done)
                state = s->done;
        print_text(stdout, entry_label(result));
        fputc(' ', stdout);
        print_coloured(stdout, s->ctl->colour, error ? COLOUR_RED : state_colour(state), *state ? state : error ? "failed" : "done");
        fputs(" (", stdout);
        if (pid > 0)
                printf("pid %" PRIi64 ", ", pid);
        printf("%llu.%llus)\n", t / USEC_PER_SEC, t % USEC_PER_SEC / (USEC_PER_SEC / 10));
}

static int take_result(Settle *s, json_object *result) {
        _cleanup_free_ char *key =
                instance_name(field_text(result, "namespace"), field_text(result, "name"), field_number(result, "instance", 0), false);

        if (!key)
                return ctl_oom(s->ctl);
        if (json_object_object_get_ex(s->seen, key, NULL))
                return 0;
        if (json_add(s->seen, key, json_object_get(result)) < 0)
                return ctl_oom(s->ctl);
        s->failures += !!result_error(result);
        print_result(s, result);
        return 0;
}

static void take_plan(Settle *s, json_object *reply) {
        json_object *plan = field_array(reply, "plan");

        if (s->reply || (array_length(plan) == 0 && array_length(field_array(reply, "warnings")) == 0))
                return;
        s->reply = json_object_get(reply);
        s->changes = plan_print(s->ctl, plan);
        fflush(stdout);
}

static void print_warnings(json_object *reply) {
        json_object *warnings = field_array(reply, "warnings");

        for (size_t i = 0; i < array_length(warnings); i++) {
                const char *w = json_object_get_string(json_object_array_get_idx(warnings, i));

                fputs("warning: ", stderr);
                print_text(stderr, w ? w : "");
                fputc('\n', stderr);
        }
}

static int take_reply(Settle *s, json_object *reply) {
        json_object *results = field_array(reply, "results");
        int r;

        if (s->plan)
                take_plan(s, reply);
        print_warnings(reply);
        for (size_t i = 0; i < array_length(results); i++) {
                r = take_result(s, json_object_array_get_idx(results, i));
                if (r < 0)
                        return r;
        }
        fflush(stdout);
        return 0;
}

static json_object *results_array(const Settle *s) {
        _cleanup_json_ json_object *l = json_object_new_array();

        if (!l)
                return NULL;
        json_object_object_foreach(s->seen, key, result) {
                (void) key;
                if (json_object_array_add(l, json_object_get(result)) < 0) {
                        json_object_put(result);
                        return NULL;
                }
        }
        return TAKE_PTR(l);
}

/* With output for programs: the results, or {plan, warnings, results}, and nothing else. */
static int print_results(const Settle *s) {
        _cleanup_json_ json_object *l = results_array(s), *o = NULL;
        static const char *const fields[] = { "plan", "warnings" };

        if (!l)
                return ctl_oom(s->ctl);
        if (s->plan) {
                o = json_object_new_object();
                for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
                        json_object *from = field_array(s->reply, fields[i]);

                        if (json_add(o, fields[i], from ? json_object_get(from) : json_object_new_array()) < 0)
                                return ctl_oom(s->ctl);
                }
                if (json_add(o, "results", TAKE_PTR(l)) < 0)
                        return ctl_oom(s->ctl);
        }
        print_json(s->ctl->options.output, o ? o : l);
        return 0;
}

static void complain(const Settle *s, json_object *result, bool with_log) {
        const char *hint = field_text(result, "hint"), *name = field_text(result, "name"), *ns = field_text(result, "namespace");
        int64_t instance = field_number(result, "instance", 0);
        _cleanup_free_ char *message = text_printf("%s: %s", entry_label(result), result_error(result));

        ctl_complain(s->ctl, message ? message : name, *hint ? hint : NULL);
        if (with_log && !s->ctl->options.quiet)
                (void) log_tail_print(s->ctl, stderr, ns, name, instance, LOG_LINES);
}

static void complain_all(const Settle *s) {
        size_t n = 0;

        if (s->failures > 0 && !s->ctl->options.quiet)
                (void) nanosleep(&(struct timespec) { .tv_nsec = LAST_WORDS_NSEC }, NULL);
        json_object_object_foreach(s->seen, key, result) {
                (void) key;
                if (result_error(result))
                        complain(s, result, n++ < FAILURES_WITH_LOG);
        }
}

static int ask(Settle *s, const char *method, json_object *parameters, usec_t deadline) {
        int r = ctl_more(s->ctl, method, json_object_get(parameters));

        if (r < 0)
                return r;
        do {
                _cleanup_json_ json_object *reply = NULL;

                do
                        r = ctl_next(s->ctl, deadline, &reply);
                while (r == -EINTR);
                if (r < 0 || take_reply(s, reply) < 0)
                        return r < 0 ? r : -ENOMEM;
        } while (r > 0);
        return 0;
}

/* Consumes parameters. */
static int run(Settle *s, const char *method, json_object *parameters) {
        _cleanup_json_ json_object *p = parameters;
        usec_t deadline = ctl_deadline(s->ctl);
        int r;

        while ((r = ask(s, method, p, deadline)) < 0) {
                r = ctl_again(s->ctl, method, r);
                if (r < 0)
                        return r;
        }
        return s->ctl->options.output != OUTPUT_TABLE ? print_results(s) : 0;
}

int settle_call(Settle *s, const char *method, json_object *parameters) {
        int r;

        s->begun = now_usec(CLOCK_MONOTONIC);
        s->seen = json_object_new_object();
        if (!s->seen || !parameters || json_add(parameters, "wait", json_object_new_boolean(!s->ctl->options.no_wait)) < 0) {
                json_object_put(parameters);
                r = ctl_oom(s->ctl);
        } else
                r = run(s, method, parameters);
        if (r >= 0 && !s->tell)
                complain_all(s);
        json_putp(&s->seen);
        json_putp(&s->reply);
        return r < 0 ? r : s->failures > 0 ? 1 : 0;
}
