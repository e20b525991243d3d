/* `sandbox` and the scheduler as directives of a unit. Source: systemd.exec(5). */
#include "base/strv.h"
#include "export/exporter.h"

static int each_path(Exporter *x, const char *directive, char *const *paths) {
        int r = 0;

        for (char *const *p = paths; p && *p && r >= 0; p++)
                r = unit_line(x, SECTION_SERVICE, directive, *p);
        return r;
}

static const char *plain_path(const char *path) {
        return path + (*path == '-');
}

static bool is_below(const char *path, const char *directory) {
        const char *rest = startswith(plain_path(path), plain_path(directory));

        return rest && (*rest == '/' || streq(plain_path(directory), "/"));
}

static bool any_below(char *const *paths, const char *directory) {
        STRV_FOREACH(p, paths)
                if (is_below(*p, directory))
                        return true;
        return false;
}

static bool below_any(const char *path, char *const *directories) {
        STRV_FOREACH(d, directories)
                if (is_below(path, *d))
                        return true;
        return false;
}

/* What lies below a hidden directory is bound back into it; elsewhere its permissions are changed. */
static int emit_visible(Exporter *x, char *const *paths, const char *directive, const char *bind) {
        int r = 0;

        for (char *const *p = paths; p && *p && r >= 0; p++)
                r = unit_line(x, SECTION_SERVICE, below_any(*p, x->spec->sandbox.hidden) ? bind : directive, *p);
        return r;
}

static int emit_writable(Exporter *x, const SpecKey *k) {
        return emit_visible(x, x->spec->sandbox.writable, "ReadWritePaths", "BindPaths");
}

static int emit_read_only(Exporter *x, const SpecKey *k) {
        return emit_visible(x, x->spec->sandbox.read_only, "ReadOnlyPaths", "BindReadOnlyPaths");
}

static int emit_hidden(Exporter *x, const SpecKey *k) {
        const ServiceSpec *s = x->spec;
        int r = 0;

        for (char *const *p = s->sandbox.hidden; p && *p && r >= 0; p++)
                if (any_below(s->sandbox.writable, *p) || any_below(s->sandbox.read_only, *p))
                        r = buffer_printf(&x->sections[SECTION_SERVICE], "TemporaryFileSystem=%s:ro\n", plain_path(*p));
                else
                        r = unit_line(x, SECTION_SERVICE, "InaccessiblePaths", *p);
        return r;
}

static int emit_system(Exporter *x, const SpecKey *k) {
        return unit_line(x, SECTION_SERVICE, "ProtectSystem", "strict");
}

static int emit_network(Exporter *x, const SpecKey *k) {
        return unit_line(x, SECTION_SERVICE, "PrivateNetwork", "true");
}

static int emit_filter(Exporter *x, const char *sign, char *const *names) {
        _cleanup_free_ char *list = strv_join(names, " ");

        return list ? buffer_printf(&x->sections[SECTION_SERVICE], "SystemCallFilter=%s%s\n", sign, list) : -ENOMEM;
}

/* Without a number systemd kills. */
static int emit_syscalls(Exporter *x, const SpecKey *k) {
        const ServiceSpec *s = x->spec;
        bool denied = streq(k->path, "sandbox.syscalls_denied");
        int r = emit_filter(x, denied ? "~" : "", denied ? s->sandbox.syscalls_denied : s->sandbox.syscalls);

        if (r < 0 || s->sandbox.syscall_action != SYSCALL_ACTION_ERROR || (denied && s->sandbox.syscalls))
                return r;
        return unit_line(x, SECTION_SERVICE, "SystemCallErrorNumber", "EPERM");
}

/* Said with the lists; without one it means nothing. */
static int emit_action(Exporter *x, const SpecKey *k) {
        return x->spec->sandbox.syscalls || x->spec->sandbox.syscalls_denied ? 0 : export_note_key(x, k);
}

static int emit_affinity(Exporter *x, const SpecKey *k) {
        return each_path(x, "CPUAffinity", x->spec->priority.cpu_affinity);
}

const ExportRow unit_sandbox_rows[] = {
        { "priority.cpu_affinity", NULL, emit_affinity },
        { "priority.scheduler", "CPUSchedulingPolicy", NULL },
        { "priority.scheduler_priority", "CPUSchedulingPriority", NULL },
        { "sandbox.system", NULL, emit_system },
        { "sandbox.writable", NULL, emit_writable },
        { "sandbox.read_only", NULL, emit_read_only },
        { "sandbox.hidden", NULL, emit_hidden },
        { "sandbox.private_tmp", "PrivateTmp", NULL },
        { "sandbox.private_devices", "PrivateDevices", NULL },
        { "sandbox.network", NULL, emit_network },
        { "sandbox.syscalls", NULL, emit_syscalls },
        { "sandbox.syscalls_denied", NULL, emit_syscalls },
        { "sandbox.syscall_action", NULL, emit_action },
        {},
};
