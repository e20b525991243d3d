/* From a specification to what a SPAWN asks for. Must stay true: what cannot be kept is refused by the name of its key. */
#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "manager/spawn/credentials.h"
#include "manager/spawn/sandbox_private.h"
#include "sandbox/sandbox.h"

static bool wants_namespaces(const ServiceSpec *s) {
        return sandbox_wants_mounts(s) || sandbox_wants_network(s);
}

int sandbox_ready(Manager *m, const ServiceSpec *s) {
        if (!wants_namespaces(s))
                return 1;
        return sandbox_of(m) ? sandbox_find_out(m->sandbox) : -ENOMEM;
}

void sandbox_parts_done(SandboxParts *p) {
        strv_free(p->mounts);
        fd_close(p->ruleset);
}

static int impossible(const Sandbox *s, const char *key, KlError *reterr) {
        (void) kl_error_set(reterr, -EOPNOTSUPP, KL_E_FAILED, "%s cannot be kept here: namespaces are refused, %s", key, s->why ?: "out of memory");
        kl_error_hint(reterr, "kingctl doctor lists what this machine permits");
        return -EOPNOTSUPP;
}

/* What the service was promised stays reachable: where it tells that it is ready, and its credentials. */
static int compose_mounts(const Instance *i, char ***ret) {
        _cleanup_free_ char *credentials = i->credentials ? credentials_path(i) : NULL;

        if (i->credentials && !credentials)
                return -ENOMEM;
        return sandbox_mounts(i->service->spec, i->notifies ? i->service->manager->notify.path : NULL, credentials, ret);
}

static int add_namespaces(const Sandbox *s, const Instance *i, SandboxParts *p, KlError *reterr) {
        const ServiceSpec *spec = i->service->spec;

        if (s->means == MEANS_USER_NAMESPACE && spec->capabilities_set && spec->capabilities && *spec->capabilities)
                return kl_error_set(reterr, -EOPNOTSUPP, KL_E_INVALID, "capabilities: within the user namespace that %s needs here they would mean nothing",
                                    sandbox_namespace_key(spec));
        if (s->means == MEANS_USER_NAMESPACE)
                p->flags |= SPAWN_NEW_USER;
        if (sandbox_wants_network(spec))
                p->flags |= SPAWN_NEW_NETWORK;
        if (spec->sandbox.private_devices)
                p->flags |= SPAWN_NO_DEVICES;
        if (!sandbox_wants_mounts(spec))
                return 0;
        p->flags |= SPAWN_NEW_MOUNTS;
        return compose_mounts(i, &p->mounts);
}

static int add_ruleset(const Sandbox *s, const ServiceSpec *spec, SandboxParts *p, KlError *reterr) {
        const char *key = sandbox_namespace_key(spec);

        if (!streq(key, "sandbox.system") || sandbox_landlock_version() < 0)
                return impossible(s, key, reterr);
        p->ruleset = sandbox_ruleset(spec, reterr);
        p->flags |= SPAWN_FD_RULESET | SPAWN_NO_NEW_PRIVS;
        return MIN(p->ruleset, 0);
}

static char *filter_key(const ServiceSpec *s) {
        _cleanup_free_ char *allowed = strv_join(s->sandbox.syscalls, " "), *denied = strv_join(s->sandbox.syscalls_denied, " ");

        return (allowed || !s->sandbox.syscalls) && (denied || !s->sandbox.syscalls_denied)
                ? text_printf("%d %s~%s", s->sandbox.syscall_action, allowed ?: "-", denied ?: "") : NULL;
}

static int add_filter(Sandbox *s, const ServiceSpec *spec, SandboxParts *p, KlError *reterr) {
        _cleanup_free_ char *key = filter_key(spec);
        int r;

        if (!key)
                return -ENOMEM;
        if (!s->filter_key || !streq(key, s->filter_key)) {
                r = sandbox_filter_supported(reterr);
                if (r >= 0)
                        r = sandbox_filter(spec, reterr);
                if (r < 0)
                        return r;
                fd_close(s->filter);
                s->filter = r;
                free(s->filter_key);
                s->filter_key = TAKE_PTR(key);
        }
        p->filter = s->filter;
        p->flags |= SPAWN_FD_FILTER | SPAWN_NO_NEW_PRIVS;
        return 0;
}

int sandbox_parts(const Instance *i, SandboxParts *ret, KlError *reterr) {
        const ServiceSpec *spec = i->service->spec;
        Sandbox *s;
        int r = 0;

        *ret = (SandboxParts) { .ruleset = -EBADF, .filter = -EBADF };
        if (!wants_namespaces(spec) && !sandbox_wants_filter(spec))
                return 0;
        s = sandbox_of(i->service->manager);
        if (!s)
                return -ENOMEM;
        if (wants_namespaces(spec))
                r = s->means == MEANS_NONE ? add_ruleset(s, spec, ret, reterr) : add_namespaces(s, i, ret, reterr);
        if (r >= 0 && sandbox_wants_filter(spec))
                r = add_filter(s, spec, ret, reterr);
        return r;
}

char *sandbox_failure(const Instance *i, const WireFailed *p) {
        _cleanup_strv_ char **mounts = NULL;

        if (p->stage != STAGE_MOUNTS || p->detail == 0 || compose_mounts(i, &mounts) < 0 || p->detail > strv_length(mounts))
                return NULL;
        return text_printf("%s: %s", sandbox_mount_key(mounts[p->detail - 1]), mounts[p->detail - 1] + 1);
}
