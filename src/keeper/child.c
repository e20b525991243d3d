/* The set-up of a child: one table of stages, in the order that privileges demand. Must stay true: everything that needs a privilege comes before
 * the change of user, bounding set and ambient capabilities around it; a gated child has its own session and no descriptor of ours before it
 * waits, so that it can be signalled and holds nothing open; no stage is skipped in silence. */
#include "keeper/child.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"

/* Behind the given words: LISTEN_PID, LISTEN_FDS, READY_FD, WATCHDOG_PID and the two NULLs. */
#define WORDS_OWN 6
static char *words[WIRE_STRINGS_MAX + WORDS_OWN];
static char **child_argv, **child_environ;

/* The two signals that glibc keeps to itself (SIGCANCEL, SIGSETXID): posix_spawn(3) leaves them ignored for whoever comes after, and sigaction(3)
 * refuses to touch them. The kernel's structure of all zeros means SIG_DFL on every architecture. */
static void reset_internal_signals(void) {
        static const unsigned long zero[16];

        for (int sig = 32; sig <= 33; sig++)
                (void) syscall(SYS_rt_sigaction, sig, zero, NULL, _NSIG / 8);
}

void child_reset_signals(const ChildDefaults *d) {
        sigset_t none;

        for (int sig = 1; sig < _NSIG; sig++)
                if (sigismember(&d->ignored, sig) == 1)
                        (void) signal(sig, SIG_DFL);
        reset_internal_signals();
        sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

static int enter_session(ChildSetup *c) {
        /* Asked for before the parent is looked at: one of the two notices a keeper that died in between. */
        if (c->gated && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return -errno;
        if (c->gated && getppid() != c->defaults->keeper)
                _exit(EXIT_FAILURE);
        child_reset_signals(c->defaults);
        if (setsid() < 0)
                return -errno;
        if (c->spawn->flags & SPAWN_SET_UMASK)
                (void) umask(c->spawn->umask);
        return 0;
}

/* Moves a descriptor out of the way of the numbers that the command will see. */
static int move_above(int *fd, size_t n) {
        int moved;

        if (*fd >= (int) n)
                return 0;
        moved = fcntl(*fd, F_DUPFD_CLOEXEC, (int) n);
        if (moved < 0)
                return -errno;
        *fd = moved;
        return 0;
}

static int arrange_descriptors(ChildSetup *c) {
        int n = (int) c->n_fds;
        int r = 0;

        for (int i = 0; i < n && r >= 0; i++)
                r = move_above(c->fds + i, c->n_fds);
        for (int i = 0; i < _OWN_MAX && r >= 0; i++)
                r = c->own[i] < 0 ? 0 : move_above(c->own + i, c->n_fds + _OWN_MAX);
        if (r < 0)
                return r;
        for (int i = 0; i < n; i++)
                if (dup2(c->fds[i], i) < 0)
                        return -errno;
        for (int i = 0; i < _OWN_MAX; i++) {
                if (c->own[i] >= 0 && dup3(c->own[i], n + i, O_CLOEXEC) < 0)
                        return -errno;
                if (c->own[i] < 0)
                        (void) close(n + i);
                else
                        c->own[i] = n + i;
        }
        /* Everything of ours is close-on-exec already; but a child that waits for its release must not hold a pipe of another open. Kernels
         * and filters without close_range(2) lose only that. */
        if (close_range((unsigned) n + _OWN_MAX, ~0U, 0) < 0 && errno != ENOSYS && errno != EPERM)
                return -errno;
        return 0;
}

static int await_release(ChildSetup *c) {
        char byte;
        ssize_t n;

        if (!c->gated)
                return 0;
        do
                n = read(c->own[OWN_GATE], &byte, sizeof(byte));
        while (n < 0 && errno == EINTR);
        if (n != sizeof(byte))
                _exit(EXIT_FAILURE);
        return prctl(PR_SET_PDEATHSIG, 0) < 0 ? -errno : 0;
}

static int set_rlimits(ChildSetup *c) {
        const WireSpawn *s = c->spawn;

        if (c->defaults->nofile_raised && setrlimit(RLIMIT_NOFILE, &c->defaults->nofile) < 0)
                return -errno;
        for (uint32_t i = 0; i < s->n_rlimits; i++) {
                struct rlimit l = { .rlim_cur = s->rlimits[i].soft, .rlim_max = s->rlimits[i].hard };

                if (setrlimit((__rlimit_resource_t) s->rlimits[i].resource, &l) < 0)
                        return -errno;
        }
        return 0;
}

static int set_nice(ChildSetup *c) {
        return setpriority(PRIO_PROCESS, 0, c->spawn->nice) < 0 ? -errno : 0;
}

#define IOPRIO_WHO_PROCESS 1

static int set_ioprio(ChildSetup *c) {
        return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, c->spawn->ioprio) < 0 ? -errno : 0;
}

static int set_affinity(ChildSetup *c) {
        cpu_set_t set;

        CPU_ZERO(&set);
        for (int cpu = 0; cpu < WIRE_CPUS_MAX; cpu++)
                if (c->spawn->cpus[cpu / 64] >> cpu % 64 & 1)
                        CPU_SET(cpu, &set);
        return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

static int set_scheduler(ChildSetup *c) {
        struct sched_param p = { .sched_priority = c->spawn->scheduler_priority };

        return sched_setscheduler(0, c->spawn->scheduler, &p) < 0 ? -errno : 0;
}

static int set_oom(ChildSetup *c) {
        char text[16];

        if (c->spawn->flags & SPAWN_SET_OOM)
                snprintf(text, sizeof(text), "%" PRIi32, c->spawn->oom_score_adj);
        else if (c->defaults->oom_score_adj)
                snprintf(text, sizeof(text), "%s", c->defaults->oom_score_adj);
        else
                return 0;
        return write_file_at(AT_FDCWD, "/proc/self/oom_score_adj", text);
}

static int drop_bounding_set(ChildSetup *c) {
        int held;

        for (cap_value_t cap = 0; (held = cap_get_bound(cap)) >= 0; cap++)
                if (held && !(c->spawn->caps >> cap & 1) && cap_drop_bound(cap) < 0)
                        return -errno;
        return 0;
}

static int set_groups(ChildSetup *c) {
        return setgroups(c->spawn->n_groups, c->spawn->groups) < 0 ? -errno : 0;
}

static int change_user(ChildSetup *c) {
        const WireSpawn *s = c->spawn;

        /* Leaving uid 0 empties the permitted set unless this says otherwise; execve(2) clears it again. */
        if ((s->flags & SPAWN_SET_CAPS) && prctl(PR_SET_KEEPCAPS, 1) < 0)
                return -errno;
        return setresgid(s->gid, s->gid, s->gid) < 0 || setresuid(s->uid, s->uid, s->uid) < 0 ? -errno : 0;
}

static void cap_freep(cap_t *c) {
        if (*c)
                (void) cap_free(*c);
}

static int set_capabilities(ChildSetup *c) {
        static const cap_flag_t sets[] = { CAP_INHERITABLE, CAP_PERMITTED, CAP_EFFECTIVE };
        _cleanup_(cap_freep) cap_t caps = cap_init();
        cap_value_t list[64];
        int n = 0;

        if (!caps)
                return -errno;
        for (int cap = 0; cap < 64; cap++)
                if (c->spawn->caps >> cap & 1)
                        list[n++] = cap;
        for (size_t i = 0; i < ARRAY_SIZE(sets) && n > 0; i++)
                if (cap_set_flag(caps, sets[i], n, list, CAP_SET) < 0)
                        return -errno;
        if (cap_set_proc(caps) < 0)
                return -errno;
        for (int i = 0; i < n; i++)
                if (cap_set_ambient(list[i], CAP_SET) < 0)
                        return -errno;
        return 0;
}

static int set_no_new_privs(ChildSetup *c) {
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int change_directory(ChildSetup *c) {
        const char *cwd = wire_next_string(wire_spawn_strings(c->spawn));

        return chdir(*cwd ? cwd : "/") < 0 ? -errno : 0;
}

/* Points at the strings of the packet; what names the child's own pid or numbers stands in static buffers. */
static int compose_words(ChildSetup *c) {
        static char listen_pid[32], listen_fds[32], ready_fd[32], watchdog_pid[32];
        const WireSpawn *s = c->spawn;
        const char *p = wire_spawn_strings(s);
        char **to = words;

        for (uint32_t i = 0; i < 3 + s->n_mounts; i++)
                p = wire_next_string(p);
        child_argv = to;
        for (uint32_t i = 0; i < s->n_argv; i++, p = wire_next_string(p))
                *to++ = (char *) p;
        *to++ = NULL;
        child_environ = to;
        for (uint32_t i = 0; i < s->n_env; i++, p = wire_next_string(p))
                *to++ = (char *) p;
        if (s->n_listen > 0) {
                snprintf(listen_pid, sizeof(listen_pid), "LISTEN_PID=%i", getpid());
                snprintf(listen_fds, sizeof(listen_fds), "LISTEN_FDS=%" PRIu32, s->n_listen);
                *to++ = listen_pid;
                *to++ = listen_fds;
        }
        if (s->flags & SPAWN_READY_FD) {
                snprintf(ready_fd, sizeof(ready_fd), "READY_FD=%" PRIu32, 3 + s->n_listen);
                *to++ = ready_fd;
        }
        if (s->flags & SPAWN_WATCHDOG_PID) {
                snprintf(watchdog_pid, sizeof(watchdog_pid), "WATCHDOG_PID=%i", getpid());
                *to++ = watchdog_pid;
        }
        *to = NULL;
        return 0;
}

typedef struct Stage {
        SpawnStage stage;
        uint32_t flag;                  /* only with it; 0: always */
        int (*apply)(ChildSetup *c);
} Stage;

static const Stage stages[] = {
        { STAGE_SESSION, 0, enter_session },
        { STAGE_DESCRIPTORS, 0, arrange_descriptors },
        { STAGE_GATE, 0, await_release },
        { STAGE_OOM, 0, set_oom }, /* opens a file, as mounts do: before a limit on them */
        { STAGE_NICE, SPAWN_SET_NICE, set_nice },
        { STAGE_IOPRIO, SPAWN_SET_IOPRIO, set_ioprio },
        { STAGE_AFFINITY, SPAWN_SET_AFFINITY, set_affinity },
        { STAGE_SCHEDULER, SPAWN_SET_SCHEDULER, set_scheduler },
        /* Behind all that asks for rights over the machine, which a user namespace takes away. */
        { STAGE_NAMESPACES, SPAWN_NEW_MOUNTS | SPAWN_NEW_NETWORK, child_namespaces },
        { STAGE_MOUNTS, SPAWN_NEW_MOUNTS, child_mounts },
        { STAGE_NETWORK, SPAWN_NEW_NETWORK, child_network },
        { STAGE_RLIMIT, 0, set_rlimits },
        { STAGE_DEVICES, SPAWN_NO_DEVICES, child_drop_devices },
        { STAGE_CAPABILITIES, SPAWN_SET_CAPS, drop_bounding_set },
        { STAGE_GROUPS, SPAWN_SET_USER, set_groups },
        { STAGE_USER, SPAWN_SET_USER, change_user },
        { STAGE_CAPABILITIES, SPAWN_SET_CAPS, set_capabilities },
        { STAGE_NO_NEW_PRIVS, SPAWN_NO_NEW_PRIVS, set_no_new_privs },
        { STAGE_CWD, 0, change_directory },
        { STAGE_ENVIRONMENT, 0, compose_words },
        { STAGE_RULESET, SPAWN_FD_RULESET, child_ruleset },
        { STAGE_FILTER, SPAWN_FD_FILTER, child_filter }, /* what follows needs write, execve and exit_group, no more */
};

/* By write(2), not send(2): a filter of system calls may be in force. Without a keeper it is the end either way. */
static bool report(const ChildSetup *c, SpawnStage stage, int error) {
        ChildReport p = { .error = error, .stage = stage, .detail = c->detail };
        ssize_t n;

        do
                n = write(c->own[OWN_GATE], &p, sizeof(p));
        while (n < 0 && errno == EINTR);
        return n == sizeof(p);
}

_Noreturn void child_run(ChildSetup *c) {
        for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
                int r = stages[i].flag == 0 || (c->spawn->flags & stages[i].flag) ? stages[i].apply(c) : 0;

                if (r < 0) {
                        (void) report(c, stages[i].stage, -r);
                        _exit(EXIT_FAILURE);
                }
                c->detail = 0;
        }
        /* Unless the keeper knows of it, nothing may run. */
        if (!report(c, STAGE_EXEC, 0))
                _exit(EXIT_FAILURE);
        if (c->spawn->flags & SPAWN_TRIAL)
                _exit(EXIT_SUCCESS);
        (void) execve(wire_spawn_strings(c->spawn), child_argv, child_environ);
        (void) report(c, STAGE_EXEC, errno);
        _exit(EXIT_FAILURE);
}
