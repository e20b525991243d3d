/* Limits that a service met and survived. The kernel says that memory.events or pids.events changed; a second later the counters are read and told,
 * so that what comes together is counted together, and a main process that the OOM killer chose has had time to end. Then, for 10 s, nobody
 * looks. Source: Documentation/admin-guide/cgroup-v2.rst ("memory.events", "pids.events"; both generate a file modified event).
 *
 * What must stay true: a service that hovers at a limit wakes us once in 10 s, however often it meets it: an inotify watch that is only disabled
 * goes on waking, so it is removed meanwhile; one that meets none never does. Nothing is kept open. */
#include "isolate/isolate_internal.h"

#include <sys/inotify.h>

#include "base/fd.h"
#include "base/log.h"

#define SETTLE_USEC USEC_PER_SEC
#define HUSH_USEC (10 * USEC_PER_SEC)

static const char *const files[_LIMIT_EVENTS_MAX] = { [LIMIT_EVENTS_MEMORY] = "memory.events", [LIMIT_EVENTS_PIDS] = "pids.events" };

static const struct { LimitEvents file; const char *key; } counters[_LIMIT_HIT_MAX] = {
        [LIMIT_HIT_MEMORY_HIGH] = { LIMIT_EVENTS_MEMORY, "high" },
        [LIMIT_HIT_MEMORY_MAX] = { LIMIT_EVENTS_MEMORY, "max" },
        [LIMIT_HIT_OOM_KILL] = { LIMIT_EVENTS_MEMORY, "oom_kill" },
        [LIMIT_HIT_TASKS] = { LIMIT_EVENTS_PIDS, "max" },
};

static int on_time(sd_event_source *s, uint64_t usec, void *userdata);
static int on_modified(sd_event_source *s, const struct inotify_event *event, void *userdata);

static LimitWatch *limit_watch_free(LimitWatch *w) {
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->source);
        sd_event_source_disable_unref(w->wait);
        free(w);
        return NULL;
}

void limit_watch_end(Cell *c) {
        for (size_t k = 0; k < _LIMIT_EVENTS_MAX; k++)
                c->limits[k] = limit_watch_free(c->limits[k]);
}

/* What the counter has gained since it was told. */
static uint64_t gained(LimitWatch *w, LimitHit hit) {
        uint64_t now, before = w->told[hit];

        if (counters[hit].file != w->file || cgroup_read_key(w->cell->handle, files[w->file], counters[hit].key, &now) < 0)
                return 0;
        w->told[hit] = now;
        return now > before ? now - before : 0;
}

static bool main_lives(const Cell *c) {
        _cleanup_pidref_ PidRef p = PIDREF_NULL;

        return c->main.pid > 0 && pidref_open(c->main.pid, c->main.start_time, &p) >= 0 && pidref_alive(&p);
}

/* Whether there was something to tell. Without its main process a service does not go on: what ended it is told by its end. */
static bool tell(LimitWatch *w) {
        const IsolateEvents *e = &w->cell->isolate->options.events;
        bool told = false;

        for (LimitHit hit = 0; hit < _LIMIT_HIT_MAX; hit++) {
                uint64_t count = gained(w, hit);

                if (count == 0 || (hit == LIMIT_HIT_MEMORY_HIGH && !w->slows) || !main_lives(w->cell))
                        continue;
                told = true;
                if (e->limit)
                        e->limit(e->userdata, w->cell, hit, count);
        }
        return told;
}

static int attend(LimitWatch *w) {
        _cleanup_free_ char *path = path_join(w->cell->handle, files[w->file]);
        int r = path ? sd_event_add_inotify(w->cell->isolate->options.event, &w->source, path, IN_MODIFY, on_modified, w) : -ENOMEM;

        if (r >= 0)
                (void) sd_event_source_set_description(w->source, files[w->file]);
        return r;
}

static int wait_for(LimitWatch *w, usec_t span) {
        w->source = sd_event_source_disable_unref(w->source);
        w->wait = sd_event_source_disable_unref(w->wait);
        return sd_event_add_time_relative(w->cell->isolate->options.event, &w->wait, CLOCK_MONOTONIC, span, USEC_PER_SEC / 2, on_time, w);
}

static int on_modified(sd_event_source *s, const struct inotify_event *event, void *userdata) {
        return wait_for(userdata, SETTLE_USEC);
}

/* Once there is a watch again it is looked a second time: what came in between was told to nobody. */
static int on_time(sd_event_source *s, uint64_t usec, void *userdata) {
        LimitWatch *w = userdata;
        int r = 0;

        w->wait = sd_event_source_disable_unref(w->wait);
        if (!tell(w)) {
                r = attend(w);
                if (r < 0) /* the place is gone, or there is no room for a watch: a limit that is not told of ends nobody */
                        log_errno(LOG_DEBUG, r, "no longer told when %s meets a limit", w->cell->where);
                if (r < 0 || !tell(w))
                        return 0;
        }
        return wait_for(w, HUSH_USEC);
}

static void watch_file(Cell *c, LimitEvents file) {
        LimitWatch *w = calloc(1, sizeof(LimitWatch));
        int r = -ENOMEM;

        if (w) {
                *w = (LimitWatch) { .cell = c, .file = file };
                r = attend(w);
        }
        if (r < 0) {
                if (r != -ENOENT) /* no such controller here, which the limit itself was named for */
                        log_errno(LOG_DEBUG, r, "not told when %s meets a limit", c->where);
                limit_watch_free(w);
                return;
        }
        for (LimitHit hit = 0; hit < _LIMIT_HIT_MAX; hit++)
                (void) gained(w, hit); /* of an adopted one: before our time */
        c->limits[file] = w;
}

void cell_watch_limits(Cell *c, const ServiceSpec *spec) {
        const bool wanted[_LIMIT_EVENTS_MAX] = {
                [LIMIT_EVENTS_MEMORY] = spec->limits.memory_high != LIMIT_UNSET || spec->limits.memory_max != LIMIT_UNSET,
                [LIMIT_EVENTS_PIDS] = spec->limits.tasks != LIMIT_UNSET,
        };

        for (LimitEvents k = 0; k < _LIMIT_EVENTS_MAX; k++) {
                if (!wanted[k])
                        c->limits[k] = limit_watch_free(c->limits[k]);
                else if (c->cgroup && !c->limits[k])
                        watch_file(c, k);
        }
        if (c->limits[LIMIT_EVENTS_MEMORY])
                c->limits[LIMIT_EVENTS_MEMORY]->slows = spec->limits.memory_high != LIMIT_UNSET && spec->limits.memory_high == spec_memory_high(spec);
        memory_watch_set(c, spec);
}
