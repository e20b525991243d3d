/* One table of the fields of an instance that kingctl knows, read from objects and from columns. What must stay true: as in reply.c. */
#include "kingctl/reply.h"

typedef enum FieldType { FIELD_TEXT, FIELD_NUMBER, FIELD_FLOAT, FIELD_BOOL, FIELD_ARRAY, FIELD_OBJECT } FieldType;

#define AT(f) offsetof(InstanceView, f)
static const struct {
        const char *name;
        FieldType type;
        size_t offset;
} fields[] = {
        { "name", FIELD_TEXT, AT(name) },
        { "namespace", FIELD_TEXT, AT(ns) },
        { "state", FIELD_TEXT, AT(state) },
        { "isolation", FIELD_TEXT, AT(isolation) },
        { "unit", FIELD_TEXT, AT(unit) },
        { "status", FIELD_TEXT, AT(status) },
        { "hint", FIELD_TEXT, AT(hint) },
        { "trouble", FIELD_TEXT, AT(trouble) },
        { "role", FIELD_TEXT, AT(role) },
        { "instance", FIELD_NUMBER, AT(instance) },
        { "pid", FIELD_NUMBER, AT(pid) },
        { "restarts", FIELD_NUMBER, AT(restarts) },
        { "attempts", FIELD_NUMBER, AT(attempts) },
        { "memory_bytes", FIELD_NUMBER, AT(memory) },
        { "tasks", FIELD_NUMBER, AT(tasks) },
        { "since_usec", FIELD_NUMBER, AT(since) },
        { "next_run_usec", FIELD_NUMBER, AT(next_run) },
        { "last_run_usec", FIELD_NUMBER, AT(last_run) },
        { "next_start_usec", FIELD_NUMBER, AT(next_start) },
        { "cpu_percent", FIELD_FLOAT, AT(cpu) },
        { "ready", FIELD_BOOL, AT(ready) },
        { "exit", FIELD_OBJECT, AT(exit) },
        { "profile", FIELD_ARRAY, AT(profile) },
};

_Static_assert(sizeof(usec_t) == sizeof(int64_t), "times are read as numbers");

static const InstanceView nothing = { .name = "", .ns = "", .state = "", .isolation = "", .unit = "", .status = "", .hint = "", .trouble = "",
                                      .role = "", .memory = -1, .tasks = -1, .cpu = -1 };

/* A value of another type than it should have leaves the empty one. */
static void take(InstanceView *v, size_t field, json_object *value) {
        void *to = (char *) v + fields[field].offset;
        json_type type = json_object_get_type(value);

        switch (fields[field].type) {
        case FIELD_TEXT:
                if (type == json_type_string)
                        *(const char **) to = json_object_get_string(value);
                break;
        case FIELD_NUMBER:
                if (type == json_type_int)
                        *(int64_t *) to = json_object_get_int64(value);
                break;
        case FIELD_FLOAT:
                if (type == json_type_double || type == json_type_int)
                        *(double *) to = json_object_get_double(value);
                break;
        case FIELD_BOOL:
                *(bool *) to = type == json_type_boolean && json_object_get_boolean(value);
                break;
        case FIELD_ARRAY:
        case FIELD_OBJECT:
                if (type == (fields[field].type == FIELD_ARRAY ? json_type_array : json_type_object))
                        *(json_object **) to = value;
        }
}

InstanceView instance_view(json_object *o) {
        InstanceView v = nothing;
        json_object *value;

        for (size_t k = 0; json_object_is_type(o, json_type_object) && k < ARRAY_SIZE(fields); k++)
                if (json_object_object_get_ex(o, fields[k].name, &value))
                        take(&v, k, value);
        return v;
}

/* As many as the longest column has; what the shorter ones lack is empty. */
static int views_of_columns(json_object *columns, InstanceView **ret, size_t *ret_n) {
        InstanceView *views;
        size_t n = 0;

        for (size_t k = 0; k < ARRAY_SIZE(fields); k++)
                n = MAX(n, array_length(field_array(columns, fields[k].name)));
        views = n > 0 ? reallocarray(NULL, n, sizeof(*views)) : NULL;
        if (n > 0 && !views)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                views[i] = nothing;
        for (size_t k = 0; k < ARRAY_SIZE(fields); k++) {
                json_object *column = field_array(columns, fields[k].name);

                for (size_t i = 0; i < array_length(column); i++)
                        take(views + i, k, json_object_array_get_idx(column, i));
        }
        *ret = views;
        *ret_n = n;
        return 0;
}

int instance_views(json_object *reply, InstanceView **ret, size_t *ret_n) {
        json_object *columns = field_object(reply, "columns"), *instances = field_array(reply, "instances");
        size_t n = array_length(instances);

        if (columns)
                return views_of_columns(columns, ret, ret_n);
        *ret = n > 0 ? reallocarray(NULL, n, sizeof(InstanceView)) : NULL;
        if (n > 0 && !*ret)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                (*ret)[i] = instance_view(json_object_array_get_idx(instances, i));
        *ret_n = n;
        return 0;
}
