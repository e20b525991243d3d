/* What an earlier keeper left, taken up by this one: after its death, or after it executed itself anew (then its children are still ours). */
#pragma once

#include "keeper/state.h"

/* The table, first of all: that of before execve(2), when these are our own heirlooms (`limits`: as below), else a new one. 0, -ENOMEM, or -EPROTO and -EBADMSG for one of
 * our own that makes no sense to us. */
int resume_table(Keeper *k, Held *items, size_t n, bool limits);

/* Sorts the descriptors into the table, the children's log pipes and the hold; takes them all. To be called once, when table and poller are there
 * and the vault is open. Children that are ours still go on as they were; others become CHILD_ORPHAN, of interest for their log and for the manager.
 * `limits`: this process has those that the other changed for itself, so what children get is in its table too. */
void resume(Keeper *k, Held *items, size_t n, bool limits);
