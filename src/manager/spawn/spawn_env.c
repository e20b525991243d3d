/* Must stay true: nothing of kingd's own environment reaches a service, and nothing is cached from an earlier start. */
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/config.h"
#include "manager/spawn/credentials.h"
#include "manager/spawn/spawn_env.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int no_such(const char *what, const char *name, KlError *reterr) {
        kl_error_set(reterr, -ENOENT, KL_E_INVALID, "no such %s: %s", what, name);
        kl_error_hint(reterr, "`getent %s` lists those that exist", streq(what, "user") ? "passwd" : "group");
        return -ENOENT;
}

static int lookup_user(const char *name, uid_t uid, Identity *id, KlError *reterr) {
        char buffer[4096];
        struct passwd pw, *found = NULL;
        uint64_t n;

        if (name && parse_u64(name, &n) >= 0 && n < UINT32_MAX)
                uid = (uid_t) n;
        else if (name)
                (void) getpwnam_r(name, &pw, buffer, sizeof buffer, &found);
        if (!found)
                (void) getpwuid_r(uid, &pw, buffer, sizeof buffer, &found);
        if (name && parse_u64(name, &n) < 0 && (!found || !streq(found->pw_name, name)))
                return no_such("user", name, reterr);
        id->uid = found ? found->pw_uid : uid;
        id->gid = found ? found->pw_gid : getgid();
        snprintf(id->name, sizeof id->name, "%s", found ? found->pw_name : name ?: "");
        snprintf(id->home, sizeof id->home, "%s", found ? found->pw_dir : "/");
        snprintf(id->shell, sizeof id->shell, "%s", found && found->pw_shell[0] ? found->pw_shell : "/bin/sh");
        return 0;
}

static int lookup_group(const char *name, gid_t *ret, KlError *reterr) {
        char buffer[4096];
        struct group gr, *found = NULL;
        uint64_t n;

        if (parse_u64(name, &n) >= 0 && n < UINT32_MAX) {
                *ret = (gid_t) n;
                return 0;
        }
        (void) getgrnam_r(name, &gr, buffer, sizeof buffer, &found);
        if (!found)
                return no_such("group", name, reterr);
        *ret = found->gr_gid;
        return 0;
}

/* Who we are does not change while we run; asking the user database at each start would cost as much as making the process's place. */
static int identity_own(Identity *ret, KlError *reterr) {
        static Identity own;
        static bool known;
        int r = known ? 0 : lookup_user(NULL, getuid(), &own, reterr);

        known = r >= 0;
        *ret = own;
        return r;
}

int identity_resolve(const ServiceSpec *spec, Identity *ret, KlError *reterr) {
        gid_t list[WIRE_GROUPS_MAX];
        int n = WIRE_GROUPS_MAX, r;

        if (!spec->user && !spec->group)
                return identity_own(ret, reterr);
        *ret = (Identity) { .set = true };
        r = lookup_user(spec->user, getuid(), ret, reterr);
        if (r < 0)
                return r;
        if (spec->group && (r = lookup_group(spec->group, &ret->gid, reterr)) < 0)
                return r;
        if (ret->name[0] && getgrouplist(ret->name, ret->gid, list, &n) < 0)
                return kl_error_set(reterr, -E2BIG, KL_E_INVALID, "user %s is in more than %d groups", ret->name, WIRE_GROUPS_MAX);
        if (!ret->name[0]) {
                list[0] = ret->gid;
                n = 1;
        }
        for (int i = 0; i < n; i++)
                ret->groups[i] = list[i];
        ret->n_groups = n;
        return 0;
}

static int merge(char ***env, char *const *from) {
        STRV_FOREACH(e, from) {
                const char *equals = strchr(*e, '=');
                _cleanup_free_ char *name = equals ? strndup(*e, equals - *e) : NULL;
                int r;

                if (!equals)
                        continue;
                r = name ? strv_env_set(env, name, equals + 1) : -ENOMEM;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_env_files(const ServiceSpec *spec, char ***env, KlError *reterr) {
        STRV_FOREACH(f, spec->env_files) {
                _cleanup_diagnostics_ Diagnostics d = {};
                _cleanup_strv_ char **read = NULL;
                bool optional = (*f)[0] == '-';
                int r = config_load_env_file(*f + optional, &read, &d);

                if (r < 0 && optional && access(*f + 1, F_OK) < 0)
                        continue;
                if (r < 0) {
                        _cleanup_free_ char *text = d.n ? diagnostic_format(d.items) : NULL;
                        return kl_error_set(reterr, r, KL_E_INVALID, "env_file: %s", text ?: strerror(-r));
                }
                r = merge(env, read);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int set_kingly(const Instance *i, char ***env) {
        const ServiceSpec *s = i->service->spec;
        _cleanup_free_ char *credentials = NULL;
        char index[16];
        int r;

        snprintf(index, sizeof index, "%u", i->index);
        if ((r = strv_env_set(env, "KINGLY_SERVICE", s->name)) < 0 || (r = strv_env_set(env, "KINGLY_NAMESPACE", s->ns)) < 0 ||
            (r = strv_env_set(env, "KINGLY_INSTANCE", index)) < 0 || (r = strv_env_set(env, "NODE_APP_INSTANCE", index)) < 0)
                return r;
        if (s->collects && (r = strv_env_set(env, "KINGLY_COLLECTS", s->collects)) < 0)
                return r;
        if (!i->credentials)
                return 0;
        credentials = credentials_path(i);
        return credentials ? strv_env_set(env, "CREDENTIALS_DIRECTORY", credentials) : -ENOMEM;
}

#define SOURCE_MAPS "--enable-source-maps"

/* Behind what the service says of its own. */
static int add_source_maps(char ***env) {
        const char *given = strv_env_get(*env, "NODE_OPTIONS");
        _cleanup_free_ char *both = NULL;

        if (!given || !*given)
                return strv_env_set(env, "NODE_OPTIONS", SOURCE_MAPS);
        both = text_printf("%s " SOURCE_MAPS, given);
        return both ? strv_env_set(env, "NODE_OPTIONS", both) : -ENOMEM;
}

int environment_build(const Instance *i, const Identity *id, char ***ret, KlError *reterr) {
        const ServiceSpec *s = i->service->spec;
        _cleanup_strv_ char **env = NULL;
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        int r;

        if ((r = strv_env_set(&env, "PATH", DEFAULT_PATH)) < 0 || (r = strv_env_set(&env, "HOME", id->home)) < 0 ||
            (r = strv_env_set(&env, "USER", id->name)) < 0 || (r = strv_env_set(&env, "LOGNAME", id->name)) < 0 ||
            (r = strv_env_set(&env, "SHELL", id->shell)) < 0)
                return r;
        if (i->service->manager->places.user && runtime && (r = strv_env_set(&env, "XDG_RUNTIME_DIR", runtime)) < 0)
                return r;
        r = read_env_files(s, &env, reterr);
        if (r < 0)
                return r;
        if ((r = merge(&env, s->env)) < 0 || (r = set_kingly(i, &env)) < 0 || (s->source_maps && (r = add_source_maps(&env)) < 0))
                return r;
        *ret = TAKE_PTR(env);
        return 0;
}

static bool executable(const char *path) {
        struct stat st;
        return stat(path, &st) >= 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111);
}

int command_resolve(const ServiceSpec *spec, const char *name, char *const *env, char **ret, KlError *reterr) {
        const char *path = strv_env_get(env, "PATH") ?: DEFAULT_PATH;

        if (strchr(name, '/')) {
                *ret = name[0] == '/' || !spec->cwd ? strdup(name) : path_join(spec->cwd, name);
                return *ret ? 0 : -ENOMEM;
        }
        while (*path) {
                size_t n = strcspn(path, ":");
                char candidate[PATH_MAX];

                if (n > 0 && snprintf(candidate, sizeof candidate, "%.*s/%s", (int) n, path, name) < (int) sizeof candidate &&
                    executable(candidate)) {
                        *ret = strdup(candidate);
                        return *ret ? 0 : -ENOMEM;
                }
                path += n + (path[n] == ':');
        }
        kl_error_set(reterr, -ENOENT, KL_E_INVALID, "command not found: %s", name);
        kl_error_hint(reterr, "it is in none of PATH=%s: give its full path, or set PATH in env",
                      strv_env_get(env, "PATH") ?: DEFAULT_PATH);
        return -ENOENT;
}
