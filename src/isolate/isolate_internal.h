/* What the three kinds share: the objects, the vtable, and the functions over a cgroup directory that `scope` and `cgroup` both use.
 *
 * A kind embeds Isolate and Cell as the first member of its own structures and names their sizes in its vtable; isolate.c allocates, fills
 * the common part and frees. Nothing here calls an IsolateEvents callback from inside a call of the public interface: what is known at once
 * (an empty cell) goes through a deferred event source. */
#pragma once

#include "isolate/isolate.h"
#include "linux/cgroup.h"

/* The priorities that the processes of a cell were given last, so that a change of something else does not overwrite what a service did to
 * itself. All unset for an adopted cell. */
typedef struct CellPriority {
        int32_t nice, oom_score_adj;   /* INT_UNSET */
        uint8_t io_class, io_level;    /* IO_CLASS_NONE: unset */
        uint8_t scheduler, scheduler_priority;   /* SchedulerPolicy */
        char **cpu_affinity;           /* owned; NULL: unset */
} CellPriority;

typedef struct IsolateVTable {
        IsolateKind kind;
        bool gated;
        unsigned window;
        size_t isolate_size, cell_size;                          /* of the kind's own structures */

        /* Is this kind to be had? 0, or -errno with the reason in *reterr ("no systemd answers on the system bus"). On success adds its lines
         * to i->report and denies what it cannot enforce (support_deny). destroy also runs after a failed try. */
        int (*try)(Isolate *i, KlError *reterr);
        void (*destroy)(Isolate *i);

        int (*cell_new)(Cell *c, const CellName *name, const ServiceSpec *spec, KlError *reterr);    /* sets where; cell_free cleans up */
        int (*cell_adopt)(Cell *c, const CellName *name, const char *where);                         /* c->main is set already */
        int (*locate)(const Isolate *i, pid_t pid, const char *invocation_id, char **ret);
        int (*cell_place)(Cell *c, const PidRef *main, const char *invocation_id);                   /* c->main is set already, without fd */
        int (*cell_signal)(Cell *c, int sig);
        int (*cell_kill)(Cell *c);
        int (*cell_populated)(Cell *c);
        int (*cell_watch_empty)(Cell *c);
        int (*cell_ask_stopped)(Cell *c);                        /* NULL: nobody else stops these */
        int (*cell_clean)(Cell *c);
        int (*cell_apply)(Cell *c, const ServiceSpec *spec, KlError *reterr);   /* limits only, isolate.c does priorities; NULL: has none */
        void (*cell_free)(Cell *c);                              /* what the kind added; may be NULL */
        int (*locate_pid)(const Isolate *i, Whereabouts *w);     /* w->pid is set already */
        bool (*cell_holds)(const Cell *c, const Whereabouts *w);
        int (*cell_pids)(Cell *c, pid_t **ret, size_t *ret_n);
        int (*cell_usage)(Cell *c, bool detail, Usage *ret);     /* *ret is USAGE_NULL on entry */
} IsolateVTable;

extern const IsolateVTable isolate_scope_vtable, isolate_cgroup_vtable, isolate_session_vtable;

struct Isolate {
        const IsolateVTable *vtable;
        IsolateOptions options;        /* home_id is the copy below */
        char *home_id;
        char *mount;                   /* where cgroup v2 is mounted, or NULL */
        char **report;                 /* lines for isolate_report */
        LimitSupport *support;         /* every key of spec.limits and spec.priority */
        size_t n_support;
        char **reasons;                /* owns what support[].why points to */
        unsigned controllers;          /* CgroupController mask that is in force in the cells: decides where figures come from */
        bool proc_scan;                /* session: no /proc/PID/task/TID/children in this kernel, walk all of /proc */
};

/* Files of a cgroup that every list reads: opening one costs several times what reading it does, so they stay open once they were read. */
typedef enum CellFile { CELL_CPU_STAT, CELL_MEMORY_CURRENT, CELL_PIDS_CURRENT, CELL_PROCS, _CELL_FILE_MAX } CellFile;

/* Of which the kernel tells that a limit was met: see limit_watch.c. */
typedef enum LimitEvents { LIMIT_EVENTS_MEMORY, LIMIT_EVENTS_PIDS, _LIMIT_EVENTS_MAX } LimitEvents;
typedef struct LimitWatch LimitWatch;
typedef struct MemoryWatch MemoryWatch;

struct Cell {
        Isolate *isolate;
        const IsolateVTable *vtable;   /* the isolate's, but for a place beside a run (beside.c) */
        void *userdata;
        char *where;                   /* owned, or the same as cgroup; never NULL once cell_new or cell_adopt has succeeded */
        char *cgroup;                  /* absolute directory, owned, or NULL while unknown */
        int dir_fd;                    /* of cgroup, or -EBADF */
        char handle[32];               /* a path by that descriptor, "" without one: once the directory has gone, its own may be another's */
        int files[_CELL_FILE_MAX];     /* or -EBADF; only usage.c opens them */
        PidRef main;                   /* pid and start time only: fd is always -EBADF, a pidfd is taken anew when it is needed */
        CellPriority priority;
        sd_event_source *watch;        /* what tells of emptiness, from cell_watch_empty() on */
        sd_event_source *recheck;      /* and a slow timer where that can miss it */
        uint32_t recheck_sec;          /* until the next look */
        LimitWatch *limits[_LIMIT_EVENTS_MAX];   /* NULL: not watched */
        MemoryWatch *memory;           /* NULL: nobody is told when it grows too big */
        bool watched;                  /* cell_watch_empty() was called: a second call changes nothing */
};

/* ---- isolate.c: for the kinds ---- */

/* The common part, with no place yet. spec may be NULL. 0 or -ENOMEM. */
int cell_alloc(Isolate *i, const ServiceSpec *spec, void *userdata, Cell **ret);
/* Adds a line to the report; 0 or -ENOMEM. */
int isolate_note(Isolate *i, const char *format, ...) _printf_(2, 3);
/* Ends the watch and calls events.empty, which may free the cell: do not touch it afterwards. */
void cell_emit_empty(Cell *c);
/* Has events.empty called from the event loop as soon as it turns; takes c->watch. */
int cell_defer_empty(Cell *c);

/* ---- support.c: which limit keys hold ---- */

int support_init(Isolate *i);          /* all enforced */
bool support_has(const Isolate *i, const char *key);
/* Every key that needs one of `controllers` (CgroupController mask) is not enforced, for this reason. 0 or -ENOMEM. */
int support_deny(Isolate *i, unsigned controllers, const char *why);
/* One key ("limits.swap_max"). -ENOENT for a key that is not in the table. */
int support_deny_key(Isolate *i, const char *key, const char *why);
/* Denies the keys of the controllers that are missing in `have`, each with the reason that the kernel's files give for directory `dir`
 * ("no memory controller in cgroup /sys/fs/cgroup/unified: it is bound to cgroup v1"), and notes them in the report. */
int support_from_controllers(Isolate *i, const char *dir, unsigned have);
/* Denies the keys whose file is missing in `dir`, a cgroup that has the controllers `have` (io.weight needs a scheduler that knows it). */
int support_from_files(Isolate *i, const char *dir, unsigned have);

/* ---- limits.c: a spec as cgroup files ---- */

/* The keys that a controller enforces, through which file. Ends with key == NULL. */
typedef struct LimitFile { const char *key; unsigned controller; const char *file; } LimitFile;
extern const LimitFile limit_files[];

/* Writes the limits whose key is enforced here (i->support) into the cgroup directory. live: also resets those that are unset. 0, or -errno
 * with reterr naming the key. */
int limits_write(const Isolate *i, const char *dir, const ServiceSpec *spec, bool live, KlError *reterr);
/* The whole disk behind a path: a block device, or the device of the file system that the file or directory is on. -ENODEV: none (tmpfs,
 * overlay, network). */
int limit_device(const char *path, dev_t *ret);

/* ---- priority.c: nice, I/O priority, scheduler, CPU affinity, OOM score of the living ---- */

/* 0 or -ENOMEM; `to` owns nothing yet. */
int priority_set(CellPriority *to, const ServiceSpec *spec);
void priority_done(CellPriority *p);
/* Gives every process of the cell (cell_pids) what changed against c->priority and remembers it; a value that is no longer set goes back to
 * the keeper's own. 0, or the first -errno with reterr naming the key; a process that has gone is no error. */
int priority_apply(Cell *c, const ServiceSpec *spec, KlError *reterr);

/* ---- cgroup_cell.c: a cell that has a cgroup directory. While c->cgroup is NULL these know the main process alone. ---- */

/* Copies the absolute path and opens the directory: sets c->cgroup and c->dir_fd, replacing earlier ones. -ENOENT: not there. */
int cgroup_cell_open(Cell *c, const char *path);
void cgroup_cell_close(Cell *c);        /* the descriptors; c->cgroup stays */
int cgroup_cell_signal(Cell *c, int sig);
int cgroup_cell_kill(Cell *c);
int cgroup_cell_populated(Cell *c);
int cgroup_cell_watch_empty(Cell *c);   /* a directory that is removed counts as empty */
int cgroup_locate_pid(const Isolate *i, Whereabouts *w);
bool cgroup_cell_holds(const Cell *c, const Whereabouts *w);
int cgroup_cell_pids(Cell *c, pid_t **ret, size_t *ret_n);

/* ---- watch.c: emptiness without a cgroup ---- */

/* Waits for one living process of the cell after another, by pidfd, until vtable->cell_populated says that none is left. */
int cell_watch_members(Cell *c);
/* Whether a process runs: a zombie does not, but for a leader whose threads go on. */
bool process_living(const ProcessStat *stat);
/* Signals the main process, whether or not it is where it should be. Only when its start time is known, so that it is no other. */
int cell_signal_main(const Cell *c, int sig);

/* ---- limit_watch.c ---- */

struct LimitWatch {
        Cell *cell;
        LimitEvents file;
        sd_event_source *source;             /* inotify; NULL while it waits */
        sd_event_source *wait;               /* timer, else NULL */
        uint64_t told[_LIMIT_HIT_MAX];       /* the counters, as far as they were told */
        bool slows;                          /* memory.high is limits.memory_high, not where limits.memory_restart is watched */
};

void limit_watch_end(Cell *c);

/* ---- memory_watch.c ---- */

struct MemoryWatch {
        Cell *cell;
        uint64_t threshold;
        sd_event_source *source;             /* inotify; NULL while it waits */
        sd_event_source *wait;               /* timer, else NULL */
};

/* Begins, changes or ends the watch as limits.memory_restart says. */
void memory_watch_set(Cell *c, const ServiceSpec *spec);
void memory_watch_end(Cell *c);

/* ---- usage.c ---- */

/* From the files of c->dir_fd where the controller is in force (i->controllers), else summed over the processes of the directory. */
int cgroup_cell_usage(Cell *c, bool detail, Usage *ret);
/* Adds one process to a sum: cpu, memory, tasks, and with `detail` its I/O. Sources become USAGE_PROC; a zombie adds its cpu only. */
void usage_add_process(Usage *u, pid_t pid, const ProcessStat *stat, bool detail);

/* ---- pidset.c: processes met during repeated passes over something that forks meanwhile ---- */

typedef struct PidMark { pid_t pid; uint64_t start_time; } PidMark;
typedef struct PidSet { PidMark *items; size_t n, allocated; } PidSet;   /* sorted by pid */
void pidset_done(PidSet *s);
#define _cleanup_pidset_ _cleanup_(pidset_done)
int pidset_add(PidSet *s, pid_t pid, uint64_t start_time);    /* 1 new, 0 known, -ENOMEM; a pid with another start time is new */
bool pidset_has(const PidSet *s, pid_t pid);
