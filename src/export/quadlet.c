/* A service in a container of Podman, as a .container file that its generator makes a unit of. Source: podman-systemd.unit(5). */
#include "base/strv.h"
#include "export/exporter.h"

static int plain(Exporter *x, const char *as, const char *text) {
        return unit_line(x, SECTION_SERVICE, as, text);
}

static int in_container(Exporter *x, const SpecKey *k) {
        static const struct {
                const char *key, *name;
        } names[] = { { "cwd", "WorkingDir" }, { "user", "User" }, { "group", "Group" }, { "no_new_privileges", "NoNewPrivileges" } };
        _cleanup_free_ char *text = NULL;
        int r = spec_scalar_format(k, x->spec, &text);

        for (size_t i = 0; i < ARRAY_SIZE(names) && r >= 0 && text; i++)
                if (streq(names[i].key, k->path))
                        r = unit_line(x, SECTION_CONTAINER, names[i].name, text);
        return r;
}

static int emit_capabilities(Exporter *x, const SpecKey *k) {
        int r = unit_line(x, SECTION_CONTAINER, "DropCapability", "all");

        for (char *const *c = x->spec->capabilities; c && *c && r >= 0; c++)
                r = unit_line(x, SECTION_CONTAINER, "AddCapability", *c);
        return r;
}

static int emit_signal(Exporter *x, const SpecKey *k) {
        _cleanup_free_ char *text = NULL;
        int r = spec_scalar_format(k, x->spec, &text);

        return r < 0 ? r : buffer_printf(&x->sections[SECTION_CONTAINER], "PodmanArgs=--stop-signal=%s\n", text);
}

static int emit_read_only(Exporter *x, const SpecKey *k) {
        return unit_line(x, SECTION_CONTAINER, "ReadOnly", "true");
}

static int emit_tmp(Exporter *x, const SpecKey *k) {
        return buffer_printf(&x->sections[SECTION_CONTAINER], "Tmpfs=/tmp\nTmpfs=/var/tmp\n");
}

static int emit_network(Exporter *x, const SpecKey *k) {
        return unit_line(x, SECTION_CONTAINER, "Network", "none");
}

static const ExportRow rows[] = {
        { "description", NULL, NULL },
        { "type", NULL, NULL },
        { "command", NULL, NULL },
        { "shell", NULL, NULL },
        { "cwd", NULL, in_container },
        { "instances", NULL, NULL },
        { "autostart", NULL, NULL },
        { "env", NULL, NULL },
        { "env_file", NULL, NULL },
        { "secrets", NULL, NULL },
        { "depends_on", NULL, NULL },
        { "ready.by", NULL, NULL },
        { "probes.startup", NULL, export_probe_quadlet },
        { "probes.readiness", NULL, export_probe_quadlet },
        { "probes.liveness", NULL, export_probe_quadlet },
        { "user", NULL, in_container },
        { "group", NULL, in_container },
        { "no_new_privileges", NULL, in_container },
        { "capabilities", NULL, emit_capabilities },
        { "sandbox.system", NULL, emit_read_only },
        { "sandbox.private_tmp", NULL, emit_tmp },
        { "sandbox.private_devices", NULL, export_note_container },
        { "sandbox.network", NULL, emit_network },
        { "stop.signal", NULL, emit_signal },
        { "stop.scope", NULL, export_note_key },
        {},
};

int export_quadlet(Exporter *x) {
        static const ExportRow *const tables[] = { rows, unit_service_rows, unit_schedule_rows, NULL };
        const ServiceSpec *s = x->spec;
        int r;

        if ((r = unit_line(x, SECTION_UNIT, "Description", s->description ?: s->name)) < 0 || (r = unit_dependencies(x)) < 0 ||
            (r = unit_line(x, SECTION_CONTAINER, "Image", x->options->image)) < 0 || (r = unit_command(x, SECTION_CONTAINER, "Exec")) < 0 ||
            (r = unit_environment(x, SECTION_CONTAINER)) < 0 || (r = unit_lifecycle(x)) < 0)
                return r;
        if (s->ready_by == READY_NOTIFY)
                r = unit_line(x, SECTION_CONTAINER, "Notify", "true");
        else if (s->ready_by == READY_PROBE)
                r = unit_line(x, SECTION_CONTAINER, "Notify", "healthy");
        else if (s->ready_by != READY_START)
                r = export_note(x, "ready.by: it is taken for ready once it executes");
        if (r >= 0 && s->type == SERVICE_ONESHOT)
                r = unit_line(x, SECTION_SERVICE, "Type", "oneshot");
        if (r >= 0)
                r = export_walk(x, tables, plain);
        if (r >= 0)
                r = unit_finish(x, "container");
        return r < 0 ? r : export_timer(x);
}
