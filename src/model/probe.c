#include "model/probe.h"

#define EAGER_FIRST (100 * USEC_PER_MSEC)

void probe_begin(ProbeRun *r, const ProbeSpec *p, usec_t now) {
        *r = (ProbeRun) { .due = usec_add(now, p->initial_delay), .eager = MIN(EAGER_FIRST, p->period) };
        r->counts = r->due;
}

static usec_t part_of(usec_t period, uint32_t random) {
        return (usec_t) ((unsigned __int128) period * random / UINT32_MAX);
}

void probe_resume(ProbeRun *r, const ProbeSpec *p, ProbeVerdict verdict, usec_t now, uint32_t random) {
        *r = (ProbeRun) { .due = usec_add(now, part_of(p->period, random)), .verdict = (uint8_t) verdict, .passed_once = verdict == PROBE_GOOD };
        r->counts = r->due;
        r->eager = p->period;
}

void probe_try(ProbeRun *r, const ProbeSpec *p, usec_t now) {
        r->in_flight = true;
        r->began = now;
        r->due = usec_add(now, p->timeout);
}

/* From one beginning to the next, however long the try took; what was missed is not made up for. */
static usec_t next_try(ProbeRun *r, const ProbeSpec *p, usec_t now) {
        usec_t early = usec_add(now, r->eager), counted = MAX(r->counts, now);

        if (r->passed_once || r->eager >= p->period)
                return MAX(usec_add(r->began, p->period), now);
        r->eager *= 2;
        return MIN(early, counted);
}

static ProbeVerdict passed(ProbeRun *r, const ProbeSpec *p, ProbeKind kind) {
        uint32_t needed = kind == PROBE_READINESS ? p->success : 1;

        r->failures = 0;
        r->passed_once = true;
        r->passes += r->passes < UINT32_MAX;
        if (r->verdict == PROBE_GOOD || r->passes < needed)
                return PROBE_UNDECIDED;
        r->verdict = PROBE_GOOD;
        return PROBE_GOOD;
}

static ProbeVerdict failed(ProbeRun *r, const ProbeSpec *p) {
        r->passes = 0;
        if (r->began < r->counts)
                return PROBE_UNDECIDED;
        r->counts = usec_add(r->began, p->period);
        r->failures += r->failures < UINT32_MAX;
        if (r->verdict == PROBE_BAD || r->failures < p->failure)
                return PROBE_UNDECIDED;
        r->verdict = PROBE_BAD;
        return PROBE_BAD;
}

ProbeVerdict probe_answer(ProbeRun *r, const ProbeSpec *p, ProbeKind kind, bool success, usec_t now, uint32_t random) {
        bool first = success && !r->passed_once;
        ProbeVerdict news = success ? passed(r, p, kind) : failed(r, p);
        bool done = kind == PROBE_STARTUP ? r->verdict != PROBE_UNDECIDED : kind == PROBE_LIVENESS && r->verdict == PROBE_BAD;

        r->in_flight = false;
        r->due = done ? USEC_INFINITY : first ? usec_add(now, part_of(p->period, random)) : next_try(r, p, now);
        return news;
}
