/* The verbs apply and check: files are read here, with the caller's environment and working directory; the daemon gets services, not files.
 */
#include <stdio.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/config.h"
#include "kingctl/control.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/settle.h"
#include "kingctl/verbs.h"

static void print_diagnostics(const Ctl *ctl, const Diagnostics *d) {
        fflush(stdout);
        for (size_t i = 0; i < d->n; i++) {
                _cleanup_free_ char *text = diagnostic_format(&d->items[i]);

                print_coloured(stderr, ctl->colour_error, d->items[i].warning ? COLOUR_YELLOW : COLOUR_NONE,
                               text ? text : d->items[i].message);
                fputc('\n', stderr);
        }
        if (d->dropped > 0)
                fprintf(stderr, "and %zu more\n", d->dropped);
}

static int evaluate(void *userdata, const char *path, char **ret, size_t *ret_n) {
        const Ctl *ctl = userdata;

        if (!ctl->options.quiet)
                fprintf(stderr, "%s is a program: running it with node to learn what it says\n", path);
        return evaluate_with_node(path, ret, ret_n);
}

static json_object *names_of(char *const *services) {
        _cleanup_json_ json_object *l = json_object_new_array();

        for (; l && *services; services++)
                if (json_object_array_add(l, json_object_new_string(*services)) < 0)
                        return NULL;
        return TAKE_PTR(l);
}

/* The profiles that the daemon knows these services under. */
static int ask_profiles(void *userdata, char *const *services, char ***ret) {
        _cleanup_json_ json_object *p = json_object_new_object(), *reply = NULL;
        _cleanup_free_ char *words = NULL;
        Ctl *ctl = userdata;
        json_object *names;
        int r = json_add(p, "services", names_of(services));

        if (r >= 0)
                r = ctl_connect(ctl, CONNECT_START);
        if (r >= 0)
                r = ctl_call(ctl, "Profiles", TAKE_PTR(p), &reply);
        names = r >= 0 ? field_array(reply, "profiles") : NULL;
        for (size_t i = 0; i < array_length(names) && r >= 0; i++)
                r = strv_append(ret, json_object_get_string(json_object_array_get_idx(names, i)));
        if (r < 0 || !*ret || ctl->options.quiet)
                return r;
        words = strv_join(*ret, ", ");
        fprintf(stderr, "under profile %s, as before (--profile or --no-profile says otherwise)\n", words ?: *ret[0]);
        return 0;
}

static int read_with(Ctl *ctl, const char *const *files, ConfigOptions *o, SpecList *specs) {
        static char *const none[] = { NULL };
        _cleanup_diagnostics_ Diagnostics d = {};
        int r;

        o->environment = environ;
        o->fallback_namespace = ctl->options.namespace;
        o->evaluate = evaluate;
        o->userdata = ctl;
        o->profiles = ctl->options.no_profile ? none : (char *const *) ctl->options.profiles;
        r = config_load_files((char *const *) files, o, specs, &d);
        if (r == -ENOMEM)
                return ctl_oom(ctl);
        if (ctl->error.id)
                return r;
        if (r < 0 && d.errors == 0)
                return kl_error_set(&ctl->error, r, KL_E_INVALID, "%s: %s", *files, strerror(-r));
        print_diagnostics(ctl, &d);
        return d.errors > 0 ? 2 : 0;
}

int load_files(Ctl *ctl, const char *const *files, SpecList *specs) {
        return read_with(ctl, files, &(ConfigOptions) { .remembered = ask_profiles }, specs);
}

int read_files(Ctl *ctl, const char *const *files, json_object *overlays, SpecList *specs) {
        return read_with(ctl, files, &(ConfigOptions) { .overlays = overlays }, specs);
}

json_object *service_of(const ServiceSpec *s) {
        _cleanup_json_ json_object *o = config_spec_to_json(s);

        if (!o)
                return NULL;
        if (!json_object_object_get_ex(o, "name", NULL) && json_add_string(o, "name", s->name) < 0)
                return NULL;
        if (!json_object_object_get_ex(o, "namespace", NULL) && json_add_string(o, "namespace", s->ns) < 0)
                return NULL;
        return TAKE_PTR(o);
}

/* Consumes services. NULL on OOM. */
static json_object *parameters_of(Ctl *ctl, json_object *services, const char *origin) {
        _cleanup_json_ json_object *p = json_object_new_object();
        int r;

        r = json_add(p, "services", services);
        if (r >= 0)
                r = json_add_string(p, "origin", origin);
        if (r >= 0 && ctl->options.prune)
                r = json_add(p, "prune", json_object_new_boolean(true));
        if (r >= 0 && ctl->options.diff)
                r = json_add(p, "diff", json_object_new_boolean(true));
        return r < 0 ? NULL : TAKE_PTR(p);
}

static json_object *services_of(const SpecList *specs) {
        _cleanup_json_ json_object *l = json_object_new_array();

        for (size_t i = 0; l && i < specs->n; i++) {
                json_object *o = service_of(specs->items[i]);

                if (!o || json_object_array_add(l, o) < 0) {
                        json_object_put(o);
                        return NULL;
                }
        }
        return TAKE_PTR(l);
}

static char *absolute_names(const char *const *files) {
        _cleanup_strv_ char **l = NULL;

        for (; *files; files++)
                if (strv_consume(&l, streq(*files, "-") ? strdup("-") : path_absolute(*files, NULL)) < 0)
                        return NULL;
        return strv_join(l, " ");
}

int apply_files(Ctl *ctl, const char *const *files) {
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_free_ char *origin = NULL;
        Settle s = { .ctl = ctl, .plan = true };
        int r;

        r = load_files(ctl, files, &specs);
        if (r != 0)
                return r;
        origin = absolute_names(files);
        if (!origin)
                return ctl_oom(ctl);
        r = ctl_connect(ctl, CONNECT_START);
        if (r < 0)
                return r;
        r = settle_call(&s, "Apply", parameters_of(ctl, services_of(&specs), origin));
        if (r == 0 && ctl->options.diff && s.changes == 0 && ctl->options.output == OUTPUT_TABLE && !ctl->options.quiet)
                puts("nothing to do");
        return r;
}

/* What the daemon would do with one service: the verb of the plan, borrowed from *ret_reply. */
static int ask_plan(Ctl *ctl, json_object *service, json_object **ret_reply, const char **ret) {
        _cleanup_json_ json_object *l = json_object_new_array(), *p = NULL;
        json_object *plan;
        int r;

        if (!l || json_object_array_add(l, json_object_get(service)) < 0)
                return ctl_oom(ctl);
        p = parameters_of(ctl, TAKE_PTR(l), NULL);
        if (!p || json_add(p, "diff", json_object_new_boolean(true)) < 0)
                return ctl_oom(ctl);
        r = ctl_call(ctl, "Apply", TAKE_PTR(p), ret_reply);
        if (r < 0)
                return r;
        plan = field_array(*ret_reply, "plan");
        *ret = array_length(plan) > 0 ? field_text(json_object_array_get_idx(plan, 0), "verb") : "";
        return 0;
}

int apply_service(Ctl *ctl, json_object *consumed) {
        _cleanup_json_ json_object *service = consumed, *l = NULL, *reply = NULL;
        Settle s = { .ctl = ctl };
        const char *name = field_text(service, "name"), *verb = NULL;
        int r;

        r = ctl_connect(ctl, CONNECT_START);
        if (r >= 0)
                r = ask_plan(ctl, service, &reply, &verb);
        if (r < 0)
                return r;
        if (streq(verb, "keep"))
                return start_names(ctl, (char *[]){ (char *) name, NULL });
        if (!streq(verb, "add")) {
                r = kl_error_set(&ctl->error, -EEXIST, KL_E_EXISTS, "%s: there is a service of that name with other settings", name);
                kl_error_hint(&ctl->error, "choose another with --name, or remove it first: kingctl delete %s", name);
                return r;
        }
        l = json_object_new_array();
        if (!l || json_object_array_add(l, json_object_get(service)) < 0)
                return ctl_oom(ctl);
        return settle_call(&s, "Apply", parameters_of(ctl, TAKE_PTR(l), "kingctl start"));
}

int verb_apply(Ctl *ctl, char **args) {
        const char *const *files = ctl->options.files;

        if (files && args[0])
                return ctl_usage(ctl, "apply: \"%s\": name every file with -f", args[0]);
        if (!files)
                files = (const char *const *) args;
        if (!files[0])
                return ctl_usage(ctl, "apply: no file given");
        return apply_files(ctl, files);
}

int verb_check(Ctl *ctl, char **args) {
        bool wrong = false;

        for (; *args; args++) {
                _cleanup_spec_list_ SpecList specs = {};
                int r = read_files(ctl, (const char *const[]){ *args, NULL }, NULL, &specs);

                if (r < 0)
                        return r;
                wrong |= r > 0;
                if (r > 0 || ctl->options.quiet)
                        continue;
                print_text(stdout, *args);
                printf(": ok, %zu %s\n", specs.n, plural((int64_t) specs.n, "service", "services"));
        }
        return wrong ? 2 : 0;
}
