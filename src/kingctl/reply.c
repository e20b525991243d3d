/* Owns the reading of replies. What must stay true: nothing here trusts that a field is there or has its type. */
#include "base/map.h"
#include "base/text.h"
#include "kingctl/output.h"
#include "kingctl/reply.h"

static json_object *field_of(json_object *o, const char *field, json_type type) {
        json_object *v;

        return json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, field, &v) && json_object_is_type(v, type) ? v
                                                                                                                                   : NULL;
}

const char *field_text(json_object *o, const char *field) {
        json_object *v = field_of(o, field, json_type_string);
        const char *s = v ? json_object_get_string(v) : NULL;

        return s ? s : "";
}

int64_t field_number(json_object *o, const char *field, int64_t missing) {
        json_object *v = field_of(o, field, json_type_int);

        return v ? json_object_get_int64(v) : missing;
}

double field_float(json_object *o, const char *field, double missing) {
        json_object *v = field_of(o, field, json_type_double);

        if (!v)
                v = field_of(o, field, json_type_int);
        return v ? json_object_get_double(v) : missing;
}

bool field_bool(json_object *o, const char *field) {
        json_object *v = field_of(o, field, json_type_boolean);

        return v && json_object_get_boolean(v);
}

json_object *field_array(json_object *o, const char *field) {
        return field_of(o, field, json_type_array);
}

json_object *field_object(json_object *o, const char *field) {
        return field_of(o, field, json_type_object);
}

size_t array_length(json_object *l) {
        return l ? json_object_array_length(l) : 0;
}

char *joined_text(json_object *l) {
        _cleanup_buffer_ Buffer b = {};

        for (size_t i = 0; i < array_length(l); i++) {
                json_object *v = json_object_array_get_idx(l, i);

                if (buffer_printf(&b, "%s%s", i > 0 ? ", " : "", json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "") < 0)
                        return NULL;
        }
        return TAKE_PTR(b.data);
}

bool state_lives(const char *state) {
        return streq(state, "running") || streq(state, "starting") || streq(state, "reloading") || streq(state, "stopping");
}

char *trouble_text(const InstanceView *i) {
        if (streq(i->trouble, "never-ready"))
                return text_printf("not once ready in %" PRIi64 " %s: look at what was changed last", i->attempts, plural(i->attempts, "attempt", "attempts"));
        return streq(i->trouble, "crash-loop") ? text_printf("a crash loop: it gets ready, but has ended %" PRIi64 " times in a row soon after", i->attempts) : NULL;
}

/* What waits for its schedule, or for somebody to connect to its open sockets, is as it should be. */
bool state_wrong(const InstanceView *i) {
        return streq(i->state, "failed") || (streq(i->state, "waiting") && (i->next_run == 0 || i->attempts > 0) && !i->ready) ||
               (streq(i->state, "running") && !i->ready);
}

const char *entry_label(json_object *entry) {
        const char *label = field_text(entry, "label");

        return *label ? label : field_text(entry, "name");
}

char *instance_name(const char *ns, const char *name, int64_t instance, bool only) {
        if (only)
                return text_printf("%s%s%s", ns ? ns : "", ns ? "/" : "", name);
        return text_printf("%s%s%s:%" PRIi64, ns ? ns : "", ns ? "/" : "", name, instance);
}

char *exit_text(json_object *exit) {
        const char *signal = field_text(exit, "signal"), *reason = field_text(exit, "reason");
        int64_t code = field_number(exit, "code", -1);
        _cleanup_free_ char *what = NULL;

        if (!exit)
                return strdup("");
        if (*signal)
                what = strdup(signal);
        else if (code >= 0)
                what = text_printf("exit status %" PRIi64, code);
        else
                return strdup(reason);
        if (!what || !*reason || streq(reason, "exited") || streq(reason, "signal"))
                return TAKE_PTR(what);
        return text_printf("%s (%s%s)", what, reason, field_bool(exit, "core") && !streq(reason, "core-dump") ? ", core dumped" : "");
}

/* Counts under "namespace/name" (services) and "namespace" (namespaces): '/' is in no name. */
typedef struct Count {
        size_t n;
        char key[];
} Count;

struct Census {
        Map *counts;
        size_t namespaces;
        bool profiles;
};

static int count(Map *m, const char *ns, const char *name) {
        _cleanup_free_ char *key = name ? text_printf("%s/%s", ns, name) : strdup(ns);
        _cleanup_free_ Count *c = NULL;
        Count *found;
        int r;

        if (!key)
                return -ENOMEM;
        found = map_get(m, key);
        if (found) {
                found->n++;
                return 0;
        }
        c = malloc(sizeof(Count) + strlen(key) + 1);
        if (!c)
                return -ENOMEM;
        c->n = 1;
        strcpy(c->key, key);
        r = map_put(m, c->key, c);
        if (r < 0)
                return r;
        TAKE_PTR(c);
        return 1;
}

static int census_add(Census *c, const char *ns, const char *name, bool profile) {
        int r = count(c->counts, ns, name);

        if (r >= 0)
                r = count(c->counts, ns, NULL);
        if (r < 0)
                return r;
        c->namespaces += (size_t) r;
        c->profiles = c->profiles || profile;
        return 0;
}

static Census *census_empty(void) {
        _cleanup_(census_freep) Census *c = calloc(1, sizeof(*c));

        if (c)
                c->counts = map_new_string();
        return c && c->counts ? TAKE_PTR(c) : NULL;
}

Census *census_new(json_object *instances) {
        _cleanup_(census_freep) Census *c = census_empty();

        for (size_t i = 0; c && i < array_length(instances); i++) {
                json_object *o = json_object_array_get_idx(instances, i);

                if (census_add(c, field_text(o, "namespace"), field_text(o, "name"), field_array(o, "profile")) < 0)
                        return NULL;
        }
        return TAKE_PTR(c);
}

Census *census_of(const InstanceView *views, size_t n) {
        _cleanup_(census_freep) Census *c = census_empty();

        for (size_t i = 0; c && i < n; i++)
                if (census_add(c, views[i].ns, views[i].name, views[i].profile) < 0)
                        return NULL;
        return TAKE_PTR(c);
}

Census *census_free(Census *c) {
        size_t i = 0;
        void *v;

        if (!c)
                return NULL;
        while (c->counts && map_next(c->counts, &i, &v))
                free(v);
        map_free(c->counts);
        free(c);
        return NULL;
}

size_t census_instances(const Census *c, const char *ns, const char *name) {
        _cleanup_free_ char *key = text_printf("%s/%s", ns, name);
        const Count *found = key ? map_get(c->counts, key) : NULL;

        return found ? found->n : 0;
}

size_t census_namespaces(const Census *c) {
        return c->namespaces;
}

bool census_profiles(const Census *c) {
        return c->profiles;
}
