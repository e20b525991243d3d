/* The schedule of a probe, told by hand and by chance. */
#include <time.h>

#include "unit.inc.h"

#include "model/probe.h"
#include "../seed.inc.h"

#define MS USEC_PER_MSEC
#define SEC USEC_PER_SEC

static ProbeSpec *probe_of(uint64_t period, unsigned failure) {
        ProbeSpec *p;

        assert_int_equal(probe_spec_new(&p), 0);
        p->tcp.port = 80;
        p->period = period;
        p->failure = failure;
        return p;
}

static ProbeVerdict try(ProbeRun *r, const ProbeSpec *p, ProbeKind kind, bool passed) {
        usec_t at = r->due;

        assert_false(r->in_flight);
        probe_try(r, p, at);
        assert_true(r->in_flight);
        assert_int_equal(r->due, at + p->timeout);
        return probe_answer(r, p, kind, passed, at, UINT32_MAX);
}

/* Early tries come quickly and do not count; those a period apart do. */
static void test_startup(void **state) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = probe_of(1 * SEC, 3);
        static const usec_t at[] = { 5000, 5100, 5300, 5700, 6000, 7000 };
        ProbeRun r;

        p->initial_delay = 5 * SEC;
        probe_begin(&r, p, 0);
        for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
                assert_int_equal(r.due, at[i] * MS);
                assert_int_equal(try(&r, p, PROBE_STARTUP, false), i == ARRAY_SIZE(at) - 1 ? PROBE_BAD : PROBE_UNDECIDED);
        }
        assert_int_equal(r.due, USEC_INFINITY);
        probe_begin(&r, p, 0);
        assert_int_equal(try(&r, p, PROBE_STARTUP, true), PROBE_GOOD);
        assert_int_equal(r.due, USEC_INFINITY);
}

static void test_readiness_comes_and_goes(void **state) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = probe_of(10 * SEC, 2);
        static const struct { bool passed; ProbeVerdict news; } steps[] = {
                { true, PROBE_UNDECIDED }, { true, PROBE_GOOD }, { true, PROBE_UNDECIDED }, { false, PROBE_UNDECIDED }, { true, PROBE_UNDECIDED },
                { false, PROBE_UNDECIDED }, { false, PROBE_BAD }, { false, PROBE_UNDECIDED }, { true, PROBE_UNDECIDED }, { true, PROBE_GOOD },
        };
        ProbeRun r;

        p->success = 2;
        probe_begin(&r, p, 0);
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                assert_int_equal(r.due, i * 10 * SEC);
                assert_int_equal(try(&r, p, PROBE_READINESS, steps[i].passed), steps[i].news);
        }
}

static void test_liveness_ends_with_its_failure(void **state) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = probe_of(10 * SEC, 2);
        ProbeRun r;

        probe_begin(&r, p, 0);
        assert_int_equal(try(&r, p, PROBE_LIVENESS, true), PROBE_GOOD);
        assert_int_equal(try(&r, p, PROBE_LIVENESS, false), PROBE_UNDECIDED);
        assert_int_equal(try(&r, p, PROBE_LIVENESS, false), PROBE_BAD);
        assert_int_equal(r.due, USEC_INFINITY);
}

/* Slow tries do not pile up, and what was missed is not made up for. */
static void test_slower_than_its_period(void **state) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = probe_of(1 * SEC, 100);
        ProbeRun r;

        p->timeout = 5 * SEC;
        probe_resume(&r, p, PROBE_GOOD, 0, 0);
        probe_try(&r, p, 0);
        assert_int_equal(probe_answer(&r, p, PROBE_LIVENESS, false, 5 * SEC, 0), PROBE_UNDECIDED);
        assert_int_equal(r.due, 5 * SEC);
}

/* What was good stays good, and a thousand of them are spread over the period. */
static void test_resumed(void **state) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = probe_of(8 * SEC, 3);
        usec_t least = USEC_INFINITY, most = 0;
        ProbeRun r;

        for (uint32_t n = 0; n < 1024; n++) {
                probe_resume(&r, p, PROBE_GOOD, 1 * SEC, n << 22);
                least = MIN(least, r.due);
                most = MAX(most, r.due);
        }
        assert_int_equal(least, 1 * SEC);
        assert_true(most > 8 * SEC && most < 9 * SEC);
        assert_int_equal(try(&r, p, PROBE_READINESS, true), PROBE_UNDECIDED);
        assert_int_equal(try(&r, p, PROBE_READINESS, false), PROBE_UNDECIDED);
}

/* ---- by chance ---- */

typedef struct Witness {
        usec_t now, counted;      /* the last failure that counted */
        uint32_t failures;
        ProbeVerdict verdict;
} Witness;

static void random_try(ProbeRun *r, const ProbeSpec *p, ProbeKind kind, Witness *w) {
        bool passed = rand() % 3 == 0;
        uint32_t before = r->failures;
        ProbeVerdict news;

        assert_true(r->due >= w->now);
        w->now = r->due;
        probe_try(r, p, w->now);
        w->now += (usec_t) rand() % (p->timeout + 1);
        news = probe_answer(r, p, kind, passed, w->now, (uint32_t) rand() * 2);
        assert_false(r->in_flight);
        assert_true(news == PROBE_UNDECIDED || news != w->verdict);
        w->verdict = news != PROBE_UNDECIDED ? news : w->verdict;
        if (!passed && r->failures > before) {
                assert_true(w->counted == 0 || r->began + 1 >= w->counted + p->period);
                w->counted = r->began + 1;
        }
        if (passed)
                w->counted = 0;
        assert_true(news != PROBE_BAD || r->failures == p->failure);
        if (r->due == USEC_INFINITY)
                assert_true(kind == PROBE_STARTUP || (kind == PROBE_LIVENESS && w->verdict == PROBE_BAD));
        else
                assert_true(r->due <= w->now + p->period);
}

static void test_random(void **state) {
        unsigned seed = test_seed();

        srand(seed);
        for (unsigned n = 0; n < 20000; n++) {
                _cleanup_(probe_spec_freep) ProbeSpec *p = probe_of(100 * MS + (usec_t) rand() % (20 * SEC), 1 + (unsigned) rand() % 4);
                ProbeKind kind = (ProbeKind) (rand() % _PROBE_KIND_MAX);
                Witness w = {};
                ProbeRun r;

                p->success = kind == PROBE_READINESS ? 1 + (unsigned) rand() % 3 : 1;
                p->timeout = 1000 + (usec_t) rand() % (30 * SEC);
                p->initial_delay = (usec_t) rand() % (5 * SEC);
                probe_begin(&r, p, 1);
                for (unsigned i = 0; i < 40 && r.due != USEC_INFINITY; i++)
                        random_try(&r, p, kind, &w);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_startup),
                cmocka_unit_test(test_readiness_comes_and_goes),
                cmocka_unit_test(test_liveness_ends_with_its_failure),
                cmocka_unit_test(test_slower_than_its_period),
                cmocka_unit_test(test_resumed),
                cmocka_unit_test(test_random),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
