/* See schedule_clock.h. Must stay true: no wake-up but for the armed time, a clock that is set (which resuming from sleep is as well,
 * timerfd_create(2)), or another /etc/localtime. */
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

#include "base/fd.h"
#include "base/log.h"
#include "config/timezone.h"
#include "manager/triggers/schedule.h"
#include "manager/triggers/schedule_clock.h"

typedef struct NamedZone {
        char *name;                        /* "": the machine's */
        Zone *zone;
} NamedZone;

struct ScheduleClock {
        int fd;
        sd_event_source *source, *local;
        NamedZone *zones;                  /* as many as there are different ones in use */
        size_t n_zones;
};

static void forget_zones(ScheduleClock *c) {
        for (size_t i = 0; i < c->n_zones; i++) {
                free(c->zones[i].name);
                zone_free(c->zones[i].zone);
        }
        free(c->zones);
        c->zones = NULL;
        c->n_zones = 0;
}

static ScheduleClock *clock_free(ScheduleClock *c) {
        if (!c)
                return NULL;
        sd_event_source_disable_unref(c->source);
        sd_event_source_disable_unref(c->local);
        fd_close(c->fd);
        forget_zones(c);
        free(c);
        return NULL;
}

void schedules_done(Manager *m) {
        m->schedule_clock = clock_free(m->schedule_clock);
        m->schedule_retry = sd_event_source_disable_unref(m->schedule_retry);
}

/* Nothing is to be read where it was armed anew in between. */
static int on_time(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Manager *m = userdata;
        uint64_t n;
        bool set = read(fd, &n, sizeof n) < 0 && errno == ECANCELED;

        if (set)
                forget_zones(m->schedule_clock);
        schedules_turn(m, set);
        return 0;
}

static int clock_of(Manager *m, ScheduleClock **ret) {
        ScheduleClock *c = m->schedule_clock;
        int r;

        if (!c) {
                c = calloc(1, sizeof(ScheduleClock));
                if (!c)
                        return -ENOMEM;
                c->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
                r = c->fd < 0 ? -errno : sd_event_add_io(m->event, &c->source, c->fd, EPOLLIN, on_time, m);
                if (r >= 0)
                        r = sd_event_source_set_priority(c->source, PRIORITY_TIMER);
                if (r < 0) {
                        clock_free(c);
                        return r;
                }
                m->schedule_clock = c;
        }
        *ret = c;
        return 0;
}

int schedule_arm(Manager *m, usec_t at) {
        struct itimerspec spec = {};
        ScheduleClock *c = m->schedule_clock;
        int r = at == USEC_INFINITY && !c ? 0 : clock_of(m, &c);

        if (r < 0 || !c)
                return r;
        if (at != USEC_INFINITY)
                spec.it_value = (struct timespec) { (time_t) (at / USEC_PER_SEC), (long) (at % USEC_PER_SEC * 1000) };
        /* A clock that was set before this says so by ECANCELED, with the timer armed all the same: it is read again. */
        return timerfd_settime(c->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL) < 0 && errno != ECANCELED ? -errno : 0;
}

/* ---- zones ---- */

static int on_local(sd_event_source *s, const struct inotify_event *e, void *userdata) {
        Manager *m = userdata;

        log_notice("the machine's time zone has changed");
        m->schedule_clock->local = sd_event_source_disable_unref(m->schedule_clock->local);
        forget_zones(m->schedule_clock);
        schedules_turn(m, true);
        return 0;
}

/* It is replaced as a whole: what was there loses its name. */
static void watch_local(Manager *m, ScheduleClock *c) {
        int r;

        if (c->local)
                return;
        r = sd_event_add_inotify(m->event, &c->local, TIMEZONE_LOCAL, IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_CLOSE_WRITE | IN_DONT_FOLLOW,
                                 on_local, m);
        if (r >= 0)
                r = sd_event_source_set_priority(c->local, PRIORITY_TIMER);
        if (r < 0)
                log_debug("cannot watch %s: %s", TIMEZONE_LOCAL, strerror(-r));
}

static int add_zone(ScheduleClock *c, const char *name, Zone *zone) {
        NamedZone *zones = reallocarray(c->zones, c->n_zones + 1, sizeof(NamedZone));
        char *copy = strdup(name);

        if (zones)
                c->zones = zones;
        if (!zones || !copy) {
                free(copy);
                return -ENOMEM;
        }
        zones[c->n_zones++] = (NamedZone) { copy, zone };
        return 0;
}

int schedule_zone(Manager *m, const ServiceSpec *s, const Zone **ret, KlError *reterr) {
        _cleanup_(zone_freep) Zone *zone = NULL;
        const char *name = s->schedule.timezone ?: "";
        ScheduleClock *c;
        int r;

        *ret = NULL;
        r = s->schedule.cron ? clock_of(m, &c) : 0;
        if (r < 0 || !s->schedule.cron)
                return r;
        for (size_t i = 0; i < c->n_zones; i++)
                if (streq(c->zones[i].name, name)) {
                        *ret = c->zones[i].zone;
                        return 0;
                }
        if (!*name)
                watch_local(m, c);
        r = timezone_load(s->schedule.timezone, &zone, reterr);
        if (r >= 0)
                r = add_zone(c, name, zone);
        if (r >= 0)
                *ret = TAKE_PTR(zone);
        return r;
}

int schedule_check(const SpecList *specs, KlError *reterr) {
        for (size_t k = 0; k < specs->n; k++) {
                const ServiceSpec *s = specs->items[k];
                _cleanup_(zone_freep) Zone *zone = NULL;
                _cleanup_error_ KlError e = {};

                /* The same zone many times over is read once. */
                if (!s->schedule.timezone || (k > 0 && streq(s->schedule.timezone, specs->items[k - 1]->schedule.timezone)) ||
                    timezone_load(s->schedule.timezone, &zone, &e) != -ENOENT)
                        continue;
                (void) kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s: schedule.timezone: %s", s->name, e.message ?: "out of memory");
                if (e.hint)
                        kl_error_hint(reterr, "%s", e.hint);
                return -EINVAL;
        }
        return 0;
}
