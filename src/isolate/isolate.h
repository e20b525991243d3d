/* Where a process lives. One vtable, three kinds:
 *   scope    a transient systemd scope over sd-bus, on the system or the user manager
 *   cgroup   a directory below our own cgroup v2, where no systemd answers
 *   session  nothing but a session, pidfds and the keeper as subreaper, where there is neither
 * Chosen once at start by trying, in this order, and reported plainly. A limit that the kind at hand cannot enforce is named by
 * isolate_unenforced(), never dropped in silence.
 *
 * A Cell is the place of one run of one instance. Everything asynchronous comes back through IsolateEvents from the event loop, never from
 * inside a call. */
#pragma once

#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/span.h"
#include "linux/process.h"
#include "model/spec.h"

typedef enum IsolateKind { ISOLATE_SCOPE, ISOLATE_CGROUP, ISOLATE_SESSION, _ISOLATE_KIND_MAX } IsolateKind;
const char *isolate_kind_name(IsolateKind k);             /* "scope" "cgroup" "session" */
int isolate_kind_from_name(const char *s);                /* or -EINVAL */

typedef struct Isolate Isolate;
typedef struct Cell Cell;

/* Limits that were met by a service that goes on: by counters of the kernel's memory.events and pids.events. */
typedef enum LimitHit {
        LIMIT_HIT_MEMORY_HIGH,       /* slowed down at limits.memory_high */
        LIMIT_HIT_MEMORY_MAX,        /* at limits.memory_max, and room could be made */
        LIMIT_HIT_OOM_KILL,          /* a process was killed for want of memory, and it was not the main one */
        LIMIT_HIT_TASKS,             /* a fork was refused at limits.tasks */
        _LIMIT_HIT_MAX
} LimitHit;

typedef struct IsolateEvents {
        /* The process is where it should be and may be released (error 0), or cannot be placed: -errno with a message for people. The message is
         * valid during the call. -EAGAIN: a fault of the moment (bus gone, systemd busy), worth a retry by backoff. */
        void (*placed)(void *userdata, Cell *cell, int error, const char *why);
        /* Nothing lives in the cell any more. Said once, only after cell_watch_empty(). */
        void (*empty)(void *userdata, Cell *cell);
        /* Something outside ended or removed the cell (systemctl stop of the scope); the processes are being killed. */
        void (*stopped)(void *userdata, Cell *cell, const char *why);
        /* The answer to cell_ask_stopped(): what `stopped` would have said, or NULL when that was said before or nobody else stopped it. Do not
         * free the cell from here. */
        void (*asked)(void *userdata, Cell *cell, const char *why);
        /* Limits that cell_apply() took on could not be changed after all. May be NULL. */
        void (*unlimited)(void *userdata, Cell *cell, int error, const char *why);
        /* A limit was met `count` times since it was last told, at most once in 10 s for each kind. Do not free the cell from here. May be NULL. */
        void (*limit)(void *userdata, Cell *cell, LimitHit hit, uint64_t count);
        /* It uses more memory than limits.memory_restart: this many bytes, as cell_memory_above() counts. Said again every 5 s while it is so. Do not
         * free the cell from here. May be NULL. */
        void (*oversize)(void *userdata, Cell *cell, uint64_t bytes);
        void *userdata;
} IsolateEvents;

typedef struct IsolateOptions {
        sd_event *event;
        int kind;                    /* IsolateKind, or -1: the best that works */
        bool user;                   /* user manager */
        pid_t keeper;                /* parent of the services (session kind: where orphans arrive) */
        const char *home_id;         /* short stable text that tells this daemon's cgroups from another's ("1f3a…") */
        int64_t empty_priority;      /* sd_event priority of the sources that watch for emptiness; 0: normal */
        IsolateEvents events;
} IsolateOptions;

/* 0, or -errno with *reterr naming what was tried and why it failed. */
int isolate_new(const IsolateOptions *o, Isolate **ret, KlError *reterr);
Isolate *isolate_free(Isolate *i);   /* leaves every cell and its processes alone */
DEFINE_CLEANUP(Isolate *, isolate_free);

IsolateKind isolate_kind(const Isolate *i);
/* Children must be gated until `placed` (scope), or are born in place (cgroup, session). */
bool isolate_gated(const Isolate *i);
/* Why the better kinds were not chosen and what is in force, one line per item, for `doctor`. malloc'ed strv. */
char **isolate_report(const Isolate *i);
/* Number of starts to have in flight at once (64 for scope; UINT_MAX else): the manager queues the rest. */
unsigned isolate_window(const Isolate *i);

/* The keys of spec.limits and spec.priority that are set in the spec but cannot be enforced here, as "limits.memory_max: REASON". malloc'ed
 * strv; NULL/empty when all is enforced; OOM gives NULL. */
char **isolate_unenforced(const Isolate *i, const ServiceSpec *spec);
/* Static support table for `doctor`: for each limit key whether it can be enforced and why not, or, when it can, how ("" when by the
 * kernel). */
typedef struct LimitSupport { const char *key; bool enforced; const char *why; } LimitSupport;
const LimitSupport *isolate_support(const Isolate *i, size_t *ret_n);   /* valid as long as i */

typedef struct CellName {
        const char *ns, *service;
        unsigned instance;
        uint64_t generation;         /* counts starts, from the store */
        const char *invocation_id;   /* 32 hex digits; NULL while it is not known. cell_adopt() goes by it where a place's name may be another's */
} CellName;

/* Whether a systemd unit in a slice is the scope of a run of this instance (whatever its generation), by their names alone: for entries of
 * the journal, which may be older than we are. */
bool cell_name_is_unit(const CellName *name, const char *unit, const char *slice);

/* Makes the place for a new run. userdata is the instance that owns the cell. */
int cell_new(Isolate *i, const CellName *name, const ServiceSpec *spec, void *userdata, Cell **ret, KlError *reterr);
/* Takes up a living run after a restart of ours: where is what cell_where() said then, and may be something else afterwards; main may be dead already.
 * What was beside it is killed. -ENOENT: not there, or nothing proves that it is this run's. */
int cell_adopt(Isolate *i, const CellName *name, const char *where, const PidRef *main, void *userdata, Cell **ret);
/* A place for a process beside the main one of a living run: inside of the run's, so that its limits and figures are both processes', and to be
 * signalled, killed, watched, cleaned and freed like any cell, before the run's own is freed. Children are born in it, never gated. `number` tells it
 * from others of this run. -EOPNOTSUPP where the run has no cgroup; else -errno. */
int cell_new_beside(Cell *run, uint64_t number, void *userdata, Cell **ret);
/* Kills what a former manager had beside the run. cell_adopt() does so by itself. */
void cell_end_beside(Cell *run);
/* What cell_where() would say of the place where this main process lives, told from the kernel alone, for one that nobody remembers. malloc'ed;
 * -ENOENT: in no place of ours. */
int isolate_locate(const Isolate *i, pid_t pid, const char *invocation_id, char **ret);
/* Forgets the cell without touching the processes (shutdown that leaves services running; destructor in every state). */
Cell *cell_free(Cell *c);
DEFINE_CLEANUP(Cell *, cell_free);
void *cell_userdata(const Cell *c);

/* Descriptor for CLONE_INTO_CGROUP, borrowed, or -EBADF when the kind has none. */
int cell_cgroup_fd(const Cell *c);
/* The child exists. For gated kinds this starts the placement that `placed` ends (deadline 30 s inside); for others it only notes main. */
int cell_place(Cell *c, const PidRef *main, const char *invocation_id);
/* Text that finds the cell again (scope: unit name; cgroup: path; session: invocation id), borrowed. */
const char *cell_where(const Cell *c);
const char *cell_unit(const Cell *c);        /* scope's unit name, or NULL */
const char *cell_cgroup(const Cell *c);      /* absolute cgroup directory, or NULL */

/* Signals everything that lives in the cell, main included if it is there. 0 also when nothing was there. */
int cell_signal(Cell *c, int sig);
/* SIGKILL to everything, by cgroup.kill where there is one. */
int cell_kill(Cell *c);
/* The main process has been reaped. 1: something still lives, 0: nothing, -errno. */
int cell_populated(Cell *c);
/* From now on `empty` is called when the cell is or becomes empty (inotify on cgroup.events, or pidfds of what is left). */
int cell_watch_empty(Cell *c);
/* The main process ended without us: did somebody else stop the place? 1: `asked` follows within 2 s; 0: there is nothing to ask; -errno. */
int cell_ask_stopped(Cell *c);
/* Removes what is left of the place (rmdir, ResetFailed). The cell must be freed afterwards. */
int cell_clean(Cell *c);
/* Changes the limits of the living. 0, or -errno with reterr; keys that cannot be enforced are skipped (isolate_unenforced names them). */
int cell_apply(Cell *c, const ServiceSpec *spec, KlError *reterr);
/* Has `limit` called from now on for those limits of the spec that this place can tell of, and for no others. A cell that is new, or given other
 * limits, does so by itself; this is for one that was adopted. Where it cannot be watched, nothing is told. */
void cell_watch_limits(Cell *c, const ServiceSpec *spec);
/* Whether `oversize` will be called of this place. If it is not, and the spec has limits.memory_restart, somebody has to look from time to time. */
bool cell_tells_oversize(const Cell *c);
/* 1: uses more than so many bytes, *ret is how many; 0: it does not; -errno. With a memory controller what it has in RAM and in swap, without
 * what the kernel takes back by itself (page cache, reclaimable slab); else the resident memory of all its processes, what they share counted once
 * where the kernel says so. */
int cell_memory_above(Cell *c, uint64_t bytes, uint64_t *ret);
/* It is on its way out: the threshold at which memory was watched slows it down no longer, limits.memory_high does. */
void cell_memory_relax(Cell *c, const ServiceSpec *spec);
/* Does this pid belong to the cell? */
bool cell_owns(const Cell *c, pid_t pid);
/* The same of many cells, at what it costs to read /proc for one: where the process is, of which cell_holds() makes a comparison. Zero is
 * nowhere. */
typedef struct Whereabouts {
        pid_t pid;
        char *cgroup;                /* the path below the mount; NULL: in none, or the kind does not ask */
        struct Stray *ancestry;      /* session: the process, its parent, and so on up to the daemon */
        size_t n_ancestry;
} Whereabouts;
int isolate_locate_pid(const Isolate *i, pid_t pid, Whereabouts *ret);   /* 0, -ESRCH, -ENOMEM; whereabouts_done() in each case */
bool cell_holds(const Cell *c, const Whereabouts *w);
void whereabouts_done(Whereabouts *w);
/* Pids in the cell, main first if alive; malloc'ed. */
int cell_pids(Cell *c, pid_t **ret, size_t *ret_n);

typedef enum UsageSource { USAGE_NONE, USAGE_CGROUP, USAGE_PROC, USAGE_RUSAGE } UsageSource;
const char *usage_source_name(UsageSource s);   /* "cgroup" "proc" "rusage" */
#define USAGE_UNKNOWN UINT64_MAX
typedef struct Usage {
        uint64_t cpu_usec;  UsageSource cpu_source;
        uint64_t memory;    UsageSource memory_source;        /* bytes now */
        uint64_t memory_peak; UsageSource memory_peak_source;
        uint64_t tasks;     UsageSource tasks_source;
        uint64_t io_read, io_written; UsageSource io_source;  /* bytes */
        uint64_t oom_kills;                                   /* USAGE_UNKNOWN without a memory controller */
        uint32_t cpu_pressure, memory_pressure, io_pressure;  /* avg10 "some", hundredths of a percent; UINT32_MAX unknown */
} Usage;
#define USAGE_NULL ((Usage) { .cpu_usec = USAGE_UNKNOWN, .memory = USAGE_UNKNOWN, .memory_peak = USAGE_UNKNOWN, .tasks = USAGE_UNKNOWN, \
        .io_read = USAGE_UNKNOWN, .io_written = USAGE_UNKNOWN, .oom_kills = USAGE_UNKNOWN, \
        .cpu_pressure = UINT32_MAX, .memory_pressure = UINT32_MAX, .io_pressure = UINT32_MAX })
/* How many processes of the cell the kernel's OOM killer has ended, by memory.events. -ENOENT without a memory controller. */
int cell_oom_kills(Cell *c, uint64_t *ret);
/* What a List needs (cpu, memory, tasks), as cheaply as can be: a handful of reads, no allocation. detail: everything. */
int cell_usage(Cell *c, bool detail, Usage *ret);
/* What a run used in all, once its processes are gone: cpu, the peak of memory, I/O, as far as the files of its cgroup still tell (source
 * USAGE_CGROUP), and nothing else. Another start may wait for this: it reads nothing that only the living have. */
void cell_totals(Cell *c, Usage *ret);
