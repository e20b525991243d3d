/* From words to one of PM2's verbs, and from its outcome to PM2's exit status. What must stay true: what is not understood says what to use
 * instead, and does nothing. */
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "kingctl/output.h"
#include "kingctl/pm2/pm2.h"
#include "kingctl/verbs.h"

#define SELECTION "all|NAME|NAMESPACE|ID|/REGEX/|FILE..."
#define DEPLOY "pm2 deploy has no counterpart: a deployment tool copies files, then `kingctl apply -f FILE` touches what changed"
#define MODULE "there are no modules: log rotation, limits and metrics are built in; other tools run as services of their own"
#define CLOUD "nothing is sent anywhere: `kingctl monit` looks at it here, `kingctl list -o json` feeds other tools"

const Pm2Verb pm2_verbs[] = {
        { "start", NULL, "[FILE|SCRIPT|NAME|NAMESPACE|ID|all]... [-- ARGUMENT...]", "start a script, the applications of a file, or what is there", pm2_start, 0 },
        { "stop", NULL, SELECTION, "stop", pm2_stop, 1 },
        { "restart", NULL, SELECTION, "stop and start again", pm2_restart, 1 },
        { "reload", "gracefulReload", SELECTION, "the same, serving on where that is set up", pm2_reload, 1 },
        { "delete", "del", SELECTION, "stop and forget", pm2_delete, 1 },
        { "scale", NULL, "NAME N|+N|-N", "change the number of instances", pm2_scale, 2 },
        { "startOrRestart", NULL, "FILE", "start what is not there, restart what is", pm2_start_or_restart, 1 },
        { "startOrReload", "startOrGracefulReload", "FILE", "start what is not there, reload what is", pm2_start_or_reload, 1 },
        { "reset", NULL, "all|NAME|ID", "count restarts from 0", pm2_reset, 1 },
        { "sendSignal", NULL, "SIGNAL NAME|ID", "send a signal to the main process", pm2_signal, 2 },
        { "list", "ls l ps status", "", "the table of all processes", pm2_ls, 0 },
        { "jlist", NULL, "", "the same as JSON", pm2_jlist, 0 },
        { "prettylist", NULL, "", "the same as a JavaScript literal", pm2_prettylist, 0 },
        { "describe", "desc show info inspect", "NAME|ID", "all about a process", pm2_describe, 1 },
        { "id", NULL, "NAME", "the ids of a name", pm2_id, 1 },
        { "pid", NULL, "[NAME]", "process ids", pm2_pid, 0 },
        { "env", NULL, "ID", "the environment of a process", pm2_env, 1 },
        { "logs", "log", "[NAME|NAMESPACE|ID|/REGEX/]", "the last lines, and what comes", pm2_logs, 0 },
        { "flush", NULL, "[NAME|ID]", "empty log files", pm2_flush, 0 },
        { "reloadLogs", NULL, "", "close log files and open them anew", pm2_reload_logs, 0 },
        { "save", "dump", "", "write down what runs, for resurrect", pm2_save, 0 },
        { "resurrect", NULL, "", "bring back what save wrote down", pm2_resurrect, 0 },
        { "ping", NULL, "", "ask whether the daemon answers", pm2_ping, 0 },
        { "update", "updatePM2 deepUpdate", "", "take up a new version of Kingly's programs; services run on", pm2_update, 0 },
        { "kill", NULL, "", "stop every service, then the daemon", pm2_kill, 0 },
        { "monit", "imonit dashboard dash", "", "the live view", pm2_monit, 0 },
        { "startup", NULL, "", "how services come back with the machine", pm2_startup, 0 },
        { "unstartup", NULL, "", "how they no longer do", pm2_unstartup, 0 },
        { "ecosystem", "init", "[simple]", "write a sample ecosystem.config.js", pm2_ecosystem, 0 },
        { "report", NULL, "", "versions, what the machine can do, and the list", pm2_report, 0 },
        { "serve", "expose", "", "run a web server as a service: `kingctl start --name site -- npx serve DIR`", NULL, 0 },
        { "deploy", "pull forward backward", "", DEPLOY, NULL, 0 },
        { "plus", "register login logout link unlink monitor unmonitor open", "", CLOUD, NULL, 0 },
        { "install", "uninstall module:install module:uninstall module:update module:generate module:publish package publish create", "", MODULE, NULL, 0 },
        { "set", "get multiset unset conf config", "", MODULE, NULL, 0 },
        { "logrotate", NULL, "", "nothing to do: log files are rotated by Kingly (log.max_size, log.rotate, log.keep in kingly.yaml)", NULL, 0 },
        { "cleardump", NULL, "", "`kingctl pm2 save --force` with nothing running", NULL, 0 },
        { "trigger", "profile:mem profile:cpu install-otel uninstall-otel autoinstall", "", "nothing is injected into applications: use node's own inspector", NULL, 0 },
        { "send", "attach", "", "`kingctl help` lists what talks to a service", NULL, 0 },
        { "slist", "sysinfos", "", "`kingctl doctor` and `kingctl list` say it", NULL, 0 },
        { "examples", "completion", "", "`kingctl pm2 help`", NULL, 0 },
        {},
};

/* ---- messages ---- */

static void print_message(FILE *f, bool colour, Colour c, const char *tag, const char *format, va_list ap) {
        _cleanup_free_ char *text = text_vprintf(format, ap);

        fflush(stdout);
        fprintf(f, "%s%s%s ", colour_begin(colour, c), tag, colour_end(colour));
        print_text(f, text ?: format);
        fputc('\n', f);
}

void pm2_say(const Pm2 *p, const char *format, ...) {
        va_list ap;

        if (pm2_given(p, "silent"))
                return;
        va_start(ap, format);
        print_message(stdout, p->ctl->colour, COLOUR_GREEN, "[PM2]", format, ap);
        va_end(ap);
}

void pm2_warn(const Pm2 *p, const char *format, ...) {
        va_list ap;

        if (pm2_given(p, "silent"))
                return;
        va_start(ap, format);
        print_message(stdout, p->ctl->colour, COLOUR_YELLOW, "[PM2][WARN]", format, ap);
        va_end(ap);
}

int pm2_fail(const Pm2 *p, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        print_message(stderr, p->ctl->colour_error, COLOUR_RED, "[PM2][ERROR]", format, ap);
        va_end(ap);
        return 1;
}

static int fail_by_error(const Pm2 *p, int r) {
        const KlError *e = &p->ctl->error;

        pm2_fail(p, "%s", e->message ?: strerror(-r));
        if (e->hint)
                pm2_fail(p, "hint: %s", e->hint);
        return 1;
}

/* ---- help ---- */

static int print_usage(FILE *f) {
        fputs("usage: kingctl pm2 [OPTION...] VERB [ARGUMENT...]\n\n"
              "kingctl pm2 help      what is understood\n"
              "kingctl help          Kingly's own words\n", f);
        return 1;
}

static void print_verbs(bool understood) {
        for (const Pm2Verb *v = pm2_verbs; v->name; v++) {
                _cleanup_free_ char *left = text_printf("%s%s%s", v->name, v->aliases ? " " : "", v->aliases ?: "");

                if (!v->run == understood)
                        continue;
                if (understood)
                        printf("  %-36s %s\n", left ?: v->name, v->help);
                else
                        printf("  %s\n      %s\n", left ?: v->name, v->help);
        }
}

static int print_help(const Pm2 *p) {
        bool c = p->ctl->colour;

        printf("usage: kingctl pm2 [OPTION...] VERB [ARGUMENT...]\n\nUnderstands PM2's command line. Also by a link to kingctl named pm2.\n");
        printf("\n%sVerbs%s\n", colour_begin(c, COLOUR_BOLD), colour_end(c));
        print_verbs(true);
        printf("\n%sOptions%s\n", colour_begin(c, COLOUR_BOLD), colour_end(c));
        pm2_options_help(stdout);
        printf("\n%sNot here%s\n", colour_begin(c, COLOUR_BOLD), colour_end(c));
        print_verbs(false);
        return 0;
}

static int print_help_of(const Pm2Verb *v) {
        printf("usage: kingctl pm2 %s %s\n\n%s\n\nkingctl pm2 help lists the options\n", v->name, v->operands, v->help);
        return 0;
}

/* ---- the verb ---- */

static bool is_called(const Pm2Verb *v, const char *name) {
        size_t n = strlen(name);

        if (streq(v->name, name))
                return true;
        for (const char *a = v->aliases; a && *a; a += strcspn(a, " "), a += strspn(a, " "))
                if (strcspn(a, " ") == n && strncmp(a, name, n) == 0)
                        return true;
        return false;
}

static const Pm2Verb *find_verb(const char *name) {
        for (const Pm2Verb *v = pm2_verbs; v->name; v++)
                if (is_called(v, name))
                        return v;
        return NULL;
}

static int unknown_verb(const Pm2 *p, const char *name) {
        const char *names[ARRAY_SIZE(pm2_verbs)], *near;
        size_t n = 0;

        for (const Pm2Verb *v = pm2_verbs; v->name; v++)
                names[n++] = v->name;
        names[n] = NULL;
        near = text_nearest(name, names);
        pm2_fail(p, near ? "Command not found: %s (did you mean %s?)" : "Command not found: %s", name, near);
        return print_usage(stderr);
}

static bool asks_help(char *const *words) {
        for (; *words && !streq(*words, "--"); words++)
                if (streq(*words, "--help") || streq(*words, "-h"))
                        return true;
        return false;
}

static int run(Pm2 *p, char *const *words) {
        const Pm2Verb *v = words[0] ? find_verb(words[0]) : NULL;
        size_t n = 0;
        int r;

        if (words[0] && (streq(words[0], "-v") || streq(words[0], "-V") || streq(words[0], "--version"))) {
                puts(KINGLY_VERSION);
                return 0;
        }
        if (asks_help(words) || (words[0] && streq(words[0], "help")))
                return v ? print_help_of(v) : print_help(p);
        r = pm2_options_parse(p, words);
        if (r < 0)
                return r;
        p->ctl->colour = p->ctl->colour && !pm2_given(p, "no-color");
        if (!p->words[0])
                return print_usage(stderr);
        v = find_verb(p->words[0]);
        if (!v)
                return unknown_verb(p, p->words[0]);
        if (!v->run)
                return pm2_fail(p, "%s is not here: %s", p->words[0], v->help);
        while (p->words[n + 1])
                n++;
        memmove(p->words, p->words + 1, (n + 1) * sizeof(char *));
        return n < v->min ? pm2_fail(p, "missing argument: %s %s", v->name, v->operands) : v->run(p);
}

int verb_pm2(Ctl *ctl, char **words) {
        Pm2 p = { .ctl = ctl };
        int r;

        ctl->options.output = OUTPUT_TABLE;
        r = run(&p, words);
        if (r < 0)
                r = fail_by_error(&p, r);
        free(p.words);
        json_object_put(p.app);
        json_object_put(p.set);
        return r;
}
