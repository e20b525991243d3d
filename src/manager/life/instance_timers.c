/* What an instance waits with: the one deadline of its state, and the watchdog. */
#include "manager/books/books.h"
#include "manager/deadline.h"
#include "manager/events.h"
#include "manager/health/ready_log.h"
#include "manager/life/instance.h"
#include "manager/life/instance_private.h"
#include "manager/notify/notify.h"
#include "model/notify.h"

#define PLACING_USEC (60 * USEC_PER_SEC)
#define WATCHDOG_PAUSE (200 * USEC_PER_MSEC)

static void arm(Instance *i, sd_event_source **source, usec_t at, sd_event_time_handler_t handler) {
        int r;

        if (at == USEC_INFINITY) {
                *source = sd_event_source_disable_unref(*source);
                return;
        }
        r = deadline_arm(i->service->manager, source, at, handler, i);
        if (r < 0)
                manager_problem(i->service->manager, "cannot arm a timer for %s: %s", i->service->key, strerror(-r));
}

void instance_placing_begins(Instance *i) {
        i->lc.deadline = usec_add(now_usec(CLOCK_MONOTONIC), PLACING_USEC);
        instance_arm_deadline(i);
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata) {
        Instance *i = userdata;

        if (!deadline_over(s, usec))
                return 0;
        /* Who waits for its turn is not late: its time begins when it is let go (start_queue.c). */
        if (i->queued)
                instance_placing_begins(i);
        else if (!ready_log_look(i)) {
                if (i->lc.state == LC_STARTING && i->service->spec->ready_late == READY_LATE_PASS)
                        instance_set_status(i, "did not say that it is ready in time; counts as ready");
                instance_event(i, EV_DEADLINE);
        }
        return 0;
}

void instance_arm_deadline(Instance *i) {
        arm(i, &i->deadline, i->lc.deadline, on_deadline);
}

static int on_watchdog(sd_event_source *s, uint64_t usec, void *userdata) {
        Instance *i = userdata;

        if (!deadline_over(s, usec))
                return 0;
        /* Its sign of life may be among what we do not listen to just now. */
        if (i->service->manager->notify.pause) {
                arm(i, &i->watchdog, usec_add(now_usec(CLOCK_MONOTONIC), WATCHDOG_PAUSE), on_watchdog);
                return 0;
        }
        event_emit(i->service->manager, i, NULL, EVENT_WATCHDOG, "no sign of life for %" PRIu64 " ms: SIGABRT",
                   (uint64_t) (i->watchdog_interval / USEC_PER_MSEC));
        instance_event(i, EV_WATCHDOG);
        return 0;
}

void instance_arm_watchdog(Instance *i) {
        bool on = i->watchdog_interval > 0 && (i->lc.state == LC_RUNNING || i->lc.state == LC_RELOADING);

        arm(i, &i->watchdog, on ? usec_add(now_usec(CLOCK_MONOTONIC), i->watchdog_interval) : USEC_INFINITY, on_watchdog);
}

void instance_ping(Instance *i) {
        if (i->watchdog)
                instance_arm_watchdog(i);
}

void instance_set_watchdog(Instance *i, usec_t interval) {
        i->watchdog_interval = interval;
        instance_arm_watchdog(i);
        books_mark_instance(i);
}

void instance_watchdog_triggered(Instance *i) {
        event_emit(i->service->manager, i, NULL, EVENT_WATCHDOG, "asked for by the service itself: SIGABRT");
        instance_event(i, EV_WATCHDOG);
}

void instance_extend(Instance *i, usec_t by) {
        usec_t now = now_usec(CLOCK_MONOTONIC), due;

        instance_feed(i, &(LcInput) { .event = EV_EXTEND, .until = usec_add(now, by) });
        if (i->watchdog && sd_event_source_get_time(i->watchdog, &due) >= 0)
                arm(i, &i->watchdog, notify_extended(due, now, by), on_watchdog);
}
