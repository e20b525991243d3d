/* The dispatcher: owns the choice of the kind, the common part of Isolate and Cell, and their lifetimes.
 *
 * What must stay true: the kind is chosen once and never changes while the object lives; a Cell is freed before its Isolate; no callback of
 * IsolateEvents runs from inside a call, so whatever a call finds out at once is deferred to the event loop. */
#include "isolate/isolate_internal.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/strv.h"
#include "base/text.h"

/* The best first. */
static const IsolateVTable *const vtables[_ISOLATE_KIND_MAX] = {
        [ISOLATE_SCOPE] = &isolate_scope_vtable,
        [ISOLATE_CGROUP] = &isolate_cgroup_vtable,
        [ISOLATE_SESSION] = &isolate_session_vtable,
};
static const char *const kind_names[_ISOLATE_KIND_MAX] = {
        [ISOLATE_SCOPE] = "scope",
        [ISOLATE_CGROUP] = "cgroup",
        [ISOLATE_SESSION] = "session",
};

const char *isolate_kind_name(IsolateKind k) {
        return (unsigned) k < _ISOLATE_KIND_MAX ? kind_names[k] : NULL;
}

int isolate_kind_from_name(const char *s) {
        for (int k = 0; k < _ISOLATE_KIND_MAX; k++)
                if (streq(s, kind_names[k]))
                        return k;
        return -EINVAL;
}

const char *usage_source_name(UsageSource s) {
        static const char *const names[] = { [USAGE_CGROUP] = "cgroup", [USAGE_PROC] = "proc", [USAGE_RUSAGE] = "rusage" };

        return (unsigned) s < ARRAY_SIZE(names) ? names[s] : NULL;
}

/* ---- Isolate ---- */

int isolate_note(Isolate *i, const char *format, ...) {
        _cleanup_free_ char *line = NULL;
        va_list ap;

        va_start(ap, format);
        line = text_vprintf(format, ap);
        va_end(ap);
        if (!line)
                return -ENOMEM;
        return strv_consume(&i->report, TAKE_PTR(line));
}

Isolate *isolate_free(Isolate *i) {
        if (!i)
                return NULL;
        i->vtable->destroy(i);
        free(i->home_id);
        free(i->mount);
        free(i->support);
        strv_free(i->report);
        strv_free(i->reasons);
        sd_event_unref(i->options.event);
        free(i);
        return NULL;
}

static int isolate_alloc(const IsolateVTable *v, const IsolateOptions *o, char *const *report, Isolate **ret) {
        _cleanup_(isolate_freep) Isolate *i = calloc(1, v->isolate_size);
        int r;

        if (!i)
                return -ENOMEM;
        i->vtable = v;
        i->options = *o;
        i->options.event = sd_event_ref(o->event);
        i->home_id = strdup(o->home_id);
        i->options.home_id = i->home_id;
        i->report = strv_copy(report);
        if (!i->home_id || (report && !i->report))
                return -ENOMEM;
        r = cgroup_mount(&i->mount);
        if (r < 0 && r != -ENOENT)
                return r;
        r = support_init(i);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(i);
        return 0;
}

/* Tries one kind. On failure the reason goes to the report of those that follow. */
static int isolate_try(const IsolateVTable *v, const IsolateOptions *o, char ***report, Isolate **ret, KlError *reterr) {
        _cleanup_(isolate_freep) Isolate *i = NULL;
        _cleanup_error_ KlError e = {};
        _cleanup_free_ char *line = NULL;
        int r;

        r = isolate_alloc(v, o, *report, &i);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_NO_MEMORY, "cannot prepare isolation: %s", strerror(-r));
        r = v->try(i, &e);
        if (r >= 0) {
                *ret = TAKE_PTR(i);
                return 0;
        }
        line = text_printf("%s: not used: %s", kind_names[v->kind], e.message ? e.message : strerror(-r));
        if (!line || strv_append(report, line) < 0)
                return kl_error_set(reterr, -ENOMEM, KL_E_NO_MEMORY, "out of memory");
        kl_error_set(reterr, r, e.id ? e.id : KL_E_FAILED, "isolation %s is not to be had: %s", kind_names[v->kind], e.message ? e.message : strerror(-r));
        if (e.hint)
                kl_error_hint(reterr, "%s", e.hint);
        return r;
}

int isolate_new(const IsolateOptions *o, Isolate **ret, KlError *reterr) {
        _cleanup_strv_ char **report = NULL;
        int r = -EOPNOTSUPP;

        if (!o->event || !o->home_id || !*o->home_id || strchr(o->home_id, '/') || o->kind >= _ISOLATE_KIND_MAX)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "isolation: bad options");
        for (int k = 0; k < _ISOLATE_KIND_MAX; k++) {
                if (o->kind >= 0 && o->kind != k)
                        continue;
                r = isolate_try(vtables[k], o, &report, ret, reterr);
                if (r >= 0) {
                        if (reterr)
                                kl_error_done(reterr);
                        return 0;
                }
                if (r == -ENOMEM)
                        break;
        }
        return r;
}

IsolateKind isolate_kind(const Isolate *i) {
        return i->vtable->kind;
}

bool isolate_gated(const Isolate *i) {
        return i->vtable->gated;
}

unsigned isolate_window(const Isolate *i) {
        return i->vtable->window;
}

char **isolate_report(const Isolate *i) {
        return strv_copy(i->report);
}

/* ---- Cell ---- */

int cell_alloc(Isolate *i, const ServiceSpec *spec, void *userdata, Cell **ret) {
        Cell *c = calloc(1, i->vtable->cell_size);

        if (!c)
                return -ENOMEM;
        c->isolate = i;
        c->vtable = i->vtable;
        c->userdata = userdata;
        c->dir_fd = -EBADF;
        for (size_t k = 0; k < _CELL_FILE_MAX; k++)
                c->files[k] = -EBADF;
        c->main = PIDREF_NULL;
        c->priority = (CellPriority) { .nice = INT_UNSET, .oom_score_adj = INT_UNSET };
        if (spec && priority_set(&c->priority, spec) < 0) {
                free(c);
                return -ENOMEM;
        }
        *ret = c;
        return 0;
}

int cell_new(Isolate *i, const CellName *name, const ServiceSpec *spec, void *userdata, Cell **ret, KlError *reterr) {
        _cleanup_(cell_freep) Cell *c = NULL;
        int r;

        if (!name_valid(name->ns) || !name_valid(name->service))
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "isolation: not a name: %s/%s", name->ns, name->service);
        r = cell_alloc(i, spec, userdata, &c);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_NO_MEMORY, "out of memory");
        r = c->vtable->cell_new(c, name, spec, reterr);
        if (r < 0)
                return r;
        cell_watch_limits(c, spec);
        *ret = TAKE_PTR(c);
        return 0;
}

static void cell_note_main(Cell *c, const PidRef *main) {
        c->main = (PidRef) { .pid = main->pid, .fd = -EBADF, .start_time = main->start_time };
}

int cell_adopt(Isolate *i, const CellName *name, const char *where, const PidRef *main, void *userdata, Cell **ret) {
        _cleanup_(cell_freep) Cell *c = NULL;
        int r;

        if (!where || !*where || !name_valid(name->ns) || !name_valid(name->service))
                return -EINVAL;
        r = cell_alloc(i, NULL, userdata, &c);
        if (r < 0)
                return r;
        if (main)
                cell_note_main(c, main);
        r = c->vtable->cell_adopt(c, name, where);
        if (r < 0)
                return r;
        cell_end_beside(c);
        *ret = TAKE_PTR(c);
        return 0;
}

int isolate_locate(const Isolate *i, pid_t pid, const char *invocation_id, char **ret) {
        return i->vtable->locate(i, pid, invocation_id, ret);
}

static void cell_end_watch(Cell *c) {
        c->watch = sd_event_source_disable_unref(c->watch);
        c->recheck = sd_event_source_disable_unref(c->recheck);
        limit_watch_end(c);
        memory_watch_end(c);
}

Cell *cell_free(Cell *c) {
        if (!c)
                return NULL;
        cell_end_watch(c);
        if (c->vtable->cell_free)
                c->vtable->cell_free(c);
        cgroup_cell_close(c);
        priority_done(&c->priority);
        if (c->where != c->cgroup)
                free(c->where);
        free(c->cgroup);
        free(c);
        return NULL;
}

int cell_place(Cell *c, const PidRef *main, const char *invocation_id) {
        if (main->pid <= 0)
                return -EINVAL;
        cell_note_main(c, main);
        return c->vtable->cell_place(c, main, invocation_id);
}

void *cell_userdata(const Cell *c) {
        return c->userdata;
}

int cell_cgroup_fd(const Cell *c) {
        /* Where children are gated, they are placed by somebody else. */
        return c->vtable->gated ? -EBADF : c->dir_fd;
}

const char *cell_where(const Cell *c) {
        return c->where;
}

const char *cell_unit(const Cell *c) {
        return c->vtable->kind == ISOLATE_SCOPE ? c->where : NULL;
}

const char *cell_cgroup(const Cell *c) {
        return c->cgroup;
}

int cell_signal(Cell *c, int sig) {
        return c->vtable->cell_signal(c, sig);
}

int cell_kill(Cell *c) {
        return c->vtable->cell_kill(c);
}

int cell_populated(Cell *c) {
        return c->vtable->cell_populated(c);
}

int cell_watch_empty(Cell *c) {
        int r;

        if (c->watched)
                return 0;
        r = c->vtable->cell_watch_empty(c);
        if (r < 0) {
                cell_end_watch(c);
                return r;
        }
        c->watched = true;
        return 0;
}

int cell_ask_stopped(Cell *c) {
        return c->vtable->cell_ask_stopped ? c->vtable->cell_ask_stopped(c) : 0;
}

int cell_clean(Cell *c) {
        cell_end_watch(c);
        return c->vtable->cell_clean(c);
}

int cell_apply(Cell *c, const ServiceSpec *spec, KlError *reterr) {
        int r;

        if (c->vtable->cell_apply) {
                r = c->vtable->cell_apply(c, spec, reterr);
                if (r < 0)
                        return r;
        }
        cell_watch_limits(c, spec);
        return priority_apply(c, spec, reterr);
}

int isolate_locate_pid(const Isolate *i, pid_t pid, Whereabouts *ret) {
        *ret = (Whereabouts) { .pid = pid };
        return pid > 0 ? i->vtable->locate_pid(i, ret) : -ESRCH;
}

bool cell_holds(const Cell *c, const Whereabouts *w) {
        return c->vtable->cell_holds(c, w);
}

void whereabouts_done(Whereabouts *w) {
        free(w->cgroup);
        free(w->ancestry);
        *w = (Whereabouts) {};
}

bool cell_owns(const Cell *c, pid_t pid) {
        _cleanup_(whereabouts_done) Whereabouts w = {};

        return isolate_locate_pid(c->isolate, pid, &w) >= 0 && cell_holds(c, &w);
}

int cell_pids(Cell *c, pid_t **ret, size_t *ret_n) {
        return c->vtable->cell_pids(c, ret, ret_n);
}

int cell_usage(Cell *c, bool detail, Usage *ret) {
        *ret = USAGE_NULL;
        return c->vtable->cell_usage(c, detail, ret);
}

/* ---- emptiness ---- */

void cell_emit_empty(Cell *c) {
        const IsolateEvents *e = &c->isolate->options.events;

        cell_end_watch(c);
        if (e->empty)
                e->empty(e->userdata, c);
}

static int on_deferred_empty(sd_event_source *s, void *userdata) {
        cell_emit_empty(userdata);
        return 0;
}

int cell_defer_empty(Cell *c) {
        sd_event_source *s;
        int r;

        r = sd_event_add_defer(c->isolate->options.event, &s, on_deferred_empty, c);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(s, "cell-empty");
        (void) sd_event_source_set_priority(s, c->isolate->options.empty_priority);
        cell_end_watch(c);
        c->watch = s;
        return 0;
}

int cell_oom_kills(Cell *c, uint64_t *ret) {
        Usage u;
        int r;

        if (!c->cgroup || !(c->isolate->controllers & CGROUP_MEMORY))
                return -ENOENT;
        r = cgroup_read_key(c->handle, "memory.events", "oom_kill", ret);
        if (r >= 0)
                return r;
        /* systemd may have removed the cgroup already; what can be inferred of it then, the kind knows. */
        (void) cell_usage(c, true, &u);
        if (u.oom_kills == USAGE_UNKNOWN)
                return r;
        *ret = u.oom_kills;
        return 0;
}
