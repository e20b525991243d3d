/* Where kind `cgroup` builds: BASE, the cgroup that the daemon found itself in, and ROOT, BASE/kingly-HOME, which is the daemon's own. */
#pragma once

#include "isolate/isolate_internal.h"

typedef struct CgroupBase {
        Isolate *isolate;         /* borrowed: mount, home_id, options, support table */
        char *base, *root;        /* absolute directories */
        char *supervisor;         /* ROOT/supervisor once our own processes were moved there, else NULL */
} CgroupBase;

/* Finds BASE, makes ROOT and removes what an earlier life left empty there. 0, or -errno with reterr. */
int cgroup_base_open(CgroupBase *b, Isolate *i, KlError *reterr);
/* Enables for ROOT what BASE has and sets i->controllers; denies in the support table what is not in force, with the reason. */
int cgroup_base_enable(CgroupBase *b);
/* Removes what is empty below ROOT, ROOT itself if nothing is left, and frees. Processes stay where they are, but for our own in
 * ROOT/supervisor, which go back to BASE when nothing else is left. */
void cgroup_base_done(CgroupBase *b);
