/* The files of applications, and the environment that goes with what is started. What must stay true: an application gets the environment of
 * whoever starts it, as with PM2, below what its file says; what Kingly gives each run itself is not in it. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/strv.h"
#include "base/text.h"
#include "kingctl/control.h"
#include "kingctl/pm2/pm2.h"

bool pm2_is_file(const char *word) {
        static const char *const suffixes[] = { ".json", ".json5", ".yml", ".yaml", ".config.js", ".config.cjs", ".config.mjs", ".pm2" };
        size_t n = strlen(word);

        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
                if (n >= strlen(suffixes[i]) && streq(word + n - strlen(suffixes[i]), suffixes[i]))
                        return true;
        return streq(word, "-");
}

/* ---- the caller's environment ---- */

static bool left_out(const Pm2 *p, const char *name) {
        static const char *const ours[] = { "_", "INVOCATION_ID", "JOURNAL_STREAM", "MANAGERPID", "NOTIFY_SOCKET", "NODE_APP_INSTANCE", "NODE_CHANNEL_FD",
                                            "SYSTEMD_EXEC_PID", "CREDENTIALS_DIRECTORY" };
        static const char *const beginnings[] = { "KINGLY_", "LISTEN_", "WATCHDOG_", "PM2_" };
        json_object *filter = field_array(p->set, "filter-env");

        for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
                if (streq(ours[i], name))
                        return true;
        for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
                if (startswith(name, beginnings[i]))
                        return true;
        for (size_t i = 0; i < array_length(filter); i++)
                if (strstr(name, json_object_get_string(json_object_array_get_idx(filter, i))))
                        return true;
        /* Alone it means all; without PATH nothing would be found. */
        return pm2_given(p, "filter-env") && !filter && !streq(name, "PATH");
}

/* The caller's variables into env; those that are there stay, unless `over`. 0 or -ENOMEM. */
static int add_environment(const Pm2 *p, json_object *env, bool over) {
        STRV_FOREACH(e, environ) {
                const char *equals = strchr(*e, '=');
                _cleanup_free_ char *name = equals ? strndup(*e, (size_t) (equals - *e)) : NULL;

                if (!name || !env_name_valid(name) || !utf8_valid(*e, strlen(*e)) || left_out(p, name))
                        continue;
                if (!over && json_object_object_get_ex(env, name, NULL))
                        continue;
                if (json_add_string(env, name, equals + 1) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int give_environment(const Pm2 *p, json_object *service, bool over) {
        json_object *env = field_object(service, "env");

        if (!env) {
                env = json_object_new_object();
                if (json_add(service, "env", env) < 0)
                        return -ENOMEM;
        }
        return add_environment(p, env, over);
}

/* ---- services ---- */

static int push_service(Pm2 *p, json_object *services, json_object *service, bool over) {
        if (!service || give_environment(p, service, over) < 0 || json_object_array_add(services, service) < 0) {
                json_object_put(service);
                return ctl_oom(p->ctl);
        }
        return 0;
}

json_object *pm2_apply_parameters(json_object *services, bool diff) {
        _cleanup_json_ json_object *p = json_object_new_object();

        if (json_add(p, "services", services) < 0 || json_add_string(p, "origin", "kingctl pm2") < 0 ||
            (diff && json_add(p, "diff", json_object_new_boolean(true)) < 0))
                return NULL;
        return TAKE_PTR(p);
}

static bool wanted(const Pm2 *p, const char *name) {
        const char *only = pm2_option(p, "only");
        size_t n = strlen(name);

        for (; only && *only; only += strcspn(only, ", "), only += strspn(only, ", "))
                if (strcspn(only, ", ") == n && strncmp(only, name, n) == 0)
                        return true;
        return !pm2_option(p, "only");
}

int pm2_services(Pm2 *p, const SpecList *specs, json_object **ret) {
        _cleanup_json_ json_object *services = json_object_new_array();
        int r = services ? 0 : ctl_oom(p->ctl);

        for (size_t i = 0; i < specs->n && r >= 0; i++)
                if (wanted(p, specs->items[i]->name))
                        r = push_service(p, services, service_of(specs->items[i]), false);
        if (r >= 0)
                *ret = TAKE_PTR(services);
        return r;
}

int pm2_update_environment(Pm2 *p, const Pm2List *l) {
        _cleanup_json_ json_object *services = json_object_new_array(), *reply = NULL, *parameters = pm2_list_parameters(l);
        json_object *full;
        int r = parameters && json_add(parameters, "secrets", json_object_new_boolean(true)) >= 0 ? 0 : ctl_oom(p->ctl);

        if (r >= 0)
                r = ctl_call(p->ctl, "Describe", json_object_get(parameters), &reply);
        full = field_array(reply, "services");
        for (size_t i = 0; i < array_length(full) && r >= 0; i++)
                r = push_service(p, services, json_object_get(field_object(json_object_array_get_idx(full, i), "changed")), true);
        return r < 0 ? r : pm2_call(p, NULL, "Apply", pm2_apply_parameters(TAKE_PTR(services), false), true);
}

/* ---- files ---- */

/* --env NAME is a profile of that name, without it there is none, as with PM2; --namespace is where those go that name none. */
static int load(Pm2 *p, const char *file, SpecList *specs) {
        const char *profiles[] = { pm2_option(p, "env"), NULL }, *ns = field_text(p->app, "namespace");
        Options *o = &p->ctl->options;
        int r;

        o->namespace = *ns ? ns : NULL;
        o->profiles = profiles[0] ? profiles : NULL;
        o->no_profile = !profiles[0];
        r = load_files(p->ctl, (const char *const[]) { file, NULL }, specs);
        o->namespace = NULL;
        o->profiles = NULL;
        return r == 2 ? pm2_fail(p, "File %s malformated", file) : r;
}

int pm2_select_file(Pm2 *p, Pm2List *l, const char *file) {
        _cleanup_spec_list_ SpecList specs = {};
        int r = load(p, file, &specs);

        for (size_t i = 0; i < specs.n && r == 0; i++)
                if (wanted(p, specs.items[i]->name))
                        (void) pm2_list_select_service(l, specs.items[i]->ns, specs.items[i]->name);
        return r;
}

/* Options that PM2 lets stand over a file; of the others none would be heard. */
static int overlay(Pm2 *p, json_object *services) {
        static const struct {
                const char *option, *key;
        } known[] = { { "instances", "instances" }, { "uid", "user" }, { "gid", "group" }, { "cwd", "cwd" }, { "namespace", NULL } };

        json_object_object_foreach(p->app, option, value) {
                size_t k = 0;

                while (k < ARRAY_SIZE(known) && !streq(known[k].option, option))
                        k++;
                if (k == ARRAY_SIZE(known))
                        return pm2_fail(p, "%s stands in the file, not beside it", option);
                for (size_t i = 0; known[k].key && i < array_length(services); i++)
                        if (json_add(json_object_array_get_idx(services, i), known[k].key, json_object_get(value)) < 0)
                                return ctl_oom(p->ctl);
        }
        return 0;
}

/* What Apply is about to do with a service: "add", "keep" … */
static const char *planned(json_object *reply, const char *ns, const char *name) {
        json_object *plan = field_array(reply, "plan");

        for (size_t i = 0; i < array_length(plan); i++) {
                json_object *item = json_object_array_get_idx(plan, i);

                if (streq(field_text(item, "namespace"), ns) && streq(field_text(item, "name"), name))
                        return field_text(item, "verb");
        }
        return "";
}

/* Marks what is there and would not be restarted by Apply; those that are not there are named. */
static int prepare(Pm2 *p, Pm2List *l, json_object *services, json_object *plan, const char *action) {
        _cleanup_buffer_ Buffer missing = {};

        for (size_t i = 0; i < array_length(services); i++) {
                json_object *s = json_object_array_get_idx(services, i);
                const char *ns = field_text(s, "namespace"), *name = field_text(s, "name"), *verb = planned(plan, ns, name);

                if (streq(verb, "add")) {
                        if (buffer_printf(&missing, "%s%s", missing.size > 0 ? ", " : "", name) < 0)
                                return ctl_oom(p->ctl);
                        continue;
                }
                pm2_say(p, "Applying action %s on app [%s]", action, name);
                if (!streq(verb, "restart"))
                        (void) pm2_list_select_service(l, ns, name);
        }
        if (missing.size > 0)
                pm2_warn(p, "Applications %s not running, starting...", missing.data);
        fflush(stdout);
        return 0;
}

static void say_launched(Pm2 *p, const Pm2List *after, json_object *services, json_object *plan) {
        for (size_t i = 0; i < array_length(services); i++) {
                json_object *s = json_object_array_get_idx(services, i);
                const char *ns = field_text(s, "namespace"), *name = field_text(s, "name"), *verb = planned(plan, ns, name);
                size_t n = 0;

                for (size_t k = 0; k < after->n; k++) {
                        const InstanceView *v = &after->items[k].view;

                        if (!streq(v->ns, ns) || !streq(v->name, name))
                                continue;
                        n++;
                        if (streq(verb, "restart"))
                                pm2_say(p, "[%s](%" PRIi64 ") \u2713", name, after->items[k].id);
                }
                if (streq(verb, "add"))
                        pm2_say(p, "App [%s] launched (%zu instances)", name, n);
        }
}

static bool anything_marked(const Pm2List *l) {
        for (size_t i = 0; i < l->n; i++)
                if (l->items[i].selected)
                        return true;
        return false;
}

/* Apply restarts what has changed; the rest that is there is restarted or reloaded, as PM2 does. */
static int apply_all(Pm2 *p, json_object *services, bool reload) {
        _cleanup_pm2_list_ Pm2List l = {}, after = {};
        _cleanup_json_ json_object *plan = NULL;
        int r = pm2_list_fetch(p, &l), failed;

        if (r >= 0)
                r = ctl_call(p->ctl, "Apply", pm2_apply_parameters(json_object_get(services), true), &plan);
        if (r >= 0)
                r = prepare(p, &l, services, plan, reload ? "reloadProcessId" : "restartProcessId");
        if (r < 0)
                return r;
        failed = pm2_call(p, NULL, "Apply", pm2_apply_parameters(json_object_get(services), false), true);
        if (failed < 0)
                return failed;
        if (anything_marked(&l))
                r = reload ? pm2_reload_selected(p, &l) : pm2_call(p, &l, "Restart", pm2_list_parameters(&l), false);
        if (r < 0)
                return r;
        failed = MAX(failed, r);
        r = pm2_list_fetch(p, &after);
        if (r < 0)
                return r;
        say_launched(p, &after, services, plan);
        return failed;
}

int pm2_start_file(Pm2 *p, const char *file, bool reload) {
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_json_ json_object *services = NULL;
        struct stat st;
        int r;

        if (!streq(file, "-") && stat(file, &st) < 0)
                return pm2_fail(p, "File %s not found", file);
        r = load(p, file, &specs);
        if (r == 0)
                r = pm2_services(p, &specs, &services);
        if (r == 0)
                r = overlay(p, services);
        if (r != 0 || array_length(services) == 0)
                return r;
        return apply_all(p, services, reload);
}

static int start_or(Pm2 *p, bool reload) {
        int r = pm2_start_file(p, p->words[0], reload);

        return r != 0 ? r : pm2_show_list(p);
}

int pm2_start_or_restart(Pm2 *p) {
        return start_or(p, false);
}

int pm2_start_or_reload(Pm2 *p) {
        return start_or(p, true);
}
