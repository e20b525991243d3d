/* A schedule in the words of others: a timer of systemd (systemd.timer(5), systemd.time(7)) and the five fields that Kubernetes takes. */
#include "export/exporter.h"
#include "model/calendar.h"

#define ALL_DAYS 0xfffffffeu
#define ALL_WEEKDAYS 0x7f

int export_numbers(Buffer *b, uint64_t mask, unsigned min, unsigned max, const char *range) {
        int r = 0, digits = streq(range, "..") ? 2 : 1;
        const char *comma = "";

        for (unsigned n = min, last; n <= max && r >= 0; n = last + 1) {
                for (last = n; last < max && mask >> n & 1 && mask >> (last + 1) & 1; last++)
                        ;
                if (!(mask >> n & 1))
                        continue;
                if (n == min && last == max)
                        return buffer_printf(b, "*");
                r = buffer_printf(b, "%s%0*u", comma, digits, n);
                if (r >= 0 && last > n)
                        r = buffer_printf(b, "%s%0*u", last > n + 1 ? range : ",", digits, last);
                comma = ",";
        }
        return r;
}

/* ---- OnCalendar= ---- */

/* Days of the month and of the week that must both fit; `last`: "~01", "~07/1", counted from the end of the month, instead of days. */
typedef struct Days {
        uint32_t days;
        const char *last;
        uint8_t weekdays;
} Days;

static int weekday_names(Buffer *b, uint8_t mask) {
        static const char *const names[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
        const char *comma = "";
        int r = 0;

        for (unsigned i = 0; i < ARRAY_SIZE(names) && r >= 0 && mask != ALL_WEEKDAYS; i++)
                if (mask >> i & 1) {
                        r = buffer_printf(b, "%s%s", comma, names[i]);
                        comma = ",";
                }
        return r < 0 || mask == ALL_WEEKDAYS ? r : buffer_printf(b, " ");
}

static int calendar_line(Buffer *b, const Calendar *c, const Days *d, const char *zone) {
        int r;

        if ((r = buffer_printf(b, "OnCalendar=")) < 0 || (r = weekday_names(b, d->weekdays)) < 0 || (r = buffer_printf(b, "*-")) < 0 ||
            (r = export_numbers(b, c->months, 1, 12, "..")) < 0 || (r = buffer_printf(b, "%s", d->last ?: "-")) < 0 ||
            (!d->last && (r = export_numbers(b, d->days, 1, 31, "..")) < 0) || (r = buffer_printf(b, " ")) < 0 ||
            (r = export_numbers(b, c->hours, 0, 23, "..")) < 0 || (r = buffer_printf(b, ":")) < 0 ||
            (r = export_numbers(b, c->minutes, 0, 59, "..")) < 0 || (r = buffer_printf(b, ":")) < 0 ||
            (r = export_numbers(b, c->seconds, 0, 59, "..")) < 0)
                return r;
        return buffer_printf(b, "%s%s\n", zone ? " " : "", zone ?: "");
}

/* What the field of the days of the month asks for; how many. */
static size_t month_days(const Calendar *c, Days ret[2]) {
        size_t n = 0;

        if (c->days)
                ret[n++] = (Days) { c->days, NULL, ALL_WEEKDAYS };
        if (c->last_day)
                ret[n++] = (Days) { 0, "~01", ALL_WEEKDAYS };
        return n;
}

static size_t week_days(const Calendar *c, Days ret[7]) {
        size_t n = 0;

        if (c->weekdays)
                ret[n++] = (Days) { ALL_DAYS, NULL, c->weekdays };
        for (unsigned i = 1; i <= 5; i++)
                if (c->nth_weekdays[i])
                        ret[n++] = (Days) { 0x7fu << ((i - 1) * 7 + 1), NULL, c->nth_weekdays[i] };
        if (c->nth_weekdays[0])
                ret[n++] = (Days) { 0, "~07/1", c->nth_weekdays[0] };
        return n;
}

/* Both must fit. False where systemd has no words for it. */
static bool both(const Days *a, const Days *b, Days *ret) {
        *ret = (Days) { a->days & b->days, a->last ?: b->last, a->weekdays & b->weekdays };
        return !(a->last && b->last) && (!a->last || b->days == ALL_DAYS) && (!b->last || a->days == ALL_DAYS);
}

/* 1; 0: there are no words for it. */
static int calendar_lines(Buffer *b, const Calendar *c, const char *zone) {
        Days month[2], week[7], day;
        size_t n_month = month_days(c, month), n_week = week_days(c, week);
        int r = 1;

        if (c->near_days || c->last_workday)
                return 0;
        for (size_t i = 0; c->either && i < n_month && r >= 0; i++)
                r = calendar_line(b, c, month + i, zone);
        for (size_t k = 0; c->either && k < n_week && r >= 0; k++)
                r = calendar_line(b, c, week + k, zone);
        for (size_t i = 0; !c->either && i < n_month; i++)
                for (size_t k = 0; k < n_week && r >= 0; k++) {
                        if (!both(month + i, week + k, &day))
                                return 0;
                        if (day.days || day.last)
                                r = calendar_line(b, c, &day, zone);
                }
        return r < 0 ? r : 1;
}

/* ---- the timer ---- */

static int timer_times(Exporter *x, Buffer *b) {
        const ServiceSpec *s = x->spec;
        char buf[FORMAT_MAX];
        Calendar c;
        int r;

        if (s->schedule.every)
                return buffer_printf(b, "OnActiveSec=%s\nOnUnitActiveSec=%s\n", format_span(buf, s->schedule.every, true), buf);
        r = calendar_parse(s->schedule.cron, &c, NULL);
        if (r >= 0)
                r = calendar_lines(b, &c, s->schedule.timezone);
        if (r == 0)
                return export_note(x, "schedule.cron: %s cannot be said in OnCalendar=: the timer has no times", s->schedule.cron);
        if (r > 0 && s->schedule.missed != MISSED_SKIP)
                r = buffer_printf(b, "Persistent=true\n");
        return r;
}

/* A service that runs on is restarted by a unit of its own. */
static int add_restarter(Exporter *x, const char *name, const char *unit) {
        return export_add(x->out, text_printf("%s.service", name),
                          text_printf("[Unit]\nDescription=Restart of %s\n\n[Service]\nType=oneshot\nExecStart=systemctl %stry-restart %s\n", unit,
                                      x->options->user ? "--user " : "", unit), NULL);
}

int export_timer(Exporter *x) {
        _cleanup_free_ char *name = export_name(x->spec), *timer = NULL, *unit = NULL;
        bool restarts = x->spec->type == SERVICE_SIMPLE, several = x->instances > 1;
        _cleanup_buffer_ Buffer b = {};
        char buf[FORMAT_MAX];
        int r;

        if (!spec_scheduled(x->spec))
                return 0;
        unit = text_printf("%s%s", name ?: "", several ? restarts ? "@*.service" : "@%i.service" : ".service");
        timer = text_printf("%s%s", name ?: "", restarts ? "-restart" : several ? "@" : "");
        if (!name || !unit || !timer)
                return -ENOMEM;
        r = restarts ? add_restarter(x, timer, unit) : 0;
        if (r >= 0)
                r = buffer_printf(&b, "[Unit]\nDescription=Schedule of %s\n\n[Timer]\nAccuracySec=1s\n", name);
        if (r >= 0)
                r = timer_times(x, &b);
        if (r >= 0 && x->spec->schedule.at_start && !restarts)
                r = buffer_printf(&b, "OnActiveSec=0\n");
        if (r >= 0 && x->spec->schedule.random_delay)
                r = buffer_printf(&b, "RandomizedDelaySec=%s\n", format_span(buf, x->spec->schedule.random_delay, true));
        if (r >= 0 && x->spec->autostart)
                r = buffer_printf(&b, "\n[Install]\nWantedBy=timers.target\n");
        return r < 0 ? r : export_add(x->out, text_printf("%s.timer", timer), TAKE_PTR(b.data), NULL);
}

/* ---- rows ---- */

static int emit_schedule(Exporter *x, const SpecKey *k) {
        const ServiceSpec *s = x->spec;

        if (!spec_scheduled(s))
                return export_note(x, "%s: it has no schedule", k->path);
        if (streq(k->path, "schedule.overlap") && s->type == SERVICE_ONESHOT)
                return export_note(x, "schedule.overlap: systemd leaves a run out while the one before is not over");
        if (streq(k->path, "schedule.missed") && (s->schedule.every || s->schedule.missed == MISSED_ALL))
                return export_note(x, "schedule.missed: systemd makes up for %s", s->schedule.every ? "times of a calendar only" : "one run only");
        return 0;
}

const ExportRow unit_schedule_rows[] = {
        { "schedule.cron", NULL, emit_schedule },
        { "schedule.every", NULL, emit_schedule },
        { "schedule.timezone", NULL, emit_schedule },
        { "schedule.overlap", NULL, emit_schedule },
        { "schedule.missed", NULL, emit_schedule },
        { "schedule.random_delay", NULL, emit_schedule },
        { "schedule.at_start", NULL, emit_schedule },
        {},
};

/* ---- five fields ---- */

/* What divides an hour or a day evenly. */
static int fields_of_span(Buffer *b, usec_t every) {
        usec_t minutes = every / USEC_PER_MINUTE, hours = every / USEC_PER_HOUR;

        if (every == USEC_PER_DAY)
                return buffer_printf(b, "0 0 * * *") < 0 ? -ENOMEM : 1;
        if (every % USEC_PER_HOUR == 0 && hours < 24 && 24 % hours == 0)
                return buffer_printf(b, "0 */%u * * *", (unsigned) hours) < 0 ? -ENOMEM : 1;
        if (every % USEC_PER_MINUTE == 0 && minutes > 0 && minutes < 60 && 60 % minutes == 0)
                return buffer_printf(b, "*/%u * * * *", (unsigned) minutes) < 0 ? -ENOMEM : 1;
        return 0;
}

/* Elsewhere only a bare star makes both days count. */
static bool plain_days(const Calendar *c) {
        bool special = c->near_days || c->last_day || c->last_workday;

        for (unsigned i = 0; i < ARRAY_SIZE(c->nth_weekdays); i++)
                special = special || c->nth_weekdays[i];
        return !special && (c->either || c->days == ALL_DAYS || c->weekdays == ALL_WEEKDAYS);
}

int export_five_fields(const ServiceSpec *s, char **ret) {
        _cleanup_buffer_ Buffer b = {};
        Calendar c;
        int r;

        if (s->schedule.every)
                r = fields_of_span(&b, s->schedule.every);
        else {
                r = calendar_parse(s->schedule.cron, &c, NULL);
                if (r < 0)
                        return r;
                if (c.seconds != 1 || !plain_days(&c))
                        return 0;
                if ((r = export_numbers(&b, c.minutes, 0, 59, "-")) < 0 || (r = buffer_printf(&b, " ")) < 0 ||
                    (r = export_numbers(&b, c.hours, 0, 23, "-")) < 0 || (r = buffer_printf(&b, " ")) < 0 ||
                    (r = export_numbers(&b, c.days, 1, 31, "-")) < 0 || (r = buffer_printf(&b, " ")) < 0 ||
                    (r = export_numbers(&b, c.months, 1, 12, "-")) < 0 || (r = buffer_printf(&b, " ")) < 0 ||
                    (r = export_numbers(&b, c.weekdays, 0, 6, "-")) < 0)
                        return r;
                r = 1;
        }
        if (r > 0)
                *ret = TAKE_PTR(b.data);
        return r;
}
