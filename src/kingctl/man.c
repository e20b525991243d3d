/* The manual page kingctl(1) in mdoc(7), from the tables of verbs and options; the parts of others that kingctl carries. */
#include <stdio.h>

#include "config/config.h"
#include "base/text.h"
#include "kingctl/verbs.h"

/* Text of one line. A macro line takes short words that start with a capital for macros, so text goes on lines of its own. */
static void print_roff(const char *s, size_t n, bool literal) {
        static const struct { char c; const char *roff; } escapes[] = {
                { '\\', "\\e" }, { '\'', "\\(aq" }, { '`', "\\(ga" }, { '^', "\\(ha" }, { '~', "\\(ti" },
        };

        if (n > 0 && (*s == '.' || *s == '\''))
                fputs("\\&", stdout);
        for (size_t i = 0; i < n; i++) {
                const char *roff = literal && s[i] == '-' ? "\\-" : NULL;

                for (size_t k = 0; k < ARRAY_SIZE(escapes); k++)
                        if (escapes[k].c == s[i])
                                roff = escapes[k].roff;
                if (roff)
                        fputs(roff, stdout);
                else
                        fputc(s[i], stdout);
        }
}

static bool ends_sentence(const char *s, size_t i) {
        return (s[i] == '.' || s[i] == '?') && s[i + 1] == ' ';
}

/* A paragraph: a line a sentence, as mdoc wants it, folded where it is long. */
static void print_paragraph(const char *s, size_t n) {
        size_t start = 0, blank = 0;

        for (size_t i = 0; i < n; i++) {
                bool end = ends_sentence(s, i);

                if (s[i] == ' ')
                        blank = i;
                if (!end && !(i - start > 76 && blank > start))
                        continue;
                if (end)
                        blank = i + 1;
                print_roff(s + start, blank - start, false);
                fputc('\n', stdout);
                start = blank + 1;
                i = MAX(i, start - 1);
        }
        print_roff(s + start, n - start, false);
        fputc('\n', stdout);
}

static void print_paragraphs(const char *s) {
        while (*s) {
                const char *end = strstr(s, "\n\n");
                size_t n = end ? (size_t) (end - s) : strlen(s);

                fputs(".Pp\n", stdout);
                print_paragraph(s, n);
                s += n + (end ? 2 : 0);
        }
}

static void print_sentence(const char *s) {
        _cleanup_free_ char *sentence = text_printf("%c%s.", *s >= 'a' && *s <= 'z' ? *s - 'a' + 'A' : *s, s + 1);

        if (sentence)
                print_paragraph(sentence, strlen(sentence));
}

static void print_options(const Option *options) {
        fputs(".Bl -tag -width Ds\n", stdout);
        for (const Option *o = options; o->name; o++) {
                fputs(".It ", stdout);
                if (o->letter)
                        printf("Fl %c%s%s , ", o->letter, o->argument ? " Ar " : "", o->argument ? o->argument : "");
                printf("Fl \\-%s", o->name);
                if (o->argument)
                        printf(" Ns = Ns Ar %s", o->argument);
                fputc('\n', stdout);
                print_sentence(o->help);
        }
        fputs(".El\n", stdout);
}

/* The synopsis is literal text: one quoted argument, so that nothing in it is taken for a macro. */
static void print_form(const Verb *v, const char *form, size_t n) {
        printf(".It Ic %s", v->name);
        if (n > 0) {
                fputs(" No \"", stdout);
                print_roff(form, n, true);
                fputc('"', stdout);
        }
        fputc('\n', stdout);
}

static void print_verb(const Verb *v) {
        const char *form = v->synopsis;

        do {
                size_t n = strcspn(form, "\n");

                print_form(v, form, n);
                form += n + (form[n] == '\n');
        } while (*form);
        print_sentence(v->help);
        if (v->aliases)
                printf("Also called\n.Ic %s .\n", v->aliases);
        if (v->details)
                print_paragraphs(v->details);
        if (v->options)
                print_options(v->options);
}

static void print_examples(void) {
        const char *paragraph = "";

        fputs(".Sh EXAMPLES\n", stdout);
        for (const Verb *v = verbs; v->name; v++)
                for (const VerbExample *e = v->examples; e && e->command && !v->hidden; e++) {
                        fputs(paragraph, stdout);
                        print_roff(e->what, strlen(e->what), false);
                        fputs(":\n.Dl \"", stdout);
                        print_roff(e->command, strlen(e->command), true);
                        fputs("\"\n", stdout);
                        paragraph = ".Pp\n";
                }
}

static const char page_start[] =
        ".Dd November 21, 2026\n"
        ".Dt KINGCTL 1\n"
        ".Os\n"
        ".Sh NAME\n"
        ".Nm kingctl\n"
        ".Nd control the supervisor kingd\n"
        ".Sh SYNOPSIS\n"
        ".Nm\n"
        ".Op Ar option ...\n"
        ".Ar verb\n"
        ".Op Ar argument ...\n"
        ".Sh DESCRIPTION\n"
        ".Nm\n"
        "tells\n"
        ".Xr kingd 8\n"
        "which services to keep, and shows how they are.\n"
        "It is also installed as\n"
        ".Nm kingly .\n"
        "When no daemon runs, the verbs\n"
        ".Ic start ,\n"
        ".Ic restart\n"
        "and\n"
        ".Ic apply\n"
        "start one and say so: through\n"
        ".Xr systemctl 1\n"
        "where systemd runs and knows\n"
        ".Pa kingd.service ,\n"
        "else in the background.\n"
        ".Pp\n"
        "Options may stand before and behind the verb;\n"
        ".Fl \\-\n"
        "ends them.\n"
        "These go with every verb:\n";

static const char page_end[] =
        ".Sh JOURNAL\n"
        "Where\n"
        ".Xr systemd\\-journald 8\n"
        "listens, services write to it unless their\n"
        ".Ic log.to\n"
        "says otherwise, and so does the daemon about them.\n"
        "What a service wrote:\n"
        ".Dl \"journalctl \\-t web\"\n"
        "With what the daemon and systemd say of it:\n"
        ".Dl \"journalctl \\-u \\(aqkingly\\-web\\-*\\(aq\"\n"
        ".Dl \"journalctl KINGLY_SERVICE=web KINGLY_INSTANCE=0\"\n"
        "One kind of event, and what it means:\n"
        ".Dl \"journalctl \\-x KINGLY_EVENT=oom\\-kill\"\n"
        ".Sh ENVIRONMENT\n"
        ".Bl -tag -width XDG_RUNTIME_DIR\n"
        ".It Ev KINGLY_HOME\n"
        "A directory that holds everything of a private daemon, its socket among it.\n"
        ".It Ev KINGLY_SOCKET\n"
        "The daemon's socket.\n"
        ".It Ev NO_COLOR\n"
        "No colours, when set to anything.\n"
        ".It Ev PATH\n"
        "Where\n"
        ".Ic start\n"
        "looks for commands.\n"
        ".It Ev XDG_RUNTIME_DIR\n"
        "Where the socket of a user's daemon lies.\n"
        ".El\n"
        ".Sh FILES\n"
        ".Bl -tag -width Ds\n"
        ".It Pa /run/kingly/kingd.sock\n"
        "The socket of the system's daemon.\n"
        ".It Pa $XDG_RUNTIME_DIR/kingly/kingd.sock\n"
        "The socket of a user's daemon.\n"
        ".It Pa $KINGLY_HOME/kingd.sock\n"
        "The socket of a private daemon.\n"
        ".El\n"
        ".Sh EXIT STATUS\n"
        ".Bl -tag -width Ds\n"
        ".It 0\n"
        "Done.\n"
        ".It 1\n"
        "The operation failed, for one instance at least.\n"
        ".It 2\n"
        "Wrong usage or an invalid file.\n"
        ".It 3\n"
        "There is no such service.\n"
        ".It 4\n"
        "No daemon runs.\n"
        ".It 5\n"
        "Not permitted.\n"
        ".It 6\n"
        "Timed out.\n"
        ".El\n";

int verb_man(Ctl *ctl, char **args) {
        fputs(page_start, stdout);
        print_options(global_options);
        fputs(".Sh VERBS\n.Bl -tag -width Ds\n", stdout);
        for (const Verb *v = verbs; v->name; v++)
                if (!v->hidden)
                        print_verb(v);
        fputs(".El\n.Sh SELECTORS\n", stdout);
        print_paragraph(selectors_help, strlen(selectors_help));
        fputs(page_end, stdout);
        print_examples();
        fputs(".Sh SEE ALSO\n.Xr systemctl 1 ,\n.Xr kingly.yaml 5 ,\n.Xr kingd 8\n", stdout);
        return 0;
}

static int print_made(Ctl *ctl, int (*make)(char **ret)) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = make(&text);
        if (r == -ENOMEM)
                return ctl_oom(ctl);
        if (r < 0)
                return r;
        fputs(text, stdout);
        return 0;
}

int verb_man_file(Ctl *ctl, char **args) {
        return print_made(ctl, config_manual);
}

int verb_schema(Ctl *ctl, char **args) {
        return print_made(ctl, config_schema);
}
