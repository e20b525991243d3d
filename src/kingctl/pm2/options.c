/* Owns PM2's options: one table of what each becomes. What must stay true: none is dropped in silence; one that has no meaning here is named. */
#include <stdio.h>

#include "base/strv.h"
#include "base/text.h"
#include "kingctl/pm2/pm2.h"

typedef enum OptionKind {
        KIND_FLAG,    /* true */
        KIND_OFF,     /* false: --no-… */
        KIND_VALUE,
        KIND_MAYBE,   /* a value may follow, behind an operand: before it, it is the operand */
        KIND_WORD,    /* a value may follow */
        KIND_NUMBERS, /* one or more follow */
        KIND_LIST,    /* as KIND_MAYBE, and may be repeated */
        KIND_IDLE,    /* about what there is none of here: accepted, with a word where it was meant to do something */
} OptionKind;

typedef struct Pm2Option {
        char letter;
        const char *name;
        OptionKind kind;
        const char *key;      /* of an application; NULL: it is about the call, kept under its name */
        const char *argument; /* as help calls it */
        const char *help;     /* NULL: with the one above */
} Pm2Option;

static const Pm2Option options[] = {
        { 'n', "name", KIND_VALUE, "name", "NAME", "name in the list" },
        { 0, "namespace", KIND_VALUE, "namespace", "NAMESPACE", "namespace it belongs to" },
        { 'i', "instances", KIND_VALUE, "instances", "N", "number of instances, or max" },
        { 0, "cwd", KIND_VALUE, "cwd", "DIR", "working directory" },
        { 0, "interpreter", KIND_VALUE, "interpreter", "PROGRAM", "what runs the script; none: it runs itself" },
        { 0, "node-args", KIND_VALUE, "node_args", "WORDS", "arguments of the interpreter" },
        { 0, "interpreter-args", KIND_VALUE, "node_args", "WORDS", NULL },
        { 0, "watch", KIND_LIST, "watch", "PATH", "restart when files change" },
        { 0, "ignore-watch", KIND_VALUE, "ignore_watch", "PATTERNS", "files that do not matter" },
        { 0, "watch-delay", KIND_VALUE, "watch_delay", "TIME", "how long to wait for more changes" },
        { 'c', "cron", KIND_VALUE, "cron_restart", "PATTERN", "restart at these times" },
        { 0, "cron-restart", KIND_VALUE, "cron_restart", "PATTERN", NULL },
        { 0, "max-memory-restart", KIND_VALUE, "max_memory_restart", "SIZE", "restart above this much memory" },
        { 0, "no-autorestart", KIND_OFF, "autorestart", NULL, "do not restart it when it ends" },
        { 0, "no-autostart", KIND_OFF, "autostart", NULL, "only make it known" },
        { 0, "stop-exit-codes", KIND_NUMBERS, "stop_exit_codes", "CODE...", "exit statuses after which it is not restarted" },
        { 0, "restart-delay", KIND_VALUE, "restart_delay", "MS", "wait before a restart" },
        { 0, "exp-backoff-restart-delay", KIND_VALUE, "exp_backoff_restart_delay", "MS", "the same, and longer each time" },
        { 0, "max-restarts", KIND_VALUE, "max_restarts", "N", "restarts in a row before it is given up" },
        { 0, "min-uptime", KIND_VALUE, "min_uptime", "MS", "what counts as a good start" },
        { 'k', "kill-timeout", KIND_VALUE, "kill_timeout", "MS", "between SIGINT and SIGKILL" },
        { 0, "no-treekill", KIND_OFF, "treekill", NULL, "stop the main process alone" },
        { 0, "wait-ready", KIND_FLAG, "wait_ready", NULL, "started when the application says so" },
        { 0, "listen-timeout", KIND_VALUE, "listen_timeout", "MS", "how long to wait for that" },
        { 0, "shutdown-with-message", KIND_FLAG, "shutdown_with_message", NULL, "a message instead of SIGINT" },
        { 0, "uid", KIND_VALUE, "uid", "USER", "run as this user" },
        { 0, "gid", KIND_VALUE, "gid", "GROUP", "run as this group" },
        { 'o', "output", KIND_VALUE, "out_file", "FILE", "log of the standard output" },
        { 'e', "error", KIND_VALUE, "error_file", "FILE", "log of the standard error" },
        { 'l', "log", KIND_MAYBE, "log_file", "FILE", "log of both" },
        { 0, "merge-logs", KIND_FLAG, "merge_logs", NULL, "one log for all instances" },
        { 0, "disable-logs", KIND_FLAG, "disable_logs", NULL, "keep no logs" },
        { 0, "log-type", KIND_VALUE, "log_type", "TYPE", "raw or json" },
        { 0, "time", KIND_FLAG, "time", NULL, "times in front of log lines (they are kept with every line here)" },
        { 0, "log-date-format", KIND_VALUE, "log_date_format", "FORMAT", NULL },
        { 'p', "pid", KIND_VALUE, "pid_file", "FILE", "file with the process id" },
        { 0, "source-map-support", KIND_FLAG, "source_map_support", NULL, "source maps for stack traces" },
        { 0, "disable-source-map-support", KIND_FLAG, "disable_source_map_support", NULL, NULL },
        { 'x', "execute-command", KIND_FLAG, "execute_command", NULL, "run the script itself" },
        { 0, "filter-env", KIND_LIST, NULL, "WORDS", "leave out variables of this shell with these in their names (alone: all of them)" },
        { 'a', "update-env", KIND_FLAG, NULL, NULL, "restart with this shell's environment" },
        { 0, "env", KIND_VALUE, NULL, "NAME", "with env_NAME of the file" },
        { 0, "only", KIND_VALUE, NULL, "NAMES", "these applications of the file alone" },
        { 'f', "force", KIND_FLAG, NULL, NULL, "do it all the same" },
        { 'w', "write", KIND_FLAG, NULL, NULL, "write the settings to NAME-pm2.json as well" },
        { 0, "attach", KIND_FLAG, NULL, NULL, "show the logs afterwards" },
        { 0, "no-daemon", KIND_FLAG, NULL, NULL, NULL },
        { 's', "silent", KIND_FLAG, NULL, NULL, "say nothing but what was asked for" },
        { 'm', "mini-list", KIND_FLAG, NULL, NULL, "the list without a table" },
        { 0, "sort", KIND_VALUE, NULL, "FIELD:ORDER", "order of the list: name, namespace, pid, id, cpu, memory, uptime, status; asc or desc" },
        { 0, "lines", KIND_VALUE, NULL, "N", "of logs: how many of the last lines (15)" },
        { 0, "err", KIND_FLAG, NULL, NULL, "of logs: standard error alone" },
        { 0, "out", KIND_FLAG, NULL, NULL, "of logs: standard output alone" },
        { 0, "raw", KIND_FLAG, NULL, NULL, "of logs: lines as they were written" },
        { 0, "json", KIND_FLAG, NULL, NULL, "of logs: an object a line" },
        { 0, "format", KIND_FLAG, NULL, NULL, "of logs: name=value" },
        { 0, "timestamp", KIND_WORD, NULL, "FORMAT", "of logs: with times (YYYY-MM-DD-HH:mm:ss)" },
        { 0, "nostream", KIND_FLAG, NULL, NULL, "of logs: do not wait for more" },
        { 0, "highlight", KIND_WORD, NULL, "TEXT", "of logs: mark it" },
        { 0, "no-color", KIND_FLAG, NULL, NULL, "no colours" },
        { 0, "parallel", KIND_VALUE, NULL, "N", "accepted: how many things are done at once is the daemon's affair" },
        { 'u', "user", KIND_VALUE, NULL, "USER", "of startup: whose daemon" },
        { 0, "hp", KIND_VALUE, NULL, "DIR", "of startup: accepted" },
        { 0, "service-name", KIND_VALUE, NULL, "NAME", "of startup: accepted" },
        { 0, "wait-ip", KIND_IDLE, NULL, NULL, "of startup: accepted" },
        { 0, "no-vizion", KIND_IDLE, NULL, NULL, "accepted, and of no meaning here" },
        { 0, "no-pmx", KIND_IDLE, NULL, NULL, NULL },
        { 0, "no-automation", KIND_IDLE, NULL, NULL, NULL },
        { 0, "disable-trace", KIND_IDLE, NULL, NULL, NULL },
};

static const Pm2Option *find_option(const char *name, size_t n) {
        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                if (strlen(options[i].name) == n && strncmp(options[i].name, name, n) == 0)
                        return options + i;
        return NULL;
}

static const Pm2Option *find_letter(char letter) {
        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                if (options[i].letter == letter)
                        return options + i;
        return NULL;
}

static int unknown(Pm2 *p, const char *word) {
        const char *names[ARRAY_SIZE(options) + 1], *near;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                names[i] = options[i].name;
        names[ARRAY_SIZE(options)] = NULL;
        near = startswith(word, "--") ? text_nearest(word + 2, names) : NULL;
        r = ctl_usage(p->ctl, "unknown option `%s'", word);
        if (near)
                kl_error_hint(&p->ctl->error, "did you mean --%s?", near);
        else
                kl_error_hint(&p->ctl->error, "kingctl pm2 help lists what is understood");
        return r;
}

const char *pm2_option(const Pm2 *p, const char *name) {
        json_object *v;

        if (!json_object_object_get_ex(p->set, name, &v))
                return NULL;
        return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
}

/* Appends to a list, which is made where there is none. */
static int push(json_object *to, const char *key, const char *value) {
        json_object *l = field_array(to, key);

        if (!l) {
                l = json_object_new_array();
                if (json_add(to, key, l) < 0)
                        return -ENOMEM;
        }
        return json_object_array_add(l, json_object_new_string(value));
}

/* How many of the words behind an option are its own: one that is not a number may be an operand, where an operand is missing still. */
static size_t count_values(const Pm2 *p, const Pm2Option *o, char *const *words) {
        size_t n = 0;

        switch (o->kind) {
        case KIND_VALUE:
                return words[0] ? 1 : 0;
        case KIND_WORD:
                return words[0] && words[0][0] != '-';
        case KIND_MAYBE:
        case KIND_LIST:
                return words[0] && words[0][0] != '-' && p->words[0] && p->words[1];
        case KIND_NUMBERS:
                while (words[n] && words[n][0] && words[n][strspn(words[n], "0123456789")] == '\0')
                        n++;
                return n;
        default:
                return 0;
        }
}

static int store(Pm2 *p, const Pm2Option *o, char *const *values, size_t n) {
        json_object *to = o->key ? p->app : p->set;
        const char *key = o->key ?: o->name;
        int r = 0;

        if (o->kind == KIND_NUMBERS || (o->kind == KIND_LIST && n > 0)) {
                for (size_t i = 0; i < n && r >= 0; i++)
                        r = push(to, key, values[i]);
                return r;
        }
        if (o->kind == KIND_IDLE || (o->kind == KIND_LIST && field_array(to, key)))
                return 0;
        if (n > 0)
                return json_add_string(to, key, values[0]);
        return json_add(to, key, json_object_new_boolean(o->kind != KIND_OFF));
}

/* One option with its values; returns how many words it took. */
static int parse_option(Pm2 *p, char *const *words) {
        const char *name = words[0] + 2, *equals = strchr(words[0], '=');
        bool is_long = startswith(words[0], "--");
        const Pm2Option *o = is_long ? find_option(name, equals ? (size_t) (equals - name) : strlen(name)) : find_letter(words[0][1]);
        char *inside = is_long ? equals ? (char *) equals + 1 : NULL : words[0][2] ? words[0] + 2 : NULL;
        size_t n;

        if (!o)
                return unknown(p, words[0]);
        if (inside && (o->kind == KIND_FLAG || o->kind == KIND_OFF || o->kind == KIND_IDLE))
                return is_long ? ctl_usage(p->ctl, "--%s takes no value", o->name) : unknown(p, words[0]);
        n = inside ? 1 : count_values(p, o, words + 1);
        if (n == 0 && (o->kind == KIND_VALUE || o->kind == KIND_NUMBERS))
                return ctl_usage(p->ctl, "option --%s needs a value (%s)", o->name, o->argument);
        if (store(p, o, inside ? &inside : words + 1, n) < 0)
                return ctl_oom(p->ctl);
        return inside ? 1 : (int) n + 1;
}

/* "-1" is an operand, as in `scale web -1`. */
static bool is_option(const char *word) {
        return word[0] == '-' && word[1] != '\0' && !(word[1] >= '0' && word[1] <= '9');
}

int pm2_options_parse(Pm2 *p, char *const *words) {
        size_t n = 0;

        p->app = json_object_new_object();
        p->set = json_object_new_object();
        p->words = calloc(strv_length(words) + 1, sizeof(char *));
        if (!p->app || !p->set || !p->words)
                return ctl_oom(p->ctl);
        while (*words) {
                int r = 1;

                if (streq(*words, "--")) {
                        p->rest = words + 1;
                        return 0;
                }
                if (is_option(*words))
                        r = parse_option(p, words);
                else
                        p->words[n++] = *words;
                if (r < 0)
                        return r;
                words += r;
        }
        return 0;
}

void pm2_options_help(FILE *f) {
        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                const Pm2Option *o = options + i;
                const char letter[] = { o->letter ? '-' : ' ', o->letter ?: ' ', '\0' };
                _cleanup_free_ char *left = text_printf("%s --%s%s%s", letter, o->name, o->argument ? " " : "", o->argument ?: "");

                        fprintf(f, "  %-36s %s\n", left ?: o->name, o->help ?: "(the same)");
        }
}
