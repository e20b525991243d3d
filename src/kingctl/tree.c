/* The verb tree: the processes of each instance, every one below the one that started it. A process whose parent is not among them (the main
 * one, and orphans) stands at the top. */
#include <stdio.h>

#include "base/text.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/table.h"
#include "kingctl/verbs.h"

#define DEPTH_MAX 64

static int64_t pid_of(json_object *process) {
        return field_number(process, "pid", 0);
}

static bool within(json_object *processes, int64_t pid) {
        for (size_t i = 0; i < array_length(processes); i++)
                if (pid_of(json_object_array_get_idx(processes, i)) == pid)
                        return true;
        return false;
}

/* The next one at or after `from` whose parent is `parent`; parent 0: one that stands at the top. SIZE_MAX: none. */
static size_t next_child(json_object *processes, int64_t parent, size_t from) {
        for (size_t i = from; i < array_length(processes); i++) {
                json_object *p = json_object_array_get_idx(processes, i);
                int64_t its = field_number(p, "parent", 0);

                if (parent == 0 ? !within(processes, its) : its == parent && pid_of(p) != parent)
                        return i;
        }
        return SIZE_MAX;
}

static void print_children(json_object *processes, int64_t parent, const char *indent, unsigned depth, unsigned width) {
        for (size_t i = next_child(processes, parent, 0), next; i != SIZE_MAX; i = next) {
                json_object *p = json_object_array_get_idx(processes, i);
                _cleanup_free_ char *line = NULL, *cut = NULL, *below = NULL;

                next = next_child(processes, parent, i + 1);
                line = text_printf("%s%s %" PRIi64 " %s", indent, next == SIZE_MAX ? "└─" : "├─", pid_of(p), field_text(p, "command"));
                cut = line && width > 0 ? text_ellipsize(line, width) : NULL;
                print_text(stdout, cut ?: line ?: "");
                fputc('\n', stdout);
                below = text_printf("%s%s", indent, next == SIZE_MAX ? "   " : "│  ");
                if (below && depth < DEPTH_MAX)
                        print_children(processes, pid_of(p), below, depth + 1, width);
        }
}

static void print_instance(const Ctl *ctl, json_object *detail, bool only) {
        InstanceView v = instance_view(field_object(detail, "instance"));
        _cleanup_free_ char *name = instance_name(NULL, v.name, v.instance, only);

        print_coloured(stdout, ctl->colour, COLOUR_BOLD, name ?: v.name);
        fputc(' ', stdout);
        print_coloured(stdout, ctl->colour, state_colour(v.state), v.state);
        if (*v.unit) {
                fputc(' ', stdout);
                print_coloured(stdout, ctl->colour, COLOUR_DIM, v.unit);
        }
        fputc('\n', stdout);
        print_children(field_array(detail, "processes"), 0, "", 0, terminal_width(stdout));
}

int verb_tree(Ctl *ctl, char **args) {
        _cleanup_json_ json_object *reply = NULL;
        json_object *services;
        int r = ctl_connect(ctl, CONNECT_ONLY);

        if (r >= 0)
                r = ctl_call(ctl, "Describe", ctl_selectors(ctl, args, true), &reply);
        if (r < 0)
                return r;
        services = field_array(reply, "services");
        if (ctl->options.output != OUTPUT_TABLE && services) {
                print_json(ctl->options.output, services);
                return 0;
        }
        for (size_t i = 0; i < array_length(services); i++) {
                json_object *details = field_array(json_object_array_get_idx(services, i), "instances");

                for (size_t k = 0; k < array_length(details); k++)
                        print_instance(ctl, json_object_array_get_idx(details, k), array_length(details) == 1);
        }
        return 0;
}
