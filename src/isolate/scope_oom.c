/* Kills for want of memory in a scope that is gone. When the last process of a scope ends, systemd removes its cgroup, and often before
 * its own memory.events could be read. The slice stays, and its memory.events counts what happened in all cgroups below it. So what the
 * slice has counted and no scope of ours was seen to account for belongs to the one that is gone.
 *
 * What must stay true: a kill is attributed once; what can be read is read (from all living scopes of the slice) before anything is
 * inferred. Source: cgroup-v2.rst, "memory.events" (hierarchical, unless the file system is mounted with memory_localevents). */
#include "isolate/scope.h"

#include "base/text.h"

struct ScopeSlice {
        char *directory;           /* key in ScopeIsolate.slices */
        uint64_t accounted;        /* kills of memory.events that are known to be of some scope, or from before our time */
};

static void slice_free(ScopeSlice *s) {
        free(s->directory);
        free(s);
}

void scope_slices_free(ScopeIsolate *si) {
        size_t i = 0;
        void *s;

        while (si->slices && map_next(si->slices, &i, &s))
                slice_free(s);
        si->slices = map_free(si->slices);
}

static int slice_kills(const ScopeSlice *s, uint64_t *ret) {
        return cgroup_read_key(s->directory, "memory.events", "oom_kill", ret);
}

static int slice_new(ScopeIsolate *si, const char *directory, ScopeSlice **ret) {
        ScopeSlice *s = calloc(1, sizeof(ScopeSlice));
        int r;

        if (!s)
                return -ENOMEM;
        s->directory = strdup(directory);
        r = s->directory ? slice_kills(s, &s->accounted) : -ENOMEM;
        if (r >= 0)
                r = map_put(si->slices, s->directory, s);
        if (r < 0) {
                slice_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

/* The kernel counts the number of the scope and of the slice together, so at any moment all scopes and the slice can be compared. */
static void account(ScopeCell *c, uint64_t kills) {
        if (kills <= c->oom_kills)
                return;
        if (c->oom_slice)
                c->oom_slice->accounted += kills - c->oom_kills;
        c->oom_kills = kills;
}

void scope_oom_enter(ScopeCell *c) {
        ScopeIsolate *si = SCOPE_ISOLATE(c);
        const char *slash = strrchr(c->cell.cgroup, '/');
        _cleanup_free_ char *directory = NULL;

        if (!(si->isolate.controllers & CGROUP_MEMORY))
                return;
        directory = strndup(c->cell.cgroup, (size_t) (slash - c->cell.cgroup));
        if (!directory)
                return;
        c->oom_slice = map_get(si->slices, directory);
        /* An adopted scope may have a past, which a slice that is new to us has in its own count already. */
        if (!c->oom_slice && slice_new(si, directory, &c->oom_slice) >= 0)
                (void) cgroup_read_key(c->cell.handle, "memory.events", "oom_kill", &c->oom_kills);
}

static void account_living(ScopeIsolate *si, const ScopeSlice *s) {
        uint64_t kills;
        size_t i = 0;
        void *v;

        while (map_next(si->cells, &i, &v)) {
                ScopeCell *c = v;

                if (c->oom_slice == s && cgroup_read_key(c->cell.handle, "memory.events", "oom_kill", &kills) >= 0)
                        account(c, kills);
        }
}

/* What nobody else accounts for. */
static void account_absent(ScopeCell *c) {
        ScopeSlice *s = c->oom_slice;
        uint64_t kills;

        if (slice_kills(s, &kills) < 0 || kills <= s->accounted)
                return;
        account_living(SCOPE_ISOLATE(c), s);
        if (kills > s->accounted)
                account(c, c->oom_kills + (kills - s->accounted));
}

int scope_cell_usage(Cell *cell, bool detail, Usage *ret) {
        ScopeCell *c = SCOPE_CELL(cell);
        int r;

        r = cgroup_cell_usage(cell, detail, ret);
        if (!detail || !c->oom_slice)
                return r;
        if (ret->oom_kills != USAGE_UNKNOWN)
                account(c, ret->oom_kills);
        else if (cgroup_cell_populated(cell) == 0) {
                account_absent(c);
                ret->oom_kills = c->oom_kills;
                r = 0;
        }
        return r;
}
