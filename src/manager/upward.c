/* Under systemd the keeper is the unit's main process and we are its child (NotifyAccess=all). The bus is asked only when we are told to
 * end; that one call may block, for at most QUERY_USEC, because nothing else is left to do. */
#include <stdio.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/text.h"
#include "manager/link.h"
#include "manager/upward.h"

#define QUERY_USEC (2 * USEC_PER_SEC)

static void count(const Manager *m, unsigned counts[_LC_STATE_MAX], unsigned *ret_total) {
        *ret_total = 0;
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; n < m->order[k]->n_instances; n++) {
                        counts[m->order[k]->instances[n]->lc.state]++;
                        (*ret_total)++;
                }
}

static void status_text(const Manager *m, char *buf, size_t size) {
        unsigned counts[_LC_STATE_MAX] = {}, total;

        count(m, counts, &total);
        snprintf(buf, size, "%u instances: %u running, %u starting, %u waiting, %u failed", total,
                 counts[LC_RUNNING] + counts[LC_RELOADING],
                 counts[LC_PLACING] + counts[LC_STARTING], counts[LC_WAIT_BACKOFF] + counts[LC_WAIT_DEPS], counts[LC_FAILED]);
}

void upward_status(Manager *m) {
        static char last[160];
        char now[160];

        if (!getenv("NOTIFY_SOCKET"))
                return;
        status_text(m, now, sizeof now);
        if (streq(now, last))
                return;
        strcpy(last, now);
        (void) sd_notifyf(false, "STATUS=%s", now);
}

void upward_ready(Manager *m) {
        char text[160];

        status_text(m, text, sizeof text);
        (void) sd_notifyf(false, "READY=1\nSTATUS=%s", text);
}

void upward_reloading(Manager *m) {
        (void) sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reading the configuration again",
                          now_usec(CLOCK_MONOTONIC));
}

void upward_reexecuting(Manager *m) {
        (void) sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Other programs follow; services run on", now_usec(CLOCK_MONOTONIC));
}

void upward_stopping(Manager *m) {
        (void) sd_notify(false, m->shutdown == SHUTDOWN_LEAVE ? "STOPPING=1\nSTATUS=Restarting; services run on" :
                                                                "STOPPING=1\nSTATUS=Stopping services");
}

static int ask(sd_bus *bus, pid_t keeper, char **ret_type) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *unit = NULL, *job = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        const char *path, *job_path;
        uint32_t id;
        int r;

        r = sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                               "GetUnitByPID", &e,
                               &unit, "u", (uint32_t) keeper);
        if (r < 0 || (r = sd_bus_message_read(unit, "o", &path)) < 0)
                return r;
        r = sd_bus_get_property(bus, "org.freedesktop.systemd1", path, "org.freedesktop.systemd1.Unit", "Job", &e, &job, "(uo)");
        if (r < 0 || (r = sd_bus_message_read(job, "(uo)", &id, &job_path)) < 0)
                return r;
        if (id == 0)
                return -ENOENT;
        return sd_bus_get_property_string(bus, "org.freedesktop.systemd1", job_path, "org.freedesktop.systemd1.Job", "JobType", &e,
                                          ret_type);
}

int upward_restarting(Manager *m) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *type = NULL;
        int r;

        if (!getenv("NOTIFY_SOCKET") || !getenv("INVOCATION_ID"))
                return -ENOENT;
        r = m->places.user ? sd_bus_open_user(&bus) : sd_bus_open_system(&bus);
        if (r < 0)
                return r;
        (void) sd_bus_set_method_call_timeout(bus, QUERY_USEC);
        r = ask(bus, link_keeper(m->link), &type);
        if (r < 0)
                return r;
        log_info("our unit has a %s job", type);
        return streq(type, "restart") || streq(type, "try-restart");
}
