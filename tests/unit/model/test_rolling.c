/* Rolling reloads: the steps of a few, and random worlds in which instances come up, fail and drain as they like, with the invariants checked at
 * every step. KINGLY_SEED repeats a run. */
#include "unit.inc.h"

#include <time.h>

#include "model/rolling.h"

#define O { HOLDER_OLD, SURGE_NONE }
#define D { HOLDER_OLD_DOWN, SURGE_NONE }
#define N { HOLDER_NEW, SURGE_NONE }
#define C { HOLDER_NEW_COMING, SURGE_NONE }

static void expect(const RollingSlot *slots, size_t n, size_t draining, unsigned surge, unsigned unavailable, RollingStep step, size_t slot) {
        RollingView v = { slots, n, draining, surge, unavailable };
        size_t got = 99;

        assert_int_equal(rolling_next(&v, &got), step);
        assert_int_equal(got, slot);
}

#define EXPECT(draining, surge, unavailable, step, slot, ...) \
        expect((RollingSlot[]) { __VA_ARGS__ }, sizeof((RollingSlot[]) { __VA_ARGS__ }) / sizeof(RollingSlot), draining, surge, unavailable, step, slot)

static void test_one_more_at_a_time(void **state) {
        EXPECT(0, 1, 0, ROLLING_SURGE, 0, O, O);
        EXPECT(0, 1, 0, ROLLING_WAIT, 99, { HOLDER_OLD, SURGE_COMING }, O);
        EXPECT(0, 1, 0, ROLLING_SWAP, 0, { HOLDER_OLD, SURGE_READY }, O);
        EXPECT(1, 1, 0, ROLLING_WAIT, 99, N, O);
        EXPECT(0, 1, 0, ROLLING_SURGE, 1, N, O);
        EXPECT(1, 1, 0, ROLLING_WAIT, 99, N, N);
        EXPECT(0, 1, 0, ROLLING_DONE, 99, N, N);
}

static void test_in_its_place(void **state) {
        EXPECT(0, 0, 1, ROLLING_REPLACE, 0, O, O);
        EXPECT(0, 0, 1, ROLLING_WAIT, 99, C, O);
        EXPECT(0, 0, 2, ROLLING_REPLACE, 1, C, O);
        EXPECT(0, 0, 1, ROLLING_REPLACE, 1, N, O);
        EXPECT(0, 0, 1, ROLLING_FAILED, 0, { HOLDER_NEW_FAILED, SURGE_NONE }, O);
        /* What is down already is begun first, and takes nothing from anybody. */
        EXPECT(0, 1, 0, ROLLING_REPLACE, 1, O, D);
        EXPECT(0, 1, 0, ROLLING_SURGE, 0, O, C);
        EXPECT(0, 0, 1, ROLLING_WAIT, 99, O, C);
}

static void test_failure(void **state) {
        EXPECT(0, 2, 0, ROLLING_FAILED, 1, { HOLDER_OLD, SURGE_READY }, { HOLDER_OLD, SURGE_FAILED });
        EXPECT(0, 1, 0, ROLLING_DONE, 99, N);
        EXPECT(0, 1, 0, ROLLING_DONE, 99, );
}

/* ---- random ---- */

static uint64_t seed;

static uint32_t draw(void) {
        uint64_t x = (seed += UINT64_C(0x9e3779b97f4a7c15));

        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        return (uint32_t) ((x ^ (x >> 27)) >> 16);
}

static bool chance(unsigned percent) {
        return draw() % 100 < percent;
}

typedef struct World {
        RollingSlot slots[8];
        RollingView v;
        bool kind;                  /* nothing fails */
        size_t was_down;            /* instances that were down when it began */
} World;

static bool is_ready(const RollingSlot *s) {
        return s->holder == HOLDER_OLD || s->holder == HOLDER_NEW;
}

static void check(const World *w) {
        size_t surges = 0, down = 0;

        for (size_t i = 0; i < w->v.n; i++) {
                surges += w->slots[i].surge != SURGE_NONE;
                down += !is_ready(w->slots + i);
        }
        assert_true(surges + w->v.n_draining <= w->v.max_surge);
        assert_true(down <= w->v.max_unavailable + w->was_down);
}

static void perform(World *w, RollingStep step, size_t slot) {
        RollingSlot *s = w->slots + slot;

        switch (step) {
        case ROLLING_SURGE:
                assert_true(s->surge == SURGE_NONE && s->holder == HOLDER_OLD);
                s->surge = SURGE_COMING;
                break;
        case ROLLING_SWAP:
                assert_int_equal(s->surge, SURGE_READY);
                *s = (RollingSlot) { HOLDER_NEW, SURGE_NONE };
                w->v.n_draining++;
                break;
        case ROLLING_REPLACE:
                assert_true(s->surge == SURGE_NONE && (s->holder == HOLDER_OLD || s->holder == HOLDER_OLD_DOWN));
                s->holder = HOLDER_NEW_COMING;
                break;
        default:
                break;
        }
}

static void world_goes_on(World *w) {
        RollingSlot *s = w->slots + draw() % w->v.n;

        if (w->v.n_draining > 0 && chance(50))
                w->v.n_draining--;
        else if (s->surge == SURGE_COMING)
                s->surge = w->kind || chance(90) ? SURGE_READY : SURGE_FAILED;
        else if (s->holder == HOLDER_NEW_COMING)
                s->holder = w->kind || chance(90) ? HOLDER_NEW : HOLDER_NEW_FAILED;
}

static void roll(World *w) {
        RollingStep step;

        for (unsigned i = 0;; i++) {
                size_t slot = 0;

                assert_true(i < 2000);
                check(w);
                step = rolling_next(&w->v, &slot);
                if (step == ROLLING_DONE || step == ROLLING_FAILED)
                        break;
                if (step == ROLLING_WAIT)
                        world_goes_on(w);
                else
                        perform(w, step, slot);
        }
        if (step == ROLLING_DONE)
                for (size_t i = 0; i < w->v.n; i++)
                        assert_true(w->slots[i].holder == HOLDER_NEW && w->slots[i].surge == SURGE_NONE);
        assert_true(step == ROLLING_DONE || !w->kind);
}

static void test_random(void **state) {
        const char *given = getenv("KINGLY_SEED");

        seed = given ? strtoull(given, NULL, 10) : (uint64_t) time(NULL);
        print_message("KINGLY_SEED=%" PRIu64 "\n", seed);
        for (unsigned life = 0; life < 50000; life++) {
                World w = { .kind = chance(50), .v = { .n = 1 + draw() % 8, .max_surge = draw() % 4, .max_unavailable = draw() % 3 } };

                w.v.slots = w.slots;
                if (w.v.max_surge == 0 && w.v.max_unavailable == 0)
                        w.v.max_surge = 1;
                for (size_t i = 0; i < w.v.n; i++) {
                        w.slots[i].holder = chance(10) ? HOLDER_OLD_DOWN : HOLDER_OLD;
                        w.was_down += w.slots[i].holder == HOLDER_OLD_DOWN;
                }
                roll(&w);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_more_at_a_time), cmocka_unit_test(test_in_its_place), cmocka_unit_test(test_failure), cmocka_unit_test(test_random),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
