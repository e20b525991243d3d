/* Where the keeper's descriptors survive it: its table, the log pipes of the children, what it holds for the manager. Under systemd that is the
 * file descriptor store of the unit (sd_pid_notify_with_fds(3): FDSTORE=1), for a keeper in the background a process of its own, the heir. Either
 * gives all of it to the next keeper (resume.h). Without either they die with the keeper. */
#pragma once

#include "keeper/helpers.h"
#include "keeper/hold.h"

typedef enum VaultKind { VAULT_NONE, VAULT_SYSTEMD, VAULT_HEIR } VaultKind;

typedef struct Vault {
        VaultKind kind;
        Helper keeper_of;               /* the heir; under systemd only its wire is used: the notify socket */
        char **argv;                    /* of the heir, owned */
        char table_name[sizeof(((Held *) NULL)->name)];
        bool table_stored, notes_stored, programs_stored;
        bool renewal_due;               /* the heir shall execute our own program */
} Vault;

typedef struct Keeper Keeper;
typedef struct Child Child;

int vault_open(Keeper *k);                      /* decides for a kind. 0 or -errno */
void vault_done(Keeper *k);
void vault_ready_to_start(Keeper *k);           /* whoever started us in the background is told: the heir need not know its descriptors any more */
void vault_start(Keeper *k);                    /* the heir is due: starts it and begins to give it everything */
void vault_ended(Keeper *k, int status);        /* the heir was reaped */
void vault_adopt(Keeper *k, int wire, pid_t heir);      /* the one of before we executed ourselves anew; takes the wire */
void vault_renew(Keeper *k);                    /* the heir becomes one of our own program and knows ours, in its place */
void vault_abandon(Keeper *k);                  /* the end is meant: nobody inherits */
void vault_child(Keeper *k, Child *c);          /* its log pipes came into being or are closed */
bool vault_child_first(Keeper *k, Child *c);    /* the same, before it is cloned; false: hold it back, child_stored() tells when the heir has all that it needs */
void vault_drop(Keeper *k, const char *name);   /* now or, should the vault be full, not at all */
void vault_flush(Keeper *k);                    /* tells it as much as it takes */
