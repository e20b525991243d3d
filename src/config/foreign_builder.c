/* See foreign_builder.h. What must stay true: a service goes through the same door as one that came by the API, so that a foreign file can say
 * nothing that Kingly's own could not. */
#include <stdarg.h>
#include <stdio.h>

#include "base/strv.h"
#include "base/text.h"
#include "base/fd.h"
#include "config/foreign_builder.h"
#include "config/profiles.h"

static int say(const Foreign *f, Place at, bool warning, const char *format, va_list ap) _printf_(4, 0);
static int say(const Foreign *f, Place at, bool warning, const char *format, va_list ap) {
        _cleanup_free_ char *message = text_vprintf(format, ap);

        return message ? diagnostics_add(f->diagnostics, f->file, at.line, at.column, warning, "%s", message) : -ENOMEM;
}

int foreign_note(const Foreign *f, Place at, const char *format, ...) {
        va_list ap;
        int r;

        if (f->repeated)
                return 0;
        va_start(ap, format);
        r = say(f, at, true, format, ap);
        va_end(ap);
        return r;
}

int foreign_fault(const Foreign *f, Place at, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = say(f, at, false, format, ap);
        va_end(ap);
        return r;
}

/* The group that a dotted path stands in, made where it is missing; *ret_key is what is left of the path. NULL on OOM. */
static json_object *group_of(json_object *service, const char *path, const char **ret_key) {
        const char *dot = strchr(path, '.');
        _cleanup_free_ char *name = NULL;
        json_object *group;

        *ret_key = dot ? dot + 1 : path;
        if (!dot)
                return service;
        name = strndup(path, (size_t) (dot - path));
        if (!name)
                return NULL;
        if (json_object_object_get_ex(service, name, &group))
                return group;
        group = json_object_new_object();
        return json_add(service, name, group) < 0 ? NULL : group;
}

int foreign_set(json_object *service, const char *path, json_object *value) {
        const char *key;
        json_object *group = group_of(service, path, &key);

        if (!group) {
                json_object_put(value);
                return -ENOMEM;
        }
        return json_add(group, key, value);
}

int foreign_set_text(json_object *service, const char *path, const char *text) {
        return foreign_set(service, path, json_object_new_string(text));
}

int foreign_set_strv(json_object *service, const char *path, char *const *l) {
        _cleanup_json_ json_object *array = json_object_new_array();

        STRV_FOREACH(s, l)
                if (!array || json_append(array, json_object_new_string(*s)) < 0)
                        return -ENOMEM;
        return foreign_set(service, path, TAKE_PTR(array));
}

int foreign_push(json_object *service, const char *path, json_object *value) {
        const char *key;
        json_object *group = group_of(service, path, &key), *list;
        int r = group ? 0 : -ENOMEM;

        if (r >= 0 && !json_object_object_get_ex(group, key, &list)) {
                list = json_object_new_array();
                r = json_add(group, key, list);
        }
        if (r < 0) {
                json_object_put(value);
                return r;
        }
        return json_append(list, value);
}

int foreign_set_env(json_object *service, const char *name, const char *value) {
        json_object *env;

        if (!json_object_object_get_ex(service, "env", &env)) {
                env = json_object_new_object();
                if (json_add(service, "env", env) < 0)
                        return -ENOMEM;
        }
        return json_add(env, name, json_object_new_string(value));
}

int foreign_set_profile_env(json_object *service, const char *profile, const char *name, const char *value) {
        json_object *profiles, *own;

        if (!json_object_object_get_ex(service, "profiles", &profiles)) {
                profiles = json_object_new_object();
                if (json_add(service, "profiles", profiles) < 0)
                        return -ENOMEM;
        }
        if (!json_object_object_get_ex(profiles, profile, &own)) {
                own = json_object_new_object();
                if (json_add(profiles, profile, own) < 0)
                        return -ENOMEM;
        }
        return foreign_set_env(own, name, value);
}

char *foreign_path(const Foreign *f, const char *path) {
        if (path[0] == '/')
                return strdup(path);
        if (startswith(path, "./"))
                path += 2;
        return streq(path, "") || streq(path, ".") ? strdup(f->directory) : path_join(f->directory, path);
}

/* The nearest name that Kingly takes; malloc'ed. */
static char *fitting_name(const char *name) {
        char *fit = strndup(name, 128);

        for (char *p = fit; p && *p; p++)
                if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '_' || *p == '-' || *p == '.') ||
                    (p == fit && (*p == '.' || *p == '-')) || (*p == '.' && p[1] == '.'))
                        *p = '_';
        return fit;
}

static int named(const Foreign *f, Place at, const char *what, const char *name, char **ret) {
        *ret = fitting_name(*name ? name : "unnamed");
        if (!*ret)
                return -ENOMEM;
        return streq(*ret, name) ? 0 : foreign_note(f, at, "%s `%s` becomes `%s`: names hold letters, digits, '_', '-' and '.'", what, name, *ret);
}

/* ---- profiles ---- */

/* Maps are merged, anything else is replaced: what service_read() does with the layers of a file. */
static int overlay(json_object *base, json_object *layer) {
        json_object_object_foreach(layer, key, value) {
                json_object *present;
                int r;

                if (json_object_is_type(value, json_type_object) && json_object_object_get_ex(base, key, &present) &&
                    json_object_is_type(present, json_type_object))
                        r = overlay(present, value);
                else
                        r = json_add(base, key, json_object_get(value));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int lay_profiles(const Foreign *f, const char *ns, const char *name, json_object *service, json_object *profiles) {
        char *ids[] = { text_printf("%s/%s", ns, name), NULL };
        _cleanup_json_ json_object *list = json_object_new_array();
        _cleanup_free_ char *id = ids[0];
        _cleanup_profiles_ Profiles p = {};
        int r = id && list ? 0 : -ENOMEM;

        json_object_object_foreach(profiles, key, ignored) {
                (void) ignored;
                if (r >= 0 && !strv_contains(*f->profiles, key))
                        r = strv_append(f->profiles, key);
                if (r >= 0)
                        r = profiles_add_name(&p, key);
        }
        if (r >= 0)
                r = profiles_choose(&p, f->options, ids);
        STRV_FOREACH(chosen, p.chosen) {
                if (r >= 0)
                        r = overlay(service, json_object_object_get(profiles, *chosen));
                if (r >= 0)
                        r = json_append(list, json_object_new_string(*chosen));
        }
        return r < 0 || !p.chosen ? r : json_add(service, "profile", TAKE_PTR(list));
}

/* `profiles` is no key of a service that the API takes: those in force are laid over it, the others are the caller's to keep. */
static int take_profiles(const Foreign *f, const char *ns, const char *name, json_object *service) {
        _cleanup_json_ json_object *profiles = NULL;
        _cleanup_free_ char *id = NULL;
        int r;

        if (!json_object_object_get_ex(service, "profiles", &profiles))
                return 0;
        profiles = json_object_get(profiles);
        json_object_object_del(service, "profiles");
        r = lay_profiles(f, ns, name, service, profiles);
        if (r < 0 || !f->options || !f->options->overlays)
                return r;
        id = text_printf("%s/%s", ns, name);
        return id ? json_add(f->options->overlays, id, TAKE_PTR(profiles)) : -ENOMEM;
}

int foreign_add(const Foreign *f, Place at, const char *ns, const char *name, json_object *consumed) {
        _cleanup_diagnostics_ Diagnostics found = {};
        _cleanup_free_ char *fit = NULL, *fit_ns = NULL;
        _cleanup_json_ json_object *service = consumed;
        int r;

        if (!service)
                return -ENOMEM;
        if ((r = named(f, at, "service", name, &fit)) < 0 || (r = named(f, at, "namespace", ns ?: f->ns, &fit_ns)) < 0 ||
            (r = foreign_set_text(service, "name", fit)) < 0 || (r = foreign_set_text(service, "namespace", fit_ns)) < 0 ||
            (r = take_profiles(f, fit_ns, fit, service)) < 0)
                return r;
        r = config_load_json(service, f->specs, &found);
        if (r == -ENOMEM)
                return r;
        for (size_t k = 0; k < found.n; k++)
                if (diagnostics_add(f->diagnostics, f->file, at.line, at.column, found.items[k].warning, "%s: %s", name, found.items[k].message) < 0)
                        return -ENOMEM;
        return 0;
}
