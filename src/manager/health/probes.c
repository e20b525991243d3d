/* One heap of all that is tried or waited for, by time, and one timer for its first: a thousand probes are a handful of wake-ups a second, and none is
 * a wake-up without probes. Must stay true: a probe is in the heap exactly while it is active and its time is finite; what a verdict is fed to may end
 * any probe, so that feeding is the last thing that is done. */
#include <stdio.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/strv.h"
#include "base/text.h"
#include "manager/api/api.h"
#include "manager/balance/balance.h"
#include "manager/events.h"
#include "manager/health/probe_heap.h"
#include "manager/health/probes.h"
#include "manager/life/control.h"
#include "manager/life/instance.h"
#include "manager/places.h"
#include "model/probe.h"
#include "probe/command.h"
#include "probe/try.h"

#define BATCH 64                          /* tried before others have their turn */
#define SLACK_MOST (100 * USEC_PER_MSEC)  /* how late a try may be, so that several are done at once */

typedef struct Answer {
        char *text;                       /* safe for a terminal */
        usec_t at;                        /* CLOCK_REALTIME */
} Answer;

struct Probe {
        Instance *instance;
        const ProbeSpec *spec;            /* of the instance's spec; NULL while it is not active */
        ProbeKind kind;
        ProbeRun run;
        HeapItem item;
        ProbeTry *attempt;
        Control *control;
        Answer last, verdict;             /* what it met last, and when it was found bad; these outlive the run that was ended for it */
        uint64_t tries;
        bool overdue;                     /* found to have taken too long, before what has come meanwhile was read */
};

struct ProbeSet {
        ProbeHeap heap;
        sd_event_source *timer;
};

static void answer_set(Answer *a, const char *text) {
        char *copy = text_escape(text, strlen(text));

        if (!copy)
                return;
        free(a->text);
        *a = (Answer) { .text = copy, .at = now_usec(CLOCK_REALTIME) };
}

static Probe *probe_of(HeapItem *item) {
        return (Probe *) ((char *) item - offsetof(Probe, item));
}

static uint32_t chance(void) {
        uint32_t n = 0;

        (void) getrandom(&n, sizeof n, GRND_NONBLOCK);
        return n;
}

/* ---- the timer ---- */

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata);

static usec_t slack(const Probe *p) {
        usec_t wait = p->run.in_flight ? p->spec->timeout : p->run.passed_once ? p->spec->period : MIN(p->run.eager, p->spec->period);

        return MIN(SLACK_MOST, wait / 10);
}

/* For the first of the heap; nothing is armed when there is none. */
static void arm(Manager *m) {
        ProbeSet *set = m->probes;
        HeapItem *first = probe_heap_first(&set->heap);
        int r;

        if (!first) {
                (void) (set->timer ? sd_event_source_set_enabled(set->timer, SD_EVENT_OFF) : 0);
                return;
        }
        if (!set->timer) {
                r = sd_event_add_time(m->event, &set->timer, CLOCK_MONOTONIC, first->time, 1, on_timer, m);
                if (r >= 0)
                        r = sd_event_source_set_priority(set->timer, PRIORITY_TIMER);
        } else {
                r = sd_event_source_set_time(set->timer, first->time);
                if (r >= 0)
                        r = sd_event_source_set_enabled(set->timer, SD_EVENT_ONESHOT);
        }
        if (r < 0)
                manager_problem(m, "cannot arm the timer of the probes: %s", strerror(-r));
}

/* Times are put off to the next of a grid, so that those that are due at nearly the same time are due together. */
static void schedule(Probe *p) {
        ProbeSet *set = p->instance->service->manager->probes;
        usec_t grid = MAX(slack(p), USEC_PER_MSEC), at = p->run.due;

        /* Its control process has a deadline of its own. */
        if (p->control)
                at = USEC_INFINITY;
        if (at != USEC_INFINITY)
                at = (at + grid - 1) / grid * grid;
        probe_heap_set(&set->heap, &p->item, at);
}

/* ---- a try ---- */

static void stop_trying(Probe *p) {
        p->attempt = probe_try_free(p->attempt);
        p->control = control_cancel(p->control);
        p->run.in_flight = p->overdue = false;
}

static void end(Probe *p) {
        stop_trying(p);
        probe_heap_set(&p->instance->service->manager->probes->heap, &p->item, USEC_INFINITY);
        p->spec = NULL;
}

/* What goes to events, and where it is why the run ends, to the instance's status. */
static void tell(Probe *p, ProbeVerdict news) {
        Instance *i = p->instance;
        Manager *m = i->service->manager;
        const char *kind = probe_kind_name(p->kind), *text = p->last.text ?: "";

        if (p->kind == PROBE_READINESS) {
                if (news == PROBE_BAD)
                        event_emit(m, i, NULL, EVENT_UNREADY, "not ready: readiness probe: %s", text);
                else if (i->lc.state != LC_STARTING && i->lc.unready)
                        event_emit(m, i, NULL, EVENT_READY, "ready: readiness probe: %s", text);
                return;
        }
        if (news != PROBE_BAD)
                return;
        event_emit(m, i, NULL, EVENT_PROBE_FAILED, "%s probe failed %" PRIu32 " times in a row: %s: stopping it", kind, p->run.failures, text);
        instance_set_status(i, "%s probe failed: %s", kind, text);
}

/* Feeding comes last: it may end this probe and begin others. */
static void answered(Probe *p, bool passed, const char *text) {
        Instance *i = p->instance;
        ProbeKind kind = p->kind;
        ProbeVerdict news;

        stop_trying(p);
        answer_set(&p->last, text);
        log_debug("%s[%u]: %s probe: %s: %s", i->service->key, i->index, probe_kind_name(kind), passed ? "passed" : "failed", text);
        news = probe_answer(&p->run, p->spec, kind, passed, now_usec(CLOCK_MONOTONIC), chance());
        schedule(p);
        if (news == PROBE_UNDECIDED)
                return;
        if (news == PROBE_BAD)
                answer_set(&p->verdict, text);
        tell(p, news);
        instance_feed(i, &(LcInput) { .event = news == PROBE_GOOD ? EV_PROBE_PASSED : EV_PROBE_FAILED, .probe = kind });
}

static void on_answer(void *userdata, const ProbeAnswer *a) {
        Probe *p = userdata;
        Manager *m = p->instance->service->manager;

        answered(p, a->passed, a->text);
        arm(m);
}

static void on_command(void *userdata, const ControlResult *r) {
        Probe *p = userdata;
        Manager *m = p->instance->service->manager;
        _cleanup_free_ char *text = NULL;

        p->control = NULL;
        /* Our own program says it all. */
        if (!p->spec->exec && r->error == 0 && !r->timed_out && r->output && *r->output)
                text = strdup(r->output);
        else
                text = text_printf("%s%s%s", r->why ?: "exit code 0", r->output && *r->output ? ": " : "", r->output ?: "");
        answered(p, control_succeeded(r), text ?: "");
        arm(m);
}

static bool by_command(const ProbeSpec *p) {
        return p->exec || p->http.scheme == SCHEME_HTTPS;
}

/* What asks over TLS is a program of its own: it may wait where it likes, and nothing of it weighs on a manager that does not need it. */
static int tls_command(const Probe *p, const ProbeTarget *at, ControlRequest *r, char ***ret_argv, char ***ret_env) {
        _cleanup_free_ char *program = NULL;
        int k = places_program(PROBE_PROGRAM, &program);

        if (k >= 0)
                k = probe_command(p->spec, at, program, ret_argv, ret_env);
        r->command = *ret_argv;
        r->env = *ret_env;
        return k;
}

static void run_command(Probe *p, const ProbeTarget *at) {
        char what[32];
        ControlRequest request = { .what = what, .command = p->spec->exec, .timeout = p->spec->timeout, .quiet = true };
        _cleanup_strv_ char **argv = NULL, **env = NULL;
        _cleanup_error_ KlError e = {};
        int r = 0;

        snprintf(what, sizeof what, "%s probe", probe_kind_name(p->kind));
        if (!p->spec->exec)
                r = tls_command(p, at, &request, &argv, &env);
        if (r >= 0)
                r = control_start(p->instance, &request, on_command, p, &p->control, &e);
        if (r >= 0)
                schedule(p);
        else
                answered(p, false, e.message ?: strerror(-r));
}

static void try_now(Probe *p, usec_t now) {
        ProbeTarget at = { .size = backs_probed(p->instance, p->spec, &at.address) };
        ProbeAnswer answer;

        p->tries++;
        probe_try(&p->run, p->spec, now);
        if (by_command(p->spec))
                run_command(p, &at);
        else if (probe_try_begin(p->instance->service->manager->event, PRIORITY_HEARD, p->spec, &at, on_answer, p, &p->attempt, &answer) > 0)
                answered(p, answer.passed, answer.text);
        else
                schedule(p);
}

/* At the second look (deadline.h). */
static void time_is_up(Probe *p, usec_t now) {
        char span[FORMAT_MAX], text[100];

        if (!p->overdue) {
                p->overdue = true;
                probe_heap_set(&p->instance->service->manager->probes->heap, &p->item, now + 1);
                return;
        }
        snprintf(text, sizeof text, "%s within %s", probe_try_waits_for(p->attempt), format_span(span, p->spec->timeout, false));
        answered(p, false, text);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        usec_t now = now_usec(CLOCK_MONOTONIC);
        HeapItem *first;

        for (unsigned n = 0; n < BATCH && (first = probe_heap_first(&m->probes->heap)) && first->time <= now; n++) {
                Probe *p = probe_of(first);

                if (p->run.in_flight)
                        time_is_up(p, now);
                else
                        try_now(p, now);
        }
        arm(m);
        return 0;
}

/* ---- which there are ---- */

/* Whether it is to be tried in this state of things. */
static bool due(const Instance *i, ProbeKind kind) {
        const ServiceSpec *s = i->service->spec;
        const Lifecycle *l = &i->lc;
        bool up = l->state == LC_STARTING || l->state == LC_RUNNING || l->state == LC_RELOADING;

        if (!up || !l->main_alive || !s->probes[kind])
                return false;
        return kind == PROBE_STARTUP ? !l->started_up : !s->probes[PROBE_STARTUP] || l->started_up;
}

/* What was good when an earlier manager looked stays good until it is found bad. */
static void begin(Probe *p, const ProbeSpec *spec) {
        const Instance *i = p->instance;
        const Lifecycle *l = &i->lc;
        usec_t now = now_usec(CLOCK_MONOTONIC), since = i->service->spec->probes[PROBE_STARTUP] && p->kind != PROBE_STARTUP ? now : l->run_since;

        p->spec = spec;
        if (p->kind == PROBE_READINESS && !l->unready)
                probe_resume(&p->run, spec, PROBE_GOOD, now, chance());
        else
                probe_begin(&p->run, spec, MIN(since, now));
        p->run.due = MAX(p->run.due, now);
        schedule(p);
}

/* The spec was replaced. What stays the same goes on, but for a try under way, which has the old one. */
static void adopt_spec(Probe *p, const ProbeSpec *spec, bool same) {
        bool busy = p->run.in_flight;

        if (!same) {
                end(p);
                begin(p, spec);
                return;
        }
        stop_trying(p);
        p->spec = spec;
        if (busy)
                p->run.due = now_usec(CLOCK_MONOTONIC);
        schedule(p);
}

static bool same_probe(const ProbeSpec *a, const ProbeSpec *b) {
        for (const SpecKey *k = spec_probe_keys; k->path; k++)
                if (!spec_key_equal(k, a, b))
                        return false;
        return true;
}

static bool prepare(Instance *i) {
        Manager *m = i->service->manager;

        if (!m->probes)
                m->probes = calloc(1, sizeof(ProbeSet));
        if (!i->probes && m->probes && probe_heap_reserve(&m->probes->heap, _PROBE_KIND_MAX) >= 0)
                i->probes = calloc(_PROBE_KIND_MAX, sizeof(Probe));
        for (ProbeKind kind = 0; i->probes && kind < _PROBE_KIND_MAX; kind++)
                if (!i->probes[kind].instance)
                        i->probes[kind] = (Probe) { .instance = i, .kind = kind, .item.at = HEAP_OUT };
        if (!i->probes)
                manager_problem(m, "%s: out of memory: it is not probed", i->service->key);
        return i->probes != NULL;
}

void probes_update(Instance *i) {
        bool any = i->probes != NULL;

        for (ProbeKind kind = 0; kind < _PROBE_KIND_MAX; kind++)
                any = any || due(i, kind);
        if (!any || !prepare(i))
                return;
        for (ProbeKind kind = 0; kind < _PROBE_KIND_MAX; kind++) {
                const ProbeSpec *spec = due(i, kind) ? i->service->spec->probes[kind] : NULL;
                Probe *p = i->probes + kind;

                if (p->spec && !spec)
                        end(p);
                else if (!p->spec && spec)
                        begin(p, spec);
                else if (p->spec != spec)
                        adopt_spec(p, spec, same_probe(p->spec, spec));
        }
        arm(i->service->manager);
}

void probes_free(Instance *i) {
        for (ProbeKind kind = 0; i->probes && kind < _PROBE_KIND_MAX; kind++) {
                Probe *p = i->probes + kind;

                if (p->spec)
                        end(p);
                free(p->last.text);
                free(p->verdict.text);
        }
        if (i->probes)
                probe_heap_release(&i->service->manager->probes->heap, _PROBE_KIND_MAX);
        free(i->probes);
        i->probes = NULL;
}

void probes_free_all(Manager *m) {
        if (!m->probes)
                return;
        sd_event_source_disable_unref(m->probes->timer);
        probe_heap_done(&m->probes->heap);
        free(m->probes);
        m->probes = NULL;
}

/* ---- what is shown ---- */

static json_object *answer_json(const Answer *a) {
        json_object *o = a->text ? json_object_new_object() : NULL;

        json_set(o, "text", json_text(a->text));
        json_set(o, "time_usec", json_object_new_int64((int64_t) a->at));
        return o;
}

static const char *verdict_of(const Instance *i, const Probe *p) {
        static const char *const words[] = { [PROBE_UNDECIDED] = "undecided", [PROBE_GOOD] = "good", [PROBE_BAD] = "bad" };

        if (p && p->spec)
                return words[p->run.verdict];
        return p && p->kind == PROBE_STARTUP && i->lc.started_up && lifecycle_alive(&i->lc) ? "good" : "idle";
}

static json_object *probe_json(const Instance *i, ProbeKind kind) {
        const Probe *p = i->probes ? i->probes + kind : NULL;
        json_object *o = json_object_new_object();

        json_set(o, "kind", json_object_new_string(probe_kind_name(kind)));
        json_set(o, "by", json_object_new_string(probe_by_name(probe_spec_by(i->service->spec->probes[kind]))));
        json_set(o, "verdict", json_object_new_string(verdict_of(i, p)));
        json_set(o, "tries", json_object_new_int64(p ? (int64_t) p->tries : 0));
        json_set(o, "failures", json_object_new_int64(p && p->spec ? p->run.failures : 0));
        json_set(o, "last", p ? answer_json(&p->last) : NULL);
        json_set(o, "found_bad", p ? answer_json(&p->verdict) : NULL);
        return o;
}

json_object *probes_json(const Instance *i) {
        json_object *array = json_object_new_array();

        for (ProbeKind kind = 0; array && kind < _PROBE_KIND_MAX; kind++)
                if (i->service->spec->probes[kind])
                        json_push(array, probe_json(i, kind));
        return array;
}

char *probes_complaint(const Instance *i) {
        const Probe *p = i->probes ? i->probes + PROBE_READINESS : NULL;

        if ((i->lc.state != LC_RUNNING && i->lc.state != LC_RELOADING) || lifecycle_ready(&i->lc, i->service->spec))
                return NULL;
        return text_printf("not ready: readiness probe: %s", p && p->last.text ? p->last.text : "not answered yet");
}
