/* Fields that journald adds to every line of a unit, as LogExtraFields= does for services. systemd has no such setting for scopes, but journald reads
 * the file that PID 1 would write for it, /run/systemd/units/log-extra-fields:UNIT, whatever kind of unit that is (measured with 252 and 257). It is
 * no public interface: nothing may depend on it, and a failure is nobody's problem. For units of PID 1 only; journald does not look for those of
 * users' managers. */
#pragma once

#include "base/macro.h"

#define JOURNAL_UNITS_PATH "/run/systemd/units"

/* fields: NULL-terminated, "NAME=value". Whole or not at all. 0 or -errno. */
int journal_fields_write(const char *directory, const char *unit, const char *const *fields);
void journal_fields_remove(const char *directory, const char *unit);
/* Removes the files of scopes kingly-*.scope that systemd does not know (any more): left behind by a daemon that was killed. */
void journal_fields_sweep(const char *directory);
