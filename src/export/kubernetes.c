/* A service as a Deployment, a oneshot as a Job. Source: the Kubernetes API, apps/v1 and batch/v1. */
#include <stdio.h>

#include "base/strv.h"
#include "export/exporter.h"

static int plain(Exporter *x, const char *as, const char *text) {
        return export_set_text(x->container, as, text);
}

static int set_quantity(Exporter *x, const char *path, const char *format, uint64_t n) {
        char buf[40];

        snprintf(buf, sizeof buf, format, n);
        return export_set_text(x->container, path, buf);
}

static int emit_memory(Exporter *x, const SpecKey *k) {
        return set_quantity(x, "resources.limits.memory", "%" PRIu64, x->spec->limits.memory_max);
}

static int emit_memory_high(Exporter *x, const SpecKey *k) {
        return set_quantity(x, "resources.requests.memory", "%" PRIu64, x->spec->limits.memory_high);
}

static int emit_cpu(Exporter *x, const SpecKey *k) {
        return set_quantity(x, "resources.limits.cpu", "%" PRIu64 "m", (uint64_t) x->spec->limits.cpu * 10);
}

static int emit_user(Exporter *x, const SpecKey *k) {
        bool user = streq(k->path, "user");
        const char *value = user ? x->spec->user : x->spec->group;
        uint64_t id;

        if (parse_u64(value, &id) < 0)
                return export_note(x, "%s: %s: a number is needed there", k->path, value);
        return export_set(x->container, user ? "securityContext.runAsUser" : "securityContext.runAsGroup", json_object_new_int64((int64_t) id));
}

static int emit_capabilities(Exporter *x, const SpecKey *k) {
        int r = export_push(x->container, "securityContext.capabilities.drop", json_object_new_string("ALL"));

        /* Without the CAP_ there. */
        for (char *const *c = x->spec->capabilities; c && *c && r >= 0; c++)
                r = export_push(x->container, "securityContext.capabilities.add", json_object_new_string(startswith(*c, "CAP_") ?: *c));
        return r;
}

static int emit_privileges(Exporter *x, const SpecKey *k) {
        return export_set(x->container, "securityContext.allowPrivilegeEscalation", json_object_new_boolean(false));
}

static int emit_signal(Exporter *x, const SpecKey *k) {
        return export_note(x, "stop.signal: the image's STOPSIGNAL is sent there");
}

static int emit_depends(Exporter *x, const SpecKey *k) {
        return export_note(x, "depends_on has no counterpart: let it wait in an init container");
}

/* A Job's backoffLimit holds it. */
static int emit_limit(Exporter *x, const SpecKey *k) {
        return x->spec->type == SERVICE_ONESHOT ? 0 : export_note_key(x, k);
}

/* A CronJob has said the most of it; see fill_schedule(). */
static int emit_schedule(Exporter *x, const SpecKey *k) {
        const ServiceSpec *s = x->spec;
        _cleanup_free_ char *fields = NULL;
        int r = spec_scheduled(s) && s->type == SERVICE_ONESHOT ? export_five_fields(s, &fields) : 0;

        if (r < 0)
                return r;
        if (!spec_scheduled(s))
                return export_note(x, "%s: it has no schedule", k->path);
        if (s->type == SERVICE_SIMPLE)
                return export_note(x, "%s: nothing restarts a Deployment by the clock", k->path);
        if (!fields)
                return export_note(x, "%s: a CronJob has no words for it: this is a Job", k->path);
        if (streq(k->path, "schedule.overlap") && s->schedule.overlap == OVERLAP_QUEUE)
                return export_note(x, "schedule.overlap: queue: a run is left out while the one before is not over");
        if (streq(k->path, "schedule.missed") && s->schedule.missed == MISSED_ALL)
                return export_note(x, "schedule.missed: all: one run is made up for");
        return 0;
}

static int emit_read_only(Exporter *x, const SpecKey *k) {
        return export_set(x->container, "securityContext.readOnlyRootFilesystem", json_object_new_boolean(true));
}

/* In a file system that may be read-only. */
static int emit_tmp(Exporter *x, const SpecKey *k) {
        bool read_only = x->spec->sandbox.system == SANDBOX_SYSTEM_READ_ONLY;

        return read_only ? export_note(x, "sandbox.private_tmp: mount an emptyDir at /tmp") : export_note_container(x, k);
}

/* Readiness there is what the probes say. */
static int emit_ready(Exporter *x, const SpecKey *k) {
        return x->spec->ready_by == READY_PROBE ? 0 : export_note_key(x, k);
}

static const ExportRow rows[] = {
        { "description", NULL, NULL },
        { "type", NULL, NULL },
        { "command", NULL, NULL },
        { "shell", NULL, NULL },
        { "cwd", "workingDir", NULL },
        { "instances", NULL, NULL },
        { "env", NULL, NULL },
        { "secrets", NULL, NULL },
        { "depends_on", NULL, emit_depends },
        { "limits.memory_max", NULL, emit_memory },
        { "limits.memory_high", NULL, emit_memory_high },
        { "limits.cpu", NULL, emit_cpu },
        { "restart.when", NULL, NULL },
        { "restart.limit", NULL, emit_limit },
        { "stop.signal", NULL, emit_signal },
        { "stop.timeout", NULL, NULL },
        { "schedule.cron", NULL, emit_schedule },
        { "schedule.every", NULL, emit_schedule },
        { "schedule.timezone", NULL, emit_schedule },
        { "schedule.overlap", NULL, emit_schedule },
        { "schedule.missed", NULL, emit_schedule },
        { "user", NULL, emit_user },
        { "group", NULL, emit_user },
        { "capabilities", NULL, emit_capabilities },
        { "no_new_privileges", NULL, emit_privileges },
        { "sandbox.system", NULL, emit_read_only },
        { "sandbox.private_tmp", NULL, emit_tmp },
        { "sandbox.private_devices", NULL, export_note_container },
        { "ready.by", NULL, emit_ready },
        { "probes.startup", NULL, export_probe_kubernetes },
        { "probes.readiness", NULL, export_probe_kubernetes },
        { "probes.liveness", NULL, export_probe_kubernetes },
        {},
};

static int add_environment(Exporter *x) {
        int r = 0;

        for (char *const *e = x->spec->env; e && *e && r >= 0; e++) {
                const char *equals = strchr(*e, '=');
                json_object *o = json_object_new_object();

                r = export_set(o, "name", json_object_new_string_len(*e, (int) (equals - *e)));
                if (r >= 0)
                        r = export_set_text(o, "value", equals + 1);
                if (r >= 0)
                        r = export_push(x->container, "env", o);
                else
                        json_object_put(o);
        }
        return r;
}

static int fill_container(Exporter *x, const char *name) {
        int r;

        if ((r = export_set_text(x->container, "name", name)) < 0 || (r = export_set_text(x->container, "image", x->options->image)) < 0 ||
            (r = export_set(x->container, "command", export_strv(x->spec->command))) < 0)
                return r;
        return add_environment(x);
}

/* Kubernetes knows only Always for what runs on. `workload` is what holds `spec`: the document, or the template of a CronJob's jobs. */
static int fill_policy(Exporter *x, json_object *workload, const char *name) {
        const ServiceSpec *s = x->spec;
        int r;

        if (s->type == SERVICE_ONESHOT) {
                r = export_set_text(workload, "spec.template.spec.restartPolicy", s->restart.when == RESTART_NEVER ? "Never" : "OnFailure");
                return r < 0 ? r : export_set(workload, "spec.backoffLimit", json_object_new_int64(s->restart.when == RESTART_NEVER ? 0 : s->restart.limit ?: 6));
        }
        if ((r = export_set(workload, "spec.replicas", json_object_new_int64(x->instances))) < 0 ||
            (r = export_set_text(workload, "spec.selector.matchLabels.app", name)) < 0)
                return r;
        return s->restart.when == RESTART_ALWAYS ? 0 : export_note(x, "restart.when: a Deployment restarts always");
}

/* A CronJob makes up for one missed run, unless it is too late for it. */
static int fill_schedule(Exporter *x, const char *fields, json_object **ret_workload) {
        const ServiceSpec *s = x->spec;
        json_object *o = x->document;
        int r;

        if ((r = export_set_text(o, "spec.schedule", fields)) < 0 ||
            (s->schedule.timezone && (r = export_set_text(o, "spec.timeZone", s->schedule.timezone)) < 0) ||
            (r = export_set_text(o, "spec.concurrencyPolicy", s->schedule.overlap == OVERLAP_REPLACE ? "Replace" : "Forbid")) < 0 ||
            (s->schedule.missed == MISSED_SKIP && (r = export_set(o, "spec.startingDeadlineSeconds", json_object_new_int(60))) < 0))
                return r;
        *ret_workload = json_object_new_object();
        return export_set(o, "spec.jobTemplate", *ret_workload);
}

static int fill_workload(Exporter *x, json_object *workload, const char *name) {
        const ServiceSpec *s = x->spec;
        usec_t grace = s->stop.timeout == USEC_INFINITY ? 30 : (s->stop.timeout + USEC_PER_SEC - 1) / USEC_PER_SEC;
        int r;

        if ((r = fill_policy(x, workload, name)) < 0 || (r = export_set_text(workload, "spec.template.metadata.labels.app", name)) < 0 ||
            (r = export_set(workload, "spec.template.spec.terminationGracePeriodSeconds", json_object_new_int64((int64_t) grace))) < 0)
                return r;
        x->container = json_object_new_object();
        r = export_push(workload, "spec.template.spec.containers", x->container);
        return r < 0 ? r : fill_container(x, name);
}

static int fill(Exporter *x, const char *name) {
        const ServiceSpec *s = x->spec;
        json_object *o = x->document, *workload = o;
        bool job = s->type == SERVICE_ONESHOT;
        _cleanup_free_ char *fields = NULL;
        int r = job && spec_scheduled(s) ? export_five_fields(s, &fields) : 0;

        if (r < 0 || (r = export_set_text(o, "apiVersion", job ? "batch/v1" : "apps/v1")) < 0 ||
            (r = export_set_text(o, "kind", fields ? "CronJob" : job ? "Job" : "Deployment")) < 0 ||
            (r = export_set_text(o, "metadata.name", name)) < 0 || (r = export_set_text(o, "metadata.labels.app", name)) < 0 ||
            (s->description && (r = export_set_text(o, "metadata.annotations.description", s->description)) < 0) ||
            (fields && (r = fill_schedule(x, fields, &workload)) < 0))
                return r;
        return fill_workload(x, workload, name);
}

/* Names are those of DNS there: lower-case letters, digits and '-'. */
static int make_name(Exporter *x, char **ret) {
        char *name = export_name(x->spec);
        bool changed = false;

        for (char *p = name; p && *p; p++) {
                char c = *p >= 'A' && *p <= 'Z' ? (char) (*p + 'a' - 'A') : *p == '_' || *p == '.' ? '-' : *p;

                changed = changed || c != *p;
                *p = c;
        }
        *ret = name;
        return !name ? -ENOMEM : changed ? export_note(x, "it is called %s there", name) : 0;
}

int export_kubernetes(Exporter *x) {
        static const ExportRow *const tables[] = { rows, kubernetes_hook_rows, NULL };
        _cleanup_free_ char *name = NULL;
        int r;

        r = make_name(x, &name);
        x->document = r < 0 ? NULL : json_object_new_object();
        if (r >= 0)
                r = export_add(x->out, text_printf("%s.yaml", name), NULL, x->document);
        if (r >= 0)
                r = fill(x, name);
        return r < 0 ? r : export_walk(x, tables, plain);
}
