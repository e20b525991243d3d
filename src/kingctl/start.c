/* The verb start: which of its three shapes is meant (files, names, a command line), and the making of a service from a command line. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/foreign.h"
#include "kingctl/control.h"
#include "kingctl/verbs.h"

/* Ours by the end of its name, or another supervisor's by the whole of it. */
static bool has_config_suffix(const char *path) {
        static const char *const suffixes[] = { ".yaml", ".yml", ".json", ".jsonc" };
        size_t n = strlen(path);

        if (foreign_recognise(path, "") != FOREIGN_NONE)
                return true;

        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
                if (n > strlen(suffixes[i]) && streq(path + n - strlen(suffixes[i]), suffixes[i]))
                        return true;
        return false;
}

static bool is_file(const char *path) {
        struct stat st;

        return stat(path, &st) >= 0 && !S_ISDIR(st.st_mode);
}

/* "-" is standard input. A selector "namespace/name" has a slash as well, so the file must be there. */
static bool means_file(const char *arg) {
        return streq(arg, "-") || ((strchr(arg, '/') || has_config_suffix(arg)) && is_file(arg));
}

static bool means_program(const char *arg) {
        return strchr(arg, '/') && !has_config_suffix(arg) && is_file(arg) && access(arg, X_OK) >= 0;
}

/* The interpreter for a script that is not executable itself, by the end of its name. */
static const char *interpreter_for(const char *path) {
        static const struct {
                const char *suffix, *program;
        } known[] = {
                { ".js", "node" }, { ".mjs", "node" }, { ".cjs", "node" }, { ".py", "python3" },
                { ".sh", "sh" },   { ".rb", "ruby" },  { ".pl", "perl" },  { ".php", "php" },
        };
        const char *dot = strrchr(path, '.');

        for (size_t i = 0; dot && i < ARRAY_SIZE(known); i++)
                if (streq(dot, known[i].suffix))
                        return known[i].program;
        return NULL;
}

/* A script by its name alone, as `start app.js`. */
static bool means_script(const char *arg) {
        return interpreter_for(arg) && !has_config_suffix(arg) && is_file(arg);
}

/* execvp(3)'s search with the caller's PATH; malloc'ed absolute path, or NULL. */
static char *find_in_path(const char *name) {
        const char *p = getenv("PATH");

        for (p = p ? p : "/usr/local/bin:/usr/bin:/bin"; *p; p += strspn(p, ":")) {
                size_t n = strcspn(p, ":");
                _cleanup_free_ char *candidate = text_printf("%.*s/%s", (int) n, p, name), *absolute = NULL;

                p += n;
                if (!candidate || !is_file(candidate) || access(candidate, X_OK) < 0)
                        continue;
                absolute = path_absolute(candidate, NULL);
                return TAKE_PTR(absolute);
        }
        return NULL;
}

/* The words of the command with an absolute program in front. *ret is owned (strv). */
static int resolve(Ctl *ctl, char *const *words, char ***ret) {
        _cleanup_free_ char *found = strchr(words[0], '/') ? NULL : find_in_path(words[0]), *path = NULL;
        _cleanup_strv_ char **argv = NULL;
        const char *interpreter;

        if (!found && is_file(words[0])) {
                path = path_absolute(words[0], NULL);
                interpreter = access(words[0], X_OK) < 0 ? interpreter_for(words[0]) : NULL;
                if (access(words[0], X_OK) < 0 && !interpreter) {
                        int r = kl_error_set(&ctl->error, -EACCES, KL_E_INVALID, "%s: not executable", words[0]);

                        kl_error_hint(&ctl->error, "chmod +x %s, or put the interpreter in front", words[0]);
                        return r;
                }
                found = interpreter ? find_in_path(interpreter) : NULL;
                if (interpreter && !found)
                        return kl_error_set(&ctl->error, -ENOENT, KL_E_INVALID, "%s: its interpreter %s is not in PATH", words[0],
                                            interpreter);
        }
        if (!found && !path)
                return kl_error_set(&ctl->error, -ENOENT, KL_E_INVALID, "%s: no such command", words[0]);
        if (found && strv_append(&argv, found) < 0)
                return ctl_oom(ctl);
        if (path && strv_append(&argv, path) < 0)
                return ctl_oom(ctl);
        for (char *const *w = words + 1; *w; w++)
                if (strv_append(&argv, *w) < 0)
                        return ctl_oom(ctl);
        *ret = TAKE_PTR(argv);
        return 0;
}

static json_object *array_of(char *const *l) {
        _cleanup_json_ json_object *a = json_object_new_array();

        for (; a && l && *l; l++)
                if (json_object_array_add(a, json_object_new_string(*l)) < 0)
                        return NULL;
        return TAKE_PTR(a);
}

/* PATH as the caller's, then what --env says: NAME=value, or NAME with the value it has here. */
static int add_env(Ctl *ctl, json_object *service) {
        _cleanup_json_ json_object *env = json_object_new_object();

        if (!env || json_add_string(env, "PATH", getenv("PATH")) < 0)
                return ctl_oom(ctl);
        for (const char **e = ctl->options.env; e && *e; e++) {
                const char *equals = strchr(*e, '='), *value;
                _cleanup_free_ char *name = equals ? strndup(*e, (size_t) (equals - *e)) : strdup(*e);

                if (!name)
                        return ctl_oom(ctl);
                value = equals ? equals + 1 : getenv(name);
                if (!env_name_valid(name))
                        return ctl_usage(ctl, "--env: \"%s\" is not NAME=VALUE", *e);
                if (!value)
                        return ctl_usage(ctl, "--env: %s is not set here", name);
                if (json_add_string(env, name, value) < 0)
                        return ctl_oom(ctl);
        }
        return json_add(service, "env", TAKE_PTR(env)) < 0 ? ctl_oom(ctl) : 0;
}

/* Takes the value. */
static int add_key(Ctl *ctl, json_object *service, const char *section, const char *key, json_object *value) {
        json_object *o = NULL;

        if (!json_object_object_get_ex(service, section, &o)) {
                o = json_object_new_object();
                if (json_add(service, section, o) < 0) {
                        json_object_put(value);
                        return ctl_oom(ctl);
                }
        }
        return json_add(o, key, value) < 0 ? ctl_oom(ctl) : 0;
}

static int add_text(Ctl *ctl, json_object *service, const char *section, const char *key, const char *text) {
        return text ? add_key(ctl, service, section, key, json_object_new_string(text)) : 0;
}

/* restart.delay, and how it grows: not at all, or as PM2 lets it grow. A bare number is milliseconds there. */
static int add_delay(Ctl *ctl, json_object *service, const char *option, const char *text, bool grows) {
        _cleanup_free_ char *span = NULL;
        usec_t delay;
        int r;

        if (!text)
                return 0;
        span = text_printf("%s%s", text, *text && text[strspn(text, "0123456789")] == '\0' ? "ms" : "");
        if (!span)
                return ctl_oom(ctl);
        if (parse_span(span, &delay) < 0)
                return ctl_usage(ctl, "start: --%s: \"%s\" is no time such as 500ms or 3s", option, text);
        if ((r = add_text(ctl, service, "restart", "delay", span)) < 0 ||
            (r = add_key(ctl, service, "restart", "factor", grows ? json_object_new_double_s(1.5, "1.5") : json_object_new_int(1))) < 0)
                return r;
        return add_text(ctl, service, "restart", "max_delay", grows && delay < 15 * USEC_PER_SEC ? "15s" : span);
}

static int add_restart(Ctl *ctl, json_object *service) {
        const Options *o = &ctl->options;
        int r;

        if (o->restart_delay && o->backoff_delay)
                return ctl_usage(ctl, "start: either --restart-delay or --exp-backoff-restart-delay");
        if ((r = add_text(ctl, service, "restart", "when", o->no_autorestart ? "never" : NULL)) < 0 ||
            (r = add_delay(ctl, service, "restart-delay", o->restart_delay, false)) < 0)
                return r;
        return add_delay(ctl, service, "exp-backoff-restart-delay", o->backoff_delay, true);
}

static int add_schedule(Ctl *ctl, json_object *service) {
        const Options *o = &ctl->options;
        int r;

        if (o->timezone && !o->cron)
                return ctl_usage(ctl, "start: --timezone is of --cron, which is not given");
        r = add_text(ctl, service, "schedule", "cron", o->cron);
        return r < 0 ? r : add_text(ctl, service, "schedule", "timezone", o->timezone);
}

static int add_watch(Ctl *ctl, json_object *service, const char *cwd) {
        json_object *o, *paths;

        if (!ctl->options.watch)
                return 0;
        o = json_object_new_object();
        paths = array_of((char *[]) { (char *) cwd, NULL });
        return json_add(o, "paths", paths) < 0 || json_add(service, "watch", o) < 0 ? ctl_oom(ctl) : 0;
}

static int add_instances(Ctl *ctl, json_object *service) {
        const char *text = ctl->options.instances;
        int64_t n;

        if (!text)
                return 0;
        if (parse_i64(text, &n) >= 0)
                return json_add(service, "instances", json_object_new_int64(n)) < 0 ? ctl_oom(ctl) : 0;
        return json_add_string(service, "instances", text) < 0 ? ctl_oom(ctl) : 0;
}

static int make_service(Ctl *ctl, char *const *words, json_object **ret) {
        const Options *o = &ctl->options;
        _cleanup_json_ json_object *s = json_object_new_object();
        _cleanup_free_ char *cwd = path_absolute(o->cwd ? o->cwd : ".", NULL);
        const char *slash = strrchr(words[0], '/'), *name = o->name ? o->name : slash ? slash + 1 : words[0];
        _cleanup_strv_ char **argv = NULL;
        int r;

        if (!name_valid(name)) {
                r = ctl_usage(ctl, "start: \"%s\" cannot name a service", name);
                kl_error_hint(&ctl->error, "letters, digits, '_', '-' and '.' can; choose one with --name");
                return r;
        }
        r = resolve(ctl, words, &argv);
        if (r < 0)
                return r;
        if (!cwd || json_add_string(s, "name", name) < 0 || json_add_string(s, "namespace", o->namespace ? o->namespace : "default") < 0 ||
            json_add(s, "command", array_of(argv)) < 0 || json_add_string(s, "cwd", cwd) < 0)
                return ctl_oom(ctl);
        if ((r = add_instances(ctl, s)) < 0 || (r = add_watch(ctl, s, cwd)) < 0 || (r = add_env(ctl, s)) < 0 ||
            (r = add_restart(ctl, s)) < 0 || (r = add_schedule(ctl, s)) < 0 || (r = add_text(ctl, s, "limits", "memory_max", o->memory_max)) < 0 ||
            (r = add_text(ctl, s, "limits", "memory_restart", o->memory_restart)) < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

static int start_command(Ctl *ctl, char *const *words) {
        _cleanup_strv_ char **split = NULL;
        json_object *service = NULL;
        int r;

        /* One word with blanks that names no file is a line, as people copy it from elsewhere. */
        if (!words[1] && strchr(words[0], ' ') && !is_file(words[0])) {
                if (strv_split_command(words[0], &split) < 0 || !split || !split[0])
                        return ctl_usage(ctl, "start: \"%s\": the quotes do not match", words[0]);
                words = split;
        }
        r = make_service(ctl, words, &service);
        return r < 0 ? r : apply_service(ctl, service);
}

static int refuse_command_options(Ctl *ctl) {
        const Options *o = &ctl->options;
        const struct {
                bool given;
                const char *name;
        } options[] = {
                { o->name, "name" },
                { o->cwd, "cwd" },
                { o->instances, "instances" },
                { o->env, "env" },
                { o->memory_max, "memory-max" },
                { o->watch, "watch" },
                { o->no_autorestart, "no-autorestart" },
                { o->memory_restart, "max-memory-restart" },
                { o->cron, "cron" },
                { o->timezone, "timezone" },
                { o->restart_delay, "restart-delay" },
                { o->backoff_delay, "exp-backoff-restart-delay" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                if (options[i].given) {
                        int r = ctl_usage(ctl, "start: --%s goes with a command", options[i].name);

                        kl_error_hint(&ctl->error, "kingctl start --%s ... -- COMMAND [ARGUMENT...]", options[i].name);
                        return r;
                }
        return 0;
}

int verb_start(Ctl *ctl, char **args) {
        size_t n = strv_length(args), files = 0;
        int r;

        if (ctl->options.dashes != SIZE_MAX && n > ctl->options.dashes && (ctl->options.dashes == 0 || means_program(args[0]) || means_script(args[0])))
                return start_command(ctl, args);
        if (n > 0 && (means_program(args[0]) || means_script(args[0])))
                return start_command(ctl, args);
        if (n == 0)
                return ctl_usage(ctl, "start: name a file, a service, or a command behind --");
        if (ctl->options.dashes != SIZE_MAX)
                return ctl_usage(ctl, "start: \"%s\" stands before --, where only options may", args[0]);
        for (size_t i = 0; i < n; i++)
                files += means_file(args[i]);
        if (files > 0 && files < n)
                return ctl_usage(ctl, "start: either files or services, not both at once");
        r = refuse_command_options(ctl);
        if (r < 0)
                return r;
        return files > 0 ? apply_files(ctl, (const char *const *) args) : start_names(ctl, args);
}
