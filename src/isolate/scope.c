/* Kind `scope`: each run lives in a transient systemd scope, kingly-NAME-INSTANCE-GENERATION.scope in kingly.slice or
 * kingly-NAMESPACE.slice, of the system's or the user's manager. Owns the names, and the life of a cell.
 *
 * What must stay true: where a scope's cgroup is, is read from the kernel and never made up from a name (scope_where.c); of a scope's own cgroup
 * nothing is written but cgroup.kill and whose it is, limits go through systemd (CGROUP_DELEGATION); the scope outlives us and our connection. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/statfs.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/text.h"
#include "isolate/scope.h"

#define UNIT_NAME_MAX 255
#define CGROUP2_MAGIC 0x63677270 /* linux/magic.h */

/* ---- names ---- */

/* A dash in the name of a slice says that one lies inside of the other, so one in a namespace is written as systemd escapes it. */
static char *slice_name(const char *ns) {
        static const char head[] = "kingly-", tail[] = ".slice";
        char *s, *p;

        if (streq(ns, "default"))
                return strdup("kingly.slice");
        p = s = malloc(sizeof(head) + 4 * strlen(ns) + sizeof(tail));
        if (!s)
                return NULL;
        p = stpcpy(p, head);
        for (; *ns; ns++)
                if (*ns == '-')
                        p = stpcpy(p, "\\x2d");
                else
                        *p++ = *ns;
        strcpy(p, tail);
        return s;
}

bool cell_name_is_unit(const CellName *name, const char *unit, const char *slice) {
        _cleanup_free_ char *prefix = text_printf("kingly-%s-%u-", name->service, name->instance), *expected = slice_name(name->ns);
        const char *generation = prefix ? startswith(unit, prefix) : NULL;

        return generation && *generation >= '0' && *generation <= '9' && expected && streq(expected, slice);
}

int scope_rename(ScopeCell *c) {
        _cleanup_free_ char *name = NULL;
        ScopeIsolate *si = SCOPE_ISOLATE(c);
        size_t stem = strlen(c->cell.where) - strlen(".scope");
        uint32_t suffix;
        int r;

        if (getrandom(&suffix, sizeof(suffix), 0) != (ssize_t) sizeof(suffix))
                return -errno;
        name = text_printf("%.*s-%08" PRIx32 ".scope", (int) stem, c->cell.where, suffix);
        if (!name)
                return -ENOMEM;
        r = map_put(si->cells, name, c);
        if (r < 0)
                return r;
        map_remove(si->cells, c->cell.where);
        free(c->cell.where);
        c->cell.where = TAKE_PTR(name);
        c->renamed = true;
        return 0;
}

/* ---- its cgroup ---- */

/* Which controllers a scope gets is known for certain only when there is one. */
static int look_at_controllers(Isolate *i, const char *directory) {
        int have = cgroup_controllers(directory, "cgroup.controllers"), r;

        if (have < 0)
                return have;
        r = support_from_controllers(i, directory, (unsigned) have);
        if (r >= 0)
                r = support_from_files(i, directory, (unsigned) have);
        i->controllers = (unsigned) have;
        return r;
}

int scope_open(ScopeCell *c, const char *directory, bool unmarked) {
        ScopeIsolate *si = SCOPE_ISOLATE(c);
        int r;

        r = cgroup_cell_open(&c->cell, directory);
        if (r >= 0)
                r = scope_claim(c, unmarked);
        if (r < 0)
                return r;
        if (!si->looked && look_at_controllers(&si->isolate, directory) >= 0)
                si->looked = true;
        scope_oom_enter(c);
        return 0;
}

/* ---- the kind ---- */

static int missing_controllers(ScopeIsolate *si) {
        int have = cgroup_controllers(si->base, "cgroup.controllers");

        if (have < 0)
                return have;
        si->isolate.controllers = (unsigned) have;
        return support_from_controllers(&si->isolate, si->base, (unsigned) have);
}

static int scope_try(Isolate *i, KlError *reterr) {
        ScopeIsolate *si = (ScopeIsolate *) i;
        struct statfs fs;
        int r;

        if (sd_booted() <= 0)
                return kl_error_set(reterr, -EOPNOTSUPP, KL_E_FAILED, "systemd is not the init of this machine");
        if (!i->mount || statfs("/sys/fs/cgroup", &fs) < 0 || (uint32_t) fs.f_type != CGROUP2_MAGIC)
                return kl_error_set(reterr, -EOPNOTSUPP, KL_E_FAILED,
                                    "systemd runs on cgroup v1 here (systemd.unified_cgroup_hierarchy=1 changes that)");
        si->cells = map_new_string();
        si->slices = map_new_string();
        if (!si->cells || !si->slices)
                return kl_error_set(reterr, -ENOMEM, KL_E_NO_MEMORY, "out of memory");
        r = scope_bus_start(si, reterr);
        if (r < 0)
                return r;
        r = missing_controllers(si);
        return r < 0 ? kl_error_set(reterr, r, KL_E_FAILED, "cannot read the controllers of %s: %s", si->base, strerror(-r)) : 0;
}

static void scope_destroy(Isolate *i) {
        ScopeIsolate *si = (ScopeIsolate *) i;

        scope_bus_stop(si);
        si->cells = map_free(si->cells);
        scope_slices_free(si);
        free(si->own_unit);
        free(si->base);
}

/* ---- the life of a cell ---- */

static int enter(ScopeCell *c, char *where) {
        int r;

        if (!where)
                return -ENOMEM;
        r = map_put(SCOPE_ISOLATE(c)->cells, where, c);
        if (r < 0) {
                free(where);
                return r;
        }
        c->cell.where = where;
        return 0;
}

static int scope_cell_new(Cell *cell, const CellName *name, const ServiceSpec *spec, KlError *reterr) {
        ScopeCell *c = SCOPE_CELL(cell);
        _cleanup_free_ char *where = NULL;
        int r;

        r = scope_properties_check(SCOPE_ISOLATE(c), spec, reterr);
        if (r < 0)
                return r;
        where = text_printf("kingly-%s-%u-%" PRIu64 ".scope", name->service, name->instance, name->generation);
        /* Namespaces share the names of scopes: another one of ours may have this already. */
        if (where && map_get(SCOPE_ISOLATE(c)->cells, where)) {
                free(where);
                where = text_printf("kingly-%s-%u-%" PRIu64 "-%s.scope", name->service, name->instance, name->generation, name->ns);
        }
        if (where && strlen(where) + strlen("-01234567") > UNIT_NAME_MAX)
                return kl_error_set(reterr, -ENAMETOOLONG, KL_E_INVALID, "%s is too long a name for a systemd unit", where);
        r = enter(c, TAKE_PTR(where));
        if (r >= 0) {
                c->slice = slice_name(name->ns);
                r = c->slice ? 0 : -ENOMEM;
        }
        if (r >= 0 && strlen(c->slice) > UNIT_NAME_MAX)
                return kl_error_set(reterr, -ENAMETOOLONG, KL_E_INVALID, "%s is too long a name for a systemd slice", c->slice);
        if (r >= 0)
                r = spec_copy(spec, &c->spec);
        return r < 0 ? kl_error_set(reterr, r, KL_E_FAILED, "cannot prepare a scope: %s", strerror(-r)) : 0;
}

/* What the books call it says nothing: the name may be another's by now. */
static int scope_cell_adopt(Cell *cell, const CellName *name, const char *where) {
        _cleanup_free_ char *unit = NULL;
        ScopeCell *c = SCOPE_CELL(cell);
        int r;

        c->slice = slice_name(name->ns);
        c->invocation = strdup(name->invocation_id ?: "");
        if (!c->slice || !c->invocation)
                return -ENOMEM;
        r = scope_find(c, name, &unit);
        if (r >= 0)
                r = enter(c, TAKE_PTR(unit));
        if (r >= 0)
                c->state = SCOPE_PLACED;
        return r;
}

static int scope_cell_place(Cell *cell, const PidRef *main, const char *invocation_id) {
        ScopeCell *c = SCOPE_CELL(cell);

        if (c->state != SCOPE_NEW)
                return -EBUSY;
        c->invocation = strdup(invocation_id);
        return c->invocation ? scope_job_enqueue(c) : -ENOMEM;
}

void scope_placed(ScopeCell *c, int error, const char *format, ...) {
        const IsolateEvents *e = &c->cell.isolate->options.events;
        _cleanup_free_ char *why = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&why, format, ap) < 0)
                why = NULL;
        va_end(ap);
        scope_job_abandon(c);
        c->state = error < 0 ? SCOPE_FAILED : SCOPE_PLACED;
        if (c->state == SCOPE_PLACED && c->spec)
                cell_watch_limits(&c->cell, c->spec);
        if (c->state == SCOPE_PLACED && c->changed)
                scope_queue_add(c);
        else
                c->spec = spec_free(c->spec);
        if (e->placed)
                e->placed(e->userdata, &c->cell, error, why ?: strerror(-error));
}

/* systemd removes the cgroup and forgets the unit by itself, unless it is too old to. */
static int scope_cell_clean(Cell *cell) {
        ScopeCell *c = SCOPE_CELL(cell);
        ScopeIsolate *si = SCOPE_ISOLATE(c);

        if (c->job)
                scope_bus_tell(si, "StopUnit", "ss", cell->where, "replace");
        if (c->sent && scope_property_missing(si, "CollectMode"))
                scope_bus_tell(si, "ResetFailedUnit", "s", cell->where);
        scope_job_abandon(c);
        c->state = SCOPE_FAILED;
        return 0;
}

static int scope_cell_apply(Cell *cell, const ServiceSpec *spec, KlError *reterr) {
        ScopeCell *c = SCOPE_CELL(cell);
        int r;

        r = scope_properties_check(SCOPE_ISOLATE(c), spec, reterr);
        if (r < 0)
                return r;
        r = scope_live_apply(c, spec);
        return r < 0 ? kl_error_set(reterr, r, KL_E_NO_MEMORY, "out of memory") : 0;
}

static void scope_cell_free(Cell *cell) {
        ScopeCell *c = SCOPE_CELL(cell);
        ScopeIsolate *si = SCOPE_ISOLATE(c);

        scope_job_abandon(c);
        sd_bus_slot_unref(c->question);
        if (cell->where && map_get(si->cells, cell->where) == c)
                map_remove(si->cells, cell->where);
        c->spec = spec_free(c->spec);
        free(c->slice);
        free(c->invocation);
}

const IsolateVTable isolate_scope_vtable = {
        .kind = ISOLATE_SCOPE,
        .gated = true,
        .window = SCOPE_WINDOW,
        .isolate_size = sizeof(ScopeIsolate),
        .cell_size = sizeof(ScopeCell),
        .try = scope_try,
        .destroy = scope_destroy,
        .cell_new = scope_cell_new,
        .cell_adopt = scope_cell_adopt,
        .locate = scope_locate,
        .cell_place = scope_cell_place,
        .cell_signal = cgroup_cell_signal,
        .cell_kill = cgroup_cell_kill,
        .cell_populated = cgroup_cell_populated,
        .cell_watch_empty = cgroup_cell_watch_empty,
        .cell_ask_stopped = scope_cell_ask_stopped,
        .cell_clean = scope_cell_clean,
        .cell_apply = scope_cell_apply,
        .cell_free = scope_cell_free,
        .locate_pid = cgroup_locate_pid,
        .cell_holds = cgroup_cell_holds,
        .cell_pids = cgroup_cell_pids,
        .cell_usage = scope_cell_usage,
};
