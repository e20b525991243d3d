/* Nothing here trusts the client: every element's type is looked at. */
#include "base/strv.h"
#include "base/text.h"
#include "manager/params.h"

int params_selectors(json_object *parameters, char ***ret_selectors, char **ret_ns, KlError *reterr) {
        _cleanup_strv_ char **selectors = NULL;
        json_object *array = NULL;
        const char *ns = NULL;
        int r;

        if ((r = json_get_array(parameters, "selectors", &array, reterr)) < 0 ||
            (r = json_get_string(parameters, "namespace", &ns, reterr)) < 0)
                return r;
        if (ns && !name_valid(ns))
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "not a namespace: %s", ns);
        for (size_t i = 0; array && i < json_object_array_length(array); i++) {
                json_object *o = json_object_array_get_idx(array, i);

                if (!json_object_is_type(o, json_type_string))
                        return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "selectors: element %zu is not a string", i);
                r = strv_append(&selectors, json_object_get_string(o));
                if (r < 0)
                        return r;
        }
        if (ns && !(*ret_ns = strdup(ns)))
                return -ENOMEM;
        *ret_selectors = TAKE_PTR(selectors);
        return 0;
}
