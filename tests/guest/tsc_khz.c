/* Prints the frequency of this machine's time stamp counter in kHz: that of the emulated processor is the same one (QEMU, cpu_get_host_ticks()). A guest that has
 * to find it out by itself, on a machine that is busy, is wrong by factors. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static int64_t now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC_RAW, &t);
        return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Of several readings that between whose clocks the least time has passed. */
static void read_both(int64_t *ret_nsec, uint64_t *ret_ticks) {
        int64_t best = INT64_MAX;

        for (int n = 0; n < 1000; n++) {
                int64_t before = now();
                uint64_t ticks = __rdtsc();
                int64_t after = now();

                if (after - before >= best)
                        continue;
                best = after - before;
                *ret_nsec = before;
                *ret_ticks = ticks;
        }
}

int main(void) {
        int64_t begin, end;
        uint64_t from, to;

        read_both(&begin, &from);
        nanosleep(&(struct timespec) { .tv_nsec = 100000000 }, NULL);
        read_both(&end, &to);
        printf("%.0f\n", (double) (to - from) * 1e6 / (double) (end - begin));
        return 0;
}
