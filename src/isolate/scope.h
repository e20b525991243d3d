/* Inside of the kind `scope`: one connection to systemd, the scopes on it, and the way of a start.
 *
 *   NEW ──place──▶ WAITING ──window──▶ CALLED ──reply──▶ QUEUED ──JobRemoved "done"──▶ PLACED
 *                     ▲                   │                 │
 *                     └── fault of the moment, new name, a property less        (anything else, or the deadline) ──▶ FAILED
 *
 * scope.c             the vtable, names, and the life of a cell
 * scope_where.c       where a scope is, and whose
 * scope_connect.c     where systemd is reached
 * scope_bus.c         the connection, and what it says unasked
 * scope_probe.c       what is asked before all else
 * scope_queue.c       the window
 * scope_job.c         the way of a start
 * scope_live.c        new limits for the living
 * scope_stop.c        stopped by somebody else
 * scope_oom.c         kills for want of memory
 * scope_properties.c  what systemd is told about a scope */
#pragma once

#include <systemd/sd-bus.h>

#include "base/map.h"
#include "isolate/isolate_internal.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

/* dbus-daemon refuses more than 128 unanswered calls of one connection (max_replies_per_connection). */
#define SCOPE_WINDOW 64u
#define SCOPE_DEADLINE_USEC (30 * USEC_PER_SEC)   /* from the first call; also until there is a bus to make it on */
#define SCOPE_ASK_USEC (2 * USEC_PER_SEC)        /* an exit waits so long for the reason */
#define SCOPE_SYNC_USEC (15 * USEC_PER_SEC)      /* the few calls that are waited for, all before the event loop turns */

typedef enum ScopeState { SCOPE_NEW, SCOPE_WAITING, SCOPE_CALLED, SCOPE_QUEUED, SCOPE_PLACED, SCOPE_FAILED } ScopeState;

typedef struct ScopeSlice ScopeSlice;
typedef struct ScopeCell ScopeCell;
struct ScopeCell {
        Cell cell;                     /* where: the unit's name, key in ScopeIsolate.cells */
        ScopeState state;
        ServiceSpec *spec;             /* copy, until systemd knows all of it */
        char *slice;
        char *invocation;              /* of the run: what marks its scope; NULL in NEW */
        char *job;                     /* object path, in QUEUED */
        sd_bus_slot *call;             /* StartTransientUnit in CALLED, SetUnitProperties in PLACED */
        sd_event_source *deadline;
        bool renamed;                  /* the name was taken and has a suffix now */
        bool changed;                  /* the spec changed after the call went out: another must follow */
        bool asked, seen;              /* while a list of all scopes is under way */
        sd_bus_slot *question;         /* whether it was stopped by somebody else */
        bool stop_said;
        ScopeSlice *oom_slice;         /* borrowed; NULL without a memory controller */
        uint64_t oom_kills;            /* known so far */
        bool queued, in_window;
        bool sent;                     /* at least once */
        ScopeCell *previous, *next;    /* in the queue */
};

typedef struct ScopeIsolate {
        Isolate isolate;
        sd_bus *bus;
        bool direct;                   /* bus ends at systemd's own socket, or did so last: there is no bus in between */
        bool bus_only;                 /* systemd's own socket is of no use to us */
        bool up;                       /* subscribed, and systemd is there */
        unsigned attempt;              /* reconnections in a row */
        sd_event_source *pump;         /* deferred: sends what waits */
        sd_event_source *drain;        /* deferred: takes what else has come */
        bool draining;
        sd_event_source *retry;        /* timer: connects again, or pumps again */
        sd_bus_slot *list;             /* ListUnitsByPatterns under way */
        Map *cells;                    /* unit name → ScopeCell */
        Map *slices;                   /* directory → ScopeSlice, owned */
        ScopeCell *first, *last;       /* waiting for the window, oldest first */
        unsigned in_flight;            /* cells in the window */
        uint64_t missing;              /* properties that this systemd does not know, by index in the table */
        bool looked;                   /* at the controllers of a real scope */
        char *own_unit;                /* the service that the keeper is the main process of, or NULL */
        char *base;                    /* directory of the manager's own cgroup, below which its slices are */
} ScopeIsolate;

static inline ScopeCell *SCOPE_CELL(Cell *c) {
        return (ScopeCell *) c;
}
static inline ScopeIsolate *SCOPE_ISOLATE(const ScopeCell *c) {
        return (ScopeIsolate *) c->cell.isolate;
}

/* ---- scope_connect.c ---- */

/* Opens si->bus, without waiting. After a connection to systemd's own socket broke, that one is tried alone for some attempts, since
 * systemd comes back to it; -ECONNREFUSED or -ENOENT as long as it has not. */
int scope_connect(ScopeIsolate *si);
const char *scope_connection_name(const ScopeIsolate *si);     /* for messages: "system bus" */

/* ---- scope_bus.c ---- */

/* Connects and asks what systemd can do, synchronously; then attaches to the event loop. */
int scope_bus_start(ScopeIsolate *si, KlError *reterr);
int scope_bus_listen(ScopeIsolate *si);        /* the last of that: si->bus is there */
void scope_bus_stop(ScopeIsolate *si);
/* A call of the manager object with no reply wanted. One that cannot be sent is lost with the connection that it was about. */
void scope_bus_tell(ScopeIsolate *si, const char *method, const char *types, ...);
/* Has scope_queue_pump() run from the event loop: at once, or after a fault, a moment later. */
void scope_bus_pump(ScopeIsolate *si);
void scope_bus_pump_later(ScopeIsolate *si);

/* ---- scope_probe.c ---- */

int scope_probe(ScopeIsolate *si, KlError *reterr);

/* ---- scope_queue.c ---- */

void scope_queue_add(ScopeCell *c);            /* nothing happens if it is there */
void scope_queue_remove(ScopeCell *c);
void scope_queue_pump(ScopeIsolate *si);       /* sends what waits, as far as the window goes */
int scope_call(ScopeCell *c, sd_bus_message *m, sd_bus_message_handler_t answered);
void scope_call_done(ScopeCell *c);            /* leaves the window: what was asked has come to its end, or does not matter any more */

/* ---- scope_job.c ---- */

int scope_job_enqueue(ScopeCell *c);           /* NEW → WAITING */
int scope_job_send(ScopeCell *c);              /* WAITING → CALLED; -ENOTCONN: still waits. Other errors were told to the owner */
void scope_job_removed(ScopeCell *c, const char *job, const char *result);
/* After signals may have been lost: what the kernel and the list of units say about a start under way. job: "" when there is none. */
void scope_job_check(ScopeCell *c, bool known, const char *job);
void scope_job_abandon(ScopeCell *c);          /* forgets the call, the job and the deadline */

/* ---- scope_live.c ---- */

int scope_live_apply(ScopeCell *c, const ServiceSpec *spec);
int scope_live_send(ScopeCell *c);             /* as scope_job_send() */
bool scope_fault_of_the_moment(const sd_bus_error *e);

/* ---- scope_stop.c ---- */

void scope_stopped(ScopeCell *c, const char *why);             /* tells the owner, once; he may free the cell. why: NULL is the usual one */
int scope_cell_ask_stopped(Cell *cell);

/* ---- scope_oom.c ---- */

void scope_oom_enter(ScopeCell *c);            /* the cell's cgroup is known */
int scope_cell_usage(Cell *cell, bool detail, Usage *ret);
void scope_slices_free(ScopeIsolate *si);

/* ---- scope_properties.c ---- */

typedef enum PropertyUse {
        PROPERTY_START,                        /* everything that is set */
        PROPERTY_LIVE,                         /* limits only, and what is unset is reset */
        PROPERTY_PROBE,                        /* everything, with values that mean nothing, and at the end one that nobody knows */
} PropertyUse;
/* Appends an array a(sv). 0, or -errno with reterr naming the key. */
int scope_properties_append(const ScopeCell *c, const ServiceSpec *spec, PropertyUse use, sd_bus_message *m, KlError *reterr);
/* systemd's answer to a property that it does not know or does not let us set. */
bool scope_properties_refused(const sd_bus_error *e);
/* Remembers the property that such an answer names, and denies the key behind it. 1 dropped, 0 the end of a probe, -EOPNOTSUPP one that
 * cannot be done without, -EBADMSG none that we know. */
int scope_properties_drop(ScopeIsolate *si, const sd_bus_error *e);
bool scope_property_missing(const ScopeIsolate *si, const char *name);
/* Device lists are resolved before anything is asked of systemd, which would only log what it cannot resolve. */
int scope_properties_check(const ScopeIsolate *si, const ServiceSpec *spec, KlError *reterr);

/* ---- scope_where.c ---- */

/* The directory of the scope that a process is in, malloc'ed; -ENOENT when it is elsewhere or the scope is another's, -ESRCH when there is no
 * such process. */
int scope_directory_of(const ScopeCell *c, pid_t pid, char **ret);
int scope_locate(const Isolate *i, pid_t pid, const char *invocation_id, char **ret);   /* as isolate_locate() */
/* Makes sure that the cgroup that was opened is the run's, and marks it so. unmarked: also one that nobody has marked. -ENOENT: it is not, and
 * is closed again. */
int scope_claim(ScopeCell *c, bool unmarked);
/* Finds the scope of a run that went on without us, opens it, and gives its unit's name, malloc'ed. c->slice, c->invocation and the main process
 * are known. -ENOENT: there is none that is ours for certain. */
int scope_find(ScopeCell *c, const CellName *name, char **ret_unit);

/* ---- scope.c ---- */

/* The cgroup is known now: opens it, claims it, and once looks at its controllers. Errors of scope_claim() and cgroup_cell_open(). */
int scope_open(ScopeCell *c, const char *directory, bool unmarked);
int scope_rename(ScopeCell *c);                                /* gives it another name than the one that was taken */
void scope_placed(ScopeCell *c, int error, const char *format, ...) _printf_(3, 4);   /* tells the owner, who may free the cell */
