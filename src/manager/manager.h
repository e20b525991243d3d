/* The manager: what it owns. One object, one event loop; every other file of this room is one kind of event source or one face of it.
 *
 * Event priorities are the concurrency design, lower first: a service's last words before its death, deaths before emptiness, emptiness
 * before timers, all of these before clients, and the books last. */
#pragma once

#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/map.h"
#include "base/span.h"
#include "isolate/isolate.h"
#include "keeper/wire.h"
#include "logger/journal_send.h"
#include "manager/api/call_list.h"
#include "manager/places.h"
#include "model/lifecycle.h"
#include "model/spec.h"
#include "store/store.h"
#include "varlink/server.h"

enum {
        PRIORITY_NOTIFY = -20,
        PRIORITY_KEEPER = -10,
        PRIORITY_HEARD = -5,           /* what services say where they may chatter, before they are told that they did not */
        PRIORITY_TIMER = 0,
        PRIORITY_API = 10,
        PRIORITY_BOOKS = 20,
};

typedef struct Manager Manager;
typedef struct Service Service;
typedef struct Instance Instance;
typedef struct Link Link;
typedef struct Wait Wait;
typedef struct EventFollower EventFollower;
typedef struct LogStream LogStream;
typedef struct FloodWatch FloodWatch;
typedef struct PendingEvent PendingEvent;
typedef struct Watch Watch;
typedef struct Schedule Schedule;
typedef struct ScheduleClock ScheduleClock;
typedef struct HeldExit HeldExit;
typedef struct Reexec Reexec;
typedef struct Probe Probe;
typedef struct ProbeSet ProbeSet;
typedef struct ReadyLog ReadyLog;
typedef struct ControlRemains ControlRemains;
typedef struct Sockets Sockets;
typedef struct InstanceHooks InstanceHooks;
typedef struct Sample Sample;
typedef struct Drops Drops;
typedef struct Said Said;
typedef struct Rolling Rolling;
typedef struct FdStore FdStore;
typedef struct FdStoreIndex FdStoreIndex;
typedef struct FdRefused FdRefused;
typedef struct BalanceLink BalanceLink;
typedef struct Cluster Cluster;
typedef struct ClusterChannel ClusterChannel;
typedef struct Backs Backs;
typedef struct BalanceWait BalanceWait;

/* What a run used in the end, kept for `describe` until the next run ends: of its cgroup where that still tells, else of the main process and
 * what it reaped. */
typedef struct LastUsage {
        uint64_t cpu_usec, memory_peak, io_read, io_written;
        UsageSource cpu_source, memory_peak_source, io_source;   /* USAGE_CGROUP or USAGE_RUSAGE */
} LastUsage;

struct Instance {
        Service *service;
        unsigned index;                    /* what it is called, and finds in KINGLY_INSTANCE */
        unsigned place;                    /* in service->instances and in the books: its index, except of extra ones, which stand behind the others */
        uint32_t number;                   /* number.h */
        Lifecycle lc;
        PidRef main;
        Cell *cell;
        uint64_t run, generation;
        uint64_t pid_key;                  /* main.pid while it is in manager->pids, else 0 */
        uint8_t invocation[16];
        usec_t since_realtime;             /* entered the public state */
        sd_event_source *deadline, *watchdog, *adopted;
        usec_t watchdog_interval;
        char *status;                      /* STATUS= of the service, or why it could not start; escaped only when shown */
        char *hint;                        /* what to do about it, or NULL */
        const char *public_state;          /* last one told */
        Sample *sample;                    /* figures told last (api_list.c); NULL: nobody has asked */
        LastUsage *last;                   /* NULL: no run has ended yet */
        struct { usec_t since, told; unsigned n; uint64_t ignored; } notes;   /* messages by sd_notify in this second */
        Said *said;                        /* what this run has said by sd_notify that stays true of it; NULL: nothing */
        struct { int read, write; } input;  /* of a collector: our ends of its pipe, or -EBADF */
        BalanceLink *balance;              /* of a balancer: the wire to it; NULL: none */
        ClusterChannel *channel;           /* of a worker of Node's cluster; NULL: none */
        Backs *backs;                      /* private sockets of this run; NULL: none */
        InstanceHooks *hooks;              /* NULL: it has had none */
        HeldExit *held;                    /* its end is known, the reason is asked for */
        ReadyLog *ready_log;               /* while its log is read for ready.pattern */
        Probe *probes;                     /* NULL: it has had none */
        Drops *drops;                      /* lines that journald dropped (flood.c); NULL: none */
        FdRefused *fd_refused;             /* by its fd store; NULL: none */
        bool child : 1;                    /* the keeper's child (it reaps); otherwise watched by pidfd */
        bool queued : 1;                   /* in manager->queue */
        bool in_flight : 1;                /* counted in manager->in_flight */
        bool removing : 1;                 /* freed when settled */
        bool dirty : 1;                    /* run row to be written */
        bool rested : 1;                   /* it was there before we began: if it is stopped, our beginning does not start it */
        bool notifies : 1;                 /* this run was given NOTIFY_SOCKET */
        bool journal : 1;                  /* this run's output goes to the journal */
        bool invoked : 1;                  /* the invocation id is that of the start to come, or of the run */
        bool credentials : 1;              /* its credentials stand in their directory */
        bool credentials_fresh : 1;        /* read for the present start */
        bool stop_deferred : 1;            /* stop waits until its dependents are down */
        bool restart_deferred : 1;         /* restart, likewise */
        bool restart_due : 1;              /* what was applied means a restart, which comes next */
        bool surge : 1;                    /* extra: to take the place of the one with its index when it is ready */
        bool retired : 1;                  /* extra: its place was taken, it ends */
        bool drains : 1;                   /* its next stop has reload.drain_timeout */
        bool selected : 1;                 /* within selection_resolve() only */
};

struct Service {
        Manager *manager;
        ServiceSpec *spec;
        char *key;                         /* "namespace/name" */
        char *origin;
        bool wanted;                       /* the operator's goal, as stored */
        bool deleting;
        bool dirty;                        /* the generation was used up without a row of a run that tells of it */
        bool goal_dirty;                   /* wanted changed without being stored */
        bool telling;                      /* in manager->tell */
        Service *tell_next;
        uint64_t start_round;              /* of the last service_start() that came by */
        uint64_t generation;
        int64_t position;
        Instance **instances;
        size_t n_instances, n_extra;       /* extra: surge or retired, the last ones */
        Watch *watch;                      /* of files; NULL: none */
        Sockets *sockets;                  /* that are open; NULL: none */
        Cluster *cluster;                  /* those that workers of Node asked for; NULL: none */
        FdStore *fd_store;                 /* what its instances left; NULL: nothing */
        Rolling *rolling;                  /* a reload under way, or one that has ended and can be asked about; NULL: none */
        Schedule *schedule;                /* NULL: none */
        Service **dependents;              /* who names us in depends_on; rebuilt with the set */
        size_t n_dependents;
};

/* The bytes an invocation id begins with: places.id, so that a process tells whose it is (recover.c). The rest is random. */
#define INVOCATION_HOME 4

typedef enum ShutdownMode { SHUTDOWN_NO, SHUTDOWN_STOP_ALL, SHUTDOWN_LEAVE } ShutdownMode;

typedef struct ManagerOptions {
        char **config_files, **profiles;   /* profiles NULL: those that are in force */
        int isolation;                     /* IsolateKind or -1 */
        bool background;                   /* --daemonize: log to a file */
} ManagerOptions;

struct Manager {
        sd_event *event;
        Places places;
        ManagerOptions options;
        Link *link;
        Isolate *isolate;
        Store *store;
        VarlinkServer *server;
        int door;                          /* where clients knock, while they are not to be let in yet; else -EBADF */

        Map *services;                     /* key → Service */
        Service **order;                   /* by position */
        size_t n_order;
        int64_t next_position;
        uint32_t next_number;              /* of an instance (number.h) */
        Map *runs;                         /* run → Instance */
        Map *pids;                         /* main pid as u64 → Instance */
        unsigned n_cpus;
        Map *controls;                     /* run → Control; NULL until there is one */
        ControlRemains *control_remains;

        Instance **queue;                  /* starts that wait for the isolation's window or the keeper's socket */
        size_t queue_head, queue_size, queue_allocated;
        unsigned in_flight;
        sd_event_source *pump;             /* deferred: starts, ordered stops, collection of what was to be removed */

        struct {
                int fd;
                char *path;
                sd_event_source *source, *pause;
                bool wary;                         /* of the first datagram */
                usec_t window, spent;              /* when this window began, and our time that went into it */
                usec_t early;                      /* since when the first message waits for the keeper's word; 0: it does not */
                uint64_t bad;
                usec_t complained;
        } notify;

        FdStoreIndex *fd_index;            /* of what is in fd stores; NULL until something is */
        struct Sandbox *sandbox;           /* what this machine permits (sandbox.c); NULL: nobody has asked */
        sd_event_source *memory;           /* looks at services with limits.memory_restart, where nobody tells; NULL: there are none */
        ScheduleClock *schedule_clock;     /* NULL until a service has a schedule */
        sd_event_source *schedule_retry;   /* the clock could not be armed, or a zone not be read, which is tried again: schedules are late; NULL: they are not */
        sd_event_source *retry;            /* of a store that failed */
        sd_event_source *books;            /* deferred: store, status upward, graveyard */
        Cell **graveyard;                  /* cells to be removed when there is time */
        size_t n_graveyard, graveyard_allocated;
        uint64_t *acks;                    /* exits that the keeper may forget once the books are written */
        size_t n_acks, acks_allocated;
        size_t n_acks_written;             /* the first of them: recorded */
        PendingEvent *events_head, **events_tail;
        size_t n_events;
        int64_t last_event_id;
        EventFollower *followers;
        LogStream *log_streams;
        Wait *waits;
        BalanceWait *balance_waits;        /* calls that wait for figures of balancers */
        bool balance_known;                /* all runs are: balancers may be told */
        bool balance_fresh;                /* while one of them is answered */

        char boot_id[33];
        char *credentials;                 /* directory of all credentials, made when the first is needed */
        char **problems;                   /* lasting ones, shown by status */
        usec_t started;
        ShutdownMode shutdown;
        CallList shutdown_calls;           /* to be answered at the end */
        CallList reopen_calls;             /* to be answered when the logger has opened its files anew */
        int exit_status;
        bool goodbye;                      /* the end is meant: the keeper ends too */
        bool journal;                      /* a journald listens */
        Reexec *reexec;                    /* NULL until there was one */
        ProbeSet *probes;                  /* NULL: no instance has had one */
        FloodWatch *flood;                 /* NULL until something writes to the journal */
        JournalSender journal_sender;      /* for our own events */
        bool unsettled;                    /* it was given back, but some of those that were started are not up yet, or clients came */
        bool lavish;                       /* a start or an apply has used memory that can be given back when it is done */
        bool loading;                      /* before the first READY: books wait */
        bool store_failed;                 /* until the next try */
        bool state_away;                   /* m->store is a copy in memory, because the file cannot be written */
        bool state_trial;                  /* it is of before our migration, which waits until nobody wants to go back to it */
        bool state_damaged;                /* the file is, not the disk: to be set aside */
        char *store_problem;               /* why the store cannot be written, or NULL */
        bool set_changed;                  /* dependents must be rebuilt */
        bool telling;                      /* service_tell_dependents() is at work */
        Service *tell, **tell_tail;        /* services whose dependents are to be told */
        uint64_t start_round;
        bool stops_deferred;               /* some instance's stop waits for its dependents */
};

/* manager.c */
int manager_new(sd_event *event, const Places *places, const ManagerOptions *options, Manager **ret, KlError *reterr);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager *, manager_free);
int manager_start(Manager *m, KlError *reterr);      /* called by the link when the keeper's list is complete */
int manager_open_door(Manager *m);                   /* clients are let in; 0 also when they are already */
void manager_problem(Manager *m, const char *format, ...) _printf_(2, 3);   /* remembered for status and logged */
