/* Rules for `priority` and `sandbox`. */
#include "base/strv.h"
#include "model/syscalls.h"
#include "model/validate.h"

int validate_priority(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        uint64_t set[CPUS_MAX / 64];
        const char *bad;

        if (cpu_list_parse(s->priority.cpu_affinity, set, &bad) < 0)
                return FAULT("priority.cpu_affinity", "priority.cpu_affinity: expected processors such as 2 or 0-3, not \"%s\"", bad);
        if (s->priority.scheduler_priority != 1 && s->priority.scheduler != SCHEDULER_FIFO && s->priority.scheduler != SCHEDULER_RR)
                return FAULT("priority.scheduler_priority", "priority.scheduler_priority: needs priority.scheduler: fifo or rr");
        return 0;
}

int validate_syscalls(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        const struct { const char *key; char *const *list; } lists[] = {
                { "sandbox.syscalls", s->sandbox.syscalls }, { "sandbox.syscalls_denied", s->sandbox.syscalls_denied },
        };

        for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
                STRV_FOREACH(name, lists[k].list) {
                        const char *nearest;

                        if (syscall_known(*name))
                                continue;
                        nearest = syscall_nearest(*name);
                        (void) FAULT(lists[k].key, "%s: \"%s\" is no system call%s", lists[k].key, *name, **name == '@' ? " group" : "");
                        kl_error_hint(reterr, nearest ? "did you mean %s?" : "syscalls(2) lists them; groups are those of SystemCallFilter= in systemd.exec(5)",
                                      nearest);
                        return -EINVAL;
                }
        if (s->sandbox.syscall_action != SYSCALL_ACTION_ERROR && !s->sandbox.syscalls && !s->sandbox.syscalls_denied)
                return FAULT("sandbox.syscall_action", "sandbox.syscall_action: needs sandbox.syscalls or sandbox.syscalls_denied");
        return 0;
}

typedef struct SandboxList { const char *key; char *const *paths; } SandboxList;

static const char *in_lists(const SandboxList *lists, size_t n, const char *path) {
        for (size_t k = 0; k < n; k++)
                STRV_FOREACH(p, lists[k].paths)
                        if (streq(path + (*path == '-'), *p + (**p == '-')))
                                return lists[k].key;
        return NULL;
}

#define SANDBOX_PATHS_MAX 200u         /* of all its lists together; a spawn request has room for some more of ours */

/* Each path has one fate. */
int validate_sandbox(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        static char *const tmp[] = { (char *) "/tmp", (char *) "/var/tmp", NULL }, *const dev[] = { (char *) "/dev", NULL }, *const root[] = { (char *) "/", NULL };
        const SandboxList lists[] = {
                { "sandbox.system", root },
                { "sandbox.private_tmp", s->sandbox.private_tmp ? tmp : NULL },
                { "sandbox.private_devices", s->sandbox.private_devices ? dev : NULL },
                { "sandbox.writable", s->sandbox.writable },
                { "sandbox.read_only", s->sandbox.read_only },
                { "sandbox.hidden", s->sandbox.hidden },
        };
        size_t n = 0;

        for (size_t k = 3; k < ARRAY_SIZE(lists); k++)
                STRV_FOREACH(p, lists[k].paths) {
                        const char *other = in_lists(lists, k, *p);

                        if (++n > SANDBOX_PATHS_MAX)
                                return FAULT(lists[k].key, "%s: more than %u paths in the sandbox", lists[k].key, SANDBOX_PATHS_MAX);
                        if (other)
                                return FAULT(lists[k].key, "%s: what becomes of %s is said by %s", lists[k].key, *p + (**p == '-'), other);
                }
        return 0;
}
