/* What a service should be: the typed form of one entry under `services:`, and the one table of its keys.
 *
 * The table (name, type, field, default, effect of a change, help) is the only place where a key is described: the parser and its messages, the
 * canonical JSON form, comparison, copying, freeing, the JSON Schema and the manual page are all driven by it. Pure: no I/O, no clock. */
#pragma once

#include "base/error.h"
#include "base/macro.h"
#include "base/span.h"
#include "model/fd_store.h"
#include "model/socket.h"

typedef enum ServiceType { SERVICE_SIMPLE, SERVICE_ONESHOT } ServiceType;
typedef enum NotifyAccess { NOTIFY_ACCESS_NONE, NOTIFY_ACCESS_MAIN, NOTIFY_ACCESS_EXEC, NOTIFY_ACCESS_ALL } NotifyAccess;
typedef enum ReadyBy { READY_START, READY_NOTIFY, READY_FD, READY_PROBE, READY_LOG, READY_IPC, READY_LISTEN } ReadyBy;
typedef enum ClusterBy { CLUSTER_NONE, CLUSTER_NODE, CLUSTER_SOCKETS } ClusterBy;
typedef enum ReadyLate { READY_LATE_FAIL, READY_LATE_PASS } ReadyLate;
typedef enum RestartWhen { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER } RestartWhen;
typedef enum StopScope { STOP_ALL, STOP_GROUP, STOP_MAIN } StopScope;
typedef enum LogTarget { LOG_TO_AUTO, LOG_TO_JOURNAL, LOG_TO_FILE, LOG_TO_NONE, LOG_TO_EXEC, LOG_TO_INHERIT } LogTarget;
typedef enum LogFormat { LOG_FORMAT_TEXT, LOG_FORMAT_RAW, LOG_FORMAT_JSON, _LOG_FORMAT_MAX } LogFormat;
typedef enum LogRotate { LOG_ROTATE_NONE, LOG_ROTATE_HOURLY, LOG_ROTATE_DAILY, LOG_ROTATE_WEEKLY, LOG_ROTATE_MONTHLY, _LOG_ROTATE_MAX } LogRotate;
typedef enum LogCompress { LOG_COMPRESS_NONE, LOG_COMPRESS_ZSTD, LOG_COMPRESS_GZIP, _LOG_COMPRESS_MAX } LogCompress;
typedef enum LogFull { LOG_FULL_BLOCK, LOG_FULL_DROP_OLDEST, LOG_FULL_DROP_NEWEST, _LOG_FULL_MAX } LogFull;
typedef enum IoClass { IO_CLASS_NONE, IO_CLASS_REALTIME, IO_CLASS_BEST_EFFORT, IO_CLASS_IDLE } IoClass; /* ioprio_set(2) numbers */
typedef enum ScheduleOverlap { OVERLAP_SKIP, OVERLAP_QUEUE, OVERLAP_REPLACE } ScheduleOverlap;
typedef enum ScheduleMissed { MISSED_SKIP, MISSED_ONCE, MISSED_ALL } ScheduleMissed;
typedef enum ReloadBy { RELOAD_BY_NONE, RELOAD_BY_SIGNAL, RELOAD_BY_COMMAND, RELOAD_BY_ROLLING } ReloadBy;
typedef enum DrainBy { DRAIN_CONNECTIONS, DRAIN_SIGNAL } DrainBy;
/* Commands that run beside the main process. The first ones are spec.hooks, the last is spec.reload.command. */
typedef enum HookKind {
        HOOK_PRE_START, HOOK_POST_START, HOOK_PRE_STOP, HOOK_POST_STOP, HOOK_ON_EXIT, HOOK_ON_FAILURE, _HOOK_KEYS, HOOK_RELOAD = _HOOK_KEYS,
        HOOK_DRAIN,            /* no command: the balancer lets what is open on the instance end */
        _HOOK_MAX
} HookKind;
typedef enum SchedulerPolicy { SCHEDULER_OTHER, SCHEDULER_BATCH, SCHEDULER_IDLE, SCHEDULER_FIFO, SCHEDULER_RR, _SCHEDULER_MAX } SchedulerPolicy;
typedef enum SandboxSystem { SANDBOX_SYSTEM_WRITABLE, SANDBOX_SYSTEM_READ_ONLY } SandboxSystem;
typedef enum SandboxNetwork { SANDBOX_NETWORK_HOST, SANDBOX_NETWORK_NONE } SandboxNetwork;
typedef enum SyscallAction { SYSCALL_ACTION_ERROR, SYSCALL_ACTION_KILL } SyscallAction;
typedef enum StdinFrom { STDIN_NULL, STDIN_PIPE } StdinFrom;
typedef enum DependKind { DEPEND_STARTED, DEPEND_READY, DEPEND_COMPLETED } DependKind;

typedef struct Dependency {
        char *name;      /* service in the same namespace, or "namespace/name" */
        DependKind kind;
        bool restart;    /* when it is restarted, we are */
        bool stop;       /* when it is stopped or ends for good, we are stopped */
} Dependency;
typedef struct DependencyList { Dependency *items; size_t n; } DependencyList;

typedef struct DeviceLimit { char *path; uint64_t value; } DeviceLimit;   /* value: bytes or operations per second */
typedef struct DeviceLimitList { DeviceLimit *items; size_t n; } DeviceLimitList;

typedef struct CodeList { int32_t *items; size_t n; } CodeList;

/* A probe asks a living service how it is: the same in every respect for all three kinds, but for what its answers mean (probe.h). */
typedef enum ProbeKind { PROBE_STARTUP, PROBE_READINESS, PROBE_LIVENESS, _PROBE_KIND_MAX } ProbeKind;
typedef enum ProbeBy { PROBE_NONE, PROBE_EXEC, PROBE_HTTP, PROBE_TCP, PROBE_UNIX, PROBE_GRPC } ProbeBy;
typedef enum HttpMethod { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OPTIONS } HttpMethod;
typedef enum HttpScheme { SCHEME_HTTP, SCHEME_HTTPS } HttpScheme;

typedef struct ProbeSpec {
        char **exec;                    /* argv */
        struct {
                char *host, *path;      /* NULL: 127.0.0.1, / */
                uint32_t port;          /* 0: this is no HTTP probe; likewise tcp and grpc */
                int method;             /* HttpMethod */
                int scheme;             /* HttpScheme */
                bool verify;            /* https: the certificate must be valid for the name that is asked; else any will do */
                char *ca;               /* file of the authorities that may have signed it; NULL: the system's */
                char **headers;         /* "Name: value" */
                CodeList codes;         /* none: 200 to 399 */
                char *body;             /* text that the answer holds, or NULL */
        } http;
        struct { char *host; uint32_t port; } tcp;
        char *unix_path;
        struct { char *host, *service; uint32_t port; } grpc;
        usec_t initial_delay, period, timeout, grace;
        uint32_t success, failure;      /* in a row */
} ProbeSpec;

#define LIMIT_UNSET UINT64_MAX                 /* as the kernel has it; for cgroup limits that is also what "infinity" means */
#define LIMIT_INFINITY (UINT64_MAX - 1)        /* limits.rlimit[] only: "infinity" asked for by name (RLIM_INFINITY) */
#define INT_UNSET INT32_MIN
#define INSTANCES_MAX 0             /* one per core */
#define INSTANCES_LIMIT 1024
#define RLIMIT_KEYS 9

/* rlimits in the order of spec_rlimit_resource[] (getrlimit(2) numbers): files processes core stack locked_memory file_size data
 * address_space cpu_time(seconds) */
extern const int spec_rlimit_resource[RLIMIT_KEYS];

extern const int spec_scheduler_policy[_SCHEDULER_MAX];   /* sched_setscheduler(2) numbers */

#define CPUS_MAX 1024
/* A list of processors, items such as "2", "0-3" or "0-3,6": the bits of those named, in `set`. -EINVAL with the first bad item in *ret_bad. */
int cpu_list_parse(char *const *items, uint64_t set[CPUS_MAX / 64], const char **ret_bad);

typedef struct ServiceSpec {
        char *name, *ns, *description;
        char **profile;                 /* names of the profiles of its file under which it was applied */
        char **command;                 /* argv; with `shell: true` it is {"/bin/sh", "-c", LINE} */
        char *cwd;                      /* absolute, or NULL for / */
        int type;                       /* ServiceType */
        int32_t instances;              /* > 0, INSTANCES_MAX, or < 0: cores less that many */
        int input;                      /* StdinFrom */
        uint32_t umask;                 /* UINT32_MAX: kingd's own */
        bool shell;
        bool source_maps;               /* --enable-source-maps in NODE_OPTIONS */
        bool on_demand;                 /* starts when somebody connects */
        bool capabilities_set;
        bool no_new_privileges;
        bool autostart;
        bool essential;                 /* as PID 1: kingd ends with this service's status */
        char **env;                     /* "NAME=value", sorted by name */
        char **credentials;             /* entries of model/credential.h, sorted by name */
        char **secrets;                 /* globs: further variables whose values are not shown */
        char **env_files;               /* absolute; a leading '-' lets it be missing */
        DependencyList depends;
        char *collects;                 /* name of the service, in the same namespace, whose output is our input; or NULL */

        SocketList sockets;             /* opened by us */
        char *balances;                 /* name of the service, in the same namespace, whose balancer this is (balanced.h); or NULL */
        usec_t idle_timeout;            /* and ends when nobody is connected for so long; USEC_INFINITY: never */

        struct {
                int by;                 /* ClusterBy */
                int balance, affinity;  /* BalanceStrategy, BalanceAffinity */
                bool drain;             /* the hook of ours in NODE_OPTIONS */
        } cluster;

        int ready_by;                   /* ReadyBy */
        int ready_late;                 /* ReadyLate: what becomes of one that is not ready by then */
        usec_t ready_timeout;           /* USEC_INFINITY: none */
        char *ready_pattern;            /* READY_LOG: a POSIX extended regular expression */
        usec_t watchdog;                /* 0: off */
        uint32_t fd_store;              /* descriptors of an instance; 0: off */
        int fd_store_preserve;          /* FdStorePreserve */
        int notify_access;              /* NotifyAccess, as written: notify_access() says what is in force */
        ProbeSpec *probes[_PROBE_KIND_MAX];   /* NULL: none */

        struct {
                uint64_t memory_max, memory_high, swap_max;   /* bytes; LIMIT_UNSET */
                uint64_t memory_restart;                      /* the same; what it does is ours, not the kernel's */
                uint32_t cpu;                                 /* percent of one core; 0: unset */
                uint64_t tasks;                               /* LIMIT_UNSET */
                DeviceLimitList io_read_bandwidth, io_write_bandwidth, io_read_iops, io_write_iops;
                uint64_t rlimit[RLIMIT_KEYS];                 /* LIMIT_UNSET: as kingd's own */
        } limits;

        struct {
                int32_t nice;                                 /* INT_UNSET */
                int32_t oom_score_adj;                        /* INT_UNSET */
                uint32_t cpu_weight, io_weight;               /* 1..10000; 0: unset */
                int io_class;                                 /* IoClass */
                uint32_t io_level;                            /* 0..7, with a class */
                char **cpu_affinity;                          /* "0-3", "5": cpu_list_parse(); NULL: any */
                int scheduler;                                /* SchedulerPolicy */
                uint32_t scheduler_priority;                  /* 1..99, for fifo and rr */
        } priority;

        struct {
                int when;                                     /* RestartWhen */
                usec_t delay, max_delay, reset_after;
                uint32_t factor_percent;                      /* 200 is "factor: 2"; written as a decimal number */
                uint32_t jitter;                              /* percent */
                uint32_t limit;                               /* attempts in a row; 0: never give up */
                CodeList except_codes;
        } restart;

        struct {
                int signal;
                usec_t timeout;                               /* USEC_INFINITY: wait for ever */
                int scope;                                    /* StopScope */
        } stop;

        struct {
                int by;                                       /* ReloadBy */
                int signal;
                char **command;                               /* argv, or NULL */
                usec_t timeout;                               /* never USEC_INFINITY */
                uint32_t max_surge, max_unavailable;          /* rolling: instances more, and fewer, than there should be */
                usec_t min_ready, drain_timeout;
                int drain;                                    /* DrainBy: behind a balancer, what lets the connections end */
        } reload;

        struct {
                char **command[_HOOK_KEYS];                   /* argv by HookKind, or NULL */
                usec_t timeout;                               /* of each; never USEC_INFINITY */
        } hooks;

        struct {
                int to;                                       /* LogTarget */
                int format;                                   /* LogFormat, files only */
                char **exec;                                  /* LOG_TO_EXEC: argv of the collector, or NULL where another service is it */
                uint64_t max_size, max_total;                 /* bytes of one file, of all files of one log; UINT64_MAX: no bound */
                usec_t max_age;                               /* of one file; USEC_INFINITY: no bound */
                int rotate;                                   /* LogRotate */
                uint32_t keep;                                /* rotated files kept */
                int compress;                                 /* LogCompress */
                int when_full;                                /* LogFull */
                bool multiline;                               /* json: a stack trace is one message */
                bool merge;                                   /* one file for all instances */
                uint32_t rate_limit, rate_burst;              /* lines a second, at once; 0: any number, as many as a second */
        } log;

        struct {
                char **paths;                                 /* absolute; none: off */
                char **ignore;                                /* patterns as in .gitignore */
                usec_t debounce;
                int signal;                                   /* sent instead of a restart; 0: restart */
        } watch;

        struct {
                char *cron;                                   /* as calendar_parse() reads it; NULL: none */
                usec_t every;                                 /* 0: off */
                char *timezone;                               /* of the tz database; NULL: the machine's */
                int overlap;                                  /* ScheduleOverlap */
                int missed;                                   /* ScheduleMissed */
                usec_t random_delay;
                bool at_start;
        } schedule;

        char *user, *group;             /* name or number; NULL: kingd's own */
        char **capabilities;            /* names; NULL: unrestricted for root; spec.capabilities_set tells an empty list */

        struct {
                int system;                                   /* SandboxSystem */
                int network;                                  /* SandboxNetwork */
                char **read_only, **writable, **hidden;       /* absolute; a leading '-' lets it be missing */
                int syscall_action;                           /* SyscallAction */
                bool private_tmp, private_devices;
                char **syscalls, **syscalls_denied;           /* names and @groups */
        } sandbox;
} ServiceSpec;

typedef struct SpecList { ServiceSpec **items; size_t n; } SpecList;

/* ---- the table ---- */

typedef enum KeyType {
        KEY_STRING, KEY_NAME, KEY_BOOL, KEY_INT32, KEY_UINT32, KEY_UINT64, KEY_SPAN, KEY_SIZE, KEY_PERCENT, KEY_FACTOR, KEY_OCTAL,
        KEY_ENUM, KEY_SIGNAL, KEY_INSTANCES, KEY_WEIGHTS, KEY_PATH, KEY_PATHS, KEY_STRINGS, KEY_COMMAND, KEY_WORDS, KEY_ENV, KEY_CREDENTIALS, KEY_DEPENDS,
        KEY_DEVICES_SIZE, KEY_DEVICES_COUNT, KEY_SOCKETS,
        KEY_CODES, KEY_CAPABILITIES,   /* KEY_NAME: a user or group, by name or number; KEY_WEIGHTS: "3,1" */
        KEY_HEADERS, KEY_PROBE,        /* "Name: value" lines of HTTP; a ProbeSpec * */
        _KEY_TYPE_MAX
} KeyType;

/* What a changed key asks of a living service. */
typedef enum KeyEffect {
        EFFECT_NONE,     /* concerns decisions only: takes effect by itself (restart.*, stop.*, autostart …) */
        EFFECT_LIVE,     /* applied to the living (limits through isolate, nice, oom score, io priority …) */
        EFFECT_SCALE,    /* number of instances */
        EFFECT_RESTART,  /* needs a new process */
} KeyEffect;

typedef struct SpecKey {
        const char *path;               /* "limits.memory_max"; at most two levels */
        KeyType type;
        size_t offset;                  /* in ServiceSpec, or in ProbeSpec */
        const char *const *names;       /* KEY_ENUM: NULL-terminated, index is the value; KEY_DEPENDS: the words of DependKind */
        int64_t min, max;               /* integers, percent, codes; microseconds for KEY_SPAN; hundredths for KEY_FACTOR. Both 0: the type's range */
        const char *fallback;           /* default as it would be written in the file; NULL: unset */
        KeyEffect effect;
        const char *help;               /* one or two sentences for the manual and the schema */
        const char *example;            /* as written in the file, or NULL */
        bool applied;                   /* says how the service was applied: not written in files, but part of what it is in the API and the store */
} SpecKey;

extern const SpecKey spec_keys[];       /* in the order of the manual; ends with path == NULL */
/* The keys within one probe, `http.port` for `probes.readiness: {http: {port: 80}}`. Whatever below takes a key takes these too, with the ProbeSpec
 * where it has the ServiceSpec. */
extern const SpecKey spec_probe_keys[];

const SpecKey *spec_key_find(const char *path);
const SpecKey *spec_probe_key_find(const char *path);

/* The keys of an entry of `sockets`: paths begin with "sockets.", offsets are in SocketSpec. All are scalars. */
extern const SpecKey socket_keys[];
/* spec_scalar_parse(), spec_scalar_format() and spec_key_is_default() for the field of an entry. */
int entry_scalar_parse(const SpecKey *k, void *entry, const char *text, KlError *reterr);
int entry_scalar_format(const SpecKey *k, const void *entry, char **ret);
bool entry_key_is_default(const SpecKey *k, const void *entry);

/* What the value of a key looks like, for messages: "a size such as 64K, 512M or 2G", "start, notify or fd". malloc'ed; NULL on OOM. */
char *spec_key_expects(const SpecKey *k);

/* Scalars are KEY_STRING..KEY_PATH; the others are collections, which config/ fills from the document tree. */
static inline bool key_type_is_scalar(KeyType t) { return t <= KEY_PATH; }
/* A scalar as text → the field. 0, -ENOMEM, or -EINVAL with *reterr complete with the key and what was expected ("limits.memory_max: expected a
 * size such as 64K, 512M or 2G, not "lots""), and a hint where a name is nearly right. The field is unchanged on failure. KEY_PATH is stored as
 * given. A collection gives -EINVAL. */
int spec_scalar_parse(const SpecKey *k, void *s, const char *text, KlError *reterr);
/* The scalar as it would be written, malloc'ed; *ret is NULL where it is unset. 0, -ENOMEM, -EINVAL for a collection. */
int spec_scalar_format(const SpecKey *k, const void *s, char **ret);

/* The words of a hook, "pre_start", and what the spec has for it: argv and time; NULL where it has none. */
const char *hook_name(HookKind k);
char *const *spec_hook(const ServiceSpec *s, HookKind k);
usec_t spec_hook_timeout(const ServiceSpec *s, HookKind k);
bool spec_has_hook(const ServiceSpec *s, HookKind k);
/* A balancer stands before its instances, for one of its sockets at least. */
bool spec_balanced(const ServiceSpec *s);

/* ---- whole specs ---- */

int spec_new(const char *ns, const char *name, ServiceSpec **ret);  /* all defaults from the table */
ServiceSpec *spec_free(ServiceSpec *s);
DEFINE_CLEANUP(ServiceSpec *, spec_free);
int spec_copy(const ServiceSpec *s, ServiceSpec **ret);
bool spec_key_equal(const SpecKey *k, const void *a, const void *b);
bool spec_key_is_default(const SpecKey *k, const void *s);
/* Back to the default of the table. */
int spec_key_reset(const SpecKey *k, void *s);
/* Copies one key's value (deeply) from one spec to another, for `defaults:`. On -ENOMEM the target is unchanged. */
int spec_key_copy(const SpecKey *k, void *to, const void *from);
/* One key as short text for `--diff` and messages ("512M", "redis-server --port 6390", "db: ready"); "-" when unset. malloc'ed. */
char *spec_key_format(const SpecKey *k, const void *s);   /* NULL on OOM */
#define SPEC_STRINGS_MAX (128 * 1024)   /* bytes of command and env together; what is left of a spawn request is for env files and our own */
/* Rules over several keys (command present, names valid, memory_high <= memory_max …). 0, or -EINVAL with the key's path in *ret_key
 * (static; "name" and "namespace" too) so that the caller can point at its line. The first fault in the order of the rules is told. */
int spec_validate(const ServiceSpec *s, const char **ret_key, KlError *reterr);
/* Where the kernel is to slow the service down: at limits.memory_high, or at limits.memory_restart, of which it tells us by that; or LIMIT_UNSET. */
uint64_t spec_memory_high(const ServiceSpec *s);
/* It is given NOTIFY_SOCKET. */
static inline bool spec_notifies(const ServiceSpec *s) {
        return s->ready_by == READY_NOTIFY || s->watchdog > 0 || s->fd_store > 0 || s->notify_access != NOTIFY_ACCESS_NONE;
}
/* It has times at which it runs (or, one that is meant to run on, is restarted). */
static inline bool spec_scheduled(const ServiceSpec *s) { return s->schedule.cron || s->schedule.every > 0; }
unsigned spec_instances(const ServiceSpec *s, unsigned n_cpus);    /* resolved, at least 1, at most INSTANCES_LIMIT */

/* One probe. */
int probe_spec_new(ProbeSpec **ret);               /* all defaults; asks for nothing yet */
ProbeSpec *probe_spec_free(ProbeSpec *p);
DEFINE_CLEANUP(ProbeSpec *, probe_spec_free);
int probe_spec_copy(const ProbeSpec *p, ProbeSpec **ret);
ProbeBy probe_spec_by(const ProbeSpec *p);         /* the first that it has; PROBE_NONE */
const char *probe_kind_name(ProbeKind kind);       /* "startup" "readiness" "liveness" */
const char *probe_by_name(ProbeBy by);             /* "exec" "http" … */

int spec_list_append(SpecList *l, ServiceSpec *s);   /* takes s on success; 0 or -ENOMEM */
void spec_list_done(SpecList *l);
#define _cleanup_spec_list_ _cleanup_(spec_list_done)
ServiceSpec *spec_list_find(const SpecList *l, const char *ns, const char *name);
