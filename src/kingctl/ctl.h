/* One run of kingctl: what was asked, the connection, the error to report. */
#pragma once

#include "kingctl/options.h"
#include "varlink/client.h"

typedef struct Ctl {
        Options options;
        VarlinkClient *client;
        KlError error;
        unsigned losses;   /* of the connection, since the last answer */
        bool colour;       /* on stdout */
        bool colour_error; /* on stderr */
} Ctl;

/* The whole program; returns the exit status. */
int kingctl_run(int argc, char **argv);

typedef enum ConnectMode {
        CONNECT_ONLY,  /* no daemon: an error with exit status 4 */
        CONNECT_START, /* no daemon: start one, unless --no-autostart */
} ConnectMode;

/* Connects unless connected. 0, or negative with ctl->error. */
int ctl_connect(Ctl *ctl, ConnectMode mode);

/* One call with the usual deadline (--timeout, else 30 s), asked again when the connection was lost and that does no harm. Consumes parameters.
 * 0 and *ret (owned), or negative with ctl->error. */
int ctl_call(Ctl *ctl, const char *method, json_object *parameters, json_object **ret);
/* The same with "more". ctl_next: 1 a reply and more to come, 0 the last, -EINTR, negative with ctl->error. The deadline (CLOCK_MONOTONIC,
 * USEC_INFINITY: none) is the caller's, since it is about the whole. */
int ctl_more(Ctl *ctl, const char *method, json_object *parameters);
int ctl_next(Ctl *ctl, usec_t deadline, json_object **ret);
/* After ctl_more or ctl_next failed with r: 0 when the connection was lost and there is a new one, on which the method may be called again; else
 * negative with ctl->error: r, or why there is none. */
int ctl_again(Ctl *ctl, const char *method, int r);
/* --timeout from now on, or USEC_INFINITY. */
usec_t ctl_deadline(const Ctl *ctl);

/* {"selectors": […], "namespace": …}; NULL on OOM. args NULL or empty: no selectors, unless `all` asks for "all" then. */
json_object *ctl_selectors(const Ctl *ctl, char *const *args, bool all);

/* The same parameters (consumed) with what --show-secrets asks for; NULL on OOM. */
json_object *ctl_secrets(const Ctl *ctl, json_object *parameters);

/* Fill ctl->error and return r. */
int ctl_oom(Ctl *ctl);
int ctl_usage(Ctl *ctl, const char *format, ...) _printf_(2, 3);
/* Says "kingctl: …" and "hint: …" on stderr. */
void ctl_complain(const Ctl *ctl, const char *message, const char *hint);

/* The daemon's socket by options and environment, malloc'ed. 0, or negative with *reterr. */
int socket_path(const Options *o, char **ret, KlError *reterr);

/* autostart.c: starts a daemon and waits until it is ready. 0, or negative with *reterr. */
int daemon_start(const Options *o, KlError *reterr);
/* Whether systemd runs and knows kingd.service (of the user manager with `user`). */
bool daemon_has_unit(bool user);
bool options_user(const Options *o); /* --user, --system, or by who calls */
