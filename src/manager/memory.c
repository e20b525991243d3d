/* Where the kernel tells who grew too big (isolate/memory_watch.c), it is listened to. Elsewhere all services with limits.memory_restart are looked
 * at every five seconds, by one timer. Must stay true: no timer runs when there is nobody to look at. */
#include "base/text.h"
#include "manager/api/api.h"
#include "manager/events.h"
#include "manager/life/instance.h"
#include "manager/memory.h"

#define PERIOD (5 * USEC_PER_SEC)

void memory_exceeded(Instance *i, uint64_t bytes) {
        const ServiceSpec *s = i->service->spec;
        json_object *data;
        char used[FORMAT_MAX], limit[FORMAT_MAX];

        if (s->limits.memory_restart == LIMIT_UNSET || !lifecycle_heeds(&i->lc, EV_OVERSIZE))
                return;
        data = json_object_new_object();
        json_set(data, "bytes", json_object_new_int64((int64_t) bytes));
        event_emit(i->service->manager, i, data, EVENT_MEMORY_RESTART, "uses %s of memory, more than limits.memory_restart, %s: restarting",
                   format_size(used, bytes, false), format_size(limit, s->limits.memory_restart, true));
        cell_memory_relax(i->cell, s);
        instance_event(i, EV_OVERSIZE);
}

static bool to_be_looked_at(const Instance *i) {
        return i->service->spec->limits.memory_restart != LIMIT_UNSET && i->cell && i->lc.main_alive && i->lc.run_since > 0 &&
               !cell_tells_oversize(i->cell);
}

static void arm(Manager *m);

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        bool again = false;

        m->memory = sd_event_source_disable_unref(m->memory);
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; n < m->order[k]->n_instances; n++) {
                        Instance *i = m->order[k]->instances[n];
                        uint64_t bytes;

                        if (!to_be_looked_at(i))
                                continue;
                        again = true;
                        if (cell_memory_above(i->cell, i->service->spec->limits.memory_restart, &bytes) > 0)
                                memory_exceeded(i, bytes);
                }
        if (again)
                arm(m);
        return 0;
}

static void arm(Manager *m) {
        if (!m->memory && sd_event_add_time_relative(m->event, &m->memory, CLOCK_MONOTONIC, PERIOD, USEC_PER_SEC, on_time, m) < 0)
                manager_problem(m, "cannot arm the timer for limits.memory_restart");
}

void memory_attend(Instance *i) {
        if (to_be_looked_at(i))
                arm(i->service->manager);
}
