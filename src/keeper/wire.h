/* The protocol between keeper (kingd) and manager: fixed binary messages, one per SOCK_SEQPACKET packet, descriptors by SCM_RIGHTS.
 *
 * Same machine, same build or its neighbour: host byte order, natural alignment, a version in HELLO. Each side validates every length before
 * use; an unknown type is ignored with a debug message, a malformed packet is dropped with a warning (keeper) or fails the connection (manager).
 * The keeper never waits for the manager: what it has to say is kept in its table (exits until acknowledged) and said again on LIST. It says
 * nothing to a manager that has not said HELLO. A LIST is answered piece by piece between other messages, so an EXITED may come before its CHILD
 * and again after it; acknowledging twice does no harm. When the keeper cannot say that a spawn was refused it stops reading until it can: a
 * manager must go on reading while it cannot write.
 *
 * `run` names one start of one instance; the manager chooses it (random, never 0, never reused). */
#pragma once

#include <sys/resource.h>

#include "base/macro.h"
#include "base/error.h"

#define WIRE_VERSION 3
#define WIRE_MAX (160 * 1024)         /* bytes a packet; env + argv of a service must fit */
#define WIRE_FDS_MAX 253              /* descriptors a packet: SCM_MAX_FD of the kernel */
#define WIRE_GROUPS_MAX 64
#define WIRE_STRINGS_MAX 16384        /* words of argv and env together: bounds the pointer arrays of the child set-up */
#define WIRE_LOG_MAX 480              /* bytes of the opaque log block: the keeper has a slot of this size for each child */
#define WIRE_RLIMITS_MAX 16
#define WIRE_CPUS_MAX 1024
#define WIRE_MOUNTS_MAX 256           /* changes to the file system that a child sees */
#define WIRE_FD 3                     /* the manager finds its end of the pair here */

typedef enum WireType {
        /* manager → keeper */
        WIRE_HELLO = 1,      /* WireHello; answered by WIRE_HELLO */
        WIRE_SPAWN,          /* WireSpawn + strings, with descriptors in the order of the flags */
        WIRE_RELEASE,        /* WireRun: let a gated child go on */
        WIRE_SIGNAL,         /* WireSignal */
        WIRE_LIST,           /* WireHeader: answered by WIRE_CHILD…, WIRE_HELD…, WIRE_LIST_END */
        WIRE_ACK,            /* WireRun: the exit is recorded (or the orphan taken up), forget the run */
        WIRE_HOLD,           /* WireHold + 1 fd: keep this descriptor over the manager's death; same name replaces */
        WIRE_DROP,           /* WireHold: close it */
        WIRE_SHUTDOWN,       /* WireShutdown: exit with this status */
        WIRE_READY,          /* WireHeader: the manager serves; whoever started us in the background may go on */
        WIRE_REOPEN,         /* WireHeader: the logger shall open its files anew; answered by WIRE_REOPENED when what comes goes to new ones */
        WIRE_PONG,           /* WireHeader: the answer to PING, as soon as the manager's loop comes round */
        WIRE_REEXEC,         /* WireReexec: execute the programs anew that stand on the disk now; UPGRADE tells what came of it */
        WIRE_SETTLED,        /* WireHeader: before READY. Programs before these could not go on with what this manager writes: no way back from READY on */
        /* keeper → heir, beside HOLD and DROP */
        WIRE_HOLD_PIPES,     /* WireHold + 2 fds: the log pipes of one run, under this name with "-0" and "-1" */
        WIRE_DROP_PIPES,     /* WireHold: close both */
        WIRE_MAIN,           /* WireMain: the main process of the run is this one from now on; its end is the run's, and an end that was told of the former
                              * one is none */
        /* keeper → manager */
        WIRE_SPAWNED = 64,   /* WireSpawned: a child exists (gated or on its way to exec) */
        WIRE_EXECED,         /* WireRun: its command executes */
        WIRE_FAILED,         /* WireFailed: no command executes; the child, if there was one, is reaped. No ACK is needed. What failed while
                              * no manager listened is said in the answer to LIST */
        WIRE_EXITED,         /* WireExited: after EXECED; said again on LIST until ACK */
        WIRE_CHILD,          /* WireChild: one entry of the table */
        WIRE_HELD,           /* WireHold + 1 fd */
        WIRE_LIST_END,       /* WireHeader */
        WIRE_SIGNALED,       /* WireSignal with run 0: the keeper received this signal and leaves it to the manager */
        WIRE_PING,           /* WireHeader: somebody waits; a manager that does not answer in time is ended and replaced */
        WIRE_REOPENED,       /* WireHeader: of every REOPEN that was heard before */
        WIRE_LEAVE,          /* WireHeader: other programs follow: write the books and end, touch nothing else */
        WIRE_UPGRADE,        /* WireUpgrade: after HELLO, and whenever something has come of a REEXEC */
        /* a kingd that is asked whether it could follow → keeper */
        WIRE_CANDIDATE = 128, /* WireCandidate: the only word on its wire */
} WireType;

typedef struct WireHeader { uint32_t type, size; } WireHeader;   /* size: of the whole packet, must equal what was received */

typedef struct WireHello {
        WireHeader h;
        uint32_t version;
        int32_t keeper_pid;          /* filled by the keeper */
        uint32_t is_init;            /* keeper is PID 1 */
        uint32_t manager_starts;     /* how many managers this keeper has started, this one included */
        uint64_t nofile_soft;        /* the soft RLIMIT_NOFILE that children get unless told otherwise */
        int32_t last_status;         /* how the manager before this one ended, as wait(2) gives it */
        uint32_t last_hung;          /* the keeper ended it because it did not answer */
} WireHello;

typedef struct WireRun { WireHeader h; uint64_t run; } WireRun;

enum {
        SPAWN_GATED = 1 << 0,          /* wait for RELEASE before exec; dies with the keeper until then */
        SPAWN_FD_CGROUP = 1 << 1,      /* descriptor: cgroup directory for CLONE_INTO_CGROUP */
        SPAWN_FD_STDIN = 1 << 2,       /* else /dev/null */
        SPAWN_FD_STDOUT = 1 << 3,      /* else /dev/null, or the log pipe */
        SPAWN_FD_STDERR = 1 << 4,
        SPAWN_LOG_PIPES = 1 << 5,      /* the keeper makes stdout and stderr pipes and gives the read ends to the logger with the log block */
        SPAWN_NO_NEW_PRIVS = 1 << 6,
        SPAWN_SET_USER = 1 << 7,       /* uid, gid, groups are meant */
        SPAWN_SET_UMASK = 1 << 8,
        SPAWN_SET_NICE = 1 << 9,
        SPAWN_SET_IOPRIO = 1 << 10,
        SPAWN_SET_OOM = 1 << 11,
        SPAWN_SET_CAPS = 1 << 12,      /* caps: the bounding set, and inheritable+permitted+effective+ambient after the change of user */
        SPAWN_READY_FD = 1 << 13,      /* descriptor after the listen fds: becomes the next number, named in env READY_FD by the child set-up */
        SPAWN_WATCHDOG_PID = 1 << 14,  /* set WATCHDOG_PID to the child's own pid (its environment has WATCHDOG_USEC) */
        SPAWN_SET_AFFINITY = 1 << 15,  /* cpus */
        SPAWN_SET_SCHEDULER = 1 << 16, /* scheduler, scheduler_priority */
        SPAWN_NEW_MOUNTS = 1 << 17,    /* a mount namespace, changed as n_mounts strings say */
        SPAWN_NEW_NETWORK = 1 << 18,   /* a network namespace with nothing but a loopback that is up */
        SPAWN_NEW_USER = 1 << 19,      /* both by the right of a user namespace, for who has none of his own; the user stays who he is */
        SPAWN_NO_DEVICES = 1 << 20,    /* without CAP_MKNOD and CAP_SYS_RAWIO for good */
        SPAWN_FD_RULESET = 1 << 21,    /* descriptor: of landlock_create_ruleset(2), enforced before exec */
        SPAWN_FD_FILTER = 1 << 22,     /* descriptor: a file of struct sock_filter, the seccomp(2) program enforced before exec. It must allow execve,
                                        * write and exit_group */
        SPAWN_TRIAL = 1 << 23,         /* executes nothing: exits with 0 when all else is done */
        SPAWN_KNOWN = (1 << 24) - 1,   /* all of the above: a packet with another bit is malformed */
};

typedef struct WireRlimit { uint32_t resource, pad; uint64_t soft, hard; } WireRlimit;

typedef struct WireSpawn {
        WireHeader h;
        uint64_t run;
        uint8_t invocation[16];
        uint32_t flags;
        uint32_t n_listen;             /* descriptors after the flagged ones: become 3…, with LISTEN_FDS and LISTEN_PID set by the child */
        uint32_t uid, gid, n_groups, groups[WIRE_GROUPS_MAX];
        uint32_t umask;
        int32_t nice, ioprio, oom_score_adj;
        int32_t scheduler, scheduler_priority;   /* sched_setscheduler(2) numbers */
        uint64_t cpus[WIRE_CPUS_MAX / 64];
        uint32_t n_rlimits;
        uint64_t caps;
        WireRlimit rlimits[WIRE_RLIMITS_MAX];
        uint32_t n_mounts, pad;
        uint32_t n_argv, n_env;
        uint32_t log_size;             /* opaque bytes at the very end, handed to the logger (logger/log_wire.h) */
        uint32_t strings_size;         /* NUL-terminated strings: file to execute (a path, not searched for), cwd ("": /), label (what the keeper
                                        * calls it in its own messages), mounts…, argv…, env… */
        /* char strings[strings_size]; uint8_t log[log_size] */
} WireSpawn;

static inline const char *wire_spawn_strings(const WireSpawn *s) {
        return (const char *) (s + 1);
}
static inline const void *wire_spawn_log(const WireSpawn *s) {
        return wire_spawn_strings(s) + s->strings_size;
}
static inline const char *wire_next_string(const char *s) {
        return s + strlen(s) + 1;
}
/* The strings of n_mounts: one of these letters and an absolute path, a capital letter for one that may be missing. They are carried out in their
 * order, parents before what is below them; but what stays visible is taken hold of before anything is changed. */
enum {
        MOUNT_SYSTEM = 's',            /* "s/": all there is becomes read-only */
        MOUNT_WRITABLE = 'w',          /* stays as it was, whatever is done to a directory above it; made visible again where that is hidden */
        MOUNT_READ_ONLY = 'r',         /* the same, but read-only */
        MOUNT_HIDDEN = 'h',            /* a directory is empty, a file is /dev/null */
        MOUNT_PRIVATE = 't',           /* a tmpfs of its own that everybody may write to, as /tmp */
        MOUNT_DEVICES = 'd',           /* a directory with the usual pseudo devices and nothing else, as /dev */
};
/* Number of descriptors that a SPAWN with these flags comes with: cgroup, stdin, stdout, stderr as flagged, n_listen, ready, ruleset, filter. */
size_t wire_spawn_fds(const WireSpawn *s);

enum { WIRE_TO_MAIN = 0, WIRE_TO_GROUP = 1 };   /* WireSignal.target: the process by pidfd, or its process group */
typedef struct WireSignal { WireHeader h; uint64_t run; int32_t signal; uint32_t target; } WireSignal;
/* start_time: clock ticks since boot, so that no other process of this number is meant. */
typedef struct WireMain { WireHeader h; uint64_t run; int32_t pid; uint32_t pad; uint64_t start_time; } WireMain;
typedef struct WireHold { WireHeader h; char name[64]; } WireHold;
/* why: of a manager that never served, for whoever asked for it; else "". */
typedef struct WireShutdown { WireHeader h; int32_t status; uint32_t pad; char why[184]; } WireShutdown;

typedef struct WireSpawned {
        WireHeader h;
        uint64_t run;
        int32_t pid;
        uint32_t pad;
        uint64_t start_time;           /* clock ticks since boot; 0 where /proc does not tell */
} WireSpawned;

/* Where child set-up failed; the text for a person is wire_stage_name(). */
typedef enum SpawnStage {
        STAGE_CLONE, STAGE_PIPE, STAGE_CGROUP, STAGE_GATE, STAGE_SESSION, STAGE_DESCRIPTORS, STAGE_RLIMIT, STAGE_NICE, STAGE_IOPRIO, STAGE_OOM,
        STAGE_CAPABILITIES, STAGE_GROUPS, STAGE_USER, STAGE_NO_NEW_PRIVS, STAGE_CWD, STAGE_ENVIRONMENT, STAGE_EXEC, STAGE_KILLED,
        STAGE_TABLE_FULL, STAGE_MALFORMED,
        STAGE_AFFINITY, STAGE_SCHEDULER, STAGE_NAMESPACES, STAGE_MOUNTS, STAGE_NETWORK, STAGE_DEVICES, STAGE_RULESET, STAGE_FILTER,
        _STAGE_MAX
} SpawnStage;

typedef struct WireFailed {
        WireHeader h;
        uint64_t run;
        int32_t error;                 /* positive errno; STAGE_KILLED: the signal */
        uint32_t stage;
        uint32_t detail, pad;          /* STAGE_MOUNTS: which of them, from 1 on; else 0 */
} WireFailed;

#define WIRE_STATUS_UNKNOWN (-1)       /* no status of wait(2): somebody else was its parent, and nobody can know it any more */
typedef struct WireExited {
        WireHeader h;
        uint64_t run;
        int32_t pid, status;           /* status as wait(2) gives it, or WIRE_STATUS_UNKNOWN */
        uint64_t utime_usec, stime_usec, maxrss_bytes, in_bytes, out_bytes;  /* wait4 rusage; block I/O × 512 */
        uint64_t exited_monotonic;     /* usec */
} WireExited;

enum {
        CHILD_GATED = 1, CHILD_STARTING, CHILD_EXECUTING,
        CHILD_EXITED,                  /* followed by its WIRE_EXITED */
        CHILD_ORPHAN,                  /* of a keeper before this one, which cannot signal it nor learn its status. ACK when it is recorded, as of an exit */
};
typedef struct WireChild {
        WireHeader h;
        uint64_t run;
        uint8_t invocation[16];
        int32_t pid;
        uint32_t state;                /* CHILD_* */
        uint64_t start_time;
        uint32_t executed, pad;        /* of an orphan: its command did execute */
} WireChild;

/* How often this keeper, with all that it was executed as, was asked to execute itself anew, and what came of it the last time. */
typedef enum UpgradeOutcome {
        UPGRADE_NEVER,
        UPGRADE_UNDER_WAY,             /* the new programs are there and have not served yet */
        UPGRADE_DONE,
        UPGRADE_WENT_BACK,             /* they did not come up: the old ones are there again */
        UPGRADE_REFUSED,               /* nothing was touched */
        _UPGRADE_OUTCOME_MAX
} UpgradeOutcome;
typedef struct UpgradeRecord {
        uint32_t serial, outcome;
        char from[32], to[32];         /* versions */
        char why[184];                 /* of WENT_BACK and REFUSED; a text for a person */
} UpgradeRecord;
typedef struct WireUpgrade {
        WireHeader h;
        uint32_t news, pad;            /* it is said for the first time */
        UpgradeRecord last;
} WireUpgrade;

typedef struct WireReexec {
        WireHeader h;
        uint64_t within_usec;          /* the new programs have so long to serve; 0: a minute */
        uint32_t if_changed, pad;      /* only if one of the files is another than that which runs; else there is no answer at all */
} WireReexec;

/* error: positive errno: it could not follow, and why. */
typedef struct WireCandidate {
        WireHeader h;
        uint32_t wire_version, table_version;
        int32_t error;
        uint32_t pad;
        char version[32];
} WireCandidate;

const char *wire_stage_name(SpawnStage s);   /* "change directory", "execute", … */
const char *wire_type_name(uint32_t type);

/* Checks every length and count of a received packet (aligned for uint64_t) against `size` bytes, from either side. 0 or -EBADMSG. After it a
 * WireSpawn's strings are known to be NUL-terminated and to number n_mounts + n_argv + n_env + 3, its arrays to be within bounds, and n_fds to be what its
 * flags ask for. A type that is not known passes when its header is honest: the receiver ignores it. */
int wire_check(const void *packet, size_t size, size_t n_fds);

/* A WireSpawn under construction, for the manager. The strings are copied in. */
typedef struct SpawnBuilder {
        WireSpawn *packet;             /* WIRE_MAX bytes, owned */
        size_t used;
        int error;
} SpawnBuilder;
int spawn_builder_init(SpawnBuilder *b, uint64_t run, const uint8_t invocation[16]);   /* may be reused: resets, keeps the memory */
void spawn_builder_done(SpawnBuilder *b);
/* In this order, once each (the log only with SPAWN_LOG_PIPES); errors (-E2BIG) stick and come out of _finish. NULL strings and arrays are empty.
 * The fixed fields are the caller's to fill in b->packet between _init and _finish. */
void spawn_builder_strings(SpawnBuilder *b, const char *file, const char *cwd, const char *label, char *const *mounts, char *const *argv, char *const *env);
void spawn_builder_log(SpawnBuilder *b, const void *log, size_t n);
int spawn_builder_finish(SpawnBuilder *b, const WireSpawn **ret, size_t *ret_size);
