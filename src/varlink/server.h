/* The Varlink server on an sd_event loop. Never blocks: output is queued per connection up to a limit; a connection stops being read while
 * a call of it is pending (back-pressure), and while it has more than VARLINK_OUTPUT_HIGH bytes unsent. */
#pragma once

#include <systemd/sd-event.h>

#include "varlink/varlink.h"

/* At most, or a quarter of RLIMIT_NOFILE; when they are there, one that is idle makes room for root and the owner. */
#define VARLINK_CONNECTIONS_MAX     1024
#define VARLINK_CONNECTIONS_PER_UID 256 /* of any other user, or a quarter of all; of which all others together get three quarters */
#define VARLINK_OUTPUT_HIGH         (1024 * 1024)     /* streams pause above this … */
#define VARLINK_OUTPUT_MAX          VARLINK_REPLY_MAX /* … and a connection that exceeds this is closed */
#define VARLINK_OUTPUT_PER_UID      (64 * 1024 * 1024) /* unsent on all connections of another user, of which the one that exceeds it is closed */
#define VARLINK_LOOKER_MESSAGE_MAX  (64 * 1024)       /* a call of one who may only look */
/* For a begun message to become complete, and for some of a finished reply to be read. */
#define VARLINK_MESSAGE_TIMEOUT (30 * USEC_PER_SEC)

typedef struct VarlinkServer VarlinkServer;
typedef struct VarlinkCall VarlinkCall;

/* Handles one call. It must end every call with exactly one varlink_reply or varlink_error, now or later (varlink_call_ref keeps it); with
 * `more` it may varlink_notify before. Negative return: answered by the server as io.kingly.Manager.Failed. parameters is borrowed, never
 * NULL. */
typedef int (*VarlinkMethod)(VarlinkCall *call, json_object *parameters, void *userdata);

typedef struct VarlinkEntry {
        const char *method;
        VarlinkMethod handle;
        bool write;
} VarlinkEntry;
typedef struct VarlinkInterface {
        const char *name;            /* "io.kingly.Manager" */
        const char *description;     /* the .varlink text */
        const VarlinkEntry *methods; /* short names, ends with method == NULL; write: needs the right to change things */
} VarlinkInterface;

typedef struct VarlinkServerOptions {
        sd_event *event;
        const VarlinkInterface *interface;
        const char *vendor, *product, *version, *url;
        /* 0 nothing allowed, 1 may look, 2 may do everything; by the peer's credentials */
        int (*permission)(void *userdata, uid_t uid, gid_t gid, pid_t pid);
        void (*quiet)(void *userdata);      /* the last connection is gone; or NULL. Not from varlink_server_free() */
        void *userdata;
        int64_t priority; /* of its event sources */
} VarlinkServerOptions;

int varlink_server_new(const VarlinkServerOptions *o, VarlinkServer **ret);
VarlinkServer *varlink_server_free(VarlinkServer *s); /* closes all connections after trying to send what is queued */
DEFINE_CLEANUP(VarlinkServer *, varlink_server_free);
int varlink_server_listen(VarlinkServer *s, int fd); /* a listening AF_UNIX socket; takes ownership on success */
int varlink_server_adopt(VarlinkServer *s, int fd);  /* a connected one; takes ownership on success. -EUSERS: a limit is reached */
size_t varlink_server_connections(const VarlinkServer *s);

VarlinkCall *varlink_call_ref(VarlinkCall *c);
VarlinkCall *varlink_call_unref(VarlinkCall *c); /* returns NULL */
bool varlink_call_more(const VarlinkCall *c);    /* the client asked for a stream */
bool varlink_call_alive(const VarlinkCall *c);   /* false once the client went away: nothing can be said any more */
bool varlink_call_may_change(const VarlinkCall *c); /* the client has the right to change things */
uid_t varlink_call_uid(const VarlinkCall *c);
pid_t varlink_call_pid(const VarlinkCall *c);
/* True while more than VARLINK_OUTPUT_HIGH bytes wait: a stream should pause until `drained` is called. */
bool varlink_call_congested(const VarlinkCall *c);
/* drained: output went below half of the mark again. gone: the client disconnected. Either may be NULL. Called from the loop. */
void varlink_call_watch(VarlinkCall *c, void (*drained)(VarlinkCall *c, void *userdata), void (*gone)(VarlinkCall *c, void *userdata),
                        void *userdata);

/* All three consume `parameters` (NULL: empty object). 0, -ENOTCONN when the client is gone, -ENOMEM. */
int varlink_notify(VarlinkCall *c, json_object *parameters); /* "continues": true */
int varlink_reply(VarlinkCall *c, json_object *parameters);
int varlink_error(VarlinkCall *c, const char *error, json_object *parameters);
/* From a KlError: error "io.kingly.Manager.ID" with parameters {message, hint}. */
int varlink_error_kl(VarlinkCall *c, const KlError *e);
