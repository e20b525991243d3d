/* Owns the reading of messages: what a peer may send at all, and typed access to the fields of an object. What must stay true: nothing that
 * got past varlink_parse is nested deeper than VARLINK_DEPTH_MAX or holds text that is not UTF-8, and a string given out holds no NUL. */
#include "base/text.h"
#include "varlink/varlink.h"

int varlink_parse(const char *p, size_t n, json_object **ret) {
        _cleanup_json_ json_object *o = NULL;
        struct json_tokener *t;
        bool complete;

        if (n > VARLINK_REPLY_MAX || !utf8_valid(p, n))
                return -EBADMSG;
        t = json_tokener_new_ex(VARLINK_DEPTH_MAX);
        if (!t)
                return -ENOMEM;
        json_tokener_set_flags(t, JSON_TOKENER_STRICT);
        while (n > 0 && strchr(" \t\r\n", p[n - 1]))
                n--;
        o = json_tokener_parse_ex(t, p, (int) n);
        complete = json_tokener_get_error(t) == json_tokener_success && json_tokener_get_parse_end(t) == n;
        json_tokener_free(t);
        if (!complete || !json_object_is_type(o, json_type_object))
                return -EBADMSG;
        *ret = TAKE_PTR(o);
        return 0;
}

static int wrong_type(const char *field, const char *expected, KlError *reterr) {
        return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s: must be %s", field, expected);
}

/* 0: *ret is a value that is not null; 1: there is none. */
static int field_get(json_object *o, const char *field, json_object **ret) {
        return json_object_object_get_ex(o, field, ret) && *ret ? 0 : 1;
}

int json_get_string(json_object *o, const char *field, const char **ret, KlError *reterr) {
        json_object *v;
        const char *s;

        if (field_get(o, field, &v) > 0)
                return 0;
        if (!json_object_is_type(v, json_type_string))
                return wrong_type(field, "a string", reterr);
        s = json_object_get_string(v);
        if (!s)
                return -ENOMEM;
        if (strlen(s) != (size_t) json_object_get_string_len(v))
                return wrong_type(field, "a string without NUL characters", reterr);
        *ret = s;
        return 0;
}

int json_get_bool(json_object *o, const char *field, bool *ret, KlError *reterr) {
        json_object *v;

        if (field_get(o, field, &v) > 0)
                return 0;
        if (!json_object_is_type(v, json_type_boolean))
                return wrong_type(field, "true or false", reterr);
        *ret = json_object_get_boolean(v);
        return 0;
}

int json_get_u64(json_object *o, const char *field, uint64_t *ret, KlError *reterr) {
        json_object *v;

        if (field_get(o, field, &v) > 0)
                return 0;
        if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0)
                return wrong_type(field, "a whole number that is not negative", reterr);
        *ret = json_object_get_uint64(v);
        return 0;
}

static int get_typed(json_object *o, const char *field, json_type type, const char *expected, json_object **ret, KlError *reterr) {
        json_object *v;

        if (field_get(o, field, &v) > 0)
                return 0;
        if (!json_object_is_type(v, type))
                return wrong_type(field, expected, reterr);
        *ret = v;
        return 0;
}

int json_get_array(json_object *o, const char *field, json_object **ret, KlError *reterr) {
        return get_typed(o, field, json_type_array, "a list", ret, reterr);
}

int json_get_object(json_object *o, const char *field, json_object **ret, KlError *reterr) {
        return get_typed(o, field, json_type_object, "an object", ret, reterr);
}

int json_add(json_object *o, const char *field, json_object *value) {
        int r;

        if (!value)
                return -ENOMEM;
        r = o ? json_object_object_add(o, field, value) : -1;
        if (r < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

int json_add_string(json_object *o, const char *field, const char *value) {
        return value ? json_add(o, field, json_object_new_string(value)) : 0;
}
