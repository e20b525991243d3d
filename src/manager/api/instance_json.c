/* One table of the fields of an instance, from which objects and columns are made. Must stay true: a list of a hundred services is a hundred times
 * a few reads, so figures younger than FRESH_USEC are told again. */
#include "manager/api/instance_json.h"

#include <stdio.h>

#include "base/strv.h"
#include "manager/api/api.h"
#include "manager/health/probes.h"
#include "manager/life/instance.h"
#include "manager/life/number.h"
#include "manager/triggers/schedule.h"

#define FRESH_USEC (500 * USEC_PER_MSEC)

/* ---- figures ---- */

/* On CLOCK_MONOTONIC. One that an earlier manager started ran before this one's lifecycle began to count. */
static usec_t running_since(const Instance *i, usec_t now) {
        usec_t realtime = now_usec(CLOCK_REALTIME), lived = realtime > i->since_realtime ? realtime - i->since_realtime : 0;

        return MIN(i->lc.run_since, now > lived ? now - lived : 0);
}

/* What was told last of an instance. */
struct Sample {
        uint64_t run;
        usec_t at;                 /* CLOCK_MONOTONIC */
        uint64_t cpu_usec;
        double percent;            /* of one core since the sample before, or since the run began */
        Usage usage;
};

/* NULL: nothing lives, or out of memory. */
static const Sample *sample(Instance *i) {
        usec_t now, base;
        Usage usage = USAGE_NULL;
        uint64_t before;
        Sample *s = i->sample;

        if (!lifecycle_alive(&i->lc) || (!s && !(s = i->sample = calloc(1, sizeof(Sample)))))
                return NULL;
        now = now_usec(CLOCK_MONOTONIC);
        if (s->at > 0 && s->run == i->run && now - s->at < FRESH_USEC)
                return s;
        base = s->at > 0 && s->run == i->run ? s->at : running_since(i, now);
        before = s->run == i->run ? s->cpu_usec : 0;
        if (!i->cell || cell_usage(i->cell, false, &usage) < 0)
                usage = USAGE_NULL;
        *s = (Sample) { .run = i->run, .at = now, .cpu_usec = usage.cpu_usec == USAGE_UNKNOWN ? 0 : usage.cpu_usec, .usage = usage };
        if (usage.cpu_usec != USAGE_UNKNOWN && now > base && usage.cpu_usec >= before)
                s->percent = 100.0 * (double) (usage.cpu_usec - before) / (double) (now - base);
        return s;
}

json_object *percent_json(double percent) {
        char text[32];

        snprintf(text, sizeof text, "%.1f", percent);
        return json_object_new_double_s(percent, text);
}

json_object *realtime_json(usec_t deadline) {
        usec_t mono = now_usec(CLOCK_MONOTONIC), real = now_usec(CLOCK_REALTIME);

        return json_object_new_int64((int64_t) (real + (deadline > mono ? deadline - mono : 0)));
}

/* ---- fields ---- */

static json_object *get_name(Instance *i) { return json_object_new_string(i->service->spec->name); }
static json_object *get_namespace(Instance *i) { return json_object_new_string(i->service->spec->ns); }
static json_object *get_instance(Instance *i) { return json_object_new_int((int32_t) i->index); }
static json_object *get_role(Instance *i) { return i->surge ? json_object_new_string("new") : i->retired ? json_object_new_string("old") : NULL; }
static json_object *get_number(Instance *i) { return json_u64(i->number, NUMBER_NONE); }
static json_object *get_pid(Instance *i) { return i->lc.main_alive && i->main.pid > 0 ? json_object_new_int(i->main.pid) : NULL; }
static json_object *get_state(Instance *i) { return json_object_new_string(instance_public_state(i)); }
static json_object *get_since(Instance *i) { return json_object_new_int64((int64_t) i->since_realtime); }
static json_object *get_restarts(Instance *i) { return json_object_new_int64(i->lc.restarts); }
static json_object *get_attempts(Instance *i) { return json_object_new_int64(i->lc.attempts); }
static json_object *get_trouble(Instance *i) { return json_text(lifecycle_trouble_name(lifecycle_trouble(&i->lc, i->service->spec))); }
static json_object *get_unit(Instance *i) { return json_text(i->cell ? cell_unit(i->cell) : NULL); }
static json_object *get_hint(Instance *i) { return json_text(i->hint); }
static json_object *get_next_run(Instance *i) { return json_u64(schedule_next(i->service), 0); }
static json_object *get_next_start(Instance *i) { return i->lc.state == LC_WAIT_BACKOFF ? realtime_json(i->lc.deadline) : NULL; }
static json_object *get_last_run(Instance *i) { return json_u64(schedule_last(i->service), 0); }

static json_object *get_ready(Instance *i) {
        return json_object_new_boolean(lifecycle_ready(&i->lc, i->service->spec) || i->lc.state == LC_WAIT_DEMAND);
}

static json_object *get_isolation(Instance *i) {
        return json_object_new_string(isolate_kind_name(isolate_kind(i->service->manager->isolate)));
}

static json_object *get_cpu(Instance *i) {
        const Sample *s = sample(i);

        return s && s->usage.cpu_usec != USAGE_UNKNOWN ? percent_json(s->percent) : NULL;
}

static json_object *get_memory(Instance *i) {
        const Sample *s = sample(i);

        return s ? json_u64(s->usage.memory, USAGE_UNKNOWN) : NULL;
}

static json_object *get_tasks(Instance *i) {
        const Sample *s = sample(i);

        return s ? json_u64(s->usage.tasks, USAGE_UNKNOWN) : NULL;
}

static json_object *get_exit(Instance *i) {
        const Lifecycle *l = &i->lc;
        json_object *o;

        if (l->reason == REASON_NONE && !l->exit_known)
                return NULL;
        o = json_object_new_object();
        if (!o)
                return NULL;
        json_set(o, "code", l->exit_known && l->exit.code >= 0 ? json_object_new_int(l->exit.code) : NULL);
        json_set(o, "signal", l->exit_known && l->exit.signal ? json_object_new_string(signal_name(l->exit.signal)) : NULL);
        json_set(o, "reason", json_object_new_string(lifecycle_reason_name(l->reason)));
        json_set(o, "core", json_object_new_boolean(l->exit_known && l->exit.core));
        return o;
}

static json_object *get_status(Instance *i) {
        _cleanup_free_ char *complaint = probes_complaint(i);

        return json_text(complaint ?: i->status);
}

static json_object *get_profile(Instance *i) {
        char *const *profile = i->service->spec->profile;
        json_object *array = profile ? json_object_new_array() : NULL;

        STRV_FOREACH(s, profile)
                json_push(array, json_object_new_string(*s));
        return array;
}

static const struct {
        const char *name;
        json_object *(*get)(Instance *i);       /* owned, NULL: null */
        bool optional;                          /* null is left out of the object */
} fields[] = {
        { "name", get_name },               { "namespace", get_namespace },       { "instance", get_instance },
        { "role", get_role },               { "number", get_number },             { "pid", get_pid },
        { "state", get_state },             { "ready", get_ready },               { "since_usec", get_since },
        { "restarts", get_restarts },       { "attempts", get_attempts },         { "trouble", get_trouble },
        { "cpu_percent", get_cpu },         { "memory_bytes", get_memory },       { "tasks", get_tasks },
        { "isolation", get_isolation },     { "unit", get_unit },                 { "exit", get_exit },
        { "status", get_status },           { "hint", get_hint },                 { "profile", get_profile, true },
        { "next_run_usec", get_next_run },  { "next_start_usec", get_next_start }, { "last_run_usec", get_last_run },
};

/* The names are ours and each comes once. */
static void add_field(json_object *o, const char *name, json_object *value) {
        if (json_object_object_add_ex(o, name, value, JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY) < 0)
                json_object_put(value);
}

json_object *instance_json(Instance *i) {
        json_object *o = json_object_new_object();

        for (size_t k = 0; o && k < ARRAY_SIZE(fields); k++) {
                json_object *value = fields[k].get(i);

                if (value || !fields[k].optional)
                        add_field(o, fields[k].name, value);
        }
        return o;
}

/* NULL: nobody has a value. */
static json_object *column(const Selection *s, json_object *(*get)(Instance *i)) {
        json_object *array = json_object_new_array_ext((int) s->n);
        bool any = false;

        for (size_t k = 0; array && k < s->n; k++) {
                json_object *value = get(s->items[k]);

                any = any || value;
                if (json_object_array_add(array, value) < 0)
                        json_object_put(value);
        }
        if (!any) {
                json_object_put(array);
                return NULL;
        }
        return array;
}

json_object *instance_columns(const Selection *s, char *const *wanted) {
        json_object *o = json_object_new_object();

        for (size_t k = 0; o && k < ARRAY_SIZE(fields); k++) {
                json_object *array = strv_contains(wanted, fields[k].name) ? column(s, fields[k].get) : NULL;

                if (array)
                        add_field(o, fields[k].name, array);
        }
        return o;
}
