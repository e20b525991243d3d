/* A time zone: how far the clocks on the wall are from UTC, and when that changes. Made of the bytes of a TZif file (RFC 8536, tzfile(5)),
 * which the caller reads; pure: neither TZ nor a file is looked at, and any number of zones can be at hand at once. NULL is UTC. */
#pragma once

#include "base/macro.h"

typedef struct Zone Zone;

/* What runs up to the next change of the clocks. */
typedef struct ZoneSpan {
        int64_t begin, end;      /* seconds since the epoch, end excluded; INT64_MIN and INT64_MAX: for ever */
        int32_t offset;          /* seconds east of UTC */
        int32_t before;          /* the offset until `begin` */
} ZoneSpan;

#define ZONE_FILE_MAX (64 * 1024)   /* bytes; those of the tz database have less than 4 KiB */

/* 0; -EBADMSG for anything that is no TZif file, or one that counts leap seconds; -ENOMEM. */
int zone_parse(const void *data, size_t size, Zone **ret);
Zone *zone_free(Zone *z);
DEFINE_CLEANUP(Zone *, zone_free);

/* The span that t lies in. */
ZoneSpan zone_span(const Zone *z, int64_t t);

/* Whether a name can be one of the tz database ("Europe/Berlin", "UTC"): no path that leads elsewhere. */
bool zone_name_valid(const char *name);

/* ---- the calendar that all zones share: proleptic Gregorian ---- */

#define SECONDS_PER_DAY 86400
int64_t days_from_date(int64_t year, unsigned month, unsigned day);   /* since 1970-01-01; month 1..12 */
void date_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);
unsigned days_of_month(int64_t year, unsigned month);
static inline unsigned weekday_of(int64_t days) { return (unsigned) (((days + 4) % 7 + 7) % 7); }   /* 0 is Sunday */
static inline int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }               /* b > 0 */
