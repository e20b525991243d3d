/* Must stay true: nothing here ends a process by itself: it marks, and the pump (service_stop_pump) orders, those first on which nobody depends. */
#include "manager/life/dependents.h"

#include "manager/books/books.h"
#include "manager/life/instance.h"
#include "manager/life/service.h"

/* Whether s follows `on`: in its stop, or in its restart. */
static bool follows(const Service *s, const Service *on, bool stop) {
        for (size_t k = 0; k < s->spec->depends.n; k++) {
                const Dependency *d = s->spec->depends.items + k;

                if ((stop ? d->stop : d->restart) && service_dependency(s, d) == on)
                        return true;
        }
        return false;
}

static bool lives(const Instance *i) {
        return !i->removing && (lifecycle_alive(&i->lc) || i->lc.state == LC_PRE_START);
}

static bool serves(const Instance *i) {
        return i->lc.state >= LC_PLACING && i->lc.state <= LC_RELOADING;
}

static void restart_later(Instance *i) {
        Manager *m = i->service->manager;

        if (!lives(i) || !i->lc.wanted || i->lc.restart_pending || i->stop_deferred || i->restart_deferred)
                return;
        i->restart_deferred = i->restart_due = true;
        books_mark_instance(i);
        m->stops_deferred = true;
        (void) sd_event_source_set_enabled(m->pump, SD_EVENT_ONESHOT);
}

/* 1: ended for good, 0: another run follows, -1: neither. */
static int end_of_run(LcState from, LcState to) {
        if (from != LC_STOPPING && from != LC_KILLING && from != LC_POST_STOP)
                return -1;
        switch (to) {
        case LC_STOPPED: case LC_EXITED: case LC_FAILED:
                return 1;
        case LC_WAIT_DEPS: case LC_WAIT_BACKOFF: case LC_WAIT_DEMAND: case LC_PRE_START: case LC_PLACING:
                return 0;
        default:
                return -1;
        }
}

void follow_transition(Instance *i, LcState from) {
        Service *s = i->service;
        int end = s->n_dependents > 0 && s->manager->shutdown == SHUTDOWN_NO ? end_of_run(from, i->lc.state) : -1;

        if (end < 0 || i->surge || i->retired)
                return;
        for (size_t k = 0; k < s->n_instances; k++)
                if (s->instances[k] != i && serves(s->instances[k]))
                        return;
        for (size_t k = 0; k < s->n_dependents; k++)
                for (size_t n = 0; follows(s->dependents[k], s, end) && n < s->dependents[k]->n_instances; n++)
                        restart_later(s->dependents[k]->instances[n]);
}

static bool whole(const Service *s) {
        for (size_t k = 0; k < s->n_instances; k++)
                if (!s->instances[k]->selected && !s->instances[k]->removing)
                        return false;
        return true;
}

static int add_follower(Selection *s, const Service *follower) {
        int r = 0;

        for (size_t n = 0; n < follower->n_instances && r >= 0; n++)
                if (lives(follower->instances[n]))
                        r = selection_add(s, follower->instances[n]);
        return r;
}

int selection_add_followers(Selection *s, bool stop) {
        int r = 0;

        for (size_t k = 0; k < s->n; k++)
                s->items[k]->selected = true;
        /* It grows while it is walked: those who follow a follower follow. */
        for (size_t k = 0; k < s->n && r >= 0; k++) {
                const Service *service = s->items[k]->service;

                for (size_t n = 0; whole(service) && n < service->n_dependents && r >= 0; n++)
                        if (follows(service->dependents[n], service, stop))
                                r = add_follower(s, service->dependents[n]);
        }
        for (size_t k = 0; k < s->n; k++)
                s->items[k]->selected = false;
        return r;
}
