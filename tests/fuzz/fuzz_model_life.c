/* Sequences of messages of sd_notify, and of what else may happen, into the life of an instance. Each byte is a step: its low bits choose what is said or
 * happens, its high bits how long it takes until then. Whatever comes, what is asked of the shell must be possible, and no wait is for ever. */
#include "model/lifecycle.h"

#include <stdlib.h>

#include "base/strv.h"

#define CHECK(x) do { if (!(x)) abort(); } while (false)

static const LcInput steps[] = {
        { .event = EV_READY },
        { .event = EV_RELOADING },
        { .event = EV_RELOADING, .until = 1 },
        { .event = EV_STOPPING },
        { .event = EV_EXTEND, .until = 3600 * USEC_PER_SEC },
        { .event = EV_EXTEND, .until = USEC_INFINITY },
        { .event = EV_WATCHDOG },
        { .event = EV_RESET },
        { .event = EV_EXECED },
        { .event = EV_DEPS_MET },
        { .event = EV_MAIN_EXIT, .exit = { .code = 1 } },
        { .event = EV_GONE },
        { .event = EV_EMPTY },
        { .event = EV_START },
        { .event = EV_STOP },
        { .event = EV_RELOAD },
};

static bool may_wait(LcState s) {
        return s == LC_STOPPED || s == LC_RUNNING || s == LC_EXITED || s == LC_FAILED || s == LC_WAIT_DEMAND || s == LC_WAIT_DEPS;
}

static void step(Lifecycle *l, const ServiceSpec *spec, const LcInput *in, usec_t now) {
        bool lived = lifecycle_alive(l), stopping = l->state == LC_STOPPING || l->state == LC_KILLING;
        unsigned todo = lifecycle_step(l, spec, in, now, 0);

        CHECK(!(todo & ACT_SPAWN) || (!lived && l->main_alive && l->wanted));
        CHECK(may_wait(l->state) || l->deadline != USEC_INFINITY);
        CHECK(!(todo & ACT_ARM_WATCHDOG) || l->state == LC_RUNNING);
        /* What has begun to stop is not brought back by what it says. */
        CHECK(!stopping || (l->state != LC_RUNNING && l->state != LC_RELOADING && l->state != LC_STARTING));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(spec_freep) ServiceSpec *spec = NULL;
        usec_t now = USEC_PER_SEC;
        Lifecycle l;

        if (spec_new("default", "s", &spec) < 0 || strv_append(&spec->command, "/bin/true") < 0)
                return 0;
        spec->ready_by = READY_NOTIFY;
        spec->watchdog = USEC_PER_SEC;
        lifecycle_init(&l);
        step(&l, spec, &(LcInput) { .event = EV_START }, now);
        for (size_t k = 0; k < size && k < 4096; k++) {
                now += (usec_t) (data[k] >> 4) * USEC_PER_SEC;
                step(&l, spec, &(LcInput) { .event = EV_DEADLINE }, now);
                step(&l, spec, steps + (data[k] & 15), now);
        }
        return 0;
}
