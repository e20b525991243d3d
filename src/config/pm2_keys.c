/* What a key of a PM2 application means to Kingly: one table, one reader a key. */
#include "base/fd.h"
#include "base/span.h"
#include "base/text.h"
#include "config/pm2.h"
#include "model/calendar.h"

static bool truth(const Node *n) {
        return n->kind == NODE_SCALAR && (streq(n->text, "true") || streq(n->text, "1") || streq(n->text, "yes"));
}

typedef int (*KeyRead)(App *a, const Node *v, const char *key);

/* "90s", "2h", "1m", or a bare number of milliseconds. */
static int set_milliseconds(App *a, const Node *v, const char *key, const char *path) {
        const char *text = pm2_text(v) ?: "";
        _cleanup_free_ char *span = text_printf("%s%s", text, *text && text[strspn(text, "0123456789")] == '\0' ? "ms" : "");
        usec_t ignored;

        if (!span)
                return -ENOMEM;
        if (parse_span(span, &ignored) < 0)
                return foreign_fault(a->f, place_of(v), "%s: %s: expected milliseconds, not \"%s\"", a->name, key, text);
        return foreign_set_text(a->service, path, span);
}

static int read_kill_timeout(App *a, const Node *v, const char *key) {
        return set_milliseconds(a, v, key, "stop.timeout");
}

/* After listen_timeout PM2 takes an application for ready all the same. */
static int read_wait_ready(App *a, const Node *v, const char *key) {
        const Node *limit = pm2_find(a->map, "listen_timeout", "listenTimeout");
        int r;

        if (v->kind == NODE_SCALAR && (streq(v->text, "false") || streq(v->text, "0")))
                return 0;
        r = foreign_set_text(a->service, "ready.by", "ipc");
        if (r >= 0)
                r = limit ? set_milliseconds(a, limit, "listen_timeout", "ready.timeout") : foreign_set_text(a->service, "ready.timeout", "3s");
        return r < 0 ? r : foreign_set_text(a->service, "ready.late", "pass");
}

static int read_min_uptime(App *a, const Node *v, const char *key) {
        return set_milliseconds(a, v, key, "restart.reset_after");
}

/* The same each time. */
static int read_restart_delay(App *a, const Node *v, const char *key) {
        int r;

        if (streq(pm2_text(v) ?: "", "0"))
                return 0;
        r = set_milliseconds(a, v, key, "restart.delay");
        if (r >= 0)
                r = set_milliseconds(a, v, key, "restart.max_delay");
        return r < 0 ? r : foreign_set(a->service, "restart.factor", json_object_new_int(1));
}

static int read_backoff(App *a, const Node *v, const char *key) {
        int r;

        if (streq(pm2_text(v) ?: "", "0"))
                return 0;
        r = set_milliseconds(a, v, key, "restart.delay");
        if (r >= 0)
                r = foreign_set(a->service, "restart.factor", json_object_new_double_s(1.5, "1.5"));
        if (r >= 0)
                r = foreign_set_text(a->service, "restart.max_delay", "15s");
        if (r >= 0)
                r = foreign_set_text(a->service, "restart.reset_after", "30s");
        return r;
}

static int read_max_restarts(App *a, const Node *v, const char *key) {
        uint64_t n;

        if (!pm2_text(v) || parse_u64(v->text, &n) < 0)
                return foreign_fault(a->f, place_of(v), "%s: max_restarts: expected a number", a->name);
        return foreign_set(a->service, "restart.limit", json_object_new_int64((int64_t) n == 0 ? 1 : MIN(n, (uint64_t) UINT32_MAX)));
}

static int read_autorestart(App *a, const Node *v, const char *key) {
        return truth(v) ? 0 : foreign_set_text(a->service, "restart.when", "never");
}

static int read_autostart(App *a, const Node *v, const char *key) {
        return foreign_set(a->service, "autostart", json_object_new_boolean(truth(v)));
}

static int read_exit_codes(App *a, const Node *v, const char *key) {
        _cleanup_json_ json_object *codes = json_object_new_array();
        size_t n = v->kind == NODE_LIST ? v->n : 1;

        for (size_t i = 0; i < n; i++) {
                const Node *item = v->kind == NODE_LIST ? v->items[i] : v;
                int64_t code;

                if (!pm2_text(item) || parse_i64(item->text, &code) < 0)
                        return foreign_fault(a->f, place_of(item), "%s: stop_exit_codes: expected numbers", a->name);
                if (!codes || json_append(codes, json_object_new_int64(code)) < 0)
                        return -ENOMEM;
        }
        return foreign_set(a->service, "restart.except_codes", TAKE_PTR(codes));
}

static int read_instances(App *a, const Node *v, const char *key) {
        int64_t n;

        if (pm2_text(v) && (streq(v->text, "max") || streq(v->text, "0")))
                return foreign_set_text(a->service, "instances", "max");
        if (!pm2_text(v) || parse_i64(v->text, &n) < 0)
                return foreign_fault(a->f, place_of(v), "%s: instances: expected a number or max", a->name);
        return foreign_set(a->service, "instances", json_object_new_int64(n));
}

static bool runs_node(const char *program) {
        const char *slash = strrchr(program, '/'), *name = slash ? slash + 1 : program;

        return streq(name, "node") || streq(name, "nodejs");
}

/* As PM2 has it: what listens is up; what does not listen in its time is, too. */
static int set_ready_listen(App *a) {
        const Node *limit = pm2_find(a->map, "listen_timeout", "listenTimeout");
        int r = foreign_set_text(a->service, "ready.by", "listen");

        if (r >= 0)
                r = limit ? set_milliseconds(a, limit, "listen_timeout", "ready.timeout") : foreign_set_text(a->service, "ready.timeout", "3s");
        return r < 0 ? r : foreign_set_text(a->service, "ready.late", "pass");
}

/* What PM2 runs as a cluster: by name, or because a script of node has instances. */
static int set_cluster(App *a) {
        const Node *mode = pm2_find(a->map, "exec_mode", "execMode"), *instances = pm2_find(a->map, "instances", NULL);
        const Node *wait = pm2_find(a->map, "wait_ready", "waitReady");
        json_object *command = json_object_object_get(a->service, "command");
        const char *program = json_object_is_type(command, json_type_array) ? json_object_get_string(json_object_array_get_idx(command, 0)) : "";
        bool cluster = mode ? pm2_text(mode) && startswith(mode->text, "cluster") : instances && runs_node(program);

        int r;

        if (!cluster)
                return 0;
        if (!runs_node(program))
                return foreign_note(a->f, place_of(mode ?: instances ?: a->map),
                                    "%s: %s is no Node: its instances do not share a port by themselves; see `sockets`, or give each its own by KINGLY_INSTANCE",
                                    a->name, program);
        r = foreign_set_text(a->service, "cluster.by", "node");
        if (r < 0 || (wait && !(wait->kind == NODE_SCALAR && (streq(wait->text, "false") || streq(wait->text, "0")))))
                return r;
        return set_ready_listen(a);
}

static int read_env(App *a, const Node *v, const char *key) {
        int r = 0;

        if (v->kind != NODE_MAP)
                return foreign_fault(a->f, place_of(v), "%s: %s: expected names with values", a->name, key);
        for (size_t i = 0; i < v->n && r >= 0; i++) {
                const Node *value = v->pairs[i].value;

                if (value->kind == NODE_SCALAR)
                        r = foreign_set_env(a->service, v->pairs[i].key->text, node_is_null(value) ? "" : value->text);
                else
                        r = foreign_note(a->f, place_of(value), "%s: %s.%s is no text and is left out", a->name, key, v->pairs[i].key->text);
        }
        return r;
}

/* env_production is laid over env by `--env production`. */
static int read_profile(App *a, const Node *v, const char *key) {
        const char *profile = startswith(key, "env_");
        int r = 0;

        if (!name_valid(profile))
                return foreign_note(a->f, place_of(v), "%s: %s names no profile: names hold letters, digits, '_', '-' and '.'", a->name, key);
        for (size_t i = 0; i < v->n && r >= 0; i++) {
                const Node *value = v->pairs[i].value;

                if (value->kind == NODE_SCALAR)
                        r = foreign_set_profile_env(a->service, profile, v->pairs[i].key->text, node_is_null(value) ? "" : value->text);
                else
                        r = foreign_note(a->f, place_of(value), "%s: %s.%s is no text and is left out", a->name, key, v->pairs[i].key->text);
        }
        return r;
}

static int read_port(App *a, const Node *v, const char *key) {
        return pm2_text(v) ? foreign_set_env(a->service, "PORT", v->text) : 0;
}

static int read_user(App *a, const Node *v, const char *key) {
        return pm2_text(v) ? foreign_set_text(a->service, "user", v->text) : 0;
}

static int read_group(App *a, const Node *v, const char *key) {
        return pm2_text(v) ? foreign_set_text(a->service, "group", v->text) : 0;
}

static int read_treekill(App *a, const Node *v, const char *key) {
        return truth(v) ? 0 : foreign_set_text(a->service, "stop.scope", "main");
}

static int read_disable_logs(App *a, const Node *v, const char *key) {
        return truth(v) ? foreign_set_text(a->service, "log.to", "none") : 0;
}

static int read_log_file(App *a, const Node *v, const char *key) {
        return foreign_note(a->f, place_of(v), "%s: %s: Kingly names its own log, which holds both streams with their times: kingctl logs %s", a->name, key,
                            a->name);
}

/* true is the working directory; else names of files and directories. */
static int read_watch(App *a, const Node *v, const char *key) {
        int r = 0;

        if (v->kind == NODE_SCALAR && !truth(v))
                return 0;
        /* What PM2 passes over when nothing is said; node_modules is so here, too. */
        if (!pm2_find(a->map, "ignore_watch", "ignoreWatch"))
                r = foreign_push(a->service, "watch.ignore", json_object_new_string(".*"));
        if (r >= 0 && v->kind == NODE_SCALAR)
                return foreign_push(a->service, "watch.paths", json_object_new_string(a->cwd));
        for (size_t i = 0; v->kind == NODE_LIST && i < v->n && r >= 0; i++) {
                _cleanup_free_ char *path = path_absolute(pm2_text(v->items[i]) ?: ".", a->cwd);

                r = path ? foreign_push(a->service, "watch.paths", json_object_new_string(path)) : -ENOMEM;
        }
        return r;
}

static int read_ignore_watch(App *a, const Node *v, const char *key) {
        int r = 0;

        for (size_t i = 0; v->kind == NODE_LIST && i < v->n && r >= 0; i++)
                r = foreign_push(a->service, "watch.ignore", json_object_new_string(pm2_text(v->items[i]) ?: ""));
        return v->kind != NODE_SCALAR ? r : foreign_push(a->service, "watch.ignore", json_object_new_string(v->text));
}

static int read_watch_delay(App *a, const Node *v, const char *key) {
        return set_milliseconds(a, v, key, "watch.debounce");
}

static int read_memory_restart(App *a, const Node *v, const char *key) {
        const char *text = pm2_text(v) ?: "";
        uint64_t ignored;

        if (streq(text, "0") || streq(text, "false"))
                return 0;
        if (parse_size(text, &ignored) < 0)
                return foreign_fault(a->f, place_of(v), "%s: %s: expected a size such as 300M, not \"%s\"", a->name, key, text);
        return foreign_set_text(a->service, "limits.memory_restart", text);
}

/* With autorestart: false it is PM2's way to run a job: the service ends and is begun again at its time, here as there. */
static int read_cron(App *a, const Node *v, const char *key) {
        const char *text = pm2_text(v) ?: "";
        _cleanup_error_ KlError e = {};
        Calendar c;
        int r;

        if (streq(text, "0") || streq(text, "false"))
                return 0;
        r = calendar_parse(text, &c, &e);
        if (r == -EINVAL)
                return foreign_fault(a->f, place_of(v), "%s: %s: %s", a->name, key, e.message ?: text);
        return r < 0 ? r : foreign_set_text(a->service, "schedule.cron", text);
}

static int read_unavailable(App *a, const Node *v, const char *key) {
        if (v->kind == NODE_SCALAR && (streq(v->text, "false") || streq(v->text, "0")))
                return 0;
        return foreign_note(a->f, place_of(v), "%s: %s is not available in this version", a->name, key);
}

static int read_foreign(App *a, const Node *v, const char *key) {
        if (v->kind == NODE_SCALAR && streq(v->text, "false"))
                return 0;
        return foreign_note(a->f, place_of(v), "%s: %s has no counterpart", a->name, key);
}

static int read_nothing(App *a, const Node *v, const char *key) {
        return 0;
}

static const struct {
        const char *name, *alias;
        KeyRead read;
} keys[] = {
        { "kill_timeout", "killTimeout", read_kill_timeout },
        { "min_uptime", "minUptime", read_min_uptime },
        { "restart_delay", "restartDelay", read_restart_delay },
        { "exp_backoff_restart_delay", "expBackoffRestartDelay", read_backoff },
        { "max_restarts", "maxRestarts", read_max_restarts },
        { "autorestart", NULL, read_autorestart },
        { "autostart", NULL, read_autostart },
        { "stop_exit_codes", "stopExitCodes", read_exit_codes },
        { "instances", NULL, read_instances },
        { "exec_mode", "execMode", read_nothing },
        { "env", NULL, read_env },
        { "port", NULL, read_port },
        { "uid", "user", read_user },
        { "username", NULL, read_user },
        { "gid", NULL, read_group },
        { "treekill", NULL, read_treekill },
        { "disable_logs", "disableLogs", read_disable_logs },
        { "out_file", "outFile", read_log_file },
        { "error_file", "errorFile", read_log_file },
        { "err_file", "log_file", read_log_file },
        { "max_memory_restart", "maxMemoryRestart", read_memory_restart },
        { "watch", NULL, read_watch },
        { "ignore_watch", "ignoreWatch", read_ignore_watch },
        { "watch_delay", "watchDelay", read_watch_delay },
        { "cron_restart", "cron", read_cron },
        { "wait_ready", "waitReady", read_wait_ready },
        { "shutdown_with_message", "shutdownWithMessage", read_unavailable },
        { "increment_var", "incrementVar", read_unavailable },
        { "filter_env", "filterEnv", read_foreign },
        { "post_update", "postUpdate", read_foreign },
        { "log_type", "logType", read_foreign },
        /* read elsewhere, of no meaning without their partner, or PM2's own affairs */
        { "name", "namespace", read_nothing },
        { "script", "exec", read_nothing },
        { "cmd", "command", read_nothing },
        { "args", "cwd", read_nothing },
        { "interpreter", "exec_interpreter", read_nothing },
        { "node_args", "interpreter_args", read_nothing },
        { "watch_options", NULL, read_nothing },
        { "listen_timeout", "listenTimeout", read_nothing },
        { "merge_logs", "combine_logs", read_nothing },
        { "log_date_format", "time", read_nothing },
        { "pid_file", "instance_var", read_nothing },
        { "source_map_support", "disable_source_map_support", read_nothing },
        { "vizion", "pmx", read_nothing },
        { "automation", "trace", read_nothing },
        { "force", "windowsHide", read_nothing },
        { "append_env_to_name", "name_prefix", read_nothing },
};

/* What a dump remembers of a process rather than of its configuration. */
static bool is_state(const char *name) {
        static const char *const states[] = {
                "pm_", "axm_", "_pm2", "status", "unique_id", "created_at", "restart_time", "unstable_restarts", "version", "node_version", "versioning",
                "exit_code", "prev_restart_delay", "vizion_running", "km_link", "NODE_APP_INSTANCE", "kill_retry_time", "started_inside", "deep_",
                "instance_var", "PM2_", "command", "core_dumped",
        };

        for (size_t i = 0; i < ARRAY_SIZE(states); i++)
                if (startswith(name, states[i]))
                        return true;
        return false;
}

static int read_key(App *a, const Pair *p) {
        const char *name = p->key->text;

        if (startswith(name, "env_") && p->value->kind == NODE_MAP)
                return read_profile(a, p->value, name);
        if (node_is_null(p->value) || startswith(name, "env_") || (node_find(a->map, "pm_exec_path") && is_state(name)))
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (streq(keys[i].name, name) || (keys[i].alias && streq(keys[i].alias, name)))
                        return keys[i].read(a, p->value, name);
        return read_foreign(a, p->value, name);
}

static int set_defaults(App *a) {
        static const struct {
                const char *path, *value;
        } defaults[] = {
                { "restart.when", "always" }, { "restart.delay", "0s" }, { "restart.reset_after", "1s" },
                { "stop.signal", "SIGINT" },  { "stop.timeout", "1600ms" },
        };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(defaults) && r >= 0; i++)
                r = foreign_set_text(a->service, defaults[i].path, defaults[i].value);
        return r < 0 ? r : foreign_set(a->service, "restart.limit", json_object_new_int64(16));
}

int pm2_read_keys(App *a) {
        int r = set_defaults(a);

        for (size_t i = 0; i < a->map->n && r >= 0; i++)
                r = read_key(a, a->map->pairs + i);
        return r < 0 ? r : set_cluster(a);
}
