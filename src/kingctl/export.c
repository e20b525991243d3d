/* The verb export: what the daemon knows of services, written for somebody else. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/config.h"
#include "export/export.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/verbs.h"
#include "model/balanced.h"
#include "model/redact.h"

/* The specs of a reply of Describe. */
static int take_specs(Ctl *ctl, json_object *reply, SpecList *ret) {
        _cleanup_diagnostics_ Diagnostics d = {};
        json_object *services = field_array(reply, "services");

        for (size_t i = 0; i < array_length(services); i++) {
                int r = config_load_json(field_object(json_object_array_get_idx(services, i), "changed"), ret, &d);

                if (r == -ENOMEM)
                        return ctl_oom(ctl);
                if (r < 0)
                        return kl_error_set(&ctl->error, r, KL_E_FAILED, "the daemon is of another version: %s", d.n > 0 ? d.items[0].message : strerror(-r));
        }
        return 0;
}

static int fetch(Ctl *ctl, char **selectors, SpecList *ret) {
        _cleanup_json_ json_object *reply = NULL;
        int r = ctl_connect(ctl, CONNECT_ONLY);

        if (r >= 0)
                r = ctl_call(ctl, "Describe", ctl_secrets(ctl, ctl_selectors(ctl, selectors, true)), &reply);
        return r < 0 ? r : take_specs(ctl, reply, ret);
}

/* What the daemon hid means nothing to whoever gets the files: such variables are left out. */
static int leave_out_secrets(ServiceSpec *s, char ***notes) {
        _cleanup_strv_ char **left = NULL;
        int r = 0;

        STRV_FOREACH(e, s->env) {
                if (!strstr(*e, REDACTED))
                        r = strv_append(&left, *e);
                else
                        r = strv_consume(notes, text_printf("%s: env.%.*s is a secret and is left out (--show-secrets writes it)", s->name,
                                                            (int) strcspn(*e, "="), *e));
                if (r < 0)
                        return r;
        }
        strv_free(s->env);
        s->env = TAKE_PTR(left);
        STRV_FOREACH(w, s->command)
                if (strstr(*w, REDACTED))
                        return strv_consume(notes, text_printf("%s: a secret in its command stands there as %s (--show-secrets writes it)", s->name, REDACTED));
        return 0;
}

/* The services of a Compose project stand in one file. */
static int gather(Export *e) {
        json_object *project = json_object_new_object(), *services = json_object_new_object();

        if (json_add(project, "services", services) < 0) {
                json_object_put(project);
                return -ENOMEM;
        }
        for (size_t i = 0; i < e->n; i++)
                if (json_add(services, e->files[i].name, TAKE_PTR(e->files[i].document)) < 0) {
                        json_object_put(project);
                        return -ENOMEM;
                }
        for (size_t i = 1; i < e->n; i++)
                free(e->files[i].name);
        free(e->files[0].name);
        e->n = 1;
        e->files[0] = (ExportFile) { .name = strdup("compose.yaml"), .document = project };
        return e->files[0].name ? 0 : -ENOMEM;
}

static int write_file(Ctl *ctl, const char *directory, const ExportFile *f, const char *text) {
        _cleanup_free_ char *path = path_join(directory, f->name);
        size_t n = strlen(text);
        FILE *out;
        int fd;

        if (!path)
                return ctl_oom(ctl);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, ctl->options.show_secrets ? 0600 : 0644);
        out = fd < 0 ? NULL : fdopen(fd, "w");
        if (!out || fwrite(text, 1, n, out) != n || fclose(out) != 0) {
                int r = kl_error_set(&ctl->error, -errno, KL_E_FAILED, "%s: %s", path, strerror(errno));

                if (errno == EEXIST)
                        kl_error_hint(&ctl->error, "nothing is replaced: remove it, or choose another directory");
                return r;
        }
        if (!ctl->options.quiet)
                printf("%s\n", path);
        return 0;
}

static int put_file(Ctl *ctl, const Export *e, const ExportFile *f) {
        _cleanup_free_ char *yaml = f->document ? config_yaml(f->document) : NULL;
        const char *text = f->document ? yaml : f->text;

        if (!text)
                return ctl_oom(ctl);
        if (ctl->options.directory)
                return write_file(ctl, ctl->options.directory, f, text);
        if (f->document)
                printf("%s%s", f > e->files ? "---\n" : "", text);
        else
                printf("%s# %s\n%s", f > e->files ? "\n" : "", f->name, text);
        return 0;
}

/* Elsewhere there is no balancer, and nothing to wait for. */
static int leave_out_balancer(ServiceSpec *s, const SpecList *all, char ***notes) {
        const ServiceSpec *balancer = balanced_find(all, s);
        _cleanup_free_ char *made = text_printf("%s" BALANCER_SUFFIX, s->name);
        const char *name = balancer ? balancer->name : made;
        DependencyList *l = &s->depends;

        if (!name)
                return -ENOMEM;
        for (size_t k = 0; k < l->n; k++)
                if (streq(l->items[k].name, name)) {
                        free(l->items[k].name);
                        memmove(l->items + k, l->items + k + 1, (--l->n - k) * sizeof(Dependency));
                        break;
                }
        return balancer ? strv_consume(notes, text_printf("%s: the balancer of %s has no counterpart", name, s->name)) : 0;
}

int verb_export(Ctl *ctl, char **args) {
        ExportOptions o = { .image = ctl->options.image, .user = options_user(&ctl->options), .n_cpus = (unsigned) MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L) };
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_export_ Export e = {};
        int format = export_format_from_name(args[0]), r;

        if (format < 0) {
                r = ctl_usage(ctl, "export: no such format: %s", args[0]);
                kl_error_hint(&ctl->error, "systemd, quadlet, compose or kubernetes");
                return r;
        }
        r = fetch(ctl, args + 1, &specs);
        o.all = &specs;
        for (size_t i = 0; i < specs.n && r >= 0; i++)
                r = leave_out_secrets(specs.items[i], &e.notes);
        for (size_t i = 0; i < specs.n && r >= 0; i++)
                r = spec_balanced(specs.items[i]) ? leave_out_balancer(specs.items[i], &specs, &e.notes) : 0;
        for (size_t i = 0; i < specs.n && r >= 0; i++)
                if (!specs.items[i]->balances)
                        r = export_service((ExportFormat) format, specs.items[i], &o, &e, &ctl->error);
        if (r >= 0 && format == EXPORT_COMPOSE)
                r = gather(&e);
        if (r < 0)
                return r == -ENOMEM ? ctl_oom(ctl) : r;
        for (size_t i = 0; i < e.n && r >= 0; i++)
                r = put_file(ctl, &e, e.files + i);
        fflush(stdout);
        STRV_FOREACH(note, e.notes) {
                print_text(stderr, *note);
                fputc('\n', stderr);
        }
        return r;
}
