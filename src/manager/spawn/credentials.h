/* Credentials: files in memory for one instance, from its start to its end. */
#pragma once

#include "manager/manager.h"
#include "manager/spawn/spawn_env.h"

/* Where they are: below the runtime directory if that is in memory, else in /dev/shm, else below the runtime directory all the same. Nothing is made
 * yet. 0 or -ENOMEM. */
int credentials_init(Manager *m);
/* CREDENTIALS_DIRECTORY of an instance; malloc'ed. */
char *credentials_path(const Instance *i);
/* Before a start: they are read anew, unless that was done for this start. -errno with reterr, and then none are there. Nothing happens for a service
 * without credentials. */
int credentials_give(Instance *i, const Identity *id, KlError *reterr);
/* For a control process: those of the run, else as before a start; at rest there are none. */
int credentials_lend(Instance *i, const Identity *id, KlError *reterr);
void credentials_forget(Instance *i);           /* removes them, if there are any */
void credentials_run_over(Instance *i);         /* the next start reads them anew */
void credentials_attend(Instance *i);           /* its state changed: at rest it has none */
/* At our beginning, when it is known what lives: what others left is removed. */
void credentials_sweep(Manager *m);
void credentials_done(Manager *m);
/* "in memory: /run/kingly/credentials (tmpfs)"; malloc'ed. *ret_ok: nothing is to be mended about it. */
char *credentials_report(const Manager *m, bool *ret_ok);
