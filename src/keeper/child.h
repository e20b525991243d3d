/* What happens in a new process between clone(2) and execve(2). */
#pragma once

#include <signal.h>
#include <sys/resource.h>

#include "keeper/wire.h"

/* What the keeper changed for itself and a child must not inherit. */
typedef struct ChildDefaults {
        pid_t keeper;
        int null_fd;                    /* /dev/null, read and write */
        bool nofile_raised;
        struct rlimit nofile;           /* as it was */
        const char *oom_score_adj;      /* to write into /proc/self/oom_score_adj, or NULL */
        sigset_t ignored;               /* signals whose action is not the default one in the keeper */
} ChildDefaults;

/* Unblocks every signal and gives the ignored ones their default action: what execve(2) would hand on. */
void child_reset_signals(const ChildDefaults *d);

/* Descriptors for the set-up alone: our end of a SOCK_SEQPACKET pair, and what is enforced at the end. */
enum { OWN_GATE, OWN_RULESET, OWN_FILTER, _OWN_MAX };

typedef struct ChildSetup {
        const ChildDefaults *defaults;
        const WireSpawn *spawn;
        int own[_OWN_MAX];              /* close-on-exec; -EBADF where there is none */
        int fds[3 + WIRE_FDS_MAX + 1];  /* descriptor n of the command: stdin, stdout, stderr, listen…, ready */
        size_t n_fds;
        bool gated;                     /* waits for a byte on its gate, and dies with the keeper until then */
        uint32_t detail;                /* of the stage at work, see WireFailed */
} ChildSetup;

/* What the child says on its gate. {0, STAGE_EXEC}: everything is prepared and execve(2) comes next, so that the end of the gate (it is
 * close-on-exec) means success. An error: it happened at that stage, and the child exits. Nothing and the end: the child was killed. */
typedef struct ChildReport {
        int32_t error;                  /* positive errno */
        uint32_t stage;
        uint32_t detail;
} ChildReport;

/* Stages of child_sandbox.c: 0 or -errno. */
int child_namespaces(ChildSetup *c);
int child_mounts(ChildSetup *c);
int child_network(ChildSetup *c);
int child_drop_devices(ChildSetup *c);
int child_ruleset(ChildSetup *c);
int child_filter(ChildSetup *c);

/* Never returns. Allocates nothing but what libcap does. */
_Noreturn void child_run(ChildSetup *c);
