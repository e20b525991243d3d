/* References to processes and their birth. A PidRef is trusted only through its pidfd or, where the kernel or a sandbox gives none, through
 * the start time: a bare number is never signalled. */
#include "linux/process.h"

#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/fd.h"

void pidref_done(PidRef *p) {
        if (!p)
                return;
        fd_close(p->fd);
        *p = PIDREF_NULL;
}

/* pidfd_open(2), 5.3; pidfds are close-on-exec by nature. */
static int open_pidfd(pid_t pid) {
        int fd = (int) syscall(SYS_pidfd_open, pid, 0);

        return fd < 0 ? -errno : fd;
}

/* Kernels before 5.3 lack pidfds, and sandboxes like to answer EPERM to what they do not know. */
static bool pidfd_unsupported(int r) {
        return r == -ENOSYS || r == -EPERM || r == -EOPNOTSUPP;
}

int pidref_open(pid_t pid, uint64_t start_time, PidRef *ret) {
        _cleanup_pidref_ PidRef p = PIDREF_NULL;
        ProcessStat st;
        int r;

        if (pid <= 0)
                return -ESRCH;
        p.pid = pid;
        r = open_pidfd(pid);
        if (r == -EINVAL || r == -ENOENT) /* a thread that leads no group */
                return -ESRCH;
        if (r < 0 && !pidfd_unsupported(r))
                return r;
        p.fd = r < 0 ? -EBADF : r;
        /* Read after the pidfd was taken: a process that dies in between leaves a pid nobody else can have got with this pidfd and this
         * time. */
        r = process_stat(pid, &st);
        if (r < 0)
                return r;
        if (start_time != 0 && st.start_time != start_time)
                return -ESRCH;
        p.start_time = st.start_time;
        *ret = p;
        p = PIDREF_NULL;
        return 0;
}

/* Reads the stat of the very process, or -ESRCH when the number belongs to another by now. */
static int pidref_stat(const PidRef *p, ProcessStat *ret) {
        int r;

        if (p->pid <= 0 || p->start_time == 0)
                return -ESRCH;
        r = process_stat(p->pid, ret);
        if (r < 0)
                return r;
        return ret->start_time == p->start_time ? 0 : -ESRCH;
}

int pidref_signal(const PidRef *p, int sig) {
        ProcessStat st;
        int r;

        if (p->fd >= 0) {
                if (syscall(SYS_pidfd_send_signal, p->fd, sig, NULL, 0) >= 0)
                        return 0;
                if (errno != ENOSYS)
                        return -errno;
        }
        r = pidref_stat(p, &st);
        if (r < 0)
                return r;
        return kill(p->pid, sig) < 0 ? -errno : 0;
}

bool pidref_alive(const PidRef *p) {
        struct pollfd poll_pidfd = { .fd = p->fd, .events = POLLIN };
        ProcessStat st;
        int n;

        if (p->fd >= 0) {
                /* A pidfd becomes readable when the last thread has ended; the zombie still has it. */
                do
                        n = poll(&poll_pidfd, 1, 0);
                while (n < 0 && errno == EINTR);
                if (n >= 0)
                        return n == 0;
        }
        return pidref_stat(p, &st) >= 0 && st.state != 'Z' && st.state != 'X';
}

/* The way without clone3: docker's older seccomp profiles answer ENOSYS to it. The child cannot be reaped before our caller does, so its
 * number is safe to open. */
static pid_t process_fork(int *ret_pidfd) {
        pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid > 0 && ret_pidfd) {
                int fd = open_pidfd(pid);

                *ret_pidfd = fd < 0 ? -EBADF : fd;
        }
        return pid;
}

pid_t process_clone(int cgroup_fd, int *ret_pidfd) {
        int pidfd = -EBADF;
        struct clone_args args = { .exit_signal = SIGCHLD };
        long pid;

        if (ret_pidfd) {
                args.flags |= CLONE_PIDFD;
                args.pidfd = (uint64_t) (uintptr_t) &pidfd;
        }
        if (cgroup_fd >= 0) {
                args.flags |= CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t) cgroup_fd;
        }
        pid = syscall(SYS_clone3, &args, sizeof(args));
        if (pid < 0 && cgroup_fd < 0 && pidfd_unsupported(-errno))
                return process_fork(ret_pidfd);
        if (pid < 0)
                return -errno;
        if (pid > 0 && ret_pidfd)
                *ret_pidfd = pidfd;
        return (pid_t) pid;
}

void process_give_way(bool on) {
        static bool given;

        if (on ? sched_getscheduler(0) != SCHED_OTHER : !given)
                return;
        given = sched_setscheduler(0, on ? SCHED_BATCH : SCHED_OTHER, &(struct sched_param) {}) >= 0 ? on : given;
}

int become_subreaper(void) {
        return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
}
