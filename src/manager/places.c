/* Paths only; nothing is opened here but the directories that places_make() makes. */
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/text.h"
#include "manager/places.h"

static int set(char **field, char *value) {
        *field = value;
        return value ? 0 : -ENOMEM;
}

static int places_private(Places *p, const char *home) {
        int r;

        if ((r = set(&p->home, path_absolute(home, NULL))) < 0 || (r = set(&p->config_file, path_join(p->home, "kingly.yaml"))) < 0 ||
            (r = set(&p->config_dir, path_join(p->home, "services.d"))) < 0 || (r = set(&p->state, path_join(p->home, "state"))) < 0 ||
            (r = set(&p->logs, path_join(p->home, "logs"))) < 0 || (r = set(&p->runtime, strdup(p->home))) < 0)
                return r;
        return 0;
}

static int places_system(Places *p) {
        int r;

        if ((r = set(&p->config_file, strdup("/etc/kingly/kingly.yaml"))) < 0 ||
            (r = set(&p->config_dir, strdup("/etc/kingly/services.d"))) < 0 || (r = set(&p->state, strdup("/var/lib/kingly"))) < 0 ||
            (r = set(&p->logs, strdup("/var/log/kingly"))) < 0 || (r = set(&p->runtime, strdup("/run/kingly"))) < 0)
                return r;
        return 0;
}

/* XDG Base Directory Specification: the two with a default below $HOME, and the runtime directory, which has none. */
static int places_user(Places *p, KlError *reterr) {
        const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME"), *state = getenv("XDG_STATE_HOME");
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        _cleanup_free_ char *c = NULL, *s = NULL;
        int r;

        if (!home || home[0] != '/') {
                kl_error_set(reterr, -EINVAL, KL_E_INVALID, "HOME is not set: do not know where to keep state");
                kl_error_hint(reterr, "set HOME, or KINGLY_HOME=DIR for a private daemon");
                return -EINVAL;
        }
        if (!runtime || runtime[0] != '/') {
                kl_error_set(reterr, -EINVAL, KL_E_INVALID, "XDG_RUNTIME_DIR is not set: do not know where to listen");
                kl_error_hint(reterr, "log in through systemd-logind, or set KINGLY_HOME=DIR for a private daemon");
                return -EINVAL;
        }
        c = config && config[0] == '/' ? strdup(config) : path_join(home, ".config");
        s = state && state[0] == '/' ? strdup(state) : path_join(home, ".local/state");
        if (!c || !s)
                return -ENOMEM;
        if ((r = set(&p->config_file, path_join(c, "kingly/kingly.yaml"))) < 0 ||
            (r = set(&p->config_dir, path_join(c, "kingly/services.d"))) < 0 || (r = set(&p->state, path_join(s, "kingly"))) < 0 ||
            (r = set(&p->logs, path_join(s, "kingly/logs"))) < 0 || (r = set(&p->runtime, path_join(runtime, "kingly"))) < 0)
                return r;
        return 0;
}

/* FNV-1a of the runtime directory: two daemons cannot share one, so it names the daemon. */
static char *places_id(const Places *p) {
        uint64_t h = 14695981039346656037ULL;

        for (const char *s = p->runtime; *s; s++)
                h = (h ^ (uint8_t) *s) * 1099511628211ULL;
        return text_printf("%08" PRIx32, (uint32_t) (h ^ (h >> 32)));
}

/* Services and clients connect by path, and the kernel's sockaddr_un ends at this length. */
static int places_fit(const Places *p, KlError *reterr) {
        const size_t most = sizeof ((struct sockaddr_un *) NULL)->sun_path - 1;
        const char *paths[] = { p->socket, p->notify };

        for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
                if (strlen(paths[i]) > most) {
                        kl_error_set(reterr, -ENAMETOOLONG, KL_E_INVALID, "%s: a socket's path has at most %zu bytes", paths[i], most);
                        kl_error_hint(reterr, "choose a shorter %s",
                                      p->home ? "KINGLY_HOME" : p->user ? "XDG_RUNTIME_DIR" : "KINGLY_SOCKET");
                        return -ENAMETOOLONG;
                }
        return 0;
}

int places_init(Places *p, int system, KlError *reterr) {
        const char *home = getenv("KINGLY_HOME"), *sock = getenv("KINGLY_SOCKET");
        int r;

        *p = (Places) { .user = system < 0 ? getuid() != 0 : !system };
        if (home && *home)
                r = places_private(p, home);
        else if (p->user)
                r = places_user(p, reterr);
        else
                r = places_system(p);
        if (r < 0)
                return r;
        if ((r = set(&p->socket, sock && *sock ? strdup(sock) : path_join(p->runtime, "kingd.sock"))) < 0 ||
            (r = set(&p->pid_file, path_join(p->runtime, "kingd.pid"))) < 0 || (r = set(&p->notify, path_join(p->runtime, "notify"))) < 0 ||
            (r = set(&p->store, path_join(p->state, "kingly.db"))) < 0 || (r = set(&p->id, places_id(p))) < 0)
                return r;
        return places_fit(p, reterr);
}

int places_make(const Places *p, KlError *reterr) {
        const struct { const char *path; mode_t mode; } dirs[] = {
                { p->state, 0700 }, { p->logs, 0750 }, { p->runtime, p->home ? 0711 : 0755 },
        };
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
                r = mkdir_parents(dirs[i].path, dirs[i].mode);
                if (r < 0) {
                        kl_error_set(reterr, r, KL_E_FAILED, "cannot make %s: %s", dirs[i].path, strerror(-r));
                        kl_error_hint(reterr, "set KINGLY_HOME=DIR to a directory you may write");
                        return r;
                }
        }
        return 0;
}

void places_done(Places *p) {
        char **fields[] = { &p->home, &p->config_file, &p->config_dir, &p->state, &p->logs, &p->runtime, &p->socket, &p->pid_file,
                            &p->notify, &p->store, &p->id };

        for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
                free(*fields[i]);
                *fields[i] = NULL;
        }
}

int places_program(const char *name, char **ret) {
        return places_file(name, X_OK, ret);
}

int places_file(const char *name, int mode, char **ret) {
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
        char *slash;

        if (n < 0)
                return -errno;
        self[n] = '\0';
        slash = strrchr(self, '/');
        *ret = slash ? text_printf("%.*s/%s", (int) (slash - self), self, name) : NULL;
        if (*ret && access(*ret, mode) < 0) {
                free(*ret);
                *ret = path_join(KINGLY_LIBEXECDIR, name);
        }
        return *ret ? 0 : -ENOMEM;
}
