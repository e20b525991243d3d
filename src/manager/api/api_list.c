/* List and Describe. What is told of an instance, in both, is in instance_json.c. */
#include <stdio.h>

#include "base/strv.h"
#include "base/text.h"
#include "config/config.h"
#include "config/redact.h"
#include "manager/api/api.h"
#include "manager/api/follow.h"
#include "manager/api/instance_json.h"
#include "manager/api/params.h"
#include "manager/balance/balance.h"
#include "manager/books/books.h"
#include "manager/health/probes.h"
#include "manager/life/hooks.h"
#include "manager/life/instance.h"
#include "manager/life/rolling.h"
#include "manager/notify/fd_store.h"
#include "manager/notify/said.h"
#include "manager/sockets/sockets.h"
#include "manager/spawn/spawn.h"
#include "manager/triggers/schedule.h"

static json_object *strv_json(char *const *l) {
        json_object *array = json_object_new_array();

        STRV_FOREACH(s, l)
                json_push(array, json_object_new_string(*s));
        return array;
}

static int resolve(Manager *m, json_object *parameters, Selection *ret, KlError *reterr) {
        _cleanup_strv_ char **selectors = NULL;
        _cleanup_free_ char *ns = NULL;
        int r = params_selectors(parameters, &selectors, &ns, reterr);

        if (r < 0)
                return r;
        if (!selectors && ns) {
                r = strv_consume(&selectors, text_printf("@%s", ns));
                if (r < 0)
                        return r;
        }
        return selection_resolve(m, selectors, ns, ret, reterr);
}

int api_list(VarlinkCall *call, json_object *parameters, void *userdata) {
        _cleanup_strv_ char **columns = NULL;
        _cleanup_selection_ Selection s = {};
        _cleanup_error_ KlError e = {};
        json_object *reply, *array;
        int r;

        r = resolve(userdata, parameters, &s, &e);
        if (r >= 0)
                r = json_get_strv(parameters, "columns", &columns, &e);
        if (r < 0)
                return api_fail(call, &e, r);
        reply = json_object_new_object();
        array = json_object_new_array();
        for (size_t k = 0; array && !columns && k < s.n; k++)
                json_push(array, instance_json(s.items[k]));
        json_set(reply, "instances", array);
        if (columns) {
                json_set(reply, "rows", json_object_new_int64((int64_t) s.n));
                json_set(reply, "columns", instance_columns(&s, columns));
        }
        return api_reply(call, reply);
}

/* ---- describe ---- */

static json_object *figure(uint64_t value, UsageSource source) {
        json_object *o = json_object_new_object();

        json_set(o, "value", json_u64(value, USAGE_UNKNOWN));
        json_set(o, "source", value == USAGE_UNKNOWN ? NULL : json_object_new_string(usage_source_name(source)));
        return o;
}

static json_object *pressure(uint32_t hundredths) {
        return hundredths == UINT32_MAX ? NULL : percent_json(hundredths / 100.0);
}

/* Of the living run; of one that has ended what was last known. */
static json_object *usage_json(Instance *i) {
        json_object *o = json_object_new_object();
        Usage u = USAGE_NULL;

        if (i->cell && lifecycle_alive(&i->lc))
                (void) cell_usage(i->cell, true, &u);
        else if (i->last) {
                u.cpu_usec = i->last->cpu_usec;
                u.memory_peak = i->last->memory_peak;
                u.io_read = i->last->io_read;
                u.io_written = i->last->io_written;
                u.cpu_source = i->last->cpu_source;
                u.memory_peak_source = i->last->memory_peak_source;
                u.io_source = i->last->io_source;
        }
        json_set(o, "cpu_usec", figure(u.cpu_usec, u.cpu_source));
        json_set(o, "memory_bytes", figure(u.memory, u.memory_source));
        json_set(o, "memory_peak_bytes", figure(u.memory_peak, u.memory_peak_source));
        json_set(o, "tasks", figure(u.tasks, u.tasks_source));
        json_set(o, "io_read_bytes", figure(u.io_read, u.io_source));
        json_set(o, "io_written_bytes", figure(u.io_written, u.io_source));
        json_set(o, "oom_kills", json_u64(u.oom_kills, USAGE_UNKNOWN));
        json_set(o, "cpu_pressure", pressure(u.cpu_pressure));
        json_set(o, "memory_pressure", pressure(u.memory_pressure));
        json_set(o, "io_pressure", pressure(u.io_pressure));
        return o;
}

#define PROCESSES_SHOWN 64

static json_object *processes_json(Instance *i) {
        json_object *array = json_object_new_array();
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        Redactor r;

        if (!i->cell || !lifecycle_alive(&i->lc) || cell_pids(i->cell, &pids, &n) < 0)
                return array;
        redactor_init(&r, i->service->spec);
        for (size_t k = 0; k < MIN(n, (size_t) PROCESSES_SHOWN); k++) {
                _cleanup_free_ char *command = NULL, *shown = NULL;
                ProcessStat stat;
                json_object *o;

                if (process_stat(pids[k], &stat) < 0 || process_command_line(pids[k], 200, &command) < 0)
                        continue;
                shown = redact_text(&r, command);
                o = json_object_new_object();
                json_set(o, "pid", json_object_new_int(pids[k]));
                json_set(o, "parent", json_object_new_int(stat.ppid));
                json_set(o, "command", json_text(shown));
                json_push(array, o);
        }
        return array;
}

static json_object *log_json(const Instance *i) {
        static const char *const elsewhere[] = { [LOG_TO_NONE] = "none", [LOG_TO_EXEC] = "exec", [LOG_TO_INHERIT] = "inherit" };
        int to = i->service->spec->log.to;
        _cleanup_free_ char *path = NULL;

        if (elsewhere[to])
                return json_object_new_string(elsewhere[to]);
        if (spawn_to_journal(i))
                return json_object_new_string("journal");
        path = spawn_log_path(i);
        return json_text(path);
}

/* brief: without what is read for the answer, from the kernel and from the books. */
static json_object *detail_json(Instance *i, bool brief) {
        json_object *o = json_object_new_object();
        const char *cgroup = i->cell ? cell_cgroup(i->cell) : NULL;
        char id[33] = "";

        if (i->run)
                hex_encode(id, i->invocation, sizeof i->invocation);
        json_set(o, "instance", instance_json(i));
        json_set(o, "usage", brief ? NULL : usage_json(i));
        json_set(o, "invocation_id", id[0] ? json_object_new_string(id) : NULL);
        json_set(o, "generation", json_object_new_int64((int64_t) i->generation));
        json_set(o, "cgroup", json_text(cgroup));
        json_set(o, "next_usec", i->lc.deadline == USEC_INFINITY ? NULL : realtime_json(i->lc.deadline));
        json_set(o, "log", log_json(i));
        json_set(o, "hook", hooks_failure_json(i));
        json_set(o, "processes", brief ? json_object_new_array() : processes_json(i));
        json_set(o, "probes", probes_json(i));
        json_set(o, "fd_store", fd_store_json(i));
        json_set(o, "notify", said_json(i));
        return o;
}

#define EVENTS_SHOWN 10

/* "namespace/name" → the array of events in that service's answer. One walk back over the stored events for all of them, until each has enough. */
typedef struct LastEvents {
        Manager *manager;
        Map *arrays;
        size_t unfilled;
} LastEvents;

static int last_event(void *userdata, const StoredEvent *v) {
        LastEvents *l = userdata;
        json_object *array;
        char key[300];

        snprintf(key, sizeof key, "%s/%s", v->ns, v->name);
        array = map_get(l->arrays, key);
        if (!array || json_object_array_length(array) == EVENTS_SHOWN)
                return 0;
        json_push(array, event_json(l->manager, v));
        if (json_object_array_length(array) == EVENTS_SHOWN)
                l->unfilled--;
        return l->unfilled == 0;
}

static void fill_events(Manager *m, Map *arrays) {
        LastEvents l = { .manager = m, .arrays = arrays, .unfilled = map_size(arrays) };
        size_t at = 0;
        void *v;

        if (l.unfilled > 0)
                (void) store_each_event_back(m->store, 0, 0, last_event, &l);
        while (map_next(arrays, &at, &v))
                json_reverse(v);
}

/* Takes the canonical form. */
static json_object *settings_json(const Service *s, json_object *canonical, bool secrets) {
        _cleanup_json_ json_object *o = canonical;
        Redactor r;

        redactor_init(&r, s->spec);
        return secrets ? TAKE_PTR(o) : config_redact(&r, o);
}

static json_object *service_json(Service *s, const Selection *selection, Map *events, bool secrets, bool brief) {
        json_object *o = json_object_new_object(), *instances = json_object_new_array(), *last = json_object_new_array();
        _cleanup_strv_ char **unenforced = brief ? NULL : isolate_unenforced(s->manager->isolate, s->spec);

        for (size_t k = 0; k < selection->n; k++)
                if (selection->items[k]->service == s)
                        json_push(instances, detail_json(selection->items[k], brief));
        json_set(o, "name", json_object_new_string(s->spec->name));
        json_set(o, "namespace", json_object_new_string(s->spec->ns));
        json_set(o, "origin", json_object_new_string(s->origin));
        json_set(o, "wanted", json_object_new_boolean(s->wanted));
        json_set(o, "spec", settings_json(s, config_spec_to_json_full(s->spec), secrets));
        json_set(o, "changed", brief ? NULL : settings_json(s, config_spec_to_json(s->spec), secrets));
        json_set(o, "unenforced", strv_json(unenforced));
        json_set(o, "sockets", sockets_json(s));
        json_set(o, "balance", balance_json(s));
        json_set(o, "rolling", rolling_json(s));
        json_set(o, "instances", instances);
        if (o && last)
                (void) map_put(events, s->key, last);
        json_set(o, "events", last);
        return o;
}

int api_describe(VarlinkCall *call, json_object *parameters, void *userdata) {
        _cleanup_(map_freep) Map *events = map_new_string();
        _cleanup_selection_ Selection s = {};
        _cleanup_error_ KlError e = {};
        json_object *reply, *array;
        bool secrets = false, brief = false;
        int r;

        r = events ? resolve(userdata, parameters, &s, &e) : -ENOMEM;
        if (r >= 0)
                r = api_secrets(call, parameters, &secrets, &e);
        if (r >= 0)
                r = json_get_bool(parameters, "brief", &brief, &e);
        if (r < 0)
                return api_fail(call, &e, r);
        if (!brief && balance_refresh(userdata, &s, call, parameters, api_describe))
                return 0;
        if (!brief)
                books_flush(userdata);
        reply = json_object_new_object();
        array = json_object_new_array();
        for (size_t k = 0; k < s.n; k++)
                if (!map_get(events, s.items[k]->service->key))
                        json_push(array, service_json(s.items[k]->service, &s, events, secrets, brief));
        if (!brief)
                fill_events(userdata, events);
        json_set(reply, "services", array);
        return api_reply(call, reply);
}
