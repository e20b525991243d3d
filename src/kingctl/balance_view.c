#include "kingctl/balance_view.h"

#include <stdio.h>

#include "base/text.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"

/* Nothing where it is not known: the balancer has not answered, or is not there. */
static void print_counts(json_object *o) {
        char in[FORMAT_MAX], out[FORMAT_MAX];
        int64_t failed = field_number(o, "failed", 0);

        if (field_number(o, "total", -1) >= 0) {
                printf("  %" PRIi64 " open, %" PRIi64 " in all", field_number(o, "open", 0), field_number(o, "total", 0));
                if (failed > 0)
                        printf(", %" PRIi64 " failed", failed);
                printf(", %s in, %s out", format_size(in, (uint64_t) field_number(o, "bytes_in", 0), false),
                       format_size(out, (uint64_t) field_number(o, "bytes_out", 0), false));
        }
        if (*field_text(o, "trouble")) {
                fputs(", trouble: ", stdout);
                print_text(stdout, field_text(o, "trouble"));
        }
        fputc('\n', stdout);
}

static Colour back_colour(const char *state) {
        return streq(state, "active") ? COLOUR_GREEN : streq(state, "draining") ? COLOUR_YELLOW : COLOUR_DIM;
}

static void print_back(const Ctl *ctl, json_object *o, const char *service) {
        _cleanup_free_ char *name = text_printf("%s:%" PRIi64, service, field_number(o, "instance", 0));
        _cleanup_free_ char *padded = text_printf("%-9s", field_text(o, "state"));
        int64_t weight = field_number(o, "weight", 1);

        fputs("    ", stdout);
        print_text(stdout, name ? name : service);
        printf("  pid %" PRIi64 "  ", field_number(o, "pid", 0));
        print_coloured(stdout, ctl->colour, back_colour(field_text(o, "state")), padded ? padded : "");
        if (weight != 1)
                printf("  weight %" PRIi64, weight);
        print_counts(o);
}

static void print_socket(const Ctl *ctl, json_object *o, const char *service) {
        json_object *instances = field_array(o, "instances");

        fputs("  ", stdout);
        print_text(stdout, field_text(o, "listen"));
        printf("  %s", field_text(o, "balance"));
        print_counts(o);
        for (size_t i = 0; i < array_length(instances); i++)
                print_back(ctl, json_object_array_get_idx(instances, i), service);
}

void balance_print(const Ctl *ctl, json_object *balance, const char *name) {
        json_object *sockets = field_array(balance, "sockets");
        int64_t pid = field_number(balance, "pid", 0);

        if (!balance)
                return;
        fputc('\n', stdout);
        print_coloured(stdout, ctl->colour, COLOUR_BOLD, "Balancer");
        fputs("\n  ", stdout);
        print_text(stdout, *field_text(balance, "service") ? field_text(balance, "service") : "none");
        fputc(' ', stdout);
        print_coloured(stdout, ctl->colour, state_colour(field_text(balance, "state")), field_text(balance, "state"));
        if (pid > 0)
                printf(", pid %" PRIi64, pid);
        fputc('\n', stdout);
        for (size_t i = 0; i < array_length(sockets); i++)
                print_socket(ctl, json_object_array_get_idx(sockets, i), name);
}
