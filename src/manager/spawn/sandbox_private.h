/* What sandbox*.c of this room share. */
#pragma once

#include "manager/api/call_list.h"
#include "manager/spawn/sandbox.h"

#define SANDBOX_LINES 7

typedef enum Means { MEANS_UNKNOWN, MEANS_OWN_RIGHT, MEANS_USER_NAMESPACE, MEANS_NONE } Means;

struct Sandbox {
        Manager *manager;
        Means means;
        Means trying;                      /* by which means the trial under way is made */
        bool own_refused;
        uint64_t run;                      /* of the trial, or 0 */
        sd_event_source *deadline;         /* of the trial; without one, the time to try by the next means */
        char *why;                         /* MEANS_NONE: what was refused, in words */
        CallList calls;                    /* wait for the end of the trial */
        int (*answer)(Manager *m, VarlinkCall *call);
        char *filter_key;                  /* what the filter below was made of: services of one kind start one after the other */
        int filter;
        char *lines_why;                   /* of the last report */
        SandboxSupport lines[SANDBOX_LINES];
};

Sandbox *sandbox_of(Manager *m);           /* made when it is asked for first; NULL on OOM */
/* 1: known; 0: the trial is under way; -errno. */
int sandbox_find_out(Sandbox *s);
