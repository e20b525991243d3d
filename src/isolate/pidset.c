/* A set of processes, for passes that are repeated over something that forks meanwhile: what was met in an earlier pass is not met again.
 * Sorted by pid; one entry a pid, with the start time that tells a recycled number from the process it named before. */
#include "isolate/isolate_internal.h"

void pidset_done(PidSet *s) {
        free(s->items);
        *s = (PidSet) {};
}

/* The position of the first entry that is not below pid. */
static size_t lower_bound(const PidSet *s, pid_t pid) {
        size_t low = 0, high = s->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (s->items[middle].pid < pid)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

bool pidset_has(const PidSet *s, pid_t pid) {
        size_t at = lower_bound(s, pid);

        return at < s->n && s->items[at].pid == pid;
}

int pidset_add(PidSet *s, pid_t pid, uint64_t start_time) {
        size_t at = lower_bound(s, pid);

        if (at < s->n && s->items[at].pid == pid) {
                if (s->items[at].start_time == start_time)
                        return 0;
                s->items[at].start_time = start_time;
                return 1;
        }
        if (s->n == s->allocated) {
                size_t n = s->allocated ? s->allocated * 2 : 16;
                PidMark *items = realloc(s->items, n * sizeof(PidMark));

                if (!items)
                        return -ENOMEM;
                s->items = items;
                s->allocated = n;
        }
        memmove(s->items + at + 1, s->items + at, (s->n - at) * sizeof(PidMark));
        s->items[at] = (PidMark) { .pid = pid, .start_time = start_time };
        s->n++;
        return 1;
}
