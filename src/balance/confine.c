/* What the balancer never does is taken from it before it hears the first foreign byte: it opens no file, starts no program, signals nobody. */
#include "balance/balancer.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/prctl.h>

#include "linux/call_filter.h"

static const int forbidden[] = {
        SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(open), SCMP_SYS(openat),
        SCMP_SYS(openat2), SCMP_SYS(creat), SCMP_SYS(open_by_handle_at), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat),
        SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(symlink), SCMP_SYS(symlinkat), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat),
        SCMP_SYS(chown), SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(truncate), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(mknod), SCMP_SYS(mknodat),
        SCMP_SYS(chroot), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(bind), SCMP_SYS(listen),
        SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(pidfd_open),
        SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
        SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(kexec_load), SCMP_SYS(reboot),
        SCMP_SYS(setuid), SCMP_SYS(setresuid), SCMP_SYS(setgid), SCMP_SYS(setresgid), SCMP_SYS(setgroups),
};

/* SCMP_SYS() is negative for a call that this machine does not have. */
int confine(void) {
        const CallVerdicts v = { .listed = SECCOMP_RET_ERRNO | EPERM, .others = SECCOMP_RET_ALLOW, .foreign = SECCOMP_RET_ERRNO | EPERM };
        struct sock_fprog program;
        CallSet set = {};
        CallFilter f;
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(forbidden) && r >= 0; i++)
                if (forbidden[i] >= 0)
                        r = call_set_add(&set, (uint32_t) forbidden[i]);
        if (r < 0)
                return r;
        call_filter_make(&set, seccomp_arch_native(), v, &f);
        program = (struct sock_fprog) { .len = (unsigned short) f.n, .filter = f.lines };
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? -errno : 0;
}
