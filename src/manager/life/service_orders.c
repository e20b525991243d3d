/* Starts, with what is depended on first; stops, with dependents first. */
#include "manager/life/instance.h"
#include "manager/life/service.h"
#include "manager/triggers/schedule.h"
#include "manager/triggers/watch.h"

/* Each service once in a round, however many ways lead to it. */
void service_start_needed(Service *s, uint64_t round) {
        for (size_t n = 0; n < s->spec->depends.n; n++) {
                Service *d = service_dependency(s, s->spec->depends.items + n);
                bool idle = d && service_settled(d) && !schedule_holds(d);

                /* A oneshot that has completed is not run again by whoever needs it. */
                for (size_t k = 0; idle && k < d->n_instances; k++)
                        idle = d->instances[k]->lc.state != LC_EXITED;
                if (idle) {
                        d->goal_dirty = d->goal_dirty || !d->wanted;
                        d->wanted = true;
                        service_start(d, round);
                }
        }
}

void service_start(Service *s, uint64_t round) {
        if (s->deleting || s->start_round == round)
                return;
        s->start_round = round;
        watch_begin(s);
        service_start_needed(s, round);
        for (size_t k = 0; k < s->n_instances; k++)
                if (!s->instances[k]->removing)
                        instance_order(s->instances[k], EV_START);
}

uint64_t service_round(Manager *m) {
        return ++m->start_round;
}

static bool going_down(const Instance *i) {
        return (!i->lc.wanted || i->lc.restart_pending) && (lifecycle_alive(&i->lc) || i->lc.state == LC_POST_STOP);
}

static bool dependents_down(const Service *s) {
        for (size_t k = 0; k < s->n_dependents; k++)
                for (size_t n = 0; n < s->dependents[k]->n_instances; n++) {
                        const Instance *i = s->dependents[k]->instances[n];
                        if (i->stop_deferred || i->restart_deferred || going_down(i))
                                return false;
                }
        return true;
}

/* Stops what may stop. True when something is on its way down, so that there is a reason for the others to wait. */
static bool stop_round(Manager *m, bool regardless, bool *ret_progress) {
        bool moving = false;

        m->stops_deferred = *ret_progress = false;
        for (size_t k = m->n_order; k > 0; k--) {
                Service *s = m->order[k - 1];
                bool free_to_stop = regardless || dependents_down(s);

                for (size_t n = 0; n < s->n_instances; n++) {
                        Instance *i = s->instances[n];

                        if ((i->stop_deferred || i->restart_deferred) && free_to_stop) {
                                instance_order(i, i->stop_deferred ? EV_STOP : EV_RESTART);
                                *ret_progress = true;
                        }
                        m->stops_deferred = m->stops_deferred || i->stop_deferred || i->restart_deferred;
                        moving = moving || going_down(i);
                }
        }
        return moving;
}

/* A service that is being deleted may stand in a circle with one that was added since: then nobody would begin. */
void service_stop_pump(Manager *m) {
        bool moving, progress;

        do
                moving = stop_round(m, false, &progress);
        while (m->stops_deferred && !moving && progress);
        if (m->stops_deferred && !moving)
                (void) stop_round(m, true, &progress);
}
