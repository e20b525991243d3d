/* Owns the canonical form as people may see it. What must stay true: it is walked whole, so that a key that is new in the table hides what it must
 * without a line here. */
#include "config/redact.h"

#include "base/strv.h"
#include "config/json_build.h"

static int shown(const Redactor *r, const char *name, json_object *v, json_object **ret);

static int shown_text(const Redactor *r, const char *name, const char *text, json_object **ret) {
        bool secret = *text && name && redact_name(r, name, strlen(name));
        _cleanup_free_ char *copy = secret ? NULL : redact_text(r, text);

        *ret = secret ? json_object_new_string(REDACTED) : copy ? json_object_new_string(copy) : NULL;
        return *ret ? 0 : -ENOMEM;
}

/* Texts in a row may be a command, in which one word says what the next one is. */
static int shown_words(const Redactor *r, json_object *list, json_object **ret) {
        _cleanup_json_ json_object *array = json_object_new_array();
        _cleanup_free_ char **given = calloc(json_object_array_length(list) + 1, sizeof(char *));
        _cleanup_strv_ char **words = NULL;

        for (size_t i = 0; given && i < json_object_array_length(list); i++)
                given[i] = (char *) json_object_get_string(json_object_array_get_idx(list, i));
        words = given ? redact_words(r, given) : NULL;
        if (!words || !array)
                return -ENOMEM;
        STRV_FOREACH(w, words)
                if (json_append(array, json_object_new_string(*w)) < 0)
                        return -ENOMEM;
        *ret = TAKE_PTR(array);
        return 0;
}

static bool is_words(json_object *list) {
        for (size_t i = 0; i < json_object_array_length(list); i++)
                if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_string))
                        return false;
        return true;
}

static int shown_list(const Redactor *r, const char *name, json_object *list, json_object **ret) {
        _cleanup_json_ json_object *array = NULL;

        if (is_words(list) && !(name && redact_name(r, name, strlen(name))))
                return shown_words(r, list, ret);
        array = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                json_object *item = NULL;

                if (!array || shown(r, name, json_object_array_get_idx(list, i), &item) < 0 || json_append(array, item) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(array);
        return *ret ? 0 : -ENOMEM;
}

static int shown_map(const Redactor *r, json_object *map, json_object **ret) {
        _cleanup_json_ json_object *o = json_object_new_object();

        json_object_object_foreach(map, key, value) {
                json_object *v = NULL;

                if (!o || shown(r, key, value, &v) < 0 || json_object_object_add(o, key, v) < 0) {
                        json_object_put(v);
                        return -ENOMEM;
                }
        }
        *ret = TAKE_PTR(o);
        return *ret ? 0 : -ENOMEM;
}

static int shown(const Redactor *r, const char *name, json_object *v, json_object **ret) {
        switch (json_object_get_type(v)) {
        case json_type_string:
                return shown_text(r, name, json_object_get_string(v), ret);
        case json_type_array:
                return shown_list(r, name, v, ret);
        case json_type_object:
                return shown_map(r, v, ret);
        default:
                *ret = json_object_get(v);
                return 0;
        }
}

/* What they are called says that they are secret, but not that their paths are. */
static int shown_credentials(json_object *map, json_object **ret) {
        _cleanup_json_ json_object *o = json_object_new_object();

        json_object_object_foreach(map, key, value) {
                json_object *v = json_object_get(value);

                if (!json_object_is_type(value, json_type_string)) {
                        json_object_put(v);
                        v = json_object_new_object();
                        if (json_add(v, "text", json_object_new_string(REDACTED)) < 0) {
                                json_object_put(v);
                                return -ENOMEM;
                        }
                }
                if (json_add(o, key, v) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(o);
        return *ret ? 0 : -ENOMEM;
}

json_object *config_redact(const Redactor *r, json_object *service) {
        /* Which variables are secret is none, and what these are called says nothing of them. */
        static const char *const open[] = { "name", "namespace", "secrets" };
        _cleanup_json_ json_object *o = NULL;
        json_object *map, *credentials;

        if (!service || shown_map(r, service, &o) < 0)
                return NULL;
        if (json_object_object_get_ex(service, "credentials", &map) &&
            (shown_credentials(map, &credentials) < 0 || json_add(o, "credentials", credentials) < 0))
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(open); i++) {
                json_object *v;

                if (json_object_object_get_ex(service, open[i], &v) && json_object_object_add(o, open[i], json_object_get(v)) < 0)
                        return NULL;
        }
        return TAKE_PTR(o);
}
