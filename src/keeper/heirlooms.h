/* Descriptors on their way from one keeper to the next, whatever brings them: systemd's file descriptor store, the heir (heir.h), or execve(2). */
#pragma once

#include "keeper/hold.h"

/* The names of the vault that are not the manager's. Of a run's log pipes: "log-", its number in 16 hexadecimal digits, "-0" or "-1". */
#define HEIRLOOM_TABLE "table-"         /* and a number that grows: the last one is the one that counts */
#define HEIRLOOM_LOG "log-"
#define HEIRLOOM_NOTES "notes"          /* the logger's */
#define HEIRLOOM_PROGRAM "program-"     /* what the next keeper executes as manager, as logger: "program-kingd-manager" */
#define HEIRLOOM_SELF "self"            /* to an heir alone: what it shall execute in its own place */
/* These only over execve(2). */
#define HEIRLOOM_BEFORE "before-"       /* likewise, but to go back to */
#define HEIRLOOM_GATE "gate-"           /* of a run that does not execute yet, named as its log pipes are */
#define HEIRLOOM_HEIR "heir"            /* the wire to it */

/* What came with our start: packed by another keeper, or passed by systemd (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES; a name
 * that is missing is "fd3", "fd4", …). The variables are removed, the array is the caller's. -ENOMEM, 0, or 1 when it was a keeper: then limits and OOM
 * score of this process are that keeper's own. */
int heirlooms_from_environment(Held **ret, size_t *ret_n);

/* Prepares execve(2): the descriptors lose FD_CLOEXEC, their list goes into a memory file that a variable of our environment names. */
int heirlooms_pack(const Held *items, size_t n);
/* It was not executed after all: undoes that. */
void heirlooms_keep(const Held *items, size_t n);
