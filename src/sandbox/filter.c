/* Lists of system calls → a program for seccomp(2), in a memory file that a child reads.
 *
 * What must stay true: an allow-list always has what @default holds and the three calls that are left to the set-up of a child when the filter is in
 * force (write, execve, exit_group); a program of another architecture than ours may do nothing that is filtered; nothing is allocated. */
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/strv.h"
#include "linux/call_filter.h"
#include "model/syscalls.h"

int sandbox_filter_supported(KlError *reterr) {
        uint32_t action = SECCOMP_RET_ERRNO;

        if (seccomp_syscall_resolve_name("socketcall") >= 0)
                return kl_error_set(reterr, -EOPNOTSUPP, KL_E_FAILED, "no filter of system calls is made for this architecture, where many share one number");
        if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) >= 0)
                return 0;
        return kl_error_set(reterr, -EOPNOTSUPP, KL_E_FAILED, "the kernel has no filter of system calls (seccomp): %s", strerror(errno));
}

typedef struct Calls {
        CallSet set;
        char *const *except;           /* names that the other list takes back; groups in it are looked through */
} Calls;

static int add_name(Calls *c, const char *name);

/* Calls `each` for every name of a group, those of groups within it included, until one is not 0. */
static int each_member(const SyscallGroup *g, int (*each)(Calls *c, const char *name), Calls *c) {
        for (const char *p = g->members; *p;) {
                size_t n = strcspn(p, " ");
                char name[64];
                int r;

                snprintf(name, sizeof(name), "%.*s", (int) n, p);
                r = each(c, name);
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

static bool excepted(const Calls *c, const char *name) {
        STRV_FOREACH(e, c->except) {
                const SyscallGroup *g = **e == '@' ? syscall_group_find(*e) : NULL;

                if (g ? group_has(g, name) : streq(*e, name))
                        return true;
        }
        return false;
}

/* A call that this architecture or this libseccomp does not have has no number, or one below 0. */
static int add_name(Calls *c, const char *name) {
        int number;

        if (*name == '@')
                return each_member(syscall_group_find(name), add_name, c);
        if (excepted(c, name))
                return 0;
        number = seccomp_syscall_resolve_name(name);
        return number < 0 ? 0 : call_set_add(&c->set, (uint32_t) number);
}

static int add_list(Calls *c, char *const *names) {
        STRV_FOREACH(name, names) {
                int r = add_name(c, *name);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int list(const ServiceSpec *s, Calls *c) {
        static char *const always[] = { (char *) "@default", NULL }, *const needed[] = { (char *) "write", (char *) "execve", (char *) "exit_group", NULL };
        int r;

        c->except = s->sandbox.syscalls ? s->sandbox.syscalls_denied : needed;
        if (!s->sandbox.syscalls)
                return add_list(c, s->sandbox.syscalls_denied);
        if ((r = add_list(c, s->sandbox.syscalls)) < 0 || (r = add_list(c, always)) < 0)
                return r;
        c->except = NULL;
        return add_list(c, needed);
}

static int export(const CallFilter *f) {
        _cleanup_fd_ int fd = memfd_create("kingly-filter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return -errno;
        r = fd_write_all(fd, f->lines, f->n * sizeof f->lines[0]);
        if (r < 0)
                return r;
        (void) fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        return TAKE_FD(fd);
}

int sandbox_filter(const ServiceSpec *s, KlError *reterr) {
        uint32_t denied = s->sandbox.syscall_action == SYSCALL_ACTION_KILL ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM;
        CallVerdicts v = { .listed = SECCOMP_RET_ALLOW, .others = denied, .foreign = denied };
        CallFilter f;
        Calls c = {};
        int r = list(s, &c);

        if (!s->sandbox.syscalls)
                v = (CallVerdicts) { .listed = denied, .others = SECCOMP_RET_ALLOW, .foreign = denied };
        if (r >= 0) {
                call_filter_make(&c.set, seccomp_arch_native(), v, &f);
                r = export(&f);
        }
        return r < 0 ? kl_error_set(reterr, r, KL_E_FAILED, "cannot make a filter of sandbox.syscalls: %s", strerror(-r)) : r;
}
