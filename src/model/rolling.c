/* The order of the questions is the policy: a failure ends it before anything else is begun, what is ready is used before more is started. */
#include "model/rolling.h"

static RollingStep at(RollingStep step, size_t slot, size_t *ret_slot) {
        if (ret_slot)
                *ret_slot = slot;
        return step;
}

/* The first slot of which it is true, or v->n. */
static size_t first(const RollingView *v, bool (*is)(const RollingSlot *s)) {
        size_t i = 0;

        while (i < v->n && !is(v->slots + i))
                i++;
        return i;
}

static size_t count(const RollingView *v, bool (*is)(const RollingSlot *s)) {
        size_t n = 0;

        for (size_t i = 0; i < v->n; i++)
                n += is(v->slots + i);
        return n;
}

static bool is_failed(const RollingSlot *s) {
        return s->surge == SURGE_FAILED || s->holder == HOLDER_NEW_FAILED;
}

static bool is_ready(const RollingSlot *s) {
        return s->surge == SURGE_READY;
}

static bool has_surge(const RollingSlot *s) {
        return s->surge != SURGE_NONE;
}

static bool is_down(const RollingSlot *s) {
        return s->holder == HOLDER_OLD_DOWN || s->holder == HOLDER_NEW_COMING || s->holder == HOLDER_NEW_FAILED;
}

/* It serves nobody: to replace it in its place costs nothing. */
static bool is_idle(const RollingSlot *s) {
        return s->holder == HOLDER_OLD_DOWN && s->surge == SURGE_NONE;
}

static bool is_due(const RollingSlot *s) {
        return s->holder == HOLDER_OLD && s->surge == SURGE_NONE;
}

static bool is_unfinished(const RollingSlot *s) {
        return s->holder != HOLDER_NEW || s->surge != SURGE_NONE;
}

RollingStep rolling_next(const RollingView *v, size_t *ret_slot) {
        size_t extra = count(v, has_surge) + v->n_draining, slot;

        if ((slot = first(v, is_failed)) < v->n)
                return at(ROLLING_FAILED, slot, ret_slot);
        if ((slot = first(v, is_ready)) < v->n)
                return at(ROLLING_SWAP, slot, ret_slot);
        if ((slot = first(v, is_idle)) < v->n)
                return at(ROLLING_REPLACE, slot, ret_slot);
        if ((slot = first(v, is_due)) < v->n) {
                if (extra < v->max_surge)
                        return at(ROLLING_SURGE, slot, ret_slot);
                return count(v, is_down) < v->max_unavailable ? at(ROLLING_REPLACE, slot, ret_slot) : ROLLING_WAIT;
        }
        return first(v, is_unfinished) == v->n && v->n_draining == 0 ? ROLLING_DONE : ROLLING_WAIT;
}
