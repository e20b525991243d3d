/* What a service says by sd_notify(3): one datagram of NAME=value lines → one structure, and who is heard. Pure.
 *
 * A value that is none is left out as if it had not been sent, and counted. Of a name that is said twice the first counts, as systemd has it.
 * Names that are not known (X_… and those of later versions) are ignored. Sources: sd_notify(3), systemd.service(5). */
#pragma once

#include "base/macro.h"
#include "base/span.h"
#include "model/fd_store.h"
#include "model/spec.h"

#define NOTIFY_DATAGRAM_MAX 4096           /* PIPE_BUF: what is longer is not read (systemd's NOTIFY_BUFFER_MAX) */
#define NOTIFY_STATUS_MAX (16 * 1024)      /* a longer STATUS= is none */
#define NOTIFY_NAME_MAX 255                /* of BUSERROR=, VARLINKERROR= */

typedef struct NotifyMessage {
        unsigned assignments;              /* lines that are NAME=value */
        unsigned bad;                      /* of them, those whose value is none */
        char first_bad[32];                /* the name of the first */

        bool barrier;                      /* BARRIER=1 is one of the lines; it must be the only one */
        bool ready, reloading, stopping, ping, trigger, restart_reset;
        usec_t monotonic;                  /* MONOTONIC_USEC=; 0: not said */
        usec_t extend;                     /* EXTEND_TIMEOUT_USEC=; 0: not said, or nothing to extend by */
        bool has_watchdog;
        usec_t watchdog;                   /* WATCHDOG_USEC=; 0: off */

        pid_t main_pid;                    /* MAINPID=; 0: not said */
        uint64_t main_pidfd_id;            /* MAINPIDFDID=: the inode of its pidfd; 0: not said */
        bool main_pidfd;                   /* MAINPIDFD=1: a pidfd comes along */

        const char *status;                /* STATUS=, valid UTF-8, into the text; NULL: not said; "": to be cleared */
        int error;                         /* ERRNO=, positive; -1: not said; 0: none */
        const char *bus_error, *varlink_error;   /* BUSERROR=, VARLINKERROR=, into the text, or NULL */
        int exit_status;                   /* EXIT_STATUS=, 0…255; -1: not said */
        int access;                        /* NOTIFYACCESS=, a NotifyAccess; -1: not said */

        FdStoreOrder fd_store;
} NotifyMessage;

/* Reads n bytes of text, which has room for one byte more and is changed: the structure points into it. One NUL at the end is forgiven. 0, or
 * -EBADMSG for a NUL elsewhere. */
int notify_parse(char *text, size_t n, NotifyMessage *ret);

/* Who sent it, seen from the instance that it belongs to. */
typedef enum NotifySender { NOTIFY_FROM_MAIN, NOTIFY_FROM_CONTROL, NOTIFY_FROM_MEMBER } NotifySender;
/* What is in force: `none` is raised to `main` where sd_notify is needed for something (spec_notifies()). */
NotifyAccess notify_access(const ServiceSpec *s);
bool notify_admits(NotifyAccess access, NotifySender from);
const char *notify_access_name(NotifyAccess a);   /* "none" "main" "exec" "all" */
/* The deadline that EXTEND_TIMEOUT_USEC= moves: never to an earlier time, and none to where there is none. */
usec_t notify_extended(usec_t deadline, usec_t now, usec_t by);
