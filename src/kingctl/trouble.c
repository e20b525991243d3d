/* See trouble.h. */
#include "kingctl/trouble.h"

#include <stdio.h>

#include "base/text.h"
#include "kingctl/logs.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"

#define TROUBLES_SHOWN 20      /* one that is in trouble as a whole has a list for the rest */
#define WITH_LAST_WORDS 10     /* each costs a call */

/* Instances of one service with the same fault. */
typedef struct Trouble {
        InstanceView first;
        size_t n, of;          /* of how many instances of the service */
} Trouble;

typedef struct Troubles {
        Trouble *items;
        size_t n;
} Troubles;

static bool same_cause(const InstanceView *a, const InstanceView *b) {
        _cleanup_free_ char *x = exit_text(a->exit), *y = exit_text(b->exit);

        return streq(a->name, b->name) && streq(a->ns, b->ns) && streq(a->state, b->state) && streq(x, y) && streq(a->status, b->status);
}

/* In the order of the list, where the instances of a service stand side by side. */
static int gather(json_object *instances, const Census *census, Troubles *ret) {
        ret->items = calloc(array_length(instances) + 1, sizeof(Trouble));
        if (!ret->items)
                return -ENOMEM;
        for (size_t i = 0; i < array_length(instances); i++) {
                InstanceView v = instance_view(json_object_array_get_idx(instances, i));
                Trouble *last = ret->n > 0 ? ret->items + ret->n - 1 : NULL;

                if (!state_wrong(&v))
                        continue;
                if (last && same_cause(&last->first, &v))
                        last->n++;
                else
                        ret->items[ret->n++] = (Trouble) { v, 1, census_instances(census, v.ns, v.name) };
        }
        return 0;
}

/* What is given up, what runs and is not well, what is being tried again. */
static int severity(const InstanceView *v) {
        return streq(v->state, "failed") ? 0 : streq(v->state, "waiting") ? 2 : 1;
}

static size_t services_in(const Troubles *t) {
        size_t n = 0;

        for (size_t i = 0; i < t->n; i++)
                n += i == 0 || !streq(t->items[i].first.name, t->items[i - 1].first.name) || !streq(t->items[i].first.ns, t->items[i - 1].first.ns);
        return n;
}

/* The exit of an earlier run says nothing of a start that did not come about. */
void trouble_print_cause(const InstanceView *v) {
        bool started = !streq(field_text(v->exit, "reason"), "start") && !streq(field_text(v->exit, "reason"), "dependency");
        _cleanup_free_ char *exit = exit_text(v->exit), *trouble = trouble_text(v);
        const char *separator = ": ";
        char due[FORMAT_MAX];

        if (exit && *exit && (started || !*v->status)) {
                fputs(separator, stdout);
                print_text(stdout, exit);
                separator = "; ";
        }
        if (*v->status) {
                fputs(separator, stdout);
                print_text(stdout, v->status);
                separator = "; ";
        }
        if (trouble) {
                printf("%s%s", separator, trouble);
                separator = "; ";
        }
        if (v->next_start > 0)
                printf("%snext start %s", separator, format_due(due, v->next_start));
}

static char *label(const Trouble *t) {
        const char *ns = streq(t->first.ns, "default") ? NULL : t->first.ns;
        _cleanup_free_ char *name = NULL;

        if (t->n == 1)
                return instance_name(ns, t->first.name, t->first.instance, t->of < 2);
        name = instance_name(ns, t->first.name, 0, true);
        return name ? text_printf("%s (%zu of %zu)", name, t->n, t->of) : NULL;
}

static void print_trouble(Ctl *ctl, const Trouble *t, bool with_log) {
        _cleanup_free_ char *name = label(t);
        const InstanceView *v = &t->first;
        char ago[FORMAT_MAX];

        fputs("  ", stdout);
        print_coloured(stdout, ctl->colour, COLOUR_BOLD, name ? name : v->name);
        fputc(' ', stdout);
        print_coloured(stdout, ctl->colour, state_colour(v->state), v->state);
        if (streq(v->state, "running"))
                fputs(" but not ready", stdout);
        printf(" for %s", format_ago(ago, v->since));
        trouble_print_cause(v);
        fputc('\n', stdout);
        if (*v->hint) {
                fputs("    hint: ", stdout);
                print_text(stdout, v->hint);
                fputc('\n', stdout);
        }
        if (with_log && log_tail_print(ctl, stdout, v->ns, v->name, v->instance, 1) > 0) {
                _cleanup_free_ char *one = instance_name(streq(v->ns, "default") ? NULL : v->ns, v->name, v->instance, t->of < 2);

                fputs("    more: kingctl logs ", stdout);
                print_text(stdout, one ? one : v->name);
                fputc('\n', stdout);
        }
}

int trouble_print(Ctl *ctl, json_object *instances) {
        _cleanup_(census_freep) Census *census = census_new(instances);
        Troubles t = {};
        size_t shown = 0, services;

        if (!census || gather(instances, census, &t) < 0)
                return ctl_oom(ctl);
        services = services_in(&t);
        if (t.n > 0) {
                print_coloured(stdout, ctl->colour, COLOUR_RED, "what is wrong:");
                fputc('\n', stdout);
        }
        for (int s = 0; s <= 2; s++)
                for (size_t i = 0; i < t.n && shown < TROUBLES_SHOWN; i++)
                        if (severity(&t.items[i].first) == s)
                                print_trouble(ctl, t.items + i, shown++ < WITH_LAST_WORDS);
        if (t.n > shown)
                printf("  and %zu more: kingctl list\n", t.n - shown);
        free(t.items);
        return (int) services;
}
