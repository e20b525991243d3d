/* The keeper as a function, so that main() is small and tests run the real thing. */
#pragma once

#include "base/macro.h"
#include "base/span.h"

typedef struct KeeperOptions {
        char *const *argv;              /* of this program, handed on to the manager with its own path in the first place; NULL: none */
        const char *manager, *logger;   /* paths; NULL: beside our executable or in the directory of the installation */
        bool heir;                      /* where no systemd keeps our descriptors and we are not PID 1, a process of our own does and goes on in our place (heir.h) */
        void (*ready)(int status);      /* called once: with 0 when a manager first says that it serves, or with the exit status when it never came. May be NULL */
} KeeperOptions;

/* Becomes the keeper: blocks and takes signals, becomes subreaper, raises RLIMIT_NOFILE, starts the manager, and returns the exit status for the
 * process when a manager said SHUTDOWN or none can be started. Once per process: little is put back. */
int keeper_run(const KeeperOptions *o);
