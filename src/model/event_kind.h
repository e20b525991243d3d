/* What can happen to a service or to the daemon: one row a kind, from which the words of the API, the entries of the journal and its catalogue
 * come. Ids are part of the interface (`journalctl MESSAGE_ID=…`, systemd.journal-fields(7)): a kind keeps its own for ever. */
#pragma once

#include "base/macro.h"

typedef enum EventKind {
        EVENT_STARTED, EVENT_READY, EVENT_RELOADING, EVENT_RELOADED, EVENT_EXITED, EVENT_OOM, EVENT_LOST, EVENT_COMPLETED, EVENT_STOPPED,
        EVENT_KILLING, EVENT_WATCHDOG, EVENT_READY_TIMEOUT, EVENT_START_FAILED, EVENT_BACKOFF, EVENT_GAVE_UP, EVENT_FAILED,
        EVENT_STOPPED_OUTSIDE, EVENT_SIGNALLED, EVENT_CHANGED, EVENT_UNWATCHED, EVENT_UNLIMITED, EVENT_LOG_FLOOD, EVENT_NOTIFY_FLOOD, EVENT_FD_REFUSED,
        EVENT_KINGD, EVENT_APPLIED, EVENT_RELOAD, EVENT_SHUTDOWN, EVENT_JOURNAL_BEHIND, EVENT_REPLACED,
        EVENT_MEMORY_HIGH, EVENT_MEMORY_MAX, EVENT_CHILD_OOM, EVENT_TASKS,
        EVENT_MEMORY_RESTART,
        EVENT_SCHEDULED, EVENT_SKIPPED, EVENT_MISSED, EVENT_UNSCHEDULED,
        EVENT_DEMAND, EVENT_IDLE,
        EVENT_UPGRADED, EVENT_NOT_UPGRADED,
        EVENT_ROLLING, EVENT_ROLLING_FAILED,
        EVENT_HOOK, EVENT_HOOK_FAILED, EVENT_RELOAD_FAILED,
        EVENT_PROBE_FAILED, EVENT_UNREADY,
        EVENT_BALANCER_DIED, EVENT_BALANCE_TROUBLE,
        EVENT_MAIN_PROCESS, EVENT_NOTIFY_REFUSED,
        _EVENT_KIND_MAX
} EventKind;

typedef struct EventInfo {
        const char *name;          /* the word of the API and of KINGLY_EVENT: "started" */
        const char *id;            /* MESSAGE_ID: 32 lower-case hexadecimal digits */
        int priority;              /* of syslog(3) */
        const char *subject;       /* catalogue: one line; @FIELD@ stands for a field of the entry */
        const char *text;          /* catalogue: what it means and what to do, one paragraph */
} EventInfo;

const EventInfo *event_info(EventKind k);
