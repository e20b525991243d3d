/* Owns the table of verbs. Whoever adds one adds it here and writes its handler; everything else follows. */
#include <limits.h>

#include "base/text.h"
#include "kingctl/verbs.h"

#define FIELD(f) offsetof(Options, f)
#define EXAMPLES(...) ((const VerbExample[]) { __VA_ARGS__, {} })
#define OPTIONS(...) ((const Option[]) { __VA_ARGS__, {} })
#define PROFILE \
        { 0, "profile", OPTION_STRINGS, FIELD(profiles), "NAME", NULL, "what the file says for this profile; may be given again" }
#define SHOW_SECRETS { 0, "show-secrets", OPTION_FLAG, FIELD(show_secrets), NULL, NULL, "values that are secrets, too (the owner and root only)" }
#define NO_PROFILE { 0, "no-profile", OPTION_FLAG, FIELD(no_profile), NULL, NULL, "no profile, whichever was in force before" }
#define NO_WAIT { 0, "no-wait", OPTION_FLAG, FIELD(no_wait), NULL, NULL, "do not wait until the instances have settled" }

static const char *const streams[] = { "out", "err", NULL };
static const char *const log_formats[] = { "text", "json", "jsonl", "raw", NULL };
static const char *const scopes[] = { "main", "group", "all", NULL };

static const char *const export_formats[] = { "systemd", "quadlet", "compose", "kubernetes", NULL };
static const char *const signals[] = { "HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "STOP", "CONT", "KILL", NULL };

const char *const selectors_help = "A SELECTOR is a service (web), one instance (web:0), a namespace (@shop), a service of a namespace "
                                   "(shop/web), a quoted pattern ('web*') or all.";

const Verb verbs[] = {
        {
                .name = "start",
                .synopsis = "FILE...\nSELECTOR...\n[OPTION...] -- COMMAND [ARGUMENT...]",
                .help = "start services: from files, by name, or from a command line",
                .details = "A FILE is a path that exists and has a slash in it or ends in .yaml, .yml, .json or .jsonc. What it says is "
                           "applied, as apply does, and its services are started.\n\n"
                           "A COMMAND becomes a service of its own. It is looked up in PATH, runs in the current directory and gets the "
                           "PATH of the caller. A script that is not executable is run by the interpreter that belongs to its name (.js, "
                           ".py, .sh, .rb, .pl, .php). The service is named like the program unless --name says otherwise.\n\n"
                           "A service with a schedule that is named runs now, and at its times from then on.\n\n"
                           "The verb waits until every instance is ready or has failed. For one that failed it prints the reason and the "
                           "end of its log.",
                .examples = EXAMPLES({ "kingctl start shop.yaml", "the services of a file" },
                                     { "kingctl start web", "a service that was stopped" },
                                     { "kingctl start --name web -i 4 --env PORT=8080 -- node server.js", "four instances of a command" },
                                     { "kingctl start --memory-max 512M -- ./worker --queue mail", "a command with a limit" },
                                     { "kingctl start --cron '0 3 * * *' --no-autorestart -- ./report", "a job that runs now and each night" }),
                .options = OPTIONS(
                        { 0, "name", OPTION_STRING, FIELD(name), "NAME", NULL, "name of the service made from a command" },
                        { 'i', "instances", OPTION_STRING, FIELD(instances), "N", NULL,
                          "number of instances, max, or -1 for all cores but one" },
                        { 0, "cwd", OPTION_STRING, FIELD(cwd), "DIR", NULL, "working directory (default: the current one)" },
                        { 'e', "env", OPTION_STRINGS, FIELD(env), "NAME=VALUE", NULL,
                          "set a variable; NAME alone passes the caller's value" },
                        { 0, "no-autorestart", OPTION_FLAG, FIELD(no_autorestart), NULL, NULL, "do not restart the command when it ends" },
                        { 'w', "watch", OPTION_FLAG, FIELD(watch), NULL, NULL, "restart the command when files below its working directory change" },
                        { 0, "memory-max", OPTION_STRING, FIELD(memory_max), "SIZE", NULL,
                          "memory limit of each instance (512M)" },
                        { 0, "max-memory-restart", OPTION_STRING, FIELD(memory_restart), "SIZE", NULL,
                          "restart an instance that uses more memory (300M)" },
                        { 0, "cron", OPTION_STRING, FIELD(cron), "TIMES", NULL,
                          "restart the command at these times (\"0 3 * * *\"); with --no-autorestart: run it again" },
                        { 0, "timezone", OPTION_STRING, FIELD(timezone), "ZONE", NULL, "the time zone of --cron (default: the machine's)" },
                        { 0, "restart-delay", OPTION_STRING, FIELD(restart_delay), "TIME", NULL,
                          "the time before each restart (3s; a bare number is milliseconds)" },
                        { 0, "exp-backoff-restart-delay", OPTION_STRING, FIELD(backoff_delay), "TIME", NULL,
                          "the time before the first restart; it grows by half with each further one in a row, to 15s at most" },
                        PROFILE, NO_PROFILE, NO_WAIT),
                .run = verb_start,
                .operand = OPERAND_START,
                .min = 1,
                .max = UINT_MAX,
        },
        {
                .name = "stop",
                .synopsis = "SELECTOR...",
                .help = "stop services",
                .details = "The services stay known and can be started again.",
                .examples = EXAMPLES({ "kingctl stop web:0 worker", "one instance of web, all of worker" },
                                     { "kingctl stop all", "everything" }),
                .options = OPTIONS(NO_WAIT),
                .run = verb_stop,
                .operand = OPERAND_SERVICE,
                .min = 1,
                .max = UINT_MAX,
        },
        {
                .name = "restart",
                .synopsis = "SELECTOR...",
                .help = "stop and start services again",
                .details = "Each instance gets a new process. Services that are stopped are started.",
                .examples = EXAMPLES({ "kingctl restart @shop", "all services of a namespace" }),
                .options = OPTIONS(NO_WAIT),
                .run = verb_restart,
                .operand = OPERAND_SERVICE,
                .min = 1,
                .max = UINT_MAX,
        },
        {
                .name = "reload",
                .synopsis = "SELECTOR...",
                .help = "let services take up a new configuration or program, and go on serving",
                .details = "By the key reload.by of each. A service with sockets or with several instances, or one that asks for it, is replaced instance "
                           "by instance: a new process is started, takes the place of the old one when it is ready, and the old one finishes what it has "
                           "begun and ends. When a new one does not come up it is removed and the old ones stay. The daemon goes on with it when "
                           "kingctl is interrupted. Others are told by a signal or a command.",
                .examples = EXAMPLES({ "kingctl reload web", "replace all instances of web" }, { "kingctl reload --cancel web", "stop doing so" }),
                .options = OPTIONS(NO_WAIT, { 0, "cancel", OPTION_FLAG, FIELD(cancel), NULL, NULL, "end a rolling reload; what has been replaced by then stays" }),
                .run = verb_reload,
                .operand = OPERAND_SERVICE,
                .min = 1,
                .max = UINT_MAX,
        },
        {
                .name = "delete",
                .aliases = "rm",
                .synopsis = "SELECTOR...",
                .help = "stop services and forget them",
                .details = "Files that name the services stay as they are: applying one brings its services back.",
                .examples = EXAMPLES({ "kingctl delete 'test-*'", "all services whose name begins so" }),
                .options = OPTIONS(NO_WAIT),
                .run = verb_delete,
                .operand = OPERAND_SERVICE,
                .min = 1,
                .max = UINT_MAX,
        },
        {
                .name = "scale",
                .synopsis = "SELECTOR... N|+N|-N|max",
                .help = "change the number of instances",
                .details = "New instances are started, those beyond the number are stopped, the others are left alone; the verb ends when the new "
                           "ones are ready and the others are gone. max is one for each core. The number lasts until a file that names the "
                           "service is applied again.",
                .examples = EXAMPLES({ "kingctl scale web 4", "four of them" }, { "kingctl scale web +2", "two more" },
                                     { "kingctl scale web -1", "one less" }),
                .options = OPTIONS(NO_WAIT),
                .run = verb_scale,
                .operand = OPERAND_SERVICE,
                .min = 2,
                .max = UINT_MAX,
        },
        {
                .name = "signal",
                .synopsis = "SIGNAL SELECTOR...",
                .help = "send a signal to services",
                .details = "SIGNAL is a name (SIGHUP, HUP) or a number. It goes to the main process of each instance, or with --scope to its "
                           "process group or to all of its processes. What becomes of it is the service's own doing: one that ends of it is "
                           "treated as one that ended by itself.",
                .examples = EXAMPLES({ "kingctl signal HUP web", "nginx reads its configuration again" },
                                     { "kingctl signal USR1 --scope all worker", "every process of worker" }),
                .options = OPTIONS({ 0, "scope", OPTION_WORD, FIELD(scope), "SCOPE", scopes, "main (default), group or all" }),
                .run = verb_signal,
                .operand = OPERAND_SERVICE,
                .first = signals,
                .min = 2,
                .max = UINT_MAX,
        },
        {
                .name = "send",
                .synopsis = "SELECTOR... TEXT",
                .help = "write a line to the standard input of services",
                .details = "The service needs `stdin: pipe` in its file. TEXT gets a newline at its end; it is written as a whole, or refused when "
                           "the service does not read and its pipe is full.",
                .examples = EXAMPLES({ "kingctl send game 'say the server stops in a minute'", "a command for a console" }),
                .run = verb_send,
                .operand = OPERAND_SERVICE,
                .min = 2,
                .max = UINT_MAX,
        },
        {
                .name = "reset",
                .synopsis = "SELECTOR...",
                .help = "forget failures and restart counters",
                .details = "A failed instance becomes a stopped one; restarts are counted from 0, and the next backoff begins anew. What runs "
                           "is not touched.",
                .examples = EXAMPLES({ "kingctl reset all", "a clean slate" }),
                .run = verb_reset,
                .operand = OPERAND_SERVICE,
                .min = 1,
                .max = UINT_MAX,
        },
        {
                .name = "apply",
                .synopsis = "-f FILE... [--diff] [--prune]",
                .help = "make the services what files say",
                .details = "Only what differs is touched: new services are started, changed ones get the least that their changes ask for "
                           "(nothing, a new limit on the living process, more or fewer instances, a restart), all others are left alone. "
                           "One line is printed for each service: + new, ~ changed, with the keys that changed, - removed. The verb ends when what "
                           "it starts is ready and what it ends is gone.\n\n"
                           "${VARIABLES} in a file are those of the caller, and relative paths are relative to the file.\n\n"
                           "--profile puts profiles of the file in force, later ones over earlier ones. They are remembered with the services: "
                           "without the option a file is applied under those that are in force, which is said; --no-profile ends that.",
                .examples = EXAMPLES({ "kingctl apply -f shop.yaml", "make it so" },
                                     { "kingctl apply -f shop.yaml --profile production", "with what the file says for production" },
                                     { "kingctl apply -f shop.yaml --diff", "say what would be done" },
                                     { "kingctl apply -f a.yaml -f b.yaml --prune", "and remove what neither file names" }),
                .options = OPTIONS(
                        { 'f', "file", OPTION_STRINGS, FIELD(files), "FILE", NULL, "a file to apply; - reads standard input" },
                        { 0, "diff", OPTION_FLAG, FIELD(diff), NULL, NULL, "print what would be done and change nothing" },
                        { 0, "prune", OPTION_FLAG, FIELD(prune), NULL, NULL, "remove services of the same namespaces that no file names" },
                        PROFILE, NO_PROFILE, NO_WAIT),
                .run = verb_apply,
                .operand = OPERAND_FILE,
                .max = UINT_MAX,
        },
        {
                .name = "import",
                .synopsis = "FILE...",
                .help = "make a kingly.yaml of another supervisor's file",
                .details = "Reads PM2's ecosystem files (JSON, YAML, .config.js, .config.cjs, .config.mjs, dump.pm2), supervisord.conf with its "
                           "includes, a Procfile with its .env and .foreman, and process-compose.yaml. The file is printed; what has no "
                           "counterpart is said on standard error, with its place. Nothing is dropped in silence, nothing is started. start, "
                           "apply and check take these files as they are, too.\n\n"
                           "A JavaScript file is run with the node found in PATH, after saying so.",
                .examples = EXAMPLES({ "kingctl import ecosystem.config.js > kingly.yaml", "from PM2" },
                                     { "kingctl import /etc/supervisor/supervisord.conf -n web", "one group of supervisord" }),
                .options = OPTIONS(PROFILE),
                .run = verb_import,
                .operand = OPERAND_FILE,
                .min = 1,
                .max = UINT_MAX,
        },
        {
                .name = "export",
                .synopsis = "systemd|quadlet|compose|kubernetes SELECTOR...",
                .help = "write services as units or manifests of other supervisors",
                .details = "systemd: units (with several instances a template and a target, with a schedule a timer) that systemd runs without Kingly; quadlet: "
                           ".container files of Podman; compose: a Compose file; kubernetes: a Deployment or, of a oneshot, a Job or a "
                           "CronJob. All but systemd need --image.\n\n"
                           "What has no counterpart there is named on standard error. Nothing is touched, and the services run on. Secrets are left "
                           "out, and named, unless --show-secrets is given; files are then for their owner alone.",
                .examples = EXAMPLES({ "kingctl export systemd web --directory /etc/systemd/system", "to leave Kingly" },
                                     { "kingctl export kubernetes @shop --image registry.example/shop:1", "into a cluster" }),
                .options = OPTIONS({ 0, "image", OPTION_STRING, FIELD(image), "IMAGE", NULL, "the container image that holds the program" },
                                   { 0, "directory", OPTION_STRING, FIELD(directory), "DIR", NULL,
                                     "write each file there instead of to standard output; what is there already is not replaced" },
                                   SHOW_SECRETS),
                .run = verb_export,
                .operand = OPERAND_SERVICE,
                .first = export_formats,
                .min = 2,
                .max = UINT_MAX,
        },
        {
                .name = "save",
                .synopsis = "[FILE|DIRECTORY]",
                .help = "write the known services as a kingly.yaml",
                .details = "Applied to a daemon that knows nothing, the file makes the same services. Without FILE it is printed. A file holds one "
                           "namespace, which --namespace chooses where there are several; in a DIRECTORY each gets a file of its own, NAMESPACE.yaml.\n\n"
                           "Values that describe hides stand in the file as they are: it is created with mode 0600. What is printed has them with "
                           "--show-secrets alone. A file that save did not write itself is replaced with --force alone.\n\n"
                           "The daemon itself needs no such file: what it knows, it remembers over restarts and reboots by itself.",
                .examples = EXAMPLES({ "kingctl save shop.yaml", "to take along to another machine" },
                                     { "kingctl save --namespace shop --show-secrets | kingctl --socket /run/other.sock apply -f -", "to another daemon" }),
                .options = OPTIONS({ 0, "force", OPTION_FLAG, FIELD(force), NULL, NULL, "replace a file that save did not write" }, SHOW_SECRETS),
                .run = verb_save,
                .operand = OPERAND_FILE,
                .max = 1,
        },
        {
                .name = "pm2",
                .synopsis = "VERB [OPTION...] [ARGUMENT...]",
                .help = "understand PM2's own command line",
                .details = "Takes what PM2's users type, answers in PM2's shapes and with its exit statuses, so that hands, scripts and dashboards "
                           "keep working. kingctl pm2 help lists what is understood, and what to use in place of the rest. The same by a link "
                           "to kingctl named pm2, which make install PM2_LINK=1 makes.\n\n"
                           "What is started so gets the environment of the caller, restarts after any exit, and is stopped by SIGINT and, 1600 ms "
                           "later, SIGKILL, as with PM2.",
                .examples = EXAMPLES({ "kingctl pm2 start app.js --name web -i 2", "as ever" },
                                     { "kingctl pm2 jlist | jq '.[].pm2_env.status'", "for programs" }),
                .run = verb_pm2,
                .max = UINT_MAX,
                .raw = true,
        },
        {
                .name = "check",
                .synopsis = "FILE...",
                .help = "find every error of a file",
                .details = "Needs no daemon. Errors are printed as FILE:LINE:COLUMN: error: MESSAGE, all at once; the exit status is 2 "
                           "when there are any.",
                .examples = EXAMPLES({ "kingctl check shop.yaml", "\"shop.yaml: ok, 3 services\", or what is wrong" }),
                .options = OPTIONS(PROFILE),
                .run = verb_check,
                .operand = OPERAND_FILE,
                .min = 1,
                .max = UINT_MAX,
        },
        {
                .name = "list",
                .aliases = "ls ps",
                .synopsis = "[SELECTOR...]",
                .help = "list services and their instances",
                .details = "With --output=json the list is an array of objects; with --quiet it is names alone.",
                .examples = EXAMPLES({ "kingctl list", "everything" }, { "kingctl ls @shop -o json", "one namespace, for a program" }),
                .run = verb_list,
                .operand = OPERAND_SERVICE,
                .max = UINT_MAX,
        },
        {
                .name = "status",
                .synopsis = "[SELECTOR...]",
                .help = "say how the daemon or some services are",
                .details = "Without a selector: the daemon, how many instances are in which state, and what is wrong, with the cause. With "
                           "one: a few lines and the last events of each service.",
                .examples = EXAMPLES({ "kingctl status", "what is wrong?" }, { "kingctl status web", "how is web?" }),
                .run = verb_status,
                .operand = OPERAND_SERVICE,
                .max = UINT_MAX,
        },
        {
                .name = "describe",
                .aliases = "show",
                .synopsis = "SELECTOR...",
                .help = "tell all there is to know of services",
                .details = "Settings that differ from their defaults, every instance with its processes and what it uses, events. With "
                           "--output=json also the value in force of every key.",
                .examples = EXAMPLES({ "kingctl describe web", "all about web" }),
                .options = OPTIONS(SHOW_SECRETS),
                .run = verb_describe,
                .operand = OPERAND_SERVICE,
                .min = 1,
                .max = UINT_MAX,
        },
        {
                .name = "monit",
                .aliases = "monitor top",
                .synopsis = "[SELECTOR...]",
                .help = "watch services live, on the whole screen",
                .details = "Every second: the instances with their state, CPU and memory, and the log of the selected one. Keys start, stop, "
                           "restart and scale it, sort and filter; ? shows them.",
                .examples = EXAMPLES({ "kingctl monit", "everything" }, { "kingctl monit @shop", "one namespace" }),
                .run = verb_monit,
                .operand = OPERAND_SERVICE,
                .max = UINT_MAX,
        },
        {
                .name = "env",
                .synopsis = "SELECTOR...",
                .help = "print the environment of services",
                .details = "As the next start gets it: from the file, its env_file and the user it runs as. What only a start decides "
                           "(INVOCATION_ID, NOTIFY_SOCKET and the like) is not in it.\n\n"
                           "Secrets are shown as <hidden>, here as in every other output: the values of variables whose names say so or that the "
                           "key secrets names, and passwords in URLs.",
                .examples = EXAMPLES({ "kingctl env web", "NAME=VALUE, a line each" },
                                     { "kingctl env web --show-secrets -q", "with the values that are hidden otherwise" }),
                .options = OPTIONS(SHOW_SECRETS),
                .run = verb_env,
                .operand = OPERAND_SERVICE,
                .min = 1,
                .max = UINT_MAX,
        },
        {
                .name = "pid",
                .synopsis = "[SELECTOR...]",
                .help = "print the main PIDs of services",
                .details = "One a line; the exit status is 1 when none runs; with --quiet nothing is said of it.",
                .examples = EXAMPLES({ "kill -STOP $(kingctl pid web:0)", "for scripts" }),
                .run = verb_pid,
                .operand = OPERAND_SERVICE,
                .max = UINT_MAX,
        },
        {
                .name = "tree",
                .synopsis = "[SELECTOR...]",
                .help = "show the processes of services as a tree",
                .examples = EXAMPLES({ "kingctl tree web", "who started whom" }),
                .run = verb_tree,
                .operand = OPERAND_SERVICE,
                .max = UINT_MAX,
        },
        {
                .name = "logs",
                .aliases = "log",
                .synopsis = "[SELECTOR...]",
                .help = "print what services wrote",
                .details = "The lines of several instances are merged by time and carry their names; those of files that were rotated or compressed and "
                           "those of the journal alike. Without -n, a time or a filter: the last 20 of each instance; -n counts what the filters leave. "
                           "Here -n is the number of lines; the namespace is given as --namespace.\n\n"
                           "A TIME is \"10m\" or \"2 hours ago\", \"today\", \"yesterday 18:30\", \"09:00\", \"2026-01-31 08:00\", RFC 3339, or \"@SECONDS\" "
                           "since the epoch. Lines of raw files have no time: there --since tells only files apart. A LEVEL is emerg, alert, crit, err, "
                           "warning, notice, info or debug. A line has the one of its prefix (<3>, as in sd-daemon(3)); without one, standard error "
                           "counts as warning and standard output as info.\n\n"
                           "Colours that services write are left out, other control characters are shown as \\xNN, to whatever the output goes. --raw "
                           "passes all bytes on as they were written, -o raw without time and name as well.",
                .examples = EXAMPLES({ "kingctl logs web -n 100", "the last hundred lines" },
                                     { "kingctl logs -f @shop", "go on printing what comes" },
                                     { "kingctl logs api --since '10m ago' --grep 'timeout|refused'", "a search" },
                                     { "kingctl logs all --since yesterday --until 'today 08:00' -p err", "the night's errors" },
                                     { "kingctl logs web -o jsonl | jq .message", "for programs" }),
                .options = OPTIONS(
                        { 'n', "lines", OPTION_COUNT, FIELD(lines), "N", NULL, "the last N lines of each instance" },
                        { 'f', "follow", OPTION_FLAG, FIELD(follow), NULL, NULL, "go on printing what is written, by services that come later too" },
                        { 0, "since", OPTION_STRING, FIELD(since), "TIME", NULL, "lines since a time" },
                        { 0, "until", OPTION_STRING, FIELD(until), "TIME", NULL, "lines up to a time" },
                        { 'g', "grep", OPTION_STRING, FIELD(grep), "REGEX", NULL, "lines that match an extended regular expression" },
                        { 'i', "ignore-case", OPTION_FLAG, FIELD(ignore_case), NULL, NULL, "--grep takes small and capital letters for the same" },
                        { 'v', "invert", OPTION_FLAG, FIELD(invert), NULL, NULL, "lines that do not match --grep" },
                        { 0, "stream", OPTION_WORD, FIELD(stream), "STREAM", streams, "only standard output (out) or standard error (err)" },
                        { 'p', "priority", OPTION_STRING, FIELD(priority), "LEVEL", NULL,
                          "lines at least so urgent: emerg to debug, or 0 to 7" },
                        { 0, "after-cursor", OPTION_STRINGS, FIELD(cursors), "CURSOR", NULL,
                          "lines behind one that -o json printed; once for each instance" },
                        { 'o', "output", OPTION_CHOICE, FIELD(output), "FORMAT", log_formats,
                          "text, json (an array), jsonl (one object a line) or raw (mere bytes)" },
                        { 0, "raw", OPTION_FLAG, FIELD(raw), NULL, NULL, "lines as they were written, with colours and control characters" },
                        { 0, "no-prefix", OPTION_FLAG, FIELD(no_prefix), NULL, NULL, "without time and name" },
                        { 0, "source-maps", OPTION_FLAG, FIELD(source_maps), NULL, NULL,
                          "positions in traces of Node as those of the sources" },
                        { 0, "flush", OPTION_FLAG, FIELD(flush), NULL, NULL,
                          "print nothing: empty the log files of those named and remove what was put aside of them" },
                        { 0, "reopen", OPTION_FLAG, FIELD(reopen), NULL, NULL,
                          "print nothing: have all log files opened anew, after another program moved them away; when it returns, those are written no more" }),
                .run = verb_logs,
                .operand = OPERAND_SERVICE,
                .max = UINT_MAX,
        },
        {
                .name = "events",
                .synopsis = "[SELECTOR...]",
                .help = "print what happened to services",
                .details = "Starts, exits, restarts, failures, changes of configuration.",
                .examples = EXAMPLES({ "kingctl events -f", "as it happens" }, { "kingctl events web --since 2h", "of one service" }),
                .options = OPTIONS(
                        { 'n', "lines", OPTION_COUNT, FIELD(lines), "N", NULL, "the last N events (default: 50)" },
                        { 'f', "follow", OPTION_FLAG, FIELD(follow), NULL, NULL, "go on printing what happens" },
                        { 0, "since", OPTION_STRING, FIELD(since), "TIME", NULL, "events since a time: \"10m ago\", 2026-01-31 08:00" }),
                .run = verb_events,
                .operand = OPERAND_SERVICE,
                .max = UINT_MAX,
        },
        {
                .name = "doctor",
                .synopsis = "",
                .help = "examine the daemon and the machine",
                .details = "Says which isolation is in force, which limits it can enforce, and what to do where it cannot.",
                .examples = EXAMPLES({ "kingctl doctor", "can this machine enforce memory limits?" }),
                .run = verb_doctor,
        },
        {
                .name = "ping",
                .synopsis = "",
                .help = "ask whether the daemon answers",
                .details = "The exit status is 4 when no daemon runs.",
                .examples = EXAMPLES({ "kingctl ping -q", "does a daemon run? (for scripts)" }),
                .run = verb_ping,
        },
        {
                .name = "version",
                .synopsis = "",
                .help = "print the versions of kingctl and of the daemon",
                .details = "The versions differ after an update until kingctl reexec.",
                .examples = EXAMPLES({ "kingctl version -o json", "versions, for a program" }),
                .run = verb_version,
        },
        {
                .name = "reexec",
                .synopsis = "",
                .help = "execute the daemon's programs that are installed now, in the place of those that run",
                .details = "For after an update. The daemon stays the same process and the parent of its services: none is touched, no line of output and no "
                           "exit is lost, clients wait a moment, and kingctl logs -f and events -f go on.\n\n"
                           "Programs that do not come up are replaced by those that ran before, even if their files are gone: when the new kingd cannot "
                           "be executed or cannot go on from here, nothing is touched; when the new kingd-manager ends before it serves or takes too "
                           "long, or it or kingd-logger falls again and again within a minute, the old ones come back. Then the exit status is 1.\n\n"
                           "The state is migrated to a new form only when the new programs serve; from then on there is no way back to programs "
                           "that do not know that form.\n\n"
                           "SIGHUP and systemctl reload kingd read the configuration again and, where a program on the disk is another than the one "
                           "that runs, do this as well.",
                .examples = EXAMPLES({ "kingctl reexec", "after an update" }, { "kingctl reexec --within 10s", "go back sooner" }),
                .options = OPTIONS({ 0, "within", OPTION_SPAN, FIELD(within), "SPAN", NULL,
                                     "go back unless the new programs serve within this time (default: 60s)" }),
                .run = verb_reexec,
        },
        {
                .name = "shutdown",
                .synopsis = "",
                .help = "stop every service, then the daemon",
                .details = "Services are stopped in the order of their dependencies. They are started again with the daemon.",
                .examples = EXAMPLES({ "kingctl shutdown", "the end" }),
                .run = verb_shutdown,
        },
        {
                .name = "help",
                .synopsis = "[VERB]",
                .help = "describe kingctl or a verb",
                .details = "The same as --help.",
                .examples = EXAMPLES({ "kingctl help start", "all about start" }),
                .run = verb_help,
                .operand = OPERAND_VERB,
                .max = 1,
        },
        {
                .name = "_complete",
                .synopsis = "bash|zsh|fish",
                .help = "print the completion script of a shell",
                .run = verb_complete,
                .operand = OPERAND_SHELL,
                .min = 1,
                .max = 1,
                .hidden = true,
        },
        { .name = "_names", .synopsis = "", .help = "print selectors for completion", .run = verb_names, .hidden = true },
        { .name = "_man", .synopsis = "", .help = "print the manual page kingctl(1)", .run = verb_man, .hidden = true },
        { .name = "_man-file", .synopsis = "", .help = "print the keys section of kingly.yaml(5)", .run = verb_man_file, .hidden = true },
        { .name = "_catalog", .synopsis = "", .help = "print the catalogue of events for journalctl -x", .run = verb_catalog, .hidden = true },
        { .name = "_schema", .synopsis = "", .help = "print the JSON Schema of kingly.yaml", .run = verb_schema, .hidden = true },
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

bool verb_takes_selectors(const Verb *v) {
        return v->operand == OPERAND_SERVICE || v->operand == OPERAND_START;
}
