/* Who lives, who ended while nobody looked, who is a stranger. Must stay true: a living process is never started a second time and never mistaken for
 * another (pidfd, start time, boot); what cannot be known is reported as unknown. */
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "config/config.h"
#include "manager/adopt.h"
#include "manager/events.h"
#include "manager/instance.h"
#include "manager/link.h"
#include "manager/notify.h"
#include "manager/service.h"
#include "manager/spawn.h"

static int load_service(void *userdata, const StoredService *v) {
        Manager *m = userdata;
        _cleanup_diagnostics_ Diagnostics d = {};
        _cleanup_json_ json_object *o = json_tokener_parse(v->spec_json);
        SpecList list = {};
        Service *s;
        int r;

        r = o ? config_load_json(o, &list, &d) : -EBADMSG;
        if (r < 0 || list.n != 1) {
                manager_problem(m, "state: cannot read service %s/%s: %s", v->ns, v->name, d.n ? d.items[0].message : "not a specification");
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
        return 0;
}

static bool unhex(const char *text, uint8_t out[16]) {
        if (strlen(text) != 32)
                return false;
        for (size_t k = 0; k < 16; k++) {
                unsigned byte;
                if (sscanf(text + 2 * k, "%2x", &byte) != 1)
                        return false;
                out[k] = byte;
        }
        return true;
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

/* The keeper is its parent still: nothing is in doubt. */
static void adopt_child(Instance *i, LinkChild *c, bool was_ready) {
        Manager *m = i->service->manager;

        c->taken = true;
        i->child = true;
        i->main = (PidRef) { .pid = c->pid, .fd = -EBADF, .start_time = c->start_time };
        notify_track(i);
        instance_feed(i, &(LcInput) { .event = EV_ADOPT, .was_ready = was_ready });
        if (c->exited)
                instance_record_exit(i, &c->exit);
        else if (c->state == CHILD_GATED)
                (void) link_signal(m->link, i->run, SIGKILL, WIRE_TO_MAIN);
}

/* Its keeper is gone. The pidfd is taken first, then start time and boot tell whether it is the one we knew. */
static int adopt_orphan(Instance *i, const StoredRun *v) {
        PidRef main = PIDREF_NULL;
        int r;

        r = streq(v->boot_id, i->service->manager->boot_id) ? pidref_open(v->pid, v->start_time, &main) : -ESRCH;
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
        instance_feed(i, &(LcInput) { .event = EV_ADOPT, .was_ready = v->ready });
        return 0;
}

/* Since another boot everything that is wanted begins anew. */
static void restore_rest(Instance *i, const StoredRun *v) {
        LcExit e = { .code = v->exit_code, .signal = v->exit_signal };

        if (!streq(v->boot_id, i->service->manager->boot_id) || lifecycle_restore(&i->lc, v->rest, v->reason, &e) < 0)
                return;
        i->lc.restarts = v->restarts;
        i->generation = v->generation;
        i->since_realtime = v->since_realtime;
        i->public_state = lifecycle_public_state(i->lc.state);
        i->rested = true;
}

static int adopt_run(void *userdata, const StoredRun *v) {
        Manager *m = userdata;
        Service *s = service_find(m, v->ns, v->name);
        Instance *i = s && v->instance < s->n_instances ? s->instances[v->instance] : NULL;
        CellName name = { .ns = v->ns, .service = v->name, .instance = v->instance, .generation = v->generation };
        LinkChild *c = keeper_child(m, v);
        PidRef main = { .pid = v->pid, .fd = -EBADF, .start_time = v->start_time };
        int r;

        if (!i || !unhex(v->invocation_id, i->invocation))
                return 0;
        if (v->rest[0]) {
                restore_rest(i, v);
                return 0;
        }
        i->run = v->run;
        i->generation = v->generation;
        i->lc.restarts = v->restarts;
        i->since_realtime = v->since_realtime;
        i->notifies = s->spec->ready_by == READY_NOTIFY || s->spec->watchdog;
        i->journal = spawn_to_journal(i);
        r = cell_adopt(m->isolate, &name, v->where, &main, i, &i->cell);
        if (r < 0)
                log_debug("%s: its place %s is gone: %s", s->key, v->where, strerror(-r));
        if (instance_track(i) < 0)
                return -ENOMEM;
        if (c) {
                bool lives = !c->exited;

                adopt_child(i, c, v->ready);
                if (lives)
                        i->since_realtime = v->since_realtime;
                return 0;
        }
        r = adopt_orphan(i, v);
        if (r >= 0) {
                i->since_realtime = v->since_realtime;
                return 0;
        }
        event_emit(m, i, NULL, "lost", "ended while no keeper lived; its status is unknown");
        instance_feed(i, &(LcInput) { .event = EV_ADOPT, .was_ready = v->ready });
        instance_event(i, EV_GONE);
        return 0;
}

/* Runs that the store does not know: started in the last moment before a crash. They are ended rather than run twice. */
static void end_strangers(Manager *m) {
        LinkChild *children;
        size_t n;

        children = link_children(m->link, &n);
        for (size_t k = 0; k < n; k++) {
                if (children[k].taken)
                        continue;
                if (!children[k].exited) {
                        log_warning("pid %d is of a run that the state does not know: ending it", children[k].pid);
                        (void) link_signal(m->link, children[k].run, SIGKILL, WIRE_TO_GROUP);
                }
                if (children[k].exited)
                        (void) link_ack(m->link, children[k].run);
        }
        link_list_done(m->link);
}

static int newest_event(void *userdata, const StoredEvent *v) {
        Manager *m = userdata;

        m->last_event_id = v->id;
        return 0;
}

int adopt_all(Manager *m, KlError *reterr) {
        int r;

        r = store_each_service(m->store, load_service, m);
        if (r >= 0)
                r = store_each_event(m->store, 0, 0, 1, newest_event, m);
        if (r >= 0)
                r = service_rebuild_dependents(m);
        if (r >= 0)
                r = store_each_run(m->store, adopt_run, m);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot read the state in %s: %s", m->places.store, strerror(-r));
        end_strangers(m);
        return 0;
}
