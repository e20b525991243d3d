/* The verb save: what the daemon knows, as files that make the same of a daemon that knows nothing. Must stay true: a file is replaced as a whole
 * or not at all, and nobody else's is; what is secret is readable by its owner alone. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/config.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/verbs.h"

#define MARK "# Services of the namespace "

typedef struct Saved {
        json_object *services;          /* of Describe, borrowed */
        SpecList specs;                 /* of them, in the same order */
        char **namespaces;
} Saved;

static void saved_done(Saved *s) {
        spec_list_done(&s->specs);
        strv_free(s->namespaces);
}

static int take_specs(Ctl *ctl, Saved *s) {
        _cleanup_diagnostics_ Diagnostics d = {};

        for (size_t i = 0; i < array_length(s->services); i++) {
                int r = config_load_json(field_object(json_object_array_get_idx(s->services, i), "changed"), &s->specs, &d);

                if (r >= 0 && !strv_contains(s->namespaces, s->specs.items[i]->ns))
                        r = strv_append(&s->namespaces, s->specs.items[i]->ns);
                if (r == -ENOMEM)
                        return ctl_oom(ctl);
                if (r < 0)
                        return kl_error_set(&ctl->error, r, KL_E_FAILED, "the daemon is of another version: %s", d.n > 0 ? d.items[0].message : strerror(-r));
        }
        return 0;
}

/* Without a directory of its own a service runs in /, where a file would put it into its own. */
static int add_service(json_object *services, const ServiceSpec *s) {
        _cleanup_json_ json_object *o = config_spec_to_file(s);

        if (!o || (!s->cwd && json_add_string(o, "cwd", "/") < 0))
                return -ENOMEM;
        return json_add(services, s->name, TAKE_PTR(o));
}

static int make_document(const Saved *s, const char *ns, json_object **ret) {
        _cleanup_json_ json_object *file = json_object_new_object();
        json_object *services = json_object_new_object();
        int r = streq(ns, "default") ? 0 : json_add_string(file, "namespace", ns);

        if (r >= 0)
                r = json_add(file, "services", services);
        else
                json_object_put(services);
        for (size_t i = 0; i < s->specs.n && r >= 0; i++)
                if (streq(s->specs.items[i]->ns, ns))
                        r = add_service(services, s->specs.items[i]);
        if (r >= 0)
                *ret = TAKE_PTR(file);
        return r;
}

/* Somebody else's file, or one that was changed by hand into something else, is not ours to replace. */
static int may_replace(Ctl *ctl, const char *path) {
        char begin[sizeof(MARK)];
        FILE *f = ctl->options.force ? NULL : fopen(path, "re");
        bool ours = !f || (fgets(begin, sizeof(begin), f) && streq(begin, MARK));
        int r;

        if (f)
                fclose(f);
        if (ours)
                return 0;
        r = kl_error_set(&ctl->error, -EEXIST, KL_E_EXISTS, "save: %s is there, and save did not write it", path);
        kl_error_hint(&ctl->error, "name another file, or replace it with --force");
        return r;
}

static int write_namespace(Ctl *ctl, const Saved *s, const char *ns, const char *path) {
        _cleanup_json_ json_object *document = NULL;
        _cleanup_free_ char *yaml = NULL, *text = NULL;
        char now[FORMAT_MAX];
        int r = make_document(s, ns, &document);

        yaml = r < 0 ? NULL : config_yaml(document);
        text = yaml ? text_printf(MARK "%s, written by kingctl save, %s. It holds their secrets.\n%s", ns,
                                  format_local_time(now, now_usec(CLOCK_REALTIME)), yaml) : NULL;
        if (!text)
                return ctl_oom(ctl);
        r = may_replace(ctl, path);
        if (r < 0)
                return r;
        r = write_file_atomic(path, text, strlen(text), 0600);
        if (r < 0)
                return kl_error_set(&ctl->error, r, KL_E_FAILED, "save: %s: %s", path, strerror(-r));
        if (!ctl->options.quiet) {
                int n = json_object_object_length(field_object(document, "services"));

                printf("%s: %d %s\n", path, n, plural(n, "service", "services"));
        }
        return 0;
}

static int write_directory(Ctl *ctl, const Saved *s, const char *directory) {
        STRV_FOREACH(ns, s->namespaces) {
                _cleanup_free_ char *name = text_printf("%s.yaml", *ns), *path = name ? path_join(directory, name) : NULL;
                int r = path ? write_namespace(ctl, s, *ns, path) : ctl_oom(ctl);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int print_namespace(Ctl *ctl, const Saved *s, const char *ns) {
        _cleanup_json_ json_object *document = NULL;
        _cleanup_free_ char *yaml = NULL;

        if (make_document(s, ns, &document) < 0)
                return ctl_oom(ctl);
        if (ctl->options.output != OUTPUT_TABLE) {
                print_json(ctl->options.output, document);
                return 0;
        }
        yaml = config_yaml(document);
        if (!yaml)
                return ctl_oom(ctl);
        fputs(yaml, stdout);
        return 0;
}

/* Who was stopped by hand is started where the file is applied: said, because it is no key. */
static void note_stopped(const Ctl *ctl, const Saved *s) {
        for (size_t i = 0; i < s->specs.n && !ctl->options.quiet; i++)
                if (s->specs.items[i]->autostart && !field_bool(json_object_array_get_idx(s->services, i), "wanted"))
                        fprintf(stderr, "%s is stopped; where the file is applied anew, it is started\n", s->specs.items[i]->name);
}

static int save(Ctl *ctl, const Saved *s, const char *path) {
        bool print = !path || streq(path, "-");
        struct stat st;
        int r;

        if (!print && stat(path, &st) >= 0 && S_ISDIR(st.st_mode))
                return write_directory(ctl, s, path);
        if (strv_length(s->namespaces) > 1) {
                r = ctl_usage(ctl, "save: there are services of %zu namespaces, and a file holds one", strv_length(s->namespaces));
                kl_error_hint(&ctl->error, "choose one with --namespace, or name a directory");
                return r;
        }
        return print ? print_namespace(ctl, s, s->namespaces[0]) : write_namespace(ctl, s, s->namespaces[0], path);
}

/* A file is for its owner alone; what is printed is for whoever looks. */
int verb_save(Ctl *ctl, char **args) {
        bool whole = ctl->options.show_secrets || (args[0] && !streq(args[0], "-"));
        _cleanup_json_ json_object *reply = NULL, *parameters = NULL;
        _cleanup_(saved_done) Saved s = {};
        int r = ctl_connect(ctl, CONNECT_ONLY);

        if (r < 0)
                return r;
        parameters = ctl_selectors(ctl, (char *[]) { NULL }, !ctl->options.namespace);
        if (json_add(parameters, "secrets", json_object_new_boolean(whole)) < 0)
                return ctl_oom(ctl);
        r = ctl_call(ctl, "Describe", TAKE_PTR(parameters), &reply);
        if (r < 0)
                return r;
        s.services = field_array(reply, "services");
        r = take_specs(ctl, &s);
        if (r >= 0 && s.specs.n == 0)
                return kl_error_set(&ctl->error, -ENOENT, KL_E_NOT_FOUND, "save: there are no services%s%s", ctl->options.namespace ? " in the namespace " : "",
                                    ctl->options.namespace ?: "");
        if (r >= 0)
                r = save(ctl, &s, args[0]);
        if (r >= 0)
                note_stopped(ctl, &s);
        return r;
}
