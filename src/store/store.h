/* State that outlives the daemon, in one SQLite file (write-ahead log). Schema by PRAGMA user_version, migrated in one transaction; a newer
 * file is refused. Single user: the manager; while another process writes, calls wait at most two seconds and then give -EBUSY.
 * Strings handed to callbacks are valid during the call only, and a callback must not call the store. NULL strings are stored as "".
 * Errors: -ENOSPC, -EROFS, -EUCLEAN (corrupt), -EBUSY, -EIO, -ENOMEM. */
#pragma once

#include "base/error.h"
#include "base/span.h"
#include "model/lifecycle.h"

typedef struct Store Store;

/* Creates the file (mode 0600) where there is none; its directory must exist. 0; -EUCLEAN when the file is corrupt (the caller may set it
 * aside with store_set_aside and open anew), -ENOTSUP when it is newer than us. */
int store_open(const char *path, Store **ret, KlError *reterr);
/* 1: there is a file, and store_open() would migrate it; 0: not; -errno. */
int store_outdated(const char *path);
/* Renames path (and -wal, -shm) to path.bad-TIMESTAMP; *ret is the new name, malloc'ed. */
int store_set_aside(const char *path, usec_t realtime, char **ret);
/* What the file holds, or nothing where it cannot be read, in memory: for when it cannot be written. Its write-ahead log is read as well; both
 * are copied for a moment into a directory below `scratch`, or wherever there is room. Errors as store_open, but no disk's. */
int store_open_copy(const char *path, const char *scratch, Store **ret, KlError *reterr);
/* Everything in `to` becomes what `from` holds, in one durable transaction. */
int store_replace(Store *to, Store *from, KlError *reterr);
Store *store_close(Store *s);
/* Gives back the memory of pages that are only kept to be read again (sqlite3_db_release_memory). */
void store_release(Store *s);
DEFINE_CLEANUP(Store *, store_close);

/* One transaction at a time. durable: on disk when commit returns (synchronous=FULL): what an operator was told is done. Not durable:
 * survives SIGKILL of the daemon, may lose the last moments at power loss (synchronous=NORMAL): bookkeeping of runs and events. */
int store_begin(Store *s, bool durable);  /* -EALREADY while one is open; without one, each call is its own, not durable */
/* Ends the transaction in every case. If any call in it failed, nothing is kept and the first failure is reported here, so callers may
 * leave the single results unchecked. */
int store_commit(Store *s, KlError *reterr);
void store_rollback(Store *s);

typedef struct StoredService {
        const char *ns, *name;
        const char *spec_json;       /* canonical form by config_spec_to_json */
        const char *origin;          /* file it came from, or "" */
        bool wanted;                 /* operator's goal: up or down */
        uint64_t generation;         /* starts so far over all instances, as far as the rows of its runs do not tell of later ones */
        int64_t position;            /* order of first apply */
} StoredService;
int store_put_service(Store *s, const StoredService *v);              /* insert or replace by (ns, name) */
int store_set_wanted(Store *s, const char *ns, const char *name, bool wanted); /* -ENOENT */
int store_set_generation(Store *s, const char *ns, const char *name, uint64_t generation);  /* nothing happens for an unknown service */
int store_delete_service(Store *s, const char *ns, const char *name); /* with its runs and its schedule; 0 also if there was none */
/* By position; stops at the first non-zero that `each` returns, and returns it. The same for runs and events. */
int store_each_service(Store *s, int (*each)(void *userdata, const StoredService *v), void *userdata);

typedef struct StoredRun {
        const char *ns, *name;
        unsigned instance;
        uint32_t number;             /* of the instance among all of them; UINT32_MAX: not known */
        uint64_t run, generation;
        const char *invocation_id;   /* 32 hex digits */
        pid_t pid;
        uint64_t start_time;
        const char *boot_id;
        const char *isolation, *where;
        usec_t since_realtime;
        Lifecycle lc;                /* times are of that boot */
        bool stop_due;               /* a stop was ordered and waits for dependents */
        usec_t watchdog;             /* interval in force; 0: none */
        const char *status, *hint;   /* what it said of itself, or why it is as it is; "" */
        const char *said;            /* lines NAME=value in the words of sd_notify(3); "" */
} StoredRun;
int store_put_run(Store *s, const StoredRun *v);                      /* one per (ns, name, instance): replaces */
int store_delete_run(Store *s, const char *ns, const char *name, unsigned instance);
int store_delete_orphans(Store *s);                                   /* runs whose service was deleted */
int store_each_run(Store *s, int (*each)(void *userdata, const StoredRun *v), void *userdata);

typedef struct StoredSchedule {
        const char *ns, *name;
        usec_t handled;              /* CLOCK_REALTIME: what was due up to then has been dealt with */
        usec_t last;                 /* the last run of the schedule; 0: none yet */
        uint32_t pending;            /* runs that wait for their turn */
} StoredSchedule;
int store_put_schedule(Store *s, const StoredSchedule *v);            /* one per (ns, name): replaces; goes with its service */
int store_each_schedule(Store *s, int (*each)(void *userdata, const StoredSchedule *v), void *userdata);

typedef struct StoredEvent {
        int64_t id;                  /* ascending; 0 on insert: the store chooses the next; -EEXIST for one that is there */
        usec_t realtime;
        const char *ns, *name;       /* "" for the daemon's own */
        int instance;                /* -1: the whole service */
        const char *kind;            /* "started" "ready" "exited" … */
        const char *message;         /* a line for people */
        const char *data_json;       /* object, or "" */
} StoredEvent;
#define STORE_EVENTS_KEPT 10000
int store_add_event(Store *s, const StoredEvent *v, int64_t *ret_id);   /* the oldest beyond STORE_EVENTS_KEPT go */
/* Those with id > after (0: all), oldest first; and, of these, those with realtime >= since, newest first. Rows come as they are read: an
 * `each` that has enough says so, and nothing was held in memory. */
int store_each_event(Store *s, int64_t after, int (*each)(void *userdata, const StoredEvent *v), void *userdata);
int store_each_event_back(Store *s, int64_t after, usec_t since, int (*each)(void *userdata, const StoredEvent *v), void *userdata);

/* Puts into words the -errno that a write gave, with what to do about it. Returns r. */
int store_error(const Store *s, int r, KlError *reterr);

int store_get_meta(Store *s, const char *key, char **ret);   /* -ENOENT */
int store_set_meta(Store *s, const char *key, const char *value);
