/* [fcgi-program:x]: a program whose standard input is a listening socket, which supervisord keeps for all its processes. */
#include "base/strv.h"
#include "base/text.h"
#include "config/supervisord.h"

/* The one entry of its `sockets`; NULL: no memory. */
static json_object *entry(Program *p) {
        json_object *list;

        if (json_object_object_get_ex(p->service, "sockets", &list))
                return json_object_array_get_idx(list, 0);
        list = json_object_new_array();
        if (json_add(p->service, "sockets", list) < 0 || json_append(list, json_object_new_object()) < 0 ||
            json_add(json_object_array_get_idx(list, 0), "fd", json_object_new_int(0)) < 0 ||
            json_add(json_object_array_get_idx(list, 0), "mode", json_object_new_string("0700")) < 0)
                return NULL;
        return json_object_array_get_idx(list, 0);
}

static int set(Program *p, const char *key, json_object *value) {
        json_object *o = entry(p);

        if (!o) {
                json_object_put(value);
                return -ENOMEM;
        }
        return json_add(o, key, value);
}

int supervisord_socket(Program *p, const IniKey *k, const char *value) {
        const char *address = startswith(value, "tcp://") ?: startswith(value, "unix://");

        if (!address)
                return foreign_fault(p->f, place_of_key(k), "socket: expected tcp://HOST:PORT or unix:///PATH, not \"%s\"", value);
        return set(p, "listen", json_object_new_string(address));
}

int supervisord_socket_backlog(Program *p, const IniKey *k, const char *value) {
        uint64_t n;

        if (parse_u64(value, &n) < 0 || n > INT32_MAX)
                return foreign_fault(p->f, place_of_key(k), "socket_backlog: expected a number, not \"%s\"", value);
        return set(p, "backlog", json_object_new_int64((int64_t) n));
}

int supervisord_socket_mode(Program *p, const IniKey *k, const char *value) {
        return set(p, "mode", json_object_new_string(value));
}

/* USER or USER:GROUP */
int supervisord_socket_owner(Program *p, const IniKey *k, const char *value) {
        size_t n = strcspn(value, ":");
        _cleanup_free_ char *user = strndup(value, n);
        int r = user ? set(p, "owner", json_object_new_string(user)) : -ENOMEM;

        return r < 0 || !value[n] ? r : set(p, "group", json_object_new_string(value + n + 1));
}
