/* The rule that goes on where the list of a TZif file ends: "CET-1CEST,M3.5.0,M10.5.0/3" (RFC 8536, 3.3; tzset(3)). Private to the zones. */
#pragma once

#include "model/zone.h"

typedef struct ZoneDay {
        enum { ZONE_DAY_JULIAN, ZONE_DAY_OF_YEAR, ZONE_DAY_WEEK } kind;   /* Jn (without 29 February) · n · Mm.w.d */
        unsigned day, month, week;
        int32_t time;            /* seconds of the wall clock since that midnight, -167 h to 167 h */
} ZoneDay;

typedef struct ZoneRule {
        int32_t standard, summer;     /* seconds east of UTC */
        bool changes;                 /* there is a summer time */
        ZoneDay to_summer, to_standard;
} ZoneRule;

/* 0, or -EBADMSG. */
int zone_rule_parse(const char *text, size_t n, ZoneRule *ret);
ZoneSpan zone_rule_span(const ZoneRule *r, int64_t t);
