/* Lists of system calls → a program for seccomp(2), in a memory file that a child reads. Sources: seccomp(2), linux/filter.h, linux/seccomp.h.
 *
 * What must stay true: an allow-list always has what @default holds and the three calls that are left to the set-up of a child when the filter is in
 * force (write, execve, exit_group); a program of another architecture than ours may do nothing that is filtered; nothing is allocated. libseccomp,
 * whose names these are, makes other programs than it was asked for when memory is short and says that all went well, or does not come back. */
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/strv.h"
#include "model/syscalls.h"

#define CALLS_MAX 640            /* no machine has as many */
#define BOUNDS_MAX (2 * CALLS_MAX + 2)
#define X32_BIT 0x40000000u      /* x86-64 knows each call by a second number */

int sandbox_filter_supported(KlError *reterr) {
        uint32_t action = SECCOMP_RET_ERRNO;

        if (seccomp_syscall_resolve_name("socketcall") >= 0)
                return kl_error_set(reterr, -EOPNOTSUPP, KL_E_FAILED, "no filter of system calls is made for this architecture, where many share one number");
        if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) >= 0)
                return 0;
        return kl_error_set(reterr, -EOPNOTSUPP, KL_E_FAILED, "the kernel has no filter of system calls (seccomp): %s", strerror(errno));
}

typedef struct Calls {
        uint32_t numbers[CALLS_MAX];   /* in ascending order, each once */
        size_t n;
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

static int add_number(Calls *c, uint32_t number) {
        size_t at = c->n;

        while (at > 0 && c->numbers[at - 1] > number)
                at--;
        if (at > 0 && c->numbers[at - 1] == number)
                return 0;
        if (c->n == CALLS_MAX)
                return -E2BIG;
        memmove(c->numbers + at + 1, c->numbers + at, (c->n++ - at) * sizeof c->numbers[0]);
        c->numbers[at] = number;
        return 0;
}

/* A call that this architecture or this libseccomp does not have has no number, or one below 0. */
static int add_name(Calls *c, const char *name) {
        int number;

        if (*name == '@')
                return each_member(syscall_group_find(name), add_name, c);
        if (excepted(c, name))
                return 0;
        number = seccomp_syscall_resolve_name(name);
        return number < 0 ? 0 : add_number(c, (uint32_t) number);
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

/* ---- from numbers to a program ---- */

typedef struct Program {
        struct sock_filter lines[3 * BOUNDS_MAX + 5];
        unsigned n;
        uint32_t bounds[BOUNDS_MAX];   /* from the first on a number is listed, from the second on it is not, … */
        size_t n_bounds;
        uint32_t listed, others;       /* SECCOMP_RET_* */
} Program;

_Static_assert(3 * BOUNDS_MAX + 5 <= BPF_MAXINSNS, "the kernel takes no longer program");

static void find_bounds(Program *p, const Calls *c, bool deny) {
        for (size_t i = 0; i < c->n; i++) {
                if (p->n_bounds == 0 || p->bounds[p->n_bounds - 1] != c->numbers[i])
                        p->bounds[p->n_bounds++] = c->numbers[i];
                else
                        p->n_bounds--;
                p->bounds[p->n_bounds++] = c->numbers[i] + 1;
        }
        /* Second numbers are denied, all of them; not -1, a call that a tracer has taken back. */
        if (deny && seccomp_arch_native() == SCMP_ARCH_X86_64) {
                p->bounds[p->n_bounds++] = X32_BIT;
                p->bounds[p->n_bounds++] = UINT32_MAX;
        }
}

static void say(Program *p, struct sock_filter line) {
        p->lines[p->n++] = line;
}

/* A binary search: where the number stands among n bounds from `first` on. The way up is by a line of its own, since that jump may be a long one. */
static void search(Program *p, size_t first, size_t n) {
        size_t half = n / 2;
        unsigned up;

        if (n == 0) {
                say(p, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, first % 2 ? p->listed : p->others));
                return;
        }
        say(p, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, p->bounds[first + half], 0, 1));
        up = p->n++;
        search(p, first, half);
        p->lines[up] = (struct sock_filter) BPF_STMT(BPF_JMP | BPF_JA, p->n - up - 1);
        search(p, first + half + 1, n - half - 1);
}

static void compile(Program *p, uint32_t denied) {
        say(p, (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
        say(p, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 1, 0));
        say(p, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, denied));
        say(p, (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
        search(p, 0, p->n_bounds);
}

static int export(const Program *p) {
        _cleanup_fd_ int fd = memfd_create("kingly-filter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return -errno;
        r = fd_write_all(fd, p->lines, p->n * sizeof p->lines[0]);
        if (r < 0)
                return r;
        (void) fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        return TAKE_FD(fd);
}

int sandbox_filter(const ServiceSpec *s, KlError *reterr) {
        uint32_t denied = s->sandbox.syscall_action == SYSCALL_ACTION_KILL ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM;
        bool deny = !s->sandbox.syscalls;
        Program p = { .listed = deny ? denied : SECCOMP_RET_ALLOW, .others = deny ? SECCOMP_RET_ALLOW : denied };
        Calls c = {};
        int r = list(s, &c);

        if (r >= 0) {
                find_bounds(&p, &c, deny);
                compile(&p, denied);
                r = export(&p);
        }
        return r < 0 ? kl_error_set(reterr, r, KL_E_FAILED, "cannot make a filter of sandbox.syscalls: %s", strerror(-r)) : r;
}
