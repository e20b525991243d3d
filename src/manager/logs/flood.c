/* Must stay true: an idle machine wakes nobody, and a busy one at most once in PAUSE_USEC: between two looks the journal's descriptor is not
 * watched. */
#include "manager/logs/flood.h"

#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "logger/journal_drops.h"
#include "manager/api/api.h"
#include "manager/events.h"

#define PAUSE_USEC (10 * USEC_PER_SEC)
#define TELL_USEC (10 * USEC_PER_MINUTE)   /* between two events about the same run */

struct FloodWatch {
        Manager *manager;
        JournalDrops *drops;
        sd_event_source *io, *pause;
};

/* Of this run. */
struct Drops {
        uint64_t lines, rate;      /* rate: a second */
        usec_t at, told;           /* when last (realtime); when that was told (monotonic) */
};

static Instance *instance_of(Manager *m, const char *unit) {
        size_t at = 0;
        void *v;

        while (map_next(m->runs, &at, &v)) {
                Instance *i = v;
                if (i->cell && streq(cell_unit(i->cell), unit))
                        return i;
        }
        return NULL;
}

static void tell(Instance *i) {
        json_object *data = json_object_new_object();

        json_set(data, "lines_dropped", json_object_new_int64((int64_t) i->drops->lines));
        json_set(data, "lines_per_second", json_object_new_int64((int64_t) i->drops->rate));
        event_emit(i->service->manager, i, data, EVENT_LOG_FLOOD,
                   "journald dropped %" PRIu64 " lines, %" PRIu64 " a second: `log: {to: file}` keeps them all", i->drops->lines,
                   i->drops->rate);
}

static void note(Manager *m, const JournalDrop *d) {
        Instance *i = instance_of(m, d->unit);
        usec_t since, now = now_usec(CLOCK_MONOTONIC);
        Drops *x;

        if (!i || d->lines == 0 || (!i->drops && !(i->drops = calloc(1, sizeof(Drops)))))
                return;
        x = i->drops;
        since = x->at ?: i->since_realtime;
        x->rate = d->realtime > since ? d->lines * USEC_PER_SEC / (d->realtime - since) : d->lines;
        x->at = d->realtime;
        x->lines += d->lines;
        if (x->told && now - x->told < TELL_USEC)
                return;
        x->told = now;
        tell(i);
}

static int on_pause_over(sd_event_source *s, uint64_t usec, void *userdata) {
        FloodWatch *w = userdata;

        return sd_event_source_set_enabled(w->io, SD_EVENT_ON);
}

static int on_journal(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        FloodWatch *w = userdata;
        JournalDrop d;
        int r = journal_drops_changed(w->drops);

        while (r >= 0 && (r = journal_drops_next(w->drops, &d)) > 0)
                note(w->manager, &d);
        if (r < 0)
                log_debug("cannot read what journald dropped: %s", strerror(-r));
        (void) sd_event_source_set_enabled(w->io, SD_EVENT_OFF);
        (void) sd_event_source_set_time_relative(w->pause, PAUSE_USEC);
        return sd_event_source_set_enabled(w->pause, SD_EVENT_ONESHOT);
}

FloodWatch *flood_free(FloodWatch *w) {
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->io);
        sd_event_source_disable_unref(w->pause);
        journal_drops_free(w->drops);
        free(w);
        return NULL;
}

static int watch(Manager *m, FloodWatch *w) {
        int r = journal_drops_open(&w->drops);

        if (r >= 0)
                r = sd_event_add_io(m->event, &w->io, journal_drops_fd(w->drops), EPOLLIN, on_journal, w);
        if (r >= 0)
                r = sd_event_source_set_priority(w->io, PRIORITY_BOOKS);
        if (r >= 0)
                r = sd_event_add_time_relative(m->event, &w->pause, CLOCK_MONOTONIC, PAUSE_USEC, USEC_PER_SEC, on_pause_over, w);
        return r < 0 ? r : sd_event_source_set_enabled(w->pause, SD_EVENT_OFF);
}

void flood_watch(Manager *m) {
        FloodWatch *w;
        int r;

        if (m->flood || m->places.user || isolate_kind(m->isolate) != ISOLATE_SCOPE)
                return;
        w = calloc(1, sizeof(FloodWatch));
        if (!w)
                return;
        *w = (FloodWatch) { .manager = m };
        r = watch(m, w);
        if (r < 0)
                log_errno(LOG_WARNING, r, "cannot watch what journald drops");
        /* Kept even so: it is not tried anew with each start. */
        m->flood = w;
}

char *flood_problem(const Instance *i) {
        if (!i->drops || !i->run)
                return NULL;
        return text_printf("%s[%u]: journald dropped %" PRIu64 " lines of it, %" PRIu64 " a second: `log: {to: file}` keeps them all",
                           i->service->key, i->index, i->drops->lines, i->drops->rate);
}
