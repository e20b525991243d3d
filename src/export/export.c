/* See export.h. */
#include <stdarg.h>
#include <stdio.h>

#include "base/strv.h"
#include "export/exporter.h"

static const struct {
        const char *name;
        bool image;
        int (*run)(Exporter *x);
} formats[] = {
        [EXPORT_SYSTEMD] = { "systemd", false, export_systemd },
        [EXPORT_QUADLET] = { "quadlet", true, export_quadlet },
        [EXPORT_COMPOSE] = { "compose", true, export_compose },
        [EXPORT_KUBERNETES] = { "kubernetes", true, export_kubernetes },
};

const char *export_format_name(ExportFormat f) {
        return formats[f].name;
}

int export_format_from_name(const char *name) {
        for (int i = 0; i < _EXPORT_FORMAT_MAX; i++)
                if (streq(formats[i].name, name))
                        return i;
        return -EINVAL;
}

void export_done(Export *e) {
        for (size_t i = 0; i < e->n; i++) {
                free(e->files[i].name);
                free(e->files[i].text);
                json_object_put(e->files[i].document);
        }
        free(e->files);
        strv_free(e->notes);
        *e = (Export) {};
}

int export_add(Export *out, char *name, char *text, json_object *document) {
        ExportFile *files = name && (text || document) ? reallocarray(out->files, out->n + 1, sizeof(ExportFile)) : NULL;

        if (!files) {
                free(name);
                free(text);
                json_object_put(document);
                return -ENOMEM;
        }
        out->files = files;
        files[out->n++] = (ExportFile) { .name = name, .text = text, .document = document };
        return 0;
}

int export_note(Exporter *x, const char *format, ...) {
        _cleanup_free_ char *message = NULL;
        va_list ap;

        va_start(ap, format);
        message = text_vprintf(format, ap);
        va_end(ap);
        if (!message)
                return -ENOMEM;
        return strv_consume(&x->out->notes, text_printf("%s: %s", x->spec->name, message));
}

int export_note_key(Exporter *x, const SpecKey *k) {
        return export_note(x, "%s has no counterpart", k->path);
}

int export_note_container(Exporter *x, const SpecKey *k) {
        return export_note(x, "%s: every container has that", k->path);
}

char *export_name(const ServiceSpec *s) {
        return streq(s->ns, "default") ? strdup(s->name) : text_printf("%s-%s", s->ns, s->name);
}

char *export_dependency_name(const Exporter *x, const Dependency *d, unsigned *ret_instances) {
        const char *slash = strchr(d->name, '/'), *name = slash ? slash + 1 : d->name;
        _cleanup_free_ char *ns = slash ? strndup(d->name, (size_t) (slash - d->name)) : strdup(x->spec->ns);
        const ServiceSpec *other = ns && x->options->all ? spec_list_find(x->options->all, ns, name) : NULL;

        if (!ns)
                return NULL;
        if (ret_instances)
                *ret_instances = other ? spec_instances(other, x->options->n_cpus) : 1;
        return streq(ns, "default") ? strdup(name) : text_printf("%s-%s", ns, name);
}

static const ExportRow *find_row(const ExportRow *const *tables, const char *key) {
        for (; *tables; tables++)
                for (const ExportRow *row = *tables; row->key; row++)
                        if (streq(row->key, key))
                                return row;
        return NULL;
}

static int walk_key(Exporter *x, const SpecKey *k, const ExportRow *row, int (*plain)(Exporter *x, const char *as, const char *text)) {
        _cleanup_free_ char *text = NULL;
        int r;

        if (!row)
                return export_note_key(x, k);
        if (row->emit)
                return row->emit(x, k);
        if (!row->as)
                return 0;
        r = spec_scalar_format(k, x->spec, &text);
        return r < 0 || !text ? r : plain(x, row->as, text);
}

int export_walk(Exporter *x, const ExportRow *const *tables, int (*plain)(Exporter *x, const char *as, const char *text)) {
        int r = 0;

        for (const SpecKey *k = spec_keys; k->path && r >= 0; k++)
                if (!k->applied && !spec_key_is_default(k, x->spec))
                        r = walk_key(x, k, find_row(tables, k->path), plain);
        return r;
}

int export_service(ExportFormat format, const ServiceSpec *s, const ExportOptions *o, Export *ret, KlError *reterr) {
        _cleanup_exporter_ Exporter x = { .spec = s, .options = o, .out = ret, .instances = spec_instances(s, o->n_cpus) };

        if (formats[format].image && !o->image) {
                (void) kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s needs the image that holds the program", formats[format].name);
                kl_error_hint(reterr, "--image registry/name:tag");
                return -EINVAL;
        }
        return formats[format].run(&x);
}

/* ---- documents ---- */

static json_object *parent_of(json_object *o, const char *path, const char **ret_key) {
        const char *dot = strchr(path, '.');
        _cleanup_free_ char *name = NULL;
        json_object *inner;

        *ret_key = path;
        if (!o || !dot)
                return o;
        name = strndup(path, (size_t) (dot - path));
        if (!name)
                return NULL;
        if (!json_object_object_get_ex(o, name, &inner)) {
                inner = json_object_new_object();
                if (!inner || json_object_object_add(o, name, inner) < 0) {
                        json_object_put(inner);
                        return NULL;
                }
        }
        return parent_of(inner, dot + 1, ret_key);
}

int export_set(json_object *o, const char *path, json_object *value) {
        const char *key;
        json_object *parent = value ? parent_of(o, path, &key) : NULL;

        if (!parent || json_object_object_add(parent, key, value) < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

int export_set_text(json_object *o, const char *path, const char *text) {
        return export_set(o, path, json_object_new_string(text));
}

int export_push(json_object *o, const char *path, json_object *value) {
        const char *key;
        json_object *parent = value ? parent_of(o, path, &key) : NULL, *list = NULL;
        int r = parent ? 0 : -ENOMEM;

        if (r >= 0 && !json_object_object_get_ex(parent, key, &list)) {
                list = json_object_new_array();
                r = export_set(parent, key, list);
        }
        if (r < 0 || json_object_array_add(list, value) < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

json_object *export_strv(char *const *l) {
        json_object *array = json_object_new_array();

        STRV_FOREACH(s, l) {
                json_object *item = json_object_new_string(*s);

                if (!item || !array || json_object_array_add(array, item) < 0) {
                        json_object_put(item);
                        json_object_put(array);
                        return NULL;
                }
        }
        return array;
}
