/* process-compose.yaml → services. */
#include "base/span.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/process_compose.h"
#include "model/calendar.h"

typedef int (*KeyRead)(Process *p, const Node *v, const char *key);

static bool truth(const Node *n) {
        return text_of(n) && (streq(n->text, "true") || streq(n->text, "yes") || streq(n->text, "1"));
}

static int note_unavailable(Process *p, const Node *v, const char *key) {
        return foreign_note(p->f, place_of(v), "%s: %s is not available in this version", p->name, key);
}

static int note_foreign(Process *p, const Node *v, const char *key) {
        return text_of(v) && streq(v->text, "false") ? 0 : foreign_note(p->f, place_of(v), "%s: %s has no counterpart", p->name, key);
}

static int read_nothing(Process *p, const Node *v, const char *key) {
        return 0;
}

/* A line for the shell that the project names, bash without. */
static int read_command(Process *p, const Node *v, const char *key) {
        const Node *shell = find(p->root, "shell");
        const char *program = text_of(find(shell, "shell_command")) ?: "bash", *argument = text_of(find(shell, "shell_argument")) ?: "-c";

        if (!text_of(v) || !*v->text)
                return foreign_fault(p->f, place_of(v), "%s: command: expected a line", p->name);
        return foreign_set_strv(p->service, "command", (char *[]) { (char *) program, (char *) argument, v->text, NULL });
}

static int read_entrypoint(Process *p, const Node *v, const char *key) {
        _cleanup_strv_ char **words = NULL;
        int r = 0;

        for (size_t i = 0; v->kind == NODE_LIST && i < v->n && r >= 0; i++)
                r = strv_append(&words, text_of(v->items[i]) ?: "");
        if (r >= 0 && !words)
                return foreign_fault(p->f, place_of(v), "%s: entrypoint: expected a list of words", p->name);
        return r < 0 ? r : foreign_set_strv(p->service, "command", words);
}

static int read_working_dir(Process *p, const Node *v, const char *key) {
        _cleanup_free_ char *path = foreign_path(p->f, text_of(v) ?: ".");

        return path ? foreign_set_text(p->service, "cwd", path) : -ENOMEM;
}

/* A list of NAME=value. */
static int read_environment(Process *p, const Node *v, const char *key) {
        int r = 0;

        for (size_t i = 0; v->kind == NODE_LIST && i < v->n && r >= 0; i++) {
                const char *text = text_of(v->items[i]), *equals = text ? strchr(text, '=') : NULL;
                _cleanup_free_ char *name = equals ? strndup(text, (size_t) (equals - text)) : NULL;

                if (!equals)
                        r = foreign_fault(p->f, place_of(v->items[i]), "%s: environment: expected NAME=value", p->name);
                else
                        r = name ? foreign_set_env(p->service, name, equals + 1) : -ENOMEM;
        }
        return r;
}

static int read_env_file(Process *p, const Node *v, const char *key) {
        _cleanup_free_ char *path = text_of(v) ? foreign_path(p->f, v->text) : NULL;

        return path ? foreign_set_strv(p->service, "env_file", (char *[]) { path, NULL }) : 0;
}

static int read_description(Process *p, const Node *v, const char *key) {
        return text_of(v) ? foreign_set_text(p->service, "description", v->text) : 0;
}

static int read_disabled(Process *p, const Node *v, const char *key) {
        return foreign_set(p->service, "autostart", json_object_new_boolean(!truth(v)));
}

static int read_replicas(Process *p, const Node *v, const char *key) {
        uint64_t n;

        if (!text_of(v) || parse_u64(v->text, &n) < 0 || n == 0)
                return foreign_fault(p->f, place_of(v), "%s: replicas: expected a number from 1 on", p->name);
        return foreign_set(p->service, "instances", json_object_new_int64((int64_t) MIN(n, (uint64_t) INT32_MAX)));
}

/* ---- depends_on ---- */

static const struct {
        const char *condition, *word;
} conditions[] = {
        { "process_started", "started" },
        { "process_healthy", "ready" },
        { "process_completed", "completed" },
        { "process_completed_successfully", "completed" },
        { "process_log_ready", "ready" },
};

static int read_dependency(Process *p, const Pair *d, json_object *depends) {
        const char *condition = text_of(find(d->value, "condition")) ?: "process_completed";

        for (size_t i = 0; i < ARRAY_SIZE(conditions); i++)
                if (streq(conditions[i].condition, condition))
                        return json_add(depends, d->key->text, json_object_new_string(conditions[i].word));
        return foreign_fault(p->f, place_of(d->key), "%s: depends_on: %s: no such condition: %s", p->name, d->key->text, condition);
}

static int read_depends_on(Process *p, const Node *v, const char *key) {
        _cleanup_json_ json_object *depends = json_object_new_object();
        int r = depends ? 0 : -ENOMEM;

        if (v->kind != NODE_MAP)
                return foreign_fault(p->f, place_of(v), "%s: depends_on: expected processes with their conditions", p->name);
        for (size_t i = 0; i < v->n && r >= 0; i++)
                r = read_dependency(p, v->pairs + i, depends);
        return r < 0 ? r : foreign_set(p->service, "depends_on", TAKE_PTR(depends));
}

/* ---- availability, shutdown ---- */

static int set_seconds(Process *p, const Node *v, const char *key, const char *path) {
        _cleanup_free_ char *span = text_printf("%ss", text_of(v) ?: "");
        usec_t ignored;

        if (!span)
                return -ENOMEM;
        if (parse_span(span, &ignored) < 0)
                return foreign_fault(p->f, place_of(v), "%s: %s: expected a number of seconds", p->name, key);
        return foreign_set_text(p->service, path, span);
}

static int read_restart(Process *p, const Node *v, const char *key) {
        static const struct {
                const char *word, *when;
        } words[] = { { "no", "never" }, { "always", "always" }, { "on_failure", "on-failure" } };
        const char *text = text_of(v) ?: "";
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (streq(words[i].word, text))
                        return foreign_set_text(p->service, "restart.when", words[i].when);
        if (!streq(text, "exit_on_failure"))
                return foreign_fault(p->f, place_of(v), "%s: restart: expected no, always, on_failure or exit_on_failure", p->name);
        r = foreign_set_text(p->service, "restart.when", "never");
        return r < 0 ? r : foreign_note(p->f, place_of(v), "%s: exit_on_failure: its failure does not end the others", p->name);
}

static int read_backoff(Process *p, const Node *v, const char *key) {
        int r = set_seconds(p, v, key, "restart.delay");

        if (r >= 0)
                r = set_seconds(p, v, key, "restart.max_delay");
        return r < 0 ? r : foreign_set(p->service, "restart.factor", json_object_new_int64(1));
}

static int read_max_restarts(Process *p, const Node *v, const char *key) {
        uint64_t n;

        if (!text_of(v) || parse_u64(v->text, &n) < 0)
                return foreign_fault(p->f, place_of(v), "%s: max_restarts: expected a number", p->name);
        return foreign_set(p->service, "restart.limit", json_object_new_int64((int64_t) MIN(n, (uint64_t) UINT32_MAX)));
}

static int read_stop_timeout(Process *p, const Node *v, const char *key) {
        return set_seconds(p, v, key, "stop.timeout");
}

/* A number there, a name or a number here. */
static int read_stop_signal(Process *p, const Node *v, const char *key) {
        return text_of(v) ? foreign_set_text(p->service, "stop.signal", v->text) : 0;
}

static int read_parent_only(Process *p, const Node *v, const char *key) {
        return truth(v) ? foreign_set_text(p->service, "stop.scope", "main") : 0;
}

/* It is given to a shell there, and what is left of the process after it is signalled, as here. */
static int read_stop_command(Process *p, const Node *v, const char *key) {
        char *const command[] = { (char *) "/bin/sh", (char *) "-c", v->text, NULL };

        return text_of(v) ? foreign_set_strv(p->service, "hooks.pre_stop", command) : 0;
}

/* ---- schedule ---- */

static int read_cron(Process *p, const Node *v, const char *key) {
        _cleanup_error_ KlError e = {};
        Calendar c;
        int r = calendar_parse(text_of(v) ?: "", &c, &e);

        if (r == -EINVAL)
                return foreign_fault(p->f, place_of(v), "%s: schedule.cron: %s", p->name, e.message ?: "cannot be read");
        return r < 0 ? r : foreign_set_text(p->service, "schedule.cron", v->text);
}

static int read_timezone(Process *p, const Node *v, const char *key) {
        return text_of(v) && !streq(v->text, "Local") ? foreign_set_text(p->service, "schedule.timezone", v->text) : 0;
}

/* cron comes first where both are given. */
static int read_interval(Process *p, const Node *v, const char *key) {
        usec_t ignored;

        if (find(find(p->map, "schedule"), "cron"))
                return foreign_note(p->f, place_of(v), "%s: schedule.interval means nothing beside cron", p->name);
        if (!text_of(v) || parse_span(v->text, &ignored) < 0)
                return foreign_fault(p->f, place_of(v), "%s: schedule.interval: expected a span of time such as 30m", p->name);
        return foreign_set_text(p->service, "schedule.every", v->text);
}

static int read_run_on_start(Process *p, const Node *v, const char *key) {
        return foreign_set(p->service, "schedule.at_start", json_object_new_boolean(truth(v)));
}

static int read_max_concurrent(Process *p, const Node *v, const char *key) {
        return text_of(v) && streq(v->text, "1") ? 0 : foreign_note(p->f, place_of(v), "%s: schedule.max_concurrent: one run at a time; see schedule.overlap",
                                                                    p->name);
}

typedef struct Key {
        const char *name;
        KeyRead read;
} Key;

static const Key availability_keys[] = {
        { "restart", read_restart },         { "backoff_seconds", read_backoff }, { "max_restarts", read_max_restarts },
        { "exit_on_end", note_foreign },     { "exit_on_skipped", note_foreign }, {},
};

static const Key shutdown_keys[] = {
        { "timeout_seconds", read_stop_timeout }, { "signal", read_stop_signal }, { "parent_only", read_parent_only },
        { "command", read_stop_command },         { "send_keys", note_foreign },  {},
};

static const Key schedule_keys[] = {
        { "cron", read_cron },
        { "timezone", read_timezone },
        { "interval", read_interval },
        { "run_on_start", read_run_on_start },
        { "max_concurrent", read_max_concurrent },
        {},
};

static int read_map(Process *p, const Node *map, const Key *keys) {
        int r = 0;

        for (size_t i = 0; map->kind == NODE_MAP && i < map->n && r >= 0; i++) {
                const Pair *pair = map->pairs + i;
                const Key *k = keys;

                while (k->name && !streq(k->name, pair->key->text))
                        k++;
                if (!node_is_null(pair->value))
                        r = (k->name ? k->read : note_foreign)(p, pair->value, pair->key->text);
        }
        return r;
}

static int read_availability(Process *p, const Node *v, const char *key) {
        return read_map(p, v, availability_keys);
}

static int read_shutdown(Process *p, const Node *v, const char *key) {
        return read_map(p, v, shutdown_keys);
}

static int read_schedule(Process *p, const Node *v, const char *key) {
        int r = foreign_set_text(p->service, "type", "oneshot");

        return r < 0 ? r : read_map(p, v, schedule_keys);
}

static const Key process_keys[] = {
        { "command", read_command },
        { "entrypoint", read_entrypoint },
        { "working_dir", read_working_dir },
        { "environment", read_environment },
        { "env_file", read_env_file },
        { "description", read_description },
        { "disabled", read_disabled },
        { "replicas", read_replicas },
        { "depends_on", read_depends_on },
        { "availability", read_availability },
        { "shutdown", read_shutdown },
        { "namespace", read_nothing },
        { "disable_ansi_colors", read_nothing },
        { "readiness_probe", process_compose_probe },
        { "liveness_probe", process_compose_probe },
        { "ready_log_line", process_compose_ready_line },
        { "schedule", read_schedule },
        { "watch", note_unavailable },
        {},
};

static int read_process(const Foreign *f, const Node *root, const Pair *pair) {
        _cleanup_json_ json_object *service = json_object_new_object();
        Process p = { .f = f, .root = root, .map = pair->value, .name = pair->key->text, .service = service };
        const Node *environment = find(root, "environment");
        size_t errors = f->diagnostics->errors;
        int r;

        if (pair->value->kind != NODE_MAP)
                return foreign_fault(f, place_of(pair->key), "%s: expected keys such as command", p.name);
        if (!find(p.map, "command") && !find(p.map, "entrypoint"))
                return foreign_fault(f, place_of(pair->key), "%s: no command", p.name);
        if (!service)
                return -ENOMEM;
        /* Its defaults, which the keys may change. */
        if ((r = foreign_set_text(service, "restart.when", "never")) < 0 || (r = foreign_set_text(service, "restart.delay", "1s")) < 0 ||
            (r = foreign_set(service, "restart.limit", json_object_new_int64(0))) < 0 ||
            (r = foreign_set_text(service, "stop.timeout", "10s")) < 0 || (r = foreign_set_text(service, "cwd", f->directory)) < 0)
                return r;
        r = environment ? read_environment(&p, environment, "environment") : 0;
        if (r >= 0)
                r = read_map(&p, p.map, process_keys);
        if (r < 0 || f->diagnostics->errors > errors)
                return r;
        return foreign_add(f, place_of(pair->key), text_of(find(p.map, "namespace")), p.name, TAKE_PTR(service));
}

int process_compose_load(const Foreign *f, const Node *root) {
        static const char *const read[] = { "version", "name", "processes", "environment", "shell", "is_strict", "is_tui_disabled", "log_level" };
        const Node *processes = find(root, "processes");
        int r = 0;

        if (!processes || processes->kind != NODE_MAP || processes->n == 0)
                return foreign_fault(f, place_of(root), "the file has no processes");
        for (size_t i = 0; i < root->n && r >= 0; i++) {
                const char *key = root->pairs[i].key->text;
                bool known = startswith(key, "x-");

                for (size_t k = 0; k < ARRAY_SIZE(read); k++)
                        known = known || streq(read[k], key);
                if (!known)
                        r = foreign_note(f, place_of(root->pairs[i].key), "%s has no counterpart", key);
        }
        for (size_t i = 0; i < processes->n && r >= 0; i++)
                r = read_process(f, root, processes->pairs + i);
        return r;
}
