/* A follower is a call with "more". One that does not read is paused by the server's mark; what it misses meanwhile it gets from the
 * store, by id, so that there is neither gap nor repeat. */
#include <stdio.h>

#include "base/strv.h"
#include "base/text.h"
#include "manager/api/api.h"
#include "manager/api/follow.h"
#include "manager/api/params.h"
#include "manager/books/books.h"
#include "manager/life/service.h"

#define EVENTS_A_PAGE 500

struct EventFollower {
        EventFollower *next;
        Manager *manager;
        VarlinkCall *call;
        char *ns;
        Selector *selectors;
        size_t n;                   /* none: everything */
        int64_t last;               /* id said last */
        bool paused;
};

static EventFollower *follower_free(EventFollower *f) {
        if (!f)
                return NULL;
        for (EventFollower **p = &f->manager->followers; *p; p = &(*p)->next)
                if (*p == f) {
                        *p = f->next;
                        break;
                }
        varlink_call_watch(f->call, NULL, NULL, NULL);
        varlink_call_unref(f->call);
        free(f->selectors);
        free(f->ns);
        free(f);
        return NULL;
}

void followers_free(Manager *m) {
        while (m->followers)
                follower_free(m->followers);
}

/* By the words alone: a service that is gone still has its events. */
static bool follower_wants(const EventFollower *f, const char *ns, const char *name, int instance) {
        if (f->ns && !streq(f->ns, ns))
                return false;
        for (size_t k = 0; k < f->n; k++)
                if (selector_matches(f->selectors + k, ns, name) &&
                    (f->selectors[k].instance < 0 || instance < 0 || f->selectors[k].instance == instance))
                        return true;
        return f->n == 0;
}

/* A service that is gone by now is labelled by what is known of it. */
static void label_of(Manager *m, const StoredEvent *v, char label[300]) {
        Service *s = v->instance >= 0 ? service_find(m, v->ns, v->name) : NULL;

        if (v->instance > 0 || (s && service_count(s) > 1))
                snprintf(label, 300, "%s:%d", v->name, v->instance);
        else
                snprintf(label, 300, "%s", v->name);
}

json_object *event_json(Manager *m, const StoredEvent *v) {
        json_object *o = json_object_new_object();
        char label[300];

        if (!o)
                return NULL;
        label_of(m, v, label);
        json_set(o, "id", json_object_new_int64(v->id));
        json_set(o, "time_usec", json_object_new_int64((int64_t) v->realtime));
        json_set(o, "name", json_object_new_string(v->name));
        json_set(o, "namespace", json_object_new_string(v->ns));
        json_set(o, "instance", json_object_new_int(v->instance));
        json_set(o, "label", json_object_new_string(label));
        json_set(o, "kind", json_object_new_string(v->kind));
        json_set(o, "message", json_object_new_string(v->message));
        json_set(o, "data", v->data_json[0] ? json_tokener_parse(v->data_json) : NULL);
        return o;
}

static json_object *wrap(json_object *events, int64_t last) {
        json_object *o = json_object_new_object();

        if (!o) {
                json_object_put(events);
                return NULL;
        }
        json_set(o, "events", events);
        json_set(o, "last", json_object_new_int64(last));
        return o;
}

typedef struct Collect {
        const EventFollower *follower;
        json_object *array;
        size_t max;
        int64_t last;               /* the newest id seen */
} Collect;

/* 1: that is as many as were wanted. */
static int collect_event(void *userdata, const StoredEvent *v) {
        Collect *c = userdata;
        json_object *o;

        c->last = MAX(c->last, v->id);
        if (c->max == 0)
                return 1;
        if (!follower_wants(c->follower, v->ns, v->name, v->instance))
                return 0;
        o = event_json(c->follower->manager, v);
        json_push(c->array, o);
        return o ? json_object_array_length(c->array) >= c->max : -ENOMEM;
}

/* Tells what it missed, a page at a time, until it has all or does not read any more. */
static void catch_up(EventFollower *f) {
        int r = 1;

        while (r == 1 && !varlink_call_congested(f->call)) {
                Collect c = { .follower = f, .array = json_object_new_array(), .max = EVENTS_A_PAGE, .last = f->last };

                r = c.array ? store_each_event(f->manager->store, f->last, collect_event, &c) : -ENOMEM;
                if (r < 0 || json_object_array_length(c.array) == 0) {
                        json_object_put(c.array);
                        break;
                }
                f->last = c.last;
                if (varlink_notify(f->call, wrap(c.array, c.last)) < 0)
                        break;
        }
        f->paused = r == 1;
}

static void on_drained(VarlinkCall *call, void *userdata) {
        EventFollower *f = userdata;

        books_flush(f->manager);
        catch_up(f);
}

static void on_gone(VarlinkCall *call, void *userdata) {
        follower_free(userdata);
}

void follow_event(Manager *m, const PendingEvent *e) {
        StoredEvent v = { .id = e->id, .realtime = e->realtime, .ns = e->ns, .name = e->name, .instance = e->instance,
                          .kind = event_info(e->kind)->name, .message = e->message, .data_json = e->data };

        for (EventFollower *f = m->followers; f; f = f->next) {
                json_object *array;

                if (f->paused || !follower_wants(f, e->ns, e->name, e->instance))
                        continue;
                if (varlink_call_congested(f->call)) {
                        f->paused = true;
                        continue;
                }
                array = json_object_new_array();
                if (!array)
                        continue;
                json_push(array, event_json(m, &v));
                f->last = e->id;
                (void) varlink_notify(f->call, wrap(array, e->id));
        }
}

static int follower_select(EventFollower *f, json_object *p, KlError *reterr) {
        _cleanup_strv_ char **selectors = NULL;
        int r = params_selectors(p, &selectors, &f->ns, reterr);

        if (r < 0)
                return r;
        f->selectors = calloc(strv_length(selectors) + 1, sizeof(Selector));
        if (!f->selectors)
                return -ENOMEM;
        STRV_FOREACH(s, selectors) {
                r = selector_parse(*s, f->ns, f->selectors + f->n, reterr);
                if (r < 0)
                        return r;
                f->n++;
        }
        return 0;
}

static int follower_new(Manager *m, VarlinkCall *call, json_object *p, EventFollower **ret, KlError *reterr) {
        EventFollower *f = calloc(1, sizeof(EventFollower));
        int r;

        if (!f)
                return -ENOMEM;
        *f = (EventFollower) { .manager = m, .call = varlink_call_ref(call) };
        r = follower_select(f, p, reterr);
        if (r < 0) {
                follower_free(f);
                return r;
        }
        *ret = f;
        return 0;
}

int api_events(VarlinkCall *call, json_object *parameters, void *userdata) {
        Manager *m = userdata;
        _cleanup_error_ KlError e = {};
        uint64_t after = 0, since = 0, limit = 50;
        EventFollower *f = NULL;
        bool follow = false;
        Collect c;
        int r;

        if ((r = json_get_u64(parameters, "after", &after, &e)) < 0 || (r = json_get_u64(parameters, "since_usec", &since, &e)) < 0 ||
            (r = json_get_u64(parameters, "limit", &limit, &e)) < 0 || (r = json_get_bool(parameters, "follow", &follow, &e)) < 0 ||
            (r = follower_new(m, call, parameters, &f, &e)) < 0)
                return e.id ? varlink_error_kl(call, &e) : r;
        books_flush(m);
        c = (Collect) { .follower = f, .array = json_object_new_array(), .max = limit };
        /* The selection is by words, so the limit is applied to what is left of it. */
        r = c.array ? store_each_event_back(m->store, (int64_t) after, since, collect_event, &c) : -ENOMEM;
        if (r < 0) {
                json_object_put(c.array);
                follower_free(f);
                return r;
        }
        c.last = c.last ?: m->last_event_id;
        json_reverse(c.array);
        if (!follow || !varlink_call_more(call)) {
                follower_free(f);
                return api_reply(call, wrap(c.array, c.last));
        }
        f->last = m->last_event_id;
        f->next = m->followers;
        m->followers = f;
        varlink_call_watch(call, on_drained, on_gone, f);
        (void) varlink_notify(call, wrap(c.array, c.last));
        return 0;
}
