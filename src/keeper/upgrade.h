/* Other programs in the place of these: the keeper executes the kingd that stands on the disk now, in the same process, so that it stays the parent
 * of every service; the new one starts its own manager and logger. Four steps:
 *
 *   ASKING     the new kingd is run beside us and asked whether it could go on with our table (candidate.h). If not, nothing was touched.
 *   LEAVING    manager and logger write what they have and end. Clients wait in the queue of the listening socket, output in the pipes.
 *   TRIAL      we are the new one. A manager that serves in time: DONE. Else we execute the old programs, which were kept open, and are the old one.
 *   PROBATION  for a minute more the way back stays open, for a manager or a logger that falls again and again.
 *
 * What is handed on is the table, which is the same memory before and after, and descriptors (heirlooms.h): log pipes, gates, what the manager holds,
 * the programs before, the heir's wire. */
#pragma once

#include "keeper/helpers.h"
#include "keeper/hold.h"

#define UPGRADE_WITHIN (60 * USEC_PER_SEC)      /* for the new programs to serve, unless told otherwise */

typedef enum UpgradePhase { UPGRADE_QUIET, UPGRADE_ASKING, UPGRADE_LEAVING, UPGRADE_TRIAL, UPGRADE_PROBATION } UpgradePhase;

typedef enum ProgramKind { PROGRAM_KINGD, PROGRAM_MANAGER, PROGRAM_LOGGER, _PROGRAM_MAX } ProgramKind;

typedef struct Upgrade {
        UpgradePhase phase;
        usec_t at, until;               /* CLOCK_MONOTONIC: when to look again, USEC_INFINITY: never; end of the trial */
        uint64_t within;                /* what was asked for, microseconds */
        bool back;                      /* LEAVING: to the programs before */
        unsigned impatience;            /* how often those who were to leave took too long */
        bool settled;                   /* the way back ends with the trial */
        bool leave_due, tell_due, news; /* to be said to the manager */
        Helper candidate;
        int before[_PROGRAM_MAX];       /* the way back, O_PATH, or -EBADF */
} Upgrade;

typedef struct Keeper Keeper;

void upgrade_init(Keeper *k);
void upgrade_done(Keeper *k);

/* REEXEC came. if_changed: only when a file is another than that which is executed; else nothing happens. */
void upgrade_ask(Keeper *k, uint64_t within, bool if_changed);
void upgrade_due(Keeper *k);                    /* `at` has come */
/* Once a turn of the loop: when all have left, executes what follows. Comes back when that is not due or not possible. */
void upgrade_turn(Keeper *k);
void upgrade_settled(Keeper *k);                /* SETTLED came */
void upgrade_ready(Keeper *k);                  /* READY came */

/* These say whether the upgrade deals with it: then nobody else does. */
bool upgrade_leaving(const Keeper *k);          /* nothing is to be started */
bool upgrade_reaped(Keeper *k, pid_t pid, int status);          /* it was the candidate */
bool upgrade_manager_ended(Keeper *k, pid_t pid, int status);
bool upgrade_logger_ended(Keeper *k, pid_t pid, int status);
bool upgrade_gave_up(Keeper *k, int status, const char *why);   /* SHUTDOWN came: not from a manager that never served */

/* After execve(2). A program's descriptor among the heirlooms, taken out of them, or -EBADF; the rest by upgrade_take(), which says whether
 * it was for the upgrade; then, with the table in place, where we are. */
int upgrade_program(Held *items, size_t n, const char *name);
bool upgrade_take(Keeper *k, const Held *item);
void upgrade_resume(Keeper *k);
/* We cannot even begin: executes the program before us with everything that it left. Comes back only when there is none. */
void upgrade_cannot_begin(Keeper *k, Held *items, size_t n);
/* Likewise later, out of a loop that cannot go on, or a crash. Comes back unless this is a trial or a probation. */
void upgrade_cannot_go_on(Keeper *k, const char *why);
