/* The shape of jlist, which dashboards and scripts read, and that of prettylist. */
#include <stdio.h>

#include "base/strv.h"
#include "base/text.h"
#include "kingctl/control.h"
#include "kingctl/output.h"
#include "kingctl/pm2/pm2.h"

/* ---- one process ---- */

static json_object *words_json(json_object *words, size_t first, size_t n) {
        _cleanup_json_ json_object *l = json_object_new_array();

        for (size_t i = 0; l && i < n && first + i < array_length(words); i++)
                if (json_object_array_add(l, json_object_get(json_object_array_get_idx(words, first + i))) < 0)
                        return NULL;
        return TAKE_PTR(l);
}

/* A span of the file's as milliseconds. */
static json_object *milliseconds(json_object *group, const char *key) {
        usec_t t = 0;

        (void) parse_span(field_text(group, key), &t);
        return json_object_new_int64(t == USEC_INFINITY ? INT64_MAX : (int64_t) (t / USEC_PER_MSEC));
}

/* What is about a command. */
static int add_command(json_object *env, const Pm2Process *i) {
        json_object *spec = field_object(i->service, "spec");
        Pm2Command c = pm2_command(i->service);
        const char *slash = strrchr(c.interpreter, '/');
        int r;

        if ((r = json_add_string(env, "pm_exec_path", c.script)) < 0 || (r = json_add_string(env, "pm_cwd", field_text(spec, "cwd"))) < 0 ||
            (r = json_add_string(env, "exec_interpreter", slash ? slash + 1 : c.interpreter)) < 0 ||
            (r = json_add(env, "node_args", words_json(c.words, c.first_option, c.n_options))) < 0)
                return r;
        if (c.words)
                return json_add(env, "args", words_json(c.words, c.first_argument, array_length(c.words)));
        return json_add_string(env, "args", field_text(spec, "command"));
}

/* What is about its settings. */
static int add_settings(json_object *env, const Pm2Process *i) {
        json_object *spec = field_object(i->service, "spec"), *restart = field_object(spec, "restart"), *stop = field_object(spec, "stop");
        struct {
                const char *key;
                json_object *value;
        } all[] = {
                { "exec_mode", json_object_new_string(pm2_mode(i->service)) },
                { "instances", json_object_new_int64((int64_t) array_length(field_array(i->service, "instances"))) },
                { "instance_var", json_object_new_string("NODE_APP_INSTANCE") },
                { "NODE_APP_INSTANCE", json_object_new_int64(i->view.instance) },
                { "autorestart", json_object_new_boolean(!streq(field_text(restart, "when"), "never")) },
                { "autostart", json_object_new_boolean(field_bool(spec, "autostart")) },
                { "max_restarts", json_object_new_int64(field_number(restart, "limit", 0)) },
                { "min_uptime", milliseconds(restart, "reset_after") },
                { "restart_delay", milliseconds(restart, "delay") },
                { "kill_timeout", milliseconds(stop, "timeout") },
                { "treekill", json_object_new_boolean(streq(field_text(stop, "scope"), "all")) },
                { "watch", json_object_new_boolean(array_length(field_array(field_object(spec, "watch"), "paths")) > 0) },
                { "merge_logs", json_object_new_boolean(field_bool(field_object(spec, "log"), "merge")) },
                { "vizion", json_object_new_boolean(false) },
                { "axm_actions", json_object_new_array() },
                { "axm_monitor", json_object_new_object() },
                { "axm_options", json_object_new_object() },
                { "axm_dynamic", json_object_new_object() },
        };
        int r = 0;

        for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
                int failed = json_add(env, all[k].key, all[k].value);

                r = MIN(r, failed);
        }
        return r;
}

/* What is about this run. Times are milliseconds. */
static int add_run(json_object *env, const Pm2Process *i, const char *node_version) {
        _cleanup_free_ char *version = pm2_version_of(i);
        const char *user = field_text(field_object(i->service, "spec"), "user"), *id = field_text(i->detail, "invocation_id");
        int64_t since = (int64_t) (i->view.since / USEC_PER_MSEC);
        int r;

        if ((r = json_add_string(env, "status", i->status)) < 0 || (r = json_add(env, "pm_id", json_object_new_int64(i->id))) < 0 ||
            (r = json_add(env, "pm_uptime", json_object_new_int64(since))) < 0 ||
            (r = json_add(env, "created_at", json_object_new_int64(since))) < 0 ||
            (r = json_add(env, "restart_time", json_object_new_int64(i->view.restarts))) < 0 ||
            (r = json_add(env, "unstable_restarts", json_object_new_int64(field_number(i->instance, "attempts", 0)))) < 0 ||
            (r = json_add(env, "exit_code", json_object_new_int64(field_number(i->view.exit, "code", 0)))) < 0 ||
            (r = json_add_string(env, "pm_out_log_path", pm2_log_path(i))) < 0 || (r = json_add_string(env, "pm_err_log_path", pm2_log_path(i))) < 0 ||
            (r = json_add_string(env, "version", version ?: "N/A")) < 0 || (r = json_add_string(env, "node_version", node_version ?: "N/A")) < 0)
                return r;
        if (*user && (r = json_add_string(env, "uid", user)) < 0)
                return r;
        return *id ? json_add_string(env, "unique_id", id) : 0;
}

/* The variables stand under `env` and, where nothing of ours has the name, beside it. */
static int add_variables(json_object *env, const Pm2Process *i) {
        json_object *variables = field_object(field_object(i->service, "spec"), "env");
        int r = json_add(env, "env", variables ? json_object_get(variables) : json_object_new_object());

        if (r < 0 || !variables)
                return r;
        json_object_object_foreach(variables, name, value) {
                if (json_object_object_get_ex(env, name, NULL))
                        continue;
                r = json_add(env, name, json_object_get(value));
                if (r < 0)
                        return r;
        }
        return 0;
}

json_object *pm2_process_json(const Pm2Process *i, const char *node_version) {
        _cleanup_json_ json_object *o = json_object_new_object(), *monit = json_object_new_object();
        json_object *env = json_object_new_object();
        char percent[32];

        if (json_add(o, "pid", json_object_new_int64(i->view.pid)) < 0 || json_add_string(o, "name", i->view.name) < 0 ||
            json_add(o, "pm2_env", env) < 0 || json_add_string(env, "name", i->view.name) < 0 ||
            json_add_string(env, "namespace", i->view.ns) < 0 || add_settings(env, i) < 0 || add_command(env, i) < 0 ||
            add_run(env, i, node_version) < 0 || add_variables(env, i) < 0)
                return NULL;
        if (json_add(o, "pm_id", json_object_new_int64(i->id)) < 0 ||
            json_add(monit, "memory", json_object_new_int64(MAX(i->view.memory, (int64_t) 0))) < 0 ||
            json_add(monit, "cpu", json_object_new_double_s(i->view.cpu, pm2_percent(i, percent))) < 0 || json_add(o, "monit", TAKE_PTR(monit)) < 0)
                return NULL;
        return TAKE_PTR(o);
}

/* ---- the list ---- */

static int make_list(Pm2 *p, json_object **ret) {
        _cleanup_json_ json_object *l = json_object_new_array();
        _cleanup_pm2_list_ Pm2List list = {};
        _cleanup_free_ char *node = NULL;
        int r = pm2_list_fetch(p, &list);

        for (size_t i = 0; i < list.n && r >= 0; i++) {
                json_object *one;

                if (!node && streq(pm2_command(list.items[i].service).interpreter, "node"))
                        node = node_version();
                one = pm2_process_json(list.items + i, streq(pm2_command(list.items[i].service).interpreter, "node") ? node : NULL);
                if (!l || !one || json_object_array_add(l, one) < 0) {
                        json_object_put(one);
                        return ctl_oom(p->ctl);
                }
        }
        if (r >= 0)
                *ret = TAKE_PTR(l);
        return r;
}

int pm2_jlist(Pm2 *p) {
        _cleanup_json_ json_object *l = NULL;
        int r = make_list(p, &l);

        /* Without a newline, as PM2. */
        if (r >= 0)
                fputs(json_object_to_json_string_ext(l, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), stdout);
        return r;
}

/* ---- as node shows it ---- */

static bool is_identifier(const char *s) {
        if (!((*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z') || *s == '_' || *s == '$'))
                return false;
        return s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$")] == '\0';
}

static int quote(Buffer *b, const char *s) {
        int r = buffer_printf(b, "'");

        for (; *s && r >= 0; s++)
                if (*s == '\'' || *s == '\\')
                        r = buffer_printf(b, "\\%c", *s);
                else if (*s == '\n')
                        r = buffer_printf(b, "\\n");
                else if ((unsigned char) *s < 0x20 || *s == 0x7f)
                        r = buffer_printf(b, "\\x%02X", (unsigned char) *s);
                else
                        r = buffer_append(b, s, 1);
        return r < 0 ? r : buffer_printf(b, "'");
}

static int inspect(Buffer *b, json_object *o, unsigned indent, bool flat);

static int inspect_field(Buffer *b, const char *key, json_object *value, unsigned indent, bool flat) {
        int r = is_identifier(key) ? buffer_printf(b, "%s: ", key) : quote(b, key);

        if (r >= 0 && !is_identifier(key))
                r = buffer_printf(b, ": ");
        return r < 0 ? r : inspect(b, value, indent, flat);
}

/* What stands between brackets: on one line, or one item a line. */
typedef struct Items {
        Buffer *b;
        unsigned indent;
        bool flat;
        size_t n;
} Items;

static int begin_item(Items *s) {
        int r = buffer_printf(s->b, "%s", s->n++ > 0 ? "," : "");

        return r < 0 ? r : s->flat ? buffer_printf(s->b, " ") : buffer_printf(s->b, "\n%*s", (int) s->indent + 2, "");
}

static int end_items(const Items *s, char bracket) {
        if (s->n == 0)
                return buffer_printf(s->b, "%c", bracket);
        return s->flat ? buffer_printf(s->b, " %c", bracket) : buffer_printf(s->b, "\n%*s%c", (int) s->indent, "", bracket);
}

static int inspect_list(Buffer *b, json_object *l, unsigned indent, bool flat) {
        Items s = { .b = b, .indent = indent, .flat = flat };
        int r = buffer_printf(b, "[");

        for (size_t i = 0; i < array_length(l) && r >= 0; i++) {
                r = begin_item(&s);
                if (r >= 0)
                        r = inspect(b, json_object_array_get_idx(l, i), indent + 2, flat);
        }
        return r < 0 ? r : end_items(&s, ']');
}

static int inspect_object(Buffer *b, json_object *o, unsigned indent, bool flat) {
        Items s = { .b = b, .indent = indent, .flat = flat };

        if (buffer_printf(b, "{") < 0)
                return -ENOMEM;
        json_object_object_foreach(o, key, value) {
                int r = begin_item(&s);

                if (r >= 0)
                        r = inspect_field(b, key, value, indent + 2, flat);
                if (r < 0)
                        return r;
        }
        return end_items(&s, '}');
}

static int inspect_items(Buffer *b, json_object *o, unsigned indent, bool flat) {
        return json_object_is_type(o, json_type_array) ? inspect_list(b, o, indent, flat) : inspect_object(b, o, indent, flat);
}

#define LINE_MAX_COLUMNS 72

static int inspect(Buffer *b, json_object *o, unsigned indent, bool flat) {
        _cleanup_buffer_ Buffer line = {};
        int r;

        if (json_object_is_type(o, json_type_string))
                return quote(b, json_object_get_string(o));
        if (!json_object_is_type(o, json_type_array) && !json_object_is_type(o, json_type_object))
                return buffer_printf(b, "%s", json_object_to_json_string(o));
        if (flat)
                return inspect_items(b, o, indent, true);
        r = inspect_items(&line, o, indent, true);
        if (r >= 0 && line.size <= LINE_MAX_COLUMNS)
                return buffer_append(b, line.data, line.size);
        return r < 0 ? r : inspect_items(b, o, indent, false);
}

int pm2_prettylist(Pm2 *p) {
        _cleanup_json_ json_object *l = NULL;
        _cleanup_buffer_ Buffer b = {};
        int r = make_list(p, &l);

        if (r < 0)
                return r;
        if (inspect(&b, l, 0, false) < 0)
                return ctl_oom(p->ctl);
        puts(b.data ?: "[]");
        return 0;
}
