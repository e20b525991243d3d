/* The verb list: one call, one table. */
#include <stdio.h>

#include "base/strv.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/table.h"
#include "kingctl/verbs.h"

static int compare_instances(const void *a, const void *b) {
        json_object *x = *(json_object *const *) a, *y = *(json_object *const *) b;
        int64_t i, k;
        int r;

        r = strcmp(field_text(x, "namespace"), field_text(y, "namespace"));
        if (r == 0)
                r = strcmp(field_text(x, "name"), field_text(y, "name"));
        if (r != 0)
                return r;
        i = field_number(x, "instance", 0);
        k = field_number(y, "instance", 0);
        return (i > k) - (i < k);
}

static int compare_views(const void *a, const void *b) {
        const InstanceView *x = a, *y = b;
        int r = strcmp(x->ns, y->ns);

        if (r == 0)
                r = strcmp(x->name, y->name);
        return r != 0 ? r : (x->instance > y->instance) - (x->instance < y->instance);
}

/* What the table shows; nothing else is asked for. */
static const char *const table_fields[] = { "name", "namespace", "instance", "role", "pid", "state", "ready", "since_usec", "restarts", "cpu_percent",
                                            "memory_bytes", "tasks", "isolation", "unit", "profile", "next_run_usec" };

static bool any_scheduled(const InstanceView *views, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (views[i].next_run > 0)
                        return true;
        return false;
}

static const char *remark(const InstanceView *i) {
        if (*i->role)
                return streq(i->role, "new") ? " (new)" : " (replaced)";
        return streq(i->state, "running") && !i->ready ? " (not ready)" : "";
}

static int add_row(Table *t, const InstanceView *i, const Census *census, bool scheduled) {
        bool only = census_instances(census, i->ns, i->name) < 2, lives = state_lives(i->state);
        _cleanup_free_ char *name = instance_name(NULL, i->name, i->instance, only);
        _cleanup_free_ char *profile = joined_text(i->profile);
        char span[FORMAT_MAX], memory[FORMAT_MAX], due[FORMAT_MAX];
        int r;

        r = name ? table_add(t, COLOUR_NONE, name) : -ENOMEM;
        if (r >= 0 && census_namespaces(census) > 1)
                r = table_add(t, COLOUR_NONE, i->ns);
        if (r >= 0 && census_profiles(census))
                r = table_add(t, COLOUR_NONE, profile);
        if (r >= 0)
                r = i->pid > 0 ? table_addf(t, COLOUR_NONE, "%" PRIi64, i->pid) : table_add(t, COLOUR_NONE, NULL);
        if (r >= 0)
                r = table_addf(t, state_colour(i->state), "%s%s", i->state, remark(i));
        if (r >= 0)
                r = table_add(t, COLOUR_NONE, lives && i->since > 0 ? format_ago(span, i->since) : NULL);
        if (r >= 0 && scheduled)
                r = table_add(t, COLOUR_NONE, i->next_run > 0 ? format_due(due, i->next_run) : NULL);
        if (r >= 0)
                r = table_addf(t, i->restarts > 0 ? COLOUR_YELLOW : COLOUR_NONE, "%" PRIi64, i->restarts);
        if (r >= 0)
                r = i->cpu >= 0 ? table_addf(t, COLOUR_NONE, "%.1f%%", i->cpu) : table_add(t, COLOUR_NONE, NULL);
        if (r >= 0)
                r = table_add(t, COLOUR_NONE, i->memory >= 0 ? format_size(memory, (uint64_t) i->memory, false) : NULL);
        if (r >= 0)
                r = i->tasks >= 0 ? table_addf(t, COLOUR_NONE, "%" PRIi64, i->tasks) : table_add(t, COLOUR_NONE, NULL);
        if (r >= 0)
                r = table_add(t, COLOUR_DIM, *i->unit ? i->unit : i->isolation);
        return r;
}

static int print_table(Ctl *ctl, const InstanceView *views, size_t n_views) {
        static const TableColumn all[] = {
                { "NAME", false, 12 }, { "NAMESPACE", false, 9 }, { "PROFILE", false, 7 }, { "PID", true },   { "STATE" },           { "UPTIME", true },
                { "NEXT", false, 8 },  { "RESTARTS", true },      { "CPU", true },         { "MEM", true },   { "TASKS", true },     { "WHERE", false, 6 },
        };
        bool scheduled = any_scheduled(views, n_views);
        _cleanup_(census_freep) Census *census = census_of(views, n_views);
        _cleanup_(table_freep) Table *t = NULL;
        TableColumn columns[ARRAY_SIZE(all)];
        size_t n = 0;

        if (!census)
                return ctl_oom(ctl);
        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
                if ((i != 1 || census_namespaces(census) > 1) && (i != 2 || census_profiles(census)) && (i != 6 || scheduled))
                        columns[n++] = all[i];
        t = table_new(columns, n);
        for (size_t i = 0; t && i < n_views; i++)
                if (add_row(t, views + i, census, scheduled) < 0)
                        return ctl_oom(ctl);
        if (!t)
                return ctl_oom(ctl);
        table_print(t, stdout, terminal_width(stdout), ctl->colour);
        return 0;
}

/* Names as a selector takes them, each once. */
static void print_names(json_object *instances, bool with_namespace) {
        json_object *last = NULL;

        for (size_t i = 0; i < array_length(instances); i++) {
                json_object *o = json_object_array_get_idx(instances, i);

                if (last && streq(field_text(o, "name"), field_text(last, "name")) &&
                    streq(field_text(o, "namespace"), field_text(last, "namespace")))
                        continue;
                if (with_namespace) {
                        print_text(stdout, field_text(o, "namespace"));
                        fputc('/', stdout);
                }
                print_text(stdout, field_text(o, "name"));
                fputc('\n', stdout);
                last = o;
        }
}

static void print_beginning(void) {
        fputs("no services yet; begin with one of\n"
              "  kingctl start -- COMMAND [ARGUMENT...]\n"
              "  kingctl apply -f FILE\n",
              stderr);
}

/* The instances, sorted; owned by *ret_reply. */
static int fetch(Ctl *ctl, char **args, json_object **ret_reply, json_object **ret) {
        int r;

        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r >= 0)
                r = ctl_call(ctl, "List", ctl_selectors(ctl, args, false), ret_reply);
        if (r < 0)
                return r;
        *ret = field_array(*ret_reply, "instances");
        if (*ret)
                json_object_array_sort(*ret, compare_instances);
        return 0;
}

static json_object *table_parameters(const Ctl *ctl, char **args) {
        json_object *p = ctl_selectors(ctl, args, false), *columns = p ? json_object_new_array() : NULL;

        for (size_t i = 0; columns && i < ARRAY_SIZE(table_fields); i++)
                (void) json_object_array_add(columns, json_object_new_string(table_fields[i]));
        if (!columns || json_object_object_add(p, "columns", columns) < 0) {
                json_object_put(columns);
                json_object_put(p);
                return NULL;
        }
        return p;
}

static int list_table(Ctl *ctl, char **args) {
        _cleanup_json_ json_object *reply = NULL;
        _cleanup_free_ InstanceView *views = NULL;
        size_t n = 0;
        int r;

        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r >= 0)
                r = ctl_call(ctl, "List", table_parameters(ctl, args), &reply);
        if (r < 0)
                return r;
        if (instance_views(reply, &views, &n) < 0)
                return ctl_oom(ctl);
        if (n == 0) {
                print_beginning();
                return 0;
        }
        qsort(views, n, sizeof(*views), compare_views);
        return print_table(ctl, views, n);
}

int verb_list(Ctl *ctl, char **args) {
        _cleanup_json_ json_object *reply = NULL;
        _cleanup_(census_freep) Census *census = NULL;
        json_object *instances = NULL;
        int r;

        if (ctl->options.output == OUTPUT_TABLE && !ctl->options.quiet)
                return list_table(ctl, args);
        r = fetch(ctl, args, &reply, &instances);
        if (r < 0)
                return r;
        if (ctl->options.output != OUTPUT_TABLE) {
                if (instances)
                        print_json(ctl->options.output, instances);
                return 0;
        }
        census = census_new(instances);
        print_names(instances, census && census_namespaces(census) > 1);
        return 0;
}

/* For the completions: every selector that makes sense, and silence when there is nobody to ask. */
int verb_names(Ctl *ctl, char **args) {
        _cleanup_json_ json_object *reply = NULL;
        _cleanup_(census_freep) Census *census = NULL;
        json_object *instances = NULL;

        if (fetch(ctl, NULL, &reply, &instances) < 0 || !(census = census_new(instances)))
                return 1;
        print_names(instances, census_namespaces(census) > 1 && !ctl->options.namespace);
        for (size_t i = 0; i < array_length(instances); i++) {
                InstanceView v = instance_view(json_object_array_get_idx(instances, i));
                const char *ns = census_namespaces(census) > 1 && !ctl->options.namespace ? v.ns : NULL;
                _cleanup_free_ char *name = instance_name(ns, v.name, v.instance, false);

                if (name && census_instances(census, v.ns, v.name) > 1) {
                        print_text(stdout, name);
                        fputc('\n', stdout);
                }
        }
        fputs("all\n", stdout);
        return 0;
}
