/* Owns the table of kinds. A row is added, never renumbered: `tr -d - </proc/sys/kernel/random/uuid` makes an id. */
#include "model/event_kind.h"

#include <syslog.h>

#define SERVICE "@KINGLY_NAMESPACE@/@KINGLY_SERVICE@:@KINGLY_INSTANCE@ "

static const EventInfo kinds[_EVENT_KIND_MAX] = {
        [EVENT_STARTED] = { "started", "4d83fe5ec6e14f4fbaabcf9ba334826d", LOG_INFO, SERVICE "has been started",
                "The command executes. Whether it serves already is said by the entry of kind \"ready\"." },
        [EVENT_READY] = { "ready", "49e6008ff3b84927afead73a6dc5aba1", LOG_INFO, SERVICE "is ready",
                "The service serves, by the way that ready.by names, or as its readiness probe says. Those that depend on it may start." },
        [EVENT_RELOADING] = { "reloading", "ea9549301d6442bb9856603b43489987", LOG_INFO, SERVICE "reads its configuration again",
                "The service said RELOADING=1. It goes on serving meanwhile." },
        [EVENT_RELOADED] = { "reloaded", "b9894c05e36f4f5d93f298e683ca3397", LOG_INFO, SERVICE "has read its configuration again",
                "The service said READY=1 after RELOADING=1, or did not say so within ready.timeout." },
        [EVENT_EXITED] = { "exited", "515d42be84314018958c2763c831ca75", LOG_NOTICE, SERVICE "has ended",
                "EXIT_CODE says how the main process ended (exited, killed, dumped), EXIT_STATUS its status or the number of the "
                "signal. CPU_USAGE_NSEC and MEMORY_PEAK say what the run used: the whole service where Kingly has a cgroup for it, else "
                "its main process. What becomes of it now is decided by restart.when." },
        [EVENT_OOM] = { "oom-kill", "ecaaf91d789c448fb9cd46ef2d49ce6d", LOG_ERR, SERVICE "was killed for want of memory",
                "The kernel's OOM killer ended a process of it: it reached limits.memory_max, or the machine has no memory left. If the "
                "limit is too low, raise it: it takes effect on the living with kingctl apply. If it is not, the service leaks; "
                "limits.memory_high slows it down before it is killed." },
        [EVENT_MEMORY_HIGH] = { "memory-high", "aad04af300804f8fbc4c10af9128bda5", LOG_NOTICE, SERVICE "is slowed down for its memory",
                "It uses as much as limits.memory_high allows, and the kernel makes it wait while room is made: @KINGLY_COUNT@ times since this was "
                "last told. If it needs the memory, raise the limit: kingctl apply does so on the living. If it does not, it leaks." },
        [EVENT_MEMORY_MAX] = { "memory-max", "dccf0c07a9274f66b75065cec463e952", LOG_WARNING, SERVICE "is at the limit of its memory",
                "It uses as much as limits.memory_max allows. @KINGLY_COUNT@ times since this was last told the kernel had to make room first, of caches "
                "mostly, which costs time; when there is none to be made, it kills a process. Raise the limit, or find out what needs so much." },
        [EVENT_CHILD_OOM] = { "oom-kill-child", "78d60b739e404e5da47df080ab921596", LOG_ERR, SERVICE "has lost processes for want of memory",
                "The kernel's OOM killer ended @KINGLY_COUNT@ processes of it, at limits.memory_max or because the machine has no memory left. The main "
                "process lives, so the service is not restarted; what it does without the others is its own affair." },
        [EVENT_TASKS] = { "tasks-max", "5d0b297fd37547f48dc8e65737cbc5d6", LOG_WARNING, SERVICE "may have no more processes",
                "It has as many processes and threads as limits.tasks allows, and @KINGLY_COUNT@ new ones were refused since this was last told (EAGAIN of "
                "fork(2)). If it needs more, raise the limit: kingctl apply does so on the living." },
        [EVENT_MEMORY_RESTART] = { "memory-restart", "0fe6ac77201541399bd9201f2d3abc63", LOG_NOTICE, SERVICE "has grown too big",
                "It uses KINGLY_BYTES=@KINGLY_BYTES@ bytes, more than limits.memory_restart allows, and is restarted in good order. If it does so soon "
                "after each start, it needs that much: raise the limit, kingctl apply does so on the living. If it does so after hours, it "
                "leaks." },
        [EVENT_DEMAND] = { "demand", "20c17e574fcf4e178c19e08dfb5ade40", LOG_INFO, SERVICE "is wanted by a client",
                "Somebody connects to one of its sockets, which Kingly listens on for it, and it is started." },
        [EVENT_IDLE] = { "idle", "a563aaebce0a4d19adc100136dcd88e7", LOG_INFO, SERVICE "is not needed for now",
                "Nobody was connected to its sockets for idle_timeout. It is stopped, and starts again when the next client connects." },
        [EVENT_HOOK] = { "hook", "c642cce425f74b969c03835c285ef8a0", LOG_INFO, SERVICE "runs a hook",
                "A command of its hooks, or its reload command, has been asked for; the message says which. What it writes is in the log of the "
                "service." },
        [EVENT_HOOK_FAILED] = { "hook-failed", "72244d4e1d5d43598bfbb22abf3e99d9", LOG_WARNING, SERVICE "has a hook that failed",
                "A command of its hooks, or its reload command, did not exit with status 0, could not be executed, or took longer than it may; the "
                "message says which. Unless pre_start succeeds the service is not started; the other hooks change nothing. kingctl logs "
                "@KINGLY_SERVICE@ shows what it wrote." },
        [EVENT_RELOAD_FAILED] = { "reload-failed", "7046d007d9ab494cb5f552d8c5537710", LOG_WARNING, SERVICE "has not read its configuration again",
                "Its reload command failed, or it did not say within reload.timeout that it is done. It goes on serving, with the configuration that "
                "it had, as far as it can be known." },
        [EVENT_ROLLING] = { "rolling", "63fd44741d1b477ea8bf740dc187b1fc", LOG_INFO, SERVICE "is being replaced, instance by instance",
                "kingctl reload ordered it. Each new instance takes its place when it is ready; the old one finishes what it has begun, for "
                "reload.drain_timeout at most, and ends." },
        [EVENT_ROLLING_FAILED] = { "rolling-failed", "b144a73b7a374bb383d039984ee0e393", LOG_ERR, SERVICE "could not be replaced",
                "A new instance did not come up, or the reload was cancelled. Instances that had not been replaced by then are the old ones and run "
                "on. kingctl logs @KINGLY_SERVICE@ shows the new one's last words. When the cause is removed: kingctl reload @KINGLY_SERVICE@." },
        [EVENT_PROBE_FAILED] = { "probe-failed", "29e3d72e49e543bd8eeb6e3aa0fb486b", LOG_WARNING, SERVICE "was found bad by a probe",
                "Its startup or liveness probe failed as often in a row as probes.KIND.failure says. It is stopped, and what becomes of it is decided by "
                "restart.when. The message says what the last try met." },
        [EVENT_UNREADY] = { "unready", "0b1025596f1e4a989b714074ddcd1f27", LOG_WARNING, SERVICE "is not ready any more",
                "Its readiness probe failed as often in a row as probes.readiness.failure says. It runs on; who depends on its readiness waits until the "
                "probe succeeds again. The message says what the last try met." },
        [EVENT_BALANCER_DIED] = { "balancer-died", "c9e47e7eeb4942d784e684ad62e35827", LOG_ERR, SERVICE "has lost the connections that it had open",
                "The balancer, which passes on the bytes between clients and the instances of a service, is gone. Its connections are cut; whoever "
                "connects now waits in the queue of the socket, and is served by the next balancer, which is started at once. kingctl logs "
                "@KINGLY_SERVICE@ shows its last words." },
        [EVENT_BALANCE_TROUBLE] = { "balance-trouble", "90622bef61974a2eb635ab2632330fd3", LOG_WARNING, SERVICE "has trouble with its connections",
                "An instance is ready and takes no connections from its balancer, which leaves it out for a growing while and then tries again; or the "
                "balancer itself can accept none, which it tries again as well; the message says why, and, later, that it is over. Or the balancer "
                "could not take in what it was told, and is told again. Where an instance refuses connections: does it accept from the descriptor "
                "that it is given?" },
        [EVENT_LOST] = { "lost", "a266ced9e87c435bb60dfec1bc931ee2", LOG_WARNING, SERVICE "ended while nobody looked",
                "It ended while no kingd lived. Its status is not known to anybody, which counts as a failure." },
        [EVENT_COMPLETED] = { "completed", "5b3b5e91466e456cba73d46d37d3316c", LOG_INFO, SERVICE "has done its work",
                "It ended by itself, and nothing is to be restarted: a oneshot with success, or a service whose restart.when or "
                "restart.except_codes says so." },
        [EVENT_STOPPED] = { "stopped", "29411ca6b8904d7e9164a18cd2f744e9", LOG_INFO, SERVICE "has been stopped",
                "An operator, a change of configuration or the end of kingd ordered it, and nothing of it lives any more." },
        [EVENT_KILLING] = { "killing", "84a516a7c6724d218384b9b1aafab0ee", LOG_WARNING, SERVICE "did not end in time",
                "What was left of it after stop.timeout gets SIGKILL. Work that it had not finished is lost. If it needs longer to end, "
                "raise stop.timeout; if it ignores the signal, see stop.signal." },
        [EVENT_WATCHDOG] = { "watchdog", "726791dbad6a4b9bab97dfda8109aa5e", LOG_ERR, SERVICE "has shown no sign of life",
                "It did not send WATCHDOG=1 within the time that the key watchdog gives, and gets SIGABRT. A core dump, where they are "
                "kept, shows where it hung." },
        [EVENT_READY_TIMEOUT] = { "ready-timeout", "6e41bdfd303f47c2947e83aac9e414ae", LOG_ERR, SERVICE "did not become ready in time",
                "It was started but did not say within ready.timeout that it is ready, and is stopped. If it needs longer, raise "
                "ready.timeout or let it ask for more with EXTEND_TIMEOUT_USEC; if it never says so, ready.by is not what the service "
                "does." },
        [EVENT_START_FAILED] = { "start-failed", "46ed6b71d0cd4dc7b5f4362cf78245a8", LOG_WARNING, SERVICE "could not be started",
                "Its command never executed; the message says at which step and why. It is tried again." },
        [EVENT_BACKOFF] = { "backoff", "f0426d7787f543818cd88b6d7711e643", LOG_NOTICE, SERVICE "waits before it is started again",
                "The delay grows with each attempt in a row: restart.delay, restart.factor and restart.max_delay. kingctl start "
                "@KINGLY_SERVICE@ does not wait." },
        [EVENT_GAVE_UP] = { "gave-up", "3f525655821a469ab7d558f46b1b1c69", LOG_ERR, SERVICE "is not started any more",
                "It failed more often in a row than restart.limit allows. kingctl logs @KINGLY_SERVICE@ shows its last words, kingctl "
                "events @KINGLY_SERVICE@ how each run ended. When the cause is removed: kingctl start @KINGLY_SERVICE@." },
        [EVENT_FAILED] = { "failed", "0c4b3e8bbaff441b96be6139626c8858", LOG_ERR, SERVICE "has failed",
                "It is not started again by itself; KINGLY_REASON says why. kingctl describe @KINGLY_SERVICE@ shows more, kingctl logs "
                "@KINGLY_SERVICE@ its last words. When the cause is removed: kingctl start @KINGLY_SERVICE@." },
        [EVENT_STOPPED_OUTSIDE] = { "stopped-outside", "3d43a46081a248fa94866b806bcde29f", LOG_WARNING, SERVICE "was stopped by somebody else",
                "Its scope was stopped behind the back of kingd, for example by systemctl stop. That counts as an end by itself; who "
                "wants it stopped uses kingctl stop @KINGLY_SERVICE@." },
        [EVENT_SIGNALLED] = { "signal", "05ee413b5415448ebecf534be0da50f4", LOG_INFO, SERVICE "was sent a signal",
                "An operator sent it, by kingctl signal. What comes of it is the service's affair." },
        [EVENT_CHANGED] = { "changed", "cfd503f8e0224354919795abbedae480", LOG_INFO, SERVICE "had its files changed",
                "A file below watch.paths changed, and the service is restarted or, with watch.signal, told. What is not meant to do that "
                "belongs into watch.ignore." },
        [EVENT_UNWATCHED] = { "unwatched", "fceb5e2676db461b93052b64231e87c0", LOG_WARNING, SERVICE "is not told of changed files",
                "A path of watch.paths cannot be watched, for the reason that the message gives; it is tried again at the next start." },
        [EVENT_UNLIMITED] = { "unlimited", "0ff01bc227f34698b762c896b4db1f7a", LOG_WARNING, SERVICE "keeps its old limits",
                "The new limits could not be set on the living processes, for the reason that the message gives. They will be those of "
                "its next run." },
        [EVENT_LOG_FLOOD] = { "log-flood", "3042a2031b364df6bb95fb8e7e83323f", LOG_WARNING, SERVICE "writes more than the journal takes",
                "journald dropped lines of it: N_DROPPED of them, beyond what its RateLimitBurst= allows in RateLimitIntervalSec= "
                "(journald.conf(5)). They are lost. The journal is no home for so many lines: set log.to: file in the service, where "
                "every line is kept, or make the service write less." },
        [EVENT_NOTIFY_FLOOD] = { "notify-flood", "033f819ee5a54d0fb8cfd4092a01ea62", LOG_WARNING, SERVICE "says too much by sd_notify",
                "It sends more messages a second than are heard; those beyond are ignored, whatever they say. Nobody else is kept from being "
                "heard. A service says STATUS= when it changes, and WATCHDOG=1 twice in the time that the key watchdog gives." },
        [EVENT_FD_REFUSED] = { "fd-refused", "b1b0b34b258344cbaa46595229f6c92a", LOG_WARNING, SERVICE "sends descriptors that are not kept",
                "It sent FDSTORE=1, but not all that came with it was taken into its fd store; the message says why. What was refused is closed, and not "
                "there at its next start. The key fd_store says how many are kept." },
        [EVENT_NOTIFY_REFUSED] = { "notify-refused", "31b59ec4864e4ccfaf306ca2ec6af704", LOG_WARNING, SERVICE "says what is not heard",
                "A process of it sent a message by sd_notify that notify_access does not admit, or named a main process that cannot be one; the message "
                "says which. If it is meant to be heard, as systemd-notify in a shell script is, set notify_access: all." },
        [EVENT_MAIN_PROCESS] = { "main-process", "8523864d3a7f43d1a2fda553a9866b1b", LOG_INFO, SERVICE "has another main process",
                "It said so by MAINPID= of sd_notify. The end of that process is the end of the run from now on." },
        [EVENT_SCHEDULED] = { "scheduled", "61538ebd2f8b4cf285bbad963b120e49", LOG_INFO, SERVICE "runs as scheduled",
                "The time that its schedule names has come: a oneshot is started, a simple service restarted." },
        [EVENT_SKIPPED] = { "skipped", "17166f77cdec47d9b6140dbc7b588774", LOG_NOTICE, SERVICE "was not run again while it still ran",
                "The time that its schedule names came while the run before was not over, and schedule.overlap says that it is left out then. If it "
                "happens often, the work takes longer than the schedule has room for." },
        [EVENT_MISSED] = { "missed", "252964fde39346abada72ed3b7f02380", LOG_NOTICE, SERVICE "has missed scheduled runs",
                "Times that its schedule names passed while the daemon or the machine was down or asleep. schedule.missed says whether they are left "
                "out or made up for." },
        [EVENT_UNSCHEDULED] = { "unscheduled", "df7be419d6644d3d8c0331f0f81f5b8f", LOG_ERR, SERVICE "is not run as scheduled",
                "The time zone of its schedule cannot be read, so that nobody knows when it is to run. When the tz database is there again, kingctl "
                "apply or a restart of the daemon takes the schedule up." },
        [EVENT_KINGD] = { "kingd", "0f640222c16c4e789c59af164e0c1b4c", LOG_INFO, "Kingly has begun",
                "kingd has begun. Services that ran on without it have been taken back." },
        [EVENT_APPLIED] = { "applied", "43d3f0c750ea4042b9189e485a74837d", LOG_NOTICE, "Kingly's services have been changed",
                "Services were added, changed or removed by a file or a command. kingctl apply --diff shows beforehand what a file "
                "would change." },
        [EVENT_RELOAD] = { "reload", "5bb347e0cf294ce2800019d8d781918a", LOG_NOTICE, "Kingly reads its configuration again",
                "kingd reads its own configuration files again, as SIGHUP or systemctl reload asked for." },
        [EVENT_SHUTDOWN] = { "shutdown", "9138f0edfccb4710905fb7c9fe7a999c", LOG_NOTICE, "Kingly ends",
                "kingd ends. Services are stopped in the order of their dependencies, unless its unit is only restarted: then they run "
                "on." },
        [EVENT_JOURNAL_BEHIND] = { "journal-behind", "da70b7cee01c44debf14aef84554ed46", LOG_WARNING, "Events of Kingly did not reach the journal",
                "The journal did not take entries of kingd as fast as they came, and kingd does not wait for it. All of them are in "
                "kingctl events." },
        [EVENT_REPLACED] = { "replaced", "1b55a686d3e54bfdbbf254daad556cff", LOG_WARNING, "Kingly's manager has been replaced",
                "kingd-manager ended, was killed or did not answer, and kingd started another one, which goes on where it was. No service "
                "was touched by it. If nobody killed it, this is a fault of ours: please report it, with the core dump if there is one." },
        [EVENT_UPGRADED] = { "upgraded", "1690d32adf9c45b5ac995eaa0b7c4743", LOG_NOTICE, "Kingly executes other programs",
                "kingctl reexec or systemctl reload put the programs on the disk in the place of those that ran. No service was touched by it." },
        [EVENT_NOT_UPGRADED] = { "not-upgraded", "430de3cfb3204f438d5774e77fb80800", LOG_ERR, "Kingly stays with the programs that it had",
                "The programs on the disk could not take the place of those that run, for the reason that the message gives. No service was touched. "
                "Those that run go on; what stands on the disk would be executed at the next start of kingd." },
};

const EventInfo *event_info(EventKind k) {
        return kinds + k;
}
