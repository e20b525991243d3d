/* What apply is about to do, or would do: one line a service, and what differs. */
#include <stdio.h>

#include "base/text.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/settle.h"

typedef struct VerbStyle {
        const char *verb, *sign;
        Colour colour;
        const char *note;
} VerbStyle;

static const VerbStyle styles[] = {
        { "add", "+", COLOUR_GREEN, "" },
        { "update", "~", COLOUR_YELLOW, "" },
        { "scale", "~", COLOUR_YELLOW, " (scale)" },
        { "live", "~", COLOUR_YELLOW, " (without a restart)" },
        { "restart", "~", COLOUR_YELLOW, " (restart)" },
        { "remove", "-", COLOUR_RED, "" },
};

static void print_changes(const Ctl *ctl, json_object *changes) {
        for (size_t i = 0; i < array_length(changes); i++) {
                json_object *c = json_object_array_get_idx(changes, i);

                fputs("    ", stdout);
                print_text(stdout, field_text(c, "key"));
                fputs(": ", stdout);
                print_coloured(stdout, ctl->colour, COLOUR_RED, field_text(c, "from"));
                fputs(" \u2192 ", stdout);
                print_coloured(stdout, ctl->colour, COLOUR_GREEN, field_text(c, "to"));
                fputc('\n', stdout);
        }
}

static void print_item(const Ctl *ctl, const VerbStyle *style, json_object *item) {
        const char *ns = field_text(item, "namespace");
        bool plain = streq(ns, "default") || !*ns;
        _cleanup_free_ char *line =
                text_printf("%s %s%s%s%s", style->sign, plain ? "" : ns, plain ? "" : "/", field_text(item, "name"), style->note);

        print_coloured(stdout, ctl->colour, style->colour, line ? line : style->sign);
        fputc('\n', stdout);
        if (!streq(style->verb, "add") && !streq(style->verb, "remove"))
                print_changes(ctl, field_array(item, "changes"));
}

size_t plan_print(const Ctl *ctl, json_object *plan) {
        bool silent = ctl->options.output != OUTPUT_TABLE || (ctl->options.quiet && !ctl->options.diff);
        size_t kept = 0, n = array_length(plan);

        for (size_t i = 0; i < n; i++) {
                json_object *item = json_object_array_get_idx(plan, i);
                const VerbStyle *style = NULL;

                for (size_t k = 0; k < ARRAY_SIZE(styles); k++)
                        if (streq(styles[k].verb, field_text(item, "verb")))
                                style = &styles[k];
                if (!style)
                        kept++;
                else if (!silent)
                        print_item(ctl, style, item);
        }
        if (kept > 0 && !silent)
                printf("= %zu unchanged\n", kept);
        return n - kept;
}
