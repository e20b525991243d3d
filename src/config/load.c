/* Owns the ways in: files and texts. What a file as a whole holds is root.c's, what is seen only across services loader.c's. Reading goes on after a
 * fault wherever the text can still be understood, so that all faults are told at once. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/text.h"
#include "config/foreign.h"
#include "config/loader.h"
#include "config/references.h"
#include "config/root.h"

/* ---- text → document ---- */

/* Places within a foreign file are its reader's business; what is seen only across services has the file for its place. */
static int add_foreign(Loader *l, const char *name, SpecList *specs) {
        static const Node nowhere = { .line = 1, .column = 1 };
        int r = 0;

        for (size_t i = 0; i < specs->n && r >= 0; i++) {
                r = loader_add(l, specs->items[i], name, &nowhere, NULL);
                if (r >= 0)
                        specs->items[i] = NULL;
        }
        return r;
}

/* root: of the document, where it was read already. */
static int load_foreign(Loader *l, ForeignFormat format, const char *name, const char *directory, const Node *root, const char *text, size_t n) {
        _cleanup_spec_list_ SpecList specs = {};
        int r;

        r = diagnostics_add(l->diagnostics, name, 0, 0, true, "read as %s", foreign_format_name(format));
        if (r >= 0 && root)
                r = foreign_load_document(format, name, directory, root, l->options, &specs, &l->profiles, l->diagnostics);
        else if (r >= 0)
                r = foreign_load(format, name, directory, text, n, l->options, &specs, &l->profiles, l->diagnostics);
        return r < 0 ? r : add_foreign(l, name, &specs);
}

static int load_document(Loader *l, const char *name, const char *directory, const char *text, size_t n) {
        size_t errors = l->diagnostics->errors;
        _cleanup_document_ Document doc = {};
        ForeignFormat foreign;
        int r;

        r = document_read(&doc, name, text, n, l->diagnostics);
        if (r <= 0)
                return r;
        foreign = directory && l->diagnostics->errors == errors ? foreign_recognise_document(doc.root) : FOREIGN_NONE;
        if (foreign != FOREIGN_NONE)
                return load_foreign(l, foreign, name, directory, doc.root, text, n);
        r = document_expand(&doc, name, l->options ? l->options->environment : NULL, l->diagnostics);
        if (r < 0)
                return r;
        return loader_keep(l, &doc) ? root_open(l, name, directory) : -ENOMEM;
}

/* What needs all files: values of other services, then the services, then what is seen across them. */
static int load_rest(Loader *l) {
        int r = references_resolve(l);

        for (size_t i = 0; i < l->n_roots && r >= 0; i++)
                r = root_read(l->roots[i]);
        return r < 0 ? r : loader_check(l);
}

static int load_text(Loader *l, const char *name, const char *directory, const char *text, size_t n) {
        ForeignFormat foreign;

        if (n > CONFIG_FILE_MAX)
                return diagnostics_add(l->diagnostics, name, 0, 0, false, "larger than %d MiB", CONFIG_FILE_MAX >> 20);
        foreign = directory ? foreign_recognise(name, text) : FOREIGN_NONE;
        if (foreign != FOREIGN_NONE)
                return load_foreign(l, foreign, name, directory, NULL, text, n);
        return load_document(l, name, directory, text, n);
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
        switch (r) {
        case -EOPNOTSUPP:
                return "it is a program, and no program is run here to learn what it says: `kingctl import` makes a file of it";
        case -EBADMSG:
                return "node could not run it: what it has to say stands above";
        case -ETIMEDOUT:
                return "node did not come to an end with it";
        default:
                return strerror(-r);
        }
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
        l.paths = paths;
        for (size_t i = 0; r >= 0 && paths[i]; i++) {
                r = load_path(&l, paths[i]);
                /* One unreadable file does not hide the faults of the others. */
                if (r < 0 && r != -ENOMEM) {
                        failed = failed ?: r;
                        r = 0;
                }
        }
        if (r >= 0)
                r = load_rest(&l);
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
                r = load_rest(&l);
        return r < 0 ? r : loader_finish(&l, specs);
}
