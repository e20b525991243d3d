/* The children of the keeper: a table of fixed capacity in shared memory (memfd_create(2)) that is touched only as far as it was ever used.
 * Nothing here allocates after table_init(), and the memory is not copied into children. The descriptor of the memory outlives the keeper in its
 * vault, so the table is at the same time what the next keeper learns everything from: resume.c reads it. */
#pragma once

#include "keeper/wire.h"
#include "linux/poller.h"
#include "linux/process.h"

#define TABLE_CAPACITY 65536
#define TABLE_SHORT_LOG 160              /* bytes of a log block whose path is of an ordinary length */

/* Beyond the states that the wire shows (CHILD_GATED … CHILD_ORPHAN). */
enum { CHILD_FAILED = CHILD_ORPHAN + 1 };       /* nothing executes, the process (if there was one) is reaped, FAILED is not said yet */

/* What the manager has not been told yet, said in this order. */
enum { SAY_SPAWNED = 1 << 0, SAY_EXECED = 1 << 1, SAY_FAILED = 1 << 2, SAY_EXITED = 1 << 3 };

typedef enum ChildQueueKind { QUEUE_SAY, QUEUE_LOG, QUEUE_STORE, _QUEUE_MAX } ChildQueueKind;

typedef struct Child Child;
struct Child {
        /* What another keeper reads, perhaps of another version: see TABLE_VERSION. */
        uint64_t run;                   /* 0: the slot is free */
        uint8_t invocation[16];
        PidRef process;                 /* pid 0 once it is reaped, or when it is no child of ours */
        int32_t pid;                    /* kept for the messages */
        uint8_t state;                  /* CHILD_* */
        bool acknowledged;              /* only its log is still of interest */
        bool exec_near;                 /* the set-up is done, the end of the gate means that the command executes; of an orphan: it did */
        bool failed;                    /* error and stage are set */
        int32_t error;
        uint32_t stage;
        uint32_t log_size;              /* of the log block; 0: no log pipes */
        uint32_t log_kept;              /* of it without the zeros at its end: what table_keep_log() has stored */
        WireExited exit;

        /* Ours alone. */
        uint8_t say;                    /* SAY_* */
        uint32_t detail;                /* of the stage that failed */
        bool queued[_QUEUE_MAX];
        bool log_sent;
        bool stored;                    /* the vault has the log pipes */
        bool held_back;                 /* at its gate until the vault has them */
        uint32_t next[_QUEUE_MAX];
        uint32_t next_run, next_pid;    /* chains of the two indices; next_run also of the free slots */
        PollSource gate;                /* our end, or -EBADF */
        void *owner;                    /* the Keeper, for the gate's callback */
        int log_fds[2];                 /* read ends, or -EBADF */
};

/* The part of a Child that the next keeper reads. Whoever changes it, or TableHeader, or Held, or the two sizes of log blocks, or the meaning of a state, counts
 * TABLE_VERSION up: a keeper of another version is not executed in the place of ours (upgrade.h), because there would be no way back from it; one
 * that follows a dead keeper starts with what the manager's store knows. */
#define CHILD_KEPT offsetof(Child, say)
#define TABLE_MAGIC UINT64_C(0x6b696e676c793031)
#define TABLE_VERSION 3

typedef struct TableHeader {
        uint64_t magic;
        uint32_t version;
        uint32_t capacity, top;
        int32_t keeper;                 /* whose children these are: the number of the process, which outlives execve(2) */
        /* What children get that the keeper changed for itself: the next one must not take it for what it found. */
        uint64_t nofile_soft, nofile_hard;
        uint32_t nofile_raised;
        char oom_score_adj[12];         /* "": as it is */
        /* What the keeper that executes itself anew wants to know of itself (upgrade.h). */
        int32_t heir;                   /* pid, or 0 */
        uint64_t signals_due;
        uint64_t within;                /* of the upgrade that is under way, microseconds */
        UpgradeRecord upgrade;
} TableHeader;

typedef struct ChildQueue { uint32_t head, tail; } ChildQueue;

typedef struct Table {
        int fd;                         /* of the memory; -EBADF where the kernel has none to give, then it dies with us */
        TableHeader *header;
        Child *children;
        uint8_t (*short_logs)[TABLE_SHORT_LOG];
        uint8_t (*logs)[WIRE_LOG_MAX];  /* of those that are longer; nearly all of it is never touched */
        uint32_t *by_run, *by_pid;      /* chains by hash: index + 1, 0 ends them */
        uint32_t capacity, top, free, used;
        ChildQueue queues[_QUEUE_MAX];
} Table;

/* At most TABLE_CAPACITY entries, fewer where so much address space is not to be had. 0 or -ENOMEM. */
int table_init(Table *t, uint32_t capacity);
void table_done(Table *t);              /* descriptors of the entries are left alone */

/* The table that this very process made before it executed itself anew, with every entry; of what is "ours alone" nothing is left: no descriptor,
 * no queue, no callback. Whose it is: table_is_ours(). 0, -EPROTO, -EBADMSG, -ENOMEM; the descriptor is taken on success. */
int table_adopt(int fd, Table *ret);
bool table_makes_sense(const Child *left);     /* an entry of a table that another program wrote */
bool table_is_ours(int fd);             /* of this very process: its number is its own, whatever it executes */

/* Maps what table_init() of another keeper made, to be read and nothing else. -EPROTO: another version; -EBADMSG: no table. Undone by table_unview(). */
int table_view(int fd, Table *ret);
void table_unview(Table *t);

Child *table_add(Table *t, uint64_t run);                       /* NULL: full. The run must not be there yet */
void table_remove(Table *t, Child *c);                          /* must stand in no queue */
void table_set_pid(Table *t, Child *c, pid_t pid);
void table_drop_pid(Table *t, Child *c);                        /* before the pid can be used again */
Child *table_by_run(const Table *t, uint64_t run);              /* NULL: none */
Child *table_by_pid(const Table *t, pid_t pid);
/* Walks the entries: *i starts at 0; NULL at the end. Entries may come and go between calls. */
Child *table_next(const Table *t, uint32_t *i);
void table_keep_log(Table *t, Child *c, const void *block, uint32_t n);      /* n: at most WIRE_LOG_MAX */
void table_log(const Table *t, const Child *c, uint8_t ret[static WIRE_LOG_MAX]);     /* the c->log_size bytes that were kept, zeros behind them */

/* First in, first out; a child stands in each queue at most once. */
void table_queue(Table *t, ChildQueueKind kind, Child *c);
Child *table_queue_first(const Table *t, ChildQueueKind kind);
void table_dequeue(Table *t, ChildQueueKind kind);
