/* What every process of a service is set up with, as numbers. */
#include <sys/capability.h>
#include <sys/resource.h>

#include "base/strv.h"
#include "manager/spawn/spawn_private.h"

static void set_rlimits(WireSpawn *p, const ServiceSpec *s) {
        for (size_t k = 0; k < RLIMIT_KEYS; k++) {
                uint64_t v = s->limits.rlimit[k] == LIMIT_INFINITY ? RLIM_INFINITY : s->limits.rlimit[k];

                if (s->limits.rlimit[k] != LIMIT_UNSET)
                        p->rlimits[p->n_rlimits++] = (WireRlimit) { .resource = spec_rlimit_resource[k], .soft = v, .hard = v };
        }
}

static int set_capabilities(WireSpawn *p, const ServiceSpec *s, KlError *reterr) {
        if (!s->capabilities_set)
                return 0;
        STRV_FOREACH(c, s->capabilities) {
                cap_value_t value;
                if (cap_from_name(*c, &value) < 0)
                        return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "no such capability on this kernel: %s", *c);
                p->caps |= UINT64_C(1) << value;
        }
        p->flags |= SPAWN_SET_CAPS;
        return 0;
}

static void set_identity(WireSpawn *p, const Identity *id) {
        if (!id->set)
                return;
        p->flags |= SPAWN_SET_USER;
        p->uid = id->uid;
        p->gid = id->gid;
        p->n_groups = id->n_groups;
        memcpy(p->groups, id->groups, sizeof(uint32_t) * id->n_groups);
}

/* ioprio_set(2): class in the top three of sixteen bits, level below. */
static void set_priority(WireSpawn *p, const ServiceSpec *s) {
        const char *bad;

        if (s->priority.nice != INT_UNSET) {
                p->flags |= SPAWN_SET_NICE;
                p->nice = s->priority.nice;
        }
        if (s->priority.io_class != IO_CLASS_NONE) {
                p->flags |= SPAWN_SET_IOPRIO;
                p->ioprio = s->priority.io_class << 13 | s->priority.io_level;
        }
        if (s->priority.oom_score_adj != INT_UNSET) {
                p->flags |= SPAWN_SET_OOM;
                p->oom_score_adj = s->priority.oom_score_adj;
        }
        if (s->umask != UINT32_MAX) {
                p->flags |= SPAWN_SET_UMASK;
                p->umask = s->umask;
        }
        if (s->priority.scheduler != SCHEDULER_OTHER) {
                p->flags |= SPAWN_SET_SCHEDULER;
                p->scheduler = spec_scheduler_policy[s->priority.scheduler];
                if (s->priority.scheduler == SCHEDULER_FIFO || s->priority.scheduler == SCHEDULER_RR)
                        p->scheduler_priority = (int32_t) s->priority.scheduler_priority;
        }
        if (s->priority.cpu_affinity) {
                p->flags |= SPAWN_SET_AFFINITY;
                (void) cpu_list_parse(s->priority.cpu_affinity, p->cpus, &bad); /* checked with the specification */
        }
        if (s->no_new_privileges)
                p->flags |= SPAWN_NO_NEW_PRIVS;
}

int spawn_set_up(WireSpawn *p, const ServiceSpec *s, const Identity *id, KlError *reterr) {
        set_identity(p, id);
        set_priority(p, s);
        set_rlimits(p, s);
        return set_capabilities(p, s, reterr);
}
