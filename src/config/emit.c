/* Owns spec → JSON. What is written here is read back by config_load_json() to an equal spec; the tests hold both to it for every key of
 * the table. */
#include "base/strv.h"
#include "base/text.h"
#include "config/config.h"
#include "config/json_build.h"
#include "model/credential.h"

static const void *field_of(const SpecKey *k, const void *s) {
        return (const char *) s + k->offset;
}

static json_object *number(KeyType type, const char *text) {
        int64_t i;
        uint64_t u;

        if (parse_i64(text, &i) >= 0)
                return json_object_new_int64(i);
        if (parse_u64(text, &u) >= 0)
                return json_object_new_uint64(u);
        /* "1.5" keeps its digits; "max" and "infinity" are words. */
        return type == KEY_FACTOR ? json_object_new_double_s(strtod(text, NULL), text) : json_object_new_string(text);
}

/* Of a whole spec or of an entry of a list. */
static int scalar(const SpecKey *k, const void *s, json_object **ret) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = entry_scalar_format(k, s, &text);
        if (r < 0)
                return r;
        *ret = NULL;
        if (!text)
                return 0;
        switch (k->type) {
        case KEY_BOOL:
                *ret = json_object_new_boolean(streq(text, "true"));
                break;
        case KEY_INT32:
        case KEY_UINT32:
        case KEY_UINT64:
        case KEY_FACTOR:
        case KEY_INSTANCES:
                *ret = number(k->type, text);
                break;
        default:
                *ret = json_object_new_string(text);
        }
        return *ret ? 0 : -ENOMEM;
}

static json_object *strings(char *const *l) {
        _cleanup_json_ json_object *list = json_object_new_array();

        if (!list)
                return NULL;
        STRV_FOREACH(s, l)
                if (json_append(list, json_object_new_string(*s)) < 0)
                        return NULL;
        return TAKE_PTR(list);
}

static json_object *list_of_strings(const SpecKey *k, const void *s) {
        return strings(*(char *const *const *) field_of(k, s));
}

/* The line for `shell: true`, which became the third word of argv; else the words. */
static json_object *command(const SpecKey *k, const void *s) {
        char *const *argv = *(char *const *const *) field_of(k, s);
        const ServiceSpec *spec = s;

        return spec->shell && strv_length(argv) == 3 ? json_object_new_string(argv[2]) : strings(argv);
}

static json_object *env(const SpecKey *k, const void *s) {
        _cleanup_json_ json_object *map = json_object_new_object();

        if (!map)
                return NULL;
        STRV_FOREACH(e, *(char *const *const *) field_of(k, s)) {
                const char *equals = strchr(*e, '=');
                _cleanup_free_ char *name = strndup(*e, (size_t) (equals - *e));

                if (!name || json_add(map, name, json_object_new_string(equals + 1)) < 0)
                        return NULL;
        }
        return TAKE_PTR(map);
}

static json_object *credential(const Credential *c) {
        _cleanup_json_ json_object *o = NULL;

        if (c->file)
                return json_object_new_string(c->file - c->optional);
        o = json_object_new_object();
        return json_add(o, "text", json_object_new_string(c->text)) == 0 ? TAKE_PTR(o) : NULL;
}

static json_object *credentials(const SpecKey *k, const void *s) {
        _cleanup_json_ json_object *map = json_object_new_object();

        STRV_FOREACH(entry, *(char *const *const *) field_of(k, s)) {
                _cleanup_free_ char *name = NULL;
                Credential c;

                if (!credential_split(*entry, &c))
                        continue;
                name = strndup(c.name, c.n_name);
                if (!map || !name || json_add(map, name, credential(&c)) < 0)
                        return NULL;
        }
        return TAKE_PTR(map);
}

static json_object *dependency(const SpecKey *k, const Dependency *d) {
        _cleanup_json_ json_object *o = NULL;

        if (!d->restart && !d->stop)
                return json_object_new_string(k->names[d->kind]);
        o = json_object_new_object();
        if (!o || json_add(o, "condition", json_object_new_string(k->names[d->kind])) < 0 ||
            (d->restart && json_add(o, "restart", json_object_new_boolean(true)) < 0) ||
            (d->stop && json_add(o, "stop", json_object_new_boolean(true)) < 0))
                return NULL;
        return TAKE_PTR(o);
}

static json_object *depends(const SpecKey *k, const void *s) {
        _cleanup_json_ json_object *map = json_object_new_object();
        const DependencyList *l = field_of(k, s);

        for (size_t i = 0; map && i < l->n; i++)
                if (json_add(map, l->items[i].name, dependency(k, l->items + i)) < 0)
                        return NULL;
        return TAKE_PTR(map);
}

static json_object *devices(const SpecKey *k, const void *s) {
        _cleanup_json_ json_object *map = json_object_new_object();
        const DeviceLimitList *l = field_of(k, s);
        char text[FORMAT_MAX];

        for (size_t i = 0; map && i < l->n; i++) {
                json_object *v = k->type == KEY_DEVICES_SIZE ? json_object_new_string(format_size(text, l->items[i].value, true))
                                                             : json_object_new_uint64(l->items[i].value);
                if (json_add(map, l->items[i].path, v) < 0)
                        return NULL;
        }
        return TAKE_PTR(map);
}

static json_object *codes(const SpecKey *k, const void *s) {
        _cleanup_json_ json_object *list = json_object_new_array();
        const CodeList *l = field_of(k, s);

        for (size_t i = 0; list && i < l->n; i++)
                if (json_append(list, json_object_new_int(l->items[i])) < 0)
                        return NULL;
        return TAKE_PTR(list);
}

/* "Name: value" lines as a map. */
static json_object *headers(const SpecKey *k, const void *s) {
        _cleanup_json_ json_object *map = json_object_new_object();

        STRV_FOREACH(h, *(char *const *const *) field_of(k, s)) {
                const char *colon = strchr(*h, ':');
                _cleanup_free_ char *name = strndup(*h, (size_t) (colon - *h));

                if (!map || !name || json_add(map, name, json_object_new_string(colon + 2)) < 0)
                        return NULL;
        }
        return TAKE_PTR(map);
}

static json_object *socket_entry(const SocketSpec *s) {
        _cleanup_json_ json_object *map = json_object_new_object();

        for (const SpecKey *k = socket_keys; map && k->path; k++) {
                json_object *v = NULL;

                if (!entry_key_is_default(k, s) && (scalar(k, s, &v) < 0 || json_add(map, strchr(k->path, '.') + 1, v) < 0))
                        return NULL;
        }
        return TAKE_PTR(map);
}

static json_object *sockets(const SpecKey *k, const void *s) {
        _cleanup_json_ json_object *list = json_object_new_array();
        const SocketList *l = field_of(k, s);

        for (size_t i = 0; list && i < l->n; i++)
                if (json_append(list, socket_entry(l->items + i)) < 0)
                        return NULL;
        return TAKE_PTR(list);
}

typedef enum EmitFor { EMIT_API, EMIT_FULL, EMIT_FILE } EmitFor;

static int emit_keys(const SpecKey *keys, const void *s, EmitFor whom, json_object *root);

static json_object *probe(const SpecKey *k, const void *s) {
        _cleanup_json_ json_object *map = json_object_new_object();
        const ProbeSpec *p = *(ProbeSpec *const *) field_of(k, s);

        return map && emit_keys(spec_probe_keys, p, EMIT_API, map) >= 0 ? TAKE_PTR(map) : NULL;
}

static int collection(const SpecKey *k, const void *s, json_object **ret) {
        static json_object *(*const emitters[_KEY_TYPE_MAX])(const SpecKey *, const void *) = {
                [KEY_PATHS] = list_of_strings, [KEY_STRINGS] = list_of_strings, [KEY_COMMAND] = command,       [KEY_ENV] = env, [KEY_CREDENTIALS] = credentials,     [KEY_DEPENDS] = depends,
                [KEY_DEVICES_SIZE] = devices,  [KEY_DEVICES_COUNT] = devices, [KEY_CODES] = codes, [KEY_CAPABILITIES] = list_of_strings,
                [KEY_WORDS] = list_of_strings, [KEY_SOCKETS] = sockets,       [KEY_HEADERS] = headers, [KEY_PROBE] = probe,
        };

        /* No list of capabilities is not the empty list, which takes them all away; and no command or probe is not an empty one. */
        *ret = NULL;
        if ((k->type == KEY_WORDS || k->type == KEY_PROBE) && !*(void *const *) field_of(k, s))
                return 0;
        if (k->type == KEY_CAPABILITIES && !((const ServiceSpec *) s)->capabilities_set)
                return 0;
        *ret = emitters[k->type](k, s);
        return *ret ? 0 : -ENOMEM;
}

/* Puts the value at its dotted path, making the group on the way. A NULL value is JSON's null. */
static int add_at(json_object *root, const char *path, json_object *v) {
        const char *dot = strchr(path, '.');
        _cleanup_json_ json_object *value = v;
        _cleanup_free_ char *name = dot ? strndup(path, (size_t) (dot - path)) : NULL;
        json_object *group = root;

        if (dot && !name)
                return -ENOMEM;
        if (dot && !json_object_object_get_ex(root, name, &group)) {
                group = json_object_new_object();
                if (json_add(root, name, group) < 0)
                        return -ENOMEM;
        }
        if (json_object_object_add(group, dot ? dot + 1 : path, value) < 0)
                return -ENOMEM;
        TAKE_PTR(value);
        return 0;
}

static int emit_keys(const SpecKey *keys, const void *s, EmitFor whom, json_object *root) {
        for (const SpecKey *k = keys; k->path; k++) {
                json_object *v = NULL;

                if ((whom != EMIT_FULL && spec_key_is_default(k, s)) || (whom == EMIT_FILE && k->applied))
                        continue;
                if ((key_type_is_scalar(k->type) ? scalar(k, s, &v) : collection(k, s, &v)) < 0 || add_at(root, k->path, v) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static json_object *emit(const ServiceSpec *s, EmitFor whom) {
        _cleanup_json_ json_object *root = json_object_new_object();

        if (!root || (whom != EMIT_FILE && (json_add(root, "name", json_object_new_string(s->name)) < 0 ||
                                            json_add(root, "namespace", json_object_new_string(s->ns)) < 0)))
                return NULL;
        return emit_keys(spec_keys, s, whom, root) < 0 ? NULL : TAKE_PTR(root);
}

json_object *config_spec_to_json(const ServiceSpec *s) {
        return emit(s, EMIT_API);
}

json_object *config_spec_to_json_full(const ServiceSpec *s) {
        return emit(s, EMIT_FULL);
}

/* What reading a file would expand: `$$`, `${`. 0 or -ENOMEM. */
static int escape_text(json_object *o) {
        const char *text = json_object_get_string(o);
        _cleanup_buffer_ Buffer b = {};
        int r = 0;

        if (!strstr(text, "$$") && !strstr(text, "${"))
                return 0;
        for (const char *p = text; *p && r >= 0; p++)
                r = buffer_append(&b, *p == '$' ? "$$" : p, *p == '$' ? 2 : 1);
        return r < 0 || json_object_set_string_len(o, b.data, (int) b.size) == 0 ? -ENOMEM : 0;
}

static int escape_texts(json_object *o) {
        int r = 0;

        if (json_object_is_type(o, json_type_string))
                return escape_text(o);
        if (json_object_is_type(o, json_type_array)) {
                for (size_t i = 0; i < json_object_array_length(o) && r >= 0; i++)
                        r = escape_texts(json_object_array_get_idx(o, i));
        } else if (json_object_is_type(o, json_type_object)) {
                json_object_object_foreach(o, key, value) {
                        (void) key;
                        r = r < 0 ? r : escape_texts(value);
                }
        }
        return r;
}

json_object *config_spec_to_file(const ServiceSpec *s) {
        _cleanup_json_ json_object *o = emit(s, EMIT_FILE);

        return o && escape_texts(o) >= 0 ? TAKE_PTR(o) : NULL;
}
