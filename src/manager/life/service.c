/* The set of services. Must stay true: `order` is sorted by position and holds exactly what `services` holds. */
#include <stdio.h>

#include "base/text.h"
#include "manager/api/wait.h"
#include "manager/balance/balance.h"
#include "manager/balance/cluster.h"
#include "manager/books/books.h"
#include "manager/health/probes.h"
#include "manager/life/instance.h"
#include "manager/life/number.h"
#include "manager/life/rolling.h"
#include "manager/life/service.h"
#include "manager/logs/collector.h"
#include "manager/notify/fd_store.h"
#include "manager/sockets/sockets.h"
#include "manager/triggers/schedule.h"
#include "manager/triggers/watch.h"

Service *service_find(Manager *m, const char *ns, const char *name) {
        char key[300];

        if ((size_t) snprintf(key, sizeof key, "%s/%s", ns, name) >= sizeof key)
                return NULL;
        return map_get(m->services, key);
}

static int order_insert(Manager *m, Service *s) {
        Service **o = reallocarray(m->order, m->n_order + 1, sizeof(Service *));
        size_t at = m->n_order;

        if (!o)
                return -ENOMEM;
        m->order = o;
        while (at > 0 && o[at - 1]->position > s->position)
                at--;
        memmove(o + at + 1, o + at, (m->n_order - at) * sizeof(Service *));
        o[at] = s;
        m->n_order++;
        return 0;
}

int service_new(Manager *m, ServiceSpec *spec, const char *origin, bool wanted, int64_t position, Service **ret) {
        Service *s = calloc(1, sizeof(Service));
        int r;

        if (!s)
                return -ENOMEM;
        *s = (Service) { .manager = m, .origin = strdup(origin ?: ""), .wanted = wanted, .key = text_printf("%s/%s", spec->ns, spec->name),
                         .position = position >= 0 ? position : m->next_position };
        r = s->origin && s->key ? map_put(m->services, s->key, s) : -ENOMEM;
        if (r >= 0 && (r = order_insert(m, s)) < 0)
                map_remove(m->services, s->key);
        if (r < 0) {
                free(s->origin);
                free(s->key);
                free(s);
                return r;
        }
        m->next_position = MAX(m->next_position, s->position + 1);
        m->set_changed = true;
        r = service_scale(s, spec_instances(spec, m->n_cpus));
        if (r < 0) {
                service_free(s);
                return r;
        }
        s->spec = spec;
        watch_update(s);
        schedule_update(s, NULL);
        *ret = s;
        return 0;
}

Service *service_free(Service *s) {
        Manager *m;

        if (!s)
                return NULL;
        m = s->manager;
        /* Who waits is told before any is gone: how an instance is called depends on how many there are. */
        for (size_t k = 0; k < s->n_instances; k++)
                wait_freed(s->instances[k]);
        while (s->n_instances > 0)
                instance_free(s->instances[--s->n_instances]);
        map_remove(m->services, s->key);
        for (size_t k = 0; k < m->n_order; k++)
                if (m->order[k] == s) {
                        memmove(m->order + k, m->order + k + 1, (m->n_order - k - 1) * sizeof(Service *));
                        m->n_order--;
                        break;
                }
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; n < m->order[k]->n_dependents; n++)
                        if (m->order[k]->dependents[n] == s)
                                m->order[k]->dependents[n--] = m->order[k]->dependents[--m->order[k]->n_dependents];
        m->set_changed = true;
        watch_free(s->watch);
        sockets_free(s->sockets);
        cluster_free(s->cluster);
        fd_store_free(s->fd_store);
        rolling_free(s->rolling);
        schedule_free(s->schedule);
        free(s->instances);
        free(s->dependents);
        free(s->origin);
        free(s->key);
        spec_free(s->spec);
        free(s);
        return NULL;
}

unsigned service_count(const Service *s) {
        return (unsigned) (s->n_instances - s->n_extra);
}

static void put(Service *s, unsigned place, Instance *i) {
        s->instances[place] = i;
        if (i->place != place)
                books_mark_instance(i);
        i->place = place;
}

/* n more behind the real ones; extra ones move up. */
static int grow(Service *s, unsigned n) {
        unsigned count = service_count(s);
        Instance **list = reallocarray(s->instances, s->n_instances + n, sizeof(Instance *));
        int r = list ? 0 : -ENOMEM;

        if (r < 0)
                return r;
        s->instances = list;
        for (unsigned k = 0; k < n && r >= 0; k++, count++) {
                Instance *i;

                r = instance_new(s, count, &i);
                if (r < 0)
                        break;
                for (size_t e = s->n_instances; e > count; e--)
                        put(s, (unsigned) e, s->instances[e - 1]);
                s->instances[count] = i;
                s->n_instances++;
        }
        return r;
}

/* More instances are made at once; superfluous ones are marked, stopped and collected when they are down. */
int service_scale(Service *s, unsigned n) {
        unsigned count = service_count(s);
        int r = n > count ? grow(s, n - count) : 0;

        if (r < 0)
                return r;
        count = service_count(s);
        for (size_t k = 0; k < count; k++) {
                s->instances[k]->removing = k >= n;
                /* A collector outlives the one that it reads, to the last line. */
                if (k >= n && s->spec && s->spec->collects)
                        s->instances[k]->stop_deferred = true;
                else if (k >= n)
                        instance_event(s->instances[k], EV_STOP);
        }
        (void) sd_event_source_set_enabled(s->manager->pump, SD_EVENT_ONESHOT);
        return 0;
}

int service_surge(Service *s, unsigned index, Instance **ret) {
        Instance **list = reallocarray(s->instances, s->n_instances + 1, sizeof(Instance *)), *i;
        int r;

        if (!list)
                return -ENOMEM;
        s->instances = list;
        r = instance_new(s, index, &i);
        if (r < 0)
                return r;
        i->surge = true;
        number_return(i);
        s->n_extra++;
        put(s, (unsigned) s->n_instances++, i);
        *ret = i;
        return 0;
}

Instance *service_take_place(Service *s, Instance *surge) {
        Instance *old = s->instances[surge->index];
        unsigned place = surge->place;
        uint32_t number = surge->number;

        surge->number = old->number;
        old->number = number;
        put(s, surge->index, surge);
        put(s, place, old);
        surge->surge = false;
        old->retired = old->removing = true;
        return old;
}

int service_replace_spec(Service *s, ServiceSpec *spec) {
        ServiceSpec *old = s->spec;

        (void) rolling_cancel(s, "the service was changed meanwhile");
        s->spec = spec;
        for (size_t k = 0; k < s->n_instances; k++)
                probes_update(s->instances[k]);
        s->manager->set_changed = true;
        sockets_update(s);
        fd_store_update(s);
        balance_attend(s);
        watch_update(s);
        schedule_update(s, old);
        spec_free(old);
        return service_scale(s, spec_instances(spec, s->manager->n_cpus));
}

bool service_settled(const Service *s) {
        for (size_t k = 0; k < s->n_instances; k++)
                if (!instance_down(s->instances[k]))
                        return false;
        return true;
}

bool service_collect(Service *s) {
        while (s->n_instances > 0 && s->instances[s->n_instances - 1]->removing && instance_down(s->instances[s->n_instances - 1])) {
                Instance *i = s->instances[--s->n_instances];

                if (!i->surge && !i->retired)
                        fd_store_empty(i);
                s->n_extra -= i->surge || i->retired;
                if (s->manager->store)
                        (void) books_forget_instance(i);
                collector_forget(i);
                instance_free(i);
                s->manager->set_changed = true;
        }
        if (!s->deleting || !service_settled(s))
                return false;
        /* Again: while it went down its runs were written. */
        if (s->manager->store)
                (void) store_delete_service(s->manager->store, s->spec->ns, s->spec->name);
        for (size_t k = 0; k < s->n_instances; k++) {
                collector_forget(s->instances[k]);
                fd_store_empty(s->instances[k]);
        }
        service_free(s);
        return true;
}
