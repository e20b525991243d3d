/* One probe of one run: when it is tried next, and what its answers add up to. Pure: time comes in as an argument, and whoever drives it keeps one
 * timer for `due`. The meaning is that of Kubernetes' probes, but for one thing: until its first success a probe is tried more often than its period
 * says, and only failures a period apart are counted, so that what is ready after 100 ms is not found out after ten seconds. The first success is
 * followed by a part of the period by chance, so that a thousand that were begun together do not go on together.
 *
 * Invariants, checked by the random test: at most one try is in flight · `due` is never infinite before the probe is done · between two failures
 * that count there is at least a period · a verdict is told once. Source: kubernetes.io, "Configure Liveness, Readiness and Startup Probes". */
#pragma once

#include "model/spec.h"

typedef enum ProbeVerdict { PROBE_UNDECIDED, PROBE_GOOD, PROBE_BAD } ProbeVerdict;

typedef struct ProbeRun {
        usec_t due;               /* CLOCK_MONOTONIC: of the next try; while one is in flight the end of its patience; USEC_INFINITY: no more */
        usec_t began;             /* the try in flight */
        usec_t counts;            /* failures count from here on */
        usec_t eager;             /* wait before the next early try */
        uint32_t passes, failures;   /* in a row */
        uint8_t verdict;          /* ProbeVerdict */
        bool in_flight : 1;
        bool passed_once : 1;
} ProbeRun;

/* Begins after its initial_delay. A probe that was good under an earlier manager stays so and goes on a period from now, less some of it by
 * chance (random: any number), so that a thousand of them do not begin at once. */
void probe_begin(ProbeRun *r, const ProbeSpec *p, usec_t now);
void probe_resume(ProbeRun *r, const ProbeSpec *p, ProbeVerdict verdict, usec_t now, uint32_t random);
/* It is due: a try begins, whose end is due a timeout later. */
void probe_try(ProbeRun *r, const ProbeSpec *p, usec_t now);
/* The try has ended (a timeout is a failure). Returns what is new: PROBE_GOOD or PROBE_BAD, or PROBE_UNDECIDED for nothing. After the success of a
 * startup probe, and after the failure of any but a readiness probe, it is not tried again. */
ProbeVerdict probe_answer(ProbeRun *r, const ProbeSpec *p, ProbeKind kind, bool passed, usec_t now, uint32_t random);
