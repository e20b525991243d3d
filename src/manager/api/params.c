/* Nothing here trusts the client: every element's type is looked at. */
#include "base/strv.h"
#include "base/text.h"
#include "manager/api/params.h"

int params_selectors(json_object *parameters, char ***ret_selectors, char **ret_ns, KlError *reterr) {
        _cleanup_strv_ char **selectors = NULL;
        const char *ns = NULL;
        int r;

        if ((r = json_get_strv(parameters, "selectors", &selectors, reterr)) < 0 ||
            (r = json_get_string(parameters, "namespace", &ns, reterr)) < 0)
                return r;
        if (ns && !name_valid(ns))
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "not a namespace: %s", ns);
        if (ns && !(*ret_ns = strdup(ns)))
                return -ENOMEM;
        *ret_selectors = TAKE_PTR(selectors);
        return 0;
}

/* Instances on their way out are no longer anybody's to start or stop. */
static int without_removed(Selection *s, const char *text, KlError *reterr) {
        size_t n = 0;

        for (size_t k = 0; k < s->n; k++)
                if (!s->items[k]->removing)
                        s->items[n++] = s->items[k];
        if (n == 0 && s->n > 0) {
                selection_done(s);
                return kl_error_set(reterr, -ENOENT, KL_E_NOT_FOUND, "%s is being removed", text);
        }
        s->n = n;
        return 0;
}

int params_selection(Manager *m, json_object *parameters, Selection *ret, KlError *reterr) {
        _cleanup_strv_ char **selectors = NULL;
        _cleanup_free_ char *ns = NULL;
        int r = params_selectors(parameters, &selectors, &ns, reterr);

        if (r < 0)
                return r;
        if (!selectors)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "no service named");
        if (m->shutdown != SHUTDOWN_NO)
                return kl_error_set(reterr, -ESHUTDOWN, KL_E_BUSY, "kingd is shutting down");
        r = selection_resolve(m, selectors, ns, ret, reterr);
        return r < 0 ? r : without_removed(ret, selectors[0], reterr);
}
