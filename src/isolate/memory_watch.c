/* limits.memory_restart: when does a service use too much? With a memory controller its memory.high is the threshold: the kernel counts a "high"
 * in memory.events when it is crossed, and only then anybody looks. Page cache crosses it, too, is reclaimed, and is no reason to restart anything;
 * so what counts is read, and one that only hovers there is looked at every 5 s. Source: Documentation/admin-guide/cgroup-v2.rst ("memory.high",
 * "memory.events", "memory.stat").
 *
 * What must stay true: a service below its threshold wakes nobody; one above it is told of until somebody acts, whatever was overheard; the
 * threshold slows it down only until then (cell_memory_relax), so that it can end in good order. */
#include "isolate/isolate_internal.h"

#include <stdio.h>
#include <sys/inotify.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"

#define EVENTS "memory.events"
#define LOOK_AGAIN_USEC (5 * USEC_PER_SEC)

static int on_time(sd_event_source *s, uint64_t usec, void *userdata);
static int on_modified(sd_event_source *s, const struct inotify_event *event, void *userdata);

/* ---- what it uses ---- */

/* memory.current less what reclaim would take without writing it to swap, plus what it has written there. */
static int charged(const char *dir, uint64_t *ret) {
        static const char *const reclaimable[] = { "inactive_file", "active_file", "slab_reclaimable" };
        uint64_t current, swap = 0, n, less = 0;
        int r;

        r = cgroup_read_u64(dir, "memory.current", &current);
        if (r < 0)
                return r;
        for (size_t k = 0; k < ARRAY_SIZE(reclaimable); k++)
                if (cgroup_read_key(dir, "memory.stat", reclaimable[k], &n) >= 0)
                        less += n;
        (void) cgroup_read_u64(dir, "memory.swap.current", &swap);
        *ret = (current > less ? current - less : 0) + swap;
        return 0;
}

/* The sum that lists show is cheap, and too high where processes share memory. Only where it would matter the kernel is asked for shares. */
static int resident(Cell *c, uint64_t bytes, uint64_t *ret) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        Usage u;
        int r;

        r = cell_usage(c, false, &u);
        *ret = r < 0 || u.memory_source == USAGE_NONE ? 0 : u.memory;
        if (r < 0 || *ret <= bytes)
                return r;
        r = cell_pids(c, &pids, &n);
        *ret = 0;
        for (size_t k = 0; r >= 0 && k < n; k++) {
                ProcessStat stat;
                uint64_t share;

                if (process_pss(pids[k], &share) >= 0)
                        *ret += share;
                else if (process_stat(pids[k], &stat) >= 0)
                        *ret += stat.rss;
        }
        return r;
}

int cell_memory_above(Cell *c, uint64_t bytes, uint64_t *ret) {
        int r = c->cgroup && (c->isolate->controllers & CGROUP_MEMORY) ? charged(c->handle, ret) : resident(c, bytes, ret);

        return r < 0 ? r : *ret > bytes;
}

void cell_memory_relax(Cell *c, const ServiceSpec *spec) {
        char text[24] = "max";

        memory_watch_end(c);
        if (!c->cgroup || spec->limits.memory_restart == LIMIT_UNSET || !support_has(c->isolate, "limits.memory_high"))
                return;
        if (spec->limits.memory_high != LIMIT_UNSET)
                snprintf(text, sizeof(text), "%" PRIu64, spec->limits.memory_high);
        (void) cgroup_write(c->handle, "memory.high", text); /* refused, it ends more slowly */
}

/* ---- being told ---- */

static MemoryWatch *watch_free(MemoryWatch *w) {
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->source);
        sd_event_source_disable_unref(w->wait);
        free(w);
        return NULL;
}

void memory_watch_end(Cell *c) {
        c->memory = watch_free(c->memory);
}

bool cell_tells_oversize(const Cell *c) {
        return c->memory;
}

static int attend(MemoryWatch *w) {
        _cleanup_free_ char *path = path_join(w->cell->handle, EVENTS);

        return path ? sd_event_add_inotify(w->cell->isolate->options.event, &w->source, path, IN_MODIFY, on_modified, w) : -ENOMEM;
}

static int wait_a_little(MemoryWatch *w, usec_t span) {
        w->source = sd_event_source_disable_unref(w->source);
        w->wait = sd_event_source_disable_unref(w->wait);
        return sd_event_add_time_relative(w->cell->isolate->options.event, &w->wait, CLOCK_MONOTONIC, span, USEC_PER_SEC / 2, on_time, w);
}

/* Whether it was told. The watch may be gone afterwards. */
static bool look(MemoryWatch *w) {
        const IsolateEvents *e = &w->cell->isolate->options.events;
        uint64_t bytes;

        if (cell_memory_above(w->cell, w->threshold, &bytes) <= 0)
                return false;
        if (e->oversize)
                e->oversize(e->userdata, w->cell, bytes);
        return true;
}

static int on_modified(sd_event_source *s, const struct inotify_event *event, void *userdata) {
        MemoryWatch *w = userdata;
        int r = wait_a_little(w, LOOK_AGAIN_USEC);

        (void) look(w);
        return r;
}

/* Looked at once more after there is a watch again: what happened in between was told to nobody. */
static int on_time(sd_event_source *s, uint64_t usec, void *userdata) {
        MemoryWatch *w = userdata;
        Cell *c = w->cell;
        int r;

        w->wait = sd_event_source_disable_unref(w->wait);
        r = attend(w);
        if (r < 0) {
                log_errno(LOG_DEBUG, r, "no longer told how much memory %s uses", c->where);
                memory_watch_end(c);
                return 0;
        }
        return look(w) && c->memory ? wait_a_little(c->memory, LOOK_AGAIN_USEC) : 0;
}

void memory_watch_set(Cell *c, const ServiceSpec *spec) {
        MemoryWatch *w = c->memory;
        int r;

        if (spec->limits.memory_restart == LIMIT_UNSET || !c->cgroup || !(c->isolate->controllers & CGROUP_MEMORY)) {
                memory_watch_end(c);
                return;
        }
        if (!w)
                w = calloc(1, sizeof(MemoryWatch));
        if (!w)
                return; /* somebody looks from time to time instead */
        w->cell = c;
        w->threshold = spec->limits.memory_restart;
        c->memory = w;
        r = wait_a_little(w, 0); /* it may be above the threshold already: adopted, or the threshold is new */
        if (r < 0)
                memory_watch_end(c);
}
