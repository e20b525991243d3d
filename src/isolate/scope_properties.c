/* What systemd is told about a scope: owns the one table of properties, from which starts, live changes and the probe at start-up are made.
 * Sources: org.freedesktop.systemd1(5), systemd.resource-control(5), systemd.kill(5); "FooSec=" is "FooUSec" in microseconds on the bus.
 *
 * What must stay true: a property that this systemd does not know is found out by asking, never by version; the key of a limit that is
 * dropped with it is denied in the support table. */
#include <stdio.h>
#include <sys/sysmacros.h>

#include "base/text.h"
#include "isolate/scope.h"

typedef enum PropertyForm {
        FORM_FALSE, FORM_TRUE, FORM_STRING, FORM_OWN_UNIT, FORM_SLICE, FORM_DESCRIPTION, FORM_PIDFD, FORM_PID, FORM_SIGNAL,
        FORM_U64,        /* as it is in the spec; unset is UINT64_MAX, which is how systemd writes infinity */
        FORM_MEMORY_HIGH, /* at which limits.memory_restart is watched, too */
        FORM_PERCENT,    /* of one core → microseconds a second */
        FORM_WEIGHT,
        FORM_DEVICES,
} PropertyForm;

typedef struct ScopeProperty {
        const char *name;
        PropertyForm form;
        const char *key;               /* of the spec, for limits */
        size_t offset;                 /* of its field */
        const char *text;
        bool always;                   /* also at the start when it is unset: systemd has a default of its own */
        bool required;
} ScopeProperty;

#define FIELD(f) .offset = offsetof(ServiceSpec, f)

static const ScopeProperty properties[] = {
        { "Slice", FORM_SLICE, .required = true },
        { "Description", FORM_DESCRIPTION },
        { "PIDFDs", FORM_PIDFD },
        { "PIDs", FORM_PID, .required = true },
        /* The unit goes with its last process. No AddRef: what a scope used is read from its cgroup, and a reference costs systemd a match, a
         * question to the bus and the removal of the match for each scope. */
        { "CollectMode", FORM_STRING, .text = "inactive-or-failed" },
        /* At shutdown the slice, which has these dependencies, takes its scopes along; for each scope they would be one more unit to change. */
        { "DefaultDependencies", FORM_FALSE },
        { "Delegate", FORM_TRUE },
        /* Figures are wanted also where nothing is limited. */
        { "CPUAccounting", FORM_TRUE },
        { "MemoryAccounting", FORM_TRUE },
        { "IOAccounting", FORM_TRUE },
        { "TasksAccounting", FORM_TRUE },
        /* When the machine goes down, kingd ends its services in their order first and systemd what is left. It has each start announced by
         * two more signals, and who is no unit of systemd's has no use for it. */
        { "Before", FORM_OWN_UNIT },
        /* What `systemctl stop` of the scope does is what the service is used to. */
        { "KillSignal", FORM_SIGNAL, FIELD(stop.signal) },
        { "TimeoutStopUSec", FORM_U64, FIELD(stop.timeout) },
        { "MemoryMax", FORM_U64, "limits.memory_max", FIELD(limits.memory_max) },
        { "MemoryHigh", FORM_MEMORY_HIGH, "limits.memory_high" },
        { "MemorySwapMax", FORM_U64, "limits.swap_max", FIELD(limits.swap_max) },
        { "TasksMax", FORM_U64, "limits.tasks", FIELD(limits.tasks), .always = true },
        { "CPUQuotaPerSecUSec", FORM_PERCENT, "limits.cpu", FIELD(limits.cpu) },
        { "CPUWeight", FORM_WEIGHT, "priority.cpu_weight", FIELD(priority.cpu_weight) },
        { "IOWeight", FORM_WEIGHT, "priority.io_weight", FIELD(priority.io_weight) },
        { "IOReadBandwidthMax", FORM_DEVICES, "limits.io_read_bandwidth", FIELD(limits.io_read_bandwidth) },
        { "IOWriteBandwidthMax", FORM_DEVICES, "limits.io_write_bandwidth", FIELD(limits.io_write_bandwidth) },
        { "IOReadIOPSMax", FORM_DEVICES, "limits.io_read_iops", FIELD(limits.io_read_iops) },
        { "IOWriteIOPSMax", FORM_DEVICES, "limits.io_write_iops", FIELD(limits.io_write_iops) },
};
static const char probe_end[] = "KinglyProbe";

_Static_assert(ARRAY_SIZE(properties) <= 64, "ScopeIsolate.missing has a bit for each");

static bool property_missing(const ScopeIsolate *si, size_t index) {
        return si->missing & (UINT64_C(1) << index);
}

bool scope_property_missing(const ScopeIsolate *si, const char *name) {
        for (size_t k = 0; k < ARRAY_SIZE(properties); k++)
                if (streq(properties[k].name, name))
                        return property_missing(si, k);
        return true;
}

/* ---- values ---- */

static int append_description(const ScopeCell *c, const ServiceSpec *spec, const char *name, sd_bus_message *m) {
        _cleanup_free_ char *text = NULL;

        if (spec->description && utf8_valid(spec->description, strlen(spec->description)))
                return sd_bus_message_append(m, "(sv)", name, "s", spec->description);
        text = text_printf("%s of %s, supervised by Kingly", spec->name, spec->ns);
        return text ? sd_bus_message_append(m, "(sv)", name, "s", text) : -ENOMEM;
}

static int append_pidfd(const ScopeCell *c, const char *name, PropertyUse use, sd_bus_message *m) {
        _cleanup_pidref_ PidRef p = PIDREF_NULL;
        int r;

        /* An empty list is refused, so the probe names ourselves: nothing is done to anybody before all properties have been accepted. */
        r = use == PROPERTY_PROBE ? pidref_open(getpid(), 0, &p) : pidref_open(c->cell.main.pid, c->cell.main.start_time, &p);
        if (r < 0)
                return r;
        if (p.fd < 0 && use == PROPERTY_PROBE)
                return 0;
        if (p.fd < 0) /* no pidfd to be had: the number does, the process is gated and its parent has not reaped it */
                return sd_bus_message_append(m, "(sv)", "PIDs", "au", 1, (uint32_t) c->cell.main.pid);
        return sd_bus_message_append(m, "(sv)", name, "ah", 1, p.fd);
}

static int append_device(sd_bus_message *m, const DeviceLimit *d) {
        char path[64];
        dev_t device = 0;
        int r;

        r = limit_device(d->path, &device);
        if (r < 0)
                return r;
        snprintf(path, sizeof(path), "/dev/block/%u:%u", major(device), minor(device));
        return sd_bus_message_append(m, "(st)", path, d->value);
}

static int append_devices(sd_bus_message *m, const char *name, const DeviceLimitList *l, bool reset) {
        int r;

        if (reset) { /* an empty list takes back all that came before; entries add to what there is */
                r = sd_bus_message_append(m, "(sv)", name, "a(st)", 0);
                if (r < 0 || l->n == 0)
                        return r;
        }
        r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a(st)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(st)");
        for (size_t k = 0; r >= 0 && k < l->n; k++)
                r = append_device(m, l->items + k);
        for (unsigned k = 0; r >= 0 && k < 3; k++)
                r = sd_bus_message_close_container(m);
        return r;
}

/* The value as systemd counts, UINT64_MAX where it is unset. */
static uint64_t number_of(const ScopeProperty *p, const void *field) {
        if (p->form == FORM_U64)
                return *(const uint64_t *) field;
        if (*(const uint32_t *) field == 0)
                return UINT64_MAX;
        return *(const uint32_t *) field * (p->form == FORM_PERCENT ? USEC_PER_SEC / 100 : 1);
}

static int append_limit(const ScopeProperty *p, const ServiceSpec *spec, PropertyUse use, sd_bus_message *m) {
        const void *field = (const char *) spec + p->offset;
        uint64_t n;

        if (p->form == FORM_DEVICES) {
                const DeviceLimitList *l = field;

                return use == PROPERTY_START && l->n == 0 ? 0 : append_devices(m, p->name, l, use != PROPERTY_START);
        }
        n = p->form == FORM_MEMORY_HIGH ? spec_memory_high(spec) : number_of(p, field);
        if (n == UINT64_MAX && use == PROPERTY_START && p->key && !p->always)
                return 0;
        return sd_bus_message_append(m, "(sv)", p->name, "t", n);
}

static int append_property(const ScopeCell *c, const ScopeProperty *p, const ServiceSpec *spec, PropertyUse use, sd_bus_message *m) {
        const void *field = (const char *) spec + p->offset;
        const ScopeIsolate *si = SCOPE_ISOLATE(c);

        switch (p->form) {
        case FORM_FALSE:
        case FORM_TRUE:
                return sd_bus_message_append(m, "(sv)", p->name, "b", p->form == FORM_TRUE);
        case FORM_STRING:
                return sd_bus_message_append(m, "(sv)", p->name, "s", p->text);
        case FORM_OWN_UNIT:
                return si->own_unit ? sd_bus_message_append(m, "(sv)", p->name, "as", 1, si->own_unit) : 0;
        case FORM_SLICE:
                return sd_bus_message_append(m, "(sv)", p->name, "s", c->slice);
        case FORM_DESCRIPTION:
                return append_description(c, spec, p->name, m);
        case FORM_PIDFD:
                return append_pidfd(c, p->name, use, m);
        case FORM_PID:
                if (use == PROPERTY_PROBE || !scope_property_missing(si, "PIDFDs"))
                        return 0;
                return sd_bus_message_append(m, "(sv)", p->name, "au", 1, (uint32_t) c->cell.main.pid);
        case FORM_SIGNAL:
                return sd_bus_message_append(m, "(sv)", p->name, "i", *(const int *) field);
        default:
                return append_limit(p, spec, use, m);
        }
}

int scope_properties_append(const ScopeCell *c, const ServiceSpec *spec, PropertyUse use, sd_bus_message *m, KlError *reterr) {
        const ScopeIsolate *si = SCOPE_ISOLATE(c);
        int r;

        r = sd_bus_message_open_container(m, 'a', "(sv)");
        for (size_t k = 0; r >= 0 && k < ARRAY_SIZE(properties); k++) {
                const ScopeProperty *p = properties + k;

                if (property_missing(si, k) || (use == PROPERTY_LIVE && !p->key) || (p->key && !support_has(&si->isolate, p->key)))
                        continue;
                r = append_property(c, p, spec, use, m);
                if (r < 0)
                        kl_error_set(reterr, r, KL_E_FAILED, "%s: %s", p->key ?: p->name, strerror(-r));
        }
        if (r >= 0 && use == PROPERTY_PROBE)
                r = sd_bus_message_append(m, "(sv)", probe_end, "b", 1);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : 0;
}

int scope_properties_check(const ScopeIsolate *si, const ServiceSpec *spec, KlError *reterr) {
        for (size_t k = 0; k < ARRAY_SIZE(properties); k++) {
                const ScopeProperty *p = properties + k;
                const DeviceLimitList *l = (const DeviceLimitList *) (const void *) ((const char *) spec + p->offset);

                if (p->form != FORM_DEVICES || !support_has(&si->isolate, p->key))
                        continue;
                for (size_t n = 0; n < l->n; n++) {
                        dev_t device;
                        int r = limit_device(l->items[n].path, &device);

                        if (r == -ENODEV)
                                return kl_error_set(reterr, r, KL_E_INVALID, "%s: there is no block device behind %s", p->key,
                                                    l->items[n].path);
                        if (r < 0)
                                return kl_error_set(reterr, r, KL_E_INVALID, "%s: %s: %s", p->key, l->items[n].path, strerror(-r));
                }
        }
        return 0;
}

/* ---- properties that this systemd does not know ---- */

bool scope_properties_refused(const sd_bus_error *e) {
        return sd_bus_error_has_name(e, SD_BUS_ERROR_UNKNOWN_PROPERTY) || sd_bus_error_has_name(e, SD_BUS_ERROR_PROPERTY_READ_ONLY);
}

/* Does the text name it as a word of its own? ("PIDs" is not in "PIDFDs", "CPUQuota" not in "CPUQuotaPerSecUSec".) */
static bool text_names(const char *text, const char *name) {
        static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
        size_t n = strlen(name);

        for (const char *p = strstr(text, name); p; p = strstr(p + 1, name))
                if ((p == text || !strchr(word, p[-1])) && (p[n] == '\0' || !strchr(word, p[n])))
                        return true;
        return false;
}

int scope_properties_drop(ScopeIsolate *si, const sd_bus_error *e) {
        const char *text = e->message ?: "";
        int r;

        if (text_names(text, probe_end))
                return 0;
        for (size_t k = 0; k < ARRAY_SIZE(properties); k++) {
                const ScopeProperty *p = properties + k;
                _cleanup_free_ char *why = NULL;

                if (!text_names(text, p->name))
                        continue;
                if (p->required)
                        return -EOPNOTSUPP;
                if (property_missing(si, k)) /* the answer to a call that was under way already */
                        return 1;
                si->missing |= UINT64_C(1) << k;
                if (!p->key)
                        return 1;
                why = text_printf("this systemd does not let a scope have %s", p->name);
                r = why ? support_deny_key(&si->isolate, p->key, why) : -ENOMEM;
                return r < 0 && r != -ENOENT ? r : 1;
        }
        return -EBADMSG;
}
