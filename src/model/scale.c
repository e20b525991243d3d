/* See scale.h. */
#include "base/text.h"
#include "model/scale.h"

int scale_parse(const ServiceSpec *s, const char *text, unsigned n_cpus, int32_t *ret, KlError *reterr) {
        bool more = *text == '+', less = *text == '-';
        int64_t present = spec_instances(s, n_cpus), n;
        uint64_t number;

        if (streq(text, "max")) {
                *ret = INSTANCES_MAX;
                return 0;
        }
        if (parse_u64(text + (more || less), &number) < 0 || number > INSTANCES_LIMIT)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "not a number of instances: \"%s\" (expected N, +N, -N or max; at most %d)", text,
                                    INSTANCES_LIMIT);
        n = less ? present - (int64_t) number : more ? present + (int64_t) number : (int64_t) number;
        if (n > INSTANCES_LIMIT)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s would have %" PRIi64 " instances, and the most is %d", s->name, n,
                                    INSTANCES_LIMIT);
        if (n < 1) {
                (void) kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s has %" PRIi64 " instance%s, and must keep one", s->name, present,
                                    present == 1 ? "" : "s");
                kl_error_hint(reterr, "to have none running: kingctl stop %s", s->name);
                return -EINVAL;
        }
        *ret = (int32_t) n;
        return 0;
}
