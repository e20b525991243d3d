/* Owns the ways in: which format a text is in, and the document for those that are YAML or JSON. */
#include <fnmatch.h>

#include "base/text.h"
#include "config/foreign_builder.h"

static const struct {
        const char *pattern;
        ForeignFormat format;
} names[] = {
        { "Procfile", FOREIGN_PROCFILE },
        { "Procfile.*", FOREIGN_PROCFILE },
        { "*.Procfile", FOREIGN_PROCFILE },
        { "supervisord.conf", FOREIGN_SUPERVISORD },
        { "supervisor*.conf", FOREIGN_SUPERVISORD },
        { "process-compose*.y*ml", FOREIGN_PROCESS_COMPOSE },
        { "ecosystem.config.*", FOREIGN_PM2 },
        { "ecosystem.*", FOREIGN_PM2 },
        { "pm2.config.*", FOREIGN_PM2 },
        { "dump.pm2", FOREIGN_PM2 },
        { "dump.pm2.bak", FOREIGN_PM2 },
        { "*.config.js", FOREIGN_PM2 },
        { "*.config.cjs", FOREIGN_PM2 },
        { "*.config.mjs", FOREIGN_PM2 },
        { "*.json5", FOREIGN_PM2 },
};

static const char *last_part(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

bool foreign_is_program(const char *name) {
        static const char *const suffixes[] = { ".js", ".cjs", ".mjs" };
        const char *dot = strrchr(last_part(name), '.');

        for (size_t i = 0; dot && i < ARRAY_SIZE(suffixes); i++)
                if (streq(dot, suffixes[i]))
                        return true;
        return false;
}

const char *foreign_format_name(ForeignFormat f) {
        static const char *const words[] = {
                [FOREIGN_NONE] = "",
                [FOREIGN_PROCFILE] = "a Procfile",
                [FOREIGN_SUPERVISORD] = "a configuration of supervisord",
                [FOREIGN_PM2] = "an ecosystem of PM2",
                [FOREIGN_PROCESS_COMPOSE] = "a project of process-compose",
        };
        return words[f];
}

static bool has_list(const Node *root, const char *key) {
        const Pair *p = node_find(root, key);

        return p && (p->value->kind == NODE_LIST || p->value->kind == NODE_MAP);
}

/* One of a list without a name, as a dump is. */
static bool is_application(const Node *n) {
        return n->kind == NODE_MAP && (node_find(n, "script") || node_find(n, "pm_exec_path"));
}

ForeignFormat foreign_recognise_document(const Node *root) {
        if (root && root->kind == NODE_LIST)
                return root->n > 0 && is_application(root->items[0]) ? FOREIGN_PM2 : FOREIGN_NONE;
        if (!root || root->kind != NODE_MAP || node_find(root, "services"))
                return FOREIGN_NONE;
        if (has_list(root, "apps") || has_list(root, "pm2") || (node_find(root, "script") && node_find(root, "name")))
                return FOREIGN_PM2;
        return has_list(root, "processes") ? FOREIGN_PROCESS_COMPOSE : FOREIGN_NONE;
}

/* "[program:x]" at the beginning of a line. */
static bool has_program_section(const char *text) {
        for (const char *p = text; (p = strstr(p, "[program:")); p++)
                if (p == text || p[-1] == '\n')
                        return true;
        return false;
}

ForeignFormat foreign_recognise(const char *name, const char *text) {
        const char *base = last_part(name);

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (fnmatch(names[i].pattern, base, 0) == 0)
                        return names[i].format;
        return has_program_section(text) ? FOREIGN_SUPERVISORD : FOREIGN_NONE;
}

/* ---- text → services ---- */

static int load_root(ForeignFormat format, const Foreign *f, const Node *root) {
        if (!root)
                return foreign_fault(f, (Place) { 1, 1 }, "the file is empty");
        return format == FOREIGN_PM2 ? pm2_load(f, root) : process_compose_load(f, root);
}

static int load_document(ForeignFormat format, const Foreign *f, const char *text, size_t n) {
        _cleanup_document_ Document doc = {};
        size_t errors = f->diagnostics->errors;
        int r;

        r = document_read(&doc, f->file, text, n, f->diagnostics);
        return r <= 0 || f->diagnostics->errors > errors ? r : load_root(format, f, doc.root);
}

static Foreign foreign_of(const char *name, const char *directory, const ConfigOptions *o, SpecList *specs, char ***profiles, Diagnostics *d) {
        return (Foreign) { .file = name, .directory = directory, .ns = o && o->fallback_namespace ? o->fallback_namespace : "default",
                           .environment = o ? o->environment : NULL, .options = o, .profiles = profiles, .diagnostics = d, .specs = specs };
}

int foreign_load_document(ForeignFormat format, const char *name, const char *directory, const Node *root, const ConfigOptions *o, SpecList *specs,
                          char ***profiles, Diagnostics *d) {
        const Foreign f = foreign_of(name, directory, o, specs, profiles, d);

        return load_root(format, &f, root);
}

int foreign_load(ForeignFormat format, const char *name, const char *directory, const char *text, size_t n, const ConfigOptions *o, SpecList *specs,
                 char ***profiles, Diagnostics *d) {
        const Foreign f = foreign_of(name, directory, o, specs, profiles, d);
        int r;

        switch (format) {
        case FOREIGN_PM2:
        case FOREIGN_PROCESS_COMPOSE:
                return load_document(format, &f, text, n);
        case FOREIGN_PROCFILE:
        case FOREIGN_SUPERVISORD:
                r = text_check(name, text, n, d);
                if (r <= 0)
                        return r;
                return format == FOREIGN_PROCFILE ? procfile_load(&f, text, n) : supervisord_load(&f, text, n);
        default:
                return 0;
        }
}
