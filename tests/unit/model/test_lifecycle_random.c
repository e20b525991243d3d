/* Random lives. A little world of processes obeys the actions (or is slow to), feeds back what happens in it, and an operator who knows no mercy
 * pushes buttons; after every step the invariants of model/lifecycle.h are checked against the world. At the end a stop must bring everything to
 * rest. A second test throws events without any world behind them.
 *
 * KINGLY_SEED repeats a run, KINGLY_SEQUENCES sets how many lives. A failure prints the last events of its life. */
#include "unit.inc.h"

#include <signal.h>
#include <time.h>

#include "model/lifecycle.h"

#define MS USEC_PER_MSEC
#define SEC USEC_PER_SEC
#define STEPS 100
#define TRACE 40

/* ---- chance ---- */

typedef struct Random { uint64_t state; } Random;

static uint32_t draw(Random *r) {
        uint64_t x = (r->state += UINT64_C(0x9e3779b97f4a7c15));

        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        return (uint32_t) (x >> 32);
}

static uint32_t below(Random *r, uint32_t n) {
        return (uint32_t) (((uint64_t) draw(r) * n) >> 32);
}

static bool chance(Random *r, uint32_t percent) {
        return below(r, 100) < percent;
}

/* ---- the world ---- */

typedef struct World {
        Random random;
        ServiceSpec *spec;
        Lifecycle l;
        usec_t now;

        bool requested;          /* spawn asked for, nothing executes yet */
        bool main;               /* main executes */
        bool dead;               /* main has ended, the news is on its way */
        LcExit exit;
        unsigned rest;           /* others that live */
        unsigned stubborn;       /* kills that still do nothing (uninterruptible sleep) */
        bool deaf;               /* ignores the stop signal */
        bool told;               /* got a stop signal or an abort */
        bool doomed;             /* killed before it executed */
        bool watched;            /* EV_EMPTY is owed */
        bool deps_asked;
        bool listening;          /* somebody may connect */
        bool watchdog;
        uint8_t hooks;           /* those that run */
        unsigned runs, cleans;
        bool extended;
        bool kind;               /* dependencies are always met */
        bool operator_gone;      /* the end: no more buttons */

        struct { LcEvent event; LcState state; unsigned actions; usec_t now; } trace[TRACE];
        size_t n_trace;
} World;

static uint64_t seed;
static unsigned life;

static void print_trace(const World *w) {
        size_t first = w->n_trace > TRACE ? w->n_trace - TRACE : 0;

        for (size_t i = first; i < w->n_trace; i++)
                print_error("  %10" PRIu64 " ms %-12s -> %-12s %#x\n", w->trace[i % TRACE].now / 1000, lifecycle_event_name(w->trace[i % TRACE].event),
                            lifecycle_state_name(w->trace[i % TRACE].state), w->trace[i % TRACE].actions);
}

#define CHECK(w, condition)                                                                                       \
        do {                                                                                                      \
                if (!(condition)) {                                                                               \
                        print_trace(w);                                                                           \
                        fail_msg("KINGLY_SEED=%" PRIu64 ", life %u: not true: %s", seed, life, #condition);      \
                }                                                                                                 \
        } while (false)

static bool world_alive(const World *w) {
        return w->requested || w->main || w->dead || w->rest > 0;
}

static void feed(World *w, const LcInput *in);

static void feed_event(World *w, LcEvent e) {
        feed(w, &(LcInput) { .event = e });
}

static void end_main(World *w, int code, int signal) {
        w->main = false;
        w->dead = true;
        w->exit = (LcExit) { .code = signal ? -1 : code, .signal = signal, .core = signal == SIGABRT };
}

static void world_kill(World *w) {
        if (w->stubborn > 0) {
                w->stubborn--;
                return;
        }
        w->doomed = w->doomed || w->requested;
        if (w->main)
                end_main(w, 0, SIGKILL);
        w->rest = 0;
}

static void world_spawn(World *w) {
        CHECK(w, !world_alive(w));
        CHECK(w, w->l.wanted && w->l.state == LC_PLACING);
        CHECK(w, !w->watched);
        w->requested = true;
        w->doomed = w->told = w->extended = false;
        w->deaf = chance(&w->random, 30);
        w->stubborn = chance(&w->random, 20) ? below(&w->random, 4) : 0;
        w->runs++;
}

static void world_clean(World *w) {
        CHECK(w, !world_alive(w));
        w->cleans++;
        w->watched = false;
        CHECK(w, w->cleans <= w->runs);
}

/* In the order of the bits, as the shell does; answers come after all of them. */
static void perform(World *w, unsigned actions) {
        LcInput answer = { .event = _LC_EVENT_MAX };

        if (actions & (ACT_SIGNAL_STOP | ACT_SIGNAL_ABORT))
                w->told = true;
        if (actions & ACT_KILL)
                world_kill(w);
        if (actions & ACT_CHECK_EMPTY) {
                CHECK(w, !w->l.main_alive && w->l.rest_alive);
                answer.event = w->rest > 0 ? EV_REMAINS : EV_EMPTY;
                w->watched = w->rest > 0;
        }
        if (actions & ACT_CLEAN)
                world_clean(w);
        if (actions & ACT_CHECK_DEPS) {
                w->deps_asked = true;
                if (w->kind || chance(&w->random, 70)) {
                        w->deps_asked = false;
                        answer.event = w->kind || chance(&w->random, 95) ? EV_DEPS_MET : EV_DEPS_FAILED;
                }
        }
        if (actions & ACT_AWAIT_DEMAND) {
                w->listening = w->kind || chance(&w->random, 95);
                if (!w->listening)
                        answer = (LcInput) { .event = EV_SPAWN_FAILED, .reason = REASON_SPAWN, .permanent = chance(&w->random, 20) };
        }
        if (actions & ACT_SPAWN)
                world_spawn(w);
        if (actions & ACT_ARM_WATCHDOG)
                w->watchdog = true;
        if (actions & ACT_DISARM_WATCHDOG)
                w->watchdog = false;
        if (actions & ACT_HOOKS)
                w->hooks = w->l.hooks;
        if (answer.event != _LC_EVENT_MAX)
                feed(w, &answer);
}

/* ---- the invariants ---- */

static void check_deadline(const World *w, const Lifecycle *l, const ServiceSpec *s) {
        switch (l->state) {
        case LC_STOPPED: case LC_WAIT_DEMAND: case LC_WAIT_DEPS: case LC_RUNNING: case LC_EXITED: case LC_FAILED:
                CHECK(w, l->deadline == USEC_INFINITY);
                break;
        case LC_STARTING:
                CHECK(w, (l->deadline == USEC_INFINITY) == (s->type == SERVICE_ONESHOT || s->ready_timeout == USEC_INFINITY));
                break;
        case LC_RELOADING:
                if (l->reload == RELOAD_OWN)
                        CHECK(w, (l->deadline == USEC_INFINITY) == (s->ready_timeout == USEC_INFINITY));
                else
                        CHECK(w, w->extended || l->deadline <= w->now + s->reload.timeout + LC_HOOK_GRACE);
                break;
        case LC_PRE_START: case LC_PRE_STOP: case LC_POST_STOP:
                CHECK(w, l->deadline <= w->now + s->hooks.timeout + LC_HOOK_GRACE);
                break;
        case LC_WAIT_BACKOFF:
                CHECK(w, l->deadline <= w->now + MAX(s->restart.max_delay * 2, 100 * MS));
                break;
        case LC_PLACING:
                CHECK(w, l->deadline <= w->now + 60 * SEC);
                break;
        case LC_STOPPING:
                CHECK(w, w->extended || l->deadline <= w->now + s->stop.timeout);
                break;
        case LC_KILLING:
                CHECK(w, l->deadline <= w->now + 2 * SEC);
                break;
        default:
                CHECK(w, false);
        }
}

/* A hook that is waited for runs as long as its state lasts, and one that belongs to the service no longer than that serves. */
static void check_hooks(const World *w, const Lifecycle *before, unsigned actions) {
        const Lifecycle *l = &w->l;

        for (HookKind k = 0; k < _HOOK_MAX; k++) {
                bool due = l->hooks & 1 << k;

                CHECK(w, !due || spec_hook(w->spec, k));
                CHECK(w, lifecycle_awaits(l->state) != k || due);
                CHECK(w, !due || (k != HOOK_PRE_START && k != HOOK_PRE_STOP && k != HOOK_POST_STOP) || lifecycle_awaits(l->state) == k);
        }
        CHECK(w, !(l->hooks & 1 << HOOK_RELOAD) || l->state == LC_RELOADING);
        CHECK(w, !(l->hooks & 1 << HOOK_POST_START) || w->spec->type == SERVICE_ONESHOT || !(lifecycle_awaits(l->state) == HOOK_PRE_STOP || l->state == LC_STOPPING || l->state == LC_KILLING));
        CHECK(w, l->hooks == before->hooks || (actions & ACT_HOOKS));
        CHECK(w, l->state != LC_FAILED || before->state == LC_FAILED || !spec_hook(w->spec, HOOK_ON_FAILURE) || l->hooks & 1 << HOOK_ON_FAILURE);
}

/* What holds of the struct alone, whatever the events were. */
static void check_struct(const World *w, const Lifecycle *before, unsigned actions) {
        const Lifecycle *l = &w->l;
        bool living = l->state >= LC_PLACING && l->state <= LC_KILLING, stopping = l->state == LC_STOPPING || l->state == LC_KILLING,
             ending = stopping || l->state == LC_PRE_STOP || l->state == LC_POST_STOP;

        CHECK(w, l->state < _LC_STATE_MAX && l->reason < _LC_REASON_MAX);
        CHECK(w, lifecycle_alive(l) == living);
        CHECK(w, !(l->main_alive && l->rest_alive));
        CHECK(w, !l->rest_alive || stopping);
        CHECK(w, l->wanted || ending || l->state == LC_STOPPED);
        CHECK(w, !l->wanted || l->state != LC_STOPPED);
        CHECK(w, !lifecycle_ready(l, w->spec) || (l->was_ready && !l->unready));
        CHECK(w, !l->restart_pending || (ending && l->wanted));
        CHECK(w, l->since <= w->now && l->run_since <= w->now);
        CHECK(w, l->state != LC_RUNNING || (l->was_ready && l->ready_since > 0));
        CHECK(w, !(actions & ACT_SPAWN) || (l->wanted && l->state == LC_PLACING && (!lifecycle_alive(before) || (actions & ACT_CLEAN))));
        CHECK(w, !(actions & ACT_CLEAN) || (lifecycle_alive(before) && (!lifecycle_alive(l) || (actions & ACT_SPAWN))));
        CHECK(w, !(actions & (ACT_SIGNAL_STOP | ACT_SIGNAL_ABORT)) || l->state == LC_STOPPING);
        CHECK(w, !(actions & ACT_KILL) || l->state == LC_KILLING);
        CHECK(w, l->state != LC_KILLING || before->state == LC_KILLING || (actions & ACT_KILL));
        CHECK(w, (l->state == before->state && l->wanted == before->wanted) || (actions & ACT_CHANGED));
        CHECK(w, w->spec->restart.limit == 0 || l->attempts <= w->spec->restart.limit + 1);
        check_hooks(w, before, actions);
        CHECK(w, l->state != LC_EXITED || l->exit_known);
        CHECK(w, l->state != LC_FAILED || l->reason != REASON_NONE);
        if (l->state != before->state || l->deadline != before->deadline)
                check_deadline(w, l, w->spec);
}

/* What holds between the struct and the world, when the actions have been performed. */
static void check_world(const World *w) {
        const Lifecycle *l = &w->l;

        CHECK(w, l->main_alive == (w->requested || w->main || w->dead));
        CHECK(w, l->rest_alive || l->main_alive || w->rest == 0);
        CHECK(w, w->runs - w->cleans == (lifecycle_alive(l) ? 1 : 0));
        CHECK(w, w->watchdog == (w->spec->watchdog > 0 && (l->state == LC_RUNNING || l->state == LC_RELOADING)));
        CHECK(w, !w->requested || l->state == LC_PLACING || l->state == LC_KILLING);
        CHECK(w, l->state != LC_WAIT_DEPS || w->deps_asked);
        CHECK(w, l->state != LC_WAIT_DEMAND || w->listening);
        CHECK(w, l->hooks == w->hooks);
}

static void feed(World *w, const LcInput *in) {
        Lifecycle before = w->l;
        unsigned actions;

        actions = lifecycle_step(&w->l, w->spec, in, w->now, draw(&w->random));
        w->trace[w->n_trace % TRACE].event = in->event;
        w->trace[w->n_trace % TRACE].state = w->l.state;
        w->trace[w->n_trace % TRACE].actions = actions;
        w->trace[w->n_trace++ % TRACE].now = w->now;
        if (in->event == EV_EXTEND && w->l.deadline != before.deadline)
                w->extended = true;
        else if (w->l.state != before.state)
                w->extended = false;
        if (w->l.state != LC_WAIT_DEPS)
                w->deps_asked = false;
        if (w->l.state != LC_WAIT_DEMAND)
                w->listening = false;
        check_struct(w, &before, actions);
        perform(w, actions);
        check_world(w);
}

/* ---- what happens ---- */

static void pass_time(World *w) {
        usec_t deadline = w->l.deadline;

        if (deadline != USEC_INFINITY && chance(&w->random, 50)) {
                w->now = MAX(w->now, deadline);
                feed_event(w, EV_DEADLINE);
                return;
        }
        w->now += chance(&w->random, 10) ? 100 * SEC : below(&w->random, 300) * MS;
        if (deadline != USEC_INFINITY && (w->now >= deadline || chance(&w->random, 20)))
                feed_event(w, EV_DEADLINE);   /* in time, or too early */
}

static void child_goes_on(World *w) {
        static const LcEvent early[] = { EV_READY, EV_RELOADING, EV_STOPPING, EV_EXTEND, EV_EXECED, EV_EXECED, EV_EXECED, EV_EXECED };

        if (w->doomed ? chance(&w->random, 80) : chance(&w->random, 15)) {
                w->requested = false;
                feed(w, &(LcInput) { .event = EV_SPAWN_FAILED, .reason = REASON_SPAWN, .permanent = !w->doomed && chance(&w->random, 20) });
                return;
        }
        w->requested = false;
        if (w->doomed)
                end_main(w, 0, SIGKILL);
        else
                w->main = true;
        feed(w, &(LcInput) { .event = early[below(&w->random, w->doomed ? 1 : ARRAY_SIZE(early))], .until = w->now + 20 * SEC });
        feed_event(w, EV_EXECED);
}

static void main_acts(World *w) {
        static const int codes[] = { 0, 0, 1, 3, 255 };

        switch (below(&w->random, 11)) {
        case 10:
                feed(w, &(LcInput) { .event = chance(&w->random, 70) ? EV_PROBE_PASSED : EV_PROBE_FAILED, .probe = below(&w->random, _PROBE_KIND_MAX) });
                break;
        case 0: case 1:
                end_main(w, codes[below(&w->random, ARRAY_SIZE(codes))], chance(&w->random, 20) ? SIGSEGV : 0);
                break;
        case 2: case 3: case 4:
                feed_event(w, EV_READY);
                break;
        case 5:
                feed_event(w, EV_RELOADING);
                break;
        case 6:
                feed_event(w, EV_STOPPING);
                break;
        case 7:
                feed(w, &(LcInput) { .event = EV_EXTEND, .until = chance(&w->random, 10) ? USEC_INFINITY : w->now + below(&w->random, 60) * SEC });
                break;
        default:
                w->rest += w->rest < 5;
        }
}

static void processes_live_on(World *w) {
        if (w->dead && chance(&w->random, 60)) {
                bool known = chance(&w->random, 90);

                w->dead = false;
                feed(w, &(LcInput) { .event = known ? EV_MAIN_EXIT : EV_GONE, .exit = w->exit, .oom = chance(&w->random, 5) });
        }
        if (w->requested && chance(&w->random, 50))
                child_goes_on(w);
        if (w->main && w->told && !w->deaf && chance(&w->random, 60))
                end_main(w, 0, chance(&w->random, 50) ? SIGTERM : 0);
        if (w->main && !w->operator_gone && chance(&w->random, 50))
                main_acts(w);
        if (w->rest > 0 && !(w->operator_gone && w->deaf) && chance(&w->random, w->told ? 60 : 20))
                w->rest--;
        if (w->watched && w->rest == 0) {
                w->watched = false;
                feed_event(w, EV_EMPTY);
        }
}

static void hook_ends(World *w, bool ok) {
        HookKind k = (HookKind) __builtin_ctz(w->hooks);

        feed(w, &(LcInput) { .event = EV_HOOK_DONE, .hook = k, .ok = ok, .permanent = !ok && chance(&w->random, 10) });
        CHECK(w, lifecycle_awaits(w->l.state) != k || w->l.state == LC_PRE_START || w->l.state == LC_POST_STOP);
}

static void operator_acts(World *w) {
        static const LcEvent buttons[] = { EV_START, EV_START, EV_STOP, EV_RESTART, EV_RESET, EV_RELOAD };

        feed_event(w, buttons[below(&w->random, ARRAY_SIZE(buttons))]);
}

static void outside_acts(World *w) {
        if (w->watchdog && chance(&w->random, 50))
                feed_event(w, EV_WATCHDOG);
        else if (w->deps_asked && chance(&w->random, 80))
                feed_event(w, chance(&w->random, 90) ? EV_DEPS_MET : EV_DEPS_FAILED);
        else if (w->listening && chance(&w->random, 80))
                feed_event(w, EV_DEMAND);
        else if (chance(&w->random, 15))
                feed_event(w, EV_OVERSIZE);
        else if (chance(&w->random, 20))
                feed(w, &(LcInput) { .event = EV_FAIL, .reason = REASON_ISOLATION });
}

static void adopt(World *w) {
        w->main = true;
        w->runs++;
        w->rest = below(&w->random, 3);
        w->deaf = chance(&w->random, 30);
        feed(w, &(LcInput) { .event = EV_ADOPT, .was_ready = chance(&w->random, 50) });
}

static void tick(World *w) {
        switch (below(&w->random, 9)) {
        case 0: case 1:
                pass_time(w);
                break;
        case 2:
                if (!w->operator_gone)
                        operator_acts(w);
                break;
        case 3:
                if (!w->operator_gone)
                        outside_acts(w);
                break;
        case 4:
                if (w->hooks && chance(&w->random, 70))
                        hook_ends(w, chance(&w->random, 80));
                break;
        default:
                processes_live_on(w);
        }
}

/* ---- lives ---- */

static void random_spec(Random *r, ServiceSpec *s) {
        static const usec_t timeouts[] = { 0, 1 * MS, 5 * SEC, 90 * SEC };
        static const uint32_t limits[] = { 0, 1, 3, 16 };
        static char *command[] = { (char *) "hook", NULL };

        s->type = chance(r, 20) ? SERVICE_ONESHOT : SERVICE_SIMPLE;
        s->ready_by = (int) below(r, 4);
        s->ready_timeout = chance(r, 10) ? USEC_INFINITY : timeouts[below(r, 4)];
        s->watchdog = chance(r, 30) ? 10 * SEC : 0;
        s->restart.when = (int) below(r, 3);
        s->restart.delay = chance(r, 30) ? 0 : below(r, 1000) * MS;
        s->restart.limit = limits[below(r, 4)];
        s->restart.reset_after = chance(r, 20) ? 0 : 60 * SEC;
        s->stop.timeout = timeouts[below(r, 4)];
        s->stop.scope = (int) below(r, 3);
        s->restart.except_codes.n = chance(r, 30) ? 1 : 0;
        s->depends.n = chance(r, 30) ? 1 : 0;
        s->on_demand = s->type == SERVICE_SIMPLE && chance(r, 30);
        s->hooks.timeout = timeouts[1 + below(r, 3)];
        s->reload.timeout = timeouts[1 + below(r, 3)];
        s->reload.by = (int) below(r, 3);
        s->reload.command = command;
        for (HookKind k = 0; k < _HOOK_KEYS; k++)
                s->hooks.command[k] = chance(r, 30) ? command : NULL;
}

/* In a world that means well, whoever is started comes up, whatever went on before. What can happen happens at once; only when nothing can, time
 * passes. Returns false when nothing can happen and no time is set. */
static bool kind_step(World *w) {
        LcState state = w->l.state;
        bool oneshot = w->spec->type == SERVICE_ONESHOT;

        if (w->dead) {
                w->dead = false;
                feed(w, &(LcInput) { .event = EV_MAIN_EXIT, .exit = w->exit });
        } else if (w->requested) {
                w->requested = false;
                w->main = !w->doomed;
                feed_event(w, w->doomed ? EV_SPAWN_FAILED : EV_EXECED);
        } else if (w->hooks) {
                hook_ends(w, true);
        } else if (w->main && (state == LC_STOPPING || (state == LC_STARTING && oneshot))) {
                end_main(w, 0, 0);
        } else if (w->main && (state == LC_STARTING || state == LC_RELOADING)) {
                feed_event(w, state == LC_RELOADING && w->l.reload == RELOAD_ASKED ? EV_RELOADING : EV_READY);
        } else if (w->watched) {
                w->watched = false;
                w->rest = 0;
                feed_event(w, EV_EMPTY);
        } else if (w->deps_asked) {
                feed_event(w, EV_DEPS_MET);
        } else if (w->listening) {
                feed_event(w, EV_DEMAND);
        } else if (w->l.deadline != USEC_INFINITY) {
                w->now = MAX(w->now, w->l.deadline);
                feed_event(w, EV_DEADLINE);
        } else {
                return false;
        }
        return true;
}

static bool is_up(const World *w) {
        if (w->spec->type == SERVICE_ONESHOT)
                return w->l.state == LC_EXITED && w->l.exit_known && w->l.exit.code == 0;
        return w->l.state == LC_RUNNING;
}

static void bring_up(World *w) {
        unsigned presses = 0;

        w->kind = true;
        feed_event(w, EV_START);
        for (unsigned i = 0; !is_up(w); i++) {
                CHECK(w, i < 100);
                if (kind_step(w))
                        continue;
                /* A run that was on its way down when we came may still have failed; a fresh one may not. */
                CHECK(w, lifecycle_settled(&w->l) && ++presses < 3);
                feed_event(w, EV_START);
        }
        CHECK(w, w->l.wanted && !w->l.restart_pending);
        w->kind = false;
}

/* With the operator's last word said, nothing may keep it from the rest: not a deaf process that never ends by itself, not one that needs several
 * kills. */
static void bring_to_rest(World *w) {
        w->operator_gone = true;
        feed_event(w, EV_STOP);
        for (unsigned i = 0; w->l.state != LC_STOPPED; i++) {
                CHECK(w, i < 1000);
                CHECK(w, w->l.state == LC_STOPPING || w->l.state == LC_KILLING || w->l.state == LC_PRE_STOP || w->l.state == LC_POST_STOP);
                tick(w);
        }
        CHECK(w, !world_alive(w) && !w->l.wanted && w->runs == w->cleans);
        CHECK(w, lifecycle_settled(&w->l));
}

static unsigned sequences(void) {
        const char *given = getenv("KINGLY_SEQUENCES");

        return given ? (unsigned) strtoul(given, NULL, 10) : 120000;
}

static void pick_seed(void) {
        const char *given = getenv("KINGLY_SEED");
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        seed = given ? strtoull(given, NULL, 10) : (uint64_t) ts.tv_sec * 1000000007 + (uint64_t) ts.tv_nsec;
        print_message("KINGLY_SEED=%" PRIu64 "\n", seed);
}

/* What the spec needs behind its pointers; n tells whether it counts. */
static ServiceSpec *shared_spec(void) {
        ServiceSpec *s = make_spec("n", "a");

        add_dependency(s, "db", DEPEND_READY);
        add_code(&s->restart.except_codes, 3);
        for (ProbeKind kind = 0; kind < _PROBE_KIND_MAX; kind++)
                assert_int_equal(probe_spec_new(&s->probes[kind]), 0);
        return s;
}

static void free_shared_spec(ServiceSpec *s) {
        s->depends.n = s->restart.except_codes.n = 1;
        memset(s->hooks.command, 0, sizeof s->hooks.command);
        s->reload.command = NULL;
        spec_free(s);
}

static void test_lives(void **state) {
        ServiceSpec *spec = shared_spec();
        uint64_t visited[_LC_STATE_MAX] = {};

        for (life = 0; life < sequences(); life++) {
                World w = { .random = { seed + life * UINT64_C(0x9e3779b9) }, .spec = spec, .now = 1000 * SEC };

                random_spec(&w.random, spec);
                lifecycle_init(&w.l);
                if (chance(&w.random, 10))
                        adopt(&w);
                else
                        feed_event(&w, EV_START);
                for (unsigned i = 0; i < STEPS; i++) {
                        tick(&w);
                        visited[w.l.state]++;
                }
                if (chance(&w.random, 50))
                        bring_up(&w);
                bring_to_rest(&w);
        }
        /* A world in which some state is hardly ever seen would prove nothing about it. */
        for (LcState s = 0; s < _LC_STATE_MAX; s++)
                if (visited[s] < sequences() / 50)
                        fail_msg("%s was seen %" PRIu64 " times only", lifecycle_state_name(s), visited[s]);
        free_shared_spec(spec);
}

/* Events that contradict each other: nothing may break, and what the struct says of itself stays consistent. */
static void test_noise(void **state) {
        ServiceSpec *spec = shared_spec();

        for (life = 0; life < sequences(); life++) {
                World w = { .random = { ~seed + life * UINT64_C(0x9e3779b9) }, .spec = spec, .now = 1000 * SEC };

                random_spec(&w.random, spec);
                lifecycle_init(&w.l);
                for (unsigned i = 0; i < STEPS; i++) {
                        Lifecycle before = w.l;
                        LcInput in = { .event = (LcEvent) below(&w.random, _LC_EVENT_MAX), .reason = (LcReason) below(&w.random, _LC_REASON_MAX),
                                       .exit = { (int) below(&w.random, 4) - 1, chance(&w.random, 20) ? SIGKILL : 0, chance(&w.random, 10) },
                                       
                                       .hook = (HookKind) below(&w.random, _HOOK_MAX), .ok = chance(&w.random, 80),
                                       .permanent = chance(&w.random, 20), .was_ready = chance(&w.random, 50), .oom = chance(&w.random, 10),
                                       .until = w.now + below(&w.random, 100) * SEC, .probe = below(&w.random, _PROBE_KIND_MAX) };
                        unsigned actions;

                        w.now += below(&w.random, 5000) * MS;
                        actions = lifecycle_step(&w.l, spec, &in, w.now, draw(&w.random));
                        w.trace[w.n_trace % TRACE].event = in.event;
                        w.trace[w.n_trace % TRACE].state = w.l.state;
                        w.trace[w.n_trace % TRACE].actions = actions;
                        w.trace[w.n_trace++ % TRACE].now = w.now;
                        if (in.event == EV_EXTEND)
                                w.extended = true;
                        else if (w.l.state != before.state)
                                w.extended = false;
                        check_struct(&w, &before, actions);
                }
        }
        free_shared_spec(spec);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_lives), cmocka_unit_test(test_noise) };

        pick_seed();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
