/* Who depends on whom, and what it waits for. Must stay true: dependents are pointers into the set and are rebuilt before the loop runs again whenever the set
 * changes. */
#include <stdio.h>

#include "manager/life/instance.h"
#include "manager/life/service.h"

Service *service_dependency(const Service *s, const Dependency *d) {
        const char *slash = strchr(d->name, '/');

        return slash ? map_get(s->manager->services, d->name) : service_find(s->manager, s->spec->ns, d->name);
}

int service_rebuild_dependents(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++)
                m->order[k]->n_dependents = 0;
        for (size_t k = 0; k < m->n_order; k++) {
                Service *s = m->order[k];

                for (size_t n = 0; n < s->spec->depends.n; n++) {
                        Service *d = service_dependency(s, s->spec->depends.items + n), **list;

                        if (!d)
                                continue;
                        list = reallocarray(d->dependents, d->n_dependents + 1, sizeof(Service *));
                        if (!list)
                                return -ENOMEM;
                        d->dependents = list;
                        d->dependents[d->n_dependents++] = s;
                }
        }
        m->set_changed = false;
        return 0;
}

/* 1, 0 or -1 for one instance of a dependency. */
static int instance_meets(const Instance *i, DependKind kind) {
        const Lifecycle *l = &i->lc;

        if (l->state == LC_FAILED)
                return -1;
        if (i->restart_deferred)
                return 0;
        /* Whoever connects will be served. */
        if (l->state == LC_WAIT_DEMAND)
                return kind != DEPEND_COMPLETED;
        switch (kind) {
        case DEPEND_STARTED:
                return l->state == LC_STARTING || l->state == LC_RUNNING || l->state == LC_RELOADING || l->state == LC_EXITED;
        case DEPEND_READY:
                return lifecycle_ready(l, i->service->spec) || (i->service->spec->type == SERVICE_ONESHOT && l->state == LC_EXITED);
        default:
                return l->state == LC_EXITED;
        }
}

int service_dependencies_met(const Service *s, char *buf, size_t size) {
        static const char *const words[] = { [DEPEND_STARTED] = "start", [DEPEND_READY] = "be ready", [DEPEND_COMPLETED] = "complete" };

        for (size_t n = 0; n < s->spec->depends.n; n++) {
                const Dependency *d = s->spec->depends.items + n;
                Service *on = service_dependency(s, d);

                if (!on) {
                        snprintf(buf, size, "depends on %s, which does not exist", d->name);
                        return -1;
                }
                for (size_t k = 0; k < on->n_instances; k++) {
                        int met = instance_meets(on->instances[k], d->kind);

                        if (met > 0 || on->instances[k]->removing || on->instances[k]->surge)
                                continue;
                        snprintf(buf, size, met < 0 ? "depends on %s, which has failed" : "waiting for %s to %s", d->name, words[d->kind]);
                        return met;
                }
        }
        return 1;
}

void service_recheck_all(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; n < m->order[k]->n_instances; n++)
                        (void) instance_deps_recheck(m->order[k]->instances[n]);
}

/* A list instead of recursion: a failure runs down a chain of thousands. */
void service_tell_dependents(Service *s) {
        Manager *m = s->manager;

        if (s->n_dependents == 0 || s->telling)
                return;
        s->telling = true;
        s->tell_next = NULL;
        *m->tell_tail = s;
        m->tell_tail = &s->tell_next;
        if (m->telling)
                return;
        m->telling = true;
        while ((s = m->tell)) {
                m->tell = s->tell_next;
                if (!m->tell)
                        m->tell_tail = &m->tell;
                s->telling = false;
                for (size_t k = 0; k < s->n_dependents; k++)
                        for (size_t n = 0; n < s->dependents[k]->n_instances; n++)
                                (void) instance_deps_recheck(s->dependents[k]->instances[n]);
        }
        m->telling = false;
}
