/* What the files of the upgrade share. Internal to them: upgrade.c (its phases), upgrade_ask.c (who could follow), upgrade_execute.c (what is handed
 * on, and the execution). */
#pragma once

#include "keeper/state.h"

extern const char *const program_names[_PROGRAM_MAX];

static inline UpgradeRecord *upgrade_record(Keeper *k) {
        return &k->table.header->upgrade;
}

Helper *upgrade_helper(Keeper *k, ProgramKind kind);            /* that executes the program */
_printf_(2, 3) void upgrade_explain(Keeper *k, const char *format, ...);        /* into the record: why */
void upgrade_enter(Keeper *k, UpgradePhase phase, usec_t patience);
void upgrade_rest(Keeper *k, UpgradeOutcome outcome);           /* nothing came of it, or all: the manager is told */
void upgrade_leave(Keeper *k, bool back);

void upgrade_ask_candidate(Keeper *k);
void upgrade_ask_end(Keeper *k);                /* it took too long */

/* Hands everything on to the kingd that follows, or to the one before (upgrade.back). Comes back only with what went wrong. */
int upgrade_execute(Keeper *k);
