/* A service of a Compose project. Source: the Compose Specification, "Services top-level elements". */
#include "base/strv.h"
#include "export/exporter.h"

static int plain(Exporter *x, const char *as, const char *text) {
        return export_set_text(x->document, as, text);
}

/* A number is a number there. */
static int integer(Exporter *x, const char *path, int64_t n) {
        return export_set(x->document, path, json_object_new_int64(n));
}

static int emit_instances(Exporter *x, const SpecKey *k) {
        return integer(x, "deploy.replicas", x->instances);
}

static int emit_cpu(Exporter *x, const SpecKey *k) {
        _cleanup_free_ char *text = text_printf("%u.%02u", x->spec->limits.cpu / 100, x->spec->limits.cpu % 100);

        return text ? export_set_text(x->document, "cpus", text) : -ENOMEM;
}

static int emit_memory(Exporter *x, const SpecKey *k) {
        return x->spec->limits.memory_max == LIMIT_UNSET ? 0 : integer(x, "mem_limit", (int64_t) x->spec->limits.memory_max);
}

static int emit_memory_high(Exporter *x, const SpecKey *k) {
        return integer(x, "mem_reservation", (int64_t) x->spec->limits.memory_high);
}

static int emit_tasks(Exporter *x, const SpecKey *k) {
        return integer(x, "pids_limit", (int64_t) x->spec->limits.tasks);
}

static int emit_files(Exporter *x, const SpecKey *k) {
        return integer(x, "ulimits.nofile", (int64_t) x->spec->limits.rlimit[0]);
}

static int emit_oom(Exporter *x, const SpecKey *k) {
        return integer(x, "oom_score_adj", x->spec->priority.oom_score_adj);
}

static int emit_cpu_weight(Exporter *x, const SpecKey *k) {
        /* cgroup v2's weight 100 is 1024 shares. */
        return integer(x, "cpu_shares", MAX((int64_t) x->spec->priority.cpu_weight * 1024 / 100, (int64_t) 2));
}

static int emit_capabilities(Exporter *x, const SpecKey *k) {
        int r = export_push(x->document, "cap_drop", json_object_new_string("ALL"));

        return r < 0 || !x->spec->capabilities ? r : export_set(x->document, "cap_add", export_strv(x->spec->capabilities));
}

static int emit_privileges(Exporter *x, const SpecKey *k) {
        return export_push(x->document, "security_opt", json_object_new_string("no-new-privileges:true"));
}

static int emit_user(Exporter *x, const SpecKey *k) {
        const ServiceSpec *s = x->spec;
        _cleanup_free_ char *text = text_printf("%s%s%s", s->user ?: "", s->group ? ":" : "", s->group ?: "");

        return text ? export_set_text(x->document, "user", text) : -ENOMEM;
}

/* What a leading '-' lets be missing. */
static int emit_env_file(Exporter *x, const SpecKey *k) {
        int r = 0;

        for (char *const *f = x->spec->env_files; f && *f && r >= 0; f++) {
                json_object *o = json_object_new_object();

                r = export_set_text(o, "path", **f == '-' ? *f + 1 : *f);
                if (r >= 0)
                        r = export_set(o, "required", json_object_new_boolean(**f != '-'));
                if (r >= 0)
                        r = export_push(x->document, "env_file", o);
                else
                        json_object_put(o);
        }
        return r;
}

/* Whether the one depended on is known to have a probe, which becomes its health check. */
static bool probed(const Exporter *x, const Dependency *d) {
        const char *slash = strchr(d->name, '/'), *name = slash ? slash + 1 : d->name;

        for (size_t i = 0; x->options->all && i < x->options->all->n; i++) {
                const ServiceSpec *s = x->options->all->items[i];
                bool same_ns = slash ? strncmp(d->name, s->ns, strlen(s->ns)) == 0 && d->name[strlen(s->ns)] == '/' : streq(s->ns, x->spec->ns);

                if (same_ns && streq(s->name, name))
                        return s->probes[PROBE_STARTUP] || s->probes[PROBE_READINESS] || s->probes[PROBE_LIVENESS];
        }
        return false;
}

static int add_dependency(Exporter *x, const Dependency *d, json_object *depends) {
        static const char *const conditions[] = {
                [DEPEND_STARTED] = "service_started", [DEPEND_READY] = "service_healthy", [DEPEND_COMPLETED] = "service_completed_successfully",
        };
        _cleanup_free_ char *name = export_dependency_name(x, d, NULL);
        json_object *o = json_object_new_object();

        if (export_set_text(o, "condition", conditions[d->kind]) < 0 || !name || json_object_object_add(depends, name, o) < 0) {
                json_object_put(o);
                return -ENOMEM;
        }
        if (d->restart && json_object_object_add(o, "restart", json_object_new_boolean(true)) < 0)
                return -ENOMEM;
        if (d->stop && export_note(x, "depends_on: %s: stop has no counterpart", d->name) < 0)
                return -ENOMEM;
        return d->kind == DEPEND_READY && !probed(x, d) ? export_note(x, "depends_on: %s: ready needs a healthcheck of that service", d->name) : 0;
}

static int emit_depends(Exporter *x, const SpecKey *k) {
        json_object *depends = json_object_new_object();
        int r = export_set(x->document, "depends_on", depends);

        for (size_t i = 0; i < x->spec->depends.n && r >= 0; i++)
                r = add_dependency(x, x->spec->depends.items + i, depends);
        return r;
}

static int emit_log(Exporter *x, const SpecKey *k) {
        return x->spec->log.to == LOG_TO_NONE ? export_set_text(x->document, "logging.driver", "none") :
                                             export_note(x, "log.to: the engine's log driver takes the output");
}

/* on-failure:N holds it; `always` never gives up. */
static bool restarts_failures(const ServiceSpec *s) {
        return s->restart.when == RESTART_ON_FAILURE || (s->restart.when == RESTART_ALWAYS && s->type == SERVICE_ONESHOT);
}

static int emit_limit(Exporter *x, const SpecKey *k) {
        return restarts_failures(x->spec) ? 0 : export_note_key(x, k);
}

static int emit_read_only(Exporter *x, const SpecKey *k) {
        return export_set(x->document, "read_only", json_object_new_boolean(true));
}

/* A container has a /tmp of its own; one that is read-only needs it to be writable. */
static int emit_tmp(Exporter *x, const SpecKey *k) {
        int r = export_push(x->document, "tmpfs", json_object_new_string("/tmp"));

        return r < 0 ? r : export_push(x->document, "tmpfs", json_object_new_string("/var/tmp"));
}

static int emit_network(Exporter *x, const SpecKey *k) {
        return export_set_text(x->document, "network_mode", "none");
}

static int emit_cpus(Exporter *x, const SpecKey *k) {
        _cleanup_free_ char *list = strv_join(x->spec->priority.cpu_affinity, ",");

        return list ? export_set_text(x->document, "cpuset", list) : -ENOMEM;
}

/* Readiness there is the health check. */
static int emit_ready(Exporter *x, const SpecKey *k) {
        return x->spec->ready_by == READY_PROBE ? 0 : export_note_key(x, k);
}

static int push_words(json_object *o, const char *path, char *const *words);

/* https://docs.docker.com/compose/how-tos/lifecycle/ */
static int emit_hook(Exporter *x, const SpecKey *k) {
        HookKind hook = streq(k->path, "hooks.post_start") ? HOOK_POST_START : HOOK_PRE_STOP;
        json_object *o = json_object_new_object();
        int r = push_words(o, "command", spec_hook(x->spec, hook));

        if (r >= 0)
                return export_push(x->document, hook_name(hook), o);
        json_object_put(o);
        return r;
}

static const ExportRow rows[] = {
        { "description", "labels.description", NULL },
        { "type", NULL, NULL },
        { "command", NULL, NULL },
        { "shell", NULL, NULL },
        { "cwd", "working_dir", NULL },
        { "instances", NULL, emit_instances },
        { "env", NULL, NULL },
        { "env_file", NULL, emit_env_file },
        { "secrets", NULL, NULL },
        { "depends_on", NULL, emit_depends },
        { "limits.memory_max", NULL, emit_memory },
        { "limits.memory_high", NULL, emit_memory_high },
        { "limits.cpu", NULL, emit_cpu },
        { "limits.tasks", NULL, emit_tasks },
        { "limits.files", NULL, emit_files },
        { "priority.cpu_weight", NULL, emit_cpu_weight },
        { "priority.oom_score_adj", NULL, emit_oom },
        { "priority.cpu_affinity", NULL, emit_cpus },
        { "sandbox.system", NULL, emit_read_only },
        { "sandbox.private_tmp", NULL, emit_tmp },
        { "sandbox.private_devices", NULL, export_note_container },
        { "sandbox.network", NULL, emit_network },
        { "restart.when", NULL, NULL },
        { "restart.limit", NULL, emit_limit },
        { "stop.signal", "stop_signal", NULL },
        { "stop.timeout", NULL, NULL },
        { "hooks.post_start", NULL, emit_hook },
        { "hooks.pre_stop", NULL, emit_hook },
        { "user", NULL, emit_user },
        { "group", NULL, emit_user },
        { "capabilities", NULL, emit_capabilities },
        { "no_new_privileges", NULL, emit_privileges },
        { "ready.by", NULL, emit_ready },
        { "probes.startup", NULL, export_probe_compose },
        { "probes.readiness", NULL, export_probe_compose },
        { "probes.liveness", NULL, export_probe_compose },
        { "log.to", NULL, emit_log },
        {},
};

char *export_escape_compose(const char *text) {
        Buffer b = {};
        int r = 0;

        for (const char *p = text; *p && r >= 0; p++)
                r = buffer_append(&b, *p == '$' ? "$$" : p, *p == '$' ? 2 : 1);
        if (r >= 0 && buffer_append(&b, "", 1) >= 0)
                return b.data;
        buffer_done(&b);
        return NULL;
}

static int push_words(json_object *o, const char *path, char *const *words) {
        int r = 0;

        for (char *const *w = words; w && *w && r >= 0; w++) {
                _cleanup_free_ char *word = export_escape_compose(*w);

                r = word ? export_push(o, path, json_object_new_string(word)) : -ENOMEM;
        }
        return r;
}

static int set_command(Exporter *x) {
        return push_words(x->document, "command", x->spec->command);
}

static int set_environment(Exporter *x) {
        int r = 0;

        for (char *const *e = x->spec->env; e && *e && r >= 0; e++) {
                const char *equals = strchr(*e, '=');
                _cleanup_free_ char *path = text_printf("environment.%.*s", (int) (equals - *e), *e), *value = export_escape_compose(equals + 1);

                r = path && value ? export_set_text(x->document, path, value) : -ENOMEM;
        }
        return r;
}

static int set_restart(Exporter *x) {
        const ServiceSpec *s = x->spec;
        _cleanup_free_ char *text = NULL;

        if (s->restart.when == RESTART_NEVER)
                return export_set_text(x->document, "restart", "no");
        if (!restarts_failures(s))
                return export_set_text(x->document, "restart", "always");
        text = s->restart.limit ? text_printf("on-failure:%u", s->restart.limit) : strdup("on-failure");
        return text ? export_set_text(x->document, "restart", text) : -ENOMEM;
}

int export_compose(Exporter *x) {
        static const ExportRow *const tables[] = { rows, NULL };
        _cleanup_free_ char *name = export_name(x->spec);
        char buf[FORMAT_MAX];
        int r;

        x->document = json_object_new_object();
        if (!name || !x->document)
                return -ENOMEM;
        /* The document belongs to the export from here on. */
        r = export_add(x->out, TAKE_PTR(name), NULL, x->document);
        if (r < 0)
                return r;
        if ((r = export_set_text(x->document, "image", x->options->image)) < 0 ||
            (r = set_command(x)) < 0 || (r = set_environment(x)) < 0 || (r = set_restart(x)) < 0 ||
            (r = export_set_text(x->document, "stop_grace_period", format_span(buf, x->spec->stop.timeout, true))) < 0)
                return r;
        return export_walk(x, tables, plain);
}
