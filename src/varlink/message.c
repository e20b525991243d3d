/* Owns the reading of messages: what a peer may send at all, and typed access to the fields of an object. What must stay true: nothing that
 * got past varlink_parse is nested deeper than VARLINK_DEPTH_MAX or holds text that is not UTF-8, and a string given out holds no NUL. */
#include <stdio.h>

#include "base/strv.h"
#include "base/text.h"
#include "varlink/varlink.h"

#define DIGITS_SAFE 18 /* as many fit into 64 bits with either sign */

static size_t digits(const char *p, size_t n) {
        size_t k = 0;

        while (k < n && p[k] >= '0' && p[k] <= '9')
                k++;
        return k;
}

/* Whether json-c takes the message as it is, in all its versions. */
static bool is_plain(const char *p, size_t n) {
        for (size_t i = 0, k; i < n; i += MAX(k, (size_t) 1)) {
                k = digits(p + i, n - i);
                if (k > DIGITS_SAFE || (uint8_t) p[i] >= 0x80)
                        return false;
        }
        return true;
}

/* Writes the code point of a valid sequence of k bytes as \uXXXX, beyond the basic plane as a pair. */
static char *escape(char *to, const char *p, size_t k) {
        uint32_t c = (uint8_t) p[0] & (0xffu >> (k + 1));

        for (size_t i = 1; i < k; i++)
                c = c << 6 | ((uint8_t) p[i] & 0x3f);
        if (c >= 0x10000) {
                c -= 0x10000;
                return to + sprintf(to, "\\u%04x\\u%04x", 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
        }
        return to + sprintf(to, "\\u%04x", c);
}

/* An integer that 64 bits cannot hold: k digits, `before` what stands in front of them, `after` behind. */
static bool too_large(const char *p, size_t k, char before, char after) {
        char number[32] = "-";

        if (k <= DIGITS_SAFE || after == '.' || after == 'e' || after == 'E')
                return false;
        if (k > 20)
                return true;
        memcpy(number + 1, p, k);
        errno = 0;
        if (before == '-')
                (void) strtoll(number, NULL, 10);
        else
                (void) strtoull(number + 1, NULL, 10);
        return errno == ERANGE;
}

/* What json-c's versions disagree about is taken out of their hands. A byte above 127 is a control character to 0.18 where char is signed: it is
 * written as an escape. An integer beyond 64 bits is cut to what fits by 0.16 and refused with the whole message by 0.18: it is made a
 * floating-point number, which no field of ours takes for an integer. */
static int rewrite(const char *p, size_t n, char **ret, size_t *ret_size) {
        char *to = malloc(3 * n + 1);        /* two bytes become six at worst */
        bool backslash = false, string = false;

        *ret = to;
        if (!to)
                return -ENOMEM;
        for (size_t i = 0, k; i < n; i += k) {
                k = (uint8_t) p[i] >= 0x80 ? utf8_sequence(p + i, n - i) : string ? 1 : MAX(digits(p + i, n - i), (size_t) 1);
                if (k > 1 && backslash)
                        return -EBADMSG;        /* no escape of JSON, and must not become one */
                if ((uint8_t) p[i] >= 0x80)
                        to = escape(to, p + i, k);
                else
                        to = mempcpy(to, p + i, k);
                if (!string && too_large(p + i, k, i > 0 ? p[i - 1] : 0, i + k < n ? p[i + k] : 0))
                        to = mempcpy(to, "e0", 2);
                string ^= p[i] == '"' && !backslash;
                backslash = p[i] == '\\' && !backslash;
        }
        *to = '\0';
        *ret_size = (size_t) (to - *ret);
        return 0;
}

int varlink_parse(const char *p, size_t n, json_object **ret) {
        _cleanup_json_ json_object *o = NULL;
        _cleanup_free_ char *rewritten = NULL;
        struct json_tokener *t;
        bool complete;
        int r;

        if (n > VARLINK_REPLY_MAX || !utf8_valid(p, n))
                return -EBADMSG;
        if (!is_plain(p, n)) {
                r = rewrite(p, n, &rewritten, &n);
                if (r < 0)
                        return r;
                p = rewritten;
        }
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

int json_get_strv(json_object *o, const char *field, char ***ret, KlError *reterr) {
        _cleanup_strv_ char **strings = NULL;
        json_object *array = NULL;
        int r = json_get_array(o, field, &array, reterr);

        if (r < 0 || !array)
                return r;
        for (size_t i = 0; i < json_object_array_length(array); i++) {
                json_object *s = json_object_array_get_idx(array, i);

                if (!json_object_is_type(s, json_type_string) || strlen(json_object_get_string(s)) != (size_t) json_object_get_string_len(s))
                        return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s: element %zu is not a string, or has a NUL in it", field, i);
                r = strv_append(&strings, json_object_get_string(s));
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(strings);
        return 0;
}
