/* What is known of each packet: its name, its size, its descriptors. Must stay true: nothing that arrives is used before wire_check() has said
 * 0, and wire_check() reads nothing outside the `size` bytes that were received. */
#include "keeper/wire.h"

#include <limits.h>
#include <signal.h>

static int check_run(const void *packet) {
        const WireRun *p = packet;

        return p->run == 0 ? -EBADMSG : 0;
}

static int check_name(const void *packet) {
        const WireHold *p = packet;

        return p->name[0] == '\0' || !memchr(p->name, '\0', sizeof(p->name)) ? -EBADMSG : 0;
}

static int check_signal_number(const void *packet) {
        const WireSignal *p = packet;

        return p->signal < 1 || p->signal >= _NSIG || p->target > WIRE_TO_GROUP ? -EBADMSG : 0;
}

static int check_signal(const void *packet) {
        const WireSignal *p = packet;

        return p->run == 0 ? -EBADMSG : check_signal_number(packet);
}

static int check_child(const void *packet) {
        const WireChild *p = packet;

        return p->run == 0 || p->state < CHILD_GATED || p->state > CHILD_ORPHAN ? -EBADMSG : 0;
}

static bool ends(const char *text, size_t size) {
        return memchr(text, '\0', size) != NULL;
}

static int check_upgrade(const void *packet) {
        const UpgradeRecord *u = &((const WireUpgrade *) packet)->last;

        return u->outcome >= _UPGRADE_OUTCOME_MAX || !ends(u->from, sizeof(u->from)) || !ends(u->to, sizeof(u->to)) || !ends(u->why, sizeof(u->why)) ?
                       -EBADMSG : 0;
}

static int check_shutdown(const void *packet) {
        const WireShutdown *p = packet;

        return ends(p->why, sizeof(p->why)) ? 0 : -EBADMSG;
}

static int check_candidate(const void *packet) {
        const WireCandidate *p = packet;

        return !ends(p->version, sizeof(p->version)) || p->version[0] == '\0' ? -EBADMSG : 0;
}

static int check_main(const void *packet) {
        const WireMain *p = packet;

        return p->run == 0 || p->pid <= 1 || p->start_time == 0 ? -EBADMSG : 0;
}

typedef struct WireRule {
        uint32_t type;
        const char *name;
        size_t size;                    /* of the fixed part */
        size_t fds;
        int (*check)(const void *packet);
} WireRule;

static const WireRule rules[] = {
        { WIRE_HELLO, "HELLO", sizeof(WireHello), 0, NULL },
        { WIRE_SPAWN, "SPAWN", sizeof(WireSpawn), 0, NULL }, /* see check_spawn() */
        { WIRE_RELEASE, "RELEASE", sizeof(WireRun), 0, check_run },
        { WIRE_SIGNAL, "SIGNAL", sizeof(WireSignal), 0, check_signal },
        { WIRE_MAIN, "MAIN", sizeof(WireMain), 0, check_main },
        { WIRE_LIST, "LIST", sizeof(WireHeader), 0, NULL },
        { WIRE_ACK, "ACK", sizeof(WireRun), 0, check_run },
        { WIRE_HOLD, "HOLD", sizeof(WireHold), 1, check_name },
        { WIRE_DROP, "DROP", sizeof(WireHold), 0, check_name },
        { WIRE_SHUTDOWN, "SHUTDOWN", sizeof(WireShutdown), 0, check_shutdown },
        { WIRE_READY, "READY", sizeof(WireHeader), 0, NULL },
        { WIRE_REOPEN, "REOPEN", sizeof(WireHeader), 0, NULL },
        { WIRE_PONG, "PONG", sizeof(WireHeader), 0, NULL },
        { WIRE_REEXEC, "REEXEC", sizeof(WireReexec), 0, NULL },
        { WIRE_SETTLED, "SETTLED", sizeof(WireHeader), 0, NULL },
        { WIRE_HOLD_PIPES, "HOLD_PIPES", sizeof(WireHold), 2, check_name },
        { WIRE_DROP_PIPES, "DROP_PIPES", sizeof(WireHold), 0, check_name },
        { WIRE_SPAWNED, "SPAWNED", sizeof(WireSpawned), 0, check_run },
        { WIRE_EXECED, "EXECED", sizeof(WireRun), 0, check_run },
        { WIRE_FAILED, "FAILED", sizeof(WireFailed), 0, NULL }, /* run may be 0: of a malformed SPAWN */
        { WIRE_EXITED, "EXITED", sizeof(WireExited), 0, check_run },
        { WIRE_CHILD, "CHILD", sizeof(WireChild), 0, check_child },
        { WIRE_HELD, "HELD", sizeof(WireHold), 1, check_name },
        { WIRE_LIST_END, "LIST_END", sizeof(WireHeader), 0, NULL },
        { WIRE_SIGNALED, "SIGNALED", sizeof(WireSignal), 0, check_signal_number },
        { WIRE_PING, "PING", sizeof(WireHeader), 0, NULL },
        { WIRE_REOPENED, "REOPENED", sizeof(WireHeader), 0, NULL },
        { WIRE_LEAVE, "LEAVE", sizeof(WireHeader), 0, NULL },
        { WIRE_UPGRADE, "UPGRADE", sizeof(WireUpgrade), 0, check_upgrade },
        { WIRE_CANDIDATE, "CANDIDATE", sizeof(WireCandidate), 0, check_candidate },
};

static const WireRule *rule_of(uint32_t type) {
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
                if (rules[i].type == type)
                        return rules + i;
        return NULL;
}

const char *wire_type_name(uint32_t type) {
        const WireRule *rule = rule_of(type);

        return rule ? rule->name : "unknown packet";
}

const char *wire_stage_name(SpawnStage s) {
        static const char *const names[_STAGE_MAX] = {
                [STAGE_CLONE] = "create process",
                [STAGE_PIPE] = "create pipes",
                [STAGE_CGROUP] = "create process in its cgroup",
                [STAGE_GATE] = "wait for release",
                [STAGE_SESSION] = "create session",
                [STAGE_DESCRIPTORS] = "arrange file descriptors",
                [STAGE_RLIMIT] = "set resource limits",
                [STAGE_NICE] = "set nice level",
                [STAGE_IOPRIO] = "set I/O priority",
                [STAGE_OOM] = "set OOM score adjustment",
                [STAGE_CAPABILITIES] = "set capabilities",
                [STAGE_GROUPS] = "set groups",
                [STAGE_USER] = "change user",
                [STAGE_NO_NEW_PRIVS] = "set no_new_privs",
                [STAGE_CWD] = "change directory",
                [STAGE_ENVIRONMENT] = "compose environment",
                [STAGE_EXEC] = "execute",
                [STAGE_KILLED] = "killed before execution",
                [STAGE_TABLE_FULL] = "find room in the table of processes",
                [STAGE_MALFORMED] = "understand the request",
                [STAGE_AFFINITY] = "set CPU affinity",
                [STAGE_SCHEDULER] = "set scheduling policy",
                [STAGE_NAMESPACES] = "create namespaces for its sandbox",
                [STAGE_MOUNTS] = "set up the file system of its sandbox",
                [STAGE_NETWORK] = "set up the network of its sandbox",
                [STAGE_DEVICES] = "give up the right to make devices",
                [STAGE_RULESET] = "enforce its Landlock rules",
                [STAGE_FILTER] = "install its filter of system calls",
        };

        return (unsigned) s < _STAGE_MAX ? names[s] : "unknown stage";
}

size_t wire_spawn_fds(const WireSpawn *s) {
        static const uint32_t flagged[] = { SPAWN_FD_CGROUP, SPAWN_FD_STDIN, SPAWN_FD_STDOUT, SPAWN_FD_STDERR, SPAWN_READY_FD,
                                            SPAWN_FD_RULESET, SPAWN_FD_FILTER };
        size_t n = s->n_listen;

        for (size_t i = 0; i < ARRAY_SIZE(flagged); i++)
                n += (s->flags & flagged[i]) != 0;
        return n;
}

static int check_spawn_fields(const WireSpawn *s, size_t n_fds) {
        if (s->run == 0 || (s->flags & ~(uint32_t) SPAWN_KNOWN))
                return -EBADMSG;
        if (s->n_listen > WIRE_FDS_MAX || wire_spawn_fds(s) != n_fds)
                return -EBADMSG;
        if (s->n_mounts > WIRE_MOUNTS_MAX || (s->n_mounts > 0 && !(s->flags & SPAWN_NEW_MOUNTS)))
                return -EBADMSG;
        if (s->n_groups > WIRE_GROUPS_MAX || s->n_rlimits > WIRE_RLIMITS_MAX || s->umask > 0777)
                return -EBADMSG;
        for (uint32_t i = 0; i < s->n_rlimits; i++)
                if (s->rlimits[i].resource >= RLIM_NLIMITS)
                        return -EBADMSG;
        return (s->flags & SPAWN_LOG_PIPES) ? (s->log_size > 0 && s->log_size <= WIRE_LOG_MAX ? 0 : -EBADMSG) : (s->log_size ? -EBADMSG : 0);
}

static bool mount_honest(const char *p) {
        static const char letters[] = { MOUNT_SYSTEM, MOUNT_READ_ONLY, MOUNT_WRITABLE, MOUNT_HIDDEN, MOUNT_PRIVATE, MOUNT_DEVICES };

        return *p && memchr(letters, *p | 0x20, sizeof(letters)) && p[1] == '/' && strlen(p) < PATH_MAX;
}

static int check_spawn_strings(const WireSpawn *s) {
        const char *p = wire_spawn_strings(s), *end = p + s->strings_size;
        uint64_t n = 0;

        if (s->n_argv == 0 || (uint64_t) s->n_argv + s->n_env > WIRE_STRINGS_MAX)
                return -EBADMSG;
        if (s->strings_size == 0 || end[-1] != '\0' || *p == '\0')
                return -EBADMSG;
        for (; p < end; p = wire_next_string(p), n++)
                if (n >= 3 && n < 3 + (uint64_t) s->n_mounts && !mount_honest(p))
                        return -EBADMSG;
        return n == (uint64_t) s->n_mounts + s->n_argv + s->n_env + 3 ? 0 : -EBADMSG;
}

static int check_spawn(const WireSpawn *s, size_t size, size_t n_fds) {
        int r;

        if (sizeof(WireSpawn) + (uint64_t) s->strings_size + s->log_size != size)
                return -EBADMSG;
        r = check_spawn_fields(s, n_fds);
        return r < 0 ? r : check_spawn_strings(s);
}

int wire_check(const void *packet, size_t size, size_t n_fds) {
        const WireHeader *h = packet;
        const WireRule *rule;

        if (size < sizeof(WireHeader) || size > WIRE_MAX || h->size != size || n_fds > WIRE_FDS_MAX)
                return -EBADMSG;
        rule = rule_of(h->type);
        if (!rule)
                return 0;
        if (size < rule->size)
                return -EBADMSG;
        if (rule->type == WIRE_SPAWN)
                return check_spawn(packet, size, n_fds);
        if (size != rule->size || n_fds != rule->fds)
                return -EBADMSG;
        return rule->check ? rule->check(packet) : 0;
}
