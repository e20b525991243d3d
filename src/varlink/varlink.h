/* Varlink (https://varlink.org): JSON objects ended by NUL on a stream socket. What server and client share. json-c objects throughout:
 * functions taking a json_object say whether they consume the reference. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "base/macro.h"
#include "base/span.h"

#define VARLINK_MESSAGE_MAX (16 * 1024 * 1024) /* a call, in bytes */
#define VARLINK_REPLY_MAX   (32 * 1024 * 1024) /* a reply */
#define VARLINK_DEPTH_MAX   32

#define VARLINK_E_INTERFACE_NOT_FOUND "org.varlink.service.InterfaceNotFound"
#define VARLINK_E_METHOD_NOT_FOUND    "org.varlink.service.MethodNotFound"
#define VARLINK_E_INVALID_PARAMETER   "org.varlink.service.InvalidParameter"
#define VARLINK_E_PERMISSION_DENIED   "org.varlink.service.PermissionDenied"

static inline void json_putp(json_object **o) {
        if (*o)
                json_object_put(*o);
        *o = NULL;
}
#define _cleanup_json_ _cleanup_(json_putp)

/* Parses one message (without its NUL), as strict as json-c can be: must be an object, valid UTF-8, nested at most VARLINK_DEPTH_MAX deep,
 * nothing behind it. -EBADMSG otherwise. */
int varlink_parse(const char *p, size_t n, json_object **ret);

/* Getters on an object for handlers: *ret is left alone when the field is absent or null; -EINVAL with the field's name in reterr on a
 * wrong type. Strings are borrowed from the object. */
int json_get_string(json_object *o, const char *field, const char **ret, KlError *reterr);
int json_get_bool(json_object *o, const char *field, bool *ret, KlError *reterr);
int json_get_u64(json_object *o, const char *field, uint64_t *ret, KlError *reterr);
int json_get_array(json_object *o, const char *field, json_object **ret, KlError *reterr);  /* borrowed */
int json_get_object(json_object *o, const char *field, json_object **ret, KlError *reterr); /* borrowed */
int json_get_strv(json_object *o, const char *field, char ***ret, KlError *reterr);         /* an array of strings; the caller's. Left alone when empty */

/* Adds a field and consumes the value in every case, NULL counting as out of memory: json_add(o, "pid", json_object_new_int64(pid)).
 * 0 or -ENOMEM. The second copies the string and adds nothing for NULL. */
int json_add(json_object *o, const char *field, json_object *value);
int json_add_string(json_object *o, const char *field, const char *value);
