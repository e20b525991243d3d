/* Events wait in a list until the books are written, and go to followers after that: what a follower has heard keeps its id whatever
 * becomes of the manager. Ids are given here, ascending over restarts of the daemon. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/log.h"
#include "manager/api/api.h"
#include "manager/api/follow.h"
#include "manager/books/books.h"
#include "manager/events.h"
#include "manager/journal_events.h"
#include "manager/life/instance.h"
#include "manager/notify/said.h"
#include "model/redact.h"

static PendingEvent *pending_free(PendingEvent *e) {
        if (!e)
                return NULL;
        free(e->ns);
        free(e->name);
        free(e->message);
        free(e->data);
        free(e);
        return NULL;
}
DEFINE_CLEANUP(PendingEvent *, pending_free);

static int pending_new(Manager *m, const Instance *i, json_object *data, EventKind kind, const char *message, PendingEvent **ret) {
        const ServiceSpec *s = i ? i->service->spec : NULL;
        _cleanup_(pending_freep) PendingEvent *e = calloc(1, sizeof(PendingEvent));

        if (!e)
                return -ENOMEM;
        e->realtime = now_usec(CLOCK_REALTIME);
        e->id = ++m->last_event_id;
        e->instance = i ? (int) i->index : -1;
        e->ns = strdup(s ? s->ns : "");
        e->name = strdup(s ? s->name : "");
        e->kind = kind;
        e->message = strdup(message);
        e->data = strdup(data ? json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN) : "");
        if (!e->ns || !e->name || !e->message || !e->data)
                return -ENOMEM;
        *ret = TAKE_PTR(e);
        return 0;
}

static void drop_oldest(Manager *m) {
        PendingEvent *e = m->events_head;

        m->events_head = e->next;
        if (!m->events_head)
                m->events_tail = &m->events_head;
        m->n_events--;
        pending_free(e);
}

void event_emit(Manager *m, const Instance *i, json_object *data, EventKind kind, const char *format, ...) {
        _unused_ _cleanup_json_ json_object *owned = data;
        _cleanup_free_ char *text = NULL, *message = NULL;
        PendingEvent *e;
        Redactor r;
        char label[300];
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return;
        }
        redactor_init(&r, i ? i->service->spec : NULL);
        message = redact_text(&r, text);
        if (!message)
                return;
        if (log_level() >= LOG_INFO)
                log_info("%s%s%s", i ? instance_label(i, label) : "", i ? ": " : "", message);
        if (pending_new(m, i, data, kind, message, &e) < 0)
                return;
        /* A store that cannot be written keeps no more of them waiting than it would hold. */
        if (m->n_events >= STORE_EVENTS_KEPT)
                drop_oldest(m);
        *m->events_tail = e;
        m->events_tail = &e->next;
        m->n_events++;
        journal_event(m, i, e, data);
        books_mark(m);
}

int events_write(Manager *m) {
        for (PendingEvent *e = m->events_head; e; e = e->next) {
                StoredEvent v = { .id = e->id, .realtime = e->realtime, .ns = e->ns, .name = e->name, .instance = e->instance,
                                  .kind = event_info(e->kind)->name, .message = e->message, .data_json = e->data };
                int r = store_add_event(m->store, &v, NULL);
                if (r < 0)
                        return r;
        }
        return 0;
}

void events_tell(Manager *m) {
        for (PendingEvent *e = m->events_head; e; e = e->next)
                if (!e->told) {
                        follow_event(m, e);
                        e->told = true;
                }
}

void events_drop(Manager *m) {
        while (m->events_head)
                drop_oldest(m);
}

/* ---- what transitions mean ---- */

static void event_backoff(Instance *i) {
        const ServiceSpec *s = i->service->spec;
        usec_t now = now_usec(CLOCK_MONOTONIC);
        char span[FORMAT_MAX];

        format_span(span, i->lc.deadline > now ? i->lc.deadline - now : 0, false);
        if (s->restart.limit)
                event_emit(i->service->manager, i, NULL, EVENT_BACKOFF, "next start in %s (attempt %u of %u)", span, i->lc.attempts,
                           s->restart.limit);
        else
                event_emit(i->service->manager, i, NULL, EVENT_BACKOFF, "next start in %s (attempt %u)", span, i->lc.attempts);
}

/* Soon after its start it was too big again: that is no leak, and the operator should know. */
static void event_oversized(Instance *i) {
        const ServiceSpec *s = i->service->spec;
        usec_t now = now_usec(CLOCK_MONOTONIC);
        char span[FORMAT_MAX], size[FORMAT_MAX];

        instance_set_status(i, "%u runs in a row used more than limits.memory_restart (%s) soon after their start", i->lc.oversized,
                            format_size(size, s->limits.memory_restart, true));
        i->hint = strdup("it needs more memory than that: raise the limit, or find out what it loads");
        event_emit(i->service->manager, i, NULL, EVENT_BACKOFF, "next start in %s: too big %u times in a row",
                   format_span(span, i->lc.deadline > now ? i->lc.deadline - now : 0, false), i->lc.oversized);
}

static void event_ready_timeout(Instance *i) {
        char span[FORMAT_MAX];

        if (!i->lc.failing || i->lc.reason != REASON_READY_TIMEOUT)
                return;
        format_span(span, i->service->spec->ready_timeout, false);
        event_emit(i->service->manager, i, NULL, EVENT_READY_TIMEOUT, "not ready after %s: stopping it", span);
}

static void event_failed(Instance *i) {
        Manager *m = i->service->manager;
        const char *reason = lifecycle_reason_name(i->lc.reason);
        uint32_t limit = i->service->spec->restart.limit;
        json_object *data = json_object_new_object();

        if (limit > 0 && i->lc.attempts > limit)
                event_emit(m, i, NULL, EVENT_GAVE_UP, "gave up after %u attempts in a row%s (restart.limit)", limit,
                           lifecycle_trouble(&i->lc, i->service->spec) == TROUBLE_NEVER_READY ? ", not once ready" : "");
        json_set(data, "reason", json_object_new_string(reason));
        event_emit(m, i, data, EVENT_FAILED, "failed: %s%s%s", reason, i->status ? ": " : "", i->status ?: "");
}

static void event_reloaded(Instance *i) {
        Manager *m = i->service->manager;
        char span[FORMAT_MAX];

        if (i->lc.reload == RELOAD_OWN || i->lc.reload_end == RELOAD_OK)
                event_emit(m, i, NULL, EVENT_RELOADED, "reloaded");
        else if (i->lc.reload_end == RELOAD_TIMEOUT)
                event_emit(m, i, NULL, EVENT_RELOAD_FAILED, "did not reload within %s", format_span(span, i->service->spec->reload.timeout, false));
        else
                event_emit(m, i, NULL, EVENT_RELOAD_FAILED, "did not reload: reload.command failed");
}

void event_transition(Instance *i, LcState from, LcState to) {
        Manager *m = i->service->manager;

        switch (to) {
        case LC_RUNNING:
                /* Else its readiness probe will tell. */
                if (from == LC_STARTING && lifecycle_ready(&i->lc, i->service->spec))
                        event_emit(m, i, NULL, EVENT_READY, "ready");
                else if (from == LC_RELOADING)
                        event_reloaded(i);
                break;
        case LC_RELOADING:
                event_emit(m, i, NULL, EVENT_RELOADING, "reloading");
                break;
        case LC_WAIT_BACKOFF:
                if (i->lc.reason == REASON_SPAWN)
                        event_emit(m, i, NULL, EVENT_START_FAILED, "could not start: %s", i->status ?: "unknown");
                if (i->lc.reason == REASON_MEMORY && i->service->spec->type == SERVICE_SIMPLE)
                        event_oversized(i);
                else
                        event_backoff(i);
                break;
        case LC_PRE_STOP:
        case LC_STOPPING:
                if (from == LC_STARTING)
                        event_ready_timeout(i);
                break;
        case LC_KILLING:
                if (from == LC_PLACING && i->lc.reason == REASON_ISOLATION)
                        event_emit(m, i, NULL, EVENT_START_FAILED, "could not start: %s", i->status ?: "unknown");
                else
                        event_emit(m, i, NULL, EVENT_KILLING, "did not end in time: SIGKILL to all that is left");
                break;
        case LC_FAILED:
                event_failed(i);
                break;
        case LC_STOPPED:
                if (from == LC_STOPPING || from == LC_KILLING || from == LC_POST_STOP)
                        event_emit(m, i, NULL, EVENT_STOPPED, "stopped");
                break;
        case LC_EXITED:
                event_emit(m, i, NULL, EVENT_COMPLETED, "completed");
                break;
        default:
                break;
        }
}

static json_object *exit_data(const Instance *i, const WireExited *p) {
        json_object *data = json_object_new_object();
        LastUsage none = {}, *l = i->last ?: &none;

        json_set(data, "pid", json_object_new_int(p->pid));
        json_set(data, "code", WIFEXITED(p->status) ? json_object_new_int(WEXITSTATUS(p->status)) : NULL);
        json_set(data, "signal", WIFSIGNALED(p->status) ? json_object_new_string(signal_name(WTERMSIG(p->status))) : NULL);
        json_set(data, "core", json_object_new_boolean(WIFSIGNALED(p->status) && WCOREDUMP(p->status)));
        json_set(data, "cpu_usec", json_object_new_int64((int64_t) l->cpu_usec));
        json_set(data, "memory_peak_bytes", json_object_new_int64((int64_t) l->memory_peak));
        json_set(data, "io_read_bytes", json_object_new_int64((int64_t) l->io_read));
        json_set(data, "io_written_bytes", json_object_new_int64((int64_t) l->io_written));
        return data;
}

void event_exit(Instance *i, const WireExited *p) {
        Manager *m = i->service->manager;
        _cleanup_free_ char *said = said_complaint(i);
        usec_t now = now_usec(CLOCK_MONOTONIC);
        char span[FORMAT_MAX];

        format_span(span, i->lc.run_since && now > i->lc.run_since ? now - i->lc.run_since : 0, false);
        if (WIFEXITED(p->status))
                event_emit(m, i, exit_data(i, p), EVENT_EXITED, "exited with status %d after %s%s%s", WEXITSTATUS(p->status), span, said ? "; it said: " : "", said ?: "");
        else
                event_emit(m, i, exit_data(i, p), EVENT_EXITED, "killed by %s after %s%s%s%s", signal_name(WTERMSIG(p->status)), span,
                           WCOREDUMP(p->status) ? " (core dumped)" : "", said ? "; it said: " : "", said ?: "");
}

void event_unknown(Instance *i, pid_t pid, bool seen) {
        json_object *data = json_object_new_object();

        json_set(data, "pid", pid > 0 ? json_object_new_int(pid) : NULL);
        json_set(data, "code", NULL);
        json_set(data, "signal", NULL);
        if (seen)
                event_emit(i->service->manager, i, data, EVENT_EXITED, "ended; its status is unknown, no parent of ours lived to see it end");
        else
                event_emit(i->service->manager, i, data, EVENT_LOST, "ended while no keeper lived; its status is unknown");
}

void event_oom(Instance *i) {
        uint64_t max = i->service->spec->limits.memory_max;
        char size[FORMAT_MAX];

        if (max == LIMIT_UNSET || max == LIMIT_INFINITY)
                event_emit(i->service->manager, i, NULL, EVENT_OOM, "out of memory: killed by the kernel");
        else
                event_emit(i->service->manager, i, NULL, EVENT_OOM, "out of memory: killed by the kernel at limits.memory_max, %s",
                           format_size(size, max, true));
}

void event_limit(Instance *i, LimitHit hit, uint64_t count) {
        static const struct { EventKind kind; const char *text; } table[_LIMIT_HIT_MAX] = {
                [LIMIT_HIT_MEMORY_HIGH] = { EVENT_MEMORY_HIGH, "slowed down at limits.memory_high" },
                [LIMIT_HIT_MEMORY_MAX] = { EVENT_MEMORY_MAX, "at limits.memory_max, room had to be made" },
                [LIMIT_HIT_OOM_KILL] = { EVENT_CHILD_OOM, "out of memory: a process killed by the kernel, not the main one" },
                [LIMIT_HIT_TASKS] = { EVENT_TASKS, "at limits.tasks, a new process or thread refused" },
        };
        json_object *data = json_object_new_object();

        json_set(data, "count", json_object_new_int64((int64_t) count));
        if (count == 1)
                event_emit(i->service->manager, i, data, table[hit].kind, "%s", table[hit].text);
        else
                event_emit(i->service->manager, i, data, table[hit].kind, "%s, %" PRIu64 " times", table[hit].text, count);
}

void event_applied(Manager *m, const Plan *plan, const char *origin) {
        static const char *const words[] = { "added", "changed", "removed" };
        unsigned counts[ARRAY_SIZE(words)] = {};
        json_object *data = json_object_new_object();
        const char *comma = "";
        char text[100] = "";

        for (size_t k = 0; k < plan->n; k++)
                if (plan->items[k].verb != PLAN_KEEP)
                        counts[plan->items[k].verb == PLAN_ADD ? 0 : plan->items[k].verb == PLAN_REMOVE ? 2 : 1]++;
        for (size_t k = 0; k < ARRAY_SIZE(words); k++) {
                size_t n = strlen(text);

                json_set(data, words[k], json_object_new_int((int) counts[k]));
                if (counts[k]) {
                        snprintf(text + n, sizeof text - n, "%s%u %s", comma, counts[k], words[k]);
                        comma = ", ";
                }
        }
        if (text[0])
                event_emit(m, NULL, data, EVENT_APPLIED, "services: %s%s%s", text, origin && *origin ? ", by " : "", origin ?: "");
        else
                json_object_put(data);
}
