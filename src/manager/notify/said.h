/* What a run has said by sd_notify(3) that stays true of it until it ends: who its main process is, who is heard, what went wrong; and that it is
 * ready, by whatever means, while nobody knows yet which process that is. It outlives the manager in the books, in the words of sd_notify itself. */
#pragma once

#include "manager/manager.h"
#include "model/notify.h"

struct Said {
        bool ready;                        /* and the keeper has not told of it: to be fed when it does */
        bool main_told;                    /* its main process is the one that it named */
        int access;                        /* NOTIFYACCESS=, a NotifyAccess; -1: not said */
        int error, exit_status;            /* ERRNO=, EXIT_STATUS=; -1: not said */
        char *bus_error, *varlink_error;
        uint64_t refused;                  /* messages that were not heard */
        char *refusal;                     /* the last of them, in words; NULL: none */
        uint64_t bad;                      /* values that were none */
        char bad_field[32];                /* the last of them */
};

Said *said_of(Instance *i);                /* made if there is none; NULL on OOM */
void said_free(Instance *i);               /* a new run has said nothing */
char *said_text(const Instance *i);        /* for the books; NULL: nothing */
int said_recall(Instance *i, const char *text);
void said_errors(Instance *i, const NotifyMessage *m);
/* What went wrong, as it said itself, for the report of its end: "No such file or directory (ERRNO=2), BUSERROR=a.b.C". malloc'ed; NULL: nothing. */
char *said_complaint(const Instance *i);
/* Whose messages are heard now. */
NotifyAccess said_access(const Instance *i);
/* A message is not heard, for this reason (printf): counted, kept for describe, and told once a run. */
void said_refuse(Instance *i, const char *format, ...) _printf_(2, 3);
json_object *said_json(const Instance *i); /* for describe; NULL: it is not given NOTIFY_SOCKET, or does not live */
