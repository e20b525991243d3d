/* One try of a probe that asks over the network: a connection, and where the protocol wants it one request and its answer. Nothing waits: the loop
 * calls back. Patience is the caller's: it frees what takes too long. A try holds one descriptor and at most 20 KiB, until it is over. */
#pragma once

#include <systemd/sd-event.h>

#include "probe/address.h"

#define PROBE_TEXT_MAX 256

typedef struct ProbeAnswer {
        bool passed;
        char text[PROBE_TEXT_MAX];     /* why it failed, or what was answered: "connection refused", "HTTP 200 OK"; no control characters */
} ProbeAnswer;

typedef struct ProbeTry ProbeTry;
/* Called once, from the loop; the try may be freed in it, and has to be by somebody. */
typedef void (*ProbeDone)(void *userdata, const ProbeAnswer *a);

/* Begins a try of any kind but exec. at: copied, or NULL. 1: it is over already, as a connection to this machine mostly is; *ret_answer says how, *ret is NULL. 0: under way.
 * What cannot even begin is a failed try, never an error. The spec is borrowed until the try is freed. */
int probe_try_begin(sd_event *event, int64_t priority, const ProbeSpec *p, const ProbeTarget *at, ProbeDone done, void *userdata, ProbeTry **ret,
                    ProbeAnswer *ret_answer);
ProbeTry *probe_try_free(ProbeTry *t);
DEFINE_CLEANUP(ProbeTry *, probe_try_free);
/* What it is waiting for, for one whose time is up: "no connection", "no answer". */
const char *probe_try_waits_for(const ProbeTry *t);
