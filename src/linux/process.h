/* Processes: references that do not go stale, birth, signals. Sources: pidfd_open(2), pidfd_send_signal(2), clone(2), proc(5). */
#pragma once

#include <signal.h>
#include <sys/resource.h>

#include "base/macro.h"
#include "base/span.h"

/* A process, not a number: the pid with a pidfd and the start time, so that a recycled pid is never mistaken for it. */
typedef struct PidRef {
        pid_t pid;           /* 0: none */
        int fd;              /* pidfd, or -EBADF where none could be had */
        uint64_t start_time; /* clock ticks since boot, field 22 of /proc/PID/stat; 0: unknown */
} PidRef;
#define PIDREF_NULL ((PidRef) { .fd = -EBADF })

void pidref_done(PidRef *p);
#define _cleanup_pidref_ _cleanup_(pidref_done)

/* Opens a reference to a living or zombie pid. -ESRCH if there is none. With start_time != 0 also -ESRCH when the one there started at
 * another time, checked after the pidfd was taken. */
int pidref_open(pid_t pid, uint64_t start_time, PidRef *ret);
/* Signals exactly that process: pidfd_send_signal(2), else kill(2) after checking the start time. -ESRCH when it is gone. */
int pidref_signal(const PidRef *p, int sig);
/* Whether it still runs (a zombie does not). */
bool pidref_alive(const PidRef *p);

/* clone3(2) of the calling process: 0 in the child, the pid in the parent, -errno on failure. *ret_pidfd (may be NULL) is CLOEXEC.
 * cgroup_fd >= 0: born in that cgroup v2 directory (CLONE_INTO_CGROUP, 5.7); -EOPNOTSUPP style errors are passed up.
 * Where a sandbox forbids clone3 and no cgroup is wanted, fork(2) does it, and *ret_pidfd is -EBADF if the kernel has no pidfds.
 * glibc does not learn of a clone3: in the child, raise(3) and abort(3) would signal a thread of the parent's number; use kill(getpid(),
 * …). */
pid_t process_clone(int cgroup_fd, int *ret_pidfd);

typedef struct ProcessStat {
        pid_t ppid, pgid, session;
        char state;
        uint64_t start_time;     /* clock ticks since boot */
        usec_t cpu;              /* user + system, of the process itself, microseconds */
        uint64_t rss;            /* bytes */
        uint32_t threads;
        char comm[16];           /* raw bytes that the process chose; escape before showing */
} ProcessStat;
int process_stat(pid_t pid, ProcessStat *ret);          /* -ESRCH */
/* The start time of a child that process_clone() has just made, `before` being now_usec(CLOCK_BOOTTIME) in front of that call; 0: unknown. Its stat is read
 * only where a tick went by meanwhile, and the first time, to see whether both count alike. */
uint64_t process_born(pid_t pid, usec_t before);
/* How a zombie ended, as wait(2) gives it, by anybody who may know (exit_code of proc_pid_stat(5), 3.5). -ESRCH when it is reaped, -EBUSY when it has
 * not ended, -EACCES where the kernel hides it. */
int process_exit_status(pid_t pid, uint64_t start_time, int *ret);
/* Bytes read from and written to storage (/proc/PID/io); -EACCES where the kernel hides it. */
int process_io(pid_t pid, uint64_t *ret_read, uint64_t *ret_written);
/* Its share of RAM in bytes, what it has in common with others divided among them (Pss of /proc/PID/smaps_rollup, 4.14). The kernel walks all of
 * its mappings for it: not for lists. -EACCES where it is another's. */
int process_pss(pid_t pid, uint64_t *ret);
/* Children by /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN), into a malloc'ed array; -EOPNOTSUPP where the kernel has none of it. */
int process_children(pid_t pid, pid_t **ret, size_t *ret_n);
/* Every pid in /proc, malloc'ed. */
int process_all(pid_t **ret, size_t *ret_n);
/* Whether it has arguments and an environment, be they empty (env_end of proc_pid_stat(5)): not in the middle of execve(2), when /proc shows neither, and
 * no more when it ends. False also where the kernel hides it. */
bool process_formed(pid_t pid);
/* Looks for NAME=value in /proc/PID/environ; 1 equal, 0 not, -errno (ESRCH, EACCES). */
int process_environ_has(pid_t pid, const char *name, const char *value);
/* Its arguments and its environment as it was executed with, unless it has written over them since: a malloc'ed strv, empty for one that is
 * ending. -ESRCH, -EACCES, -ENOMEM. */
int process_arguments(pid_t pid, char ***ret);
int process_environment(pid_t pid, char ***ret);
/* cmdline with blanks between the words, escaped for terminals, at most `max` bytes; "[comm]" when empty. malloc'ed. */
int process_command_line(pid_t pid, size_t max, char **ret);
/* Whether it has a handler of its own for the signal (SigCgt of /proc/PID/status): 1, 0, -errno. */
int process_catches(pid_t pid, int sig);
/* The path behind "0::" in /proc/PID/cgroup, malloc'ed; -ENODATA when the process is in no cgroup v2. */
int process_cgroup(pid_t pid, char **ret);

int become_subreaper(void);                 /* PR_SET_CHILD_SUBREAPER */
/* One who does not hurry: waking up takes the processor from nobody who runs (SCHED_BATCH, sched(7)). Changes nothing where we are under another policy
 * than the usual; `on` false takes back what `true` has changed. */
void process_give_way(bool on);
int boot_id(char ret[33]);                  /* 32 hex digits and NUL: /proc/sys/kernel/random/boot_id */

/* Signal names: "SIGTERM", "TERM", "15" → number, -EINVAL otherwise; number → "SIGTERM", or "SIGRTMIN+3" into static storage per thread. */
int signal_from_name(const char *name);
const char *signal_name(int sig);
