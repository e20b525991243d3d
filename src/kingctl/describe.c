/* The verb describe: all there is to know of a service, in sections. */
#include <stdio.h>

#include "base/text.h"
#include "kingctl/balance_view.h"
#include "kingctl/events.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/verbs.h"

static void print_title(const Ctl *ctl, const char *title) {
        fputc('\n', stdout);
        print_coloured(stdout, ctl->colour, COLOUR_BOLD, title);
        fputc('\n', stdout);
}

static void print_field(const char *indent, const char *name, const char *value) {
        if (!value || !*value)
                return;
        printf("%s%-14s ", indent, name);
        print_text(stdout, value);
        fputc('\n', stdout);
}

/* A value on one line, as the file would say it. */
static void print_flow(json_object *v) {
        const char *s;

        if (json_object_is_type(v, json_type_string)) {
                s = json_object_get_string(v);
                print_text(stdout, s && *s ? s : "\"\"");
                return;
        }
        if (json_object_is_type(v, json_type_array)) {
                fputc('[', stdout);
                for (size_t i = 0; i < json_object_array_length(v); i++) {
                        fputs(i > 0 ? ", " : "", stdout);
                        print_flow(json_object_array_get_idx(v, i));
                }
                fputc(']', stdout);
                return;
        }
        s = json_object_to_json_string_ext(v, JSON_C_TO_STRING_NOSLASHESCAPE);
        print_text(stdout, s ? s : "");
}

static void print_settings(json_object *o, int depth) {
        json_object_object_foreach(o, key, value) {
                if (depth == 1 && (streq(key, "name") || streq(key, "namespace") || streq(key, "profile")))
                        continue;
                printf("%*s", 2 * depth, "");
                print_text(stdout, key);
                fputc(':', stdout);
                if (json_object_is_type(value, json_type_object) && json_object_object_length(value) > 0) {
                        fputc('\n', stdout);
                        print_settings(value, depth + 1);
                        continue;
                }
                fputc(' ', stdout);
                print_flow(value);
                fputc('\n', stdout);
        }
}

/* How a figure is said: bytes, time, or a number. */
typedef struct FigureStyle {
        const char *field, *title;
        enum { FIGURE_BYTES, FIGURE_SPAN, FIGURE_NUMBER } kind;
} FigureStyle;

static const FigureStyle figures[] = {
        { "cpu_usec", "cpu time", FIGURE_SPAN },
        { "memory_bytes", "memory", FIGURE_BYTES },
        { "memory_peak_bytes", "memory peak", FIGURE_BYTES },
        { "tasks", "tasks", FIGURE_NUMBER },
        { "io_read_bytes", "read", FIGURE_BYTES },
        { "io_written_bytes", "written", FIGURE_BYTES },
};

static const struct {
        const char *field, *title;
} pressures[] = {
        { "cpu_pressure", "cpu pressure" },
        { "memory_pressure", "mem pressure" },
        { "io_pressure", "io pressure" },
};

static void print_usage(json_object *usage) {
        char buf[FORMAT_MAX];

        for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
                json_object *f = field_object(usage, figures[i].field);
                int64_t n = field_number(f, "value", -1);
                _cleanup_free_ char *text = NULL;

                if (n < 0)
                        continue;
                if (figures[i].kind == FIGURE_NUMBER)
                        snprintf(buf, sizeof(buf), "%" PRIi64, n);
                else if (figures[i].kind == FIGURE_BYTES)
                        format_size(buf, (uint64_t) n, false);
                else
                        format_span(buf, (usec_t) n, false);
                text = text_printf("%s (%s)", buf, field_text(f, "source"));
                print_field("    ", figures[i].title, text);
        }
        if (field_number(usage, "oom_kills", 0) > 0)
                printf("    %-14s %" PRIi64 "\n", "oom kills", field_number(usage, "oom_kills", 0));
        for (size_t i = 0; i < ARRAY_SIZE(pressures); i++) {
                double p = field_float(usage, pressures[i].field, -1);

                if (p > 0)
                        printf("    %-14s %.2f%%\n", pressures[i].title, p);
        }
}

static void print_processes(json_object *processes) {
        for (size_t i = 0; i < array_length(processes); i++) {
                json_object *p = json_object_array_get_idx(processes, i);

                printf("    %-14s %" PRIi64 " ", i == 0 ? "processes" : "", field_number(p, "pid", 0));
                print_text(stdout, field_text(p, "command"));
                fputc('\n', stdout);
        }
}

#define HOOK_LINES 8
#define HOOK_LATE USEC_PER_SEC      /* its last lines are in the log by then */

/* Lines of a hook begin with its name in brackets where they are told from those of the service; elsewhere all that was written meanwhile counts. */
static size_t count_tagged(json_object *entries, const char *tag) {
        size_t n = 0;

        for (size_t i = 0; i < array_length(entries); i++)
                n += startswith(field_text(json_object_array_get_idx(entries, i), "message"), tag) != NULL;
        return n;
}

static void print_hook_lines(json_object *entries, const char *hook) {
        _cleanup_free_ char *tag = text_printf("[%s] ", hook);
        size_t tagged = tag ? count_tagged(entries, tag) : 0, left = tagged ?: array_length(entries);

        for (size_t i = 0; i < array_length(entries); i++) {
                const char *message = field_text(json_object_array_get_idx(entries, i), "message"), *rest = tag ? startswith(message, tag) : NULL;

                if ((tagged > 0 && !rest) || left-- > HOOK_LINES)
                        continue;
                fputs("      ", stdout);
                print_text(stdout, rest ?: message);
                fputc('\n', stdout);
        }
}

/* The hook that failed last, and the end of what it wrote. */
static void print_hook(Ctl *ctl, json_object *hook, const InstanceView *v) {
        _cleanup_json_ json_object *reply = NULL;
        _cleanup_free_ char *selector = text_printf("%s:%" PRIi64, v->name, v->instance), *text = NULL;
        const char *name = field_text(hook, "name");
        json_object *p = json_object_new_object(), *selectors = json_object_new_array();
        char buf[FORMAT_MAX];

        text = text_printf("%s failed: %s, %s", name, field_text(hook, "error"), format_local_time(buf, (usec_t) field_number(hook, "until_usec", 0)));
        print_field("    ", "hook", text);
        json_object_array_add(selectors, json_object_new_string(selector ?: v->name));
        json_object_object_add(p, "selectors", selectors);
        json_object_object_add(p, "namespace", json_object_new_string(v->ns));
        json_object_object_add(p, "since_usec", json_object_new_int64(field_number(hook, "since_usec", 0)));
        json_object_object_add(p, "until_usec", json_object_new_int64(field_number(hook, "until_usec", 0) + (int64_t) HOOK_LATE));
        if (ctl_call(ctl, "Logs", p, &reply) >= 0)
                print_hook_lines(field_array(reply, "entries"), name);
        else
                kl_error_done(&ctl->error);    /* a service without a log */
}

static void print_answer(const char *title, json_object *answer) {
        char when[FORMAT_MAX];
        _cleanup_free_ char *line = answer ? text_printf("%s, %s", format_local_time(when, (usec_t) field_number(answer, "time_usec", 0)),
                                                         field_text(answer, "text")) : NULL;

        if (line)
                print_field("      ", title, line);
}

/* "readiness probe by tcp: bad, 3 failures in a row", what it met last, and what when it was last found bad. */
static void print_probes(json_object *probes) {
        for (size_t i = 0; i < array_length(probes); i++) {
                json_object *p = json_object_array_get_idx(probes, i), *last = field_object(p, "last"), *bad = field_object(p, "found_bad");
                int64_t failures = field_number(p, "failures", 0);

                printf("    %s probe by %s: %s", field_text(p, "kind"), field_text(p, "by"), field_text(p, "verdict"));
                if (failures > 0)
                        printf(", %" PRIi64 " %s in a row", failures, plural(failures, "failure", "failures"));
                fputc('\n', stdout);
                print_answer("last answer", last);
                print_answer("found bad", bad);
        }
}

/* "2 of 8: state, connection" */
static void print_fd_store(json_object *store) {
        _cleanup_free_ char *names = joined_text(field_array(store, "names")), *text = NULL;
        int64_t refused = field_number(store, "refused", 0);
        char more[64] = "";

        if (!store)
                return;
        if (refused > 0)
                snprintf(more, sizeof(more), "; %" PRIi64 " refused", refused);
        text = text_printf("%" PRIi64 " of %" PRIi64 "%s%s%s", field_number(store, "count", 0), field_number(store, "max", 0), names && *names ? ": " : "",
                           names ? names : "", more);
        print_field("    ", "fd store", text);
}

/* "sd_notify" for those that are given the socket: who is heard, and what of it needs a look. */
static void print_notify(json_object *n) {
        char span[FORMAT_MAX], number[32];
        int64_t watchdog = field_number(n, "watchdog_usec", 0), refused = field_number(n, "refused", 0), bad = field_number(n, "bad", 0);
        _cleanup_free_ char *line = NULL, *error = NULL, *not_heard = NULL, *not_understood = NULL;

        if (!n)
                return;
        line = text_printf("heard: %s%s%s%s%s", field_text(n, "access"), field_bool(n, "access_told") ? " (as it said itself)" : "",
                           field_bool(n, "main_told") ? ", main process as it said itself" : "", watchdog > 0 ? ", watchdog " : "",
                           watchdog > 0 ? format_span(span, (usec_t) watchdog, true) : "");
        print_field("    ", "sd_notify", line);
        if (field_number(n, "errno", 0) > 0)
                error = text_printf("%s (%" PRIi64 ")", field_text(n, "error"), field_number(n, "errno", 0));
        print_field("    ", "its error", error);
        print_field("    ", "its bus error", field_text(n, "bus_error"));
        print_field("    ", "its varlink error", field_text(n, "varlink_error"));
        snprintf(number, sizeof number, "%" PRIi64, field_number(n, "exit_status", -1));
        print_field("    ", "its exit status", field_number(n, "exit_status", -1) >= 0 ? number : NULL);
        if (refused > 0)
                not_heard = text_printf("%" PRIi64 " %s, the last: %s", refused, plural(refused, "message", "messages"), field_text(n, "refusal"));
        print_field("    ", "not heard", not_heard);
        if (bad > 0)
                not_understood = text_printf("%" PRIi64 " %s, the last of %s", bad, plural(bad, "value", "values"), field_text(n, "bad_field"));
        print_field("    ", "not understood", not_understood);
}

static void print_instance(Ctl *ctl, json_object *detail) {
        InstanceView v = instance_view(field_object(detail, "instance"));
        _cleanup_free_ char *name = instance_name(NULL, v.name, v.instance, false), *exit = exit_text(v.exit), *trouble = trouble_text(&v);
        int64_t next = field_number(detail, "next_usec", -1);
        char buf[FORMAT_MAX];

        fputs("  ", stdout);
        print_coloured(stdout, ctl->colour, COLOUR_BOLD, name ? name : v.name);
        fputc(' ', stdout);
        print_coloured(stdout, ctl->colour, state_colour(v.state), v.state);
        if (streq(v.state, "running") && !v.ready)
                fputs(" (not ready)", stdout);
        if (v.since > 0)
                printf(" since %s", format_local_time(buf, v.since));
        fputc('\n', stdout);
        if (v.pid > 0)
                printf("    %-14s %" PRIi64 "\n", "pid", v.pid);
        printf("    %-14s %" PRIi64 "\n", "restarts", v.restarts);
        print_field("    ", "status", v.status);
        print_field("    ", "hint", v.hint);
        print_field("    ", "last exit", exit);
        if (field_object(detail, "hook"))
                print_hook(ctl, field_object(detail, "hook"), &v);
        print_field("    ", "trouble", trouble);
        if (next > 0)
                print_field("    ", "next attempt", format_local_time(buf, (usec_t) next));
        if (v.next_run > 0) {
                char due[FORMAT_MAX];
                _cleanup_free_ char *text = text_printf("%s (%s)", format_local_time(buf, v.next_run), format_due(due, v.next_run));

                print_field("    ", "next run", text);
        }
        if (v.last_run > 0)
                print_field("    ", "last run", format_local_time(buf, v.last_run));
        print_field("    ", "isolation", v.isolation);
        print_field("    ", "unit", v.unit);
        print_field("    ", "cgroup", field_text(detail, "cgroup"));
        print_field("    ", "invocation", field_text(detail, "invocation_id"));
        print_field("    ", "log", field_text(detail, "log"));
        print_fd_store(field_object(detail, "fd_store"));
        print_notify(field_object(detail, "notify"));
        print_probes(field_array(detail, "probes"));
        print_usage(field_object(detail, "usage"));
        print_processes(field_array(detail, "processes"));
}

static void print_sockets(const Ctl *ctl, json_object *sockets) {
        if (array_length(sockets) > 0)
                print_title(ctl, "Sockets");
        for (size_t i = 0; i < array_length(sockets); i++) {
                json_object *o = json_object_array_get_idx(sockets, i);
                _cleanup_free_ char *text = text_printf("%s, %s, %s", field_text(o, "type"), field_text(o, "name"),
                                                        field_bool(o, "open") ? "open" : "closed");

                printf("  ");
                print_text(stdout, field_text(o, "listen"));
                printf("  %s\n", text ? text : "");
        }
}

static void print_rolling(json_object *rolling) {
        _cleanup_free_ char *text = NULL;

        if (!rolling)
                return;
        text = text_printf("%s, %" PRIi64 " of %" PRIi64 " replaced", field_bool(rolling, "active") ? "under way" : *field_text(rolling, "error") ? "ended early" : "complete",
                           field_number(rolling, "replaced", 0), field_number(rolling, "instances", 0));
        print_field("  ", "reload", text);
        print_field("  ", "", field_text(rolling, "error"));
}

static void print_service(Ctl *ctl, json_object *s) {
        json_object *details = field_array(s, "instances"), *events = field_array(s, "events"), *changed = field_object(s, "changed");
        json_object *unenforced = field_array(s, "unenforced");
        _cleanup_free_ char *profile = joined_text(field_array(field_object(s, "spec"), "profile"));

        print_coloured(stdout, ctl->colour, COLOUR_BOLD, field_text(s, "name"));
        fputc('\n', stdout);
        print_field("  ", "namespace", field_text(s, "namespace"));
        print_field("  ", "from", field_text(s, "origin"));
        print_field("  ", "profile", profile);
        print_field("  ", "wanted", field_bool(s, "wanted") ? "running" : "stopped");
        print_rolling(field_object(s, "rolling"));
        if (changed && json_object_object_length(changed) > 0) {
                print_title(ctl, "Settings");
                print_settings(changed, 1);
        }
        print_sockets(ctl, field_array(s, "sockets"));
        balance_print(ctl, field_object(s, "balance"), field_text(s, "name"));
        for (size_t i = 0; i < array_length(unenforced); i++) {
                const char *key = json_object_get_string(json_object_array_get_idx(unenforced, i));

                if (i == 0)
                        print_title(ctl, "Not enforced by the isolation in force");
                print_field("  ", key ? key : "", "see: kingctl doctor");
        }
        if (array_length(details) > 0)
                print_title(ctl, "Instances");
        for (size_t i = 0; i < array_length(details); i++)
                print_instance(ctl, json_object_array_get_idx(details, i));
        if (array_length(events) > 0)
                print_title(ctl, "Events");
        for (size_t i = 0; i < array_length(events); i++)
                event_print(stdout, json_object_array_get_idx(events, i), array_length(details) > 1, ctl->colour, "  ");
}

int verb_describe(Ctl *ctl, char **args) {
        _cleanup_json_ json_object *reply = NULL;
        json_object *services;
        int r;

        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r >= 0)
                r = ctl_call(ctl, "Describe", ctl_secrets(ctl, ctl_selectors(ctl, args, false)), &reply);
        if (r < 0)
                return r;
        services = field_array(reply, "services");
        if (ctl->options.output != OUTPUT_TABLE && services) {
                print_json(ctl->options.output, services);
                return 0;
        }
        for (size_t i = 0; i < array_length(services); i++) {
                if (i > 0)
                        fputc('\n', stdout);
                print_service(ctl, json_object_array_get_idx(services, i));
        }
        return 0;
}
