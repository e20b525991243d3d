/* Unit files: their syntax, and the rows that [Service] has whatever runs in it. Sources: systemd.syntax(7), systemd.service(5),
 * systemd.exec(5), systemd.resource-control(5), systemd.kill(5). */
#include "base/strv.h"
#include "export/exporter.h"

static const char *const section_names[] = {
        [SECTION_UNIT] = "Unit", [SECTION_CONTAINER] = "Container", [SECTION_SERVICE] = "Service", [SECTION_INSTALL] = "Install",
};

int unit_line(Exporter *x, UnitSection s, const char *name, const char *value) {
        return buffer_printf(&x->sections[s], "%s=%s\n", name, value);
}

/* C escapes within double quotes, which is what both words and assignments take. */
int unit_word(Buffer *b, const char *word, bool command) {
        bool quote = !*word || strpbrk(word, " \t\n\"'\\;") != NULL;
        int r = quote ? buffer_append(b, "\"", 1) : 0;

        for (const char *p = word; *p && r >= 0; p++) {
                if (*p == '%' || (*p == '$' && command))
                        r = buffer_printf(b, "%c%c", *p, *p);
                else if (*p == '\n')
                        r = buffer_append(b, "\\n", 2);
                else if (*p == '"' || *p == '\\')
                        r = buffer_printf(b, "\\%c", *p);
                else
                        r = buffer_append(b, p, 1);
        }
        return r < 0 || !quote ? r : buffer_append(b, "\"", 1);
}

char *unit_text(Exporter *x) {
        Buffer text = {};
        int r = 0;

        for (size_t s = 0; s < _SECTION_MAX && r >= 0; s++)
                if (x->sections[s].size > 0)
                        r = buffer_printf(&text, "%s[%s]\n%.*s", text.size > 0 ? "\n" : "", section_names[s], (int) x->sections[s].size,
                                          (const char *) x->sections[s].data);
        if (r >= 0 && buffer_append(&text, "", 1) >= 0)
                return text.data;
        buffer_done(&text);
        return NULL;
}

void exporter_done(Exporter *x) {
        for (size_t s = 0; s < _SECTION_MAX; s++)
                buffer_done(&x->sections[s]);
}

/* ---- what every unit has ---- */

static int start_limit(Exporter *x) {
        char buf[FORMAT_MAX];
        int r;

        if (x->spec->restart.limit == 0)
                return unit_line(x, SECTION_UNIT, "StartLimitIntervalSec", "0");
        r = buffer_printf(&x->sections[SECTION_UNIT], "StartLimitBurst=%u\n", x->spec->restart.limit);
        return r < 0 ? r : unit_line(x, SECTION_UNIT, "StartLimitIntervalSec", format_span(buf, x->spec->restart.reset_after, true));
}

int unit_lifecycle(Exporter *x) {
        static const char *const words[] = { [RESTART_ALWAYS] = "always", [RESTART_ON_FAILURE] = "on-failure", [RESTART_NEVER] = "no" };
        const ServiceSpec *s = x->spec;
        /* A oneshot is done when it ended well: systemd refuses `always` for it. */
        int when = s->type == SERVICE_ONESHOT && s->restart.when == RESTART_ALWAYS ? RESTART_ON_FAILURE : s->restart.when, r;
        char buf[FORMAT_MAX];

        if ((r = start_limit(x)) < 0 || (r = unit_line(x, SECTION_SERVICE, "Restart", words[when])) < 0 ||
            (r = unit_line(x, SECTION_SERVICE, "RestartSec", format_span(buf, s->restart.delay, true))) < 0 ||
            (r = unit_line(x, SECTION_SERVICE, "TimeoutStopSec", format_span(buf, s->stop.timeout, true))) < 0)
                return r;
        return s->type == SERVICE_ONESHOT ? 0 : unit_line(x, SECTION_SERVICE, "TimeoutStartSec", format_span(buf, s->ready_timeout, true));
}

/* Requires= stops with it already when somebody stops it; BindsTo= also when it ends by itself; PartOf= restarts with it. */
static int unit_dependency(Exporter *x, const Dependency *d, const char *name, const char *suffix) {
        Buffer *b = &x->sections[SECTION_UNIT];
        int r = buffer_printf(b, "%s=%s.%s\nAfter=%s.%s\n", d->stop ? "BindsTo" : "Requires", name, suffix, name, suffix);

        return r >= 0 && d->restart ? buffer_printf(b, "PartOf=%s.%s\n", name, suffix) : r;
}

int unit_dependencies(Exporter *x) {
        const ServiceSpec *s = x->spec;
        int r = 0;

        for (size_t i = 0; i < s->depends.n && r >= 0; i++) {
                unsigned instances;
                _cleanup_free_ char *name = export_dependency_name(x, s->depends.items + i, &instances);

                if (!name)
                        return -ENOMEM;
                r = unit_dependency(x, s->depends.items + i, name, instances > 1 ? "target" : "service");
        }
        return r;
}

int unit_environment(Exporter *x, UnitSection section) {
        const ServiceSpec *s = x->spec;
        _cleanup_strv_ char **own = NULL;
        int r;

        if ((r = strv_env_set(&own, "KINGLY_SERVICE", s->name)) < 0 || (r = strv_env_set(&own, "KINGLY_NAMESPACE", s->ns)) < 0)
                return r;
        for (char *const *e = s->env; e && *e && r >= 0; e++)
                r = strv_append(&own, *e);
        for (char *const *e = own; e && *e && r >= 0; e++) {
                r = buffer_printf(&x->sections[section], "Environment=");
                if (r >= 0)
                        r = unit_word(&x->sections[section], *e, false);
                if (r >= 0)
                        r = buffer_append(&x->sections[section], "\n", 1);
        }
        for (char *const *f = s->env_files; f && *f && r >= 0; f++)
                r = unit_line(x, section, "EnvironmentFile", *f);
        /* %i is the instance of a template unit. */
        return r < 0 || x->instances < 2 ? r : buffer_printf(&x->sections[section], "Environment=KINGLY_INSTANCE=%%i NODE_APP_INSTANCE=%%i\n");
}

int unit_command(Exporter *x, UnitSection section, const char *name) {
        _cleanup_free_ char *start = text_printf("%s=", name);

        return start ? unit_words(x, section, start, x->spec->command) : -ENOMEM;
}

int unit_words(Exporter *x, UnitSection section, const char *start, char *const *words) {
        Buffer *b = &x->sections[section];
        int r = buffer_append(b, start, strlen(start));

        for (char *const *w = words; w && *w && r >= 0; w++) {
                r = w > words ? buffer_append(b, " ", 1) : 0;
                if (r >= 0)
                        r = unit_word(b, *w, true);
        }
        return r < 0 ? r : buffer_append(b, "\n", 1);
}

/* The unit (a template with several instances, and a target that wants them all). */
int unit_finish(Exporter *x, const char *suffix) {
        _cleanup_free_ char *name = export_name(x->spec), *wants = NULL;
        /* What runs at its times alone is started by its timer, what runs on demand by its sockets. */
        bool timed = (spec_scheduled(x->spec) && x->spec->type == SERVICE_ONESHOT) || (x->spec->on_demand && x->instances < 2);
        const char *wanted_by = x->options->user ? "default.target" : "multi-user.target";
        Buffer list = {};
        int r;

        if (!name)
                return -ENOMEM;
        if (x->instances < 2) {
                r = x->spec->autostart && !timed ? unit_line(x, SECTION_INSTALL, "WantedBy", wanted_by) : 0;
                return r < 0 ? r : export_add(x->out, text_printf("%s.%s", name, suffix), unit_text(x), NULL);
        }
        r = export_add(x->out, text_printf("%s@.%s", name, suffix), unit_text(x), NULL);
        for (unsigned i = 0; i < x->instances && r >= 0; i++)
                r = buffer_printf(&list, "%s%s@%u.%s", i > 0 ? " " : "", name, i, timed ? "timer" : "service");
        if (r >= 0)
                wants = text_printf("[Unit]\nDescription=All instances of %s\nWants=%.*s\nAfter=%.*s\n%s%s%s", name, (int) list.size,
                                    (const char *) list.data, (int) list.size, (const char *) list.data,
                                    x->spec->autostart ? "\n[Install]\nWantedBy=" : "", x->spec->autostart ? wanted_by : "",
                                    x->spec->autostart ? "\n" : "");
        buffer_done(&list);
        return r < 0 ? r : export_add(x->out, text_printf("%s.target", name), TAKE_PTR(wants), NULL);
}

/* ---- rows ---- */

static int emit_codes(Exporter *x, const SpecKey *k) {
        int r = 0;

        for (size_t i = 0; i < x->spec->restart.except_codes.n && r >= 0; i++)
                r = buffer_printf(&x->sections[SECTION_SERVICE], "RestartPreventExitStatus=%d\n", x->spec->restart.except_codes.items[i]);
        return r;
}

/* Older than 254, systemd knows one delay only. */
static int note_steps(Exporter *x, const SpecKey *k) {
        return export_note(x, "%s: systemd waits the same time before each restart (RestartSteps= from version 254 on)", k->path);
}

static int emit_stop_scope(Exporter *x, const SpecKey *k) {
        int r = unit_line(x, SECTION_SERVICE, "KillMode", "mixed");

        if (r < 0 || x->spec->stop.scope != STOP_GROUP)
                return r;
        return export_note(x, "stop.scope: group: systemd signals the main process alone");
}

/* Older than 254, systemd knows restart only. */
static int emit_preserve(Exporter *x, const SpecKey *k) {
        static const char *const words[] = { "no", "restart", "yes" };
        int r = unit_line(x, SECTION_SERVICE, "FileDescriptorStorePreserve", words[x->spec->fd_store_preserve]);

        return r < 0 ? r : export_note(x, "%s: FileDescriptorStorePreserve= is known from version 254 of systemd on", k->path);
}

static int emit_devices(Exporter *x, const char *name, const DeviceLimitList *l) {
        int r = 0;

        for (size_t i = 0; i < l->n && r >= 0; i++)
                r = buffer_printf(&x->sections[SECTION_SERVICE], "%s=%s %" PRIu64 "\n", name, l->items[i].path, l->items[i].value);
        return r;
}

static int emit_read_bandwidth(Exporter *x, const SpecKey *k) {
        return emit_devices(x, "IOReadBandwidthMax", &x->spec->limits.io_read_bandwidth);
}

static int emit_write_bandwidth(Exporter *x, const SpecKey *k) {
        return emit_devices(x, "IOWriteBandwidthMax", &x->spec->limits.io_write_bandwidth);
}

static int emit_read_iops(Exporter *x, const SpecKey *k) {
        return emit_devices(x, "IOReadIOPSMax", &x->spec->limits.io_read_iops);
}

static int emit_write_iops(Exporter *x, const SpecKey *k) {
        return emit_devices(x, "IOWriteIOPSMax", &x->spec->limits.io_write_iops);
}

const ExportRow unit_service_rows[] = {
        { "limits.memory_max", "MemoryMax", NULL },
        { "limits.memory_high", "MemoryHigh", NULL },
        { "limits.swap_max", "MemorySwapMax", NULL },
        { "limits.cpu", "CPUQuota", NULL },
        { "limits.tasks", "TasksMax", NULL },
        { "limits.io_read_bandwidth", NULL, emit_read_bandwidth },
        { "limits.io_write_bandwidth", NULL, emit_write_bandwidth },
        { "limits.io_read_iops", NULL, emit_read_iops },
        { "limits.io_write_iops", NULL, emit_write_iops },
        { "limits.files", "LimitNOFILE", NULL },
        { "limits.processes", "LimitNPROC", NULL },
        { "limits.core", "LimitCORE", NULL },
        { "limits.stack", "LimitSTACK", NULL },
        { "limits.locked_memory", "LimitMEMLOCK", NULL },
        { "limits.file_size", "LimitFSIZE", NULL },
        { "limits.data", "LimitDATA", NULL },
        { "limits.address_space", "LimitAS", NULL },
        { "limits.cpu_time", "LimitCPU", NULL },
        { "priority.nice", "Nice", NULL },
        { "priority.cpu_weight", "CPUWeight", NULL },
        { "priority.io_weight", "IOWeight", NULL },
        { "priority.io_class", "IOSchedulingClass", NULL },
        { "priority.io_level", "IOSchedulingPriority", NULL },
        { "priority.oom_score_adj", "OOMScoreAdjust", NULL },
        /* What systemd has another default for is said always, by unit_lifecycle(). */
        { "restart.when", NULL, NULL },
        { "restart.delay", NULL, NULL },
        { "restart.factor", NULL, note_steps },
        { "restart.max_delay", NULL, note_steps },
        { "restart.jitter", NULL, note_steps },
        { "restart.reset_after", NULL, NULL },
        { "restart.limit", NULL, NULL },
        { "restart.except_codes", NULL, emit_codes },
        { "stop.signal", "KillSignal", NULL },
        { "stop.timeout", NULL, NULL },
        { "stop.scope", NULL, emit_stop_scope },
        { "watchdog", "WatchdogSec", NULL },
        { "fd_store", "FileDescriptorStoreMax", NULL },
        { "notify_access", "NotifyAccess", NULL },
        { "fd_store_preserve", NULL, emit_preserve },
        { "ready.timeout", NULL, NULL },
        {},
};
