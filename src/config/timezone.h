/* The tz database of the machine. */
#pragma once

#include "base/error.h"
#include "model/zone.h"

/* The zone of that name, from TZDIR or /usr/share/zoneinfo; NULL is the machine's own: what TZ names, else /etc/localtime, else UTC (as
 * localtime(3)). *ret is NULL for UTC where there is no file for it. -ENOENT: no such zone, with a hint when one is nearly called so; -EBADMSG,
 * or -errno of reading it. reterr may be NULL. */
int timezone_load(const char *name, Zone **ret, KlError *reterr);
#define TIMEZONE_LOCAL "/etc/localtime"
