/* start: what a word means, and what becomes of it. Options are put as an ecosystem file would say them and read as one, so that both mean the
 * same. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/foreign.h"
#include "kingctl/pm2/pm2.h"

/* ---- scripts ---- */

/* execvp(3)'s search, to say "not found" before anything is made known. */
static bool in_path(const char *name) {
        const char *path = getenv("PATH") ?: "/usr/local/bin:/usr/bin:/bin";

        for (; *path; path += strcspn(path, ":"), path += strspn(path, ":")) {
                _cleanup_free_ char *candidate = text_printf("%.*s/%s", (int) strcspn(path, ":"), path, name);

                if (candidate && access(candidate, X_OK) >= 0)
                        return true;
        }
        return false;
}

static json_object *strings(char *const *l) {
        _cleanup_json_ json_object *a = json_object_new_array();

        STRV_FOREACH(s, l)
                if (!a || json_object_array_add(a, json_object_new_string(*s)) < 0)
                        return NULL;
        return TAKE_PTR(a);
}

/* The options and the script as an application of an ecosystem file. */
static int make_app(Pm2 *p, const char *script, json_object **ret) {
        _cleanup_json_ json_object *app = NULL;

        if (json_object_deep_copy(p->app, &app, NULL) < 0 || json_add_string(app, "script", script) < 0 ||
            (p->rest && json_add(app, "args", strings(p->rest)) < 0))
                return ctl_oom(p->ctl);
        if (pm2_given(p, "execute-command") && json_add_string(app, "interpreter", "none") < 0)
                return ctl_oom(p->ctl);
        *ret = TAKE_PTR(app);
        return 0;
}

/* -w: what the options say, for a file to start from. */
static int write_app(Pm2 *p, json_object *app, const char *name) {
        _cleanup_free_ char *path = text_printf("%s-pm2.json", name);

        if (!path)
                return ctl_oom(p->ctl);
        pm2_say(p, "Writing configuration to %s", path);
        if (json_object_to_file_ext(path, app, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE) < 0)
                return pm2_fail(p, "%s: %s", path, strerror(errno));
        return 0;
}

static int read_app(Pm2 *p, json_object *app, SpecList *specs) {
        const char *text = json_object_to_json_string_ext(app, JSON_C_TO_STRING_NOSLASHESCAPE);
        _cleanup_free_ char *cwd = path_absolute(".", NULL), *list = text ? text_printf("{\"apps\":[%s]}", text) : NULL;
        _cleanup_strv_ char **profiles = NULL;
        _cleanup_diagnostics_ Diagnostics d = {};
        const ConfigOptions o = { .environment = environ };
        int r = cwd && list ? foreign_load(FOREIGN_PM2, "options", cwd, list, strlen(list), &o, specs, &profiles, &d) : -ENOMEM;

        if (r == -ENOMEM)
                return ctl_oom(p->ctl);
        for (size_t i = 0; i < d.n; i++)
                if (d.items[i].warning)
                        pm2_warn(p, "%s", d.items[i].message);
                else
                        r = pm2_fail(p, "%s", d.items[i].message);
        return r;
}

static bool rests(const Pm2Process *i) {
        return streq(i->status, "stopped") || streq(i->status, "stopping") || streq(i->status, "errored");
}

/* One of that name is there: 0 when it may be replaced, else everything is said and done. */
static int meet(Pm2 *p, Pm2List *l, const ServiceSpec *spec) {
        const Pm2Process *there = pm2_list_find(l, spec->ns, spec->name, 0);
        const char *script = there ? pm2_command(there->service).script : "";
        bool same = false;
        int r;

        if (!there || pm2_given(p, "force"))
                return 0;
        STRV_FOREACH(word, spec->command)
                same = same || streq(*word, script);
        if (!same)
                return pm2_fail(p, "there is a process named %s with another script: choose a name with --name, or -f to put this one in its place", spec->name);
        if (!rests(there))
                return pm2_fail(p, "Script already launched, add -f option to force re-execution");
        (void) pm2_list_select_service(l, spec->ns, spec->name);
        r = pm2_act(p, l, spec->name, "restartProcessId", "Restart");
        if (r == 0)
                pm2_say(p, "Process successfully started");
        return r < 0 ? r : r + 2;
}

static int launch(Pm2 *p, const char *script, const SpecList *specs) {
        const ServiceSpec *spec = specs->items[0];
        _cleanup_json_ json_object *services = NULL;
        unsigned n = spec_instances(spec, (unsigned) sysconf(_SC_NPROCESSORS_ONLN));
        int r;

        pm2_say(p, "Starting %s in %s (%u instance%s)", script, spec->cluster.by == CLUSTER_NODE ? "cluster_mode" : "fork_mode", n, n == 1 ? "" : "s");
        pm2_say(p, "It gets the environment of this shell; --filter-env leaves variables out");
        fflush(stdout);
        r = pm2_services(p, specs, &services);
        if (r >= 0)
                r = pm2_call(p, NULL, "Apply", pm2_apply_parameters(json_object_get(services), false), true);
        if (r == 0)
                pm2_say(p, "Done.");
        return r;
}

static int start_script(Pm2 *p, Pm2List *l, const char *word) {
        _cleanup_free_ char *path = path_absolute(word, NULL);
        _cleanup_json_ json_object *app = NULL;
        _cleanup_spec_list_ SpecList specs = {};
        struct stat st;
        int r;

        if (!path)
                return ctl_oom(p->ctl);
        if (stat(path, &st) >= 0 && S_ISREG(st.st_mode))
                word = path;
        else if (!strchr(word, ' ') && (strchr(word, '/') || !in_path(word)))
                return pm2_fail(p, "Script not found: %s", path);
        r = make_app(p, word, &app);
        if (r == 0)
                r = read_app(p, app, &specs);
        if (r == 0 && specs.n == 1)
                r = meet(p, l, specs.items[0]);
        if (r == 0 && specs.n == 1 && pm2_given(p, "write"))
                r = write_app(p, app, specs.items[0]->name);
        if (r != 0 || specs.n != 1)
                return r > 1 ? r - 2 : r;
        return launch(p, word, &specs);
}

/* ---- start ---- */

static bool names_script(const char *word) {
        const char *dot = strrchr(word, '.');
        uint64_t id;

        return strchr(word, '/') ? word[strlen(word) - 1] != '/' : parse_u64(word, &id) < 0 && dot && dot > word;
}

static int start_word(Pm2 *p, const char *word) {
        _cleanup_pm2_list_ Pm2List l = {};
        uint64_t id;
        int r;

        if (pm2_is_file(word))
                return pm2_start_file(p, word, false);
        r = pm2_list_fetch(p, &l);
        if (r < 0)
                return r;
        if (!names_script(word) && pm2_list_select(&l, word) > 0) {
                r = pm2_act(p, &l, word, "restartProcessId", "Restart");
                if (r == 0)
                        pm2_say(p, "Process successfully started");
                return r;
        }
        if (parse_u64(word, &id) >= 0 || streq(word, "all"))
                return pm2_fail(p, "Process or Namespace %s not found", word);
        pm2_list_clear(&l);
        return start_script(p, &l, word);
}

int pm2_start(Pm2 *p) {
        char *standard[] = { (char *) "ecosystem.config.js", NULL };
        int r = 0;

        STRV_FOREACH(word, p->words[0] ? p->words : standard) {
                r = start_word(p, *word);
                if (r != 0)
                        return r;
        }
        r = pm2_show_list(p);
        if (r == 0 && (pm2_given(p, "attach") || pm2_given(p, "no-daemon")))
                r = pm2_follow(p, "all");
        return r;
}
