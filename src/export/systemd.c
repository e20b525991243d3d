/* A service as a unit of systemd itself, for who wants to leave Kingly. Accepted by `systemd-analyze verify`. */
#include "base/strv.h"
#include "export/exporter.h"
#include "model/credential.h"

static int plain(Exporter *x, const char *as, const char *text) {
        return unit_line(x, SECTION_SERVICE, as, text);
}

static int emit_user(Exporter *x, const SpecKey *k) {
        const char *value = streq(k->path, "user") ? x->spec->user : x->spec->group;

        if (x->options->user)
                return export_note(x, "%s: a user's manager runs everything as that user", k->path);
        return unit_line(x, SECTION_SERVICE, streq(k->path, "user") ? "User" : "Group", value);
}

static int emit_capabilities(Exporter *x, const SpecKey *k) {
        _cleanup_free_ char *names = strv_join(x->spec->capabilities, " ");
        int r;

        if (!names)
                return -ENOMEM;
        r = unit_line(x, SECTION_SERVICE, "CapabilityBoundingSet", names);
        return r < 0 ? r : unit_line(x, SECTION_SERVICE, "AmbientCapabilities", names);
}

static int emit_ready(Exporter *x, const SpecKey *k) {
        return x->spec->ready_by == READY_NOTIFY ? 0 : export_note(x, "ready.by: systemd takes it for ready once it executes");
}

static int emit_log(Exporter *x, const SpecKey *k) {
        if (x->spec->log.to == LOG_TO_NONE)
                return buffer_printf(&x->sections[SECTION_SERVICE], "StandardOutput=null\nStandardError=null\n");
        return x->spec->log.to == LOG_TO_JOURNAL ? 0 : export_note(x, "log.to: the output goes to the journal");
}

/* The same names, the same variable, the same modes. */
static int emit_credentials(Exporter *x, const SpecKey *k) {
        int r = 0;

        STRV_FOREACH(entry, x->spec->credentials) {
                _cleanup_free_ char *value = NULL;
                Credential c;

                if (r < 0 || !credential_split(*entry, &c))
                        continue;
                if (c.text) {
                        r = export_note(x, "credentials.%.*s: its text is left out: put it into a file and say LoadCredential=", (int) c.n_name, c.name);
                        continue;
                }
                value = text_printf("%.*s:%s", (int) c.n_name, c.name, c.file);
                r = value ? unit_line(x, SECTION_SERVICE, "LoadCredential", value) : -ENOMEM;
                if (r >= 0 && c.optional)
                        r = export_note(x, "credentials.%.*s: its file must be there", (int) c.n_name, c.name);
        }
        return r;
}

static const ExportRow rows[] = {
        { "description", NULL, NULL },
        { "type", NULL, NULL },
        { "command", NULL, NULL },
        { "shell", NULL, NULL },
        { "cwd", "WorkingDirectory", NULL },
        { "instances", NULL, NULL },
        { "autostart", NULL, NULL },
        { "env", NULL, NULL },
        { "env_file", NULL, NULL },
        { "secrets", NULL, NULL },
        { "credentials", NULL, emit_credentials },
        { "depends_on", NULL, NULL },
        { "sockets", NULL, unit_sockets },
        { "on_demand", NULL, NULL },
        { "idle_timeout", NULL, note_idle },
        { "ready.by", NULL, emit_ready },
        { "probes.startup", NULL, export_probe_systemd },
        { "probes.readiness", NULL, export_probe_systemd },
        { "probes.liveness", NULL, export_probe_systemd },
        { "user", NULL, emit_user },
        { "group", NULL, emit_user },
        { "umask", "UMask", NULL },
        { "capabilities", NULL, emit_capabilities },
        { "no_new_privileges", "NoNewPrivileges", NULL },
        { "log.to", NULL, emit_log },
        {},
};

static const char *type_of(const ServiceSpec *s) {
        if (s->type == SERVICE_ONESHOT)
                return "oneshot";
        return s->ready_by == READY_NOTIFY ? "notify" : "exec";
}

int export_systemd(Exporter *x) {
        static const ExportRow *const tables[] = { rows, unit_hook_rows, unit_sandbox_rows, unit_service_rows, unit_schedule_rows, NULL };
        const ServiceSpec *s = x->spec;
        int r;

        if ((r = unit_line(x, SECTION_UNIT, "Description", s->description ?: s->name)) < 0 || (r = unit_dependencies(x)) < 0 ||
            (r = unit_line(x, SECTION_SERVICE, "Type", type_of(s))) < 0 || (r = unit_command(x, SECTION_SERVICE, "ExecStart")) < 0 ||
            (r = unit_line(x, SECTION_SERVICE, "SyslogIdentifier", s->name)) < 0 || (r = unit_environment(x, SECTION_SERVICE)) < 0 ||
            (r = unit_lifecycle(x)) < 0)
                return r;
        r = export_walk(x, tables, plain);
        if (r >= 0)
                r = unit_finish(x, "service");
        return r < 0 ? r : export_timer(x);
}
