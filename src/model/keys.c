/* Owns the one table of keys. A key is described here and nowhere else: parser, messages, canonical form, schema and manual follow it.
 * What must stay true: paths are unique and have at most two levels; a fallback parses to the value that a missing key means; the order is the
 * manual's. */
#include <sched.h>
#include <sys/resource.h>

#include "model/spec.h"

static const char *const service_types[] = { "simple", "oneshot", NULL };
static const char *const depend_kinds[] = { "started", "ready", "completed", NULL };
static const char *const notify_accesses[] = { "none", "main", "exec", "all", NULL };
static const char *const ready_ways[] = { "start", "notify", "fd", "probe", "log", "ipc", "listen", NULL };
static const char *const ready_lates[] = { "fail", "pass", NULL };
static const char *const cluster_ways[] = { "none", "node", "sockets", NULL };
/* In the order of BalanceStrategy, BalanceAffinity (balance.h). */
static const char *const cluster_balances[] = { "kernel", "round-robin", "random", "least-connections", NULL };
static const char *const cluster_affinities[] = { "none", "source", NULL };
static const char *const schedule_overlaps[] = { "skip", "queue", "replace", NULL };
static const char *const schedule_missed[] = { "skip", "once", "all", NULL };
static const char *const io_classes[] = { "none", "realtime", "best-effort", "idle", NULL };
static const char *const schedulers[] = { "other", "batch", "idle", "fifo", "rr", NULL };
static const char *const sandbox_systems[] = { "writable", "read-only", NULL };
static const char *const sandbox_networks[] = { "host", "none", NULL };
static const char *const syscall_actions[] = { "error", "kill", NULL };
static const char *const restart_whens[] = { "always", "on-failure", "never", NULL };
static const char *const stop_scopes[] = { "all", "group", "main", NULL };
static const char *const drain_ways[] = { "connections", "signal", NULL };
static const char *const reload_ways[] = { "none", "signal", "command", "rolling", NULL };
static const char *const fd_store_preserves[] = { "no", "restart", "yes", NULL };
static const char *const inputs[] = { "null", "pipe", NULL };
static const char *const log_targets[] = { "auto", "journal", "file", "none", "exec", "inherit", NULL };
static const char *const log_formats[] = { "text", "raw", "json", NULL };
static const char *const log_rotates[] = { "none", "hourly", "daily", "weekly", "monthly", NULL };
static const char *const log_full[] = { "block", "drop-oldest", "drop-newest", NULL };
static const char *const log_compressions[] = { "none", "zstd", "gzip", NULL };

const int spec_rlimit_resource[RLIMIT_KEYS] = {
        RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_CORE, RLIMIT_STACK, RLIMIT_MEMLOCK, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_AS, RLIMIT_CPU,
};

const int spec_scheduler_policy[_SCHEDULER_MAX] = { SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_FIFO, SCHED_RR };

#define FIELD(f) .offset = offsetof(ServiceSpec, f)

const SpecKey spec_keys[] = {
        { "description", KEY_STRING, FIELD(description), .effect = EFFECT_NONE,
          .help = "One line for people, shown by describe and as the description of the scope.",
          .example = "Front end of the shop" },
        { "profile", KEY_STRINGS, FIELD(profile), .effect = EFFECT_NONE, .applied = true,
          .help = "The profiles of its file under which the service was applied.",
          .example = "[production]" },
        { "type", KEY_ENUM, FIELD(type), service_types, .fallback = "simple", .effect = EFFECT_RESTART,
          .help = "A simple service is meant to run on. A oneshot does its work and ends: it is ready when it has exited with success, it "
                  "may take as long as it needs, and restart.when: always means on-failure for it.",
          .example = "oneshot" },
        { "command", KEY_COMMAND, FIELD(command), .effect = EFFECT_RESTART,
          .help = "The program and its arguments, as a list, or as one line that is split at blanks (quotes keep words together) without a "
                  "shell. A program without a slash is looked for in PATH. The only key that every service needs.",
          .example = "[redis-server, --port, \"6390\"]" },
        { "shell", KEY_BOOL, FIELD(shell), .fallback = "false", .effect = EFFECT_RESTART,
          .help = "Give the line in command to /bin/sh -c, for pipes, redirections and variables of the service itself.",
          .example = "true" },
        { "cwd", KEY_PATH, FIELD(cwd), .effect = EFFECT_RESTART,
          .help = "Directory in which the command runs; relative to the file. Without it: /.",
          .example = "./api" },
        { "instances", KEY_INSTANCES, FIELD(instances), .min = -INSTANCES_LIMIT, .max = INSTANCES_LIMIT, .fallback = "1", .effect = EFFECT_SCALE,
          .help = "How many copies run. max is one for each core; a negative number is that many fewer than there are cores, but at least "
                  "one. Each copy finds its number in KINGLY_INSTANCE. A change starts or stops copies and leaves the others alone.",
          .example = "4" },
        { "autostart", KEY_BOOL, FIELD(autostart), .fallback = "true", .effect = EFFECT_NONE,
          .help = "Start the service when the daemon starts and when the file that holds it is started or applied. Without it the service "
                  "waits for kingctl start, or for a service that depends on it.",
          .example = "false" },
        { "essential", KEY_BOOL, FIELD(essential), .fallback = "false", .effect = EFFECT_NONE,
          .help = "When this service has ended for good, the daemon stops the others and ends with its exit status. Meant for the main "
                  "program of a container where kingd is PID 1.",
          .example = "true" },
        { "env", KEY_ENV, FIELD(env), .effect = EFFECT_RESTART,
          .help = "Variables of its environment; they win over those of env_file.",
          .example = "{NODE_ENV: production}" },
        { "env_file", KEY_PATHS, FIELD(env_files), .effect = EFFECT_RESTART,
          .help = "Files of NAME=value lines, read anew at every start, later ones win. A file whose name follows a - may be missing.",
          .example = "[.env, -.env.local]" },
        { "credentials", KEY_CREDENTIALS, FIELD(credentials), .effect = EFFECT_RESTART,
          .help = "Secrets that it finds as files, by name, in the directory that CREDENTIALS_DIRECTORY names: readable for its user alone, in "
                  "memory where the machine has such a place, read anew at each start, removed when it has ended. NAME: PATH copies a file "
                  "that kingd can read, the service need not; -PATH may be missing. NAME: {text: TEXT} is for what is no great secret: the "
                  "text is in the state file as well.",
          .example = "{db_password: /etc/shop/db_password, api.key: -secrets/api.key}" },
        { "secrets", KEY_STRINGS, FIELD(secrets), .effect = EFFECT_NONE,
          .help = "Further variables, by name or pattern, whose values Kingly shows to nobody. The values of those whose names say so (PASSWORD, "
                  "SECRET, TOKEN, KEY, CREDENTIAL and the like), passwords in URLs, and what is given for options of such names are hidden by "
                  "themselves.",
          .example = "[DSN, \"STRIPE_*\"]" },
        { "source_maps", KEY_BOOL, FIELD(source_maps), .fallback = "false", .effect = EFFECT_RESTART,
          .help = "For programs of Node: traces of errors name the sources from which the code was made (TypeScript, a bundler), by its .map files. "
                  "Adds --enable-source-maps to NODE_OPTIONS; what env or env_file say there stays. Node reads the maps when something throws, "
                  "which costs programs that throw often.",
          .example = "true" },
        { "depends_on", KEY_DEPENDS, FIELD(depends), depend_kinds, .effect = EFFECT_NONE,
          .help = "Services that come first, each with what is waited for: started (its command executes), ready, or completed (it has "
                  "exited with success). A service of another namespace is written namespace/name. Stopping goes the other way round. In the long form, "
                  "{condition: ready, restart: true, stop: true}, the service follows the other one later, too: with restart it is restarted "
                  "when that one is, by whomever, and with stop it is stopped when that one is stopped, and when that one has ended or "
                  "failed for good. Of one with several instances that counts when none is left.",
          .example = "{db: ready, migrate: completed}" },

        { "stdin", KEY_ENUM, FIELD(input), inputs, .fallback = "null", .effect = EFFECT_RESTART,
          .help = "What its standard input is. null: /dev/null. pipe: a pipe, into which kingctl send writes lines. It stays open as long as the "
                  "service runs, whatever becomes of the daemon; each run has a new one.",
          .example = "pipe" },

        { "collects", KEY_STRING, FIELD(collects), .effect = EFFECT_RESTART,
          .help = "Name of a service of this namespace whose log.to is exec: instance N of this one has what instance N of that one writes as "
                  "its standard input. Made by itself for log.to: {exec: COMMAND}; write it to give a collector limits or a policy of its own.",
          .example = "web" },

        { "balances", KEY_STRING, FIELD(balances), .effect = EFFECT_RESTART,
          .help = "Name of a service of this namespace: this one is its balancer, which accepts the connections of those of its sockets that have a "
                  "balance other than kernel. Made by itself under the name NAME-balancer; write it, with the command kingd-balancer, to give it "
                  "limits or a user of its own.",
          .example = "web" },

        { "sockets", KEY_SOCKETS, FIELD(sockets), .effect = EFFECT_RESTART,
          .help = "Sockets that Kingly opens before the service and keeps open while it restarts, so that clients wait instead of being refused. "
                  "All instances share them. The service finds them from descriptor 3 on, with LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES as in "
                  "sd_listen_fds(3). They are closed when the service is stopped or gives up. An address alone may stand for an entry.",
          .example = "[{listen: 127.0.0.1:8080, name: http}]" },

        { "on_demand", KEY_BOOL, FIELD(on_demand), .fallback = "false", .effect = EFFECT_NONE,
          .help = "Start the service when the first client connects to one of its sockets, or sends a datagram; until then it is waiting. When it "
                  "ends by itself with status 0 it waits again.",
          .example = "true" },
        { "idle_timeout", KEY_SPAN, FIELD(idle_timeout), .fallback = "infinity", .effect = EFFECT_NONE,
          .help = "With on_demand: stop the service, until the next client connects, when for this long nobody was connected to its sockets. That "
                  "is looked at eight times in this span, but not more often than each second; a connection that came and went in between is not "
                  "seen. infinity never stops it; it may still end by itself.",
          .example = "10m" },

        { "cluster.by", KEY_ENUM, FIELD(cluster.by), cluster_ways, .fallback = "none", .effect = EFFECT_RESTART,
          .help = "node: the instances are workers of Node's cluster module, and Kingly is their primary: a server that listens on a port, as in "
                  "http.createServer().listen(3000), shares it with the other instances, with nothing changed in the program. Its port is opened by "
                  "Kingly, stays open while the service restarts, and each connection is handed to one instance whole: the program sees its client. "
                  "sockets: a program of Node finds the service's sockets by the port or path that it listens on, with nothing changed in it, by a few lines "
                  "that NODE_OPTIONS loads; for a Node whose cluster protocol is not known here, and wherever connections shall be balanced as `sockets` says. "
                  "none: each instance is a process of its own.",
          .example = "node" },
        { "cluster.balance", KEY_ENUM, FIELD(cluster.balance), cluster_balances, .fallback = "round-robin", .effect = EFFECT_RESTART,
          .help = "Which instance gets the next connection: in turns, by chance, or whoever has the fewest open. kernel: each instance has the socket itself, "
                  "and whoever accepts first has the connection. Datagrams are always left to the kernel.",
          .example = "least-connections" },
        { "cluster.affinity", KEY_ENUM, FIELD(cluster.affinity), cluster_affinities, .fallback = "none", .effect = EFFECT_RESTART,
          .help = "source: connections from one address go to one instance for as long as it is ready, as programs need that keep sessions in memory "
                  "(socket.io's polling, for one).",
          .example = "source" },
        { "cluster.drain", KEY_BOOL, FIELD(cluster.drain), .fallback = "true", .effect = EFFECT_RESTART,
          .help = "Load a few lines into the program, by --require in NODE_OPTIONS, by which an instance that is about to go ends each kept-alive "
                  "connection of HTTP with its next answer. Without them Node either keeps answering on it or closes it under the client's next request.",
          .example = "false" },

        { "ready.by", KEY_ENUM, FIELD(ready_by), ready_ways, .fallback = "start", .effect = EFFECT_RESTART,
          .help = "What tells that a simple service is ready. start: its command executes. notify: it sends READY=1 to NOTIFY_SOCKET (see "
                  "sd_notify(3)). fd: it writes a newline to the descriptor whose number is in READY_FD. probe: its startup probe has succeeded, or "
                  "where it has none its readiness probe; this is the default for a service with a startup probe. log: it writes a line that "
                  "ready.pattern matches. ipc: a program of Node calls process.send('ready') on the channel that it was given, which "
                  "stays open as long as it lives. listen: with cluster.by, its first server listens.",
          .example = "notify" },
        { "ready.pattern", KEY_STRING, FIELD(ready_pattern), .effect = EFFECT_RESTART,
          .help = "With ready.by: log: a regular expression (POSIX extended, see regex(7)) that some part of a line of its output matches when it is "
                  "ready. It is looked for from the start of each run until it is seen, in the log file or the journal.",
          .example = "\"listening on port [0-9]+\"" },
        { "ready.timeout", KEY_SPAN, FIELD(ready_timeout), .fallback = "30s", .effect = EFFECT_NONE,
          .help = "A simple service that is not ready after this time is stopped, and the start has failed. The service may ask for more "
                  "with EXTEND_TIMEOUT_USEC. infinity waits for ever. Does not concern oneshots.",
          .example = "10s" },
        { "ready.late", KEY_ENUM, FIELD(ready_late), ready_lates, .fallback = "fail", .effect = EFFECT_NONE,
          .help = "What becomes of a service that is not ready after ready.timeout. pass: it counts as ready from then on, as PM2 has it; files of PM2 "
                  "with wait_ready come to this.",
          .example = "pass" },

        { "watchdog", KEY_SPAN, FIELD(watchdog), .max = 365 * (int64_t) USEC_PER_DAY, .fallback = "0", .effect = EFFECT_RESTART,
          .help = "Once ready, the service must send WATCHDOG=1 to NOTIFY_SOCKET at least this often (twice as often is wise), else it "
                  "gets SIGABRT and has failed. 0 turns this off.",
          .example = "10s" },
        { "notify_access", KEY_ENUM, FIELD(notify_access), notify_accesses, .fallback = "none", .effect = EFFECT_RESTART,
          .help = "Whose messages by sd_notify(3) are heard. main: those of the main process. exec: those of its hooks and other commands too. all: "
                  "those of every process of the service, which a shell script needs that calls systemd-notify. With ready.by: notify, a "
                  "watchdog or an fd_store none means main; otherwise a service with none is not given NOTIFY_SOCKET. What is not heard is told by describe.",
          .example = "all" },

        { "fd_store", KEY_UINT32, FIELD(fd_store), .max = FD_STORE_MAX, .fallback = "0", .effect = EFFECT_RESTART,
          .help = "How many descriptors each instance may leave with Kingly by FDSTORE=1 (see sd_pid_notify_with_fds(3)); it finds them again, behind "
                  "those of sockets, at its next start: connections and memory files that outlive a crash, a restart, a rolling reload and the death of "
                  "Kingly's own processes. The number is in FDSTORE. 0 turns this off.",
          .example = "16" },
        { "fd_store_preserve", KEY_ENUM, FIELD(fd_store_preserve), fd_store_preserves, .fallback = "restart", .effect = EFFECT_NONE,
          .help = "How long Kingly keeps what is in the fd store. restart: until the service is stopped, gives up or has ended for good. no: until the "
                  "run ends, so that only a rolling reload hands anything on. yes: also while it is stopped, until it is deleted or kingctl reset "
                  "empties it.",
          .example = "\"yes\"" },

        { "probes.startup", KEY_PROBE, FIELD(probes[PROBE_STARTUP]), .effect = EFFECT_NONE,
          .help = "Asks whether the service has come up. Until it has succeeded the other probes wait; when it has failed as often as its failure says, "
                  "the start has failed. After its first success it asks no more.",
          .example = "{http: {port: 8080, path: /health}, period: 1s, failure: 30}" },
        { "probes.readiness", KEY_PROBE, FIELD(probes[PROBE_READINESS]), .effect = EFFECT_NONE,
          .help = "Asks whether the service can serve now. One that cannot runs on, but is not ready: whoever depends on its readiness waits. It is "
                  "not ready before the first success.",
          .example = "{tcp: {port: 8080}, period: 5s}" },
        { "probes.liveness", KEY_PROBE, FIELD(probes[PROBE_LIVENESS]), .effect = EFFECT_NONE,
          .help = "Asks whether the service is still of use. When it has failed as often as its failure says, the service is stopped, has failed with "
                  "the reason probe, and is started again as restart.when says.",
          .example = "{exec: [./alive], timeout: 1s}" },

        { "limits.memory_max", KEY_SIZE, FIELD(limits.memory_max), .min = 1, .max = INT64_MAX, .effect = EFFECT_LIVE,
          .help = "Memory of all its processes together, page cache included. Beyond it the kernel reclaims, and when that does not help "
                  "kills.",
          .example = "256M" },
        { "limits.memory_high", KEY_SIZE, FIELD(limits.memory_high), .min = 1, .max = INT64_MAX, .effect = EFFECT_LIVE,
          .help = "Beyond this much memory its processes are slowed down and their memory is reclaimed, but nothing is killed.",
          .example = "200M" },
        { "limits.memory_restart", KEY_SIZE, FIELD(limits.memory_restart), .min = 1, .max = INT64_MAX, .effect = EFFECT_LIVE,
          .help = "When all its processes together use more than this, the service is stopped gracefully and started again, whatever restart.when "
                  "says; meant for programs that leak. Page cache does not count, swap does. That is no failure and does not count for "
                  "restart.limit; but one that is as big again sooner than restart.reset_after waits before each further start, longer each time. "
                  "With a memory controller the kernel tells at once (its memory.high is set to this); without one it is looked at every five "
                  "seconds, by resident memory.",
          .example = "300M" },
        { "limits.swap_max", KEY_SIZE, FIELD(limits.swap_max), .max = INT64_MAX, .effect = EFFECT_LIVE,
          .help = "Swap space of all its processes together; 0 keeps it out of swap.",
          .example = "0" },
        { "limits.cpu", KEY_PERCENT, FIELD(limits.cpu), .min = 1, .max = 1000000, .effect = EFFECT_LIVE,
          .help = "Processor time of all its processes together, in percent of one core: 150% is one core and a half.",
          .example = "150%" },
        { "limits.tasks", KEY_UINT64, FIELD(limits.tasks), .min = 1, .max = INT64_MAX, .effect = EFFECT_LIVE,
          .help = "How many processes and threads it may have at a time. Beyond it fork(2) fails.",
          .example = "64" },
        { "limits.io_read_bandwidth", KEY_DEVICES_SIZE, FIELD(limits.io_read_bandwidth), .min = 1, .max = INT64_MAX, .effect = EFFECT_LIVE,
          .help = "Bytes a second that it may read, by block device or any file on one.",
          .example = "{/dev/sda: 10M}" },
        { "limits.io_write_bandwidth", KEY_DEVICES_SIZE, FIELD(limits.io_write_bandwidth), .min = 1, .max = INT64_MAX, .effect = EFFECT_LIVE,
          .help = "Bytes a second that it may write, by block device or any file on one.",
          .example = "{/dev/sda: 5M}" },
        { "limits.io_read_iops", KEY_DEVICES_COUNT, FIELD(limits.io_read_iops), .min = 1, .max = INT64_MAX, .effect = EFFECT_LIVE,
          .help = "Read operations a second, by block device or any file on one.",
          .example = "{/dev/sda: 500}" },
        { "limits.io_write_iops", KEY_DEVICES_COUNT, FIELD(limits.io_write_iops), .min = 1, .max = INT64_MAX, .effect = EFFECT_LIVE,
          .help = "Write operations a second, by block device or any file on one.",
          .example = "{/dev/sda: 200}" },
        { "limits.files", KEY_UINT64, FIELD(limits.rlimit[0]), .max = INT64_MAX, .effect = EFFECT_RESTART,
          .help = "Open files of each of its processes (RLIMIT_NOFILE, soft and hard).",
          .example = "4096" },
        { "limits.processes", KEY_UINT64, FIELD(limits.rlimit[1]), .max = INT64_MAX, .effect = EFFECT_RESTART,
          .help = "Processes and threads of the user it runs as, all services of that user counted together (RLIMIT_NPROC). limits.tasks "
                  "counts those of the service alone.",
          .example = "1000" },
        { "limits.core", KEY_SIZE, FIELD(limits.rlimit[2]), .max = INT64_MAX, .effect = EFFECT_RESTART,
          .help = "Size of a core dump (RLIMIT_CORE); 0 for none.",
          .example = "0" },
        { "limits.stack", KEY_SIZE, FIELD(limits.rlimit[3]), .max = INT64_MAX, .effect = EFFECT_RESTART,
          .help = "Stack of the main thread of each process (RLIMIT_STACK); also what new threads get unless they say otherwise.",
          .example = "8M" },
        { "limits.locked_memory", KEY_SIZE, FIELD(limits.rlimit[4]), .max = INT64_MAX, .effect = EFFECT_RESTART,
          .help = "Memory that may be locked into RAM (RLIMIT_MEMLOCK).",
          .example = "64M" },
        { "limits.file_size", KEY_SIZE, FIELD(limits.rlimit[5]), .max = INT64_MAX, .effect = EFFECT_RESTART,
          .help = "Size of any file it writes (RLIMIT_FSIZE).",
          .example = "1G" },
        { "limits.data", KEY_SIZE, FIELD(limits.rlimit[6]), .max = INT64_MAX, .effect = EFFECT_RESTART,
          .help = "Data segment and private writable mappings of each process (RLIMIT_DATA).",
          .example = "512M" },
        { "limits.address_space", KEY_SIZE, FIELD(limits.rlimit[7]), .max = INT64_MAX, .effect = EFFECT_RESTART,
          .help = "Address space of each process (RLIMIT_AS). limits.memory_max is nearly always what is wanted instead.",
          .example = "4G" },
        { "limits.cpu_time", KEY_UINT64, FIELD(limits.rlimit[8]), .max = INT64_MAX, .effect = EFFECT_RESTART,
          .help = "Seconds of processor time of each process, after which it gets SIGXCPU and then SIGKILL (RLIMIT_CPU).",
          .example = "3600" },

        { "priority.nice", KEY_INT32, FIELD(priority.nice), .min = -20, .max = 19, .effect = EFFECT_LIVE,
          .help = "Nice level, from -20 (first) to 19 (last).",
          .example = "5" },
        { "priority.cpu_weight", KEY_UINT32, FIELD(priority.cpu_weight), .min = 1, .max = 10000, .effect = EFFECT_LIVE,
          .help = "Its share of the processors while others want them too, against theirs; the kernel's default is 100.",
          .example = "50" },
        { "priority.io_weight", KEY_UINT32, FIELD(priority.io_weight), .min = 1, .max = 10000, .effect = EFFECT_LIVE,
          .help = "Its share of the disks while others want them too, against theirs; the kernel's default is 100.",
          .example = "50" },
        { "priority.io_class", KEY_ENUM, FIELD(priority.io_class), io_classes, .fallback = "none", .effect = EFFECT_LIVE,
          .help = "I/O scheduling class as in ionice(1), for schedulers that heed it. none: after the nice level.",
          .example = "idle" },
        { "priority.io_level", KEY_UINT32, FIELD(priority.io_level), .max = 7, .fallback = "4", .effect = EFFECT_LIVE,
          .help = "Level within the class realtime or best-effort, from 0 (first) to 7 (last).",
          .example = "6" },
        { "priority.oom_score_adj", KEY_INT32, FIELD(priority.oom_score_adj), .min = -1000, .max = 1000, .effect = EFFECT_LIVE,
          .help = "How readily the kernel kills it when the machine runs out of memory, from -1000 (never) to 1000 (first).",
          .example = "200" },

        { "priority.cpu_affinity", KEY_STRINGS, FIELD(priority.cpu_affinity), .effect = EFFECT_LIVE,
          .help = "Processors that it runs on, by their numbers from 0 on, single ones and ranges. A program may change that for itself.",
          .example = "[0-3, 6]" },
        { "priority.scheduler", KEY_ENUM, FIELD(priority.scheduler), schedulers, .fallback = "other", .effect = EFFECT_LIVE,
          .help = "How the kernel schedules it, see sched(7). batch: for long computations; idle: only when nobody else wants to run; fifo and rr: "
                  "before all others, for real-time programs, which needs CAP_SYS_NICE.",
          .example = "batch" },
        { "priority.scheduler_priority", KEY_UINT32, FIELD(priority.scheduler_priority), .min = 1, .max = 99, .fallback = "1", .effect = EFFECT_LIVE,
          .help = "Among those of the schedulers fifo and rr, from 1 (last) to 99 (first).",
          .example = "10" },

        { "restart.when", KEY_ENUM, FIELD(restart.when), restart_whens, .fallback = "always", .effect = EFFECT_NONE,
          .help = "Whether a service that ended by itself is started again. on-failure: after an exit code other than 0, a signal, a "
                  "timeout, the watchdog, or an end that nobody saw because kingd was dead as well. A stop by the operator is never followed by a restart.",
          .example = "on-failure" },
        { "restart.delay", KEY_SPAN, FIELD(restart.delay), .max = 365 * (int64_t) USEC_PER_DAY, .fallback = "100ms", .effect = EFFECT_NONE,
          .help = "Wait before the first restart in a row; 0 restarts at once.",
          .example = "1s" },
        { "restart.factor", KEY_FACTOR, FIELD(restart.factor_percent), .min = 100, .max = 10000, .fallback = "2", .effect = EFFECT_NONE,
          .help = "Each further wait in a row is this many times the one before; 1 keeps it the same.",
          .example = "1.5" },
        { "restart.max_delay", KEY_SPAN, FIELD(restart.max_delay), .max = 365 * (int64_t) USEC_PER_DAY, .fallback = "30s", .effect = EFFECT_NONE,
          .help = "The longest wait.",
          .example = "1m" },
        { "restart.jitter", KEY_PERCENT, FIELD(restart.jitter), .max = 100, .fallback = "10%", .effect = EFFECT_NONE,
          .help = "Each wait is longer or shorter by up to this much, by chance, so that services that failed together do not return "
                  "together.",
          .example = "25%" },
        { "restart.reset_after", KEY_SPAN, FIELD(restart.reset_after), .fallback = "60s", .effect = EFFECT_NONE,
          .help = "A service that was ready for this long counts as healthy: the next failure is the first in a row again.",
          .example = "5m" },
        { "restart.limit", KEY_UINT32, FIELD(restart.limit), .max = 1000000, .fallback = "16", .effect = EFFECT_NONE,
          .help = "Restarts in a row, after which it is left failed. 0 never gives up.",
          .example = "0" },
        { "restart.except_codes", KEY_CODES, FIELD(restart.except_codes), .max = 255, .effect = EFFECT_NONE,
          .help = "Exit codes after which it is never started again, whatever restart.when says; it is then exited, not failed.",
          .example = "[3, 78]" },

        { "stop.signal", KEY_SIGNAL, FIELD(stop.signal), .fallback = "SIGTERM", .effect = EFFECT_NONE,
          .help = "The signal that asks it to end, by name or number.",
          .example = "SIGINT" },
        { "stop.timeout", KEY_SPAN, FIELD(stop.timeout), .fallback = "5s", .effect = EFFECT_NONE,
          .help = "What still lives after this time is killed. 0 kills at once, infinity waits for ever.",
          .example = "30s" },
        { "stop.scope", KEY_ENUM, FIELD(stop.scope), stop_scopes, .fallback = "all", .effect = EFFECT_NONE,
          .help = "Who gets the stop signal: all processes of the service, the process group of its main process, or the main process "
                  "alone. Whoever outlives the main process gets it then.",
          .example = "main" },

        { "reload.by", KEY_ENUM, FIELD(reload.by), reload_ways, .fallback = "none", .effect = EFFECT_NONE,
          .help = "What kingctl reload does. signal: sends reload.signal to the main process; one with ready.by: notify is then expected to say "
                  "RELOADING=1 and READY=1 (see sd_notify(3)), and the outcome is told. command: runs reload.command beside it, whose exit status is "
                  "the outcome. rolling: each instance is replaced by a new one, which takes its place when it is ready; with sockets, which both share, no "
                  "client is refused. none: rolling for a service with sockets or with several instances, else kingctl reload is refused, unless it "
                  "has ready.by: notify and handles reload.signal.",
          .example = "signal" },
        { "reload.signal", KEY_SIGNAL, FIELD(reload.signal), .fallback = "SIGHUP", .effect = EFFECT_NONE,
          .help = "The signal that asks it to read its configuration again.",
          .example = "SIGUSR1" },
        { "reload.command", KEY_WORDS, FIELD(reload.command), .effect = EFFECT_NONE,
          .help = "A command, with the same user, directory and environment, that makes the service read its configuration again. KINGLY_MAINPID is "
                  "the number of the main process. What it writes goes into the service's log.",
          .example = "[nginx, -s, reload]" },
        { "reload.timeout", KEY_SPAN, FIELD(reload.timeout), .min = 1000, .max = (int64_t) USEC_PER_DAY, .fallback = "30s", .effect = EFFECT_NONE,
          .help = "A reload that takes longer has failed: its command is killed. The service goes on.",
          .example = "1m" },

        { "reload.max_surge", KEY_UINT32, FIELD(reload.max_surge), .max = INSTANCES_LIMIT, .fallback = "1", .effect = EFFECT_NONE,
          .help = "Rolling: how many processes more than instances there may be, the old ones that drain included. 0 stops an old one before its new "
                  "one starts, as far as reload.max_unavailable allows.",
          .example = "2" },
        { "reload.max_unavailable", KEY_UINT32, FIELD(reload.max_unavailable), .max = INSTANCES_LIMIT, .fallback = "0", .effect = EFFECT_NONE,
          .help = "Rolling: how many instances may be without a ready process meanwhile.",
          .example = "1" },
        { "reload.min_ready", KEY_SPAN, FIELD(reload.min_ready), .max = (int64_t) USEC_PER_HOUR, .fallback = "1s", .effect = EFFECT_NONE,
          .help = "Rolling: how long a new instance must have been ready before it counts and the old one is stopped. One that fails before ends the "
                  "reload, and the old ones stay.",
          .example = "5s" },
        { "reload.drain_timeout", KEY_SPAN, FIELD(reload.drain_timeout), .max = (int64_t) USEC_PER_DAY, .fallback = "30s", .effect = EFFECT_NONE,
          .help = "Rolling: how long an old instance has after stop.signal to finish what it has begun, if that is longer than stop.timeout. Behind a "
                  "balancer (sockets.balance): how long the connections of an instance that is to stop, for whatever reason, have to end "
                  "before it gets stop.signal. A kept-alive one counts until both sides have closed it.",
          .example = "5m" },
        { "reload.drain", KEY_ENUM, FIELD(reload.drain), drain_ways, .fallback = "connections", .effect = EFFECT_NONE,
          .help = "Behind a balancer: connections: an instance that is to stop gets stop.signal when its connections have ended, which is right for a program that "
                  "ends at once then. signal: it gets the signal when it gets no more connections and has begun to answer those it has; it then has "
                  "reload.drain_timeout, or stop.timeout, to end them, which is right for one that does so itself (uvicorn, gunicorn, Go's Shutdown): "
                  "nobody waits for clients that keep idle connections open.",
          .example = "signal" },

        { "hooks.pre_start", KEY_WORDS, FIELD(hooks.command[HOOK_PRE_START]), .effect = EFFECT_NONE,
          .help = "A command, as a line or a list of words, that runs before each start of the service, when its dependencies are there. Unless it "
                  "exits with 0 the service is not started, and that counts as a failure: it is tried again as restart says. Hooks run with the "
                  "user, directory, environment and limits of the service, and write into its log. Their environment has, besides, what happened: "
                  "KINGLY_HOOK, KINGLY_MAINPID, KINGLY_REASON, KINGLY_EXIT_CODE, KINGLY_EXIT_SIGNAL and KINGLY_RESTARTS, as far as it is known.",
          .example = "[./migrate, --all]" },
        { "hooks.post_start", KEY_WORDS, FIELD(hooks.command[HOOK_POST_START]), .effect = EFFECT_NONE,
          .help = "Runs when the service has become ready. Nothing waits for it, and a failure of it is told and changes nothing. It is ended when "
                  "the service is.",
          .example = "[./register]" },
        { "hooks.pre_stop", KEY_WORDS, FIELD(hooks.command[HOOK_PRE_STOP]), .effect = EFFECT_NONE,
          .help = "Runs before the stop signal is sent, which waits for its end, for hooks.timeout at most; stop.timeout begins after that. Not with "
                  "stop.timeout: 0, and not when the main process has already ended.",
          .example = "[./drain]" },
        { "hooks.post_stop", KEY_WORDS, FIELD(hooks.command[HOOK_POST_STOP]), .effect = EFFECT_NONE,
          .help = "Runs after each run, however it ended, when nothing of it lives any more. What comes next, such as a restart, waits for its end.",
          .example = "[rm, -f, /run/app.lock]" },
        { "hooks.on_exit", KEY_WORDS, FIELD(hooks.command[HOOK_ON_EXIT]), .effect = EFFECT_NONE,
          .help = "Runs each time the main process has ended. Nothing waits for it; while one still runs, no second one is started.",
          .example = "[./notify-exit]" },
        { "hooks.on_failure", KEY_WORDS, FIELD(hooks.command[HOOK_ON_FAILURE]), .effect = EFFECT_NONE,
          .help = "Runs when the service is left failed: it ended badly, or could not be started, and is not started again by itself. Nothing waits "
                  "for it.",
          .example = "[./alert]" },
        { "hooks.timeout", KEY_SPAN, FIELD(hooks.timeout), .min = 1000, .max = (int64_t) USEC_PER_DAY, .fallback = "30s", .effect = EFFECT_NONE,
          .help = "A hook that takes longer is killed, with all that it started, and has failed.",
          .example = "5m" },

        { "log.to", KEY_ENUM, FIELD(log.to), log_targets, .fallback = "auto", .effect = EFFECT_RESTART,
          .help = "Where its output goes: the systemd journal, files in the log directory, or nowhere. auto: the journal where one "
                  "listens, else files. exec, written {exec: COMMAND}: a program that reads it, as in {exec: [svlogd, -tt, .]}. "
                  "inherit: the standard output and error of kingd itself, which in a container are the container's log.",
          .example = "file" },
        { "log.exec", KEY_WORDS, FIELD(log.exec), .effect = EFFECT_NONE,
          .help = "The collector, most shortly written as log.to: {exec: COMMAND}: a program whose standard input is what this service writes, "
                  "both streams together. It becomes a service of its own, NAME-log, one instance for each of this service, with the same user, "
                  "directory and environment; KINGLY_COLLECTS names whom it reads. It is there before this service starts, is restarted when it ends, "
                  "and when this service stops it is ended by the end of its input. Meanwhile the output waits in a pipe: nothing is lost.",
          .example = "[logger, -t, shop]" },
        { "log.format", KEY_ENUM, FIELD(log.format), log_formats, .fallback = "text", .effect = EFFECT_RESTART,
          .help = "Form of log files. text: each line after its time and stream. json: each line an object with time, stream, service, "
                  "instance, pid and message. raw: the bytes as the service wrote them.",
          .example = "json" },
        { "log.multiline", KEY_BOOL, FIELD(log.multiline), .fallback = "true", .effect = EFFECT_RESTART,
          .help = "Keep a line and those that continue it, such as a stack trace, together in one object. json files only.",
          .example = "false" },
        { "log.merge", KEY_BOOL, FIELD(log.merge), .fallback = "false", .effect = EFFECT_RESTART,
          .help = "One log file for all instances, whose lines say which instance wrote them, instead of one file each. Not for raw files.",
          .example = "true" },
        { "log.max_size", KEY_SIZE, FIELD(log.max_size), .min = 4096, .max = INT64_MAX, .fallback = "10M", .effect = EFFECT_RESTART,
          .help = "A log file of this size is put aside and a new one begun; infinity for never.",
          .example = "100M" },
        { "log.max_age", KEY_SPAN, FIELD(log.max_age), .fallback = "infinity", .effect = EFFECT_RESTART,
          .help = "A log file that was begun this long ago is put aside and a new one begun; infinity for never.",
          .example = "1d" },
        { "log.rotate", KEY_ENUM, FIELD(log.rotate), log_rotates, .fallback = "none", .effect = EFFECT_RESTART,
          .help = "Put log files aside by the calendar, in local time: at the full hour, at midnight, at midnight before Monday, or before "
                  "the first of the month.",
          .example = "daily" },
        { "log.keep", KEY_UINT32, FIELD(log.keep), .max = 1000, .fallback = "5", .effect = EFFECT_RESTART,
          .help = "How many log files that were put aside are kept.",
          .example = "7" },
        { "log.max_total", KEY_SIZE, FIELD(log.max_total), .min = 8192, .max = INT64_MAX, .fallback = "infinity", .effect = EFFECT_RESTART,
          .help = "Bytes of all files of one log together: the oldest that were put aside are removed so that it is not exceeded.",
          .example = "500M" },
        { "log.compress", KEY_ENUM, FIELD(log.compress), log_compressions, .fallback = "none", .effect = EFFECT_RESTART,
          .help = "Compress log files that were put aside, in the background and with idle priority.",
          .example = "zstd" },
        { "log.when_full", KEY_ENUM, FIELD(log.when_full), log_full, .fallback = "block", .effect = EFFECT_RESTART,
          .help = "When a log file cannot be written, or not as fast as the service writes: the service waits and nothing is lost, or lines "
                  "are dropped, the oldest or the newest, and the file says how many. Dropping is not for raw files.",
          .example = "drop-oldest" },
        { "log.rate_limit", KEY_UINT32, FIELD(log.rate_limit), .max = 1000000000, .fallback = "0", .effect = EFFECT_RESTART,
          .help = "Lines a second that one log file takes; what is more is dropped, and the file says how many. 0 for any number. Not for raw "
                  "files.",
          .example = "1000" },
        { "log.rate_burst", KEY_UINT32, FIELD(log.rate_burst), .max = 1000000000, .fallback = "0", .effect = EFFECT_RESTART,
          .help = "Lines that may come at once after a pause, if that is more than rate_limit, which it goes with.",
          .example = "5000" },

        { "watch.paths", KEY_PATHS, FIELD(watch.paths), .effect = EFFECT_NONE,
          .help = "Files and directories: when one of them, or anything below, changes, the service is restarted. Directories named .git or "
                  "node_modules are passed over unless watch.ignore takes them back. A path that does not exist is looked for again at the next "
                  "start.",
          .example = "[src, config.yaml]" },
        { "watch.ignore", KEY_STRINGS, FIELD(watch.ignore), .effect = EFFECT_NONE,
          .help = "What is passed over below the watched paths, by patterns as in .gitignore: *.log at any depth, /build only at the top, tmp/ "
                  "directories, !keep.log after all.",
          .example = "[\"*.log\", tmp/]" },
        { "watch.debounce", KEY_SPAN, FIELD(watch.debounce), .max = (int64_t) USEC_PER_HOUR, .fallback = "200ms", .effect = EFFECT_NONE,
          .help = "How long nothing more must change before something is done about it; at most ten times as long after the first change.",
          .example = "1s" },
        { "watch.signal", KEY_SIGNAL, FIELD(watch.signal), .effect = EFFECT_NONE,
          .help = "Send the main process this signal instead of restarting the service.",
          .example = "SIGHUP" },

        { "schedule.cron", KEY_STRING, FIELD(schedule.cron), .effect = EFFECT_NONE,
          .help = "When a oneshot runs, or a simple service is restarted: minute, hour, day of the month, month and day of the week as in crontab(5), "
                  "or six fields with seconds in front, or @hourly, @daily, @weekly, @monthly, @yearly. Also L (the last day of the month; 5L its last "
                  "Friday), 15W (the workday nearest to the 15th) and 5#2 (the second Friday). When the clocks change, a time that does not exist "
                  "runs at once behind the gap and one that exists twice runs once; what names every hour runs in each that passes. A service with a "
                  "schedule is waiting in between: kingctl start runs it now, kingctl stop turns the schedule off until the next start.",
          .example = "\"0 3 * * *\"" },
        { "schedule.every", KEY_SPAN, FIELD(schedule.every), .max = (int64_t) (366 * USEC_PER_DAY), .fallback = "0", .effect = EFFECT_NONE,
          .help = "Instead of schedule.cron: the time from one run to the next, from 1s on, counted from when the service was applied. It does not drift.",
          .example = "15m" },
        { "schedule.timezone", KEY_STRING, FIELD(schedule.timezone), .effect = EFFECT_NONE,
          .help = "The time zone of schedule.cron, as the tz database names it. Without it: the machine's, TZ or /etc/localtime.",
          .example = "Europe/Berlin" },
        { "schedule.overlap", KEY_ENUM, FIELD(schedule.overlap), schedule_overlaps, .fallback = "skip", .effect = EFFECT_NONE,
          .help = "What becomes of a run whose time comes while the last one is not over: it is left out, it comes next (at most 100 wait), or the old "
                  "one is stopped for it. A simple service is restarted in any case.",
          .example = "queue" },
        { "schedule.missed", KEY_ENUM, FIELD(schedule.missed), schedule_missed, .fallback = "skip", .effect = EFFECT_NONE,
          .help = "What becomes of runs whose time passed while the daemon or the machine was down or asleep: they are left out, made up for by one "
                  "run, or all made up for, one after the other, at most 100. Each is told in the events.",
          .example = "once" },
        { "schedule.random_delay", KEY_SPAN, FIELD(schedule.random_delay), .max = (int64_t) (366 * USEC_PER_DAY), .fallback = "0", .effect = EFFECT_NONE,
          .help = "Each run comes later by a time between nothing and this, so that not all services begin at once. The delay of a run is always the "
                  "same, also after a restart of the daemon.",
          .example = "10m" },
        { "schedule.at_start", KEY_BOOL, FIELD(schedule.at_start), .fallback = "false", .effect = EFFECT_NONE,
          .help = "A scheduled oneshot runs also when it is applied and when the daemon starts.",
          .example = "true" },

        { "user", KEY_NAME, FIELD(user), .effect = EFFECT_RESTART,
          .help = "User it runs as, by name or number, with all groups of that user. Only root can choose another than its own.",
          .example = "www-data" },
        { "group", KEY_NAME, FIELD(group), .effect = EFFECT_RESTART,
          .help = "Group it runs as, by name or number, instead of the user's own.",
          .example = "www-data" },
        { "umask", KEY_OCTAL, FIELD(umask), .max = 0777, .effect = EFFECT_RESTART,
          .help = "File mode bits that new files do not get, in octal.",
          .example = "\"0027\"" },
        { "capabilities", KEY_CAPABILITIES, FIELD(capabilities), .effect = EFFECT_RESTART,
          .help = "The capabilities(7) that it has and can ever gain, also when it does not run as root; [] leaves it none. Without the "
                  "key nothing is taken away.",
          .example = "[CAP_NET_BIND_SERVICE]" },
        { "no_new_privileges", KEY_BOOL, FIELD(no_new_privileges), .fallback = "false", .effect = EFFECT_RESTART,
          .help = "Programs it executes gain nothing from set-user-ID bits and file capabilities.",
          .example = "true" },

        { "sandbox.system", KEY_ENUM, FIELD(sandbox.system), sandbox_systems, .fallback = "writable", .effect = EFFECT_RESTART,
          .help = "read-only: it can write to no file of the machine but below sandbox.writable, and in /dev, /proc and /sys as far as it may.",
          .example = "read-only" },
        { "sandbox.writable", KEY_PATHS, FIELD(sandbox.writable), .effect = EFFECT_RESTART,
          .help = "Files and directories that stay as they are, whatever the other keys do to a directory above them: writable in a system that is "
                  "read-only, and there where all else is hidden. A path whose name follows a - "
                  "may be missing.",
          .example = "[/var/lib/shop, -/run/shop]" },
        { "sandbox.read_only", KEY_PATHS, FIELD(sandbox.read_only), .effect = EFFECT_RESTART,
          .help = "Files and directories that it can read and not change. A path whose name follows a - may be missing.",
          .example = "[/etc, /srv]" },
        { "sandbox.hidden", KEY_PATHS, FIELD(sandbox.hidden), .effect = EFFECT_RESTART,
          .help = "Directories that are empty for it, and files that are /dev/null. A path whose name follows a - may be missing.",
          .example = "[/home, -/root]" },
        { "sandbox.private_tmp", KEY_BOOL, FIELD(sandbox.private_tmp), .fallback = "false", .effect = EFFECT_RESTART,
          .help = "A /tmp and a /var/tmp of its own: in memory, which counts as the service's, and gone when it ends.",
          .example = "true" },
        { "sandbox.private_devices", KEY_BOOL, FIELD(sandbox.private_devices), .fallback = "false", .effect = EFFECT_RESTART,
          .help = "A /dev with null, zero, full, random, urandom, tty and terminals, and no disks or other hardware. It can make no devices either.",
          .example = "true" },
        { "sandbox.network", KEY_ENUM, FIELD(sandbox.network), sandbox_networks, .fallback = "host", .effect = EFFECT_RESTART,
          .help = "none: a network of its own with a loopback and nothing else. Sockets that are handed to it, and those that are files, work on.",
          .example = "none" },
        { "sandbox.syscalls", KEY_STRINGS, FIELD(sandbox.syscalls), .effect = EFFECT_RESTART,
          .help = "The only system calls that it may use, by their names and by groups such as @system-service, which are those of systemd.exec(5). "
                  "Those of @default are always among them. Implies no_new_privileges.",
          .example = "[\"@system-service\"]" },
        { "sandbox.syscalls_denied", KEY_STRINGS, FIELD(sandbox.syscalls_denied), .effect = EFFECT_RESTART,
          .help = "System calls that it may not use, by names and groups: of all, or of those that sandbox.syscalls names. Implies no_new_privileges.",
          .example = "[\"@mount\", \"@debug\"]" },
        { "sandbox.syscall_action", KEY_ENUM, FIELD(sandbox.syscall_action), syscall_actions, .fallback = "error", .effect = EFFECT_RESTART,
          .help = "What becomes of a system call that it may not use. error: it fails with EPERM. kill: the process ends by SIGSYS.",
          .example = "kill" },
        {},
};

static const SpecKey *find(const SpecKey *k, const char *path) {
        for (; k->path; k++)
                if (streq(k->path, path))
                        return k;
        return NULL;
}

const SpecKey *spec_key_find(const char *path) {
        return find(spec_keys, path);
}

const SpecKey *spec_probe_key_find(const char *path) {
        return find(spec_probe_keys, path);
}
