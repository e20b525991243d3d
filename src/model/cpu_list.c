/* Lists of processors, as taskset(1) and cpuset(7) write them. */
#include "base/text.h"
#include "model/spec.h"

/* "3" or "0-3", up to a comma or the end. Returns what follows; NULL: not one. */
static const char *range_parse(const char *s, uint64_t set[CPUS_MAX / 64]) {
        unsigned long first, last;
        char *end;

        if (*s < '0' || *s > '9')
                return NULL;
        first = last = strtoul(s, &end, 10);
        if (*end == '-') {
                s = end + 1;
                if (*s < '0' || *s > '9')
                        return NULL;
                last = strtoul(s, &end, 10);
        }
        if (last >= CPUS_MAX || first > last || (*end && *end != ','))
                return NULL;
        for (unsigned long cpu = first; cpu <= last; cpu++)
                set[cpu / 64] |= UINT64_C(1) << cpu % 64;
        return *end ? end + 1 : end;
}

int cpu_list_parse(char *const *items, uint64_t set[CPUS_MAX / 64], const char **ret_bad) {
        memset(set, 0, CPUS_MAX / 8);
        for (; items && *items; items++) {
                const char *p = *items;

                do
                        p = range_parse(p, set);
                while (p && *p);
                if (p)
                        continue;
                *ret_bad = *items;
                return -EINVAL;
        }
        return 0;
}
