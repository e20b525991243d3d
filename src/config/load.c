/* Owns the ways in: files, texts and API objects. What the file as a whole may hold is here; a service's keys are service.c's, what is seen
 * only across services loader.c's. Reading goes on after a fault wherever the text can still be understood, so that all faults are told at
 * once. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/text.h"
#include "config/foreign.h"
#include "config/loader.h"
#include "config/service.h"

typedef struct FileReader {
        Loader *loader;
        FieldReader field;
        const char *ns;
        ServiceSpec *defaults;       /* what `defaults:` says, NULL without */
        const Node **default_places; /* where it says it */
        const Node **places;         /* the same for the service at hand */
        size_t n_keys;
} FileReader;

static void file_reader_done(FileReader *f) {
        spec_free(f->defaults);
        free(f->default_places);
        free(f->places);
}

/* ---- the file as a whole ---- */

static int say(const FileReader *f, const Node *at, const char *format, ...) _printf_(3, 4);
static int say(const FileReader *f, const Node *at, const char *format, ...) {
        _cleanup_free_ char *message = NULL;
        va_list ap;

        va_start(ap, format);
        message = text_vprintf(format, ap);
        va_end(ap);
        if (!message)
                return -ENOMEM;
        return diagnostics_add(f->field.diagnostics, f->field.file, at ? at->line : 1, at ? at->column : 1, false, "%s", message);
}

static int read_namespace(FileReader *f, const Node *root) {
        const Pair *p = node_find(root, "namespace");
        char words[NODE_WORDS_MAX];

        f->ns = f->loader->options && f->loader->options->fallback_namespace ? f->loader->options->fallback_namespace : "default";
        if (!p || node_is_null(p->value))
                return 0;
        if (p->value->kind != NODE_SCALAR || !name_valid(p->value->text))
                return say(f, p->value, "namespace: expected a name of letters, digits, '_', '.' and '-', not %s",
                           node_words(p->value, words));
        f->ns = p->value->text;
        return 0;
}

static int read_defaults(FileReader *f, const Node *root) {
        const Pair *p = node_find(root, "defaults");
        FieldReader field = f->field;
        char words[NODE_WORDS_MAX];
        int r;

        if (!p || node_is_null(p->value))
                return 0;
        if (p->value->kind != NODE_MAP)
                return say(f, p->value, "defaults: expected keys as a service has them, not %s", node_words(p->value, words));
        r = spec_new(f->ns, "defaults", &f->defaults);
        if (r < 0)
                return r;
        field.spec = f->defaults;
        return service_read(&field, SERVICE_FROM_DEFAULTS, p->value, f->default_places);
}

static int say_unknown_top(const FileReader *f, const Node *key) {
        static const char *const names[] = { "namespace", "defaults", "services", NULL };
        const char *nearest = text_nearest(key->text, names);

        if (nearest)
                return say(f, key, "unknown key `%s` — did you mean `%s`?", key->text, nearest);
        if (spec_key_find(key->text))
                return say(f, key, "`%s` does not stand here: it belongs to a service, under `services:`, or to `defaults:`", key->text);
        return say(f, key, "unknown key `%s`: a file has `namespace`, `defaults` and `services`", key->text);
}

static int check_top_keys(const FileReader *f, const Node *root) {
        int r;

        for (size_t i = 0; i < root->n; i++) {
                const char *key = root->pairs[i].key->text;

                /* `x-…` is room for anchors, as in compose files. */
                if (streq(key, "namespace") || streq(key, "defaults") || streq(key, "services") || startswith(key, "x-"))
                        continue;
                r = say_unknown_top(f, root->pairs[i].key);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- services ---- */

static int take_defaults(const FileReader *f, ServiceSpec *s) {
        int r;

        for (size_t i = 0; f->defaults && i < f->n_keys; i++) {
                r = f->default_places[i] ? spec_key_copy(spec_keys + i, s, f->defaults) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static const Node *depends_place(const FileReader *f) {
        for (size_t i = 0; i < f->n_keys; i++)
                if (spec_keys[i].type == KEY_DEPENDS)
                        return f->places[i] ?: f->default_places[i];
        return NULL;
}

static int read_service_keys(FileReader *f, ServiceSpec *s, const Pair *p) {
        FieldReader field = f->field;
        size_t errors = field.diagnostics->errors;
        int r;

        field.spec = s;
        memset(f->places, 0, f->n_keys * sizeof(Node *));
        r = service_read(&field, SERVICE_FROM_FILE, p->value, f->places);
        if (r < 0)
                return r;
        if (!s->cwd && field.directory) {
                s->cwd = strdup(field.directory);
                if (!s->cwd)
                        return -ENOMEM;
        }
        /* A service with a fault would fail rules over several keys only because of it; the fault of the defaults is told once. */
        if (field.diagnostics->errors > errors)
                return 0;
        return service_validate(&field, p->key, f->places, f->default_places);
}

static int read_service(FileReader *f, const Pair *p) {
        _cleanup_(spec_freep) ServiceSpec *s = NULL;
        char words[NODE_WORDS_MAX];
        int r;

        if (!name_valid(p->key->text))
                return say(f, p->key, "expected a service name of letters, digits, '_', '.' and '-', not %s", node_words(p->key, words));
        r = spec_new(f->ns, p->key->text, &s);
        if (r < 0)
                return r;
        if (p->value->kind == NODE_MAP) {
                r = take_defaults(f, s);
                if (r >= 0)
                        r = read_service_keys(f, s, p);
        } else
                r = say(f, p->value, "service `%s`: expected keys such as `command: …`, not %s", s->name, node_words(p->value, words));
        if (r < 0)
                return r;
        r = loader_add(f->loader, s, f->field.file, p->key, p->value->kind == NODE_MAP ? depends_place(f) : NULL);
        if (r >= 0)
                TAKE_PTR(s);
        return r;
}

static int read_services(FileReader *f, const Node *root, bool top_is_good) {
        const Pair *p = node_find(root, "services");
        char words[NODE_WORDS_MAX];
        int r;

        /* A misspelt `services` was told with its right name. */
        if (!p && !top_is_good)
                return 0;
        if (!p || node_is_null(p->value) || (p->value->kind == NODE_MAP && p->value->n == 0))
                return say(f, p ? p->key : NULL, "the file has no services");
        if (p->value->kind != NODE_MAP)
                return say(f, p->value, "services: expected a map of names (`NAME: {command: …}`), not %s", node_words(p->value, words));
        for (size_t i = 0; i < p->value->n; i++) {
                if (f->loader->n_origins >= CONFIG_SERVICES_MAX)
                        return say(f, p->value->pairs[i].key, "more than %d services", CONFIG_SERVICES_MAX);
                r = read_service(f, p->value->pairs + i);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_root(FileReader *f, const Node *root) {
        size_t errors = f->field.diagnostics->errors;
        char words[NODE_WORDS_MAX];
        bool top_is_good;
        int r;

        f->n_keys = service_key_count();
        f->default_places = calloc(f->n_keys, sizeof(Node *));
        f->places = calloc(f->n_keys, sizeof(Node *));
        if (!f->default_places || !f->places)
                return -ENOMEM;
        if (!root || node_is_null(root))
                return say(f, NULL, "the file has no services");
        if (root->kind != NODE_MAP)
                return say(f, root, "expected `services:` with a map of names, not %s", node_words(root, words));
        r = check_top_keys(f, root);
        top_is_good = f->field.diagnostics->errors == errors;
        if (r >= 0)
                r = read_namespace(f, root);
        if (r >= 0)
                r = read_defaults(f, root);
        return r < 0 ? r : read_services(f, root, top_is_good);
}

/* ---- text → document ---- */

/* Places within a foreign file are its reader's business; what is seen only across services has the file for its place. */
static int load_foreign(Loader *l, ForeignFormat format, const char *name, const char *directory, const char *text, size_t n) {
        static const Node nowhere = { .line = 1, .column = 1 };
        _cleanup_spec_list_ SpecList specs = {};
        int r;

        r = diagnostics_add(l->diagnostics, name, 0, 0, true, "read as %s", foreign_format_name(format));
        if (r >= 0)
                r = foreign_load(format, name, directory, text, n, l->options, &specs, l->diagnostics);
        for (size_t i = 0; i < specs.n && r >= 0; i++) {
                r = loader_add(l, specs.items[i], name, &nowhere, NULL);
                if (r >= 0)
                        specs.items[i] = NULL;
        }
        return r;
}

static int load_text(Loader *l, const char *name, const char *directory, const char *text, size_t n) {
        _cleanup_document_ Document doc = {};
        _cleanup_(file_reader_done) FileReader f = {
                .loader = l,
                .field = { .file = name, .directory = directory, .diagnostics = l->diagnostics },
        };
        ForeignFormat foreign;
        const Document *kept;
        int r;

        if (n > CONFIG_FILE_MAX)
                return diagnostics_add(l->diagnostics, name, 0, 0, false, "larger than %d MiB", CONFIG_FILE_MAX >> 20);
        foreign = directory ? foreign_recognise(name, text, n) : FOREIGN_NONE;
        if (foreign != FOREIGN_NONE)
                return load_foreign(l, foreign, name, directory, text, n);
        r = document_read(&doc, name, text, n, l->diagnostics);
        if (r <= 0)
                return r;
        r = document_expand(&doc, name, l->options ? l->options->environment : NULL, l->diagnostics);
        if (r < 0)
                return r;
        kept = loader_keep(l, &doc);
        return kept ? read_root(&f, kept->root) : -ENOMEM;
}

/* ---- files ---- */

static int read_stdin(char **ret, size_t *ret_n) {
        _cleanup_buffer_ Buffer b = {};
        char chunk[16 * 1024];
        ssize_t n;
        int r;

        for (;;) {
                n = read(STDIN_FILENO, chunk, sizeof(chunk));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                r = buffer_append(&b, chunk, (size_t) n);
                if (r < 0)
                        return r;
                if (n == 0)
                        break;
                if (b.size > CONFIG_FILE_MAX)
                        return -EFBIG;
        }
        *ret_n = b.size;
        *ret = b.data ? TAKE_PTR(b.data) : strdup("");
        return *ret ? 0 : -ENOMEM;
}

static char *directory_of(const char *path) {
        char *directory = streq(path, "-") ? path_absolute(".", NULL) : path_absolute(path, NULL), *slash;

        if (!directory || streq(path, "-"))
                return directory;
        slash = strrchr(directory, '/');
        slash[slash == directory] = '\0';
        return directory;
}

/* What a program says is what it holds; who may run it says so by its hook. */
static int read_path(Loader *l, const char *path, char **ret, size_t *ret_n) {
        if (streq(path, "-"))
                return read_stdin(ret, ret_n);
        if (!foreign_is_program(path))
                return read_file_at(AT_FDCWD, path, CONFIG_FILE_MAX, ret, ret_n);
        return l->options && l->options->evaluate ? l->options->evaluate(l->options->userdata, path, ret, ret_n) : -EOPNOTSUPP;
}

static const char *why_not(int r) {
        return r == -EOPNOTSUPP ? "it is a program, and no program is run here to learn what it says: `kingctl import` makes a file of it" : strerror(-r);
}

/* 0, also when the file has faults; -errno when it could not be read, which is said too. */
static int load_path(Loader *l, const char *path) {
        _cleanup_free_ char *text = NULL, *directory = directory_of(path);
        size_t n = 0;
        int r, q;

        if (!directory)
                return errno == ENOENT ? -ENOENT : -ENOMEM;
        r = read_path(l, path, &text, &n);
        if (r == -ENOMEM)
                return r;
        if (r == -EFBIG)
                q = diagnostics_add(l->diagnostics, path, 0, 0, false, "larger than %d MiB", CONFIG_FILE_MAX >> 20);
        else if (r < 0)
                q = diagnostics_add(l->diagnostics, path, 0, 0, false, "cannot be read: %s", why_not(r));
        else
                return load_text(l, path, directory, text, n);
        return q < 0 ? q : r;
}

int config_load_files(char *const *paths, const ConfigOptions *o, SpecList *specs, Diagnostics *d) {
        _cleanup_loader_ Loader l = {};
        int r, failed = 0;

        r = loader_init(&l, o, specs, d);
        for (size_t i = 0; r >= 0 && paths[i]; i++) {
                r = load_path(&l, paths[i]);
                /* One unreadable file does not hide the faults of the others. */
                if (r < 0 && r != -ENOMEM) {
                        failed = failed ?: r;
                        r = 0;
                }
        }
        if (r >= 0)
                r = loader_check(&l);
        if (r >= 0)
                r = loader_finish(&l, specs);
        return r == -EINVAL && failed ? failed : r;
}

int config_load_file(const char *path, const ConfigOptions *o, SpecList *specs, Diagnostics *d) {
        char *paths[] = { (char *) path, NULL };

        return config_load_files(paths, o, specs, d);
}

int config_load_text(const char *name, const char *directory, const char *text, size_t n, const ConfigOptions *o, SpecList *specs,
                     Diagnostics *d) {
        _cleanup_loader_ Loader l = {};
        int r;

        r = loader_init(&l, o, specs, d);
        if (r >= 0)
                r = load_text(&l, name, directory, text, n);
        if (r >= 0)
                r = loader_check(&l);
        return r < 0 ? r : loader_finish(&l, specs);
}
