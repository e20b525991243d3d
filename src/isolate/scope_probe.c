/* What systemd can do for us, asked once over the first connection, and again over the bus where that was no good: the only calls of this
 * kind that are waited for.
 *
 * What must stay true: nothing is started by asking, and the journal is not written to; what systemd does not know is found out by the name
 * of its error, never by its version. */
#include <stdio.h>
#include <systemd/sd-login.h>

#include "base/text.h"
#include "isolate/scope.h"

/* One start of a scope that cannot come about, until systemd has nothing to say against it but the property that nobody knows. */
static int probe_once(ScopeIsolate *si, sd_bus_error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(spec_freep) ServiceSpec *spec = NULL;
        _cleanup_free_ char *unit = NULL;
        char slice[] = "kingly.slice";
        ScopeCell none = { .cell = { .isolate = &si->isolate }, .slice = slice };
        int r;

        unit = text_printf("kingly-probe-%s-%d.scope", si->isolate.home_id, (int) getpid());
        r = unit ? spec_new("default", "probe", &spec) : -ENOMEM;
        if (r >= 0)
                r = sd_bus_message_new_method_call(si->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "StartTransientUnit");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", unit, "fail");
        if (r >= 0)
                r = scope_properties_append(&none, spec, PROPERTY_PROBE, m, NULL);
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0);
        return r < 0 ? r : sd_bus_call(si->bus, m, SCOPE_SYNC_USEC, reterr, NULL);
}

static int ask_properties(ScopeIsolate *si, KlError *reterr) {
        int r;

        for (;;) {
                _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;

                r = probe_once(si, &e);
                if (r >= 0)
                        return kl_error_set(reterr, -EPROTO, KL_E_FAILED, "systemd starts a scope with a property that does not exist");
                if (scope_properties_refused(&e))
                        r = scope_properties_drop(si, &e);
                if (r == 0)
                        return 0;
                if (r < 0)
                        return kl_error_set(reterr, r, r == -EACCES || r == -EPERM ? KL_E_PERMISSION : KL_E_FAILED,
                                            "systemd on the %s starts no scopes for us: %s", scope_connection_name(si), e.message ?: strerror(-r));
        }
}

/* Where the manager's cgroups are: "" for the system, "/user.slice/…/user@1000.service" for a user's. */
static int find_base(ScopeIsolate *si, char **ret_version, KlError *reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *group = NULL;
        int r;

        r = sd_bus_get_property_string(si->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "ControlGroup", &e, &group);
        if (r >= 0)
                r = sd_bus_get_property_string(si->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "Version", &e, ret_version);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "systemd on the %s does not answer: %s", scope_connection_name(si),
                                    e.message ?: strerror(-r));
        free(si->base);
        si->base = text_printf("%s%s", si->isolate.mount, streq(group, "/") ? "" : group);
        return si->base ? 0 : kl_error_set(reterr, -ENOMEM, KL_E_NO_MEMORY, "out of memory");
}

/* The service that we are, if systemd started us. A process somewhere in another's cgroup is not it. */
static void find_own_unit(ScopeIsolate *si) {
        _cleanup_free_ char *unit = NULL, *path = NULL;
        pid_t keeper = si->isolate.options.keeper;
        uint32_t main_pid = 0;
        int r;

        r = (si->isolate.options.user ? sd_pid_get_user_unit : sd_pid_get_unit)(keeper, &unit);
        if (r >= 0)
                r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path);
        if (r >= 0) /* what is no service has no such property */
                r = sd_bus_get_property_trivial(si->bus, SYSTEMD_NAME, path, "org.freedesktop.systemd1.Service", "MainPID", NULL, 'u', &main_pid);
        free(si->own_unit);
        si->own_unit = r >= 0 && main_pid == (uint32_t) keeper ? TAKE_PTR(unit) : NULL;
}

int scope_probe(ScopeIsolate *si, KlError *reterr) {
        _cleanup_free_ char *version = NULL;
        int r;

        r = find_base(si, &version, reterr);
        if (r < 0)
                return r;
        find_own_unit(si);
        r = ask_properties(si, reterr);
        if (r < 0)
                return r;
        r = isolate_note(&si->isolate, "scope: systemd %s on the %s", version, scope_connection_name(si));
        return r < 0 ? kl_error_set(reterr, r, KL_E_NO_MEMORY, "out of memory") : 0;
}
