/* The verb status: of the daemon as a whole what is wrong first, of services a few lines each. */
#include <stdio.h>

#include "base/text.h"
#include "kingctl/balance_view.h"
#include "kingctl/events.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/trouble.h"
#include "kingctl/verbs.h"

#define EVENTS_SHOWN      5
#define NEXT_SHOWN        3

static void print_daemon(const Ctl *ctl, json_object *status) {
        char ago[FORMAT_MAX];

        fputs(colour_begin(ctl->colour, COLOUR_BOLD), stdout);
        fputs("kingd ", stdout);
        print_text(stdout, field_text(status, "version"));
        fputs(colour_end(ctl->colour), stdout);
        printf(", pid %" PRIi64 ", up %s, isolation ", field_number(status, "pid", 0),
               format_ago(ago, (usec_t) field_number(status, "since_usec", 0)));
        print_text(stdout, field_text(status, "isolation"));
        if (*field_text(status, "home")) {
                fputs(", home ", stdout);
                print_text(stdout, field_text(status, "home"));
        }
        fputc('\n', stdout);
}

static void print_states(const Ctl *ctl, json_object *states) {
        const char *separator = ": ";

        if (!states)
                return;
        json_object_object_foreach(states, state, n) {
                if (json_object_get_int64(n) == 0)
                        continue;
                printf("%s%" PRIi64 " ", separator, json_object_get_int64(n));
                print_coloured(stdout, ctl->colour, state_colour(state), state);
                separator = ", ";
        }
}

static void print_counts(const Ctl *ctl, json_object *status, int wrong) {
        int64_t services = field_number(status, "services", 0), instances = field_number(status, "instances", 0);

        if (services == 0) {
                puts("no services yet: kingctl start -- COMMAND, or kingctl apply -f FILE");
                return;
        }
        if (wrong == 0 && array_length(field_array(status, "problems")) == 0)
                print_coloured(stdout, ctl->colour, COLOUR_GREEN, "all is well: ");
        printf("%" PRIi64 " %s, %" PRIi64 " %s", services, plural(services, "service", "services"), instances,
               plural(instances, "instance", "instances"));
        print_states(ctl, field_object(status, "states"));
        fputc('\n', stdout);
}

/* What is wrong with the daemon itself. */
static void print_faults(const Ctl *ctl, json_object *status) {
        json_object *problems = field_array(status, "problems");

        for (size_t i = 0; i < array_length(problems); i++) {
                Paragraph p = { .f = stdout, .width = terminal_width(stdout), .indent = strlen("fault: "), .colour = ctl->colour };
                const char *s = json_object_get_string(json_object_array_get_idx(problems, i));

                paragraph_add(&p, COLOUR_RED, "fault: ");
                paragraph_add(&p, COLOUR_NONE, s ? s : "");
                paragraph_break(&p, false);
        }
}

/* What runs next by its schedule, the soonest first. */
static void print_next(json_object *instances) {
        InstanceView soon[NEXT_SHOWN];
        size_t n = 0, more = 0;
        char due[FORMAT_MAX];

        for (size_t i = 0; i < array_length(instances); i++) {
                InstanceView v = instance_view(json_object_array_get_idx(instances, i));
                size_t at = n;

                if (v.next_run == 0 || v.instance > 0)
                        continue;
                while (at > 0 && soon[at - 1].next_run > v.next_run)
                        at--;
                more += n == NEXT_SHOWN;
                n += n < NEXT_SHOWN;
                for (size_t k = n - 1; k > at; k--)
                        soon[k] = soon[k - 1];
                if (at < n)
                        soon[at] = v;
        }
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *name = instance_name(streq(soon[i].ns, "default") ? NULL : soon[i].ns, soon[i].name, 0, true);

                fputs(i == 0 ? "next: " : "      ", stdout);
                print_text(stdout, name ? name : soon[i].name);
                printf(" %s%s\n", format_due(due, soon[i].next_run), streq(soon[i].state, "failed") ? " (the last run failed)" : "");
        }
        if (more > 0)
                printf("      and %zu more\n", more);
}

static int status_daemon(Ctl *ctl) {
        _cleanup_json_ json_object *status = NULL, *list = NULL;
        json_object *instances;
        int r;

        r = ctl_call(ctl, "Status", NULL, &status);
        if (r < 0)
                return r;
        if (ctl->options.output != OUTPUT_TABLE) {
                print_json(ctl->options.output, status);
                return 0;
        }
        r = ctl_call(ctl, "List", ctl_selectors(ctl, NULL, false), &list);
        if (r < 0)
                return r;
        instances = field_array(list, "instances");
        print_faults(ctl, status);
        r = trouble_print(ctl, instances);
        if (r < 0)
                return r;
        print_counts(ctl, status, r);
        print_next(instances);
        print_daemon(ctl, status);
        return 0;
}

static void print_instance(Ctl *ctl, json_object *detail, bool only) {
        InstanceView v = instance_view(field_object(detail, "instance"));
        _cleanup_free_ char *name = instance_name(NULL, v.name, v.instance, only);
        char ago[FORMAT_MAX], memory[FORMAT_MAX], due[FORMAT_MAX];

        print_coloured(stdout, ctl->colour, state_colour(v.state), "\u25cf ");
        print_coloured(stdout, ctl->colour, COLOUR_BOLD, name ? name : v.name);
        fputc(' ', stdout);
        print_coloured(stdout, ctl->colour, state_colour(v.state), v.state);
        if (streq(v.state, "running") && !v.ready)
                fputs(" (not ready)", stdout);
        if (v.since > 0)
                printf(" for %s", format_ago(ago, v.since));
        trouble_print_cause(&v);
        if (v.next_run > 0)
                printf(", next time %s", format_due(due, v.next_run));
        fputs("\n    ", stdout);
        if (v.pid > 0)
                printf("pid %" PRIi64 ", ", v.pid);
        printf("%" PRIi64 " %s", v.restarts, plural(v.restarts, "restart", "restarts"));
        if (v.cpu >= 0)
                printf(", cpu %.1f%%", v.cpu);
        if (v.memory >= 0)
                printf(", memory %s", format_size(memory, (uint64_t) v.memory, false));
        if (v.tasks >= 0)
                printf(", %" PRIi64 " %s", v.tasks, plural(v.tasks, "task", "tasks"));
        fputs(", ", stdout);
        print_text(stdout, *v.unit ? v.unit : v.isolation);
        fputc('\n', stdout);
}

static void print_service(Ctl *ctl, json_object *service) {
        json_object *details = field_array(service, "instances"), *events = field_array(service, "events");
        size_t n = array_length(events), first = n > EVENTS_SHOWN ? n - EVENTS_SHOWN : 0;

        if (array_length(details) == 0) {
                print_coloured(stdout, ctl->colour, COLOUR_BOLD, field_text(service, "name"));
                puts(" has no instances");
        }
        for (size_t i = 0; i < array_length(details); i++)
                print_instance(ctl, json_object_array_get_idx(details, i), array_length(details) == 1);
        balance_print(ctl, field_object(service, "balance"), field_text(service, "name"));
        for (size_t i = first; i < n; i++)
                event_print(stdout, json_object_array_get_idx(events, i), array_length(details) > 1, ctl->colour, "    ");
}

int verb_status(Ctl *ctl, char **args) {
        _cleanup_json_ json_object *reply = NULL;
        json_object *services;
        int r;

        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r < 0)
                return r;
        if (!args[0] && !ctl->options.namespace)
                return status_daemon(ctl);
        r = ctl_call(ctl, "Describe", ctl_selectors(ctl, args, true), &reply);
        if (r < 0)
                return r;
        services = field_array(reply, "services");
        if (ctl->options.output != OUTPUT_TABLE && services) {
                print_json(ctl->options.output, services);
                return 0;
        }
        for (size_t i = 0; i < array_length(services); i++)
                print_service(ctl, json_object_array_get_idx(services, i));
        return 0;
}
