/* --help, from the tables, and the verb help. */
#include <stdio.h>

#include "base/text.h"
#include "kingctl/output.h"
#include "kingctl/verbs.h"

#define WRAP_COLUMNS 100
#define HELP_COLUMN 31

static void print_title(FILE *f, const char *title, bool colour) {
        fprintf(f, "\n%s%s%s\n", colour_begin(colour, COLOUR_BOLD), title, colour_end(colour));
}

/* Words of one paragraph, folded; begun: its first line stands at the indent already. */
static void print_folded(FILE *f, const char *text, size_t n, int indent, bool begun) {
        size_t column = (size_t) indent, words = 0;

        if (!begun)
                fprintf(f, "%*s", indent, "");
        for (size_t i = 0; i < n; words++) {
                size_t k = 0;

                while (i + k < n && text[i + k] != ' ')
                        k++;
                if (words > 0 && column + 1 + k > WRAP_COLUMNS) {
                        fprintf(f, "\n%*s", indent, "");
                        column = (size_t) indent;
                } else if (words > 0) {
                        fputc(' ', f);
                        column++;
                }
                fprintf(f, "%.*s", (int) k, text + i);
                column += k;
                i += k;
                while (i < n && text[i] == ' ')
                        i++;
        }
        fputc('\n', f);
}

/* A name that leaves no room beside it has its text below. */
static void print_options(FILE *f, const Option *options) {
        for (const Option *o = options; o->name; o++) {
                char left[64];
                int n;

                if (o->letter)
                        n = snprintf(left, sizeof(left), "  -%c, --%s", o->letter, o->name);
                else
                        n = snprintf(left, sizeof(left), "      --%s", o->name);
                if (o->argument)
                        n += snprintf(left + n, sizeof(left) - (size_t) n, "=%s", o->argument);
                fprintf(f, "%-*s", HELP_COLUMN, left);
                if (n >= HELP_COLUMN)
                        fprintf(f, "\n%*s", HELP_COLUMN, "");
                print_folded(f, o->help, strlen(o->help), HELP_COLUMN, true);
        }
}

void help_print(FILE *f, bool colour) {
        fputs("usage: kingctl [OPTION...] VERB [ARGUMENT...]\n\nControls kingd, which keeps services running.\n", f);
        print_title(f, "Verbs", colour);
        for (const Verb *v = verbs; v->name; v++)
                if (!v->hidden)
                        fprintf(f, "  %-10s %s\n", v->name, v->help);
        print_title(f, "Options", colour);
        print_options(f, global_options);
        print_title(f, "Begin with", colour);
        fputs("  kingctl start -- COMMAND [ARGUMENT...]    keep a command running\n"
              "  kingctl apply -f FILE                     make it so\n"
              "  kingctl help VERB                         more about a verb\n",
              f);
}

static void print_usage(FILE *f, const Verb *v) {
        const char *p = v->synopsis;

        do {
                size_t n = strcspn(p, "\n");

                fprintf(f, "%s kingctl %s%s%.*s\n", p == v->synopsis ? "usage:" : "      ", v->name, n > 0 ? " " : "", (int) n, p);
                p += n + (p[n] == '\n');
        } while (*p);
}

void help_print_verb(FILE *f, const Verb *v, bool colour) {
        print_usage(f, v);
        fprintf(f, "\n%c%s.", (char) (v->help[0] - 'a' + 'A'), v->help + 1);
        if (v->aliases)
                fprintf(f, " Also called: %s.", v->aliases);
        fputc('\n', f);
        for (const char *p = v->details; p && *p;) {
                const char *end = strstr(p, "\n\n");
                size_t n = end ? (size_t) (end - p) : strlen(p);

                fputc('\n', f);
                print_folded(f, p, n, 0, false);
                p += n + (end ? 2 : 0);
        }
        if (verb_takes_selectors(v)) {
                fputc('\n', f);
                print_folded(f, selectors_help, strlen(selectors_help), 0, false);
        }
        if (v->options) {
                print_title(f, "Options", colour);
                print_options(f, v->options);
                fputs("and those of every verb: kingctl --help\n", f);
        }
        if (v->examples)
                print_title(f, "Examples", colour);
        for (const VerbExample *e = v->examples; e && e->command; e++)
                fprintf(f, "  %s\n      %s\n", e->command, e->what);
}

int verb_help(Ctl *ctl, char **args) {
        const Verb *v = args[0] ? verb_find(args[0]) : NULL;
        const char *near;

        if (v)
                help_print_verb(stdout, v, ctl->colour);
        else if (!args[0])
                help_print(stdout, ctl->colour);
        else {
                near = verb_nearest(args[0]);
                ctl_usage(ctl, "%s: no such verb", args[0]);
                if (near)
                        kl_error_hint(&ctl->error, "did you mean %s?", near);
                return -EINVAL;
        }
        return 0;
}
