/* The verb import: files of other supervisors → kingly.yaml on standard output, with a report of what has no counterpart on standard error. */
#include <stdio.h>

#include "base/strv.h"
#include "base/text.h"
#include "config/config.h"
#include "kingctl/control.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/verbs.h"

/* A file holds one namespace: the one that all of them are in. */
static int find_namespace(Ctl *ctl, const SpecList *specs, const char **ret) {
        const char *ns = ctl->options.namespace;

        for (size_t i = 0; i < specs->n; i++) {
                if (ctl->options.namespace)
                        continue;
                if (ns && !streq(ns, specs->items[i]->ns)) {
                        int r = ctl_usage(ctl, "import: there are services of the namespaces %s and %s, and a file holds one", ns, specs->items[i]->ns);

                        kl_error_hint(&ctl->error, "choose with --namespace");
                        return r;
                }
                ns = specs->items[i]->ns;
        }
        *ret = ns;
        return 0;
}

static bool has_namespace(const SpecList *specs, const char *ns) {
        for (size_t i = 0; i < specs->n; i++)
                if (streq(specs->items[i]->ns, ns))
                        return true;
        return false;
}

/* With its profiles, but for those that are in force: they are in its keys. */
static int add_service(json_object *services, const ServiceSpec *s, json_object *overlays) {
        _cleanup_free_ char *id = text_printf("%s/%s", s->ns, s->name);
        _cleanup_json_ json_object *o = config_spec_to_file(s);
        json_object *profiles = id ? json_object_object_get(overlays, id) : NULL;

        if (!id || !o)
                return -ENOMEM;
        STRV_FOREACH(name, s->profile)
                json_object_object_del(profiles, *name);
        if (profiles && json_object_object_length(profiles) > 0 && json_add(o, "profiles", json_object_get(profiles)) < 0)
                return -ENOMEM;
        return json_add(services, s->name, TAKE_PTR(o));
}

static int make_file(const SpecList *specs, const char *ns, json_object *overlays, json_object **ret) {
        _cleanup_json_ json_object *file = json_object_new_object();
        json_object *services = json_object_new_object();
        int r = 0;

        if (!streq(ns, "default"))
                r = json_add_string(file, "namespace", ns);
        if (r >= 0)
                r = json_add(file, "services", json_object_get(services));
        for (size_t i = 0; i < specs->n && r >= 0; i++)
                if (streq(specs->items[i]->ns, ns))
                        r = add_service(services, specs->items[i], overlays);
        json_object_put(services);
        if (r >= 0)
                *ret = TAKE_PTR(file);
        return r;
}

int verb_import(Ctl *ctl, char **args) {
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_json_ json_object *file = NULL, *overlays = json_object_new_object();
        _cleanup_free_ char *yaml = NULL;
        const char *ns = NULL, *wanted = ctl->options.namespace;
        int r;

        /* --namespace chooses here; who names none is in `default` as ever. */
        ctl->options.namespace = NULL;
        r = overlays ? read_files(ctl, (const char *const *) args, overlays, &specs) : ctl_oom(ctl);
        ctl->options.namespace = wanted;
        if (r == 0)
                r = find_namespace(ctl, &specs, &ns);
        if (r != 0)
                return r;
        if (wanted && !has_namespace(&specs, wanted))
                return kl_error_set(&ctl->error, -ENOENT, KL_E_NOT_FOUND, "no service of the namespace %s", wanted);
        if (make_file(&specs, ns, overlays, &file) < 0)
                return ctl_oom(ctl);
        if (ctl->options.output != OUTPUT_TABLE) {
                print_json(ctl->options.output, file);
                return 0;
        }
        yaml = config_yaml(file);
        if (!yaml)
                return ctl_oom(ctl);
        fputs(yaml, stdout);
        return 0;
}
