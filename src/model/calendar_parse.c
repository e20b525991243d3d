/* See calendar.h: the reading, one field after the other. */
#include <stdio.h>
#include <strings.h>

#include "base/strv.h"
#include "base/text.h"
#include "model/calendar.h"

typedef enum FieldKind { FIELD_SECOND, FIELD_MINUTE, FIELD_HOUR, FIELD_DAY, FIELD_MONTH, FIELD_WEEKDAY, _FIELD_MAX } FieldKind;

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const weekday_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };

/* names[0] stands for `min`. A weekday may be 7, which is Sunday as well. */
static const struct {
        const char *name;
        unsigned min, max;
        const char *const *names;
} fields[] = {
        [FIELD_SECOND] = { "second", 0, 59 },
        [FIELD_MINUTE] = { "minute", 0, 59 },
        [FIELD_HOUR] = { "hour", 0, 23 },
        [FIELD_DAY] = { "day of the month", 1, 31 },
        [FIELD_MONTH] = { "month", 1, 12, month_names },
        [FIELD_WEEKDAY] = { "day of the week", 0, 7, weekday_names },
};

typedef struct Reader {
        Calendar *c;
        FieldKind kind;
        const char *text;      /* of the field */
        KlError *error;
} Reader;

#define FAULT(r, format, ...) \
        kl_error_set((r)->error, -EINVAL, KL_E_INVALID, "%s: " format, fields[(r)->kind].name __VA_OPT__(,) __VA_ARGS__)

static int wrong(const Reader *r, const char *item) {
        _cleanup_free_ char *shown = text_escape(item, strnlen(item, 60));

        return FAULT(r, "cannot read \"%s\"", shown ?: "");
}

/* A number or a name; *p is behind it. */
static int read_value(const Reader *r, const char **p, unsigned *ret) {
        const char *const *names = fields[r->kind].names;
        unsigned n = 0;

        for (unsigned i = 0; names && names[i]; i++)
                if (strncasecmp(*p, names[i], 3) == 0) {
                        *p += 3;
                        *ret = i + fields[r->kind].min;
                        return 0;
                }
        if (**p < '0' || **p > '9')
                return wrong(r, *p);
        for (; **p >= '0' && **p <= '9' && n < 1000; (*p)++)
                n = n * 10 + (unsigned) (**p - '0');
        if (n < fields[r->kind].min || n > fields[r->kind].max)
                return FAULT(r, "%u is %s than %u", n, n > fields[r->kind].max ? "more" : "less",
                             n > fields[r->kind].max ? fields[r->kind].max : fields[r->kind].min);
        *ret = n;
        return 0;
}

static void set_bit(const Reader *r, unsigned n) {
        Calendar *c = r->c;

        switch (r->kind) {
        case FIELD_SECOND: c->seconds |= 1ULL << n; break;
        case FIELD_MINUTE: c->minutes |= 1ULL << n; break;
        case FIELD_HOUR: c->hours |= 1U << n; break;
        case FIELD_DAY: c->days |= 1U << n; break;
        case FIELD_MONTH: c->months |= (uint16_t) (1U << n); break;
        default: c->weekdays |= (uint8_t) (1U << n % 7); break;
        }
}

/* A step that no value but the first can reach is meant otherwise. */
static int read_step(const Reader *r, const char **p, unsigned *ret) {
        unsigned n = 0;

        *ret = 1;
        if (**p != '/')
                return 0;
        for ((*p)++; **p >= '0' && **p <= '9' && n < 1000; (*p)++)
                n = n * 10 + (unsigned) (**p - '0');
        if (n == 0 || n > fields[r->kind].max)
                return FAULT(r, "a step must be a number from 1 to %u", fields[r->kind].max);
        *ret = n;
        return 0;
}

/* "*", "3", "1-5", "FRI-MON", each with "/2". A single value with a step goes on to the end. */
static int read_range(const Reader *r, const char *item) {
        unsigned min = fields[r->kind].min, max = r->kind == FIELD_WEEKDAY ? 6 : fields[r->kind].max, from = min, to = max, step;
        const char *p = item;
        bool single = false;
        int k = 0;

        if (*p == '*' || *p == '?')
                p++;
        else {
                k = read_value(r, &p, &from);
                to = from;
                single = *p != '-';
                if (k >= 0 && *p == '-') {
                        p++;
                        k = read_value(r, &p, &to);
                }
        }
        if (k >= 0)
                k = read_step(r, &p, &step);
        if (k < 0)
                return k;
        if (*p)
                return wrong(r, item);
        if (single && p > item && strchr(item, '/'))
                to = max;
        if (to < from && r->kind == FIELD_WEEKDAY)
                to += 7;
        if (to < from)
                return FAULT(r, "\"%s\" ends before it begins", item);
        for (unsigned n = from; n <= to; n += step)
                set_bit(r, n);
        return 0;
}

/* L, LW, 15W; 5L, FRI#2. 1: it was one of them. */
static int read_special(const Reader *r, const char *item) {
        const char *p = item;
        Calendar *c = r->c;
        unsigned n;

        if (r->kind == FIELD_DAY && strcasecmp(item, "L") == 0)
                return c->last_day = true;
        if (r->kind == FIELD_DAY && strcasecmp(item, "LW") == 0)
                return c->last_workday = true;
        if (!strpbrk(item, r->kind == FIELD_DAY ? "Ww" : "Ll#") || (r->kind != FIELD_DAY && r->kind != FIELD_WEEKDAY))
                return 0;
        if (strcasecmp(item, "L") == 0)
                return FAULT(r, "L needs a day in front: 5L is the last Friday of the month");
        if (read_value(r, &p, &n) < 0)
                return wrong(r, item);
        if (r->kind == FIELD_DAY && strcasecmp(p, "W") == 0)
                c->near_days |= 1U << n;
        else if (r->kind == FIELD_WEEKDAY && strcasecmp(p, "L") == 0)
                c->nth_weekdays[0] |= (uint8_t) (1U << n % 7);
        else if (r->kind == FIELD_WEEKDAY && *p == '#' && p[1] >= '1' && p[1] <= '5' && !p[2])
                c->nth_weekdays[p[1] - '0'] |= (uint8_t) (1U << n % 7);
        else
                return wrong(r, item);
        return 1;
}

static int read_field(const Reader *r) {
        _cleanup_free_ char *copy = strdup(r->text);
        char *rest = copy, *item;
        int k = copy ? 0 : -ENOMEM;

        while (k >= 0 && (item = strsep(&rest, ","))) {
                k = read_special(r, item);
                if (k == 0)
                        k = read_range(r, item);
        }
        return k;
}

/* ---- the whole ---- */

static const struct {
        const char *name, *text;
} nicknames[] = {
        { "@yearly", "0 0 1 1 *" },  { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" }, { "@weekly", "0 0 * * 0" },
        { "@daily", "0 0 * * *" },   { "@midnight", "0 0 * * *" }, { "@hourly", "0 * * * *" },
};

static int find_nickname(const char **text, KlError *reterr) {
        const char *names[ARRAY_SIZE(nicknames) + 1] = {}, *nearest;

        for (size_t i = 0; i < ARRAY_SIZE(nicknames); i++) {
                names[i] = nicknames[i].name;
                if (strcasecmp(*text, names[i]) == 0) {
                        *text = nicknames[i].text;
                        return 0;
                }
        }
        if (strcasecmp(*text, "@reboot") == 0) {
                (void) kl_error_set(reterr, -EINVAL, KL_E_INVALID, "@reboot is no time");
                kl_error_hint(reterr, "a service starts with the daemon by itself; `schedule.at_start: true` runs a scheduled one then, too");
                return -EINVAL;
        }
        (void) kl_error_set(reterr, -EINVAL, KL_E_INVALID, "there is no such time: %.20s", *text);
        nearest = text_nearest(*text, names);
        kl_error_hint(reterr, "%s%s", nearest ? "did you mean " : "@hourly, @daily, @weekly, @monthly, @yearly", nearest ?: "");
        return -EINVAL;
}

static bool restricted(const char *field) {
        return *field != '*' && *field != '?';
}

static int read_fields(char *const *words, size_t n, Calendar *c, KlError *reterr) {
        Reader r = { .c = c, .error = reterr };
        int k = 0;

        if (n == 5)
                c->seconds = 1;
        for (size_t i = 0; i < n && k >= 0; i++) {
                r.kind = (FieldKind) (i + (n == 5));
                r.text = words[i];
                k = read_field(&r);
        }
        c->either = restricted(words[n - 3]) && restricted(words[n - 1]);
        return k;
}

int calendar_parse(const char *text, Calendar *ret, KlError *reterr) {
        _cleanup_strv_ char **words = NULL;
        Calendar c = {};
        size_t n;
        int r;

        text += strspn(text, " \t");
        if (*text == '@' && (r = find_nickname(&text, reterr)) < 0)
                return r;
        r = strlen(text) > 1000 ? -E2BIG : strv_split_command(text, &words);
        if (r == -ENOMEM)
                return r;
        n = r < 0 ? 0 : strv_length(words);
        if (n != 5 && n != 6) {
                (void) kl_error_set(reterr, -EINVAL, KL_E_INVALID, "expected five fields, or six with seconds in front");
                kl_error_hint(reterr, "MINUTE HOUR DAY MONTH WEEKDAY, as in crontab(5): \"0 3 * * *\" is every day at 03:00; or @daily");
                return -EINVAL;
        }
        r = read_fields(words, n, &c, reterr);
        if (r < 0)
                return r;
        if (calendar_next(&c, NULL, 0) == INT64_MAX)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "no such day ever comes");
        *ret = c;
        return 0;
}
