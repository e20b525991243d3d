/* Whether the manager still lives and listens. It is asked only when somebody waits for it, so that an idle daemon has no timer: an exit that is
 * not acknowledged, a signal that it was told of, a client whose connection it does not take. */
#pragma once

#include "keeper/wire.h"
#include "linux/poller.h"

#define PULSE_DOOR "api"                /* the held descriptor on which clients knock */
#define PULSE_ANSWER (20 * USEC_PER_SEC)

typedef enum PulsePhase {
        PULSE_QUIET,                    /* nobody waits */
        PULSE_WAITED,                   /* somebody does, since a moment ago */
        PULSE_ASKED,                    /* PING was said, or it was just started: an answer is due */
        PULSE_ABORTED,                  /* SIGABRT was sent */
} PulsePhase;

typedef struct Pulse {
        PulsePhase phase;
        bool ping_due;                  /* PING is to be said */
        bool hung;                      /* it was us who ended it */
        usec_t at;                      /* CLOCK_MONOTONIC: what is next; USEC_INFINITY in QUIET */
        uint64_t signals;               /* told since its last answer */
        PollSource door;                /* a duplicate, watched edge by edge */
} Pulse;

typedef struct Keeper Keeper;

void pulse_init(Keeper *k);
void pulse_done(Keeper *k);
void pulse_begin(Keeper *k);            /* a manager was started and is to say READY */
void pulse_end(Keeper *k);              /* it is gone */
void pulse_watch(Keeper *k);            /* PULSE_DOOR may be held now */
void pulse_waited(Keeper *k);           /* something was said that must be answered in time */
void pulse_ready(Keeper *k);            /* READY came */
void pulse_answered(Keeper *k);         /* PONG came */
void pulse_due(Keeper *k);              /* `at` has come */
