/* See timetable.h. */
#include "model/timetable.h"

#define COUNTED 1000                       /* dues that are walked over one by one */
#define SET_BACK (3 * USEC_PER_HOUR)       /* what cron takes for a change of the clocks rather than for another time */

/* FNV-1a */
static uint64_t hash_text(uint64_t h, const char *s) {
        for (; *s; s++)
                h = (h ^ (uint8_t) *s) * 0x100000001b3;
        return h;
}

/* splitmix64 */
static uint64_t mix(uint64_t z) {
        z += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
}

int timetable_init(Timetable *t, const ServiceSpec *s) {
        *t = (Timetable) { .every = s->schedule.every, .random_delay = s->schedule.random_delay,
                           .seed = hash_text(hash_text(0xcbf29ce484222325, s->ns), s->name) };
        return s->schedule.cron ? calendar_parse(s->schedule.cron, &t->calendar, NULL) : t->every > 0 ? 0 : -EINVAL;
}

Due timetable_next(const Timetable *t, const Zone *z, usec_t handled) {
        int64_t seconds;
        Due d;

        if (t->every)
                d.named = usec_add(handled, t->every);
        else {
                seconds = calendar_next(&t->calendar, z, (int64_t) (handled / USEC_PER_SEC));
                d.named = seconds == INT64_MAX ? USEC_INFINITY : (usec_t) seconds * USEC_PER_SEC;
        }
        d.at = t->random_delay ? usec_add(d.named, mix(t->seed ^ d.named) % t->random_delay) : d.named;
        return d;
}

static bool hourly(const Timetable *t) {
        return t->every || t->calendar.hours == (1U << 24) - 1;
}

usec_t timetable_base(const Timetable *t, usec_t handled, usec_t *base, usec_t now) {
        if (handled <= now || (!hourly(t) && handled - now <= SET_BACK)) {
                *base = 0;
                return handled;
        }
        if (*base == 0 || *base > now)
                *base = now;
        return *base;
}

/* Behind what is too much to count, up to where a run may still be timely. */
static usec_t leap(const Timetable *t, usec_t handled, usec_t now) {
        usec_t to = now - MIN(now, TIMETABLE_GRACE + t->random_delay);

        if (to <= handled)
                return handled;
        return t->every ? handled + (to - handled) / t->every * t->every : to;
}

Dues timetable_dues(const Timetable *t, const Zone *z, usec_t handled, usec_t now) {
        Dues d = { .handled = handled };

        for (Due due = timetable_next(t, z, handled); due.at <= now; due = timetable_next(t, z, d.handled)) {
                if (d.n++ == 0)
                        d.first = due;
                d.last = due;
                d.handled = due.named;
                if (d.n == COUNTED) {
                        d.more = leap(t, d.handled, now) > d.handled;
                        d.handled = leap(t, d.handled, now);
                } else if (d.n > 2 * COUNTED)
                        break;
        }
        d.timely = d.n > 0 && now - d.last.at < TIMETABLE_GRACE;
        return d;
}

unsigned timetable_runs(ScheduleMissed policy, const Dues *d) {
        switch (policy) {
        case MISSED_ALL:
                return MIN(d->n, (unsigned) TIMETABLE_PENDING_MAX);
        case MISSED_ONCE:
                return d->n > 0;
        default:
                return d->timely;
        }
}
