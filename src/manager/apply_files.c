/* Our own configuration files: which they are, and what becomes of their errors. Must stay true: a file with errors changes nothing that lives
 * and is a visible problem. */
#include <dirent.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "config/config.h"
#include "manager/apply.h"
#include "manager/events.h"
#include "manager/upward.h"

static int append_directory(const char *dir, char ***files) {
        struct dirent **entries;
        int n = scandir(dir, &entries, NULL, alphasort), r = 0;

        if (n < 0)
                return errno == ENOENT ? 0 : -errno;
        for (int k = 0; k < n; k++) {
                const char *dot = strrchr(entries[k]->d_name, '.');

                if (r >= 0 && dot && (streq(dot, ".yaml") || streq(dot, ".yml") || streq(dot, ".json") || streq(dot, ".jsonc")) &&
                    entries[k]->d_name[0] != '.')
                        r = strv_consume(files, path_join(dir, entries[k]->d_name));
                free(entries[k]);
        }
        free(entries);
        return r;
}

static int own_files(Manager *m, char ***ret) {
        int r = 0;

        if (m->options.config_files) {
                STRV_FOREACH(f, m->options.config_files)
                        if ((r = strv_append(ret, *f)) < 0)
                                return r;
                return 0;
        }
        if (access(m->places.config_file, F_OK) >= 0)
                r = strv_append(ret, m->places.config_file);
        return r < 0 ? r : append_directory(m->places.config_dir, ret);
}

static void report(Manager *m, const Diagnostics *d) {
        for (size_t k = 0; k < d->n; k++) {
                _cleanup_free_ char *text = diagnostic_format(d->items + k);

                if (d->items[k].warning)
                        log_warning("%s", text ?: d->items[k].message);
                else
                        manager_problem(m, "%s", text ?: d->items[k].message);
        }
}

int apply_files(Manager *m) {
        _cleanup_strv_ char **files = NULL, **warnings = NULL;
        _cleanup_diagnostics_ Diagnostics d = {};
        _cleanup_selection_ Selection touched = {};
        _cleanup_plan_ Plan plan = {};
        _cleanup_error_ KlError e = {};
        ConfigOptions options = { .environment = environ, .profiles = m->options.profiles, .remembered = apply_profiles, .userdata = m };
        SpecList specs = {};
        int r;

        r = own_files(m, &files);
        if (r >= 0 && files)
                r = config_load_files(files, &options, &specs, &d);
        report(m, &d);
        if (r >= 0 && specs.n > 0) {
                r = apply_specs(m, &specs, files[0], false, false, true, &plan, &warnings, &touched, &e);
                if (r < 0)
                        manager_problem(m, "cannot apply the configuration: %s", e.message ?: strerror(-r));
        }
        STRV_FOREACH(w, warnings)
                log_warning("%s", *w);
        spec_list_done(&specs);
        return r;
}

void apply_reload(Manager *m) {
        upward_reloading(m);
        m->problems = strv_free(m->problems);
        event_emit(m, NULL, NULL, EVENT_RELOAD, "reading the configuration again");
        (void) apply_files(m);
        upward_ready(m);
}
