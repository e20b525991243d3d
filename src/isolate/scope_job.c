/* The way of a start: from the queue through StartTransientUnit and systemd's job to the process being where it should be.
 *
 * What must stay true: every cell between WAITING and PLACED has a deadline; `placed` is said exactly once and only from the event loop;
 * what counts in the end is the kernel's word (/proc/PID/cgroup), because fresh scopes have been taken for dead, and processes been moved
 * on by others, after a job that was "done". */
#include <stdio.h>

#include "base/log.h"
#include "isolate/scope.h"

static void rearm(ScopeCell *c) {
        (void) sd_event_source_set_time_relative(c->deadline, SCOPE_DEADLINE_USEC);
        (void) sd_event_source_set_enabled(c->deadline, SD_EVENT_ONESHOT);
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata) {
        ScopeCell *c = userdata;
        const char *what = c->state == SCOPE_WAITING ? "systemd could not be asked" : c->state == SCOPE_CALLED ? "systemd did not answer"
                : "systemd did not do it";

        if (!c->sent && SCOPE_ISOLATE(c)->up) { /* behind others, whose own deadlines make room */
                rearm(c);
                return 0;
        }
        if (c->job) /* ours for certain, which a name without a job is not */
                scope_bus_tell(SCOPE_ISOLATE(c), "StopUnit", "ss", c->cell.where, "replace");
        scope_placed(c, -ETIMEDOUT, "scope %s: %s within %u s", c->cell.where, what, (unsigned) (SCOPE_DEADLINE_USEC / USEC_PER_SEC));
        return 0;
}

int scope_job_enqueue(ScopeCell *c) {
        ScopeIsolate *si = SCOPE_ISOLATE(c);
        int r;

        r = sd_event_add_time_relative(si->isolate.options.event, &c->deadline, CLOCK_MONOTONIC, SCOPE_DEADLINE_USEC, 0, on_deadline, c);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(c->deadline, "scope-deadline");
        c->state = SCOPE_WAITING;
        scope_queue_add(c);
        return 0;
}

void scope_job_abandon(ScopeCell *c) {
        c->deadline = sd_event_source_disable_unref(c->deadline);
        scope_queue_remove(c);
        scope_call_done(c);
        free(c->job);
        c->job = NULL;
}

/* ---- the call and its answer ---- */

typedef enum Verdict { VERDICT_FAIL, VERDICT_RENAME, VERDICT_DROP, VERDICT_BUSY, VERDICT_LATER } Verdict;

static const struct {
        const char *error;
        Verdict verdict;
} verdicts[] = {
        { "org.freedesktop.systemd1.UnitExists", VERDICT_RENAME },
        { SD_BUS_ERROR_UNKNOWN_PROPERTY, VERDICT_DROP },
        { SD_BUS_ERROR_PROPERTY_READ_ONLY, VERDICT_DROP },
        { "org.freedesktop.systemd1.TransactionIsDestructive", VERDICT_BUSY },
        { "org.freedesktop.systemd1.ShuttingDown", VERDICT_BUSY },
};

static Verdict verdict_of(const sd_bus_error *e) {
        for (size_t k = 0; k < ARRAY_SIZE(verdicts); k++)
                if (sd_bus_error_has_name(e, verdicts[k].error))
                        return verdicts[k].verdict;
        /* Nobody says whether the call was carried out: ask again, a name that is taken then says that it was. */
        return scope_fault_of_the_moment(e) ? VERDICT_LATER : VERDICT_FAIL;
}

static void refused(ScopeCell *c, int error, const sd_bus_error *e) {
        scope_placed(c, error, "systemd refused scope %s: %s", c->cell.where, e->message ?: e->name);
}

static void again(ScopeCell *c) {
        c->state = SCOPE_WAITING;
        scope_queue_add(c);
}

/* The name may be taken by our own scope: by a call whose answer was lost. */
static int on_name_taken(ScopeCell *c) {
        _cleanup_free_ char *directory = NULL;

        if (scope_directory_of(c, c->cell.main.pid, &directory) >= 0)
                return 1;
        return c->renamed ? -EEXIST : scope_rename(c);
}

static void on_start_refused(ScopeCell *c, const sd_bus_error *e) {
        int r = -EAGAIN;

        switch (verdict_of(e)) {
        case VERDICT_LATER:
                again(c);
                scope_bus_pump_later(SCOPE_ISOLATE(c));
                return;
        case VERDICT_RENAME:
                r = on_name_taken(c);
                if (r > 0) {
                        scope_job_check(c, true, "");
                        return;
                }
                break;
        case VERDICT_DROP:
                r = scope_properties_drop(SCOPE_ISOLATE(c), e) > 0 ? 0 : -EOPNOTSUPP;
                break;
        case VERDICT_FAIL:
                r = -sd_bus_error_get_errno(e);
                break;
        case VERDICT_BUSY:
                break;
        }
        if (r >= 0)
                again(c);
        else
                refused(c, r, e);
}

static int on_start_reply(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        ScopeCell *c = userdata;
        const char *job;
        int r;

        c->call = sd_bus_slot_unref(c->call);
        if (sd_bus_message_is_method_error(m, NULL)) {
                scope_call_done(c);
                on_start_refused(c, sd_bus_message_get_error(m));
                return 0;
        }
        r = sd_bus_message_read(m, "o", &job);
        if (r >= 0) {
                c->job = strdup(job);
                r = c->job ? 0 : -ENOMEM;
        }
        if (r < 0) {
                scope_placed(c, r, "scope %s: cannot read systemd's answer: %s", c->cell.where, strerror(-r));
                return 0;
        }
        c->state = SCOPE_QUEUED;
        return 0;
}

static int start_message(ScopeCell *c, sd_bus_message **ret, KlError *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(SCOPE_ISOLATE(c)->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "StartTransientUnit");
        if (r < 0)
                return r;
        /* While systemd is away (it executes itself anew) its name must not be "started": the call is made again when it is back. */
        r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", c->cell.where, "fail");
        if (r >= 0)
                r = scope_properties_append(c, c->spec, PROPERTY_START, m, reterr);
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0);
        if (r >= 0)
                *ret = TAKE_PTR(m);
        return r < 0 ? r : 0;
}

static void died(ScopeCell *c) {
        scope_placed(c, -ESRCH, "scope %s: the process ended before it was placed", c->cell.where);
}

int scope_job_send(ScopeCell *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_error_ KlError e = {};
        int r;

        r = start_message(c, &m, &e);
        if (r >= 0)
                r = scope_call(c, m, on_start_reply);
        if (r >= 0) {
                c->state = SCOPE_CALLED;
                if (!c->sent)
                        rearm(c);
                c->sent = true;
        } else if (r == -ESRCH)
                died(c);
        else if (r != -ENOTCONN)
                scope_placed(c, r, "scope %s: %s", c->cell.where, e.message ?: strerror(-r));
        return r;
}

/* ---- the job and its end ---- */

static void finish(ScopeCell *c) {
        _cleanup_free_ char *directory = NULL;
        int r;

        r = scope_directory_of(c, c->cell.main.pid, &directory);
        if (r >= 0)
                r = scope_open(c, directory, true);
        if (r == -ESRCH)
                died(c);
        else if (r == -ENOENT)
                scope_placed(c, -EAGAIN, "scope %s: systemd says it is started, but process %d is elsewhere", c->cell.where,
                             (int) c->cell.main.pid);
        else if (r < 0)
                scope_placed(c, r, "scope %s: cannot open its cgroup: %s", c->cell.where, strerror(-r));
        else
                scope_placed(c, 0, "%s", "");
}

void scope_job_removed(ScopeCell *c, const char *job, const char *result) {
        if (c->state != SCOPE_QUEUED || !streq(c->job, job))
                return;
        if (streq(result, "done"))
                finish(c);
        else /* a user's systemd 252 moves what lives elsewhere through the system's, to which it does not connect again */
                scope_placed(c, -EAGAIN, "systemd did not start scope %s: job %s%s", c->cell.where, result,
                             SCOPE_ISOLATE(c)->isolate.options.user && streq(result, "failed")
                                     ? " (if the system bus was restarted: systemctl --user daemon-reexec)" : "");
}

void scope_job_check(ScopeCell *c, bool known, const char *job) {
        _cleanup_free_ char *directory = NULL;

        if (scope_directory_of(c, c->cell.main.pid, &directory) >= 0) {
                finish(c);
                return;
        }
        /* A job that is not the one we were given may be of a stranger's unit, which took the name after ours had gone. */
        if (known && c->job && streq(c->job, job))
                return;
        free(c->job);
        c->job = NULL;
        scope_call_done(c);
        again(c);
}
