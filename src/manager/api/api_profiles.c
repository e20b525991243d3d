/* Profiles: under which ones services were applied, so that who applies a file again without naming one gets the same. */
#include "base/strv.h"
#include "manager/api/api.h"
#include "manager/apply.h"

int apply_profiles(void *userdata, char *const *services, char ***ret) {
        const Manager *m = userdata;

        STRV_FOREACH(key, services) {
                const Service *s = map_get(m->services, *key);

                if (!s || s->deleting)
                        continue;
                *ret = s->spec->profile ? strv_copy(s->spec->profile) : NULL;
                return s->spec->profile && !*ret ? -ENOMEM : 0;
        }
        return 0;
}

int api_profiles(VarlinkCall *call, json_object *parameters, void *userdata) {
        _cleanup_strv_ char **keys = NULL, **names = NULL;
        _cleanup_error_ KlError e = {};
        json_object *reply, *array;
        int r;

        r = json_get_strv(parameters, "services", &keys, &e);
        if (r >= 0)
                r = apply_profiles(userdata, keys, &names);
        if (r < 0)
                return api_fail(call, &e, r);
        reply = json_object_new_object();
        array = json_object_new_array();
        STRV_FOREACH(name, names)
                json_push(array, json_object_new_string(*name));
        json_set(reply, "profiles", array);
        return api_reply(call, reply);
}
