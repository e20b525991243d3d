/* Owns the table of verbs. Whoever adds one adds it here and writes its handler; everything else follows. */
#include <limits.h>

#include "base/text.h"
#include "kingctl/verbs.h"

#define FIELD(f) offsetof(Options, f)
#define EXAMPLES(...) ((const VerbExample[]) { __VA_ARGS__, {} })
#define OPTIONS(...) ((const Option[]) { __VA_ARGS__, {} })
#define NO_WAIT { 0, "no-wait", OPTION_FLAG, FIELD(no_wait), NULL, NULL, "do not wait until the instances have settled" }

static const char *const streams[] = { "out", "err", NULL };

#define SELECTORS "A SELECTOR is a service (web), one instance (web:0), a namespace (@shop), a service of a namespace (shop/web), a quoted pattern ('web*') or all."

const Verb verbs[] = {
        { "start", NULL, "FILE...\nSELECTOR...\n[OPTION...] -- COMMAND [ARGUMENT...]", "start services: from files, by name, or from a command line",
          "A FILE is a path that exists and has a slash in it or ends in .yaml, .yml, .json or .jsonc. What it says is applied, as apply does, and "
          "its services are started.\n\n"
          "A COMMAND becomes a service of its own. It is looked up in PATH, runs in the current directory and gets the PATH of the caller. A "
          "script that is not executable is run by the interpreter that belongs to its name (.js, .py, .sh, .rb, .pl, .php). The service is named like the program unless "
          "--name says otherwise.\n\n"
          "The verb waits until every instance is ready or has failed. For one that failed it prints the reason and the end of its log.\n\n" SELECTORS,
          EXAMPLES({ "kingctl start shop.yaml", "the services of a file" }, { "kingctl start web", "a service that was stopped" },
                   { "kingctl start --name web -i 4 --env PORT=8080 -- node server.js", "four instances of a command" },
                   { "kingctl start --memory-max 512M -- ./worker --queue mail", "a command with a limit" }),
          OPTIONS({ 0, "name", OPTION_STRING, FIELD(name), "NAME", NULL, "name of the service made from a command" },
                  { 'i', "instances", OPTION_STRING, FIELD(instances), "N", NULL, "number of instances, max, or -1 for all cores but one" },
                  { 0, "cwd", OPTION_STRING, FIELD(cwd), "DIR", NULL, "working directory (default: the current one)" },
                  { 'e', "env", OPTION_STRINGS, FIELD(env), "NAME=VALUE", NULL, "set a variable; NAME alone passes the caller's value" },
                  { 0, "no-autorestart", OPTION_FLAG, FIELD(no_autorestart), NULL, NULL, "do not restart the command when it ends" },
                  { 0, "memory-max", OPTION_STRING, FIELD(memory_max), "SIZE", NULL, "memory limit of each instance (512M)" }, NO_WAIT),
          verb_start, OPERAND_START, 1, UINT_MAX },
        { "stop", NULL, "SELECTOR...", "stop services", "The services stay known and can be started again.\n\n" SELECTORS,
          EXAMPLES({ "kingctl stop web:0 worker", "one instance of web, all of worker" }, { "kingctl stop all", "everything" }), OPTIONS(NO_WAIT), verb_stop,
          OPERAND_SERVICE, 1, UINT_MAX },
        { "restart", NULL, "SELECTOR...", "stop and start services again", "Each instance gets a new process. Services that are stopped are started.\n\n" SELECTORS,
          EXAMPLES({ "kingctl restart @shop", "all services of a namespace" }), OPTIONS(NO_WAIT), verb_restart, OPERAND_SERVICE, 1, UINT_MAX },
        { "delete", "rm", "SELECTOR...", "stop services and forget them", "Files that name the services stay as they are: applying one brings its services back.\n\n" SELECTORS,
          EXAMPLES({ "kingctl delete 'test-*'", "all services whose name begins so" }), OPTIONS(NO_WAIT), verb_delete, OPERAND_SERVICE, 1, UINT_MAX },
        { "apply", NULL, "-f FILE... [--diff] [--prune]", "make the services what files say",
          "Only what differs is touched: new services are started, changed ones get the least that their changes ask for (nothing, a new limit on the "
          "living process, more or fewer instances, a restart), all others are left alone. One line is printed for each service: + new, ~ "
          "changed, with the keys that changed, - removed.\n\n"
          "${VARIABLES} in a file are those of the caller, and relative paths are relative to the file.",
          EXAMPLES({ "kingctl apply -f shop.yaml", "make it so" }, { "kingctl apply -f shop.yaml --diff", "say what would be done" },
                   { "kingctl apply -f a.yaml -f b.yaml --prune", "and remove what neither file names" }),
          OPTIONS({ 'f', "file", OPTION_STRINGS, FIELD(files), "FILE", NULL, "a file to apply; - reads standard input" },
                  { 0, "diff", OPTION_FLAG, FIELD(diff), NULL, NULL, "print what would be done and change nothing" },
                  { 0, "prune", OPTION_FLAG, FIELD(prune), NULL, NULL, "remove services of the same namespaces that the files do not name" }, NO_WAIT),
          verb_apply, OPERAND_FILE, 0, UINT_MAX },
        { "check", NULL, "FILE...", "find every error of a file",
          "Needs no daemon. Errors are printed as FILE:LINE:COLUMN: error: MESSAGE, all at once; the exit status is 2 when there are any.",
          EXAMPLES({ "kingctl check shop.yaml", "\"shop.yaml: ok, 3 services\", or what is wrong" }), NULL, verb_check, OPERAND_FILE, 1, UINT_MAX },
        { "list", "ls ps", "[SELECTOR...]", "list services and their instances",
          "With --output=json the list is an array of objects; with --quiet it is names alone.\n\n" SELECTORS,
          EXAMPLES({ "kingctl list", "everything" }, { "kingctl ls @shop -o json", "one namespace, for a program" }), NULL, verb_list, OPERAND_SERVICE, 0, UINT_MAX },
        { "status", NULL, "[SELECTOR...]", "say how the daemon or some services are",
          "Without a selector: the daemon, how many instances are in which state, and what is wrong, with the cause. With one: a few lines and the last events of each "
          "service.\n\n" SELECTORS,
          EXAMPLES({ "kingctl status", "what is wrong?" }, { "kingctl status web", "how is web?" }), NULL, verb_status, OPERAND_SERVICE, 0, UINT_MAX },
        { "describe", "show", "SELECTOR...", "tell all there is to know of services",
          "Settings that differ from their defaults, every instance with its processes and what it uses, events. With --output=json also the "
          "value in force of every key.\n\n" SELECTORS,
          EXAMPLES({ "kingctl describe web", "all about web" }), NULL, verb_describe, OPERAND_SERVICE, 1, UINT_MAX },
        { "logs", "log", "[SELECTOR...]", "print what services wrote",
          "The lines of several instances are merged by time and carry their names. Control characters are shown as \\xNN. Here -n is the number of "
          "lines; the namespace is given as --namespace.\n\n" SELECTORS,
          EXAMPLES({ "kingctl logs web -n 100", "the last hundred lines" }, { "kingctl logs -f @shop", "go on printing what comes" },
                   { "kingctl logs api --since '10 minutes ago' --grep 'timeout|refused'", "a search" }),
          OPTIONS({ 'n', "lines", OPTION_COUNT, FIELD(lines), "N", NULL, "the last N lines of each instance (default: 20)" },
                  { 'f', "follow", OPTION_FLAG, FIELD(follow), NULL, NULL, "go on printing what is written" },
                  { 0, "since", OPTION_STRING, FIELD(since), "TIME", NULL, "lines since a time: \"10m ago\", 2026-01-31 08:00" },
                  { 'g', "grep", OPTION_STRING, FIELD(grep), "REGEX", NULL, "lines that match an extended regular expression" },
                  { 0, "stream", OPTION_WORD, FIELD(stream), "STREAM", streams, "only standard output (out) or standard error (err)" }),
          verb_logs, OPERAND_SERVICE, 0, UINT_MAX },
        { "events", NULL, "[SELECTOR...]", "print what happened to services", "Starts, exits, restarts, failures, changes of configuration.\n\n" SELECTORS,
          EXAMPLES({ "kingctl events -f", "as it happens" }, { "kingctl events web --since 2h", "of one service" }),
          OPTIONS({ 'n', "lines", OPTION_COUNT, FIELD(lines), "N", NULL, "the last N events (default: 50)" },
                  { 'f', "follow", OPTION_FLAG, FIELD(follow), NULL, NULL, "go on printing what happens" },
                  { 0, "since", OPTION_STRING, FIELD(since), "TIME", NULL, "events since a time: \"10m ago\", 2026-01-31 08:00" }),
          verb_events, OPERAND_SERVICE, 0, UINT_MAX },
        { "doctor", NULL, "", "examine the daemon and the machine", "Says which isolation is in force, which limits it can enforce, and what to do where it cannot.",
          EXAMPLES({ "kingctl doctor", "can this machine enforce memory limits?" }), NULL, verb_doctor, OPERAND_NONE, 0, 0 },
        { "ping", NULL, "", "ask whether the daemon answers", "The exit status is 4 when no daemon runs.", EXAMPLES({ "kingctl ping -q", "for scripts" }), NULL, verb_ping,
          OPERAND_NONE, 0, 0 },
        { "version", NULL, "", "print the versions of kingctl and of the daemon", "The versions differ after an update until the daemon is started again.",
          EXAMPLES({ "kingctl version -o json", "for a program" }), NULL, verb_version, OPERAND_NONE, 0, 0 },
        { "shutdown", NULL, "", "stop every service, then the daemon", "Services are stopped in the order of their dependencies. They are started again with the daemon.",
          EXAMPLES({ "kingctl shutdown", "the end" }), NULL, verb_shutdown, OPERAND_NONE, 0, 0 },
        { "help", NULL, "[VERB]", "describe kingctl or a verb", "The same as --help.", EXAMPLES({ "kingctl help start", "all about start" }), NULL, verb_help, OPERAND_VERB, 0, 1 },
        { "_complete", NULL, "bash|zsh|fish", "print the completion script of a shell", NULL, NULL, NULL, verb_complete, OPERAND_SHELL, 1, 1, true },
        { "_names", NULL, "", "print selectors for completion", NULL, NULL, NULL, verb_names, OPERAND_NONE, 0, 0, true },
        { "_man", NULL, "", "print the manual page kingctl(1)", NULL, NULL, NULL, verb_man, OPERAND_NONE, 0, 0, true },
        { "_man-file", NULL, "", "print the keys section of kingly.yaml(5)", NULL, NULL, NULL, verb_man_file, OPERAND_NONE, 0, 0, true },
        { "_schema", NULL, "", "print the JSON Schema of kingly.yaml", NULL, NULL, NULL, verb_schema, OPERAND_NONE, 0, 0, true },
        {},
};

static bool has_alias(const Verb *v, const char *name) {
        size_t n = strlen(name);

        for (const char *p = v->aliases; p && *p; p += strspn(p, " ")) {
                size_t k = strcspn(p, " ");

                if (k == n && strncmp(p, name, n) == 0)
                        return true;
                p += k;
        }
        return false;
}

const Verb *verb_find(const char *name) {
        for (const Verb *v = verbs; v->name; v++)
                if (streq(v->name, name) || has_alias(v, name))
                        return v;
        return NULL;
}

const char *verb_nearest(const char *name) {
        const char *names[ARRAY_SIZE(verbs)];
        size_t n = 0;

        for (const Verb *v = verbs; v->name; v++)
                if (!v->hidden)
                        names[n++] = v->name;
        names[n] = NULL;
        return text_nearest(name, names);
}
