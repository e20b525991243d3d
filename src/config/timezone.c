/* See timezone.h. */
#include "config/timezone.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"

static const char *database(void) {
        const char *dir = getenv("TZDIR");

        return dir && *dir == '/' ? dir : "/usr/share/zoneinfo";
}

static int load_path(const char *path, Zone **ret) {
        _cleanup_free_ char *data = NULL;
        size_t n;
        int r = read_file_at(AT_FDCWD, path, ZONE_FILE_MAX, &data, &n);

        return r < 0 ? r : zone_parse(data, n, ret);
}

/* The names of the database, one a line, behind comments; the newest list that it has. malloc'ed NULL-terminated array, NULL if there is none. */
static char **known_names(void) {
        _cleanup_free_ char *path = path_join(database(), "tzdata.zi"), *data = NULL;
        char **names = NULL, *rest, *line, *save;
        size_t n;

        if (!path || read_file_at(AT_FDCWD, path, 1 << 20, &data, &n) < 0)
                return NULL;
        for (rest = data; (line = strsep(&rest, "\n"));) {
                /* "Z NAME …" is a zone, "L TARGET NAME" another name of one */
                if (line[0] == 'L' && strtok_r(line + 1, " ", &save))
                        line = strtok_r(NULL, " ", &save);
                else
                        line = line[0] == 'Z' ? strtok_r(line + 1, " ", &save) : NULL;
                if (line && strv_append(&names, line) < 0)
                        break;
        }
        return names;
}

static int no_such_zone(const char *name, KlError *reterr) {
        _cleanup_strv_ char **names = NULL;
        const char *nearest;

        if (!reterr)
                return -ENOENT;
        names = known_names();
        nearest = names ? text_nearest(name, (const char *const *) names) : NULL;
        (void) kl_error_set(reterr, -ENOENT, KL_E_INVALID, "there is no time zone \"%s\" on this machine", name);
        if (nearest)
                kl_error_hint(reterr, "did you mean %s?", nearest);
        else if (!names)
                kl_error_hint(reterr, "is the package tzdata installed?");
        else
                kl_error_hint(reterr, "`timedatectl list-timezones` lists them");
        return -ENOENT;
}

static int load_local(Zone **ret) {
        const char *name = getenv("TZ");
        int r;

        name = name && *name == ':' ? name + 1 : name;
        if (name && zone_name_valid(name) && timezone_load(name, ret, NULL) >= 0)
                return 0;
        r = load_path(TIMEZONE_LOCAL, ret);
        return r == -ENOENT ? 0 : r;
}

int timezone_load(const char *name, Zone **ret, KlError *reterr) {
        _cleanup_free_ char *path = NULL;
        int r;

        *ret = NULL;
        if (!name)
                r = load_local(ret);
        else {
                path = zone_name_valid(name) ? path_join(database(), name) : NULL;
                r = path ? load_path(path, ret) : -ENOENT;
                if (r == -ENOENT && streq(name, "UTC"))
                        return 0;
                if (r == -ENOENT || r == -EISDIR || r == -ENOTDIR)
                        return no_such_zone(name, reterr);
        }
        if (r < 0 && r != -ENOMEM)
                (void) kl_error_set(reterr, r, KL_E_FAILED, "cannot read the time zone %s: %s", name ?: TIMEZONE_LOCAL, strerror(-r));
        return r;
}
