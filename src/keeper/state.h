/* The one object of the keeper and what its files do with it. Internal to the room.
 *
 * Nothing that must be told is told on the spot: it is noted here (in the children's entries, in bits, in one slot for a refusal) and goes out at
 * the end of each turn of the loop as far as the sockets take it, so that a slow manager or logger costs neither memory nor time. */
#pragma once

#include "keeper/helpers.h"
#include "keeper/hold.h"
#include "keeper/keeper.h"
#include "keeper/pulse.h"
#include "keeper/table.h"
#include "keeper/upgrade.h"
#include "keeper/vault.h"

#define CONTAINER_OF(p, type, member) ((type *) (void *) ((char *) (p) - offsetof(type, member)))

/* A process that was reaped and of no run. */
typedef struct Reaped { pid_t pid; int status; struct rusage usage; } Reaped;
#define REAPED_KEPT 64

struct Keeper {
        const KeeperOptions *options;
        Poller poller;
        Table table;
        Hold hold;
        ChildDefaults defaults;
        uint64_t nofile_soft;
        PollSource signals;
        Helper manager, logger;
        Vault vault;
        uint32_t alive;                 /* children not reaped yet */
        Reaped reaped[REAPED_KEPT];     /* the last ones; n_reaped counts all there ever were */
        uint32_t n_reaped;
        bool unreaped;                  /* more may be waiting than a turn has room for */
        bool reopening, reopen_again;   /* the logger is asked and has not answered; meanwhile it was to be asked once more */

        /* the conversation with the manager */
        bool listening;                 /* it has said HELLO */
        bool hello_due, refusal_due, reopened_due;
        WireFailed refusal;
        uint64_t signals_due;           /* bit n-1: signal n; kept while there is no manager */
        bool listing, list_half;        /* half: CHILD of an exited one is said, its EXITED is not */
        uint32_t list_next, list_held;

        Pulse pulse;
        int last_status;                /* how the manager before this one ended */
        bool last_hung;
        bool greeted;                   /* this manager has said HELLO */
        unsigned silent_ends;           /* managers in a row that ended without it */
        bool ready_called;
        bool in_place;                  /* we executed ourselves anew: the table is that of before */
        Upgrade upgrade;
        bool closing;
        int status;
        usec_t close_by;

        uint64_t packet[WIRE_MAX / sizeof(uint64_t)];
};

enum { PRIORITY_GATE, PRIORITY_SIGNALS, PRIORITY_LOGGER, PRIORITY_MANAGER };

/* keeper.c */
void keeper_ready(Keeper *k, int status);
void keeper_close(Keeper *k, int status);       /* leave: closes the helpers' sockets and gives them two seconds */

/* say.c: to the manager */
void say(Keeper *k, Child *c, unsigned what);   /* SAY_*; without a listening manager nothing is noted: LIST will tell */
void say_refusal(Keeper *k, uint64_t run, int error, SpawnStage stage);
void say_flush(Keeper *k);
void say_stop(Keeper *k);                       /* the manager is gone */

/* hear.c: from the manager */
void hear_ready(PollSource *s, uint32_t events);
void hear_rest(Keeper *k);                      /* everything that a dead manager left */

/* spawn.c */
void spawn_child(Keeper *k, const WireSpawn *s, const int *fds);
void child_release(Keeper *k, Child *c);
void child_stored(Child *c);                    /* the vault has its pipes, or there is no vault any more */
void child_signal(Child *c, int sig, unsigned target);
void child_ended(Keeper *k, Child *c, int status, const struct rusage *usage);  /* it was just reaped */
void child_resume(Keeper *k, Child *c);         /* of a table that was adopted; then its gate, if it has one; then child_resumed() */
void child_resume_gate(Keeper *k, Child *c, int gate);
void child_resumed(Keeper *k, Child *c);
void child_settle(Keeper *k, Child *c);         /* forgets it when nothing about it is left to do */

void child_drain(Keeper *k, Child *c);          /* what its gate has said is heard now */

/* succession.c: main processes that we did not make. The gate of one that executes is free, and is its pidfd where somebody else is its parent */
void reaped_note(Keeper *k, pid_t pid, int status, const struct rusage *usage);
void child_succeed(Keeper *k, Child *c, pid_t pid, uint64_t start_time);
bool child_is_alien(const Child *c);
void alien_watch(Keeper *k, Child *c);          /* if it is one */
void alien_forget(Keeper *k, Child *c);

/* logs.c */
int logs_make_pipes(Child *c, int ret_write[2]);
void logs_submit(Keeper *k, Child *c);          /* its command executes: the logger shall have the read ends */
void logs_close(Child *c);
void logs_reopen(Keeper *k);                    /* the logger shall open its files anew; the manager is told when it has */
void logs_flush(Keeper *k);                     /* starts the logger when there is something for it */
void logs_ready(PollSource *s, uint32_t events);
void logs_rest(Keeper *k);                      /* the logger is gone: hears what it left and notes everything for the next */
