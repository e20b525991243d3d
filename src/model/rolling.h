/* A rolling reload: every instance is replaced by a new one without the service ever being less than it should be. Pure: what there is goes in, the one
 * next step comes out; whoever performs it (manager/life/rolling.c) asks again when something has changed. Nothing is remembered between two questions, so that
 * another manager goes on from what it finds.
 *
 * Invariants, checked by the random test: at most max_surge processes more than instances, those that drain included · never more than max_unavailable
 * instances without a ready process because of us · the old one is retired only when the new one is ready · a new one that fails ends the reload, and
 * every old one that has not been replaced stays · it ends, unless something that is waited for never happens. */
#pragma once

#include "base/macro.h"

typedef enum RollingHolder {
        HOLDER_OLD,            /* of before the reload, ready */
        HOLDER_OLD_DOWN,       /* of before it, meant to run, but not ready */
        HOLDER_NEW,            /* ready, or not meant to run */
        HOLDER_NEW_COMING,     /* on its way */
        HOLDER_NEW_FAILED,
} RollingHolder;

typedef enum RollingSurge { SURGE_NONE, SURGE_COMING, SURGE_READY, SURGE_FAILED } RollingSurge;

/* One instance: who holds its place, and the new one that is to take it. */
typedef struct RollingSlot {
        RollingHolder holder;
        RollingSurge surge;
} RollingSlot;

typedef struct RollingView {
        const RollingSlot *slots;
        size_t n;
        size_t n_draining;           /* retired ones that still live */
        uint32_t max_surge, max_unavailable;   /* not both 0 */
} RollingView;

typedef enum RollingStep {
        ROLLING_WAIT,                /* for a change */
        ROLLING_SURGE,               /* start a new one for the slot */
        ROLLING_SWAP,                /* the slot's new one takes its place; the old one is retired: it drains and ends */
        ROLLING_REPLACE,             /* stop the slot's old one, then start a new one in its place */
        ROLLING_FAILED,              /* of the slot's new one: remove all new ones that have no place yet, and end */
        ROLLING_DONE,
} RollingStep;

/* *ret_slot (may be NULL) is set for those that name one. */
RollingStep rolling_next(const RollingView *v, size_t *ret_slot);
