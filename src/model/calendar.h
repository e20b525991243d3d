/* Times of a calendar, written as crontab(5) has them: minute, hour, day of the month, month and day of the week, with a field of seconds in
 * front where there are six. `*`, lists, ranges and steps (1-5, 0-59/15, 8/2), names (JAN, MON), @hourly to @yearly; and of what other crons
 * have: L (the last day of the month; 5L its last Friday), 15W (the workday nearest to the 15th; LW the last one), 5#2 (the second Friday), ? for
 * `*`. Pure: zone and time are arguments.
 *
 * Days: where both fields of days are restricted (neither begins with `*`), one of them is enough; else both must fit.
 *
 * When the clocks change: one that fits every hour runs in each hour that really passes. For all others, what falls into the hour that is left
 * out runs at once behind the gap, once; what falls into the hour that comes twice runs the first time only. */
#pragma once

#include "base/error.h"
#include "model/zone.h"

typedef struct Calendar {
        uint64_t seconds, minutes;       /* bit n stands for the value n, in all of these */
        uint32_t hours, days, near_days; /* near_days: nW */
        uint16_t months;
        uint8_t weekdays;                /* 0 is Sunday */
        uint8_t nth_weekdays[6];         /* of 1 to 5, day#n; [0]: dayL */
        bool last_day, last_workday;
        bool either;                     /* a day of the month or a day of the week */
} Calendar;

/* 0, or -EINVAL with what is wrong ("hour: 25 is more than 23") and a hint, without the name of a key. */
int calendar_parse(const char *text, Calendar *ret, KlError *reterr);

/* The first time after `after`, in seconds since the epoch; INT64_MAX: there is none within 400 years, after which the calendar repeats. */
int64_t calendar_next(const Calendar *c, const Zone *z, int64_t after);
