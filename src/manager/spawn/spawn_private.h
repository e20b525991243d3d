/* The parts of a WireSpawn, for spawn.c. */
#pragma once

#include "logger/log_wire.h"
#include "manager/life/instance.h"
#include "manager/spawn/spawn_env.h"

/* User and groups, priorities, umask, limits, capabilities, no-new-privileges. 0, or -EINVAL with reterr for a capability that this kernel does not know. */
int spawn_set_up(WireSpawn *p, const ServiceSpec *s, const Identity *id, KlError *reterr);

typedef struct Output {
        int out, err;                      /* owned, or -EBADF */
        uint32_t flags;                    /* SPAWN_FD_STDOUT … or SPAWN_LOG_PIPES */
        bool journal;                      /* it goes there */
        LogOpen log;                       /* with SPAWN_LOG_PIPES */
} Output;
#define OUTPUT_NULL { .out = -EBADF, .err = -EBADF }
/* Of a run of the instance, its main process's or a control process's. 0, or -errno with reterr; the descriptors are the caller's in either case. */
int spawn_output(const Instance *i, uint64_t run, Output *o, KlError *reterr);
