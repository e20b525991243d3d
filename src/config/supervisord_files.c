/* The files that make a supervisord.conf: the first one and those that its [include] names, once, as supervisord does it: an [include] in one of
 * these is not followed. All are read before any is understood, for a group may stand in one file and its programs in another. */
#include <fcntl.h>
#include <glob.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/supervisord.h"

#define FILES_MAX 1000

void sources_done(Sources *s) {
        for (size_t i = 0; i < s->n; i++) {
                ini_done(&s->items[i].ini);
                free(s->items[i].path);
                free(s->items[i].directory);
        }
        free(s->items);
        *s = (Sources) {};
}

/* A new entry at the end, about f until the caller changes that; NULL on OOM. */
static Source *add_source(Sources *s, const Foreign *f) {
        Source *grown = reallocarray(s->items, s->n + 1, sizeof(Source));

        if (!grown)
                return NULL;
        s->items = grown;
        grown += s->n++;
        *grown = (Source) { .f = *f };
        return grown;
}

const IniSection *sources_find(const Sources *s, const char *name) {
        for (size_t i = 0; i < s->n; i++)
                for (size_t k = 0; k < s->items[i].ini.n; k++)
                        if (streq(s->items[i].ini.sections[k].name, name))
                                return s->items[i].ini.sections + k;
        return NULL;
}

static int include_file(const Foreign *f, const char *path, Sources *to) {
        _cleanup_free_ char *text = NULL;
        Source *s;
        size_t n;
        int r;

        if (to->n > FILES_MAX)
                return foreign_fault(f, (Place) {}, "more than %d files are included", FILES_MAX);
        r = read_file_at(AT_FDCWD, path, CONFIG_FILE_MAX, &text, &n);
        if (r < 0)
                return r == -ENOMEM ? r : foreign_fault(f, (Place) {}, "%s: cannot be read: %s", path, strerror(-r));
        r = text_check(path, text, n, f->diagnostics);
        if (r <= 0)
                return r;
        s = add_source(to, f);
        if (!s || !(s->path = strdup(path)) || !(s->directory = strdup(path)))
                return -ENOMEM;
        *strrchr(s->directory, '/') = '\0';
        s->f.file = s->path;
        s->f.directory = s->directory;
        return ini_read(&s->f, text, n, &s->ini);
}

static int include_pattern(const Foreign *f, const IniKey *k, const char *pattern, Sources *to) {
        _cleanup_free_ char *path = foreign_path(f, pattern);
        glob_t found = {};
        int r = 0;

        if (!path)
                return -ENOMEM;
        if (glob(path, 0, NULL, &found) != 0)
                r = foreign_note(f, place_of_key(k), "include: no file matches %s", pattern);
        for (size_t i = 0; i < found.gl_pathc && r >= 0; i++)
                r = include_file(f, found.gl_pathv[i], to);
        globfree(&found);
        return r;
}

static int include(const Foreign *f, Sources *to) {
        const IniSection *s = sources_find(to, "include");
        const IniKey *k = s ? ini_find(s, "files") : NULL;
        Program p = { .f = f, .section = s, .name = "", .group = "" };
        _cleanup_free_ char *files = NULL;
        _cleanup_strv_ char **patterns = NULL;
        int r;

        if (!k)
                return 0;
        r = supervisord_expand(&p, k, &files);
        if (r < 0)
                return r == -EINVAL ? 0 : r;
        for (char *c = files; *c; c++)
                if (*c == '\n')
                        *c = ' ';
        r = strv_split_command(files, &patterns);
        if (r < 0)
                return r == -ENOMEM ? r : foreign_fault(f, place_of_key(k), "include: the quotes do not match");
        for (char **pattern = patterns; pattern && *pattern && r >= 0; pattern++)
                r = include_pattern(f, k, *pattern, to);
        return r;
}

int sources_read(const Foreign *f, const char *text, size_t n, Sources *to) {
        Source *first = add_source(to, f);
        int r = first ? ini_read(f, text, n, &first->ini) : -ENOMEM;

        return r < 0 ? r : include(f, to);
}
