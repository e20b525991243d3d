/* Lists of system calls → a program for seccomp(2), by libseccomp, in a memory file that a child reads. Sources: seccomp(2), seccomp_rule_add(3).
 *
 * What must stay true: an allow-list always has what @default holds and the three calls that are left to the set-up of a child when the filter is in
 * force (write, execve, exit_group); a program of another architecture than ours may do nothing that is filtered. */
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/strv.h"
#include "model/syscalls.h"

int sandbox_filter_supported(KlError *reterr) {
        uint32_t action = SECCOMP_RET_ERRNO;

        if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) >= 0)
                return 0;
        return kl_error_set(reterr, -EOPNOTSUPP, KL_E_FAILED, "the kernel has no filter of system calls (seccomp): %s", strerror(errno));
}

typedef struct Filter {
        scmp_filter_ctx context;
        uint32_t action;
        char *const *except;           /* names that the other list takes back; groups in it are looked through */
} Filter;

static int add_name(const Filter *f, const char *name);

/* Calls `each` for every name of a group, those of groups within it included, until one is not 0. */
static int each_member(const SyscallGroup *g, int (*each)(const Filter *f, const char *name), const Filter *f) {
        for (const char *p = g->members; *p;) {
                size_t n = strcspn(p, " ");
                char name[64];
                int r;

                snprintf(name, sizeof(name), "%.*s", (int) n, p);
                r = each(f, name);
                if (r != 0)
                        return r;
                p += n + (p[n] == ' ');
        }
        return 0;
}

static bool group_has(const SyscallGroup *g, const char *name) {
        for (const char *p = g->members; *p;) {
                size_t n = strcspn(p, " ");

                if (strlen(name) == n && strncmp(p, name, n) == 0)
                        return true;
                if (*p == '@') {
                        char inner[64];

                        snprintf(inner, sizeof(inner), "%.*s", (int) n, p);
                        if (syscall_group_find(inner) && group_has(syscall_group_find(inner), name))
                                return true;
                }
                p += n + (p[n] == ' ');
        }
        return false;
}

static bool excepted(const Filter *f, const char *name) {
        STRV_FOREACH(e, f->except) {
                const SyscallGroup *g = **e == '@' ? syscall_group_find(*e) : NULL;

                if (g ? group_has(g, name) : streq(*e, name))
                        return true;
        }
        return false;
}

/* A call that this architecture or this libseccomp does not have needs no rule. */
static int add_name(const Filter *f, const char *name) {
        int number, r;

        if (*name == '@')
                return each_member(syscall_group_find(name), add_name, f);
        if (excepted(f, name))
                return 0;
        number = seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR)
                return 0;
        r = seccomp_rule_add(f->context, f->action, number, 0);
        return r == -EDOM || r == -EEXIST || r == -EACCES ? 0 : r;
}

static int add_list(const Filter *f, char *const *names) {
        STRV_FOREACH(name, names) {
                int r = add_name(f, *name);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int compile(const ServiceSpec *s, scmp_filter_ctx context, uint32_t denied) {
        static char *const always[] = { (char *) "@default", NULL }, *const needed[] = { (char *) "write", (char *) "execve", (char *) "exit_group", NULL };
        Filter allow = { context, SCMP_ACT_ALLOW, s->sandbox.syscalls_denied }, deny = { context, denied, needed };
        int r;

        /* A binary search for each call instead of a walk through hundreds of rules. */
        (void) seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        r = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, denied);
        if (r < 0 || !s->sandbox.syscalls)
                return r < 0 ? r : add_list(&deny, s->sandbox.syscalls_denied);
        if ((r = add_list(&allow, s->sandbox.syscalls)) < 0 || (r = add_list(&allow, always)) < 0)
                return r;
        allow.except = NULL;
        return add_list(&allow, needed);
}

static int export(scmp_filter_ctx context) {
        _cleanup_fd_ int fd = memfd_create("kingly-filter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return -errno;
        r = seccomp_export_bpf(context, fd);
        if (r < 0)
                return r;
        (void) fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        return TAKE_FD(fd);
}

int sandbox_filter(const ServiceSpec *s, KlError *reterr) {
        uint32_t denied = s->sandbox.syscall_action == SYSCALL_ACTION_KILL ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM);
        scmp_filter_ctx context = seccomp_init(s->sandbox.syscalls ? denied : SCMP_ACT_ALLOW);
        int r = -ENOMEM;

        if (context) {
                r = compile(s, context, denied);
                if (r >= 0)
                        r = export(context);
                seccomp_release(context);
        }
        return r < 0 ? kl_error_set(reterr, r, KL_E_FAILED, "cannot make a filter of sandbox.syscalls: %s", strerror(-r)) : r;
}
