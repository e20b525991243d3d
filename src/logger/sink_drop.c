/* What is not written, and how the file says so. Must stay true: every byte that came in is in the file or counted here. */
#include <stdio.h>

#include "logger/sink_state.h"
#include "model/spec.h"

static void renew(Sink *s, usec_t realtime) {
        usec_t seconds = realtime > s->refill ? (realtime - s->refill) / USEC_PER_SEC + 1 : 1;
        uint64_t more = seconds < s->burst ? seconds * s->rate : s->burst; /* the pause before the first line is a long one */

        s->tokens = (uint32_t) MIN((uint64_t) s->burst, s->tokens + more);
        s->refill = realtime + USEC_PER_SEC;
}

/* The allowance is renewed once a second, so that a flood costs one line of ours a second at most. */
bool sink_allows(Sink *s, usec_t realtime) {
        if (s->rate == 0)
                return true;
        if (realtime >= s->refill || s->refill - realtime > USEC_PER_SEC) /* or the clock was set back */
                renew(s, realtime);
        if (s->tokens == 0)
                return false;
        s->tokens--;
        return true;
}

void sink_drop(Sink *s, const char *p, size_t n, usec_t realtime, DropReason reason) {
        Dropped *d = &s->dropped;

        if (n == 0)
                return;
        if (d->bytes == 0)
                *d = (Dropped) { .since = realtime, .tell_at = reason == DROP_RATE ? s->refill : 0, .reason = reason };
        d->bytes += n;
        d->until = MAX(d->until, realtime);
        for (const char *end = p + n; p < end && (p = memchr(p, '\n', (size_t) (end - p))); p++)
                d->lines++;
}

void sink_gap(SinkStream *st, bool inside) {
        st->torn = st->open_size > 0;
        st->skip = inside;
}

void sink_discard(Sink *s, SinkStream *st, const char *p, size_t n, usec_t realtime, DropReason reason) {
        size_t settled = st->done > st->open_size ? st->done - st->open_size : 0;

        if (st->done > 0 && st->done >= st->open_size)
                stream_drop_open(st);
        st->done = 0;
        sink_drop(s, p + settled, n - settled, realtime, reason);
        sink_gap(st, n > 0 && p[n - 1] != '\n');
}

usec_t sink_tell_at(const Sink *s) {
        return s->dropped.bytes == 0 ? USEC_INFINITY : s->dropped.tell_at;
}

static void explain(const Sink *s, char *to, size_t size) {
        switch (s->dropped.reason) {
        case DROP_RATE: snprintf(to, size, "more than %" PRIu32 " lines a second", s->rate); break;
        case DROP_FULL: snprintf(to, size, "the file could not be written"); break;
        case DROP_SLOW: snprintf(to, size, "the disk is slower than the service"); break;
        }
}

int sink_tell(Sink *s, SinkStream *st, usec_t realtime) {
        char size[FORMAT_MAX], since[FORMAT_MAX], until[FORMAT_MAX], reason[64], text[400];
        const Dropped *d = &s->dropped;
        int r = 0;

        if (d->bytes == 0)
                return 0;
        explain(s, reason, sizeof(reason));
        /* <4>: a warning, for those who read priorities. */
        snprintf(text, sizeof(text), "%skingly: %" PRIu64 " line%s (%s) were not kept, from %s to %s: %s",
                 st->format == LOG_FORMAT_JSON ? "<4>" : "", d->lines, d->lines == 1 ? "" : "s", format_size(size, d->bytes, false),
                 format_time(since, d->since), format_time(until, d->until), reason);
        if (st->format != LOG_FORMAT_RAW)
                r = sink_write_own(s, st, text, realtime);
        if (r >= 0)
                s->dropped = (Dropped) {};
        return r;
}
