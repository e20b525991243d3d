/* The sandbox of services: what this machine permits, found out by trying, and what a start asks the keeper for. */
#pragma once

#include "manager/manager.h"

typedef struct Sandbox Sandbox;            /* Manager.sandbox; NULL until something asks for it */

/* 1: it is known what there is for such a service (or nothing of it needs to be); 0: being tried, the start queue is pumped when it is known; -ENOMEM. */
int sandbox_ready(Manager *m, const ServiceSpec *s);
Sandbox *sandbox_free(Sandbox *s);

/* What goes into a SPAWN: flags in the packet, the changes to the file system, and descriptors, which are the last ones on the wire. */
typedef struct SandboxParts {
        uint32_t flags;                    /* SPAWN_* */
        char **mounts;                     /* owned */
        int ruleset;                       /* owned, or -EBADF */
        int filter;                        /* borrowed, or -EBADF */
} SandboxParts;
void sandbox_parts_done(SandboxParts *p);
/* Only when sandbox_ready(). 0; -EOPNOTSUPP with reterr naming the key that cannot be kept here and why; other -errno. */
int sandbox_parts(const Instance *i, SandboxParts *ret, KlError *reterr);

/* What failed at STAGE_MOUNTS: "sandbox.hidden: /srv/data". malloc'ed; NULL at another stage, or where it cannot be told. */
char *sandbox_failure(const Instance *i, const WireFailed *p);

/* From link.c by runs.c: the end of the trial, which is no instance's. False: it is not. */
bool sandbox_trial_failed(Manager *m, const WireFailed *p);
bool sandbox_trial_exited(Manager *m, const WireExited *p);

/* For doctor. Has `answer` called with the call when all is known, now or later. 0 or -errno. */
int sandbox_ask(Manager *m, VarlinkCall *call, int (*answer)(Manager *m, VarlinkCall *call));
typedef struct SandboxSupport { const char *key; bool possible; const char *how; } SandboxSupport;   /* how: by what means, or why not */
/* What is known by then, one line for each kind of key; valid until the next call. */
const SandboxSupport *sandbox_support(Manager *m, size_t *ret_n);
