/* Time spans, sizes and percentages as people write them, and time stamps as people read them. */
#pragma once

#include <time.h>

#include "base/macro.h"

typedef uint64_t usec_t; /* microseconds; which clock, the name or the comment says */
#define USEC_INFINITY UINT64_MAX
#define USEC_PER_MSEC 1000ULL
#define USEC_PER_SEC 1000000ULL
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)
#define SIZE_INFINITY UINT64_MAX

usec_t usec_add(usec_t a, usec_t b);   /* saturates at USEC_INFINITY */
usec_t now_usec(clockid_t clock);      /* clock_gettime(2) */

/* "500ms" "5s" "1m30s" "2h" "1d" "0" "infinity"; a bare number counts seconds; decimals are allowed in the last place ("1.5s").
 * -EINVAL for anything else, -ERANGE on overflow. */
int parse_span(const char *s, usec_t *ret);
/* "64K" "512M" "2G" "1T" (powers of 1024; "KiB"/"KB"/"B" suffixes accepted), bare bytes, "infinity". */
int parse_size(const char *s, uint64_t *ret);
/* "150%" → 150, "0.5%" not allowed: whole percent only; the sign % is required. */
int parse_percent(const char *s, uint32_t *ret);
int parse_u64(const char *s, uint64_t *ret);   /* decimal digits only */
int parse_i64(const char *s, int64_t *ret);

#define FORMAT_MAX 64
/* Into buf of FORMAT_MAX bytes, returning buf. Spans: at most the two largest units, "1h 5m", "250ms" (below a second only one); exact=true keeps every unit
 * ("1m30s"), parseable again. Sizes: "12.3M"; exact=true gives the largest unit that divides ("512M") or bytes. */
const char *format_span(char buf[FORMAT_MAX], usec_t t, bool exact);
const char *format_size(char buf[FORMAT_MAX], uint64_t n, bool exact);
/* CLOCK_REALTIME usec as RFC 3339 in UTC with microseconds, "2026-01-02T03:04:05.000006Z". */
const char *format_time(char buf[FORMAT_MAX], usec_t realtime);
/* Accepts RFC 3339, "YYYY-MM-DD[ HH:MM[:SS]]", "HH:MM[:SS]" and "today", "yesterday", "tomorrow" with or without a clock in local time, "now",
 * "@SECONDS" since the epoch, and "5m", "-5m", "2 hours ago" (before now, CLOCK_REALTIME). -EINVAL, -ERANGE (before 1970, overflow). */
int parse_time(const char *s, usec_t now, usec_t *ret);
