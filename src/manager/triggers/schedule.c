/* See schedule.h. Must stay true: what was due is dealt with once, which the books say before its run begins; the timer is armed for the earliest
 * time of all, and for nothing else; who is stopped by an operator has no times until somebody starts him again. */
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "manager/books/books.h"
#include "manager/events.h"
#include "manager/life/instance.h"
#include "manager/life/rolling.h"
#include "manager/life/service.h"
#include "manager/spawn/spawn.h"
#include "manager/triggers/schedule.h"
#include "manager/triggers/schedule_clock.h"
#include "model/timetable.h"

#define RETRY_USEC USEC_PER_SEC

struct Schedule {
        Timetable table;
        usec_t handled;            /* CLOCK_REALTIME: what was due up to then has been dealt with */
        usec_t base;               /* see timetable_base() */
        usec_t next, last;         /* USEC_INFINITY: never; 0: not yet */
        unsigned pending;          /* runs that wait for the one before */
        bool dirty;
        bool lost;                 /* its time zone cannot be read, which has been told */
        bool late;                 /* and that may be over in a moment */
};

Schedule *schedule_free(Schedule *t) {
        free(t);
        return NULL;
}

bool schedule_holds(const Service *s) {
        return s->schedule && s->spec->type == SERVICE_ONESHOT && !s->spec->schedule.at_start;
}

bool schedule_waits(const Service *s) {
        return s->schedule && s->wanted && !s->deleting;
}

usec_t schedule_next(const Service *s) {
        return schedule_waits(s) && s->schedule->next != USEC_INFINITY ? s->schedule->next : 0;
}

usec_t schedule_last(const Service *s) {
        return s->schedule ? s->schedule->last : 0;
}

unsigned schedule_pending(const Service *s) {
        return s->schedule ? s->schedule->pending : 0;
}

void schedule_mark(Service *s) {
        if (!s->schedule)
                return;
        s->schedule->dirty = true;
        books_mark(s->manager);
}

/* ---- running ---- */

static void run(Service *s) {
        Manager *m = s->manager;

        s->schedule->last = now_usec(CLOCK_REALTIME);
        schedule_mark(s);
        event_emit(m, s->instances[0], NULL, EVENT_SCHEDULED, s->spec->type == SERVICE_ONESHOT ? "scheduled run" : "scheduled restart");
        if (service_settled(s)) {
                service_start(s, service_round(m));
                return;
        }
        (void) rolling_cancel(s, "its schedule restarts it");
        for (size_t k = 0; k < s->n_instances; k++) {
                Instance *i = s->instances[k];

                /* Where the others are only restarted, one that an operator stopped or that nobody has asked for yet is left alone. */
                if (!i->removing && (s->spec->type == SERVICE_ONESHOT || (i->lc.state != LC_STOPPED && i->lc.state != LC_WAIT_DEMAND)))
                        instance_order(i, EV_RESTART);
        }
}

/* What does not begin now waits for its turn, or is left out. */
static void add_pending(Service *s, unsigned n) {
        unsigned room = TIMETABLE_PENDING_MAX - MIN(s->schedule->pending, (unsigned) TIMETABLE_PENDING_MAX);

        if (n > room)
                event_emit(s->manager, s->instances[0], NULL, EVENT_SKIPPED, "skipped: %d wait already", TIMETABLE_PENDING_MAX);
        s->schedule->pending += MIN(n, room);
        (void) sd_event_source_set_enabled(s->manager->pump, SD_EVENT_ONESHOT);
}

/* The time has come, and this is no time that was missed. */
static void run_timely(Service *s) {
        bool busy = !service_settled(s) || s->schedule->pending > 0;

        if (!busy || s->spec->type == SERVICE_SIMPLE || s->spec->schedule.overlap == OVERLAP_REPLACE)
                run(s);
        else if (s->spec->schedule.overlap == OVERLAP_QUEUE)
                add_pending(s, 1);
        else
                event_emit(s->manager, s->instances[0], NULL, EVENT_SKIPPED, "skipped: the run before is not over");
}

static void tell_missed(Service *s, const Dues *d, unsigned late) {
        unsigned missed = d->n - d->timely;
        _cleanup_free_ char *made_up = late ? text_printf("made up for by %u", late) : NULL;
        char first[FORMAT_MAX];

        format_time(first, d->first.at);
        event_emit(s->manager, s->instances[0], NULL, EVENT_MISSED, "%s%u scheduled %s missed, the first at %.16sZ: %s", d->more ? "more than " : "",
                   missed, missed == 1 ? "run was" : "runs were", first, made_up ?: d->timely && s->spec->schedule.missed == MISSED_ONCE ?
                   "made up for by the one of now" : "left out");
}

static void perform(Service *s, const Dues *d) {
        unsigned runs = timetable_runs(s->spec->schedule.missed, d), late = runs - (runs > 0 && d->timely);

        /* A service that is only restarted has had its restart with the first of them. */
        if (s->spec->type == SERVICE_SIMPLE)
                late = MIN(late, d->timely ? 0U : 1U);
        if (d->n > d->timely)
                tell_missed(s, d, late);
        if (late > 0)
                add_pending(s, late);
        if (d->timely)
                run_timely(s);
}

/* Its zone cannot be read: negative errno. */
static void lose(Service *s, int error, const char *message) {
        Schedule *t = s->schedule;

        instance_set_status(s->instances[0], "%s", message ?: strerror(-error));
        if (!t->lost)
                event_emit(s->manager, s->instances[0], NULL, EVENT_UNSCHEDULED, "not run as scheduled: %s", message ?: strerror(-error));
        t->lost = true;
        t->late = spawn_transient(error);
        t->next = USEC_INFINITY;
}

/* Deals with what is due and finds out what comes next. */
static void settle(Service *s, usec_t now) {
        Schedule *t = s->schedule;
        _cleanup_error_ KlError e = {};
        const Zone *z;
        Dues d;
        int r = schedule_zone(s->manager, s->spec, &z, &e);

        if (r < 0) {
                lose(s, r, e.message);
                return;
        }
        if (t->lost)
                instance_set_status(s->instances[0], NULL);
        t->lost = t->late = false;
        d = timetable_dues(&t->table, z, timetable_base(&t->table, t->handled, &t->base, now), now);
        if (d.n > 0) {
                t->handled = d.handled;
                schedule_mark(s);
                if (schedule_waits(s) && s->manager->shutdown == SHUTDOWN_NO)
                        perform(s, &d);
        }
        t->next = timetable_next(&t->table, z, timetable_base(&t->table, t->handled, &t->base, now)).at;
}

void schedules_pump(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++) {
                Service *s = m->order[k];

                if (!s->schedule || s->schedule->pending == 0 || m->shutdown != SHUTDOWN_NO)
                        continue;
                if (!schedule_waits(s)) {
                        s->schedule->pending = 0;
                        schedule_mark(s);
                } else if (s->spec->type == SERVICE_SIMPLE || service_settled(s)) {
                        s->schedule->pending--;
                        run(s);
                }
        }
}

/* ---- the timer ---- */

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata);

/* Descriptors or memory are short, which is over some day. error: of the timer; 0: some zone could not be read, which lose() told. */
static void retry_later(Manager *m, int error) {
        if (!m->schedule_retry && error < 0)
                log_errno(LOG_ERR, error, "cannot arm a timer, trying again: scheduled services are late");
        m->schedule_retry = sd_event_source_disable_unref(m->schedule_retry);
        if (sd_event_add_time_relative(m->event, &m->schedule_retry, CLOCK_MONOTONIC, RETRY_USEC, USEC_PER_SEC / 4, on_retry, m) < 0)
                manager_problem(m, "cannot arm a timer: scheduled services do not run until one of them is changed");
}

static void rearm(Manager *m) {
        usec_t next = USEC_INFINITY;
        bool late = false;
        int r;

        for (size_t k = 0; k < m->n_order; k++)
                if (m->order[k]->schedule && !m->order[k]->deleting) {
                        next = MIN(next, m->order[k]->schedule->next);
                        late = late || m->order[k]->schedule->late;
                }
        r = schedule_arm(m, next);
        if (r < 0 || late)
                retry_later(m, r);
        else
                m->schedule_retry = sd_event_source_disable_unref(m->schedule_retry);
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata) {
        schedules_turn(userdata, false);
        return 0;
}

void schedules_turn(Manager *m, bool all) {
        usec_t now = now_usec(CLOCK_REALTIME);

        for (size_t k = 0; k < m->n_order; k++) {
                Service *s = m->order[k];

                if (s->schedule && !s->deleting && (all || s->schedule->late || s->schedule->next <= now))
                        settle(s, now);
        }
        rearm(m);
}

void schedules_begin(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++)
                if (m->order[k]->schedule) {
                        schedules_turn(m, true);
                        return;
                }
}

/* ---- coming, changing, the books ---- */

static bool same(const ServiceSpec *a, const ServiceSpec *b) {
        return streq(a->schedule.cron, b->schedule.cron) && a->schedule.every == b->schedule.every &&
               streq(a->schedule.timezone, b->schedule.timezone) && a->schedule.random_delay == b->schedule.random_delay;
}

void schedule_update(Service *s, const ServiceSpec *old) {
        Manager *m = s->manager;
        usec_t now = now_usec(CLOCK_REALTIME), last = s->schedule ? s->schedule->last : 0;

        if (old && s->schedule && same(old, s->spec))
                return;
        if (!s->schedule && !spec_scheduled(s->spec))
                return;
        s->schedule = schedule_free(s->schedule);
        if (spec_scheduled(s->spec)) {
                s->schedule = calloc(1, sizeof(Schedule));
                if (!s->schedule || timetable_init(&s->schedule->table, s->spec) < 0) {
                        s->schedule = schedule_free(s->schedule);
                        manager_problem(m, "%s: out of memory: it does not run as scheduled", s->key);
                        return;
                }
                s->schedule->handled = now;
                s->schedule->last = last;
                schedule_mark(s);
        }
        if (m->loading)
                return;
        if (s->schedule)
                settle(s, now);
        rearm(m);
}

static int recall(void *userdata, const StoredSchedule *v) {
        Service *s = service_find(userdata, v->ns, v->name);

        if (!s || !s->schedule)
                return 0;
        s->schedule->handled = v->handled;
        s->schedule->last = v->last;
        s->schedule->pending = MIN(v->pending, (uint32_t) TIMETABLE_PENDING_MAX);
        s->schedule->dirty = false;
        return 0;
}

int schedules_recall(Manager *m) {
        return store_each_schedule(m->store, recall, m);
}

bool schedule_unwritten(const Service *s) {
        return s->schedule && s->schedule->dirty && !s->deleting;
}

int schedule_write(Service *s) {
        const Schedule *t = s->schedule;

        if (!schedule_unwritten(s))
                return 0;
        return store_put_schedule(s->manager->store, &(StoredSchedule) { .ns = s->spec->ns, .name = s->spec->name, .handled = t->handled,
                                                                         .last = t->last, .pending = t->pending });
}

void schedule_written(Service *s) {
        if (s->schedule)
                s->schedule->dirty = false;
}
