/* Must stay true: what the journal does not take is lost to the journal only, and the journal says so when it takes entries again; the store has
 * every event. Fields that systemd has a name for are called so (systemd.journal-fields(7), `systemctl status` and `journalctl -u` know them); the
 * others begin with KINGLY_. */
#include "manager/journal_events.h"

#include <ctype.h>
#include <stdio.h>

#include "base/log.h"
#include "logger/journal_fields.h"
#include "manager/life/instance.h"

#define IDENTIFIER "kingd"
#define NAME_MAX_OURS 64

static const struct { const char *key, *field; int64_t factor; } renamed[] = {
        { "cpu_usec", "CPU_USAGE_NSEC", 1000 },
        { "memory_peak_bytes", "MEMORY_PEAK", 1 },
        { "io_read_bytes", "IO_METRIC_READ_BYTES", 1 },
        { "io_written_bytes", "IO_METRIC_WRITE_BYTES", 1 },
        { "lines_dropped", "N_DROPPED", 1 },
};

static void put(Buffer *b, const char *name, const char *value) {
        (void) journal_field(b, name, value, strlen(value));
}

/* A figure of the event's data: its key in capitals, unless systemd calls it otherwise. */
static void put_figure(Buffer *b, const char *key, json_object *value) {
        char name[NAME_MAX_OURS] = "KINGLY_";
        size_t n = strlen(name);

        for (size_t k = 0; k < ARRAY_SIZE(renamed); k++)
                if (streq(renamed[k].key, key)) {
                        (void) journal_field_printf(b, renamed[k].field, "%" PRIi64, json_object_get_int64(value) * renamed[k].factor);
                        return;
                }
        for (const char *p = key; *p && n < sizeof(name) - 1; p++)
                name[n++] = *p == '_' || isalnum((unsigned char) *p) ? (char) toupper((unsigned char) *p) : '_';
        name[n] = '\0';
        put(b, name, json_object_get_string(value));
}

/* As PID 1 says of its units: how, and the status or the number of the signal. */
static void put_exit(Buffer *b, json_object *data) {
        json_object *code = NULL, *sig = NULL, *core = NULL;

        (void) json_object_object_get_ex(data, "code", &code);
        (void) json_object_object_get_ex(data, "signal", &sig);
        (void) json_object_object_get_ex(data, "core", &core);
        if (code || sig)
                put(b, "EXIT_CODE", code ? "exited" : json_object_get_boolean(core) ? "dumped" : "killed");
        if (code)
                put(b, "EXIT_STATUS", json_object_get_string(code));
        else if (sig)
                (void) journal_field_printf(b, "EXIT_STATUS", "%d", signal_from_name(json_object_get_string(sig)));
}

static void put_data(Buffer *b, json_object *data) {
        if (!data)
                return;
        put_exit(b, data);
        json_object_object_foreach(data, key, value)
                if (value && !streq(key, "code") && !streq(key, "core"))
                        put_figure(b, key, value);
}

static void put_instance(Buffer *b, const Instance *i) {
        const ServiceSpec *s = i->service->spec;
        bool user = i->service->manager->places.user;
        const char *unit = i->cell ? cell_unit(i->cell) : NULL;
        char id[33];

        put(b, "KINGLY_NAMESPACE", s->ns);
        put(b, "KINGLY_SERVICE", s->name);
        (void) journal_field_printf(b, "KINGLY_INSTANCE", "%u", i->index);
        if (i->generation)
                (void) journal_field_printf(b, "KINGLY_RUN", "%" PRIu64, i->generation);
        if (i->run) {
                hex_encode(id, i->invocation, sizeof i->invocation);
                put(b, "INVOCATION_ID", id);
        }
        if (!unit)
                return;
        /* The first is what PID 1's own entries about a unit have; by the second journalctl -u shows what a daemon of root says about it. */
        put(b, user ? "USER_UNIT" : "UNIT", unit);
        put(b, user ? "OBJECT_SYSTEMD_USER_UNIT" : "OBJECT_SYSTEMD_UNIT", unit);
}

static void tell_gap(Manager *m) {
        _cleanup_buffer_ Buffer b = {};
        const EventInfo *info = event_info(EVENT_JOURNAL_BEHIND);
        uint64_t dropped = m->journal_sender.dropped;

        (void) journal_field_printf(&b, "MESSAGE", "%" PRIu64 " events did not reach the journal; all are in `kingctl events`", dropped);
        put(&b, "SYSLOG_IDENTIFIER", IDENTIFIER);
        put(&b, "MESSAGE_ID", info->id);
        put(&b, "KINGLY_EVENT", info->name);
        put(&b, "KINGLY_DAEMON", m->places.id);
        (void) journal_field_printf(&b, "PRIORITY", "%d", info->priority);
        (void) journal_field_printf(&b, "N_DROPPED", "%" PRIu64, dropped);
        if (journal_send(&m->journal_sender, &b) >= 0)
                m->journal_sender.dropped = 0;
}

void journal_event(Manager *m, const Instance *i, const PendingEvent *e, json_object *data) {
        _cleanup_buffer_ Buffer b = {};
        const EventInfo *info = event_info(e->kind);
        char label[300];
        int r;

        if (!m->journal || m->journal_sender.fd < 0)
                return;
        (void) journal_field_printf(&b, "MESSAGE", "%s%s%s", i ? instance_label(i, label) : "", i ? ": " : "", e->message);
        put(&b, "SYSLOG_IDENTIFIER", IDENTIFIER);
        put(&b, "MESSAGE_ID", info->id);
        put(&b, "KINGLY_EVENT", info->name);
        (void) journal_field_printf(&b, "KINGLY_EVENT_ID", "%" PRIi64, e->id);
        (void) journal_field_printf(&b, "PRIORITY", "%d", info->priority);
        if (i)
                put_instance(&b, i);
        put_data(&b, data);
        if (m->journal_sender.dropped)
                tell_gap(m);
        r = journal_send(&m->journal_sender, &b);
        if (r < 0)
                log_debug("the journal does not take an event: %s", strerror(-r));
}

static const char *labelled_unit(const Instance *i) {
        return i->journal && i->cell && !i->service->manager->places.user ? cell_unit(i->cell) : NULL;
}

void journal_label(const Instance *i) {
        const ServiceSpec *s = i->service->spec;
        const char *unit = labelled_unit(i);
        char fields[5][200];
        int r;

        if (!unit)
                return;
        snprintf(fields[0], sizeof fields[0], "KINGLY_NAMESPACE=%s", s->ns);
        snprintf(fields[1], sizeof fields[1], "KINGLY_SERVICE=%s", s->name);
        snprintf(fields[2], sizeof fields[2], "KINGLY_INSTANCE=%u", i->index);
        snprintf(fields[3], sizeof fields[3], "KINGLY_RUN=%" PRIu64, i->generation);
        snprintf(fields[4], sizeof fields[4], "KINGLY_DAEMON=%s", i->service->manager->places.id);
        r = journal_fields_write(JOURNAL_UNITS_PATH, unit, (const char *const[]) { fields[0], fields[1], fields[2], fields[3], fields[4], NULL });
        if (r < 0)
                log_debug("lines of %s go without fields of ours: %s", unit, strerror(-r));
}

void journal_unlabel(const Instance *i) {
        const char *unit = labelled_unit(i);

        if (unit)
                journal_fields_remove(JOURNAL_UNITS_PATH, unit);
}
