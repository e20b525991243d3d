/* Who lives, who ended while nobody looked, who is a stranger. Must stay true: a living process is never started a second time and never
 * mistaken for another (pidfd, start time, boot); what cannot be known is reported as unknown. */
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "config/config.h"
#include "manager/api/input.h"
#include "manager/balance/balance.h"
#include "manager/balance/cluster.h"
#include "manager/books/adopt.h"
#include "manager/books/books.h"
#include "manager/events.h"
#include "manager/health/ready.h"
#include "manager/life/instance.h"
#include "manager/life/number.h"
#include "manager/life/rolling.h"
#include "manager/life/service.h"
#include "manager/link.h"
#include "manager/logs/collector.h"
#include "manager/logs/flood.h"
#include "manager/memory.h"
#include "manager/notify/fd_store.h"
#include "manager/notify/main_process.h"
#include "manager/notify/notify.h"
#include "manager/notify/said.h"
#include "manager/sockets/sockets.h"
#include "manager/spawn/spawn.h"
#include "manager/triggers/schedule.h"

/* What cannot be looked at for want of memory or descriptors is not damaged and not gone: whoever took it for that would end its processes as
 * strangers, or run it twice. This manager cannot begin then; the next one may. */
static int load_service(void *userdata, const StoredService *v) {
        Manager *m = userdata;
        _cleanup_diagnostics_ Diagnostics d = {};
        enum json_tokener_error error = json_tokener_error_size;       /* and stays that where there is no memory to begin with */
        _cleanup_json_ json_object *o = json_tokener_parse_verbose(v->spec_json, &error);
        SpecList list = {};
        Service *s;
        int r;

        r = o ? config_load_json(o, &list, &d) : error == json_tokener_error_size ? -ENOMEM : -EBADMSG;
        if (error_is_want(r)) {
                spec_list_done(&list);
                return r;
        }
        if (r < 0 || list.n != 1) {
                manager_problem(m, "state: cannot read service %s/%s: %s", v->ns, v->name,
                                d.n ? d.items[0].message : "not a specification");
                spec_list_done(&list);
                return 0;
        }
        r = service_new(m, list.items[0], v->origin, v->wanted, v->position, &s);
        if (r < 0) {
                spec_list_done(&list);
                return r;
        }
        free(list.items);
        s->generation = v->generation;
        r = sockets_adopt(s);
        if (r >= 0)
                r = cluster_adopt(s);
        if (r >= 0)
                r = fd_store_adopt(s);
        return error_is_want(r) ? r : 0;
}

static LinkChild *keeper_child(Manager *m, const StoredRun *v) {
        LinkChild *children;
        size_t n;

        children = link_children(m->link, &n);
        for (size_t k = 0; k < n; k++)
                if (children[k].run == v->run && !children[k].taken)
                        return children + k;
        return NULL;
}

/* A keeper that inherited it from another knows no more of it than we do, except which process it was. */
static void take_orphan(Manager *m, LinkChild *c) {
        c->taken = true;
        (void) books_ack(m, c->run);
}

static int adopt_cell(Manager *m, const StoredRun *v, Instance *i, Cell **ret) {
        CellName name = { .ns = v->ns, .service = v->name, .instance = v->instance, .generation = v->generation,
                          .invocation_id = v->invocation_id };
        PidRef main = { .pid = v->pid, .fd = -EBADF, .start_time = v->start_time };

        return cell_adopt(m->isolate, &name, v->where, &main, i, ret);
}

/* The service was being deleted: what is left of it ends now. Its main process, if it is the keeper's child, is a stranger. */
static int end_deleted(Manager *m, const StoredRun *v) {
        Cell *cell;
        int r = v->where[0] ? adopt_cell(m, v, NULL, &cell) : -ENOENT;

        if (r < 0)
                return error_is_want(r) ? r : 0;
        (void) cell_kill(cell);
        books_bury(m, cell);
        return 0;
}

/* One more than the service should have by now lives on until it is stopped in order. */
static Instance *find_instance(Service *s, unsigned index) {
        if (index >= s->n_instances && (index >= INSTANCES_LIMIT || service_scale(s, index + 1) < 0))
                return NULL;
        return s->instances[index];
}

/* What the state was recorded as, in the instance again. Since another boot everything that is wanted begins anew. */
static bool recall(Instance *i, const StoredRun *v) {
        Manager *m = i->service->manager;

        i->generation = v->generation;
        if (!streq(v->boot_id, m->boot_id)) {
                if (lifecycle_alive(&v->lc))
                        event_emit(m, i, NULL, EVENT_LOST, "ended with the machine; its status is unknown");
                return false;
        }
        if (lifecycle_resume(&i->lc, &v->lc) < 0) {
                manager_problem(m, "state: the record of %s[%u] contradicts itself: it begins anew", i->service->key, i->index);
                return false;
        }
        i->since_realtime = v->since_realtime;
        i->public_state = instance_public_state(i);
        i->stop_deferred = v->stop_due;
        i->watchdog_interval = v->watchdog;
        if (said_recall(i, v->said) < 0)
                log_warning("%s: what it said by sd_notify is forgotten", i->service->key);
        if (v->status[0])
                instance_set_status(i, "%s", v->status);
        if (v->hint[0])
                i->hint = strdup(v->hint);
        return true;
}

/* The keeper is its parent still: nothing is in doubt. What the last manager did not record happens now. */
static int adopt_child(Instance *i, LinkChild *c, const StoredRun *v) {
        Manager *m = i->service->manager;
        int r = main_process_recall(i, v->pid, v->start_time, c->pid);

        if (r < 0)
                return r;
        c->taken = true;
        i->child = true;
        if (r > 0)
                c->exited = false;
        else
                i->main = (PidRef) { .pid = c->pid, .fd = -EBADF, .start_time = c->start_time };
        notify_track(i);
        instance_resume(i);
        /* What it had left behind is gone as well: its end is recorded, and what lives from now on is another run. */
        if (i->run != v->run)
                return 0;
        if (i->lc.state == LC_PLACING && (c->exited || c->state == CHILD_EXECUTING))
                instance_execed(m, i->run);
        instance_ready_early(i);
        c->unrecorded = c->exited && i->lc.main_alive;
        if (!c->unrecorded && (c->state == CHILD_GATED || (i->lc.state == LC_KILLING && i->lc.main_alive)))
                (void) link_signal(m->link, i->run, SIGKILL, WIRE_TO_MAIN);
        return 0;
}

/* Its keeper is gone. The pidfd is taken first, then the start time tells whether it is the one we knew. */
static int adopt_orphan(Instance *i, const StoredRun *v) {
        PidRef main = PIDREF_NULL;
        int r;

        r = v->pid > 0 ? pidref_open(v->pid, v->start_time, &main) : -ESRCH;
        if (r >= 0 && main.fd < 0)
                r = -EOPNOTSUPP;      /* without a pidfd its end could not be seen */
        if (r < 0) {
                pidref_done(&main);
                return r;
        }
        i->main = main;
        notify_track(i);
        r = instance_watch_adopted(i);
        if (r < 0)
                return r;
        instance_resume(i);
        if (i->lc.state == LC_PLACING)
                instance_execed(i->service->manager, i->run);
        instance_ready_early(i);
        return 0;
}

/* Nobody is there. A run that never executed did not begin; whatever there may be of it all the same must not live beside the next. */
static void adopt_nothing(Instance *i, pid_t pid, bool executed) {
        bool ended = !i->lc.main_alive;

        instance_resume(i);
        if (ended)
                return;
        if (executed && i->lc.state == LC_PLACING)
                instance_execed(i->service->manager, i->run);
        if (i->lc.run_since == 0) {
                if (i->cell)
                        (void) cell_kill(i->cell);
                if (pid > 0)
                        instance_set_status(i, "the keeper died before it had said whether process %d executed", pid);
                instance_feed(i, &(LcInput) { .event = EV_SPAWN_FAILED, .reason = REASON_SPAWN });
                return;
        }
        event_unknown(i, pid, false);
        instance_event(i, EV_GONE);
}

static int adopt_place(Instance *i, const StoredRun *v) {
        Manager *m = i->service->manager;
        int r = adopt_cell(m, v, i, &i->cell);

        if (error_is_want(r))
                return r;
        if (r < 0)
                log_debug("%s: its place %s is gone: %s", i->service->key, v->where, strerror(-r));
        else
                cell_watch_limits(i->cell, i->service->spec);
        memory_attend(i);
        return 0;
}

/* What the keeper holds for the run, and whom its output goes to. */
static int adopt_held(Instance *i) {
        const ServiceSpec *s = i->service->spec;

        if (ready_by_pipe(s) || (s->ready_by == READY_IPC && s->cluster.by != CLUSTER_NODE))
                ready_adopt(i);
        input_adopt(i);
        balance_link_adopt(i);
        backs_adopt(i);
        return cluster_adopt_channel(i);
}

/* It is no child that the keeper knows, or was another keeper's. */
static int adopt_parentless(Instance *i, const StoredRun *v, bool executed) {
        int r = i->lc.main_alive ? adopt_orphan(i, v) : -ESRCH;

        if (error_is_want(r))
                return r;
        if (r < 0)
                adopt_nothing(i, v->pid, executed);
        return 0;
}

static int adopt_living(Instance *i, const StoredRun *stored) {
        Manager *m = i->service->manager;
        StoredRun seen = *stored, *v = &seen;
        LinkChild *c = keeper_child(m, v);
        bool executed = false;
        int r;

        /* The last manager asked for it, and did not hear which process it is: before that executes nothing else tells what its place has in it. */
        if (c && v->pid == 0) {
                v->pid = c->pid;
                v->start_time = c->start_time;
        }
        if (c && c->state == CHILD_ORPHAN) {
                executed = c->executed;
                i->dirty = true;
                take_orphan(m, TAKE_PTR(c));
        }
        i->run = v->run;
        i->notifies = spec_notifies(i->service->spec);
        i->journal = spawn_to_journal(i);
        if (i->journal)
                flood_watch(m);
        r = adopt_place(i, v);
        if (r >= 0)
                r = instance_track(i);
        if (r >= 0)
                r = adopt_held(i);
        if (r < 0)
                return r;
        r = c ? adopt_child(i, c, v) : adopt_parentless(i, v, executed);
        if (r < 0)
                return r;
        if (lifecycle_alive(&i->lc))
                collector_adopt(i);
        /* Ordered, and not begun: in the order of those that depend on one another. */
        if (i->lc.restart_pending && i->lc.state >= LC_PLACING && i->lc.state <= LC_RELOADING) {
                i->lc.restart_pending = false;
                i->restart_deferred = i->restart_due = m->stops_deferred = true;
        }
        return 0;
}

static int adopt_run(void *userdata, const StoredRun *v) {
        Manager *m = userdata;
        Service *s = service_find(m, v->ns, v->name);
        bool lives = lifecycle_alive(&v->lc);
        Instance *i;

        /* Of a start only the run's row is written. */
        if (s)
                s->generation = MAX(s->generation, v->generation);
        if (!s && lives)
                return end_deleted(m, v);
        if (!s || (!lives && v->instance >= s->n_instances))
                return 0;
        i = find_instance(s, v->instance);
        if (!i && v->instance < INSTANCES_LIMIT)
                return -ENOMEM;
        if (!i || !hex_decode(v->invocation_id, i->invocation, sizeof i->invocation) || !recall(i, v))
                return 0;
        i->number = v->number;
        i->rested = true; /* also one whose ordered end is seen only now */
        if (lives)
                return adopt_living(i, v);
        instance_resume(i);
        return 0;
}

/* Those beyond what the service should have. */
static int stop_superfluous(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++) {
                Service *s = m->order[k];
                unsigned n = spec_instances(s->spec, m->n_cpus);
                int r = s->n_instances > n ? service_scale(s, n) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

/* A control process of the last manager may live in the place of a run that goes on. */
static bool taken(const Manager *m, const char *where) {
        size_t at = 0;
        void *v;

        while (map_next(m->runs, &at, &v)) {
                const Instance *i = v;

                if (i->cell && streq(cell_where(i->cell), where))
                        return true;
        }
        return false;
}

/* All of its place. In a session, where an invocation alone finds a run again, what it has left behind is found as well. */
static void end_stranger_members(Manager *m, const LinkChild *c) {
        char invocation[33];
        CellName name = { .ns = "default", .service = "stranger", .invocation_id = invocation };
        PidRef main = { .pid = c->pid, .fd = -EBADF, .start_time = c->start_time };
        _cleanup_pidref_ PidRef alive = PIDREF_NULL;
        _cleanup_free_ char *where = NULL;
        Cell *cell;

        /* The number of one that has ended may be another's. */
        if (isolate_kind(m->isolate) != ISOLATE_SESSION && (c->exited || pidref_open(c->pid, c->start_time, &alive) < 0))
                return;
        hex_encode(invocation, c->invocation, sizeof c->invocation);
        if (isolate_locate(m->isolate, c->pid, invocation, &where) < 0 || taken(m, where) ||
            cell_adopt(m->isolate, &name, where, &main, NULL, &cell) < 0)
                return;
        (void) cell_kill(cell);
        books_bury(m, cell);
}

static void end_stranger(Manager *m, const LinkChild *c) {
        _cleanup_pidref_ PidRef p = PIDREF_NULL;

        log_warning("pid %d is of a run that the state does not know: ending it", c->pid);
        if (c->state != CHILD_ORPHAN)
                (void) link_signal(m->link, c->run, SIGKILL, WIRE_TO_GROUP);
        else if (c->start_time && pidref_open(c->pid, c->start_time, &p) >= 0)
                (void) pidref_signal(&p, SIGKILL);
}

/* Runs that the store does not know: started in the last moment before a crash. They are ended rather than run twice. */
static void end_strangers(Manager *m) {
        LinkChild *children;
        size_t n;

        children = link_children(m->link, &n);
        for (size_t k = 0; k < n; k++) {
                if (children[k].taken)
                        continue;
                end_stranger_members(m, children + k);
                if (!children[k].exited)
                        end_stranger(m, children + k);
                if (children[k].exited || children[k].state == CHILD_ORPHAN)
                        (void) link_ack(m->link, children[k].run);
        }
}

/* Now that everybody is known who may have said something before. A manager on trial leaves that to the one that stays. */
static void record_exits(Manager *m) {
        LinkChild *children;
        size_t n;

        if (!m->state_trial)
                notify_before_an_end(m);
        children = link_children(m->link, &n);
        for (size_t k = 0; k < n; k++)
                if (children[k].unrecorded)
                        instance_exited(m, &children[k].exit);
        link_list_done(m->link);
}

static void resume_hooks(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; n < m->order[k]->n_instances; n++)
                        instance_resume_hooks(m->order[k]->instances[n]);
}

static int newest_event(void *userdata, const StoredEvent *v) {
        Manager *m = userdata;

        m->last_event_id = v->id;
        return 1; /* the first seen, going back */
}

int adopt_all(Manager *m, KlError *reterr) {
        int r;

        r = store_each_service(m->store, load_service, m);
        if (r >= 0)
                r = store_each_event_back(m->store, 0, 0, newest_event, m);
        if (r >= 0)
                r = service_rebuild_dependents(m);
        if (r >= 0)
                r = schedules_recall(m);
        if (r >= 0)
                r = store_each_run(m->store, adopt_run, m);
        if (r >= 0)
                r = numbers_begin(m);
        if (r >= 0)
                r = stop_superfluous(m);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot read the state in %s: %s", m->places.store, strerror(-r));
        end_strangers(m);
        (void) store_delete_orphans(m->store);      /* of services whose deletion was cut short */
        ready_adopted(m);
        input_adopted(m);
        sockets_adopted(m);
        cluster_adopted(m);
        fd_stores_adopted(m);
        record_exits(m);
        resume_hooks(m);
        rolling_adopted(m);
        balance_adopted(m);
        service_recheck_all(m);
        (void) sd_event_source_set_enabled(m->pump, SD_EVENT_ONESHOT);      /* stops that were due */
        return 0;
}
